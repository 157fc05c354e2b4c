//! Keys: their number and memory, look-ups, changes, expiry.

use super::figure::Unit::{Bytes, Count};
use super::figure::{Each, Figure, counter, gauge};
use crate::keyspace::{DbIndex, Keyspace};

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    gauge("keys", "keys", Count, "Keys in all databases.", |r| r.key_count().into()),
    gauge("bytes_per_key", "", Bytes, "Memory of all keys, values and tables, per key.",
        |r| r.state.keyspace.bytes().checked_div(r.key_count()).unwrap_or(0).into()),
    counter("keyspace_hits", "key_hits_total", Count,
        "Look-ups for reading that found the key.", |r| r.state.stats.keyspace_hits.into()),
    counter("keyspace_misses", "key_misses_total", Count, "Look-ups for reading that found no key.",
        |r| r.state.stats.keyspace_misses.into()),
    counter("changes", "changes_total", Count,
        "Changes made by commands.", |r| r.state.keyspace.changes().into()),
    counter("expired_keys", "keys_expired_total", Count, "Keys that expired.",
        |r| r.state.keyspace.expired_count().saturating_sub(r.state.stats.expired_before).into()),
];

/// The size of a database.
pub struct DatabaseSize {
    keys: usize,
    expiring: usize,
    table_bytes: usize,
    expiry_bytes: usize,
}

impl DatabaseSize {
    pub(crate) fn of(keyspace: &Keyspace, db: DbIndex) -> DatabaseSize {
        DatabaseSize {
            keys: keyspace.len(db),
            expiring: keyspace.expiring_len(db),
            table_bytes: keyspace.db_table_bytes(db),
            expiry_bytes: keyspace.db_expiry_bytes(db),
        }
    }
}

/// For each database, as INFO shows it.
#[rustfmt::skip]
pub static EACH_DATABASE: &[Each<DatabaseSize>] = &[
    gauge("keys", "database_keys", Count, "Keys in the database.", |size| size.keys.into()),
    gauge("expires", "database_expiring_keys", Count,
        "Keys in the database that will expire.", |size| size.expiring.into()),
];

/// For each database, as MEMORY STATS shows it.
#[rustfmt::skip]
pub static EACH_DATABASE_BYTES: &[Each<DatabaseSize>] = &[
    gauge("overhead.hashtable.main", "", Bytes, "Memory of the database's table of keys.",
        |size| size.table_bytes.into()),
    gauge("overhead.hashtable.expires", "", Bytes, "Memory of the database's table of keys that will expire.",
        |size| size.expiry_bytes.into()),
];
