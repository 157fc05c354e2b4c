//! Redis' directives without effect here: cluster, access, process, threads.

use super::row::{Directive, ignored, refused};
use super::value::{Kind, LENGTH_MAX};

const FLAG: Kind = Kind::Flag;
const INT: Kind = Kind::Number { min: 0, max: i32::MAX as i64 };
const COUNT: Kind = Kind::Number { min: 0, max: i64::MAX };
const PORT: Kind = Kind::Number { min: 0, max: 65_535 };
const ACCEPTS: Kind = Kind::Number { min: 1, max: 1000 };
const LENGTH: Kind = Kind::Memory { min: 0, max: LENGTH_MAX };
const TEXT: Kind = Kind::Text;
const WORDS: Kind = Kind::Words;
const SHUTDOWN: Kind = Kind::Choices(&["default", "save", "nosave", "now", "force"]);
const FACILITIES: Kind = Kind::Choice(&[
    "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]);

const CLUSTER: &str = "There is no cluster.";
const PROCESS: &str = "Use the tools of the operating system for this.";
const THREADS: &str = "One thread does the work, on demand.";
const ABSENT: &str = "The feature it tunes does not exist here.";

/// Rows about the server.
#[rustfmt::skip]
pub(super) static SERVER: &[Directive] = &[
    // Cluster.
    refused("cluster-enabled", FLAG, "no", &["no"],
        "Tidegate is not a cluster node: use cluster-enabled no, and spread keys over servers in \
         the client if one is not enough").immutable(),
    ignored("cluster-allow-pubsubshard-when-down", FLAG, "yes", CLUSTER),
    ignored("cluster-allow-reads-when-down", FLAG, "no", CLUSTER),
    ignored("cluster-allow-replica-migration", FLAG, "yes", CLUSTER),
    ignored("cluster-announce-bus-port", PORT, "0", CLUSTER),
    ignored("cluster-announce-hostname", TEXT, "", CLUSTER),
    ignored("cluster-announce-human-nodename", TEXT, "", CLUSTER),
    ignored("cluster-announce-ip", TEXT, "", CLUSTER),
    ignored("cluster-announce-port", PORT, "0", CLUSTER),
    ignored("cluster-announce-tls-port", PORT, "0", CLUSTER),
    ignored("cluster-config-file", TEXT, "nodes.conf", CLUSTER).immutable(),
    ignored("cluster-link-sendbuf-limit", LENGTH, "0", CLUSTER),
    ignored("cluster-migration-barrier", INT, "1", CLUSTER),
    ignored("cluster-node-timeout", COUNT, "15000", CLUSTER),
    ignored("cluster-port", PORT, "0", CLUSTER).immutable(),
    ignored("cluster-preferred-endpoint-type", Kind::Choice(&["ip", "hostname", "unknown-endpoint"]), "ip", CLUSTER),
    ignored("cluster-replica-no-failover", FLAG, "no", CLUSTER).alias("cluster-slave-no-failover"),
    ignored("cluster-replica-validity-factor", INT, "10", CLUSTER).alias("cluster-slave-validity-factor"),
    ignored("cluster-require-full-coverage", FLAG, "yes", CLUSTER),
    // TLS.
    refused("tls-dh-params-file", TEXT, "", &[""],
        "Tidegate exchanges keys with elliptic curves only, which need no such file: remove the line"),
    // Access and extensions.
    refused("rename-command", WORDS, "", &[],
        "Tidegate does not rename or disable commands: remove the line, and use the rules of \
         users to control access").file_only(),
    refused("loadmodule", WORDS, "", &[],
        "Tidegate loads no modules: remove the line").file_only(),
    ignored("enable-module-command", Kind::Choice(&["no", "yes", "local"]), "no", ABSENT).immutable(),
    ignored("enable-debug-assert", FLAG, "no", ABSENT).immutable().file_only(),
    // Notifications, client-side caches.
    refused("notify-keyspace-events", Kind::EventClasses, "", &[""],
        "Tidegate publishes no keyspace events: use notify-keyspace-events \"\", and let the \
         client that changes a key publish it"),
    ignored("propagation-error-behavior", Kind::Choice(&["ignore", "panic", "panic-on-replicas"]), "ignore", ABSENT),
    ignored("tracking-table-max-keys", COUNT, "1000000", ABSENT),
    ignored("locale-collate", TEXT, "", ABSENT),
    // The process.
    refused("syslog-enabled", FLAG, "no", &["no"],
        "Tidegate does not write to syslog: use syslog-enabled no, and logfile or standard output")
        .immutable(),
    ignored("syslog-facility", FACILITIES, "local0", PROCESS).immutable(),
    ignored("syslog-ident", TEXT, "redis", PROCESS).immutable(),
    ignored("aof_rewrite_cpulist", TEXT, "", PROCESS).immutable(),
    ignored("bgsave_cpulist", TEXT, "", PROCESS).immutable(),
    ignored("bio_cpulist", TEXT, "", PROCESS).immutable(),
    ignored("server_cpulist", TEXT, "", PROCESS).immutable(),
    ignored("always-show-logo", FLAG, "no", PROCESS).immutable(),
    ignored("bind-source-addr", TEXT, "", PROCESS),
    ignored("crash-log-enabled", FLAG, "yes", PROCESS),
    ignored("crash-memcheck-enabled", FLAG, "yes", PROCESS),
    ignored("disable-thp", FLAG, "yes", PROCESS).immutable(),
    ignored("ignore-warnings", TEXT, "", PROCESS),
    ignored("oom-score-adj", Kind::Choice(&["no", "yes", "relative", "absolute"]), "no", PROCESS),
    ignored("oom-score-adj-values", Kind::OomScores, "0 200 800", PROCESS),
    ignored("proc-title-template", TEXT, "{title} {listen-addr} {server-mode}", PROCESS),
    ignored("set-proc-title", FLAG, "yes", PROCESS).immutable(),
    ignored("shutdown-on-sigint", SHUTDOWN, "default", PROCESS),
    ignored("shutdown-on-sigterm", SHUTDOWN, "default", PROCESS),
    ignored("shutdown-timeout", INT, "10", PROCESS),
    ignored("socket-mark-id", Kind::Number { min: 0, max: u32::MAX as i64 }, "0", PROCESS),
    // Threads and the rate of background work.
    ignored("io-threads", Kind::Number { min: 1, max: 128 }, "1", THREADS).immutable(),
    ignored("io-threads-do-reads", FLAG, "no", THREADS).immutable(),
    ignored("hz", INT, "10", THREADS),
    ignored("dynamic-hz", FLAG, "yes", THREADS),
    ignored("active-expire-effort", Kind::Number { min: 1, max: 10 }, "1", THREADS),
    ignored("activerehashing", FLAG, "yes", THREADS),
    ignored("jemalloc-bg-thread", FLAG, "yes", THREADS),
    ignored("max-new-connections-per-cycle", ACCEPTS, "10", THREADS),
];
