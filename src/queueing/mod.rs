//! Queues under a policy: what happens at a push, a pop, the end of a TTL.
//!
//! List commands use this module only if the key is under a policy; other keys take the usual path.
//! Everything is recorded as plain list commands, so that the append files mean the same to any server. A
//! delivery moves a message from `q` to the list `q:inflight`, and its acknowledgement removes it there. If a
//! consumer waited for the message, it is pushed to that list at once. A delayed message is in `q:delayed`
//! until it is due, also after a delivery that failed; an expired one is popped, a dead letter is pushed.
//!
//! # Why deliveries are recorded as moves
//!
//! A delivery could be no command at all: the message would stay at the head of the recorded queue until its
//! acknowledgement, and a return would be one note. A prototype recorded 174 bytes instead of 250 for a
//! message of 64 bytes that one consumer takes and acknowledges, 174 instead of 194 if the consumer waited
//! for it, and a quarter less with acknowledgements in any order. The number of instructions was the same.
//! But while anything is in flight, each message would have another position in the files than in memory:
//!
//! - A message that expires or is dropped at a limit would be a removal from the middle: 111 bytes instead of
//!   24, and as many steps for a loader as there are messages in flight. A push to the front would be an
//!   insertion. `LREM`, `LTRIM`, `LSET`, `RENAME` and `DEL` would have to be translated.
//! - An acknowledgement would have to count the messages in flight and the returned ones before its own.
//! - After a kill, the deliveries of messages in flight would be forgotten: `delivery-limit` could not stop a
//!   message that ends the broker's machine each time.
//!
//! [`Queues`] has all operations. A queue that was looked up is passed on as a `Slot`.

mod acknowledge;
mod chores;
mod clear;
mod dead_letters;
mod delay;
mod deliver;
mod departures;
mod due;
mod limits;
mod move_messages;
mod overflow;
mod pause;
mod policies;
mod producers;
mod purge;
mod push;
mod queues;
mod record;
mod replay;
mod replay_stream;
mod reserved;
mod return_later;
mod return_messages;

pub(crate) use acknowledge::acknowledge_by_pop;
pub(crate) use chores::do_chores;
pub(crate) use clear::{check_no_queue, has_hidden};
pub(crate) use deliver::{Pop, Taken, pop_many, pop_one};
pub(crate) use limits::PushRules;
pub(crate) use move_messages::Destination;
pub(crate) use producers::{must_wait, refuse_waiting};
pub(crate) use purge::Purged;
pub(crate) use push::{Pushed, Target};
pub(crate) use queues::Queues;
pub(crate) use replay::{remember_replayed_push, replay_note};
pub(crate) use reserved::check_name;
pub(crate) use return_messages::Cause;

pub(crate) use crate::effects::side;
use crate::policy::{DELAYED, IN_FLIGHT};
use crate::queue::End;

/// The list of a queue's delayed messages in the append files.
fn delayed_key(key: &[u8]) -> Vec<u8> {
    [key, DELAYED].concat()
}

/// The list of a queue's messages in flight in the append files.
fn inflight_key(key: &[u8]) -> Vec<u8> {
    [key, IN_FLIGHT].concat()
}

/// The other end.
fn opposite(end: End) -> End {
    match end {
        End::Front => End::Back,
        End::Back => End::Front,
    }
}
