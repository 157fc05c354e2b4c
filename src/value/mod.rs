//! The value of a key: one of several types that implement one trait.
//!
//! To add a type, write a file here that implements [`Kind`], add a variant of [`Value`], and add
//! what the compiler then asks for: its form in append files, its signature for DEBUG DIGEST, its
//! encodings. Only this module and those places match on the variants; all other code names the
//! type it needs, and gets it or [`WrongType`].

mod compact;
mod growth;
mod hash;
mod int_set;
mod set;
mod sorted_set;
mod stream;
mod string;

pub(crate) use compact::Owner;
pub(crate) use growth::Growth;
pub(crate) use hash::HashValue;
pub(crate) use set::SetValue;
pub(crate) use sorted_set::{Set, SortedSet};
pub(crate) use stream::{
    AppendError, BlockLimits, Claim, Claimed, Consumer, ConsumerNumber, Delivery, Element, Entry,
    Group, Keep, NewId, Recipient, Stream, StreamBuilder, StreamId,
};
pub(crate) use string::StringValue;

use crate::queue::Queue;
use thiserror::Error;

/// The reference counts in front of the content of an `Arc`.
pub(crate) const ARC_BYTES: usize = 16;

/// The value of a key.
#[derive(Clone, Debug)]
pub enum Value {
    /// A list in Redis' terms: a queue of messages. Never empty.
    List(Queue),
    /// Bytes, or a number.
    String(StringValue),
    /// Fields with values. Never empty.
    Hash(HashValue),
    /// Members. Never empty.
    Set(SetValue),
    /// Members with scores. Never empty.
    SortedSet(SortedSet),
    /// Entries with ids, and groups of consumers.
    Stream(Stream),
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    List,
    String,
    Hash,
    Set,
    SortedSet,
    Stream,
}

/// The command needs a value of another type.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
pub(crate) struct WrongType;

/// The interface of every type of value.
pub(crate) trait Kind: Default {
    const TYPE: Type;

    /// Returns the value if it has this type.
    fn of(value: &Value) -> Option<&Self>;

    /// Returns the value, for changes, if it has this type.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;

    fn into_value(self) -> Value;

    /// True if nothing is left; the key is then removed.
    fn is_empty(&self) -> bool;

    /// Returns the bytes of memory besides the entry.
    fn allocated_bytes(&self) -> usize;

    /// Returns a number that changes with `allocated_bytes` and is computed at once.
    #[inline]
    fn memory_mark(&self) -> usize {
        self.allocated_bytes()
    }

    /// Returns the value of `allocated_bytes` at this mark.
    #[inline]
    fn allocated_at(&self, mark: usize) -> usize {
        mark
    }

    /// Returns a second, equal value. Must cost almost nothing even for a large value: a snapshot
    /// calls it in the middle of a command.
    fn share(&mut self) -> Self;

    /// Returns the number of elements; a string counts as one.
    fn len(&self) -> usize;

    /// Frees some of the elements, if the value is about to be dropped; returns their number. The others may not
    /// be found afterwards.
    fn free_part(&mut self) -> usize {
        std::mem::take(self).len()
    }

    /// Returns the name that its owner stores in it; an empty one if there is no place for it.
    fn name(&self) -> &[u8] {
        &[]
    }

    /// Returns the data that its owner stores in it, if there is a place for it.
    fn owner(&self) -> Option<Owner<'_>> {
        None
    }

    /// Changes one of the owner's numbers. A value without an owner has none.
    fn set_number(&mut self, _at: usize, _number: u32) {}

    /// Returns the same value with another owner's data, if there is a place for it; `hash` is that of the name.
    fn renamed(self, _owner: Owner<'_>, _hash: impl FnOnce() -> u32) -> Self {
        self
    }

    /// Called before each change, with the time of the queue clock in milliseconds.
    fn prepare(&mut self, _queue_ms: i64) {}
}

impl Kind for Queue {
    const TYPE: Type = Type::List;

    fn of(value: &Value) -> Option<&Queue> {
        match value {
            Value::List(queue) => Some(queue),
            _ => None,
        }
    }

    #[inline]
    fn of_mut(value: &mut Value) -> Option<&mut Queue> {
        match value {
            Value::List(queue) => Some(queue),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::List(self)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        Queue::is_empty(self)
    }

    #[inline]
    fn allocated_bytes(&self) -> usize {
        Queue::allocated_bytes(self)
    }

    #[inline]
    fn memory_mark(&self) -> usize {
        Queue::memory_mark(self)
    }

    #[inline]
    fn allocated_at(&self, mark: usize) -> usize {
        Queue::allocated_at(self, mark)
    }

    fn share(&mut self) -> Queue {
        Queue::share(self)
    }

    fn len(&self) -> usize {
        Queue::len(self)
    }

    #[inline(always)]
    fn name(&self) -> &[u8] {
        Queue::name(self)
    }

    #[inline]
    fn owner(&self) -> Option<Owner<'_>> {
        Some(Owner { name: self.name(), numbers: self.numbers() })
    }

    #[inline]
    fn set_number(&mut self, at: usize, number: u32) {
        Queue::set_number(self, at, number);
    }

    fn renamed(self, owner: Owner<'_>, hash: impl FnOnce() -> u32) -> Queue {
        Queue::renamed(self, owner.name, hash(), owner.numbers)
    }

