//! Keys and their values, in numbered databases.
//!
//! One entry has everything that belongs to a key: its value, its expiry, the clients that wait for
//! it and those that watch it. So one look-up finds both the value and the waiters. Every change of
//! a value passes through this module, which takes care of the consequences: the key is added to
//! the ready list if clients wait, and its watches break. No command has to do either.
//!
//! An entry may have only waiters or watchers and no value; commands do not see it.

mod attachments;
mod capacity;
mod chunked;
mod cursor;
mod delayed;
mod deliveries;
mod departures;
mod edit;
mod entries;
mod entry;
mod expiry;
mod flush;
mod found;
mod holdings;
mod in_flight;
mod loading;
mod numbered;
mod passing;
mod pause;
mod policy_pass;
mod producers;
mod queue_clock;
mod queue_event;
mod queue_state;
mod ranks;
mod recent;
mod saved;
mod slot;
mod snapshot;
mod suffixes;
mod swap;
mod totals;
mod upkeep;

use crate::client_id::ClientId;
use crate::clock::Now;
use crate::deadlines::Deadlines;
use crate::effects::Effects;
use crate::line_limit::LineLimit;
use crate::queue::Queue;
use crate::value::Kind;
use crate::work::Work;
use ahash::RandomState;
use attachments::Attachments;
use entries::Entries;
use entry::Entry;
use flush::Trash;
use queue_clock::QueueClock;
use queue_state::QueueRegistry;
use snapshot::{Snapshot, Walk};

pub(crate) use deliveries::Return;
pub(crate) use edit::{Expiry, Plain};
pub(crate) use in_flight::{Delivery, InFlight, Position};
pub(crate) use policy_pass::NewlyStamped;
pub(crate) use queue_event::QueueEvent;
pub(crate) use queue_state::{QueueState, is_mark};
pub(crate) use recent::Fingerprint;
pub(crate) use saved::{SavedKey, SavedPart};
pub(crate) use slot::Slot;
pub(crate) use totals::{COUNTS, Totals};

pub(crate) use crate::departure::{Departure, Fate, Removed};
pub(crate) use crate::key::{DbIndex, Key};
pub(crate) use crate::value::{Value, WrongType};

/// `expires_ms` of a value without an expiry.
const NEVER: i64 = i64::MIN;

/// Bytes that a key takes besides its value, which includes the key: the entry and its position in
/// the table, of which a quarter is empty.
const ENTRY_BYTES: usize = size_of::<Entry>() + 8;

/// One database.
#[derive(Debug)]
struct Db {
    entries: Entries,
    /// The index found by the last look-up, if no entry has moved since: the next one is often for
    /// the same key, and then needs no hash.
    last_found: usize,
    /// The number of entries with a value.
    value_count: usize,
    /// The expiries, in Unix milliseconds.
    expiries: Deadlines<Key>,
    /// When queues under policies have something due, by the queue clock.
    dues: Deadlines<Key, i64>,
    walk: Walk,
    /// Entries from this index on are under the current policies.
    pass_left: usize,
}

