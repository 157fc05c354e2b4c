//! A hash table from text to text, or a set of texts, for the fields of hashes and the members of sets.
//!
//! Few entries are one packed segment in the order in which they came, and looked for one by one: they take
//! little more memory than their bytes. Many are a hash table of such segments. Texts of numbers are stored
//! in binary form, and long texts apart.
//!
//! | module | responsibility |
//! |---|---|
//! | `item` | a key or a value, and how it is stored |
//! | `segment` | a few tens of entries, packed |
//! | `large` | a hash table of segments |
//! | `packed` | entries in the buffer of another owner, packed as in a segment |
//!
//! A snapshot shares a table in one step per page of the hash table; a shared page is copied before it
//! changes. This module knows nothing of Redis.

mod item;
mod large;
pub(crate) mod packed;
mod segment;

#[cfg(test)]
mod tests;

pub(crate) use item::Item;
pub(crate) use packed::Buffer;

use ahash::RandomState;
use item::Stored;
use large::Large;
use segment::{Entries, Segment};

/// More entries than this, or more bytes, are a hash table.
const SMALL_COUNT_MAX: usize = 128;
const SMALL_BYTES_MAX: usize = 20 << 10;
/// So few entries become one segment again.
const SMALL_COUNT_AGAIN: usize = large::SEGMENTS_MIN * 8;

/// A table from keys to values. Without `VALUES` it is a set of keys, and all values are empty.
#[derive(Clone, Debug)]
pub(crate) struct Dict<const VALUES: bool>(Form<VALUES>);

#[derive(Clone, Debug)]
enum Form<const VALUES: bool> {
    Small(Segment<VALUES>),
    Large(Box<Large<VALUES>>),
}

impl<const VALUES: bool> Default for Dict<VALUES> {
    /// An empty table, which allocates nothing.
    fn default() -> Dict<VALUES> {
        Dict(Form::Small(Segment::default()))
    }
}

impl<const VALUES: bool> Dict<VALUES> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Form::Small(small) => small.count(),
            Form::Large(large) => large.len(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes of memory besides the table itself.
    #[inline]
    pub(crate) fn allocated_bytes(&self) -> usize {
        match &self.0 {
            Form::Small(small) => small.allocated_bytes(),
            Form::Large(large) => large.allocated_bytes(),
        }
    }

    /// Returns the value of a key.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<Item<'_>> {
        self.get_item(Item::of(key))
    }

    /// As `get`. The text of a number must be given as the number, as `Item::of` does.
    #[inline]
    pub(crate) fn get_item(&self, key: Item<'_>) -> Option<Item<'_>> {
        match &self.0 {
            Form::Small(small) => {
                let stored = Stored::new(key);
                let place = small.find(&stored)?;
                Some(small.value(&place))
            }
            Form::Large(large) => large.get(key),
        }
    }

    /// Sets the value of a key; returns whether the key is new. The text of a number as a key must be given as the
    /// number, as `Item::of` does; a value is returned as it was given. The hasher must have a secret seed; a table
    /// keeps the first one that it needs.
    #[inline]
    pub(crate) fn insert_item(
        &mut self,
        key: Item<'_>,
        value: Item<'_>,
        hasher: &RandomState,
    ) -> bool {
        let small = match &mut self.0 {
            Form::Large(large) => return large.insert(key, value),
            Form::Small(small) => small,
        };
        let (key, value) = (Stored::new(key), Stored::new(value));
        let found = small.find(&key);
        match found {
            Some(place) => small.replace(&place, &value),
            None => small.add(&key, &value),
        }
        if small.count() > SMALL_COUNT_MAX || small.used() > SMALL_BYTES_MAX {
            self.enlarge(hasher);
        }
        found.is_none()
    }

    /// Makes a segment a hash table.
    #[cold]
    fn enlarge(&mut self, hasher: &RandomState) {
        let mut large = Box::new(Large::new(hasher.clone()));
        self.iter().for_each(|(key, value)| {
            large.insert(key, value);
        });
        self.0 = Form::Large(large);
    }

    /// Removes a key; returns whether it was there.
    #[inline]
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        self.remove_item(Item::of(key))
    }

    /// As `remove`. The text of a number must be given as the number, as `Item::of` does.
    pub(crate) fn remove_item(&mut self, key: Item<'_>) -> bool {
        match &mut self.0 {
            Form::Small(small) => {
                let stored = Stored::new(key);
                let found = small.find(&stored);
                found.inspect(|place| small.remove(place)).is_some()
            }
            Form::Large(large) => {
                let is_removed = large.remove(key);
                if is_removed && large.len() <= SMALL_COUNT_AGAIN {
                    self.reduce();
                }
                is_removed
            }
        }
    }

    /// Makes a hash table one segment, unless that would be large.
    #[cold]
    fn reduce(&mut self) {
        let mut small = Segment::default();
        for (key, value) in self.iter() {
            let (key, value) = (Stored::new(key), Stored::new(value));
            small.add(&key, &value);
        }
        if small.used() <= SMALL_BYTES_MAX / 2 {
            self.0 = Form::Small(small);
        }
    }

    /// Returns all entries. Those of a small table are in the order in which they came.
    pub(crate) fn iter(&self) -> Iter<'_, VALUES> {
        match &self.0 {
            Form::Small(small) => Iter { entries: small.iter(), large: large::Iter::default() },
            Form::Large(large) => Iter { entries: Entries::default(), large: large.iter() },
        }
    }

    /// Returns an entry that random numbers from `draw` choose. Each is about as likely.
    pub(crate) fn random(&self, mut draw: impl FnMut() -> u64) -> Option<(Item<'_>, Item<'_>)> {
        match &self.0 {
            Form::Small(small) => {
                let index = draw().checked_rem(small.count() as u64)?;
                small.iter().nth(index as usize)
            }
            Form::Large(large) => large.random(draw),
        }
    }

    /// Passes about `count` entries to `found`, beginning at a cursor; returns the cursor of the rest, 0 at
    /// the end, as at the start. All entries that are there from the first call to the last are passed at
    /// least once, whatever changes in between.
    pub(crate) fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut found: impl FnMut(Item<'a>, Item<'a>),
    ) -> u64 {
        match &self.0 {
            Form::Small(small) => {
                small.iter().for_each(|(key, value)| found(key, value));
                0
            }
            Form::Large(large) => large.scan(cursor, count, found),
        }
    }

    /// Returns a second, equal table, without copying the entries of a large one.
    pub(crate) fn share(&self) -> Dict<VALUES> {
        self.clone()
    }

    /// Frees a few hundred entries; returns their number. Only for a table of which nothing else is needed:
    /// the other entries are there still, but may not be found.
    pub(crate) fn take_part(&mut self) -> usize {
        match &mut self.0 {
            Form::Large(large) if large.len() > 0 => large.take_part(),
            _ => std::mem::take(self).len(),
        }
    }
}

/// The entries of a table.
#[derive(Clone, Debug)]
pub(crate) struct Iter<'a, const VALUES: bool> {
    entries: Entries<'a, VALUES>,
    large: large::Iter<'a, VALUES>,
}

impl<'a, const VALUES: bool> Iterator for Iter<'a, VALUES> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, Item<'a>)> {
        self.entries.next().or_else(|| self.large.next())
    }
}
