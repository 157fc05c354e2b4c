//! Replies that wait until their changes are durable and replicated.
//!
//! A command that changes data marks its client. At the end of the turn the journal knows whether the turn's
//! changes are as durable as `appendfsync` promises. If they are, and need no replicas, the marks are cleared. If
//! not, the turn is a commit, and the output of the marked clients is held until it has finished. Replies are
//! sent in order, so a held client's later replies wait as well. All other clients continue.
//!
//! `holds.rs` has the commits: which clients wait, and for what. Each outbox knows how much of it waits, and for
//! which commit.

use super::holds::{Commit, LastChange, TurnEnd};
use super::{Clients, ReplyMode, Wants, find_mut, mark_dirty};
use crate::client_id::ClientId;
use crate::replication::Acknowledged;
use crate::resp::{Output, OutputMark};
use std::collections::BTreeSet;

impl Clients {
    /// Marks a client whose command changed data.
    #[inline]
    pub(crate) fn mark_change(&mut self, id: ClientId) {
        if let Some(client) = self.get_mut(id)
            && client.outbox.mark_change(0)
        {
            self.holds.add_changed(id);
        }
    }

    /// The same for a change that this many replicas must have. The reply that follows reports it: see `report`
    /// and `answer`.
    pub(crate) fn mark_replicated_change(&mut self, id: ClientId, replicas: u8) {
        let Some(client) = self.get_mut(id) else { return };
        if client.outbox.mark_change(replicas) {
            self.holds.add_changed(id);
        }
        self.holds.mark_replicas_needed();
        self.is_report_due = true;
    }

    /// Whether the reply of the command that has run reports a change that replicas must have.
    #[inline]
    pub(crate) fn is_report_due(&self) -> bool {
        self.is_report_due
    }

    /// Sets that, for commands that run within another one.
    pub(crate) fn set_report_due(&mut self, is_report_due: bool) {
        self.is_report_due = is_report_due;
    }

    /// The command that has run has no reply.
    pub(crate) fn report_nothing(&mut self) {
        self.is_report_due = false;
    }

    /// The reply from a mark in the lent output on reports the change, unless the client wants no reply. Returns
    /// whether it does.
    pub(crate) fn report(&mut self, id: ClientId, lent: &Output, mark: OutputMark) -> bool {
        self.is_report_due = false;
        let client = find_mut(&mut self.slots, id);
        let Some(client) = client.filter(|client| client.reply_mode == ReplyMode::On) else {
            return false;
        };
        client.outbox.report(lent, mark)
    }

    /// Everything of the turn has run, and the stream ends at this offset: replicas must have it for the changes
    /// of the turn. To be called before it is decided whether these are durable.
    pub(crate) fn end_turn(&mut self, offset: u64, now_us: u64) {
        self.holds.end_turn(TurnEnd { offset, now_us });
    }

    /// Whether replicas should be asked how far they are, once at the end of the turn.
    pub(crate) fn take_wants_acknowledgement(&mut self) -> bool {
        std::mem::take(&mut self.has_begun_to_wait) | self.holds.needs_replicas()
    }

    /// The turn's changes are durable enough. Those that need no replicas may be reported.
    pub(crate) fn release_changed(&mut self) {
        self.commit(true);
    }

    /// The turn's changes are not durable yet: holds the output of the marked clients.
    pub(crate) fn hold_changed(&mut self) {
        self.commit(false);
    }

    fn commit(&mut self, is_durable: bool) {
        if self.holds.changed.is_empty() {
            return;
        }
        let mut changed = std::mem::take(&mut self.holds.changed);
        let change = self.holds.begin_commit(is_durable);
        for id in changed.drain(..) {
            let Some(client) = find_mut(&mut self.slots, id) else { continue };
            client.last_change = change;
            let replicas = client.outbox.take_change();
            if replicas == 0 && is_durable {
                client.outbox.release_change();
            } else if client.outbox.hold(change.commit) {
                self.holds.add(id, replicas, is_durable);
            }
        }
        // Reuses the allocation.
        self.holds.changed = changed;
    }

    /// A sync begins that covers everything held so far. Its number is above all earlier ones.
    pub(crate) fn begin_sync(&mut self, sync: u64) {
        self.holds.begin_sync(sync);
    }

