//! A few tens of entries, packed one behind another: the key, then the value.

use super::item::{Item, Stored, measure, read, size_at};
use std::sync::Arc;

/// The counts in front of the content of an `Arc`.
const ARC_BYTES: usize = 16;

/// A buffer with this many more bytes than are used shrinks.
const SLACK_MAX: usize = 64;

/// Packed entries in the order in which they came. Without `VALUES` an entry has only a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment<const VALUES: bool> {
    /// The entries, and then unused bytes.
    buffer: Box<[u8]>,
    used: u32,
    count: u32,
    outside: Option<Box<Outside>>,
}

/// Long texts, in the order of the items they belong to.
#[derive(Clone, Debug, Default)]
struct Outside {
    texts: Vec<Arc<[u8]>>,
    /// The bytes that they allocate.
    bytes: usize,
}

/// Where an entry is. The numbers of texts are those of the texts outside before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) value: usize,
    pub(super) end: usize,
    first_text: usize,
    value_text: usize,
    end_text: usize,
}

impl<const VALUES: bool> Segment<VALUES> {
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// Returns the bytes of its entries among themselves, without those outside.
    pub(super) fn used(&self) -> usize {
        self.used as usize
    }

    /// Returns the bytes of memory.
    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        let outside = self.outside.as_ref().map_or(0, |outside| {
            let places = outside.texts.len() * size_of::<Arc<[u8]>>();
            size_of::<Outside>() + places + outside.bytes
        });
        self.buffer.len() + outside
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.used as usize]
    }

    #[inline]
    fn texts(&self) -> &[Arc<[u8]>] {
        self.outside.as_ref().map_or(&[], |outside| &outside.texts)
    }

    /// Returns the place of a key.
    #[inline]
    pub(super) fn find(&self, key: &Stored<'_>) -> Option<Place> {
        let bytes = self.bytes();
        if self.outside.is_none() {
            return find_in::<VALUES>(bytes, key);
        }
        let looks = key.looks();
        let (mut start, mut text) = (0, 0);
        while start < bytes.len() {
            let place = place_at::<VALUES>(bytes, start, text);
            if looks.are_at(bytes, start, place.value) && self.has_key(key, &place) {
                return Some(place);
            }
            (start, text) = (place.end, place.end_text);
        }
        None
    }

    #[inline]
    fn has_key(&self, key: &Stored<'_>, place: &Place) -> bool {
        if !key.is_outside {
            return key.is_at(&self.bytes()[place.start..place.value]);
        }
        place.value_text > place.first_text && *self.texts()[place.first_text] == *key.text
    }

    /// Returns the value of an entry.
    #[inline]
    pub(super) fn value(&self, place: &Place) -> Item<'_> {
        if !VALUES {
            return Item::EMPTY;
        }
        self.item(place.value, place.end, place.value_text)
    }

    #[inline]
    fn item(&self, start: usize, end: usize, text: usize) -> Item<'_> {
        read(&self.bytes()[start..end])
            .unwrap_or_else(|| Item::Text(self.texts().get(text).map_or(b"", |text| text)))
    }

    /// Adds an entry, whose key must be new.
    #[inline]
    pub(super) fn add(&mut self, key: &Stored<'_>, value: &Stored<'_>) {
        let (start, text) = (self.used as usize, self.texts().len());
        let value_size = if VALUES { value.size() } else { 0 };
        self.resize(start, 0, key.size() + value_size);
        self.write(start, key);
        if VALUES {
            self.write(start + key.size(), value);
        }
        self.count += 1;
        if key.is_outside {
            self.insert_text(text, key.text);
        }
        if VALUES && value.is_outside {
            self.insert_text(text + usize::from(key.is_outside), value.text);
        }
    }

    /// Replaces the value of an entry.
    #[inline]
    pub(super) fn replace(&mut self, place: &Place, value: &Stored<'_>) {
        if !VALUES {
            return;
        }
        if place.end_text > place.value_text {
            self.remove_text(place.value_text);
        }
        self.resize(place.value, place.end - place.value, value.size());
        self.write(place.value, value);
        if value.is_outside {
            self.insert_text(place.value_text, value.text);
        }
        self.shrink();
    }

    pub(super) fn remove(&mut self, place: &Place) {
        for text in (place.first_text..place.end_text).rev() {
            self.remove_text(text);
        }
        self.resize(place.start, place.end - place.start, 0);
        self.count -= 1;
        self.shrink();
    }

    #[inline]
    fn write(&mut self, at: usize, item: &Stored<'_>) {
        item.write(&mut self.buffer[at..at + item.size()]);
    }

    /// Makes `old` bytes at a position `new` ones, whose content is not yet written.
    #[inline]
    fn resize(&mut self, at: usize, old: usize, new: usize) {
        let used = self.used as usize;
        let needed = used - old + new;
        if needed > self.buffer.len() {
            self.set_capacity(with_slack(needed));
        }
        if old != new && at + old < used {
            self.buffer.copy_within(at + old..used, at + new);
        }
        // A segment has a few tens of entries of a kilobyte at most.
        self.used = needed as u32;
    }

    fn set_capacity(&mut self, capacity: usize) {
        let mut buffer = std::mem::take(&mut self.buffer).into_vec();
        buffer.truncate(capacity);
        buffer.reserve_exact(capacity - buffer.len());
        buffer.resize(capacity, 0);
        self.buffer = buffer.into_boxed_slice();
    }

    /// Frees memory after a removal, if there is much.
    #[inline]
    fn shrink(&mut self) {
        let used = self.used as usize;
        if self.buffer.len() > used + used / 4 + SLACK_MAX {
            self.set_capacity(with_slack(used));
        }
    }

    fn insert_text(&mut self, at: usize, text: &[u8]) {
        let outside = self.outside.get_or_insert_default();
        outside.bytes += ARC_BYTES + text.len();
        outside.texts.insert(at, text.into());
    }

    fn remove_text(&mut self, at: usize) -> Option<Arc<[u8]>> {
        let outside = self.outside.as_mut()?;
        let text = (at < outside.texts.len()).then(|| outside.texts.remove(at))?;
        outside.bytes -= ARC_BYTES + text.len();
        if outside.texts.is_empty() {
            self.outside = None;
        }
        Some(text)
    }

    /// Appends all entries of another segment.
    pub(super) fn append(&mut self, other: Segment<VALUES>) {
        let start = self.used as usize;
        self.resize(start, 0, other.used());
        self.buffer[start..start + other.used()].copy_from_slice(other.bytes());
        self.count += other.count;
        if let Some(texts) = other.outside {
            let outside = self.outside.get_or_insert_default();
            outside.bytes += texts.bytes;
            outside.texts.extend(texts.texts);
        }
    }

    /// Divides the entries into two segments: those whose key stays, and the others.
    pub(super) fn split(
        self,
        stays: impl Fn(Item<'_>) -> bool,
    ) -> (Segment<VALUES>, Segment<VALUES>) {
        let mut halves: [Segment<VALUES>; 2] = Default::default();
        let (mut start, mut text) = (0, 0);
        let capacity = with_slack(self.used() / 2);
        halves.iter_mut().for_each(|half| half.set_capacity(capacity));
        while start < self.used() {
            let place = place_at::<VALUES>(self.bytes(), start, text);
            let key = self.item(start, place.value, place.first_text);
            let half = &mut halves[usize::from(!stays(key))];
            let entry = &self.bytes()[start..place.end];
            let end = half.used();
            half.resize(end, 0, entry.len());
            half.buffer[end..end + entry.len()].copy_from_slice(entry);
            half.count += 1;
            for text in &self.texts()[place.first_text..place.end_text] {
                let outside = half.outside.get_or_insert_default();
                outside.bytes += ARC_BYTES + text.len();
                outside.texts.push(Arc::clone(text));
            }
            (start, text) = (place.end, place.end_text);
        }
        halves.iter_mut().for_each(Segment::shrink);
        let [staying, leaving] = halves;
        (staying, leaving)
    }

    pub(super) fn iter(&self) -> Entries<'_, VALUES> {
        Entries { bytes: self.bytes(), texts: self.texts(), at: 0, text: 0 }
    }
}

