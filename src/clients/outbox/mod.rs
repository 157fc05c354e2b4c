//! A client's pending output, and how much of it may be sent. The only place that computes offsets in
//! it:
//!
//! - the bytes and the shared messages, in their order;
//! - the *lanes*, which count messages under a policy until they are sent or dropped;
//! - the *hold*: replies are sent in order, so output after the first reply that must wait for a sync
//!   waits as well;
//! - the end of the last reply: until that is sent, the client cannot have seen all replies.
//!
//! While requests of the client run, the output is lent, and replies are written directly into it. What
//! others write to the client meanwhile is kept here, and appended afterwards. Until the output is
//! returned, nothing is sent, held or released. Messages may be dropped: those in the lent output are
//! removed when it is next seen.

mod hold;
mod lanes;
#[cfg(test)]
mod tests;

use crate::resp::{Output, Protocol};
use bytes::Bytes;
use hold::Hold;
use lanes::{Lanes, Place};
use std::io::IoSlice;

/// A client's pending output, and how much of it may be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The output; while it is lent, what will be appended to it.
    output: Output,
    /// `None` for most clients.
    lanes: Option<Box<Lanes>>,
    /// `None` if nothing is held.
    hold: Option<Box<Hold>>,
    /// Bytes up to the end of the last reply.
    unanswered: usize,
    is_lent: bool,
    /// Whether a reply reports a change about whose durability the journal has not decided.
    has_new_change: bool,
}

impl Outbox {
    /// The protocol of the replies.
    pub fn protocol(&self) -> Protocol {
        self.output.protocol()
    }

    /// Changes the protocol of later replies.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.output.set_protocol(protocol);
    }

    /// Bytes of pending output.
    #[inline]
    pub fn len(&self) -> usize {
        self.output.len()
    }

    /// Whether there is no pending output.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.output.is_empty()
    }

    /// The number of shared messages and full buffers.
    pub fn shared_count(&self) -> usize {
        self.output.shared_count()
    }

    /// Memory in bytes; a shared message counts in full for each client.
    pub fn memory_bytes(&self) -> usize {
        self.output.memory_bytes()
    }

    /// Allocated bytes of the buffer.
    pub fn capacity(&self) -> usize {
        self.output.capacity()
    }

    /// How many bytes may be sent.
    ///
    /// # Panics
    /// If a reply reports a change about whose durability nothing was decided yet.
    pub fn sendable(&self) -> usize {
        assert!(!self.has_new_change, "a reply would be sent before its change is recorded");
        self.hold.as_ref().map_or(self.output.len(), |hold| hold.sendable())
    }

    /// The first `bytes_max` bytes as slices for one gathered write; returns how many slices were
    /// filled.
    pub fn io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>], bytes_max: usize) -> usize {
        self.output.io_slices(slices, bytes_max)
    }

    /// All pending output, for the sender: send at most [`sendable`](Outbox::sendable) bytes.
    pub fn owed(&self) -> &Output {
        &self.output
    }

    /// All pending output as one slice, if it has no shared message: the usual case.
    pub fn contiguous(&self) -> Option<&[u8]> {
        self.output.contiguous()
    }

    /// The first `count` bytes were sent.
    ///
    /// # Panics
    /// If they were not [`sendable`](Outbox::sendable).
    #[inline(always)]
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.sendable(), "more was sent than may be");
        debug_assert!(!self.is_lent, "what is sent is lent out");
        let taken = self.output.advance(count);
        self.unanswered = self.unanswered.saturating_sub(count);
        if let Some(hold) = &mut self.hold {
            hold.advance(count);
        }
        if self.output.is_empty() {
            self.lanes = None;
        } else if let Some(lanes) = &mut self.lanes {
            lanes.advance(taken.places, taken.is_partial);
            self.tidy();
        }
    }

    /// Takes all pending output, whether it may be sent or not: for drivers of the broker without
    /// sockets.
    pub fn take_all(&mut self) -> Vec<u8> {
        debug_assert!(!self.is_lent, "what is taken is lent out");
        self.unanswered = 0;
        self.lanes = None;
        if let Some(hold) = &mut self.hold {
            hold.forget_all();
        }
        self.output.take_all()
    }

    /// Panics if the parts disagree between two requests: for tests and simulations.
    pub fn check_invariants(&self) {
        assert!(!self.is_lent, "it was not returned");
        self.output.check_invariants();
        assert!(!self.output.is_sparse(), "more than half of the places are gaps");
        assert!(self.unanswered <= self.output.len());
        if let Some(lanes) = &self.lanes {
            assert!(lanes.places().all(|place| self.output.has_message(place)));
        }
        if let Some(hold) = &self.hold {
            assert!(!hold.is_over(), "held for ever");
            assert!(hold.covered() <= self.output.len());
        }
    }
}

