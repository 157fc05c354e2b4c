//! The keys of a database: a hash table over a dense vector, since SCAN and RANDOMKEY need
//! positions.
//!
//! The vector has pages, so that growing never needs a second copy of it; the table has only
//! positions. Besides its queue, an entry takes 16 bytes and 6 to 11 in the table.

use super::entry::Entry;
use crate::slack;
use ahash::RandomState;
use hashbrown::HashTable;
use std::ops::{Index, IndexMut};

/// Entries per page.
const PAGE: usize = 4096;

/// The entries of a database. Only a removal changes their order: it moves the last entry to the
/// free index.
#[derive(Debug)]
pub(super) struct Entries {
    /// All but the last page are full, and none is empty.
    pages: Vec<Vec<Entry>>,
    len: usize,
    /// The indexes of the entries.
    table: HashTable<u32>,
    hasher: RandomState,
    /// The number of removed entries: each removal moves another entry.
    removals: u64,
}

impl Entries {
    pub(super) fn with_hasher(hasher: RandomState) -> Entries {
        Entries { pages: Vec::new(), len: 0, table: HashTable::new(), hasher, removals: 0 }
    }

    pub(super) fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns how many entries were removed since the start.
    #[inline]
    pub(super) fn removals(&self) -> u64 {
        self.removals
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u32 {
        self.hasher.hash_one(key) as u32
    }

    /// Returns what changes an entry, and the function that hashes keys.
    pub(super) fn entry_and_hash(
        &mut self,
        index: usize,
    ) -> (&mut Entry, impl Fn(&[u8]) -> u32 + use<'_>) {
        (&mut self.pages[index / PAGE][index % PAGE], hash_of(&self.hasher))
    }

    /// Returns the index of a key's entry.
    #[inline]
    pub(super) fn get_index_of(&self, key: &[u8]) -> Option<usize> {
        self.find(key, self.hash(key))
    }

    #[inline]
    fn find(&self, key: &[u8], hash: u32) -> Option<usize> {
        let is_same = |&index: &u32| at(&self.pages, index as usize).is_at(key, hash);
        self.table.find(spread(hash), is_same).map(|&index| index as usize)
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.get_index_of(key).map(|index| at(&self.pages, index))
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let index = self.get_index_of(key)?;
        self.get_index_mut(index)
    }

    #[inline]
    pub(super) fn get_index(&self, index: usize) -> Option<&Entry> {
        self.pages.get(index / PAGE)?.get(index % PAGE)
    }

    #[inline]
    pub(super) fn get_index_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.pages.get_mut(index / PAGE)?.get_mut(index % PAGE)
    }

    /// Adds an entry without a value for a key that has none, with capacity for a value of this
    /// many bytes. Returns its index.
    pub(super) fn add(&mut self, key: &[u8], epoch: u32, capacity_bytes: usize) -> usize {
        let hash = self.hash(key);
        let index = self.len;
        let position = u32::try_from(index).expect("fewer keys than would take 400 GB");
        if self.pages.last().is_none_or(|page| page.len() == PAGE) {
            // The first page grows as needed, since most databases have few keys.
            let capacity = if self.pages.is_empty() { 0 } else { PAGE };
            self.pages.push(Vec::with_capacity(capacity));
        }
        if let Some(page) = self.pages.last_mut() {
            page.push(Entry::new(key, hash, epoch, capacity_bytes));
        }
        self.len += 1;
        let pages = &self.pages;
        let hash_of = hash_of(&self.hasher);
        let rehash = |&position: &u32| spread(at(pages, position as usize).hash(&hash_of));
        self.table.insert_unique(spread(hash), position, rehash);
        index
    }

    /// Removes and returns an entry; the last one moves to its index.
    pub(super) fn swap_remove(&mut self, index: usize) -> Option<Entry> {
        let hash = self.get_index(index)?.hash(hash_of(&self.hasher));
        self.removals += 1;
        let last = self.len.checked_sub(1)?;
        self.remove_position(hash, index)?;
        let moved = self.pop_page()?;
        let removed = if index == last {
            moved
        } else {
            let position = |&position: &u32| position as usize == last;
            let hash = spread(moved.hash(hash_of(&self.hasher)));
            *self.table.find_mut(hash, position)? = index as u32;
            std::mem::replace(self.get_index_mut(index)?, moved)
        };
        self.shrink();
        Some(removed)
    }

