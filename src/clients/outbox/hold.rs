//! How much of what a client is owed may be sent, and which sync the rest waits for.
//!
//! Several syncs may be under way, each of which covers all that was written before it began. So what is
//! owed has a part that may be sent, a part for each sync under way, and a rest that waits for one that
//! has not begun.

use std::collections::VecDeque;

/// How what is owed is divided, from its front.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Bytes that may be sent.
    sendable: usize,
    /// Bytes after those, by the number of the sync that covers them; it rises.
    in_sync: VecDeque<(u64, usize)>,
    /// Whether there is more, which waits for a sync that has not begun.
    waits: bool,
}

impl Hold {
    /// Bytes that may be sent.
    pub(super) fn sendable(&self) -> usize {
        self.sendable
    }

    /// Bytes whose fate is known: that may be sent, or that a sync under way covers.
    pub(super) fn covered(&self) -> usize {
        self.sendable + self.in_sync.iter().map(|(_, bytes)| bytes).sum::<usize>()
    }

    /// Whether anything waits for a sync that has not begun.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// The syncs under way that anything waits for.
    pub(super) fn syncs(&self) -> impl Iterator<Item = u64> {
        self.in_sync.iter().map(|(sync, _)| *sync)
    }

    /// Whether nothing waits any more.
    pub(super) fn is_over(&self) -> bool {
        self.in_sync.is_empty() && !self.waits
    }

    /// The rest of what is owed waits for a sync that has not begun; whether that is new.
    pub(super) fn wait(&mut self) -> bool {
        !std::mem::replace(&mut self.waits, true)
    }

    /// A sync begins that covers all of the `owed` bytes.
    pub(super) fn begin_sync(&mut self, sync: u64, owed: usize) {
        let covered = self.covered();
        assert!(covered <= owed, "what is held has been sent");
        debug_assert!(self.waits, "nothing waits for a sync");
        debug_assert!(self.syncs().last().is_none_or(|last| last < sync), "the numbers rise");
        self.in_sync.push_back((sync, owed - covered));
        self.waits = false;
    }

    /// A sync has ended well: what it covers may be sent, and what those before it do.
    pub(super) fn finish_sync(&mut self, sync: u64) {
        while let Some(&(_, bytes)) = self.in_sync.front().filter(|part| part.0 <= sync) {
            self.sendable += bytes;
            self.in_sync.pop_front();
        }
    }

    /// Syncs under way are of no use any more: what they were to cover waits for another one. Whether
    /// nothing has waited for that before.
    pub(super) fn fail_syncs(&mut self) -> bool {
        self.in_sync.clear();
        self.wait()
    }

    /// Says that `bytes` of those that may be sent are sent.
    pub(super) fn advance(&mut self, bytes: usize) {
        assert!(bytes <= self.sendable, "what is held has been sent");
        self.sendable -= bytes;
    }

    /// Says that `bytes` are gone, which were `at` bytes from the front and came there in one piece: all
    /// of them are in one part.
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

    /// Says that nothing is owed any more.
    pub(super) fn forget_all(&mut self) {
        self.sendable = 0;
        self.in_sync.iter_mut().for_each(|(_, bytes)| *bytes = 0);
    }
}
