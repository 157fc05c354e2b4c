//! How much of the output may be sent, and which sync the rest waits for.
//!
//! Several syncs may be in progress, and each covers everything written before it began. So the output
//! has a part that may be sent, a part for each sync in progress, and a rest that waits for a sync that
//! has not begun.

use std::collections::VecDeque;

/// The parts of the output, from its front.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Bytes that may be sent.
    sendable: usize,
    /// Bytes after those, by the number of the sync that covers them; it increases.
    in_sync: VecDeque<(u64, usize)>,
    /// Whether there is a rest, which waits for a sync that has not begun.
    waits: bool,
}

impl Hold {
    /// Bytes that may be sent.
    pub(super) fn sendable(&self) -> usize {
        self.sendable
    }

    /// Bytes that may be sent or that a sync in progress covers.
    pub(super) fn covered(&self) -> usize {
        self.sendable + self.in_sync.iter().map(|(_, bytes)| bytes).sum::<usize>()
    }

    /// Whether anything waits for a sync that has not begun.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// The syncs in progress that anything waits for.
    pub(super) fn syncs(&self) -> impl Iterator<Item = u64> {
        self.in_sync.iter().map(|(sync, _)| *sync)
    }

    /// Whether nothing waits any more.
    pub(super) fn is_over(&self) -> bool {
        self.in_sync.is_empty() && !self.waits
    }

    /// The rest of the output waits for a sync that has not begun; true if that is new.
    pub(super) fn wait(&mut self) -> bool {
        !std::mem::replace(&mut self.waits, true)
    }

    /// A sync begins that covers all of the `owed` bytes.
    pub(super) fn begin_sync(&mut self, sync: u64, owed: usize) {
        let covered = self.covered();
        assert!(covered <= owed, "held output was sent");
        debug_assert!(self.waits, "nothing waits for a sync");
        debug_assert!(self.syncs().last().is_none_or(|last| last < sync), "the numbers increase");
        self.in_sync.push_back((sync, owed - covered));
        self.waits = false;
    }

    /// A sync has succeeded: what it covers may be sent, including what earlier syncs cover.
    pub(super) fn finish_sync(&mut self, sync: u64) {
        while let Some(&(_, bytes)) = self.in_sync.front().filter(|part| part.0 <= sync) {
            self.sendable += bytes;
            self.in_sync.pop_front();
        }
    }

    /// The syncs in progress have become useless: what they cover waits for another one. True if nothing
    /// has waited for that before.
    pub(super) fn fail_syncs(&mut self) -> bool {
        self.in_sync.clear();
        self.wait()
    }

    /// `bytes` of the sendable ones were sent.
    pub(super) fn advance(&mut self, bytes: usize) {
        assert!(bytes <= self.sendable, "held output was sent");
        self.sendable -= bytes;
    }

    /// `bytes` at offset `at` were dropped. They were added in one piece, so they are within one part.
    pub(super) fn forget(&mut self, mut at: usize, bytes: usize) {
        let parts = self.in_sync.iter_mut().map(|(_, part)| part);
        for part in std::iter::once(&mut self.sendable).chain(parts) {
            if at < *part {
                assert!(at + bytes <= *part, "a message is in two parts of what is held");
                *part -= bytes;
                return;
            }
            at -= *part;
        }
    }

    /// Nothing is pending any more.
    pub(super) fn forget_all(&mut self) {
        self.sendable = 0;
        self.in_sync.iter_mut().for_each(|(_, bytes)| *bytes = 0);
    }
}
