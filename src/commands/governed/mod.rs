//! Queues under a policy: what becomes of a push, a pop, a message that waited too long.
//!
//! The list commands come here where a key is governed, and nowhere else: a key without a policy takes
//! its usual way. What happens here is stated as plain list commands, so that the append files mean
//! the same to any server: a message that is delivered moves from `q` to the list `q:inflight`, from
//! which an acknowledgement removes it; one that is delayed is in `q:delayed` until then; a message
//! that expires is popped; a dead letter is pushed.

mod acknowledge;
mod chores;
mod clear;
mod delay;
mod deliver;
mod departures;
mod due;
mod give_back;
mod limits;
mod policies;
mod push;
mod record;
mod replay;
mod reserved;
mod room;

pub(super) use acknowledge::{acknowledge, acknowledge_by_pop};
pub use chores::do_chores;
pub(super) use clear::{check_no_queue, clear_hidden, has_hidden};
pub(super) use deliver::{Pop, pop, pop_with_key};
pub(super) use departures::finish_push;
pub(super) use give_back::{give_back, give_back_held};
pub(super) use limits::PushRules;
pub(super) use policies::{configure_policies, delete_policy, set_policy};
pub(super) use push::{Place, push};
pub(super) use record::{note_ready, note_stamped};
pub use replay::end_replay;
pub(super) use replay::{remember_push, replay, replay_note};
pub(super) use reserved::check_name;
pub(super) use room::{must_wait, no_room_error, serve_producers, wait_for_room};

use crate::policy::{DELAYED, IN_FLIGHT};
use crate::queue::End;

/// The list of the append files in which a queue's messages are while they are delayed.
fn delayed_key(key: &[u8]) -> Vec<u8> {
    [key, DELAYED].concat()
}

/// The list of the append files in which a queue's messages are while they are in flight.
fn inflight_key(key: &[u8]) -> Vec<u8> {
    [key, IN_FLIGHT].concat()
}

/// An end of a list, as LMOVE has it.
pub(super) fn side(end: End) -> &'static [u8] {
    match end {
        End::Front => b"LEFT",
        End::Back => b"RIGHT",
    }
}

/// The other end.
fn opposite(end: End) -> End {
    match end {
        End::Front => End::Back,
        End::Back => End::Front,
    }
}
