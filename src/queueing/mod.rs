//! Queues under a policy: what becomes of a push, a pop, a message that waited too long.
//!
//! The list commands come here where a key is under a policy, and nowhere else: a key without one takes
//! its usual way. What happens here is stated as plain list commands, so that the append files mean
//! the same to any server: a message that is delivered moves from `q` to the list `q:inflight`, from
//! which an acknowledgement removes it; if a consumer waited for it, it is pushed there at once. One that is
//! delayed is in `q:delayed` until then; a message that expires is popped; a dead letter is pushed.
//!
//! # Why deliveries are recorded as moves
//!
//! A delivery could be no command at all: the message would stay at the head of the recorded queue until its
//! acknowledgement, and a return would be one note. A prototype recorded 174 bytes instead of 250 for a
//! message of 64 bytes that one consumer takes and acknowledges, 174 instead of 194 if the consumer waited for
//! it, a quarter less where acknowledgements come in any order; with as many instructions. But as long as
//! anything is in flight, each message would have another place in the files than in memory:
//!
//! - A message that expires or makes room would be a removal from the middle (111 bytes instead of 24, and as
//!   many steps for a loader as messages are in flight), a push to the front an insertion. `LREM`, `LTRIM`,
//!   `LSET`, `RENAME` and `DEL` of what clients see would have to be written in other words.
//! - An acknowledgement would have to count the messages in flight and those that came back before its own.
//! - A kill would forget that messages in flight were delivered: `delivery-limit` could not stop one that ends
//!   the broker's machine each time.
//!
//! All of it is done by [`Queues`]. A queue that was found is handed on as a `Slot`.

mod acknowledge;
mod chores;
mod clear;
mod dead_letters;
mod delay;
mod deliver;
mod departures;
mod due;
mod give_back;
mod limits;
mod overflow;
mod policies;
mod producers;
mod push;
mod queues;
mod record;
mod replay;
mod reserved;

pub(crate) use acknowledge::acknowledge_by_pop;
pub(crate) use chores::do_chores;
pub(crate) use clear::{check_no_queue, has_hidden};
pub(crate) use deliver::{Pop, Taken, pop_many};
pub(crate) use limits::PushRules;
pub(crate) use producers::{must_wait, refuse_waiting};
pub(crate) use push::Place;
pub(crate) use queues::Queues;
pub(crate) use replay::{remember_push, replay_note};
pub(crate) use reserved::check_name;

pub(crate) use crate::effects::side;
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

/// The other end.
fn opposite(end: End) -> End {
    match end {
        End::Front => End::Back,
        End::Back => End::Front,
    }
}