    /// Removes and returns the last entry.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        self.swap_remove(self.len.checked_sub(1)?)
    }

    fn remove_position(&mut self, hash: u32, index: usize) -> Option<()> {
        let position = |&position: &u32| position as usize == index;
        self.table.find_entry(spread(hash), position).ok()?.remove();
        Some(())
    }

    fn pop_page(&mut self) -> Option<Entry> {
        let page = self.pages.last_mut()?;
        let entry = page.pop();
        if page.is_empty() {
            self.pages.pop();
        }
        self.len -= 1;
        entry
    }

    /// Returns the capacity of the table in entries.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.table.capacity()
    }

    fn shrink(&mut self) {
        if let Some(capacity) = slack::smaller(self.len, self.table.capacity()) {
            let (pages, hash_of) = (&self.pages, hash_of(&self.hasher));
            let rehash = |&position: &u32| spread(at(pages, position as usize).hash(&hash_of));
            self.table.shrink_to(capacity, rehash);
        }
        if let [page] = &mut self.pages[..]
            && let Some(capacity) = slack::smaller(page.len(), page.capacity())
        {
            page.shrink_to(capacity);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.pages.iter().flatten()
    }

    /// Panics if an entry is not found at its index.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.len, self.iter().count());
        assert_eq!(self.len, self.table.len());
        assert!(self.pages.iter().rev().skip(1).all(|page| page.len() == PAGE));
        for (index, entry) in self.iter().enumerate() {
            assert_eq!(self.get_index_of(entry.key()), Some(index));
        }
    }
}

impl Index<usize> for Entries {
    type Output = Entry;

    #[inline]
    fn index(&self, index: usize) -> &Entry {
        at(&self.pages, index)
    }
}

impl IndexMut<usize> for Entries {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut Entry {
        &mut self.pages[index / PAGE][index % PAGE]
    }
}

#[inline]
fn at(pages: &[Vec<Entry>], index: usize) -> &Entry {
    &pages[index / PAGE][index % PAGE]
}

/// Returns the function that hashes keys.
#[inline]
pub(super) fn hash_of(hasher: &RandomState) -> impl Fn(&[u8]) -> u32 + use<'_> {
    |key| hasher.hash_one(key) as u32
}

/// Spreads a hash to 64 bits: the table uses the highest and the lowest ones.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Enough entries to fill pages, then fewer, in any order.
    #[test]
    fn entries_are_found_where_they_are() {
        let mut entries = Entries::with_hasher(RandomState::with_seeds(1, 2, 3, 4));
        let mut expected = BTreeMap::new();
        let mut random = 1u64;
        for step in 0..60_000u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let grows = step < 30_000;
            if random >> 62 != 0 || entries.is_empty() {
                if grows {
                    let key = step.to_string();
                    expected.insert(key.clone(), step as u32);
                    entries.add(key.as_bytes(), step as u32, 0);
                    continue;
                }
            } else if grows {
                continue;
            }
            let index = (random >> 33) as usize % entries.len().max(1);
            if let Some(entry) = entries.swap_remove(index) {
                let key = String::from_utf8_lossy(entry.key()).into_owned();
                assert_eq!(expected.remove(&key), Some(entry.epoch()));
            }
        }
        entries.check_invariants();
        for (key, epoch) in &expected {
            assert_eq!(entries.get(key.as_bytes()).map(Entry::epoch), Some(*epoch));
        }
        while let Some(entry) = entries.pop() {
            assert!(expected.remove(&*String::from_utf8_lossy(entry.key())).is_some());
        }
        assert!(expected.is_empty() && entries.pages.is_empty());
        assert!(entries.get(b"7").is_none() && entries.table.capacity() < 1000);
    }
}
