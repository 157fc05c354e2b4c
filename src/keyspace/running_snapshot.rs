//! The state of a running snapshot, and what it saves of an entry.

use super::departing::Departing;
use super::saved::{SavedKey, SavedPart};
use super::{DbIndex, Entry, NEVER, Value};
use crate::policy::Policies;
use std::ops::Range;

/// The state of a running snapshot.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) saved: SavedPart,
    /// The policies when it began.
    pub(super) policies: Policies,
    /// The numbers of departing messages that are not yet saved. Some may have been saved before
    /// their database was flushed, and no longer exist.
    pub(super) departing: Range<u64>,
}

impl Entry {
    /// Returns the entry as it is, if it is not yet saved in this snapshot. `policies` are those
    /// when it began.
    pub(super) fn save(
        &mut self,
        epoch: u32,
        db: DbIndex,
        policies: &Policies,
    ) -> Option<SavedKey> {
        if self.epoch() == epoch {
            return None;
        }
        self.set_epoch(epoch);
        let value = self.value_mut().map(Value::share);
        let queue_state =
            self.attachments_mut().and_then(|attachments| attachments.queue_state.as_mut());
        let hidden = queue_state
            .map(|queue_state| (queue_state.in_flight.share(), queue_state.delayed.share()));
        let (in_flight, delayed) = hidden.unwrap_or_default();
        // A list that became empty may get messages back.
        let emptied = self.attachments().and_then(|attachments| attachments.queue_state.as_ref());
        let expires_ms = match value {
            Some(_) => self.expires_ms(),
            None => emptied.map_or(NEVER, |queue_state| queue_state.expires_ms),
        };
        let pauses = emptied.map(|queue_state| queue_state.pauses).unwrap_or_default();
        let has_messages = value.is_some() || !in_flight.is_empty() || !delayed.is_empty();
        if !has_messages && !pauses.is_paused() {
            return None;
        }
        let expires_ms = (expires_ms != NEVER).then_some(expires_ms);
        let key = self.shared_key();
        let former_policy = emptied.filter(|queue_state| {
            !queue_state.has_nothing_hidden()
                && queue_state.is_orphaned_by(policies.of(&key).map(|policy| &**policy))
        });
        let former_policy = former_policy.and_then(|queue_state| queue_state.policy.clone());
        Some(SavedKey { db, key, value, in_flight, delayed, former_policy, expires_ms, pauses })
    }
}

impl Snapshot {
    /// Saves an entry that is about to change. `db` is the original number of its database.
    pub(super) fn save(&mut self, entry: &mut Entry, epoch: u32, db: DbIndex) {
        self.saved.keys.extend(entry.save(epoch, db, &self.policies));
    }

    /// Saves departing messages, if they existed when the snapshot began and are not yet saved;
    /// returns their cost. Those of one database must be saved in order, each once. `db` is the
    /// original number of their database.
    pub(super) fn save_departing(&mut self, one: &mut Departing, db: DbIndex) -> usize {
        if !self.departing.contains(&one.number) {
            return 0;
        }
        let saved = one.share(db);
        let cost = SavedPart::cost_of_departing(&saved);
        self.saved.departing.push(saved);
        cost
    }

    /// As `save_departing`, for the messages that left first.
    pub(super) fn save_first_departing(&mut self, one: &mut Departing, db: DbIndex) -> usize {
        let cost = self.save_departing(one, db);
        self.departing.start = self.departing.start.max(one.number + 1).min(self.departing.end);
        cost
    }
}