// Adding output.
impl Outbox {
    /// Whether there is no buffer yet, so that a spare one can be used.
    pub(super) fn is_unallocated(&self) -> bool {
        self.output.is_unallocated()
    }

    /// Gives an empty buffer to an outbox without one, to save an allocation.
    pub(super) fn adopt(&mut self, buffer: Vec<u8>) {
        self.output.adopt(buffer);
    }

    /// Takes the buffer back when there is no pending output.
    pub(super) fn release(&mut self) -> Option<Vec<u8>> {
        if self.output.is_empty() {
            self.lanes = None;
        }
        self.output.release()
    }

    /// Adds output.
    #[inline]
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Output)) {
        let owed = self.output.len();
        write(&mut self.output);
        debug_assert!(self.output.len() >= owed, "what is owed was taken back");
    }

    /// The output now ends with a reply.
    #[inline]
    pub(super) fn end_answer(&mut self) {
        self.unanswered = self.output.len();
    }

    /// Whether all replies have been sent.
    #[inline]
    pub(super) fn is_answered(&self) -> bool {
        self.unanswered == 0
    }

    /// Lends the output, for the replies to requests. End it with `take_back`.
    #[inline]
    pub(super) fn lend(&mut self) -> Output {
        debug_assert!(!self.is_lent, "it is lent out already");
        self.is_lent = true;
        let behind = Output::new(self.output.protocol());
        std::mem::replace(&mut self.output, behind)
    }

    /// Appends the output added meanwhile to the lent output. Does nothing for any other output, such as
    /// a separately built reply.
    pub(super) fn collect(&mut self, lent: &mut Output) {
        if !self.is_lent {
            return;
        }
        self.take_dropped(lent);
        if self.output.is_empty() {
            return;
        }
        let place = lent.next_place();
        lent.append(&mut self.output);
        if let Some(lanes) = &mut self.lanes {
            lanes.collect(place);
            if lent.is_sparse() {
                lanes.close_gaps(&lent.close_gaps());
            }
        }
    }

    /// Ends `lend`; `is_answered`: a reply was written. The returned output is empty, but may have a
    /// buffer.
    #[inline]
    pub(super) fn take_back(&mut self, mut lent: Output, is_answered: bool) -> Output {
        debug_assert!(self.is_lent, "it is not lent out");
        self.take_dropped(&mut lent);
        if is_answered {
            self.unanswered = lent.len();
        }
        if !self.output.is_empty() {
            self.collect(&mut lent);
        }
        self.is_lent = false;
        let behind = std::mem::replace(&mut self.output, lent);
        debug_assert!(behind.is_empty());
        self.tidy();
        let owed = self.output.len();
        debug_assert!(self.unanswered <= owed, "an answer was taken back");
        if let Some(hold) = &self.hold {
            assert!(hold.covered() <= owed, "what is held was taken back");
        }
        behind
    }
}

// Messages in lanes are counted, and dropped.
impl Outbox {
    /// Adds a message that counts in a lane until it is sent or dropped.
    pub(super) fn write_in(&mut self, lane: u64, message: Bytes) {
        if message.is_empty() {
            return;
        }
        let at = self.output.share_in_place(message);
        let place = if self.is_lent { Place::Behind(at) } else { Place::InOutput(at) };
        self.lanes.get_or_insert_default().add(lane, place);
    }

    /// How many messages of a lane have not been sent completely.
    pub(super) fn waiting_in(&mut self, lane: u64) -> usize {
        self.lanes.as_mut().map_or(0, |lanes| lanes.waiting(lane))
    }

