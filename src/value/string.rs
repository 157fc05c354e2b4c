//! Strings: bytes, or a number stored as such.

use super::compact::{Compact, Content, Owner};
use super::{ARC_BYTES, Kind, Type, Value};
use crate::resp::parse_integer;
use std::sync::Arc;

/// The longest string that Redis stores together with its object.
const EMBEDDED_BYTES_MAX: usize = 44;
/// Longer ones are apart, and shared with snapshots.
const PACKED_BYTES_MAX: usize = 1024;
/// The longest text of a number.
const DIGITS_MAX: usize = 20;

/// The form of a packed number: the bytes are its lowest ones, from which the others follow. Otherwise they are
/// the string.
const INTEGER: u8 = 1;

/// A string. A short one is packed, with the key.
#[derive(Clone, Debug, Default)]
pub struct StringValue(Compact<Apart>);

/// A string that is not packed. Its bytes are shared with snapshots, and copied if they change meanwhile.
#[derive(Clone, Debug)]
enum Apart {
    /// Bytes as they were set, in one allocation of exactly their length.
    Fixed(Arc<[u8]>),
    /// Bytes that were changed and may change again, with spare capacity.
    Growing(Arc<Vec<u8>>),
}

/// What a string is stored as.
enum Stored<'a> {
    Bytes(&'a [u8]),
    Integer(i64),
}

impl Default for Apart {
    fn default() -> Apart {
        Apart::Growing(Arc::default())
    }
}

/// The form in which Redis would store a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Int,
    Embstr,
    Raw,
}

impl StringValue {
    /// Returns a string of these bytes, stored as a number if they are one.
    pub fn new(bytes: &[u8]) -> StringValue {
        let mut string = StringValue::default();
        string.set(bytes);
        string
    }

    /// Returns a string of these bytes, never stored as a number.
    pub fn text(bytes: &[u8]) -> StringValue {
        let mut string = StringValue::default();
        string.set_text(bytes);
        string
    }

    /// Replaces the content by these bytes, stored as a number if they are one.
    #[inline]
    pub fn set(&mut self, bytes: &[u8]) {
        let number = if bytes.len() <= DIGITS_MAX { parse_integer(bytes) } else { None };
        match number {
            Some(number) => self.set_integer(number),
            None => self.set_text(bytes),
        }
    }

    /// Replaces the content by these bytes, never stored as a number.
    #[inline]
    pub fn set_text(&mut self, bytes: &[u8]) {
        if bytes.len() <= PACKED_BYTES_MAX {
            self.0.set_packed(bytes, 0);
            return self.0.set_form(0);
        }
        // If the length stays the same, the memory is reused, unless a snapshot shares it.
        if let Some(Apart::Fixed(own)) = self.0.apart_mut()
            && own.len() == bytes.len()
            && let Some(own) = Arc::get_mut(own)
        {
            return own.copy_from_slice(bytes);
        }
        self.0.set_apart(Apart::Fixed(bytes.into()));
        self.0.set_form(0);
    }

    /// Replaces the content by a number.
    #[inline]
    pub fn set_integer(&mut self, number: i64) {
        let unused = if number < 0 { number.leading_ones() } else { number.leading_zeros() };
        // One bit is the sign.
        let used = (72 - unused as usize) / 8;
        self.0.set_packed(&number.to_le_bytes()[..used], 0);
        self.0.set_form(INTEGER);
    }

    /// Returns the content: a number, or bytes.
    #[inline]
    fn stored(&self) -> Stored<'_> {
        match self.0.content() {
            Content::Packed(INTEGER, bytes) => {
                // The bytes at the upper end: shifting them down fills in the sign.
                let mut wide = [0; 8];
                let unused = 8 - bytes.len().min(8);
                wide[unused..].copy_from_slice(&bytes[..8 - unused]);
                Stored::Integer(i64::from_le_bytes(wide) >> (8 * unused).min(63))
            }
            Content::Packed(_, bytes) => Stored::Bytes(bytes),
            Content::Apart(Apart::Fixed(bytes)) => Stored::Bytes(bytes),
            Content::Apart(Apart::Growing(bytes)) => Stored::Bytes(bytes),
        }
    }

    /// Passes the bytes to `read`; returns its result.
    #[inline]
    pub fn with<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        match self.stored() {
            Stored::Bytes(bytes) => read(bytes),
            Stored::Integer(number) => read(itoa::Buffer::new().format(number).as_bytes()),
        }
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        self.with(<[u8]>::len)
    }

    /// Returns the number, if the bytes are one in its shortest form.
    pub fn as_integer(&self) -> Option<i64> {
        match self.stored() {
            Stored::Integer(number) => Some(number),
            Stored::Bytes(bytes) => parse_integer(bytes),
        }
    }

    /// Returns the bytes, for changes. Redis' encoding is no longer a number afterwards.
    pub fn to_mut(&mut self) -> &mut Vec<u8> {
        if !matches!(self.0.apart(), Some(Apart::Growing(_))) {
            let bytes = self.with(<[u8]>::to_vec);
            self.0.set_apart(Apart::Growing(Arc::new(bytes)));
            self.0.set_form(0);
        }
        match self.0.apart_mut() {
            Some(Apart::Growing(bytes)) => Arc::make_mut(bytes),
            _ => unreachable!("set to this form above"),
        }
    }

    /// Returns the form in which Redis would store it.
    pub fn encoding(&self) -> Encoding {
        match self.0.content() {
            Content::Packed(INTEGER, _) => Encoding::Int,
            Content::Packed(_, bytes) if bytes.len() <= EMBEDDED_BYTES_MAX => Encoding::Embstr,
            _ => Encoding::Raw,
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

    #[inline]
    fn allocated_bytes(&self) -> usize {
        let bytes = match self.0.apart() {
            None => 0,
            Some(Apart::Fixed(bytes)) => ARC_BYTES + bytes.len(),
            Some(Apart::Growing(bytes)) => ARC_BYTES + size_of::<Vec<u8>>() + bytes.capacity(),
        };
        self.0.allocated_bytes() + bytes
    }

    fn share(&mut self) -> StringValue {
        self.clone()
    }

    fn len(&self) -> usize {
        1
    }

    #[inline(always)]
    fn name(&self) -> &[u8] {
        self.0.name()
    }

    #[inline]
    fn owner(&self) -> Option<Owner<'_>> {
        self.0.owner()
    }

    #[inline]
    fn set_number(&mut self, at: usize, number: u32) {
        self.0.set_number(at, number);
    }

    fn renamed(self, owner: Owner<'_>, _: impl FnOnce() -> u32) -> Self {
        StringValue(self.0.renamed(owner))
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
