//! How the waiters and watchers of a key are notified of a change.

use super::{Attachments, DbIndex, Key, Keyspace, Line};
use crate::client_id::ClientId;

impl Keyspace {
    /// Notifies watchers, waiters and producers, and schedules the queue if something is due
    /// earlier than before.
    #[inline]
    pub(super) fn signal(&mut self, db: DbIndex, index: usize) {
        let Some(entry) = self.dbs[db].entries.get_index_mut(index) else { return };
        let Some(full) = entry.full_mut() else { return };
        let Some(attachments) = &mut full.attachments else { return };
        if !attachments.watchers.is_empty() {
            self.broken_watches.append(&mut attachments.watchers);
        }
        attachments.tell_waiters(db, &full.key, &full.value, &mut self.ready);
        attachments.tell_producers(db, &full.key, &mut self.capacity_changed);
        match &attachments.queue_state {
            Some(queue_state) if queue_state.is_scheduled_early_enough(&full.value) => {}
            Some(_) => self.schedule(db, index),
            None if attachments.is_unused() => entry.set_attachments(None),
            None => {}
        }
    }

    /// Puts a client in a line of a key. Tickets grow with time; a lower one is served first.
    pub(crate) fn join_line(
        &mut self,
        db: DbIndex,
        key: &[u8],
        line: Line,
        ticket: u64,
        client: ClientId,
    ) -> Key {
        let index = self.find_or_create(db, key);
        let entry = self.entry_mut(db, index);
        entry.attachments_or_default().join(line, ticket, client);
        let key = entry.shared_key();
        if matches!(line, Line::Waiters | Line::Leases) {
            self.await_token(db, index);
        }
        key
    }

    /// Ends the wait that `join_line` began. A producer further back may fit when the push of the one
    /// that leaves was too large.
    pub(crate) fn leave_line(
        &mut self,
        db: DbIndex,
        key: &[u8],
        line: Line,
        ticket: u64,
        client: ClientId,
    ) {
        let Some(index) = self.find(db, key) else { return };
        self.change_attachments(db, key, |attachments| attachments.leave(line, ticket, client));
        if line == Line::Producers {
            // The index may have another entry now; to mark that one costs nothing.
            self.mark_capacity_changed(db, index);
        }
    }

    /// Makes a client watch a key: a change of its value breaks the watch. `None` if the client
    /// already watches it.
    pub(crate) fn watch(&mut self, db: DbIndex, key: &[u8], client: ClientId) -> Option<Key> {
        let index = self.find_or_create(db, key);
        let entry = self.entry_mut(db, index);
        let watchers = &mut entry.attachments_or_default().watchers;
        if watchers.contains(&client) {
            return None;
        }
        watchers.push(client);
        Some(entry.shared_key())
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&mut self, db: DbIndex, key: &[u8], client: ClientId) {
        self.change_attachments(db, key, |attachments| {
            attachments.watchers.retain(|other| *other != client)
        });
    }

    pub(super) fn change_attachments(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut Attachments),
    ) {
        let Some(index) = self.find(db, key) else { return };
        let entry = self.entry_mut(db, index);
        let Some(attachments) = entry.attachments_mut() else { return };
        change(attachments);
        if attachments.is_unused() {
            entry.set_attachments(None);
            self.drop_if_unused(db, index);
        }
    }

    /// Whether a command made keys ready, broke watches or changed a capacity.
    #[inline]
    pub(crate) fn has_signals(&self) -> bool {
        !self.ready.is_empty()
            || !self.broken_watches.is_empty()
            || !self.capacity_changed.is_empty()
    }

    /// Returns the clients whose watched keys changed since the last call, possibly with
    /// duplicates.
    pub(crate) fn take_broken_watches(&mut self) -> Vec<ClientId> {
        std::mem::take(&mut self.broken_watches)
    }

    /// Returns the keys that got a value since the last call while clients wait for them.
    pub(crate) fn take_ready(&mut self) -> Vec<(DbIndex, Key)> {
        let ready = std::mem::take(&mut self.ready);
        for (db, key) in &ready {
            if let Some(entry) = self.dbs[*db].entries.get_mut(key)
                && let Some(attachments) = entry.attachments_mut()
            {
                attachments.is_ready = false;
            }
        }
        ready
    }

    /// Tells the clients that wait for a key to look at it.
    pub(crate) fn tell_waiters(&mut self, db: DbIndex, key: &[u8]) {
        if let Some(index) = self.find(db, key) {
            self.changed_for_waiters(db, index);
        }
    }

    pub(super) fn changed_for_waiters(&mut self, db: DbIndex, index: usize) {
        let Some(entry) = self.dbs[db].entries.get_index_mut(index) else { return };
        let Some(entry) = entry.full_mut() else { return };
        if let Some(attachments) = &mut entry.attachments {
            attachments.tell_waiters(db, &entry.key, &entry.value, &mut self.ready);
        }
    }
}
