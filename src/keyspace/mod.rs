//! Keys and their values, in numbered databases.
//!
//! One entry holds all that belongs to a key: its value, when it expires, which clients wait for
//! it and which watch it. So one look-up answers both 'what is here' and 'who waits', and every
//! change of a value passes through this module, which notes what follows from it: the key is
//! put on the ready list if somebody waits, and watches on it are broken. No command has to
//! remember either.
//!
//! An entry may have no value, only waiters or watchers; it is then invisible to commands.

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
pub(crate) use in_flight::{Delivery, InFlight, Place};
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

/// `expires_ms` of a value that stays.
const NEVER: i64 = i64::MIN;

/// Bytes that a key takes beside its value, which has the key as well: the entry and its place in the
/// table, of which a quarter is empty.
const ENTRY_BYTES: usize = size_of::<Entry>() + 8;

/// One database.
#[derive(Debug)]
struct Db {
    entries: Entries,
    /// Where the last look-up found its key, if no entry has moved since: the next is often of the
    /// same key, and then needs no hash.
    last_found: usize,
    /// Entries that have a value.
    value_count: usize,
    /// Unix milliseconds at which values expire.
    expiries: Deadlines<Key>,
    /// When queues under policies have something to do, by the clock of queues.
    dues: Deadlines<Key, i64>,
    walk: Walk,
    /// Entries from this one on follow the policies that hold.
    pass_left: usize,
}

/// All databases.
#[derive(Debug)]
pub(crate) struct Keyspace {
    dbs: Vec<Db>,
    /// Keys that got a value while clients wait for them, in the order in which that happened.
    ready: Vec<(DbIndex, Key)>,
    /// Queues for which producers wait and where there may be room.
    capacity_changed: Vec<(DbIndex, Key)>,
    /// Clients whose watched keys changed.
    broken_watches: Vec<ClientId>,
    /// Memory of all keys and values.
    bytes: usize,
    /// The entry whose queue was the last to grow. One that grows again before another does is being
    /// filled.
    grown: Option<(DbIndex, usize)>,
    /// The time that look-ups note as the last use, in seconds of the monotonic clock.
    now_s: u32,
    /// Whether they do (CLIENT NO-TOUCH).
    marks_use: bool,
    /// Unix milliseconds: a value whose expiry is not after it is gone, even where it has not
    /// been removed yet.
    now_ms: i64,
    /// How much has been done.
    pub work: Work,
    /// What changed, for those who record it. Commands state what they did; what goes by itself is recorded
    /// here.
    pub effects: Effects,
    queue_clock: QueueClock,
    /// The time of the turn by that clock, in milliseconds.
    queue_ms: i64,
    /// When each database has something to expire, in Unix milliseconds.
    due_dbs: Deadlines<DbIndex>,
    /// Values that expired.
    expired_count: u64,
    /// Changes that commands made.
    changes: u64,
    /// The number of the snapshot under way, or of the last one.
    epoch: u32,
    /// The snapshot under way.
    snapshot: Option<Snapshot>,
    registry: QueueRegistry,
    /// What databases held that were flushed, to be freed in parts.
    trash: Vec<Trash>,
    /// What the log was told of queues.
    told: LineLimit<QueueEvent>,
}

impl Keyspace {
    /// `count` empty databases, hashing with `seed`.
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

    /// How many databases there are.
    pub(crate) fn db_count(&self) -> usize {
        self.dbs.len()
    }

    /// How many keys a database holds.
    pub(crate) fn len(&self, db: DbIndex) -> usize {
        self.dbs[db].value_count
    }

    /// Whether a database holds no key.
    pub(crate) fn is_empty(&self, db: DbIndex) -> bool {
        self.len(db) == 0
    }

    /// How many of a database's keys will expire.
    pub(crate) fn expiring_len(&self, db: DbIndex) -> usize {
        self.dbs[db].expiries.len()
    }

    /// Memory of all keys and values in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much of that is the tables' and not the names' and values'.
    pub(crate) fn table_bytes(&self) -> usize {
        (0..self.dbs.len()).map(|db| self.db_table_bytes(db)).sum()
    }

    /// The same of one database.
    pub(crate) fn db_table_bytes(&self, db: DbIndex) -> usize {
        self.dbs[db].entries.len() * ENTRY_BYTES
    }

    /// Bytes of a database's table of keys that will expire.
    pub(crate) fn db_expiry_bytes(&self, db: DbIndex) -> usize {
        self.expiring_len(db) * size_of::<(u64, Key)>()
    }

    /// A count that grows with every change that a command makes; expiry is not one.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Counts a change that is of no key: its reply promises as much as any other.
    pub(crate) fn mark_change(&mut self) {
        self.changes += 1;
    }

    /// How many values have expired since the start.
    pub(crate) fn expired_count(&self) -> u64 {
        self.expired_count
    }

    /// Sets the time that look-ups note as the last use, and whether those of existing keys do.
    #[inline]
    pub(crate) fn set_use_time(&mut self, now: Now, marks_use: bool) {
        // Wraps after 136 years of uptime.
        self.now_s = (now.monotonic_us / 1_000_000) as u32;
        self.marks_use = marks_use;
    }

    /// As `find`, for those that are called most: without a call where the key is that of the last look-up
    /// and does not expire.
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

    /// Where a key's entry is. A value that has expired is removed first, and its removal recorded: before
    /// whatever the caller records, which may come from its being gone.
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