/// Returns the place of a key among entries without texts outside.
#[inline]
pub(super) fn find_in<const VALUES: bool>(bytes: &[u8], key: &Stored<'_>) -> Option<Place> {
    if key.is_outside {
        return None;
    }
    let looks = key.looks();
    let mut start = 0;
    while start < bytes.len() {
        let value = start + size_at(bytes, start);
        let end = if VALUES { value + size_at(bytes, value) } else { value };
        if looks.are_at(bytes, start, value) && key.is_at(&bytes[start..value]) {
            return Some(Place { start, value, end, first_text: 0, value_text: 0, end_text: 0 });
        }
        start = end;
    }
    None
}

/// Returns the place of the entry that begins at a byte.
#[inline]
fn place_at<const VALUES: bool>(bytes: &[u8], start: usize, first_text: usize) -> Place {
    let (size, is_outside) = measure(bytes, start);
    let (value, value_text) = (start + size, first_text + usize::from(is_outside));
    let (size, is_outside) = if VALUES { measure(bytes, value) } else { (0, false) };
    let (end, end_text) = (value + size, value_text + usize::from(is_outside));
    Place { start, value, end, first_text, value_text, end_text }
}

/// Returns the capacity for this many bytes.
#[inline]
fn with_slack(needed: usize) -> usize {
    (needed + needed / 16).next_multiple_of(8)
}

/// The entries of a segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries<'a, const VALUES: bool> {
    bytes: &'a [u8],
    texts: &'a [Arc<[u8]>],
    at: usize,
    text: usize,
}

impl<'a, const VALUES: bool> Entries<'a, VALUES> {
    /// Entries packed as in a segment, without texts outside.
    pub(super) fn packed(bytes: &'a [u8]) -> Entries<'a, VALUES> {
        Entries { bytes, ..Entries::default() }
    }

    fn item(&self, start: usize, end: usize, text: usize) -> Item<'a> {
        read(&self.bytes[start..end])
            .unwrap_or_else(|| Item::Text(self.texts.get(text).map_or(b"", |text| text)))
    }
}

impl<'a, const VALUES: bool> Iterator for Entries<'a, VALUES> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, Item<'a>)> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let place = place_at::<VALUES>(self.bytes, self.at, self.text);
        (self.at, self.text) = (place.end, place.end_text);
        let key = self.item(place.start, place.value, place.first_text);
        let value = match VALUES {
            true => self.item(place.value, place.end, place.value_text),
            false => Item::EMPTY,
        };
        Some((key, value))
    }
}
