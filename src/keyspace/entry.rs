//! The entry of a key.
//!
//! Most entries have only a value. The entry is then just this value, which stores the key, its hash and the
//! time of its last use.

use super::{Attachments, Key, NEVER, Value};
use crate::queue::Queue;
use crate::value::{ARC_BYTES, Kind, Owner};

/// The value's number with the time of the last read or write, in seconds of the monotonic clock.
const USED_S: usize = 0;
/// The value's number with the last snapshot that saved the entry, or that was running when it was
/// created.
const EPOCH: usize = 1;

/// An entry of a database. Without a value it has an empty queue.
#[derive(Debug)]
pub(super) struct Entry {
    parts: Parts,
}

/// Bytes that a key takes besides its value, which includes the key: the entry and its position in
/// the table, of which a quarter is empty.
pub(super) const ENTRY_BYTES: usize = size_of::<Entry>() + 8;

/// There is one entry per key, so each byte counts.
const _: () = assert!(size_of::<Entry>() == 16);

#[derive(Debug)]
enum Parts {
    /// A value that stores its key.
    Value(Value),
    Full(Box<Full>),
}

/// An entry with more than a value. Always used for a key with attachments or an expiry, and for a value that
/// does not store its key: a stream, or one with a long key that is not a list.
#[derive(Debug)]
pub(super) struct Full {
    pub(super) key: Key,
    /// Those of the value, while they are here.
    numbers: [u32; 2],
    /// An empty queue if there is no value.
    pub(super) value: Value,
    /// The expiry in Unix milliseconds; `NEVER` without one.
    pub(super) expires_ms: i64,
    pub(super) attachments: Option<Box<Attachments>>,
}

/// An entry as commands usually find it.
pub(super) enum Usual<'a> {
    /// It has nothing but messages.
    Plain(PlainList<'a>),
    /// It has a queue under a policy, or paused, and no expiry.
    UnderPolicy,
    Other,
}

/// The list of an entry that has nothing else.
pub(super) struct PlainList<'a> {
    queue: &'a mut Queue,
}

impl<'a> PlainList<'a> {
    /// Returns the list, and sets the time of the last use, if uses are recorded.
    #[inline]
    pub(super) fn mark_used(self, now_s: u32, marks_use: bool) -> &'a mut Queue {
        if marks_use {
            self.queue.set_number(USED_S, now_s);
        }
        self.queue
    }
}

impl Full {
    #[inline]
    fn is_under_policy_at(&self, key: &[u8]) -> bool {
        *self.key == *key
            && self.expires_ms == NEVER
            && self.attachments.as_ref().is_some_and(|it| it.queue_state.is_some())
            && Queue::of(&self.value).is_some()
    }

    /// Sets the time of the last use, if uses are recorded.
    #[inline]
    pub(super) fn mark_used(&mut self, now_s: u32, marks_use: bool) {
        if marks_use {
            self.numbers[USED_S] = now_s;
        }
    }
}

impl Entry {
    /// Returns an entry without a value, with capacity for one of this many bytes.
    #[inline]
    pub(super) fn new(key: &[u8], hash: u32, epoch: u32, capacity_bytes: usize) -> Entry {
        let mut numbers = [0; 2];
        numbers[EPOCH] = epoch;
        Entry { parts: Parts::Value(Value::List(Queue::named(key, hash, numbers, capacity_bytes))) }
    }

    /// Returns the value, or the empty queue in its stead.
    #[inline]
    pub(super) fn content(&self) -> &Value {
        match &self.parts {
            Parts::Value(value) => value,
            Parts::Full(full) => &full.value,
        }
    }

    #[inline]
    pub(super) fn content_mut(&mut self) -> &mut Value {
        match &mut self.parts {
            Parts::Value(value) => value,
            Parts::Full(full) => &mut full.value,
        }
    }

    /// Returns the queue, empty if there is no value; `None` if the value is not a list.
    #[inline]
    pub(super) fn list(&self) -> Option<&Queue> {
        Queue::of(self.content())
    }

    #[inline]
    pub(super) fn list_mut(&mut self) -> Option<&mut Queue> {
        Queue::of_mut(self.content_mut())
    }