    /// The value of a key.
    pub(crate) fn get(&mut self, db: DbIndex, key: &[u8]) -> Option<&Value> {
        let index = self.find(db, key)?;
        let entry = &mut self.dbs[db].entries[index];
        entry.mark_used(self.now_s, self.marks_use);
        entry.value()
    }

    /// The value of a key, without noting that it was used.
    pub(crate) fn peek(&self, db: DbIndex, key: &[u8]) -> Option<&Value> {
        self.dbs[db].entries.get(key)?.live_value(self.now_ms)
    }

    /// The list at a key, if it has one, without noting a use.
    pub(crate) fn peek_list(&self, db: DbIndex, key: &[u8]) -> Option<&Queue> {
        self.peek(db, key).and_then(Queue::of)
    }

    /// Whether a key has a value, without noting a use.
    pub(crate) fn contains(&self, db: DbIndex, key: &[u8]) -> bool {
        self.peek(db, key).is_some()
    }

    /// The value at a key, to read, if there is one; it must be of this type.
    pub(crate) fn read<T: Kind>(
        &mut self,
        db: DbIndex,
        key: &[u8],
    ) -> Result<Option<&T>, WrongType> {
        self.get(db, key).map(|value| T::of(value).ok_or(WrongType)).transpose()
    }

    /// The list at a key, to read.
    pub(crate) fn list(&mut self, db: DbIndex, key: &[u8]) -> Result<Option<&Queue>, WrongType> {
        self.read(db, key)
    }

    /// Seconds of the monotonic clock at which a key was last used.
    pub(crate) fn last_use_s(&self, db: DbIndex, key: &[u8]) -> Option<u32> {
        let entry = self.dbs[db].entries.get(key)?;
        entry.live_value(self.now_ms).map(|_| entry.used_s())
    }

    /// Memory of one key and its value in bytes.
    pub(crate) fn key_bytes(&self, db: DbIndex, key: &[u8]) -> Option<usize> {
        Some(ENTRY_BYTES + self.peek(db, key)?.allocated_bytes())
    }

    /// Puts a value at a key in the place of what was there; it expires at `expires_ms`.
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

    /// Takes the value of a key away, with the time at which it would have expired.
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

    /// As `find_or_create`, where a new entry has room for so many bytes of messages.
    #[inline]
    fn find_or_create_sized(
        &mut self,
        db: DbIndex,
        key: &[u8],
        room: impl FnOnce() -> usize,
    ) -> usize {
        match self.find_again(db, key) {
            Some(index) => index,
            None => self.create(db, key, room()),
        }
    }

    #[inline(never)]
    fn create(&mut self, db: DbIndex, key: &[u8], room: usize) -> usize {
        let index = self.dbs[db].entries.add(key, self.epoch, room);
        self.bytes += ENTRY_BYTES + self.dbs[db].entries[index].allocated_bytes();
        self.add_suffixed(key);
        self.apply_policy(db, index);
        index
    }

    /// Gives an entry that has none a value.
    fn put_value(&mut self, db: DbIndex, index: usize, value: Value) {
        let entry = self.entry_mut(db, index);
        let bytes_before = entry.allocated_bytes();
        entry.set_value(value);
        self.bytes = self.bytes + self.dbs[db].entries[index].allocated_bytes() - bytes_before;
        self.value_comes(db, index);
    }

    /// To be called when an entry gets a value: when it has just got one, or has an empty queue that is about
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

    /// Takes the value out of an entry, with its expiry.
    fn clear_value(&mut self, db: DbIndex, index: usize) -> Option<Value> {
        self.before_change(db, index);
        let entry = self.entry_mut(db, index);
        if !entry.has_value() {
            return None;
        }
        Some(self.take_content(db, index))
    }

    /// Takes the value out of an entry, which may be a queue that has just become empty.
    fn take_content(&mut self, db: DbIndex, index: usize) -> Value {
        let entry = self.entry_mut(db, index);
        let bytes_before = entry.allocated_bytes();
        let value = entry.take_content();
        self.bytes = self.bytes + self.dbs[db].entries[index].allocated_bytes() - bytes_before;
        self.value_has_gone(db, index);
        value
    }

    /// To be called when an entry has no value any more.
    fn value_has_gone(&mut self, db: DbIndex, index: usize) {
        self.dbs[db].value_count -= 1;
        if self.entry_mut(db, index).expires_ms() != NEVER {
            self.write_expiry(db, index, None);
        }
    }

    /// Drops an entry that has neither a value nor anyone's interest. Moves another entry to
    /// its index, or to another: it is the last thing that is done with an index.
    fn drop_if_unused(&mut self, db: DbIndex, index: usize) {
        let entry = self.entry_mut(db, index);
        if entry.has_value() {
            return;
        }
        if entry.attachments().is_some() {
            return self.line_up_if_idle(db, index);
        }
        if let Some(entry) = self.dbs[db].entries.swap_remove(index) {
            self.bytes -= ENTRY_BYTES + entry.allocated_bytes();
            self.grown = match self.grown {
                Some(gone) if gone == (db, index) => None,
                // The last one has come to this place.
                Some(moved) if moved == (db, self.dbs[db].entries.len()) => Some((db, index)),
                other => other,
            };
        }
    }

    /// Notes what follows from the change of a value.
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
                assert!(entry.has_value() || entry.expires_ms() == NEVER, "expiry of nothing");
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
