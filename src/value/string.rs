//! Strings: bytes, or a number stored as such.

use super::{ARC_BYTES, Kind, Type, Value};
use crate::resp::parse_integer;
use std::sync::Arc;

/// The longest string that Redis stores together with its object.
const EMBEDDED_BYTES_MAX: usize = 44;

/// A string. Its bytes are shared with snapshots, and copied if they change meanwhile. It is behind
/// a pointer, so that a value is no larger than a list.
#[derive(Clone, Debug)]
pub struct StringValue(Box<Form>);

#[derive(Clone, Debug)]
enum Form {
    /// No bytes.
    Empty,
    /// The text of a number in its shortest form.
    Integer(i64),
    /// Bytes as they were set, in one allocation of exactly their length.
    Fixed(Arc<[u8]>),
    /// Bytes that were changed and may change again, with spare capacity.
    Growing(Arc<Vec<u8>>),
}

/// The form in which Redis would store a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Int,
    Embstr,
    Raw,
}

impl Default for StringValue {
    fn default() -> StringValue {
        StringValue(Box::new(Form::Empty))
    }
}

impl StringValue {
    /// Returns a string of these bytes, stored as a number if they are one.
    pub fn new(bytes: &[u8]) -> StringValue {
        // An i64 has at most 20 digits, including the sign.
        let number = if bytes.len() <= 20 { parse_integer(bytes) } else { None };
        StringValue(Box::new(number.map_or_else(|| Form::Fixed(bytes.into()), Form::Integer)))
    }

    /// Returns a string of these bytes, never stored as a number.
    pub fn text(bytes: &[u8]) -> StringValue {
        StringValue(Box::new(Form::Fixed(bytes.into())))
    }

    pub fn integer(number: i64) -> StringValue {
        StringValue(Box::new(Form::Integer(number)))
    }

    /// Replaces the content with these bytes, stored as a number if they are one.
    pub fn set(&mut self, bytes: &[u8]) {
        // If the length stays the same, the memory is reused, unless a snapshot shares it.
        if let Form::Fixed(own) = &mut *self.0
            && own.len() == bytes.len()
            && bytes.len() > 20
            && let Some(own) = Arc::get_mut(own)
        {
            return own.copy_from_slice(bytes);
        }
        *self = StringValue::new(bytes);
    }

    /// Passes the bytes to `read`; returns its result.
    #[inline]
    pub fn with<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        match &*self.0 {
            Form::Empty => read(b""),
            Form::Integer(number) => read(itoa::Buffer::new().format(*number).as_bytes()),
            Form::Fixed(bytes) => read(bytes),
            Form::Growing(bytes) => read(bytes),
        }
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        self.with(<[u8]>::len)
    }

    /// Returns the number, if the bytes are one in its shortest form.
    pub fn as_integer(&self) -> Option<i64> {
        match &*self.0 {
            Form::Empty => None,
            Form::Integer(number) => Some(*number),
            Form::Fixed(bytes) => parse_integer(bytes),
            Form::Growing(bytes) => parse_integer(bytes),
        }
    }

    /// Returns the bytes, for changes. Redis' encoding is no longer a number afterwards.
    pub fn to_mut(&mut self) -> &mut Vec<u8> {
        if !matches!(*self.0, Form::Growing(_)) {
            *self.0 = Form::Growing(Arc::new(self.with(<[u8]>::to_vec)));
        }
        match &mut *self.0 {
            Form::Growing(bytes) => Arc::make_mut(bytes),
            _ => unreachable!("set to this form above"),
        }
    }

    pub fn encoding(&self) -> Encoding {
        match &*self.0 {
            Form::Integer(_) => Encoding::Int,
            Form::Empty => Encoding::Embstr,
            Form::Fixed(bytes) if bytes.len() <= EMBEDDED_BYTES_MAX => Encoding::Embstr,
            Form::Fixed(_) | Form::Growing(_) => Encoding::Raw,
        }
    }
}

impl Encoding {
    /// Returns Redis' name.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Raw => "raw",
        }
    }
}

impl Kind for StringValue {
    const TYPE: Type = Type::String;

    #[inline]
    fn of(value: &Value) -> Option<&StringValue> {
        match value {
            Value::String(string) => Some(string),
            _ => None,
        }
    }

    #[inline]
    fn of_mut(value: &mut Value) -> Option<&mut StringValue> {
        match value {
            Value::String(string) => Some(string),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::String(self)
    }

    /// An empty string is a valid value.
    fn is_empty(&self) -> bool {
        false
    }

    fn allocated_bytes(&self) -> usize {
        let bytes = match &*self.0 {
            Form::Empty | Form::Integer(_) => 0,
            Form::Fixed(bytes) => ARC_BYTES + bytes.len(),
            Form::Growing(bytes) => ARC_BYTES + size_of::<Vec<u8>>() + bytes.capacity(),
        };
        size_of::<Form>() + bytes
    }

    fn share(&mut self) -> StringValue {
        self.clone()
    }

    fn len(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(string: &StringValue) -> Vec<u8> {
        string.with(<[u8]>::to_vec)
    }

    #[test]
    fn numbers_are_stored_as_numbers_if_nothing_is_lost() {
        for (text, encoding) in [
            (&b"0"[..], Encoding::Int),
            (b"-9223372036854775808", Encoding::Int),
            (b"9223372036854775807", Encoding::Int),
            (b"9223372036854775808", Encoding::Embstr),
            (b"-0", Encoding::Embstr),
            (b"01", Encoding::Embstr),
            (b"+1", Encoding::Embstr),
            (b" 1", Encoding::Embstr),
            (b"", Encoding::Embstr),
            (&[b'x'; 44], Encoding::Embstr),
            (&[b'x'; 45], Encoding::Raw),
        ] {
            let string = StringValue::new(text);
            assert_eq!((bytes(&string).as_slice(), string.encoding()), (text, encoding));
            assert_eq!(string.len(), text.len());
        }
    }

    #[test]
    fn a_snapshot_copy_does_not_change() {
        for first in [&b"12"[..], b"text", &[b'x'; 100]] {
            let mut string = StringValue::new(first);
            let shared = string.share();
            string.to_mut().extend_from_slice(b"more");
            let again = string.share();
            string.to_mut().push(b'!');
            string.set(&[b'y'; 100]);
            let kept = string.share();
            string.set(&[b'z'; 100]);
            assert_eq!(bytes(&shared), first);
            assert_eq!(bytes(&again), [first, b"more"].concat());
            assert_eq!(bytes(&kept), [b'y'; 100]);
            assert_eq!(bytes(&string), [b'z'; 100]);
        }
    }
}
