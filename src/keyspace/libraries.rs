//! The libraries of functions, which are data beside the keys.

use super::Keyspace;
use crate::library::{Libraries, Library};
use std::sync::Arc;

impl Keyspace {
    /// The libraries.
    #[inline]
    pub(crate) fn libraries(&self) -> &Libraries {
        &self.libraries
    }

    /// Adds a library, in the place of one with the same name.
    pub(crate) fn add_library(&mut self, library: Arc<Library>) {
        self.libraries.add(library);
        self.changes += 1;
    }

    /// Removes a library. Returns whether there was one.
    pub(crate) fn remove_library(&mut self, name: &[u8]) -> bool {
        let is_removed = self.libraries.remove(name);
        self.changes += u64::from(is_removed);
        is_removed
    }

    /// Removes all libraries. It is a change even if there are none, as in Redis.
    pub(crate) fn remove_libraries(&mut self) {
        self.libraries.clear();
        self.changes += 1;
    }
}
