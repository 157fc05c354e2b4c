//! Names of keys and databases.

use std::sync::Arc;

/// The bytes of a key, shared by all tables that name it.
pub(crate) type Key = Arc<[u8]>;

/// The number of a database, from 0.
pub(crate) type DbIndex = usize;
