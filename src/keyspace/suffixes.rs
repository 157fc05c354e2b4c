//! Keys that end as the names do which append files need for what is in flight and delayed.
//!
//! A policy that needs such a name is refused if there is a key with it. To find that out without looking
//! at all keys, those with such an end are remembered.

use super::{Key, Keyspace};
use crate::policy::{DELAYED, IN_FLIGHT};

/// Keys that are remembered although they may have no value any more; beyond, those are forgotten.
const FORGOTTEN_LATER_MAX: usize = 1_000;

impl Keyspace {
    /// Remembers a new key if it ends like that.
    #[inline]
    pub(super) fn note_suffix(&mut self, key: &[u8]) {
        if key.ends_with(IN_FLIGHT) || key.ends_with(DELAYED) {
            self.remember_suffixed(key);
        }
    }

    #[cold]
    fn remember_suffixed(&mut self, key: &[u8]) {
        self.governance.suffixed.insert(Key::from(key));
        if self.governance.suffixed.len() > self.governance.suffixed_max.max(FORGOTTEN_LATER_MAX) {
            let mut suffixed = std::mem::take(&mut self.governance.suffixed);
            suffixed.retain(|key| self.is_anywhere(key));
            // So that each is looked at once for every other one that comes.
            self.governance.suffixed_max = 2 * suffixed.len();
            self.governance.suffixed = suffixed;
            self.governance.suffixed.insert(Key::from(key));
        }
    }

    fn is_anywhere(&self, key: &[u8]) -> bool {
        self.dbs.iter().any(|db| db.entries.get(key).is_some_and(|entry| entry.has_value()))
    }

    /// The keys with a value that end like that, in any database.
    pub fn suffixed_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.governance.suffixed.iter().filter(|key| self.is_anywhere(key)).map(|key| &key[..])
    }
}
