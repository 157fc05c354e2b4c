//! Acknowledgements of replicas: what they let go, and what becomes of changes that they do not acknowledge in time.

use super::Broker;
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::engine::{wait, wake, write_gate};
use crate::queueing::Queues;
use crate::state::State;

impl Broker {
    /// Everything of the turn has run: its changes are passed to replicas, and the stream ends here, which is what
    /// replicas must have for them. To be called before `release_changed` or `hold_changed`, and before a journal
    /// takes the changes.
    pub fn end_turn(&mut self, now: Now) {
        if self.state.replication.is_active() {
            self.replicate(now);
        } else {
            self.state.clients.end_turn(self.state.replication.offset(), now.monotonic_us);
        }
    }

    /// The changes in so many bytes of the stream are on the disk: a replica tells its primary.
    pub fn mark_stream_durable(&mut self, bytes: u64) {
        let durable = &mut self.state.replication.durable_bytes;
        *durable = (*durable).max(bytes);
    }

    /// Bytes of the stream of changes.
    pub fn stream_offset(&self) -> u64 {
        self.state.replication.offset()
    }

    /// A replica has the stream up to `offset`, and up to `synced` on its disk, if it says so (REPLCONF ACK). The
    /// next `settle` lets go what waited for it. The first call brings the replica online.
    pub fn acknowledge(&mut self, replica: ClientId, offset: u64, synced: Option<u64>, now: Now) {
        self.state.acknowledged.record(replica, offset, synced, now.monotonic_us);
    }

    /// Lets go what replicas have acknowledged since the last call.
    pub(super) fn release_acknowledged(&mut self) {
        let State { clients, acknowledged, .. } = &mut self.state;
        if acknowledged.take_news() {
            clients.release_ready(acknowledged);
            wait::end_acknowledged(&mut self.state);
        }
    }

    /// When the next change that no replica acknowledges becomes an error, in microseconds of the monotonic clock.
    pub(super) fn next_late_us(&self) -> Option<u64> {
        let timeout_us = self.write_ack_timeout_us();
        Some(self.state.clients.oldest_unreplicated_us()?.saturating_add(timeout_us))
    }

    fn write_ack_timeout_us(&self) -> u64 {
        self.state.settings.acknowledgement.timeout_ms.saturating_mul(1000)
    }

    /// Turns the replies to changes that were not acknowledged in time into errors. Messages that such a reply
    /// would have delivered return to their queue, if it delivers at least once.
    pub(super) fn end_late_changes(&mut self, now: Now) {
        let since_us = now.monotonic_us.saturating_sub(self.write_ack_timeout_us());
        if self.state.clients.oldest_unreplicated_us().is_none_or(|oldest_us| oldest_us > since_us)
        {
            return;
        }
        let timeout_ms = self.state.settings.acknowledgement.timeout_ms;
        let error = |replicas| not_acknowledged(replicas, timeout_ms);
        for (id, input) in write_gate::end_waits(&mut self.state, since_us, error) {
            // On a replica they are the primary's.
            if !self.state.keyspace.is_following() {
                Queues::new(&mut self.state.keyspace).return_unseen(id, input);
            }
        }
        wake::follow_up(&mut self.state, self.table, now);
    }
}

/// The error for a change that so many replicas have not acknowledged.
fn not_acknowledged(replicas: usize, timeout_ms: u64) -> Vec<u8> {
    let who = if replicas == 1 { "1 replica".into() } else { format!("{replicas} replicas") };
    let text = format!(
        "NOREPLICAS The change was made here, but {who} did not acknowledge it within {timeout_ms} ms: it may be lost"
    );
    text.into_bytes()
}
