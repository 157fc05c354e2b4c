//! How much of the output may be sent, and which commits the rest waits for.
//!
//! A *commit* is the end of a turn in which the client changed something. Several may be pending, and each
//! covers all output before it. So the output has a part that may be sent, a part for each pending commit, and a
//! rest behind the last one, which waits only because replies are sent in order.

use std::collections::VecDeque;
use std::ops::Range;

/// The parts of the output, from its front.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Bytes that may be sent.
    sendable: usize,
    /// The parts after those; the numbers of their commits increase.
    parts: VecDeque<Part>,
    /// Bytes of all parts.
    held: usize,
}

/// A part of the output.
#[derive(Debug)]
struct Part {
    commit: u64,
    bytes: usize,
    /// Whether only earlier parts are waited for: commits need not finish in order.
    is_finished: bool,
}

impl Hold {
    /// Bytes that may be sent.
    pub(super) fn sendable(&self) -> usize {
        self.sendable
    }

    /// Bytes that may be sent or that a pending commit covers.
    pub(super) fn covered(&self) -> usize {
        self.sendable + self.held
    }

    /// The pending commits that anything waits for.
    pub(super) fn commits(&self) -> impl Iterator<Item = u64> {
        self.parts.iter().filter(|part| !part.is_finished).map(|part| part.commit)
    }

    /// Whether nothing waits any more.
    pub(super) fn is_over(&self) -> bool {
        self.parts.is_empty()
    }

    /// All of the `owed` bytes wait for a commit, which may have begun before; false if it has.
    pub(super) fn wait(&mut self, commit: u64, owed: usize) -> bool {
        assert!(self.covered() <= owed, "held output was sent");
        let bytes = owed - self.covered();
        self.held += bytes;
        if let Some(last) = self.parts.back_mut().filter(|last| last.commit == commit) {
            debug_assert!(!last.is_finished, "it has finished");
            last.bytes += bytes;
            return false;
        }
        debug_assert!(self.parts.back().is_none_or(|last| last.commit < commit), "they increase");
        self.parts.push_back(Part { commit, bytes, is_finished: false });
        true
    }

    /// The bytes of the output that this commit and none before covers.
    pub(super) fn range_of(&self, commit: u64) -> Option<Range<usize>> {
        let at = self.place_of(commit)?;
        let start = self.sendable + self.parts.range(..at).map(|part| part.bytes).sum::<usize>();
        Some(start..start + self.parts[at].bytes)
    }

    fn place_of(&self, commit: u64) -> Option<usize> {
        self.parts.binary_search_by_key(&commit, |part| part.commit).ok()
    }

    /// The part of a commit has another length now.
    pub(super) fn resize(&mut self, commit: u64, bytes: usize) {
        let Some(at) = self.place_of(commit) else { return };
        let before = std::mem::replace(&mut self.parts[at].bytes, bytes);
        self.held = self.held - before + bytes;
    }

    /// A commit has finished: what it covers may be sent as soon as what is before it may.
    pub(super) fn finish(&mut self, commit: u64) {
        let Some(at) = self.place_of(commit) else { return };
        self.parts[at].is_finished = true;
        while let Some(part) = self.parts.front().filter(|part| part.is_finished) {
            self.sendable += part.bytes;
            self.held -= part.bytes;
            self.parts.pop_front();
        }
    }

    /// `bytes` of the sendable ones were sent.
    pub(super) fn advance(&mut self, bytes: usize) {
        assert!(bytes <= self.sendable, "held output was sent");
        self.sendable -= bytes;
    }

    /// `bytes` at offset `at` were dropped. They were added in one piece, so they are within one part.
    pub(super) fn forget(&mut self, mut at: usize, bytes: usize) {
        if at < self.sendable {
            assert!(at + bytes <= self.sendable, "a message is in two parts of what is held");
            self.sendable -= bytes;
            return;
        }
        at -= self.sendable;
        for part in &mut self.parts {
            if at < part.bytes {
                assert!(at + bytes <= part.bytes, "a message is in two parts of what is held");
                part.bytes -= bytes;
                self.held -= bytes;
                return;
            }
            at -= part.bytes;
        }
    }

    /// Nothing is pending any more.
    pub(super) fn forget_all(&mut self) {
        (self.sendable, self.held) = (0, 0);
        self.parts.iter_mut().for_each(|part| part.bytes = 0);
    }
}
