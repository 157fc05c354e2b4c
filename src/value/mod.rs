//! What a key holds: one of several types, each of which says the same few things.
//!
//! To add a type: a file here that implements [`Kind`], a variant of [`Value`], and what the compiler
//! then asks for: how it is written to append files, its signature for DEBUG DIGEST, its encodings.
//! Only this module and those places look into a value by its variants; everybody else names the type
//! that is wanted, and gets it or [`WrongType`].

mod string;

pub(crate) use string::StringValue;

use crate::queue::Queue;
use thiserror::Error;

/// The reference counts before what an `Arc` holds.
pub(crate) const ARC_BYTES: usize = 16;

/// What a key holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// A list, in Redis' word: a queue of messages. Never empty.
    List(Queue),
    /// Bytes, or a number.
    String(StringValue),
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    List,
    String,
}

/// The command needs a value of another type.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
pub(crate) struct WrongType;

/// What every type of value says of itself.
pub(crate) trait Kind: Default {
    const TYPE: Type;

    /// The value, if it is of this type.
    fn of(value: &Value) -> Option<&Self>;

    /// The value, to change, if it is of this type.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;

    fn into_value(self) -> Value;

    /// Whether nothing is left: the key goes then.
    fn is_empty(&self) -> bool;

    /// Bytes of memory it takes beside its entry.
    fn allocated_bytes(&self) -> usize;

    /// A number that changes when `allocated_bytes` does, and that is found at once.
    #[inline]
    fn memory_mark(&self) -> usize {
        self.allocated_bytes()
    }

    /// What `allocated_bytes` was at a mark.
    #[inline]
    fn allocated_at(&self, mark: usize) -> usize {
        mark
    }

    /// The same value once more. It must cost next to nothing, however large the value is: a snapshot
    /// takes it in the middle of a command.
    fn share(&mut self) -> Self;

    /// It is about to be changed, at this time of the clock of queues in milliseconds.
    fn prepare(&mut self, _queue_ms: i64) {}
}

impl Kind for Queue {
    const TYPE: Type = Type::List;

    fn of(value: &Value) -> Option<&Queue> {
        match value {
            Value::List(queue) => Some(queue),
            Value::String(_) => None,
        }
    }

    #[inline]
    fn of_mut(value: &mut Value) -> Option<&mut Queue> {
        match value {
            Value::List(queue) => Some(queue),
            Value::String(_) => None,
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

    #[inline]
    fn prepare(&mut self, queue_ms: i64) {
        // While files are loaded the clock stands at zero, and they say what is fresh.
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
        }
    }

    /// Redis' name of the type, as TYPE gives it.
    pub fn type_name(&self) -> &'static str {
        self.type_of().name()
    }

    /// How many elements it has; a string is one.
    pub fn len(&self) -> usize {
        match self {
            Value::List(queue) => queue.len(),
            Value::String(_) => 1,
        }
    }

    /// The same value once more, without a copy of what is in it.
    pub fn share(&mut self) -> Value {
        match self {
            Value::List(queue) => queue.share().into_value(),
            Value::String(string) => string.share().into_value(),
        }
    }

    /// Bytes of memory the value takes beside its entry.
    pub fn allocated_bytes(&self) -> usize {
        match self {
            Value::List(queue) => queue.allocated_bytes(),
            Value::String(string) => string.allocated_bytes(),
        }
    }
}

impl Type {
    /// Redis' name.
    pub fn name(self) -> &'static str {
        match self {
            Type::List => "list",
            Type::String => "string",
        }
    }
}
