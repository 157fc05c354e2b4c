//! Replies that wait until what they promise is durable.
//!
//! A command that changes data marks its client. At the end of the turn the journal knows whether
//! the turn's changes are as durable as `appendfsync` promises: if so the marks are forgotten, and
//! if not the marked clients' output is held. Replies leave in order, so whatever a held client is
//! owed behind the first reply that has to wait, waits as well; all other clients go on.
//!
//! Several syncs may be under way, each of which covers all that was written before it began. So a
//! held output has a part that may be sent, a part for each sync under way, and a rest that waits
//! for one that has not begun.

use super::Clients;
use crate::client_id::ClientId;
use std::collections::VecDeque;

/// How a held output is divided, from its front.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Bytes that may be sent.
    sendable: usize,
    /// Bytes after those, by the number of the sync that covers them; it rises.
    in_sync: VecDeque<(u64, usize)>,
    /// Whether there is more, which waits for a sync that has not begun.
    waits: bool,
}

/// Whose output waits, and for what. Each client is at most once in each list.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// Clients whose commands changed data in this turn.
    changed: Vec<ClientId>,
    /// Clients whose replies wait for a sync that has not begun.
    waiting: Vec<ClientId>,
    /// Clients whose replies wait for a sync under way, by its number, which rises.
    in_sync: VecDeque<(u64, Vec<ClientId>)>,
}

impl Hold {
    /// Bytes whose fate is known: that may be sent, or that a sync under way covers.
    fn covered(&self) -> usize {
        self.sendable + self.in_sync.iter().map(|(_, bytes)| bytes).sum::<usize>()
    }

    /// Says that `bytes` of the output are gone, which were `at` bytes from its front and came
    /// there in one piece: all of them are in one part.
    pub(super) fn forget(&mut self, mut at: usize, bytes: usize) {
        let parts = self.in_sync.iter_mut().map(|(_, part)| part);
        for part in std::iter::once(&mut self.sendable).chain(parts) {
            if at < *part {
                *part -= bytes;
                return;
            }
            at -= *part;
        }
    }
}

impl Clients {
    /// Marks a client as one whose command changed data.
    #[inline]
    pub fn note_change(&mut self, id: ClientId) {
        if let Some(client) = self.get_mut(id)
            && !client.has_changed_data
        {
            client.has_changed_data = true;
            self.holds.changed.push(id);
        }
    }

    /// The turn's changes are durable enough: forgets who made them.
    pub fn release_changed(&mut self) {
        let mut changed = std::mem::take(&mut self.holds.changed);
        for id in changed.drain(..) {
            if let Some(client) = self.get_mut(id) {
                client.has_changed_data = false;
            }
        }
        // Keeps the allocation.
        self.holds.changed = changed;
    }

    /// The turn's changes are not durable yet: what those who made them are owed is held.
    pub fn hold_changed(&mut self) {
        let mut changed = std::mem::take(&mut self.holds.changed);
        for id in changed.drain(..) {
            let Some(client) = self.get_mut(id) else { continue };
            client.has_changed_data = false;
            let hold = client.hold.get_or_insert_default();
            if !hold.waits {
                hold.waits = true;
                self.holds.waiting.push(id);
            }
        }
        self.holds.changed = changed;
    }

    /// A sync begins that covers all that is held until now. Its number is above those before.
    pub fn begin_sync(&mut self, sync: u64) {
        let waiting = std::mem::take(&mut self.holds.waiting);
        for &id in &waiting {
            if let Some(client) = self.get_mut(id) {
                let owed = client.output.len();
                if let Some(hold) = client.hold.as_deref_mut() {
                    hold.in_sync.push_back((sync, owed - hold.covered()));
                    hold.waits = false;
                }
            }
        }
        if !waiting.is_empty() {
            self.holds.in_sync.push_back((sync, waiting));
        }
    }