/// All databases.
#[derive(Debug)]
pub(crate) struct Keyspace {
    dbs: Vec<Db>,
    /// Keys that got a value while clients wait for them, in this order.
    ready: Vec<(DbIndex, Key)>,
    /// Queues with waiting producers whose capacity changed.
    capacity_changed: Vec<(DbIndex, Key)>,
    /// Clients whose watched keys changed.
    broken_watches: Vec<ClientId>,
    /// Bytes of memory of all keys and values.
    bytes: usize,
    /// The entry whose queue was the last to grow. If it grows again before another does, it is
    /// being filled.
    grown: Option<(DbIndex, usize)>,
    /// The time that look-ups record as the last use, in seconds of the monotonic clock.
    now_s: u32,
    /// Whether look-ups record it (CLIENT NO-TOUCH).
    marks_use: bool,
    /// Unix milliseconds: a value with an expiry up to this time has expired, even if it is not yet
    /// removed.
    now_ms: i64,
    /// The work done.
    pub work: Work,
    /// The effects, for their readers. Commands record their own; expiry is recorded here.
    pub effects: Effects,
    queue_clock: QueueClock,
    /// The time of the turn by the queue clock, in milliseconds.
    queue_ms: i64,
    /// The earliest expiry of each database, in Unix milliseconds.
    due_dbs: Deadlines<DbIndex>,
    /// The number of expired values.
    expired_count: u64,
    /// The number of changes by commands.
    changes: u64,
    /// The number of the running snapshot, or of the last one.
    epoch: u32,
    /// The running snapshot.
    snapshot: Option<Snapshot>,
    registry: QueueRegistry,
    /// The content of flushed databases, to be freed in parts.
    trash: Vec<Trash>,
    /// Limits the log lines about queues.
    told: LineLimit<QueueEvent>,
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
            queue_clock: QueueClock::default(),
            queue_ms: 0,
            due_dbs: Deadlines::default(),
            expired_count: 0,
            changes: 0,
            epoch: 0,
            snapshot: None,
            registry: QueueRegistry::default(),
            trash: Vec::new(),
            told: LineLimit::default(),
        }
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

    /// Sets the time that look-ups record as the last use, and whether look-ups of existing keys
    /// record it.
    #[inline]
    pub(crate) fn set_use_time(&mut self, now: Now, marks_use: bool) {
        // Wraps after 136 years of uptime.
        self.now_s = (now.monotonic_us / 1_000_000) as u32;
        self.marks_use = marks_use;
    }

    /// As `find`, for frequent callers: no function call if the key is that of the last look-up and
    /// has no expiry.
    #[inline(always)]
    fn find_again(&mut self, db: DbIndex, key: &[u8]) -> Option<usize> {
        if !self.registry.is_behind {
            let Db { entries, last_found, .. } = &self.dbs[db];
            if let Some(entry) = entries.get_index(*last_found)
                && entry.stays_at(key)
            {
                return Some(*last_found);
            }
        }
        self.find(db, key)
    }

    /// Returns the index of a key's entry. An expired value is removed first, and its removal
    /// recorded: before the effects of the caller, which may depend on it.
    #[inline(never)]
    fn find(&mut self, db: DbIndex, key: &[u8]) -> Option<usize> {
        if self.registry.is_behind {
            self.catch_up(db, key);
        }
        let now_ms = self.now_ms;
        let Db { entries, last_found, .. } = &mut self.dbs[db];
        let is_due = match entries.get_index(*last_found) {
            Some(entry) if entry.key() == key => entry.is_due(now_ms),
            _ => {
                let index = entries.get_index_of(key)?;
                *last_found = index;
                entries[index].is_due(now_ms)
            }
        };
        let index = *last_found;
        if is_due {
            self.expire_entry(db, index);
            return self.dbs[db].entries.get_index_of(key);
        }
        Some(index)
    }

    #[inline]
    fn entry_mut(&mut self, db: DbIndex, index: usize) -> &mut Entry {
        &mut self.dbs[db].entries[index]
    }

    /// Returns the value of a key.
    pub(crate) fn get(&mut self, db: DbIndex, key: &[u8]) -> Option<&Value> {
        let index = self.find(db, key)?;
        let entry = &mut self.dbs[db].entries[index];
        entry.mark_used(self.now_s, self.marks_use);
        entry.value()
    }

    /// Returns the value of a key, without recording a use.
    pub(crate) fn peek(&self, db: DbIndex, key: &[u8]) -> Option<&Value> {
        self.dbs[db].entries.get(key)?.live_value(self.now_ms)
    }

    /// Returns the list at a key, if it has one, without recording a use.
    pub(crate) fn peek_list(&self, db: DbIndex, key: &[u8]) -> Option<&Queue> {
        self.peek(db, key).and_then(Queue::of)
    }

    /// Whether a key has a value, without recording a use.
    pub(crate) fn contains(&self, db: DbIndex, key: &[u8]) -> bool {
        self.peek(db, key).is_some()
    }

    /// Returns the value at a key, if there is one; it must have this type.
    pub(crate) fn read<T: Kind>(
        &mut self,
        db: DbIndex,
        key: &[u8],
    ) -> Result<Option<&T>, WrongType> {
        self.get(db, key).map(|value| T::of(value).ok_or(WrongType)).transpose()
    }

    /// Returns the list at a key, if there is one.
    pub(crate) fn list(&mut self, db: DbIndex, key: &[u8]) -> Result<Option<&Queue>, WrongType> {
        self.read(db, key)
    }

    /// Returns the time of a key's last use, in seconds of the monotonic clock.
    pub(crate) fn last_use_s(&self, db: DbIndex, key: &[u8]) -> Option<u32> {
        let entry = self.dbs[db].entries.get(key)?;
        entry.live_value(self.now_ms).map(|_| entry.used_s())
    }

    /// Returns the bytes of memory of one key and its value.
    pub(crate) fn key_bytes(&self, db: DbIndex, key: &[u8]) -> Option<usize> {
        Some(ENTRY_BYTES + self.peek(db, key)?.allocated_bytes())
    }

    /// Sets the value at a key, replacing any other; it expires at `expires_ms`.
    pub(crate) fn insert(
        &mut self,
        db: DbIndex,
        key: &[u8],
        value: Value,
        expires_ms: Option<i64>,
    ) {
        let index = self.find_or_create(db, key);
        self.clear_value(db, index);
        self.put_value(db, index, value);
        self.write_expiry(db, index, expires_ms);
        self.changed(db, index);
    }

    /// Removes and returns the value of a key, with its expiry.
    pub(crate) fn remove(&mut self, db: DbIndex, key: &[u8]) -> Option<(Value, Option<i64>)> {
        let index = self.find(db, key)?;
        let expires_ms = self.entry_mut(db, index).expires_ms();
        let value = self.clear_value(db, index)?;
        self.work.copied(value.allocated_bytes());
        self.changed(db, index);
        self.drop_if_unused(db, index);
        Some((value, (expires_ms != NEVER).then_some(expires_ms)))
    }

    #[inline]
    fn find_or_create(&mut self, db: DbIndex, key: &[u8]) -> usize {
        self.find_or_create_sized(db, key, || 0)
    }

    /// As `find_or_create`; a new entry has capacity for this many bytes of messages.
    #[inline]
    fn find_or_create_sized(
        &mut self,
        db: DbIndex,
        key: &[u8],
        capacity_bytes: impl FnOnce() -> usize,
    ) -> usize {
        match self.find_again(db, key) {
            Some(index) => index,
            None => self.create(db, key, capacity_bytes()),
        }
    }

    #[inline(never)]
    fn create(&mut self, db: DbIndex, key: &[u8], capacity_bytes: usize) -> usize {
        let index = self.dbs[db].entries.add(key, self.epoch, capacity_bytes);
        self.bytes += ENTRY_BYTES + self.dbs[db].entries[index].allocated_bytes();
        self.add_suffixed(key);
        self.apply_policy(db, index);
        index
    }

    /// Sets the value of an entry that has none.
    fn put_value(&mut self, db: DbIndex, index: usize, value: Value) {
        let entry = self.entry_mut(db, index);
        let bytes_before = entry.allocated_bytes();
        entry.set_value(value);
        self.bytes = self.bytes + self.dbs[db].entries[index].allocated_bytes() - bytes_before;
        self.value_comes(db, index);
    }

    /// Called when an entry gets a value: just after, or while it has an empty queue that is about
    /// to get its first message.
    fn value_comes(&mut self, db: DbIndex, index: usize) {
        let used_s = self.now_s;
        self.dbs[db].value_count += 1;
        self.entry_mut(db, index).set_used_s(used_s);
        self.stamp_value(db, index);
        let entry = self.entry_mut(db, index);
        if let Some(queue_state) = entry.attachments_mut().and_then(|i| i.queue_state.as_mut()) {
            queue_state.expires_ms = NEVER;
        }
    }

    /// Removes and returns the value of an entry, and removes its expiry.
    fn clear_value(&mut self, db: DbIndex, index: usize) -> Option<Value> {
        self.before_change(db, index);
        let entry = self.entry_mut(db, index);
        if !entry.has_value() {
            return None;
        }
        Some(self.take_content(db, index))
    }

    /// Removes and returns the value of an entry, possibly a queue that just became empty.
    fn take_content(&mut self, db: DbIndex, index: usize) -> Value {
        let entry = self.entry_mut(db, index);
        let bytes_before = entry.allocated_bytes();
        let value = entry.take_content();
        self.bytes = self.bytes + self.dbs[db].entries[index].allocated_bytes() - bytes_before;
        self.value_has_gone(db, index);
        value
    }

    /// Called when an entry no longer has a value.
    fn value_has_gone(&mut self, db: DbIndex, index: usize) {
        self.dbs[db].value_count -= 1;
        if self.entry_mut(db, index).expires_ms() != NEVER {
            self.write_expiry(db, index, None);
        }
    }

    /// Drops an entry without a value and attachments. This may move another entry to its index, so
    /// it must be the last use of an index.
    fn drop_if_unused(&mut self, db: DbIndex, index: usize) {
        let entry = self.entry_mut(db, index);
        if entry.has_value() {
            return;
        }
        if entry.attachments().is_some() {
            return self.list_if_idle(db, index);
        }
        if let Some(entry) = self.dbs[db].entries.swap_remove(index) {
            self.bytes -= ENTRY_BYTES + entry.allocated_bytes();
            self.grown = match self.grown {
                Some(gone) if gone == (db, index) => None,
                // The last entry has moved to this index.
                Some(moved) if moved == (db, self.dbs[db].entries.len()) => Some((db, index)),
                other => other,
            };
        }
    }

    /// Handles the consequences of a changed value.
    #[inline]
    fn changed(&mut self, db: DbIndex, index: usize) {
        self.changes += 1;
        self.signal(db, index);
    }

    /// Panics if the counts disagree with the entries.
    pub(crate) fn check_invariants(&self) {
        let mut bytes = 0;
        for db in &self.dbs {
            db.entries.check_invariants();
            let values = db.entries.iter().filter(|entry| entry.has_value()).count();
            assert_eq!(values, db.value_count);
            for entry in db.entries.iter() {
                bytes += ENTRY_BYTES + entry.allocated_bytes();
                if let Some(queue) = entry.list() {
                    queue.check_invariants();
                }
                assert!(entry.has_value() || entry.attachments().is_some(), "an unused entry");
                assert!(
                    entry.has_value() || entry.expires_ms() == NEVER,
                    "an expiry without a value"
                );
                let Some(full) = entry.full() else { continue };
                assert_eq!(*full.key, *entry.key());
                let is_list = Queue::of(&full.value).is_some();
                assert!(full.attachments.is_some() || full.expires_ms != NEVER || !is_list);
                if let Some(attachments) = &full.attachments {
                    assert!(!attachments.is_unused());
                    bytes += attachments.queue_state.as_ref().map_or(0, |g| g.allocated_bytes());
                }
            }
            let expiring = db.entries.iter().filter(|entry| entry.expires_ms() != NEVER).count();
            assert_eq!(expiring, db.expiries.len());
        }
        assert_eq!(bytes + self.departing_bytes() + self.trash_bytes(), self.bytes);
        self.check_queue_states();
        self.check_departing();
        let firsts = self.dbs.iter().filter(|db| db.expiries.next().is_some()).count();
        assert_eq!(firsts, self.due_dbs.len());
        for (due, db) in self.due_dbs.iter() {
            assert_eq!(self.dbs[*db].expiries.next(), Some(due));
        }
    }
}