    /// Returns what the entry is, if it is one of those that commands usually find at this key.
    #[inline(always)]
    pub(super) fn usual_at(&mut self, key: &[u8]) -> Usual<'_> {
        match &mut self.parts {
            Parts::Value(Value::List(queue)) if queue.name() == key && !queue.is_empty() => {
                Usual::Plain(PlainList { queue })
            }
            Parts::Full(full) if full.is_under_policy_at(key) => Usual::UnderPolicy,
            _ => Usual::Other,
        }
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        match &self.parts {
            Parts::Value(value) => value.name(),
            Parts::Full(full) => &full.key,
        }
    }

    /// Whether this is the key.
    #[inline(always)]
    pub(super) fn has_key(&self, key: &[u8]) -> bool {
        match &self.parts {
            Parts::Value(Value::List(queue)) => queue.name() == key,
            Parts::Value(value) => value.name() == key,
            Parts::Full(full) => *full.key == *key,
        }
    }

    /// Whether this is the key with this hash.
    #[inline]
    pub(super) fn is_at(&self, key: &[u8], hash: u32) -> bool {
        match &self.parts {
            Parts::Value(Value::List(queue)) => queue.hash() == hash && queue.name() == key,
            _ => self.has_key(key),
        }
    }

    /// Returns the hash of the key, which only a queue stores.
    #[inline]
    pub(super) fn hash(&self, hash_of: impl FnOnce(&[u8]) -> u32) -> u32 {
        match self.list() {
            Some(queue) => queue.hash(),
            None => hash_of(self.key()),
        }
    }

    /// Returns what a value stores for the entry.
    #[inline]
    fn owner(&self) -> Owner<'_> {
        match &self.parts {
            Parts::Value(value) => value.owner().unwrap_or(Owner { name: &[], numbers: [0; 2] }),
            Parts::Full(full) => Owner { name: &full.key, numbers: full.numbers },
        }
    }

    /// Returns the key in its shared form.
    pub(super) fn shared_key(&self) -> Key {
        match &self.parts {
            Parts::Value(_) => Key::from(self.key()),
            Parts::Full(full) => full.key.clone(),
        }
    }

    #[inline]
    fn numbers(&self) -> [u32; 2] {
        self.owner().numbers
    }

    #[inline]
    fn set_number(&mut self, which: usize, number: u32) {
        match &mut self.parts {
            Parts::Value(value) => value.set_number(which, number),
            Parts::Full(full) => full.numbers[which] = number,
        }
    }

    #[inline]
    pub(super) fn has_value(&self) -> bool {
        match self.content() {
            Value::List(queue) => !queue.is_empty(),
            Value::String(_) | Value::Stream(_) => true,
            // Only while it is being changed.
            other => !is_empty(other),
        }
    }

    /// Returns the value, even if it has expired.
    #[inline]
    pub(super) fn value(&self) -> Option<&Value> {
        self.has_value().then(|| self.content())
    }

    #[inline]
    pub(super) fn value_mut(&mut self) -> Option<&mut Value> {
        if self.has_value() { Some(self.content_mut()) } else { None }
    }

    /// Returns the value, if it has not expired.
    #[inline]
    pub(super) fn live_value(&self, now_ms: i64) -> Option<&Value> {
        if self.is_due(now_ms) { None } else { self.value() }
    }

    /// Replaces the value. `hash_of` hashes the key.
    pub(super) fn set_value(&mut self, value: Value, hash_of: impl FnOnce(&[u8]) -> u32) {
        let renamed = value.renamed(self.owner(), || self.hash(hash_of));
        match renamed.owner() {
            Some(_) => *self.content_mut() = renamed,
            None => self.make_full().value = renamed,
        }
        self.forget_full();
    }

    /// Removes and returns the value, or the empty queue in its stead, with its memory. `hash_of` hashes the
    /// key.
    pub(super) fn take_content(&mut self, hash_of: impl FnOnce(&[u8]) -> u32) -> Value {
        let (Owner { name, numbers }, hash) = (self.owner(), self.hash(hash_of));
        let empty = Queue::named(name, hash, numbers, 0);
        let content = std::mem::replace(self.content_mut(), empty.into_value());
        self.forget_full();
        content
    }

    /// Returns the bytes of memory of the value, the key and the expiry.
    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        let full_bytes = match &self.parts {
            // Attachments are counted apart, if at all.
            Parts::Full(full) if full.expires_ms != NEVER || full.value.owner().is_none() => {
                size_of::<Full>() + ARC_BYTES + full.key.len()
            }
            _ => 0,
        };
        full_bytes + self.content().allocated_bytes()
    }

    /// Returns the time of the last use.
    pub(super) fn used_s(&self) -> u32 {
        self.numbers()[USED_S]
    }

    #[inline]
    pub(super) fn set_used_s(&mut self, now_s: u32) {
        self.set_number(USED_S, now_s);
    }

    pub(super) fn epoch(&self) -> u32 {
        self.numbers()[EPOCH]
    }

    pub(super) fn set_epoch(&mut self, epoch: u32) {
        self.set_number(EPOCH, epoch);
    }

    /// Sets the time of the last use, if uses are recorded.
    #[inline]
    pub(super) fn mark_used(&mut self, now_s: u32, marks_use: bool) {
        if marks_use {
            self.set_used_s(now_s);
        }
    }

    /// True if there is nothing besides a value.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.parts, Parts::Value(_))
    }

    /// Returns the parts besides the value, if there are any.
    #[inline]
    pub(super) fn full(&self) -> Option<&Full> {
        match &self.parts {
            Parts::Value(_) => None,
            Parts::Full(full) => Some(full),
        }
    }

    #[inline]
    pub(super) fn full_mut(&mut self) -> Option<&mut Full> {
        match &mut self.parts {
            Parts::Value(_) => None,
            Parts::Full(full) => Some(full),
        }
    }

    /// Returns the parts besides the value; creates them if there are none.
    fn make_full(&mut self) -> &mut Full {
        if self.is_plain() {
            let (key, numbers) = (Key::from(self.key()), self.numbers());
            let value = std::mem::replace(self.content_mut(), Queue::new().into_value());
            let (expires_ms, attachments) = (NEVER, None);
            let full = Full { key, numbers, value, expires_ms, attachments };
            self.parts = Parts::Full(Box::new(full));
        }
        match &mut self.parts {
            Parts::Full(full) => full,
            Parts::Value(_) => unreachable!("it was made full above"),
        }
    }

    /// Makes the entry plain again, if only a value is left that stores the key.
    fn forget_full(&mut self) {
        let Parts::Full(full) = &mut self.parts else { return };
        let is_needed = full.attachments.is_some() || full.expires_ms != NEVER;
        if is_needed || full.value.owner().is_none() {
            return;
        }
        let mut value = std::mem::replace(&mut full.value, Queue::new().into_value());
        value.set_number(USED_S, full.numbers[USED_S]);
        value.set_number(EPOCH, full.numbers[EPOCH]);
        self.parts = Parts::Value(value);
    }

    #[inline]
    pub(super) fn expires_ms(&self) -> i64 {
        self.full().map_or(NEVER, |full| full.expires_ms)
    }

    pub(super) fn set_expires_ms(&mut self, expires_ms: i64) {
        if self.expires_ms() != expires_ms {
            self.make_full().expires_ms = expires_ms;
            self.forget_full();
        }
    }

    /// Whether this is the key, without an expiry.
    #[inline(always)]
    pub(super) fn stays_at(&self, key: &[u8]) -> bool {
        self.has_key(key) && self.expires_ms() == NEVER
    }

    #[inline]
    pub(super) fn is_due(&self, now_ms: i64) -> bool {
        self.full().is_some_and(|full| full.expires_ms != NEVER && full.expires_ms <= now_ms)
    }

    #[inline]
    pub(super) fn attachments(&self) -> Option<&Attachments> {
        self.full()?.attachments.as_deref()
    }

    #[inline]
    pub(super) fn attachments_mut(&mut self) -> Option<&mut Attachments> {
        self.full_mut()?.attachments.as_deref_mut()
    }

    pub(super) fn attachments_or_default(&mut self) -> &mut Attachments {
        self.make_full().attachments.get_or_insert_default()
    }

    pub(super) fn set_attachments(&mut self, attachments: Option<Box<Attachments>>) {
        if attachments.is_some() || self.attachments().is_some() {
            self.make_full().attachments = attachments;
            self.forget_full();
        }
    }

    pub(super) fn take_attachments(&mut self) -> Option<Box<Attachments>> {
        let attachments = self.full_mut()?.attachments.take();
        self.forget_full();
        attachments
    }
}

#[inline(never)]
fn is_empty(value: &Value) -> bool {
    value.len() == 0
}
