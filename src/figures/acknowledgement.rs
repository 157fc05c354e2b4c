//! Changes that replicas must acknowledge before their replies are sent.

use super::figure::Unit::Count;
use super::figure::{Figure, counter, gauge};

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    gauge("write_ack_pending_turns", "write_ack_pending_turns", Count,
        "Turns of the loop with changes whose replies wait for replicas.",
        |r| r.state.clients.unreplicated_turns().into()),
    counter("write_ack_held_replies", "write_ack_held_replies_total", Count,
        "Replies to changes that were held until replicas acknowledged the change.",
        |r| r.state.stats.write_acks_held.into()),
    counter("write_ack_timed_out_replies", "write_ack_timed_out_replies_total", Count,
        "Those that became an error, since replicas did not acknowledge the change in time.",
        |r| r.state.stats.write_acks_timed_out.into()),
];
