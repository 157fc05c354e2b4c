//! Hashes: fields with values.

use super::growth::Growth;
use super::{Kind, Type, Value};
use crate::dict::{Dict, Item, Iter};

/// A hash. It is behind a pointer, so that a value is no larger than a list.
#[derive(Clone, Debug, Default)]
pub struct HashValue(Box<Content>);

#[derive(Clone, Debug, Default)]
struct Content {
    fields: Dict<true>,
    /// Whether Redis would store it as a hash table: it was too large for a listpack at least once.
    is_table: bool,
}

impl HashValue {
    /// Returns the number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.fields.len()
    }

    /// Returns the value of a field.
    #[inline]
    pub(crate) fn get(&self, field: &[u8]) -> Option<Item<'_>> {
        self.0.fields.get(field)
    }

    /// Sets a field; returns whether it is new.
    #[inline]
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8], growth: &Growth) -> bool {
        self.set_item(field, Item::of(value), growth)
    }

    /// As `set`. The text of a number must be given as the number, as `Item::of` does.
    #[inline]
    pub(crate) fn set_item(&mut self, field: &[u8], value: Item<'_>, growth: &Growth) -> bool {
        let Content { fields, is_table } = &mut *self.0;
        let is_new = fields.insert_item(Item::of(field), value, &growth.hasher);
        let value_len = match value {
            Item::Text(text) => text.len(),
            // Only a low limit is exceeded by a number.
            Item::Integer(_) if growth.bytes_max >= Item::DIGITS_MAX => 0,
            number => number.len(),
        };
        let longest = field.len().max(value_len);
        if longest > growth.bytes_max || fields.len() > growth.count_max {
            *is_table = true;
        }
        is_new
    }

    /// Removes a field; returns whether it was there.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        self.0.fields.remove(field)
    }

    /// Returns the fields and their values.
    pub(crate) fn iter(&self) -> Iter<'_, true> {
        self.0.fields.iter()
    }

    /// Returns a field that random numbers from `draw` choose, and its value.
    pub(crate) fn random(&self, draw: impl FnMut() -> u64) -> Option<(Item<'_>, Item<'_>)> {
        self.0.fields.random(draw)
    }

    /// Passes some fields and values to `found`: see `Dict::scan`.
    pub(crate) fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        found: impl FnMut(Item<'a>, Item<'a>),
    ) -> u64 {
        self.0.fields.scan(cursor, count, found)
    }

    /// Returns Redis' name of its encoding.
    pub(crate) fn encoding(&self) -> &'static str {
        if self.0.is_table { "hashtable" } else { "listpack" }
    }
}

impl Kind for HashValue {
    const TYPE: Type = Type::Hash;

    #[inline]
    fn of(value: &Value) -> Option<&HashValue> {
        match value {
            Value::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    #[inline]
    fn of_mut(value: &mut Value) -> Option<&mut HashValue> {
        match value {
            Value::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Hash(self)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.0.fields.is_empty()
    }

    #[inline]
    fn allocated_bytes(&self) -> usize {
        size_of::<Content>() + self.0.fields.allocated_bytes()
    }

    fn share(&mut self) -> HashValue {
        HashValue(Box::new(Content { fields: self.0.fields.share(), is_table: self.0.is_table }))
    }

    fn len(&self) -> usize {
        HashValue::len(self)
    }

    fn free_part(&mut self) -> usize {
        self.0.fields.take_part()
    }
}
