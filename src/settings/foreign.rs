//! Redis' directives without effect here: storage, replication and eviction of data.

use super::row::{Directive, ignored, refused};
use super::value::{Kind, LENGTH_MAX};

const FLAG: Kind = Kind::Flag;
const INT: Kind = Kind::Number { min: 0, max: i32::MAX as i64 };
const INT_FROM_1: Kind = Kind::Number { min: 1, max: i32::MAX as i64 };
const ANY_INT: Kind = Kind::Number { min: i32::MIN as i64, max: i32::MAX as i64 };
const COUNT: Kind = Kind::Number { min: 0, max: i64::MAX };
const PERCENT: Kind = Kind::Number { min: 0, max: 1000 };
const SHARE: Kind = Kind::Number { min: 1, max: 99 };
const LENGTH: Kind = Kind::Memory { min: 0, max: LENGTH_MAX };

const SAVING: &str = "An RDB file is always written this way.";
const CHECKSUM: &str = "An RDB file always has a checksum, which costs a fraction of its writing.";
const SANITIZING: &str = "Payloads and files are always checked.";
const SYNCING: &str = "No file is made for a replica.";
const APPENDING: &str = "Append files always or never work this way.";
const ENCODING: &str = "A value has one encoding, whatever its size.";
const REPLICATION: &str = "There is no replication.";
const EVICTION: &str = "Nothing is evicted, and memory is not defragmented.";

/// Rows about the data.
#[rustfmt::skip]
pub(super) static DATA: &[Directive] = &[
    // Files.
    ignored("aof-disable-auto-gc", FLAG, "no", APPENDING),
    ignored("aof-rewrite-incremental-fsync", FLAG, "yes", APPENDING),
    ignored("aof-timestamp-enabled", FLAG, "no", APPENDING),
    ignored("aof-use-rdb-preamble", FLAG, "yes", APPENDING),
    ignored("no-appendfsync-on-rewrite", FLAG, "no", APPENDING),
    ignored("rdb-del-sync-files", FLAG, "no", SYNCING),
    ignored("rdb-save-incremental-fsync", FLAG, "yes", SAVING),
    ignored("rdbchecksum", FLAG, "yes", CHECKSUM).immutable(),
    ignored("sanitize-dump-payload", Kind::Choice(&["no", "yes", "clients"]), "no", SANITIZING),
    // Encodings of values.
    ignored("hll-sparse-max-bytes", LENGTH, "3000", ENCODING),
    ignored("list-compress-depth", INT, "0", ENCODING),
    ignored("list-max-listpack-size", ANY_INT, "-2", ENCODING).alias("list-max-ziplist-size"),
    ignored("list-max-ziplist-entries", Kind::Words, "", ENCODING).file_only(),
    ignored("list-max-ziplist-value", Kind::Words, "", ENCODING).file_only(),
    ignored("set-max-listpack-entries", COUNT, "128", ENCODING),
    ignored("set-max-listpack-value", COUNT, "64", ENCODING),
    // Memory.
    refused("maxmemory-policy", Kind::Choice(&["volatile-lru", "volatile-lfu", "volatile-random",
        "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"]),
        "noeviction", &["noeviction"],
        "Tidegate never evicts data: use maxmemory-policy noeviction; writes above \
         maxmemory get an error"),
    refused("maxmemory-clients", Kind::MemoryOrPercent, "0", &["0", "0%"],
        "Tidegate has no limit on the memory of all clients together: use 0, and \
         client-output-buffer-limit and client-query-buffer-limit, which limit each client"),
    ignored("maxmemory-eviction-tenacity", Kind::Number { min: 0, max: 100 }, "10", EVICTION),
    ignored("maxmemory-samples", INT_FROM_1, "5", EVICTION),
    ignored("lfu-decay-time", INT, "1", EVICTION),
    ignored("lfu-log-factor", INT, "10", EVICTION),
    ignored("activedefrag", FLAG, "no", EVICTION),
    ignored("active-defrag-cycle-max", SHARE, "25", EVICTION),
    ignored("active-defrag-cycle-min", SHARE, "1", EVICTION),
    ignored("active-defrag-ignore-bytes", Kind::Memory { min: 1, max: LENGTH_MAX }, "100mb", EVICTION),
    ignored("active-defrag-max-scan-fields", Kind::Number { min: 1, max: i64::MAX }, "1000", EVICTION),
    ignored("active-defrag-threshold-lower", PERCENT, "10", EVICTION),
    ignored("active-defrag-threshold-upper", PERCENT, "100", EVICTION),
    ignored("lazyfree-lazy-eviction", FLAG, "no", EVICTION),
    ignored("lazyfree-lazy-expire", FLAG, "no", EVICTION),
    ignored("lazyfree-lazy-server-del", FLAG, "no", EVICTION),
    ignored("lazyfree-lazy-user-del", FLAG, "no", EVICTION),
    ignored("lazyfree-lazy-user-flush", FLAG, "no", EVICTION),
    // Replication.
    refused("replica-read-only", Kind::Flag, "yes", &["yes"],
        "Tidegate replicas are read-only, since changes of their own would be lost or contradict the primary: use \
         replica-read-only yes, and write to the primary").alias("slave-read-only"),
    ignored("repl-disable-tcp-nodelay", FLAG, "no", REPLICATION),
    ignored("repl-diskless-load", Kind::Choice(&["disabled", "on-empty-db", "swapdb"]), "disabled", REPLICATION),
    ignored("repl-diskless-sync", FLAG, "yes", REPLICATION),
    ignored("repl-diskless-sync-max-replicas", INT, "0", REPLICATION),
    ignored("replica-ignore-disk-write-errors", FLAG, "no", REPLICATION),
    ignored("replica-ignore-maxmemory", FLAG, "yes", REPLICATION).alias("slave-ignore-maxmemory"),
    ignored("replica-lazy-flush", FLAG, "no", REPLICATION).alias("slave-lazy-flush"),
];
