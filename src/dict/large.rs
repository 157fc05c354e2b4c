//! Many entries: a hash table of segments, which grows by linear hashing. Each insertion splits at most one
//! segment and each removal joins at most two, so no operation stalls however many entries there are.
//!
//! The number of a segment is the lowest bits of the hashes in it: `bits` of them, or one more where the
//! segment was split already. Read in reverse, hashes are places on a line, and a segment has the places
//! of one interval, whatever the number of segments. SCAN walks along that line.

use super::item::{Item, Stored};
use super::segment::{Entries, Segment};
use ahash::RandomState;
use std::sync::Arc;

/// The counts in front of the content of an `Arc`.
const ARC_BYTES: usize = 16;

/// Segments in a page, which is what a snapshot shares, and what is copied before the first change afterwards.
const PAGE: usize = 16;

/// A segment is split when there are more entries than this per segment, and two are joined when there
/// are fewer than the second number.
const LOAD_MAX: usize = 16;
const LOAD_MIN: usize = 8;

/// The fewest segments.
pub(super) const SEGMENTS_MIN: usize = 4;

/// Bits of a hash that count. A cursor of SCAN has no more.
const HASH_BITS: u32 = 48;

/// Places for entries in a segment, when one is chosen at random. Few segments have more entries.
const DRAWN_PLACES: u64 = 48;

#[derive(Clone, Debug, Default)]
struct Page<const VALUES: bool>([Segment<VALUES>; PAGE]);

#[derive(Clone, Debug)]
pub(super) struct Large<const VALUES: bool> {
    pages: Vec<Arc<Page<VALUES>>>,
    /// The number of segments.
    segments: usize,
    len: usize,
    /// The bytes of memory of all segments, besides their places in the pages.
    bytes: usize,
    hasher: RandomState,
}

impl<const VALUES: bool> Large<VALUES> {
    pub(super) fn new(hasher: RandomState) -> Large<VALUES> {
        let pages = vec![Arc::default()];
        Large { pages, segments: SEGMENTS_MIN, len: 0, bytes: 0, hasher }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        let page = size_of::<Page<VALUES>>() + ARC_BYTES;
        let places = self.pages.capacity() * size_of::<Arc<Page<VALUES>>>();
        size_of::<Self>() + self.pages.len() * page + places + self.bytes
    }

    #[inline]
    fn hash(&self, key: Item<'_>) -> u64 {
        let hash = match key {
            Item::Integer(number) => self.hasher.hash_one(number),
            Item::Text(text) => self.hasher.hash_one(text),
        };
        hash & ((1 << HASH_BITS) - 1)
    }

    /// Returns the number of the segment for a hash.
    #[inline]
    fn index(&self, hash: u64) -> usize {
        let mask = self.segments.next_power_of_two() - 1;
        let index = hash as usize & mask;
        if index < self.segments { index } else { index & (mask >> 1) }
    }

    #[inline]
    fn segment(&self, index: usize) -> &Segment<VALUES> {
        &self.pages[index / PAGE].0[index % PAGE]
    }

    /// Changes a segment, and counts its memory again.
    #[inline]
    fn change<R>(&mut self, index: usize, change: impl FnOnce(&mut Segment<VALUES>) -> R) -> R {
        let page = Arc::make_mut(&mut self.pages[index / PAGE]);
        let segment = &mut page.0[index % PAGE];
        let before = segment.allocated_bytes();
        let result = change(segment);
        self.bytes = self.bytes + segment.allocated_bytes() - before;
        result
    }

