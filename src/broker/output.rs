//! The output of clients: which have some, and what may be taken from it.

use super::Broker;
use crate::client_id::ClientId;
use crate::clients::Outbox;
use crate::clock::Now;
use std::io::IoSlice;

/// Slices of an output that are taken at once.
const SLICES_MAX: usize = 64;

impl Broker {
    /// Returns the next client with output that was not offered to its socket yet.
    pub fn next_dirty(&mut self, now: Now) -> Option<ClientId> {
        self.state.clients.next_dirty(now.monotonic_us)
    }

    /// The pending output of a client. After taking from it, call `flushed`. Before, if effects are recorded,
    /// release or hold the replies to changes: see `has_changed`.
    pub fn outbox(&mut self, id: ClientId) -> Option<&mut Outbox> {
        self.state.clients.outbox(id)
    }

    /// Reports that a client's socket took `bytes` of its output, as much as it could.
    #[inline(always)]
    pub fn flushed(&mut self, id: ClientId, bytes: usize, now: Now) {
        self.count_sent(bytes);
        self.state.clients.flushed(id, now.monotonic_us);
    }

    /// Passes the next sendable output of a client to `take` in pieces, at most `bytes_max` bytes; returns
    /// how many. For what is not a socket.
    pub(crate) fn take_output(
        &mut self,
        id: ClientId,
        bytes_max: usize,
        now: Now,
        mut take: impl FnMut(&[u8]),
    ) -> usize {
        let sendable = self.sendable(id).min(bytes_max);
        let Some(outbox) = self.outbox(id).filter(|_| sendable > 0) else { return 0 };
        let mut left = sendable;
        while left > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let filled = outbox.io_slices(&mut slices, left);
            let taken = slices[..filled].iter().map(|slice| slice.len()).sum();
            slices[..filled].iter().for_each(|slice| take(slice));
            outbox.advance(taken);
            left -= taken;
        }
        self.state.clients.flushed(id, now.monotonic_us);
        sendable
    }

    /// Counts bytes that were sent to a peer in one write.
    pub(crate) fn count_sent(&mut self, bytes: usize) {
        self.state.stats.output_bytes += bytes as u64;
        self.state.stats.writes += 1;
    }
}
