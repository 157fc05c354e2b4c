//! Names of keys and databases.

use std::sync::Arc;

/// The bytes of a key, shared by all tables that name it.
pub(crate) type Key = Arc<[u8]>;

/// Whether two names are the same. Often they are the same memory, which is compared first.
#[inline]
pub(crate) fn is_same_key(one: &[u8], other: &[u8]) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// The number of a database, from 0.
pub(crate) type DbIndex = usize;
