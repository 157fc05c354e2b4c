//! The rows about acknowledgements of replicas, each limit with its reason.

use super::field::field;
use super::row::{Directive, used};
use super::value::Kind;
use crate::policy::WRITE_ACK_REPLICAS_MAX;

const INT: Kind = Kind::Number { min: 0, max: i32::MAX as i64 };

/// The rows, in the order of the documentation.
#[rustfmt::skip]
pub(super) static ACKNOWLEDGEMENT: &[Directive] = &[
    used("write-ack-replicas", Kind::Number { min: 0, max: WRITE_ACK_REPLICAS_MAX as i64 }, "0",
        field!(acknowledgement.replicas),
        "How many replicas must have a change before its reply is sent; 0 for none. It may be set for some queues \
         only, as an option of their policy. At most 16, since each makes a change slower, and its failure \
         likelier. With fewer replicas every change is made and then times out: `min-replicas-to-write` refuses \
         it before. See docs/replication.md."),
    used("write-ack-timeout-ms", Kind::Number { min: 1, max: 3_600_000 }, "1000", field!(acknowledgement.timeout_ms),
        "Milliseconds that such a reply waits for replicas. Then it is replaced by `-NOREPLICAS`: the change stands \
         here and may be lost. A replica acknowledges within a round trip, and client libraries give up after \
         some seconds, so that an error after one second still reaches them. At most an hour."),
    used("min-replicas-to-write", INT, "0", field!(acknowledgement.replicas_min),
        "Commands that change data are refused with `-NOREPLICAS` while fewer replicas than this are connected and \
         have acknowledged within `min-replicas-max-lag`; 0 for never.").alias("min-slaves-to-write"),
    used("min-replicas-max-lag", INT, "10", field!(acknowledgement.lag_max_s),
        "Seconds within which such a replica has acknowledged; they do so every second. 0 switches \
         `min-replicas-to-write` off, as in Redis.").alias("min-slaves-max-lag"),
];
