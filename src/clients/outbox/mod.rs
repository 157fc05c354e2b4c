//! A client's pending output, and how much of it may be sent. The only place that computes offsets in
//! it:
//!
//! - the bytes and the shared messages, in their order;
//! - the *lanes*, which count messages under a policy until they are sent or dropped;
//! - the *hold*: replies are sent in order, so output after the first reply that must wait for a commit
//!   waits as well;
//! - the *reports*: replies about changes that replicas must acknowledge, and that are replaced if they do not;
//! - the end of the last reply: until that is sent, the client cannot have seen all replies.
//!
//! While requests of the client run, the output is lent, and replies are written directly into it. What
//! others write to the client meanwhile is kept here, and appended afterwards. Until the output is
//! returned, nothing is sent, held or released. Messages may be dropped: those in the lent output are
//! removed when it is next seen.

mod hold;
mod lanes;
mod reports;
#[cfg(test)]
mod tests;

use crate::resp::{Output, OutputMark, Protocol};
use bytes::Bytes;
use hold::Hold;
use lanes::{Lanes, Place};
use reports::Reports;
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
    /// `None` if there are none.
    reports: Option<Box<Reports>>,
    /// Bytes up to the end of the last reply.
    unanswered: usize,
    is_lent: bool,
    /// Whether a reply reports a change about whose durability the journal has not decided.
    has_new_change: bool,
    /// How many replicas must have the changes about which nothing is decided yet.
    replicas_needed: u8,
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
        if let Some(reports) = &mut self.reports {
            reports.advance(count);
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
        self.forget();
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
            assert!(self.has_new_change || !hold.is_over(), "held for ever");
            assert!(hold.covered() <= self.output.len());
        }
        if let Some(reports) = &self.reports {
            assert!(!reports.is_empty());
            assert!(self.has_new_change || self.hold.is_some(), "nothing is waited for");
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

    /// The client is sent nothing more: its output was dropped.
    pub(super) fn forget(&mut self) {
        self.unanswered = 0;
        self.lanes = None;
        self.reports = None;
        if let Some(hold) = &mut self.hold {
            hold.forget_all();
        }
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
        if let Some(reports) = &mut self.reports {
            reports.collect(lent.len());
        }
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
                    let counts = (&mut self.hold, &mut self.reports, &mut self.unanswered);
                    take_out(&mut self.output, at, counts);
                }
                // Nothing of what was added while the other part is lent is held.
                Place::Behind(at) => {
                    let offset = self.output.offset_of(at);
                    let bytes = self.output.take_out(at).len();
                    if let Some(reports) = &mut self.reports {
                        reports.forget_behind(offset, bytes);
                    }
                }
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
            take_out(lent, at, (&mut self.hold, &mut self.reports, &mut self.unanswered));
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

/// What counts bytes from the front of the output: what is held, replies that report changes, the last reply.
type Counts<'a> = (&'a mut Option<Box<Hold>>, &'a mut Option<Box<Reports>>, &'a mut usize);

/// Removes the message at a place from output of which parts may be held and unanswered.
fn take_out(output: &mut Output, place: usize, (hold, reports, unanswered): Counts<'_>) {
    // Finding the offset costs as much as there is before it.
    let is_counted = hold.is_some() || reports.is_some() || *unanswered > 0;
    let at = is_counted.then(|| output.offset_of(place));
    let bytes = output.take_out(place).len();
    let Some(at) = at else { return };
    if let Some(hold) = hold {
        hold.forget(at, bytes);
    }
    if let Some(reports) = reports {
        reports.forget(at, bytes);
    }
    if at < *unanswered {
        debug_assert!(at + bytes <= *unanswered, "an answer ends within a message");
        *unanswered -= bytes;
    }
}

// Replies about changes wait until these are durable, and replicated.
impl Outbox {
    /// A reply will report a change that this many replicas must have; true if it is the first since its
    /// durability was last decided about.
    #[inline]
    pub(super) fn mark_change(&mut self, replicas: u8) -> bool {
        self.replicas_needed = self.replicas_needed.max(replicas);
        !std::mem::replace(&mut self.has_new_change, true)
    }

    /// Whether `mark_change` was called since.
    pub(crate) fn has_new_change(&self) -> bool {
        self.has_new_change
    }

    /// The reply from a mark in the lent output on reports a change that replicas must have. Returns whether
    /// there is one.
    pub(super) fn report(&mut self, lent: &Output, mark: OutputMark) -> bool {
        debug_assert!(self.is_lent, "a reply is written into lent output");
        let reply = lent.offset_of_mark(mark)..lent.len();
        let is_there = !reply.is_empty();
        if is_there {
            self.reports.get_or_insert_default().add(reply);
        }
        is_there
    }

    /// The same for a reply that begins at this offset of the output itself.
    pub(super) fn report_from(&mut self, start: usize) {
        let reply = start..self.output.len();
        if reply.is_empty() {
            return;
        }
        let reports = self.reports.get_or_insert_default();
        if self.is_lent { reports.add_behind(reply) } else { reports.add(reply) }
    }

    /// The changes are to be decided about: returns how many replicas must have them.
    #[inline]
    pub(super) fn take_change(&mut self) -> u8 {
        debug_assert!(!self.is_lent && self.has_new_change);
        self.has_new_change = false;
        std::mem::take(&mut self.replicas_needed)
    }

    /// The changes wait for nothing.
    #[inline]
    pub(super) fn release_change(&mut self) {
        self.hold.take_if(|hold| hold.is_over());
    }

    /// All pending output waits for a commit, which may have begun before; false if it has.
    pub(super) fn hold(&mut self, commit: u64) -> bool {
        debug_assert!(!self.is_lent);
        self.hold.get_or_insert_default().wait(commit, self.output.len())
    }

    /// A commit has finished: what it covers may be sent as soon as what is before it may.
    pub(super) fn finish(&mut self, commit: u64) {
        debug_assert!(!self.is_lent);
        let Some(hold) = &mut self.hold else { return };
        hold.finish(commit);
        if let Some(reports) = &mut self.reports {
            reports.forget_until(hold.sendable());
        }
        // A new change holds only what follows those that have finished.
        if hold.is_over() && !self.has_new_change {
            // Output added meanwhile came after all waiting changes.
            assert!(hold.sendable() <= self.output.len(), "it covers more than the output");
            self.hold = None;
        }
        self.reports.take_if(|reports| reports.is_empty());
    }

    /// Replaces each reply that reports a change in the part of a commit by this error. Returns how many it
    /// replaced.
    pub(super) fn fail(&mut self, commit: u64, error: &[u8]) -> usize {
        debug_assert!(!self.is_lent);
        let (Some(hold), Some(reports)) = (&mut self.hold, &mut self.reports) else { return 0 };
        let Some(part) = hold.range_of(commit) else { return 0 };
        let replies = reports.take(part.clone(), error.len());
        // The length of the output up to an offset, after some replies before it were replaced.
        let resized = |bytes: usize| {
            let before = replies.iter().take_while(|reply| reply.end <= bytes);
            before.fold(bytes, |bytes, reply| bytes + error.len() - reply.len())
        };
        hold.resize(commit, resized(part.end) - part.start);
        self.unanswered = resized(self.unanswered);
        self.output.replace(&replies, error);
        self.reports.take_if(|reports| reports.is_empty());
        replies.len()
    }

    /// The pending commits that anything waits for.
    pub(super) fn commits(&self) -> impl Iterator<Item = u64> {
        self.hold.iter().flat_map(|hold| hold.commits())
    }
}