    #[inline]
    pub(super) fn get(&self, key: Item<'_>) -> Option<Item<'_>> {
        let segment = self.segment(self.index(self.hash(key)));
        let stored = Stored::new(key);
        let place = segment.find(&stored)?;
        Some(segment.value(&place))
    }

    /// Returns whether the key is new.
    #[inline]
    pub(super) fn insert(&mut self, key: Item<'_>, value: Item<'_>) -> bool {
        let index = self.index(self.hash(key));
        let (key, value) = (Stored::new(key), Stored::new(value));
        let found = self.segment(index).find(&key);
        match found {
            Some(_) if !VALUES => return false,
            Some(place) => self.change(index, |segment| segment.replace(&place, &value)),
            None => self.change(index, |segment| segment.add(&key, &value)),
        }
        if found.is_none() {
            self.len += 1;
            if self.len > self.segments * LOAD_MAX {
                self.split_next();
            }
        }
        found.is_none()
    }

    /// Returns whether there was such a key.
    pub(super) fn remove(&mut self, key: Item<'_>) -> bool {
        let index = self.index(self.hash(key));
        let stored = Stored::new(key);
        let Some(place) = self.segment(index).find(&stored) else { return false };
        self.change(index, |segment| segment.remove(&place));
        self.len -= 1;
        if self.len < self.segments * LOAD_MIN && self.segments > SEGMENTS_MIN {
            self.join_last();
        }
        true
    }

    /// Divides the next segment that has one bit less than those before it.
    #[inline(never)]
    fn split_next(&mut self) {
        let new = self.segments;
        // The new number without its highest bit.
        let old = new - (new + 1).next_power_of_two() / 2;
        if new.is_multiple_of(PAGE) {
            self.pages.push(Arc::default());
        }
        self.segments += 1;
        let segment = self.change(old, std::mem::take);
        let bit = (new - old) as u64;
        let (staying, leaving) = segment.split(|key| self.hash(key) & bit == 0);
        self.change(old, |segment| *segment = staying);
        self.change(new, |segment| *segment = leaving);
    }

    /// Joins the last segment with the one that it was split from.
    #[inline(never)]
    fn join_last(&mut self) {
        let last = self.segments - 1;
        let into = last - self.segments.next_power_of_two() / 2;
        let segment = self.change(last, std::mem::take);
        self.change(into, |own| own.append(segment));
        self.segments = last;
        if last.is_multiple_of(PAGE) {
            self.drop_page();
        }
    }

    fn drop_page(&mut self) {
        self.pages.pop();
        if let Some(capacity) = crate::slack::smaller(self.pages.len(), self.pages.capacity()) {
            self.pages.shrink_to(capacity);
        }
    }

    /// Frees some entries; returns their number.
    pub(super) fn take_part(&mut self) -> usize {
        let start = (self.segments - 1) / PAGE * PAGE;
        let len_before = self.len;
        for index in start..self.segments {
            self.len -= self.segment(index).count();
            self.bytes -= self.segment(index).allocated_bytes();
        }
        self.pages.pop();
        self.segments = start.max(SEGMENTS_MIN);
        if self.pages.is_empty() {
            self.pages.push(Arc::default());
        }
        len_before - self.len
    }

    /// Returns an entry. Each is about as likely.
    pub(super) fn random(&self, mut draw: impl FnMut() -> u64) -> Option<(Item<'_>, Item<'_>)> {
        if self.len == 0 {
            return None;
        }
        loop {
            let segment = self.segment((draw() % self.segments as u64) as usize);
            let mut place = draw() % DRAWN_PLACES;
            let beyond = (segment.count() as u64).saturating_sub(DRAWN_PLACES);
            if place == DRAWN_PLACES - 1 && beyond > 0 {
                place += draw() % (beyond + 1);
            }
            if let Some(entry) = segment.iter().nth(place as usize) {
                return Some(entry);
            }
        }
    }

    /// Passes at least `count` entries to `found`, beginning at a cursor; returns the cursor of the rest. All
    /// entries that are there from the first call to the last are passed, whatever changes in between.
    pub(super) fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut found: impl FnMut(Item<'a>, Item<'a>),
    ) -> u64 {
        let mut place = reversed(cursor);
        let mut passed = 0;
        loop {
            let index = self.index(reversed(place));
            let segment = self.segment(index);
            segment.iter().for_each(|(key, value)| found(key, value));
            passed += segment.count();
            place = reversed(index as u64) + (1 << (HASH_BITS - self.bits_of(index)));
            if place >> HASH_BITS != 0 {
                return 0;
            }
            if passed >= count {
                return reversed(place);
            }
        }
    }

    /// Returns how many bits all hashes in a segment have in common.
    fn bits_of(&self, index: usize) -> u32 {
        let all = self.segments.next_power_of_two();
        // Its other half would be another segment.
        let is_split = index >= all / 2 || index + all / 2 < self.segments;
        all.trailing_zeros() - u32::from(!is_split)
    }

    pub(super) fn iter(&self) -> Iter<'_, VALUES> {
        Iter { large: Some(self), next: 0, entries: Entries::default() }
    }
}

/// Returns the lowest bits of a hash in reverse.
fn reversed(hash: u64) -> u64 {
    hash.reverse_bits() >> (u64::BITS - HASH_BITS)
}

/// The entries of all segments.
#[derive(Clone, Debug, Default)]
pub(super) struct Iter<'a, const VALUES: bool> {
    large: Option<&'a Large<VALUES>>,
    next: usize,
    entries: Entries<'a, VALUES>,
}

impl<'a, const VALUES: bool> Iterator for Iter<'a, VALUES> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, Item<'a>)> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Some(entry);
            }
            let large = self.large.filter(|large| self.next < large.segments)?;
            self.entries = large.segment(self.next).iter();
            self.next += 1;
        }
    }
}

#[cfg(test)]
impl<const VALUES: bool> Large<VALUES> {
    /// Returns the bytes of memory of all segments, counted one by one.
    pub(super) fn segment_bytes(&self) -> usize {
        (0..self.segments).map(|index| self.segment(index).allocated_bytes()).sum()
    }

    pub(super) fn check_invariants(&self) {
        assert_eq!(self.bytes, self.segment_bytes());
        let count: usize = (0..self.segments).map(|index| self.segment(index).count()).sum();
        assert_eq!(self.len, count);
        assert_eq!(self.pages.len(), self.segments.div_ceil(PAGE));
        let rest = self.segments..self.pages.len() * PAGE;
        assert!(rest.map(|index| self.segment(index)).all(|segment| segment.count() == 0));
    }
}
