//! The databases, and what is known about all of them.

use super::entries::Entries;
use super::entry::ENTRY_BYTES;
use super::queue_clock::QueueClock;
use super::queue_registry::QueueRegistry;
use super::running_snapshot::Snapshot;
use super::trash::Trash;
use super::walk::Walk;
use super::{DbIndex, Key, QueueEvent};
use crate::client_id::ClientId;
use crate::deadlines::Deadlines;
use crate::effects::Effects;
use crate::library::Libraries;
use crate::line_limit::LineLimit;
use crate::note::StreamPlace;
use crate::work::Work;
use ahash::RandomState;

/// One database.
#[derive(Debug)]
pub(super) struct Db {
    pub(super) entries: Entries,
    /// The index found by the last look-up, if no entry has moved since: the next one is often for
    /// the same key, and then needs no hash.
    pub(super) last_found: usize,
    /// The number of entries with a value.
    pub(super) value_count: usize,
    /// The expiries, in Unix milliseconds.
    pub(super) expiries: Deadlines<Key>,
    /// When queues under policies have something due, by the queue clock.
    pub(super) dues: Deadlines<Key, i64>,
    pub(super) walk: Walk,
    /// Entries from this index on are under the current policies.
    pub(super) pass_left: usize,
}

/// All databases.
#[derive(Debug)]
pub(crate) struct Keyspace {
    pub(super) dbs: Vec<Db>,
    /// Keys that got a value while clients wait for them, in this order.
    pub(super) ready: Vec<(DbIndex, Key)>,
    /// Queues with waiting producers whose capacity changed.
    pub(super) capacity_changed: Vec<(DbIndex, Key)>,
    /// Clients whose watched keys changed.
    pub(super) broken_watches: Vec<ClientId>,
    /// Bytes of memory of all keys and values.
    pub(super) bytes: usize,
    /// The entry whose queue was the last to grow. If it grows again before another does, it is
    /// being filled.
    pub(super) grown: Option<(DbIndex, usize)>,
    /// The time that look-ups record as the last use, in seconds of the monotonic clock.
    pub(super) now_s: u32,
    /// Whether look-ups record it (CLIENT NO-TOUCH).
    pub(super) marks_use: bool,
    /// Unix milliseconds: a value with an expiry up to this time has expired, even if it is not yet
    /// removed.
    pub(super) now_ms: i64,
    /// The work done.
    pub work: Work,
    /// The effects, for their readers. Commands record their own; expiry is recorded here.
    pub effects: Effects,
    /// Hashes keys and messages, with a secret seed.
    pub(super) hasher: RandomState,
    pub(super) queue_clock: QueueClock,
    /// The time of the turn by the queue clock, in milliseconds.
    pub(super) queue_ms: i64,
    /// The earliest expiry of each database, in Unix milliseconds.
    pub(super) due_dbs: Deadlines<DbIndex>,
    /// The number of expired values.
    pub(super) expired_count: u64,
    /// The number of changes by commands.
    pub(super) changes: u64,
    /// The number of the running snapshot, or of the last one.
    pub(super) epoch: u32,
    /// The running snapshot.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) registry: QueueRegistry,
    /// The libraries of functions.
    pub(super) libraries: Libraries,
    /// The content of flushed databases, to be freed in parts.
    pub(super) trash: Vec<Trash>,
    /// The place in a replication stream that append files name, during loading.
    pub(super) recorded_stream: Option<StreamPlace>,
    /// Whether a primary decides what changes: see `following.rs`.
    pub(super) is_following: bool,
    /// Limits the log lines about queues.
    pub(super) told: LineLimit<QueueEvent>,
}

impl Keyspace {
    /// Returns `count` empty databases that hash with `seed`.
    pub(crate) fn new(count: usize, seed: u64) -> Keyspace {
        let hasher = RandomState::with_seeds(seed, !seed, seed.rotate_left(32), 0x7469_6465);
        let db = || Db {
            entries: Entries::with_hasher(hasher.clone()),
            last_found: 0,
            value_count: 0,
            dues: Deadlines::default(),
            expiries: Deadlines::default(),
            walk: Walk::default(),
            pass_left: 0,
        };
        Keyspace {
            dbs: std::iter::repeat_with(db).take(count.max(1)).collect(),
            ready: Vec::new(),
            capacity_changed: Vec::new(),
            broken_watches: Vec::new(),
            bytes: 0,
            grown: None,
            now_s: 0,
            marks_use: true,
            now_ms: 0,
            work: Work::default(),
            effects: Effects::default(),
            hasher: hasher.clone(),
            queue_clock: QueueClock::default(),
            queue_ms: 0,
            due_dbs: Deadlines::default(),
            expired_count: 0,
            changes: 0,
            epoch: 0,
            snapshot: None,
            registry: QueueRegistry::default(),
            libraries: Libraries::default(),
            trash: Vec::new(),
            recorded_stream: None,
            is_following: false,
            told: LineLimit::default(),
        }
    }

    /// Returns what hashes keys, messages and members, with a secret seed.
    #[inline]
    pub(crate) fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    /// Returns the number of databases.
    pub(crate) fn db_count(&self) -> usize {
        self.dbs.len()
    }

    /// Returns the number of keys in a database.
    pub(crate) fn len(&self, db: DbIndex) -> usize {
        self.dbs[db].value_count
    }

    /// True if a database has no keys.
    pub(crate) fn is_empty(&self, db: DbIndex) -> bool {
        self.len(db) == 0
    }

    /// Returns the number of keys in a database that have an expiry.
    pub(crate) fn expiring_len(&self, db: DbIndex) -> usize {
        self.dbs[db].expiries.len()
    }

    /// Returns the bytes of memory of all keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no database has a key.
    pub(crate) fn has_no_keys(&self) -> bool {
        self.dbs.iter().all(|db| db.value_count == 0)
    }

    /// Returns the bytes of the tables, without keys and values.
    pub(crate) fn table_bytes(&self) -> usize {
        (0..self.dbs.len()).map(|db| self.db_table_bytes(db)).sum()
    }

    /// Returns the bytes of one database's table, without keys and values.
    pub(crate) fn db_table_bytes(&self, db: DbIndex) -> usize {
        self.dbs[db].entries.len() * ENTRY_BYTES
    }

    /// Returns the bytes of a database's table of expiries.
    pub(crate) fn db_expiry_bytes(&self, db: DbIndex) -> usize {
        self.expiring_len(db) * size_of::<(u64, Key)>()
    }

    /// Returns a count that grows with every change by a command; expiry is not counted.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Counts a change that is not of a key: its reply promises as much as any other.
    pub(crate) fn mark_change(&mut self) {
        self.changes += 1;
    }

    /// Returns the number of values that expired since the start.
    pub(crate) fn expired_count(&self) -> u64 {
        self.expired_count
    }
}
