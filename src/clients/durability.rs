//! Replies that wait until their changes are durable.
//!
//! A command that changes data marks its client. At the end of the turn the journal knows whether the
//! turn's changes are as durable as `appendfsync` promises. If so, the marks are cleared; if not, the
//! output of the marked clients is held. Replies are sent in order, so a held client's later replies
//! wait as well. All other clients continue.
//!
//! This file records which clients wait. Each outbox knows how much of it waits, and for which sync.

use super::{Clients, find_mut, mark_dirty};
use crate::client_id::ClientId;

impl Clients {
    /// Marks a client whose command changed data.
    #[inline]
    pub(crate) fn mark_change(&mut self, id: ClientId) {
        if let Some(client) = self.get_mut(id)
            && client.outbox.mark_change()
        {
            self.holds.changed.push(id);
        }
    }

    /// The turn's changes are durable enough: clears the marks.
    pub(crate) fn release_changed(&mut self) {
        let mut changed = std::mem::take(&mut self.holds.changed);
        for id in changed.drain(..) {
            if let Some(client) = self.get_mut(id) {
                client.outbox.release_change();
            }
        }
        // Reuses the allocation.
        self.holds.changed = changed;
    }

    /// The turn's changes are not durable yet: holds the output of the marked clients.
    pub(crate) fn hold_changed(&mut self) {
        let mut changed = std::mem::take(&mut self.holds.changed);
        for id in changed.drain(..) {
            if let Some(client) = self.get_mut(id)
                && client.outbox.hold_change()
            {
                self.holds.waiting.push(id);
            }
        }
        self.holds.changed = changed;
    }

    /// A sync begins that covers everything held so far. Its number is above all earlier ones.
    pub(crate) fn begin_sync(&mut self, sync: u64) {
        let waiting = std::mem::take(&mut self.holds.waiting);
        for &id in &waiting {
            if let Some(client) = self.get_mut(id) {
                client.outbox.begin_sync(sync);
            }
        }
        if !waiting.is_empty() {
            self.holds.in_sync.push_back((sync, waiting));
        }
    }

    /// A sync has succeeded: what it covers may be sent, including what earlier syncs cover, finished or
    /// not.
    pub(crate) fn finish_sync(&mut self, sync: u64) {
        while self.holds.in_sync.front().is_some_and(|(number, _)| *number <= sync) {
            let ids = self.holds.in_sync.pop_front().map(|(_, ids)| ids);
            for id in ids.unwrap_or_default() {
                if let Some(client) = find_mut(&mut self.slots, id) {
                    client.outbox.finish_sync(sync);
                    mark_dirty(client, &mut self.dirty);
                }
            }
        }
    }

    /// The syncs in progress have become useless: what they cover waits for another one.
    pub(crate) fn fail_syncs(&mut self) {
        for (_, ids) in std::mem::take(&mut self.holds.in_sync) {
            for id in ids {
                if let Some(client) = self.get_mut(id)
                    && client.outbox.fail_syncs()
                {
                    self.holds.waiting.push(id);
                }
            }
        }
    }

    /// No client waits for a sync any more.
    pub(crate) fn release_all(&mut self) {
        self.release_changed();
        self.begin_sync(u64::MAX);
        self.finish_sync(u64::MAX);
    }

    /// Whether any client's output is held.
    pub(crate) fn has_held(&self) -> bool {
        !self.holds.waiting.is_empty() || !self.holds.in_sync.is_empty()
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

    pub(super) fn check_holds(&self) {
        for client in self.iter() {
            let outbox = &client.outbox;
            assert_eq!(outbox.waits(), self.holds.waiting.contains(&client.id));
            assert_eq!(outbox.has_new_change(), self.holds.changed.contains(&client.id));
            for sync in outbox.syncs() {
                let mut under_way = self.holds.in_sync.iter();
                let is_under_way =
                    under_way.any(|(number, ids)| *number == sync && ids.contains(&client.id));
                assert!(is_under_way, "held for ever");
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
        clients.finish_sync(1);
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
        clients.finish_sync(3);
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
        clients.finish_sync(2);
        assert_eq!(send_all(&mut clients, id), 6);
        clients.finish_sync(1);
        assert_eq!(send_all(&mut clients, id), 0);
        clients.finish_sync(3);
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
        clients.finish_sync(1);
        clients.check_invariants();
    }
}