    /// A sync has succeeded: what waits for it alone may be sent, including what waits for earlier syncs, finished
    /// or not. Returns whether more is durable now.
    pub(crate) fn finish_sync(&mut self, sync: u64, acknowledged: &Acknowledged) -> bool {
        let has_news = self.holds.finish_sync(sync);
        if has_news {
            self.release_ready(acknowledged);
        }
        has_news
    }

    /// The syncs in progress have become useless: what they cover waits for another one.
    pub(crate) fn fail_syncs(&mut self) {
        self.holds.fail_syncs();
    }

    /// No client waits for a sync any more.
    pub(crate) fn release_written(&mut self, acknowledged: &Acknowledged) {
        self.holds.need_no_sync();
        self.release_ready(acknowledged);
    }

    /// Lets go what waits for nothing any more.
    pub(crate) fn release_ready(&mut self, acknowledged: &Acknowledged) {
        while let Some(commit) = self.holds.next_acknowledged(acknowledged) {
            self.finish_replicated(commit);
        }
        while let Some(commit) = self.holds.next_written() {
            self.finish(&commit);
        }
    }

    /// A commit needs no replicas any more, but perhaps a sync.
    fn finish_replicated(&mut self, commit: Commit) {
        if let Some(commit) = self.holds.need_no_replicas(commit) {
            self.finish(&commit);
        }
    }

    fn finish(&mut self, commit: &Commit) {
        for &id in &commit.clients {
            if let Some(client) = find_mut(&mut self.slots, id) {
                client.outbox.finish(commit.number);
                mark_dirty(client, &mut self.dirty);
            }
        }
    }

    /// Ends the wait for replicas of what has waited since this moment or longer: replies that report changes are
    /// replaced by the error for that many replicas. Returns the clients, each with how many of its replies were.
    pub(crate) fn end_late(
        &mut self,
        since_us: u64,
        error: impl Fn(usize) -> Vec<u8>,
    ) -> Vec<(ClientId, usize)> {
        let mut failed = Vec::new();
        while let Some((replicas, commit)) = self.holds.next_late(since_us) {
            let mut line = error(replicas);
            line.insert(0, b'-');
            line.extend_from_slice(b"\r\n");
            for &id in &commit.clients {
                if let Some(client) = find_mut(&mut self.slots, id) {
                    failed.push((id, client.outbox.fail(commit.number, &line)));
                }
            }
            self.finish_replicated(commit);
        }
        failed
    }

    /// No replica will have what has been changed so far, also in this turn.
    pub(crate) fn abandon_changes(&mut self) {
        self.holds.abandon_turn();
        for client in self.slots.iter_mut().flatten() {
            if client.last_change != LastChange::default() {
                client.last_change.offset = u64::MAX;
            }
        }
    }

    /// Since when the oldest change waits that needs replicas.
    pub(crate) fn oldest_unreplicated_us(&self) -> Option<u64> {
        self.holds.oldest_us()
    }

    /// The number of turns whose replies wait for replicas.
    pub(crate) fn unreplicated_turns(&self) -> usize {
        self.holds.waiting_for_replicas()
    }

    /// The latest change by a client, and whether it is durable; `None` if nothing is known of it before the end of
    /// the turn.
    pub(crate) fn last_change(&self, id: ClientId) -> Option<(LastChange, bool)> {
        let client = self.get(id).filter(|client| !client.outbox.has_new_change())?;
        Some((client.last_change, self.holds.is_durable(client.last_change.commit)))
    }

    /// Whether any client's output is held.
    pub(crate) fn has_held(&self) -> bool {
        !self.holds.is_empty()
    }

    /// Whether any command changed data since the journal last took the changes.
    pub(crate) fn has_changed(&self) -> bool {
        !self.holds.changed.is_empty()
    }

    /// Bytes of a client's output that may be sent now. Must not be called between a change by the
    /// client and the journal's decision about it.
    pub(crate) fn sendable(&self, id: ClientId) -> usize {
        self.get(id).map_or(0, |client| client.outbox.sendable())
    }

    /// Whether a client has begun to wait for acknowledgements since the last call.
    #[inline]
    pub(crate) fn take_undecided_waits(&mut self) -> bool {
        std::mem::take(&mut self.has_undecided_waits)
    }

