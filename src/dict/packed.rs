//! A few entries in the buffer of another owner, packed as in a segment. Long texts have no place there: with
//! one, or with too many others, the entries become a table.

use super::item::{Item, Stored, read};
use super::segment::{Entries, find_in};
use super::{Dict, Iter, SMALL_BYTES_MAX, SMALL_COUNT_MAX, large};
use ahash::RandomState;

/// A buffer of packed entries, and their number.
pub(crate) trait Buffer {
    /// Returns the used bytes.
    fn bytes(&self) -> &[u8];

    /// Returns the number of entries.
    fn count(&self) -> usize;

    /// Sets the number of entries; the buffer is not empty.
    fn set_count(&mut self, count: usize);

    /// Makes `old` bytes at a position `new` ones, and returns them, whose content is not yet written. Returns
    /// `None`, and does nothing, if the buffer would be too large.
    fn splice(&mut self, at: usize, old: usize, new: usize) -> Option<&mut [u8]>;
}

/// Returns the value of a key. The text of a number must be given as the number, as `Item::of` does.
#[inline]
pub(crate) fn get<'a, const VALUES: bool>(bytes: &'a [u8], key: Item<'_>) -> Option<Item<'a>> {
    let place = find_in::<VALUES>(bytes, &Stored::new(key))?;
    if VALUES { read(&bytes[place.value..place.end]) } else { Some(Item::EMPTY) }
}

/// Sets the value of a key, given as to `get`; returns whether the key is new. Returns `None`, and does nothing,
/// if the entries must become a table first.
#[inline]
pub(crate) fn insert<const VALUES: bool>(
    buffer: &mut impl Buffer,
    key: Item<'_>,
    value: Item<'_>,
) -> Option<bool> {
    let (key, value) = (Stored::new(key), Stored::new(value));
    if key.is_outside || value.is_outside {
        return None;
    }
    let (used, count) = (buffer.bytes().len(), buffer.count());
    let value_size = if VALUES { value.size() } else { 0 };
    if let Some(place) = find_in::<VALUES>(buffer.bytes(), &key) {
        if VALUES {
            let old = place.end - place.value;
            if used - old + value_size > SMALL_BYTES_MAX {
                return None;
            }
            value.write(buffer.splice(place.value, old, value_size)?);
        }
        return Some(false);
    }
    let size = key.size() + value_size;
    if count >= SMALL_COUNT_MAX || used + size > SMALL_BYTES_MAX {
        return None;
    }
    let place = buffer.splice(used, 0, size)?;
    let (key_place, value_place) = place.split_at_mut_checked(key.size())?;
    key.write(key_place);
    if VALUES {
        value.write(value_place);
    }
    buffer.set_count(count + 1);
    Some(true)
}

/// Removes a key, given as to `get`; returns whether it was there.
pub(crate) fn remove<const VALUES: bool>(buffer: &mut impl Buffer, key: Item<'_>) -> bool {
    let Some(place) = find_in::<VALUES>(buffer.bytes(), &Stored::new(key)) else { return false };
    buffer.splice(place.start, place.end - place.start, 0);
    buffer.set_count(buffer.count() - 1);
    true
}

/// Returns all entries in the order in which they came.
pub(crate) fn iter<const VALUES: bool>(bytes: &[u8]) -> Iter<'_, VALUES> {
    Iter { entries: Entries::packed(bytes), large: large::Iter::default() }
}

/// Returns an entry that a random number chooses.
pub(crate) fn random<const VALUES: bool>(
    buffer: &impl Buffer,
    mut draw: impl FnMut() -> u64,
) -> Option<(Item<'_>, Item<'_>)> {
    let index = draw().checked_rem(buffer.count() as u64)?;
    iter::<VALUES>(buffer.bytes()).nth(index as usize)
}

/// Returns a table of these entries. The hasher must have a secret seed.
pub(crate) fn to_table<const VALUES: bool>(bytes: &[u8], hasher: &RandomState) -> Dict<VALUES> {
    let mut table = Dict::default();
    iter::<VALUES>(bytes).for_each(|(key, value)| {
        table.insert_item(key, value, hasher);
    });
    table
}