    /// A sync has ended well: what it covers may be sent, and what those before it do, whether they
    /// have ended or not.
    pub fn finish_sync(&mut self, sync: u64) {
        while self.holds.in_sync.front().is_some_and(|(number, _)| *number <= sync) {
            let ids = self.holds.in_sync.pop_front().map(|(_, ids)| ids);
            for id in ids.unwrap_or_default() {
                let Some(client) = self.get_mut(id) else { continue };
                let Some(hold) = client.hold.as_deref_mut() else { continue };
                while let Some(&(_, bytes)) = hold.in_sync.front().filter(|part| part.0 <= sync) {
                    hold.sendable += bytes;
                    hold.in_sync.pop_front();
                }
                if hold.in_sync.is_empty() && !hold.waits {
                    client.hold = None;
                }
                if !client.output.is_empty() && !client.is_dirty {
                    client.is_dirty = true;
                    self.dirty.push_back(id);
                }
            }
        }
    }

    /// Syncs under way are of no use any more: what they were to cover waits for another one.
    pub fn fail_syncs(&mut self) {
        for (_, ids) in std::mem::take(&mut self.holds.in_sync) {
            for id in ids {
                let Some(client) = self.get_mut(id) else { continue };
                let Some(hold) = client.hold.as_deref_mut() else { continue };
                hold.in_sync.clear();
                if !hold.waits {
                    hold.waits = true;
                    self.holds.waiting.push(id);
                }
            }
        }
    }

    /// Nobody waits for a sync any more.
    pub fn release_all(&mut self) {
        self.release_changed();
        self.begin_sync(u64::MAX);
        self.finish_sync(u64::MAX);
    }

    /// Whether anyone's output is held.
    pub fn has_held(&self) -> bool {
        !self.holds.waiting.is_empty() || !self.holds.in_sync.is_empty()
    }

    /// Whether anyone's command changed data since the journal was last told of changes.
    pub fn has_changed(&self) -> bool {
        !self.holds.changed.is_empty()
    }

    /// Bytes of a client's output that may be sent now. Not to be asked between a change of the client
    /// and the journal's answer to it.
    pub fn sendable(&self, id: ClientId) -> usize {
        let Some(client) = self.get(id) else { return 0 };
        assert!(!client.has_changed_data, "a reply would leave before its change is recorded");
        client.hold.as_ref().map_or(client.output.len(), |hold| hold.sendable)
    }

    /// Says that `bytes` of what may be sent were sent.
    pub(super) fn note_sent(&mut self, id: ClientId, bytes: usize) {
        if let Some(client) = self.get_mut(id)
            && let Some(hold) = client.hold.as_deref_mut()
        {
            hold.sendable -= bytes;
        }
    }

    pub(super) fn check_holds(&self) {
        for client in self.iter() {
            let waits = client.hold.as_ref().is_some_and(|hold| hold.waits);
            assert_eq!(waits, self.holds.waiting.contains(&client.id));
            assert_eq!(client.has_changed_data, self.holds.changed.contains(&client.id));
            if let Some(hold) = &client.hold {
                for (sync, _) in &hold.in_sync {
                    let is_under_way = |(number, ids): &(u64, Vec<ClientId>)| {
                        number == sync && ids.contains(&client.id)
                    };
                    assert!(self.holds.in_sync.iter().any(is_under_way), "held for ever");
                }
                assert!(hold.waits || !hold.in_sync.is_empty(), "held for ever");
                assert!(hold.covered() <= client.output.len());
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
        clients.output(id).expect("the client").advance(sendable);
        clients.flushed(id, sendable, 0);
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
        clients.note_change(id);
        clients.note_change(id);
        clients.hold_changed();
        assert_eq!((clients.sendable(id), clients.sendable(other)), (0, 5));
        clients.begin_sync(1);
        owe(&mut clients, id, b"second");
        clients.note_change(id);
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
        clients.note_change(id);
        clients.release_changed();
        assert_eq!(send_all(&mut clients, id), 5);
    }

    #[test]
    fn a_sync_covers_what_those_before_it_do() {
        let mut clients = Clients::default();
        let id = clients.connect(0, Peer::InProcess, 0);
        for (sync, reply) in [(1, b"one"), (2, b"two"), (3, b"six")] {
            owe(&mut clients, id, reply);
            clients.note_change(id);
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
        clients.note_change(id);
        clients.hold_changed();
        clients.remove(id);
        // Another one in the same place is not held for it.
        let next = clients.connect(0, Peer::InProcess, 0);
        owe(&mut clients, next, b"x");
        clients.begin_sync(1);
        assert_eq!(clients.sendable(next), 1);
        clients.finish_sync(1);
        clients.check_invariants();
    }
}