    /// The clients that wait for acknowledgements.
    pub(crate) fn acknowledgement_waits(&self) -> &BTreeSet<ClientId> {
        &self.acknowledgement_waits
    }

    pub(super) fn check_holds(&self) {
        assert!(!self.is_report_due, "a reply that reports a change was not recorded");
        self.holds.check_invariants();
        let waits = self.iter().filter(|client| {
            client.wait().is_some_and(|wait| matches!(wait.wants, Wants::Replicas(_)))
        });
        assert!(waits.map(|client| client.id).eq(self.acknowledgement_waits.iter().copied()));
        for client in self.iter() {
            let outbox = &client.outbox;
            assert_eq!(outbox.has_new_change(), self.holds.changed.contains(&client.id));
            for commit in outbox.commits() {
                assert!(self.holds.has(client.id, commit), "held for ever");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Peer;

    fn owe(clients: &mut Clients, id: ClientId, bytes: &[u8]) {
        clients.write(id, |output| output.raw(bytes));
    }

    fn finish_sync(clients: &mut Clients, sync: u64) {
        clients.finish_sync(sync, &Acknowledged::default());
    }

    fn send_all(clients: &mut Clients, id: ClientId) -> usize {
        let sendable = clients.sendable(id);
        clients.outbox(id).expect("the client").advance(sendable);
        clients.flushed(id, 0);
        clients.check_invariants();
        sendable
    }

    #[test]
    fn replies_wait_for_the_sync_that_covers_them() {
        let mut clients = Clients::default();
        let id = clients.connect(0, Peer::InProcess, 0);
        let other = clients.connect(1, Peer::InProcess, 0);

        owe(&mut clients, id, b"first");
        owe(&mut clients, other, b"reads");
        clients.mark_change(id);
        clients.mark_change(id);
        clients.hold_changed();
        assert_eq!((clients.sendable(id), clients.sendable(other)), (0, 5));
        clients.begin_sync(1);
        owe(&mut clients, id, b"second");
        clients.mark_change(id);
        clients.hold_changed();
        clients.check_invariants();
        assert_eq!(send_all(&mut clients, id), 0);
        finish_sync(&mut clients, 1);
        assert_eq!(send_all(&mut clients, id), 5);
        assert_eq!(send_all(&mut clients, other), 5);
        assert_eq!(clients.sendable(id), 0);

        clients.begin_sync(2);
        clients.fail_syncs();
        clients.check_invariants();
        assert_eq!(clients.sendable(id), 0);
        clients.begin_sync(3);
        owe(&mut clients, id, b"a read behind it");
        assert!(clients.has_held());
        finish_sync(&mut clients, 3);
        assert!(!clients.has_held());
        assert_eq!(send_all(&mut clients, id), 22);

        owe(&mut clients, id, b"third");
        clients.mark_change(id);
        clients.release_changed();
        assert_eq!(send_all(&mut clients, id), 5);
    }

    #[test]
    fn a_sync_covers_what_those_before_it_do() {
        let mut clients = Clients::default();
        let id = clients.connect(0, Peer::InProcess, 0);
        for (sync, reply) in [(1, b"one"), (2, b"two"), (3, b"six")] {
            owe(&mut clients, id, reply);
            clients.mark_change(id);
            clients.hold_changed();
            clients.begin_sync(sync);
        }
        clients.check_invariants();
        finish_sync(&mut clients, 2);
        assert_eq!(send_all(&mut clients, id), 6);
        finish_sync(&mut clients, 1);
        assert_eq!(send_all(&mut clients, id), 0);
        finish_sync(&mut clients, 3);
        assert_eq!(send_all(&mut clients, id), 3);
    }

    #[test]
    fn a_client_may_leave_while_it_is_held() {
        let mut clients = Clients::default();
        let id = clients.connect(0, Peer::InProcess, 0);
        clients.mark_change(id);
        clients.hold_changed();
        clients.remove(id);
        // A later client in the same slot is not held because of it.
        let next = clients.connect(0, Peer::InProcess, 0);
        owe(&mut clients, next, b"x");
        clients.begin_sync(1);
        assert_eq!(clients.sendable(next), 1);
        finish_sync(&mut clients, 1);
        clients.check_invariants();
    }
}
