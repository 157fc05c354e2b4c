//! Keys with a suffix of the names that append files need for messages in flight and delayed.
//!
//! A policy that needs such a name is refused if a key has it. The suffixed keys are remembered, to
//! check this without looking at all keys.

use super::{DbIndex, Key, Keyspace};
use crate::policy::{DELAYED, IN_FLIGHT, QueuePolicy};

/// At most this many suffixed keys are kept without a check; beyond it, those without a value are
/// removed.
const FORGOTTEN_LATER_MAX: usize = 1_000;

impl Keyspace {
    /// Remembers a new key if it has such a suffix.
    #[inline]
    pub(super) fn add_suffixed(&mut self, key: &[u8]) {
        if key.ends_with(IN_FLIGHT) || key.ends_with(DELAYED) {
            self.remember_suffixed(key);
        }
    }

    #[cold]
    fn remember_suffixed(&mut self, key: &[u8]) {
        self.registry.suffixed.insert(Key::from(key));
        if self.registry.suffixed.len() > self.registry.suffixed_max.max(FORGOTTEN_LATER_MAX) {
            let mut suffixed = std::mem::take(&mut self.registry.suffixed);
            suffixed.retain(|key| self.is_anywhere(key));
            // So each key is checked about once per key added.
            self.registry.suffixed_max = 2 * suffixed.len();
            self.registry.suffixed = suffixed;
            self.registry.suffixed.insert(Key::from(key));
        }
    }

    fn is_anywhere(&self, key: &[u8]) -> bool {
        self.dbs.iter().any(|db| db.entries.get(key).is_some_and(|entry| entry.has_value()))
    }

    /// Returns the keys with a value and such a suffix, in any database.
    pub(crate) fn suffixed_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.registry.suffixed.iter().filter(|key| self.is_anywhere(key)).map(|key| &key[..])
    }

    /// Whether any policy reserves names for lists in append files.
    #[inline]
    pub(crate) fn reserves_names(&self) -> bool {
        self.registry.reserves_names
    }

    /// Whether a policy reserves the name of an entry.
    pub(super) fn is_reserved(&self, db: DbIndex, index: usize) -> bool {
        let entry = self.dbs[db].entries.get_index(index);
        self.registry.reserves_names
            && entry.is_some_and(|entry| self.reserving(entry.key()).is_some())
    }

    /// Returns the policy that reserves this name for a list in append files: a current one, or a
    /// former one that still has messages in flight or delayed.
    pub(crate) fn reserving(&self, key: &[u8]) -> Option<&QueuePolicy> {
        let holding = self.registry.policies.reserving(key);
        holding.or_else(|| if self.has_pass() { self.formerly_reserving(key) } else { None })
    }

    fn formerly_reserving(&self, key: &[u8]) -> Option<&QueuePolicy> {
        let needs = |policy: &&QueuePolicy, suffix: &[u8]| match suffix {
            IN_FLIGHT => policy.is_at_least_once(),
            _ => policy.provides_delays(),
        };
        let queues = [IN_FLIGHT, DELAYED].into_iter().filter_map(|suffix| {
            let queue = key.strip_suffix(suffix)?;
            self.dbs.iter().enumerate().find_map(|(db, database)| {
                let queue_state = self.queue_state_at(db, database.entries.get_index_of(queue)?)?;
                let policy = queue_state.policy.as_deref().filter(|policy| needs(policy, suffix));
                policy.filter(|_| !queue_state.has_nothing_hidden())
            })
        });
        queues.into_iter().next()
    }
}
