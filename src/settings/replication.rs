//! The rows about replication, each limit with its reason.

use super::field::field;
use super::row::{Directive, used};
use super::value::{Kind, LENGTH_MAX};

const COUNT: Kind = Kind::Number { min: 0, max: i64::MAX };
const SECONDS: Kind = Kind::Number { min: 1, max: i32::MAX as i64 };
const PORT: Kind = Kind::Number { min: 0, max: 65_535 };
const ACCESS: Kind = Kind::Choice(&["no", "yes", "local"]);

/// The rows about replication, in the order of the documentation.
#[rustfmt::skip]
pub(super) static REPLICATION: &[Directive] = &[
    used("replicaof", Kind::Primary, "", field!(replication.primary),
        "Host and port of the primary whose replica this server is; `no one` for a primary. REPLICAOF changes it. \
         See docs/replication.md.").alias("slaveof").immutable(),
    used("masterauth", Kind::Text, "", field!(replication.password),
        "Password for the primary; empty for none.").secret(),
    used("masteruser", Kind::Text, "", field!(replication.user),
        "User for the primary; empty for the default user.").secret(),
    used("allow-replicaof-command", ACCESS, "yes", field!(replication.enable_command),
        "Who may use REPLICAOF, which replaces all data by that of another server: nobody, clients of this machine, \
         or all whose user may. Sentinel needs it, from its own machine.").immutable(),
    used("replica-serve-stale-data", Kind::Flag, "yes", field!(replication.serves_stale),
        "Whether a replica without its primary answers reads, with what it last knew; otherwise with \
         `-MASTERDOWN`.").alias("slave-serve-stale-data"),
    used("replica-priority", Kind::Number { min: 0, max: i32::MAX as i64 }, "100", field!(replication.priority),
        "Sentinel promotes the replica with the lowest number; with 0 never.").alias("slave-priority"),
    used("replica-announced", Kind::Flag, "yes", field!(replication.is_announced),
        "Whether Sentinel tells clients of this replica."),
    used("replica-announce-ip", Kind::Text, "", field!(replication.announce_ip),
        "Address that a replica tells its primary, for Sentinel and INFO; empty for the one that it connects from.")
        .alias("slave-announce-ip"),
    used("replica-announce-port", PORT, "0", field!(replication.announce_port),
        "Port that a replica tells its primary; 0 for the one that it listens on.").alias("slave-announce-port"),
    used("repl-backlog-size", Kind::Memory { min: 64 << 10, max: LENGTH_MAX }, "16mb", field!(replication.backlog_bytes),
        "Bytes of the stream kept for replicas that come back: a replica that has missed no more needs no full \
         sync. At ten thousand small messages a second 16mb are half a minute; Redis' 1mb are two seconds. A \
         replica that is still connected finds its bytes even further back, up to its limit of output."),
    used("repl-backlog-ttl", COUNT, "3600", field!(replication.backlog_ttl_s),
        "Seconds after which a primary that no replica has come back to drops the backlog; 0 for never."),
    used("repl-timeout", SECONDS, "60", field!(replication.timeout_s),
        "Seconds of silence after which a link is given up, by either side. It must be above \
         `repl-ping-replica-period`."),
    used("repl-ping-replica-period", SECONDS, "10", field!(replication.ping_period_s),
        "Seconds between signs of life in an idle stream.").alias("repl-ping-slave-period"),
    used("repl-diskless-sync-delay", Kind::Number { min: 0, max: 3600 }, "1", field!(replication.sync_delay_s),
        "Seconds that a full sync waits for further replicas, which then share one snapshot. A snapshot costs no \
         fork, so that a short time is enough."),
    used("replica-safe-restart", Kind::Flag, "yes", field!(replication.is_restart_safe),
        "Whether a primary that started without data refuses replicas that have data of another one: they would \
         lose it. After a restart without append files, promote a replica, or set this to `no`."),
    used("replica-transaction-limit", Kind::Memory { min: 64 << 10, max: LENGTH_MAX }, "1gb",
        field!(replication.transaction_bytes_max),
        "Bytes of one transaction of the primary that a replica keeps until its EXEC has come. With a larger one it          stops following, as at a command that it does not know."),
];
