//! How keys and databases are named.

use std::sync::Arc;

/// A key's bytes, shared with whoever waits for it or expires it.
pub(crate) type Key = Arc<[u8]>;

/// Number of a database, from 0.
pub(crate) type DbIndex = usize;
