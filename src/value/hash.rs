//! Hashes: fields with values.

use super::compact::{Compact, Owner};
use super::growth::Growth;
use super::{Kind, Type, Value};
use crate::dict::{Buffer, Dict, Item, Iter, packed};

/// In the form: Redis would store it as a hash table, since it was too large for a listpack at least once.
const TABLE: u8 = 1;

/// A hash. Few fields are packed, with the key.
#[derive(Clone, Debug, Default)]
pub struct HashValue(Compact<Dict<true>>);

impl HashValue {
    /// Returns the number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        match self.0.apart() {
            Some(table) => table.len(),
            None => self.0.count(),
        }
    }

    /// Returns the value of a field.
    #[inline]
    pub(crate) fn get(&self, field: &[u8]) -> Option<Item<'_>> {
        match self.0.apart() {
            Some(table) => table.get(field),
            None => packed::get::<true>(self.0.bytes(), Item::of(field)),
        }
    }

    /// Sets a field; returns whether it is new.
    #[inline]
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8], growth: &Growth) -> bool {
        self.set_item(field, Item::of(value), growth)
    }

    /// As `set`. The text of a number must be given as the number, as `Item::of` does.
    #[inline]
    pub(crate) fn set_item(&mut self, field: &[u8], value: Item<'_>, growth: &Growth) -> bool {
        let key = Item::of(field);
        let is_new = match self.0.apart_mut() {
            Some(table) => table.insert_item(key, value, &growth.hasher),
            None => match packed::insert::<true>(&mut self.0, key, value) {
                Some(is_new) => is_new,
                None => self.enlarge(growth).insert_item(key, value, &growth.hasher),
            },
        };
        let value_len = match value {
            Item::Text(text) => text.len(),
            // Only a low limit is exceeded by a number.
            Item::Integer(_) if growth.bytes_max >= Item::DIGITS_MAX => 0,
            number => number.len(),
        };
        let longest = field.len().max(value_len);
        if longest > growth.bytes_max || self.len() > growth.count_max {
            self.0.set_form(TABLE);
        }
        is_new
    }

    #[cold]
    fn enlarge(&mut self, growth: &Growth) -> &mut Dict<true> {
        let table = packed::to_table(self.0.bytes(), &growth.hasher);
        self.0.set_apart(table)
    }

    /// Removes a field; returns whether it was there.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        match self.0.apart_mut() {
            Some(table) => table.remove(field),
            None => packed::remove::<true>(&mut self.0, Item::of(field)),
        }
    }

    /// Returns the fields and their values.
    pub(crate) fn iter(&self) -> Iter<'_, true> {
        match self.0.apart() {
            Some(table) => table.iter(),
            None => packed::iter(self.0.bytes()),
        }
    }

    /// Returns a field that random numbers from `draw` choose, and its value.
    pub(crate) fn random(&self, draw: impl FnMut() -> u64) -> Option<(Item<'_>, Item<'_>)> {
        match self.0.apart() {
            Some(table) => table.random(draw),
            None => packed::random::<true>(&self.0, draw),
        }
    }

    /// Passes some fields and values to `found`: see `Dict::scan`.
    pub(crate) fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut found: impl FnMut(Item<'a>, Item<'a>),
    ) -> u64 {
        match self.0.apart() {
            Some(table) => table.scan(cursor, count, found),
            None => {
                self.iter().for_each(|(field, value)| found(field, value));
                0
            }
        }
    }

    /// Returns Redis' name of its encoding.
    pub(crate) fn encoding(&self) -> &'static str {
        if self.0.form() & TABLE != 0 { "hashtable" } else { "listpack" }
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
        self.len() == 0
    }

    #[inline]
    fn allocated_bytes(&self) -> usize {
        self.0.allocated_bytes() + self.0.apart().map_or(0, Dict::allocated_bytes)
    }

    fn share(&mut self) -> HashValue {
        HashValue(self.0.share(Dict::share))
    }

    fn len(&self) -> usize {
        HashValue::len(self)
    }

    fn free_part(&mut self) -> usize {
        match self.0.apart_mut() {
            Some(table) => table.take_part(),
            None => std::mem::take(self).len(),
        }
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
        HashValue(self.0.renamed(owner))
    }
}