    /// Drops the `count` oldest messages of a lane; returns how many were dropped. A partly sent message
    /// must stay, so it may be one less.
    pub(super) fn drop_oldest(&mut self, lane: u64, count: u64) -> u64 {
        let Some(lanes) = &mut self.lanes else { return 0 };
        let mut dropped = 0;
        while dropped < count
            && let Some(place) = lanes.take_oldest(lane)
        {
            match place {
                Place::InOutput(at) if self.is_lent => lanes.drop_later(at),
                Place::InOutput(at) => {
                    let answered = (&mut self.hold, &mut self.unanswered);
                    take_out(&mut self.output, at, answered);
                }
                // Output added while the other part is lent contains no reply, and nothing of it is
                // held.
                Place::Behind(at) => drop(self.output.take_out(at)),
            }
            dropped += 1;
        }
        self.tidy();
        dropped
    }

    /// Removes messages from the lent output that were dropped meanwhile.
    #[inline]
    fn take_dropped(&mut self, lent: &mut Output) {
        let Some(lanes) = &mut self.lanes else { return };
        for at in lanes.take_dropped() {
            take_out(lent, at, (&mut self.hold, &mut self.unanswered));
        }
    }

    /// Limits the number of gaps left by dropped messages.
    fn tidy(&mut self) {
        if self.output.is_sparse()
            && let Some(lanes) = &mut self.lanes
        {
            let gaps = self.output.close_gaps();
            if self.is_lent { lanes.close_gaps_behind(&gaps) } else { lanes.close_gaps(&gaps) }
        }
    }
}

/// Removes the message at a place from output of which parts may be held and unanswered.
fn take_out(
    output: &mut Output,
    place: usize,
    (hold, unanswered): (&mut Option<Box<Hold>>, &mut usize),
) {
    // Finding the offset costs as much as there is before it.
    let is_counted = hold.is_some() || *unanswered > 0;
    let at = is_counted.then(|| output.offset_of(place));
    let bytes = output.take_out(place).len();
    let Some(at) = at else { return };
    if let Some(hold) = hold {
        hold.forget(at, bytes);
    }
    if at < *unanswered {
        debug_assert!(at + bytes <= *unanswered, "an answer ends within a message");
        *unanswered -= bytes;
    }
}

// Replies about changes wait until these are durable.
impl Outbox {
    /// A reply will report a change; true if it is the first since the journal last decided about
    /// durability.
    #[inline]
    pub(super) fn mark_change(&mut self) -> bool {
        !std::mem::replace(&mut self.has_new_change, true)
    }

    /// Whether `mark_change` was called since.
    pub(super) fn has_new_change(&self) -> bool {
        self.has_new_change
    }

    /// The change is durable enough.
    pub(super) fn release_change(&mut self) {
        self.has_new_change = false;
    }

    /// The change is not durable: all pending and later output waits for a sync that has not begun. True
    /// if it did not wait for one before.
    pub(super) fn hold_change(&mut self) -> bool {
        debug_assert!(!self.is_lent && self.has_new_change);
        self.has_new_change = false;
        self.hold.get_or_insert_default().wait()
    }

    /// A sync begins that covers all pending output.
    pub(super) fn begin_sync(&mut self, sync: u64) {
        debug_assert!(!self.is_lent);
        if let Some(hold) = &mut self.hold {
            hold.begin_sync(sync, self.output.len());
        }
    }

    /// A sync has succeeded: what it covers may be sent, including what earlier syncs cover.
    pub(super) fn finish_sync(&mut self, sync: u64) {
        debug_assert!(!self.is_lent);
        let Some(hold) = &mut self.hold else { return };
        hold.finish_sync(sync);
        if hold.is_over() {
            // Output added meanwhile came after all waiting changes.
            assert!(hold.sendable() <= self.output.len(), "the sync covers more than the output");
            self.hold = None;
        }
    }

    /// The syncs in progress have become useless: what they cover waits for one that has not begun. True
    /// if it did not wait for one before.
    pub(super) fn fail_syncs(&mut self) -> bool {
        self.hold.as_mut().is_some_and(|hold| hold.fail_syncs())
    }

    /// Whether anything waits for a sync that has not begun.
    pub(super) fn waits(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.waits())
    }

    /// The syncs in progress that anything waits for.
    pub(super) fn syncs(&self) -> impl Iterator<Item = u64> {
        self.hold.iter().flat_map(|hold| hold.syncs())
    }
}
