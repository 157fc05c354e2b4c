//! Where in the output replies are that report changes. If a change is not replicated in time, its reply is
//! replaced by an error.

use std::collections::VecDeque;
use std::ops::Range;

/// The replies that report changes, by their positions: bytes of output since the outbox began, so that they
/// do not change as output is sent.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Bytes sent since the outbox began.
    sent: u64,
    /// In the order of the output; none overlap.
    replies: VecDeque<Range<u64>>,
    /// Replies added while the output was lent, by their offsets in what will be appended to it.
    behind: Vec<Range<usize>>,
}

impl Reports {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.behind.is_empty()
    }

    /// The bytes at these offsets of the output are a reply that reports a change.
    pub(super) fn add(&mut self, reply: Range<usize>) {
        let reply = self.sent + reply.start as u64..self.sent + reply.end as u64;
        debug_assert!(self.replies.back().is_none_or(|last| last.end <= reply.start), "in order");
        self.replies.push_back(reply);
    }

    /// The same for output that will be appended to the lent one.
    pub(super) fn add_behind(&mut self, reply: Range<usize>) {
        self.behind.push(reply);
    }

    /// What was added meanwhile follows in the lent output, from this offset on.
    pub(super) fn collect(&mut self, at: usize) {
        for reply in std::mem::take(&mut self.behind) {
            self.add(at + reply.start..at + reply.end);
        }
    }

    /// The first `bytes` were sent.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.sent += bytes as u64;
        self.forget_until(0);
    }

    /// Replies before this offset stay as they are.
    pub(super) fn forget_until(&mut self, at: usize) {
        let until = self.sent + at as u64;
        while self.replies.front().is_some_and(|reply| reply.end <= until) {
            self.replies.pop_front();
        }
    }

    /// `bytes` at offset `at`, between replies, were dropped.
    pub(super) fn forget(&mut self, at: usize, bytes: usize) {
        let (at, bytes) = (self.sent + at as u64, bytes as u64);
        for reply in self.replies.iter_mut().filter(|reply| reply.start > at) {
            *reply = reply.start - bytes..reply.end - bytes;
        }
    }

    /// The same in what will be appended to the lent output.
    pub(super) fn forget_behind(&mut self, at: usize, bytes: usize) {
        for reply in self.behind.iter_mut().filter(|reply| reply.start > at) {
            *reply = reply.start - bytes..reply.end - bytes;
        }
    }

    /// Removes the replies within these bytes of the output, and returns their offsets. Each is replaced by
    /// `length` bytes.
    pub(super) fn take(&mut self, part: Range<usize>, length: usize) -> Vec<Range<usize>> {
        let offset = |position: u64| (position - self.sent) as usize;
        let first = self.replies.partition_point(|reply| offset(reply.start) < part.start);
        let last = self.replies.partition_point(|reply| offset(reply.start) < part.end);
        let taken: Vec<_> = self.replies.drain(first..last).collect();
        let taken: Vec<_> =
            taken.iter().map(|reply| offset(reply.start)..offset(reply.end)).collect();
        let bytes_before: usize = taken.iter().map(Range::len).sum();
        let bytes = taken.len() * length;
        for later in self.replies.range_mut(first..) {
            let moved = |position: u64| position + bytes as u64 - bytes_before as u64;
            *later = moved(later.start)..moved(later.end);
        }
        taken
    }
}