    #[inline]
    fn prepare(&mut self, queue_ms: i64) {
        // During loading the clock is at zero, and the files say since when messages are ready.
        if self.is_stamped() && queue_ms != 0 {
            self.set_push_ms(queue_ms);
        }
    }
}

impl Value {
    pub fn type_of(&self) -> Type {
        match self {
            Value::List(_) => Queue::TYPE,
            Value::String(_) => StringValue::TYPE,
            Value::Hash(_) => HashValue::TYPE,
            Value::Set(_) => SetValue::TYPE,
            Value::SortedSet(_) => SortedSet::TYPE,
            Value::Stream(_) => Stream::TYPE,
        }
    }

    /// Returns Redis' name of the type, as TYPE does.
    pub fn type_name(&self) -> &'static str {
        self.type_of().name()
    }

    /// Returns the number of elements; a string counts as one.
    pub fn len(&self) -> usize {
        match self {
            Value::List(queue) => queue.len(),
            Value::String(_) => 1,
            Value::Hash(hash) => hash.len(),
            Value::Set(set) => set.len(),
            Value::SortedSet(set) => set.len(),
            Value::Stream(stream) => usize::try_from(stream.len()).unwrap_or(usize::MAX),
        }
    }

    /// Returns a second, equal value, without copying its content.
    pub fn share(&mut self) -> Value {
        match self {
            Value::List(queue) => queue.share().into_value(),
            Value::String(string) => string.share().into_value(),
            Value::Hash(hash) => hash.share().into_value(),
            Value::Set(set) => set.share().into_value(),
            Value::SortedSet(set) => set.share().into_value(),
            Value::Stream(stream) => stream.share().into_value(),
        }
    }

    /// Returns the bytes of memory besides the entry.
    pub fn allocated_bytes(&self) -> usize {
        match self {
            Value::List(queue) => queue.allocated_bytes(),
            Value::String(string) => string.allocated_bytes(),
            Value::Hash(hash) => hash.allocated_bytes(),
            Value::Set(set) => set.allocated_bytes(),
            Value::SortedSet(set) => set.allocated_bytes(),
            Value::Stream(stream) => stream.allocated_bytes(),
        }
    }

    /// Returns the name that its owner stores in it; an empty one if there is no place for it.
    #[inline(always)]
    pub(crate) fn name(&self) -> &[u8] {
        match self {
            Value::List(queue) => queue.name(),
            Value::String(string) => string.name(),
            Value::Hash(hash) => hash.name(),
            Value::Set(set) => set.name(),
            Value::SortedSet(set) => set.name(),
            Value::Stream(stream) => stream.name(),
        }
    }

    /// Returns the data that its owner stores in it, if there is a place for it.
    #[inline]
    pub(crate) fn owner(&self) -> Option<Owner<'_>> {
        match self {
            Value::List(queue) => queue.owner(),
            Value::String(string) => string.owner(),
            Value::Hash(hash) => hash.owner(),
            Value::Set(set) => set.owner(),
            Value::SortedSet(set) => set.owner(),
            Value::Stream(stream) => stream.owner(),
        }
    }

    /// Changes one of the owner's numbers. A value without an owner has none.
    #[inline]
    pub(crate) fn set_number(&mut self, at: usize, number: u32) {
        match self {
            Value::List(queue) => queue.set_number(at, number),
            Value::String(string) => string.set_number(at, number),
            Value::Hash(hash) => hash.set_number(at, number),
            Value::Set(set) => set.set_number(at, number),
            Value::SortedSet(set) => set.set_number(at, number),
            Value::Stream(_) => {}
        }
    }

    /// Returns the same value with another owner's data, if there is a place for it; `hash` is that of the name.
    pub(crate) fn renamed(self, owner: Owner<'_>, hash: impl FnOnce() -> u32) -> Value {
        match self {
            Value::List(queue) => Kind::renamed(queue, owner, hash).into_value(),
            Value::String(string) => string.renamed(owner, hash).into_value(),
            Value::Hash(fields) => fields.renamed(owner, hash).into_value(),
            Value::Set(set) => set.renamed(owner, hash).into_value(),
            Value::SortedSet(set) => set.renamed(owner, hash).into_value(),
            Value::Stream(stream) => stream.into_value(),
        }
    }

    /// Returns how many allocations freeing it takes, roughly; few of a queue, whose messages are in segments.
    pub(crate) fn freeing_cost(&self) -> usize {
        match self {
            Value::List(_) | Value::String(_) => 1,
            Value::Hash(hash) => hash.len(),
            Value::Set(set) => set.len(),
            Value::SortedSet(set) => set.len(),
            Value::Stream(stream) => stream.freeing_cost(),
        }
    }

    /// Frees some of the elements of a value that is about to be dropped; returns their number, 0 if there were
    /// none.
    pub(crate) fn free_part(&mut self) -> usize {
        match self {
            Value::List(queue) => queue.free_part(),
            Value::String(string) => string.free_part(),
            Value::Hash(hash) => hash.free_part(),
            Value::Set(set) => set.free_part(),
            Value::SortedSet(set) => set.free_part(),
            Value::Stream(stream) => stream.free_part(),
        }
    }
}

impl Type {
    /// Returns Redis' name.
    pub fn name(self) -> &'static str {
        match self {
            Type::List => "list",
            Type::String => "string",
            Type::Hash => "hash",
            Type::Set => "set",
            Type::SortedSet => "zset",
            Type::Stream => "stream",
        }
    }
}
