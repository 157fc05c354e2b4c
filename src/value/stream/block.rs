//! Some consecutive entries of a stream, packed as one node of Redis is.
//!
//! First come the names of the fields of the first entry. Each entry follows as elements: its flags, the
//! differences of its id to that of the first entry, its number of fields and their names unless they are
//! those of the first entry, its values, and the number of its elements. As long as all entries have the fields
//! of the first one, these last numbers are the same and are left out. The counts that stand before all
//! this in Redis are numbers here, so that nothing moves when they change. A deleted entry is marked, and
//! stays until the block is dropped.

use super::element::{Element, Elements};
use super::id::StreamId;
use crate::queue::fitting;

/// Flags of an entry.
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// The header of a listpack, and its end.
const HEADER_BYTES: usize = 6;
const END: u8 = 0xff;
/// The number of elements in a header: this many or more.
const MANY: u16 = u16::MAX;

/// Elements of an entry with the fields of the first one, besides its values and their number.
const SAME_ELEMENTS: usize = 3;
/// The longest element takes so many bytes besides those of its string.
const ELEMENT_BYTES_MAX: usize = 10;

/// Some consecutive entries, at least one of them not deleted.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// No other block of the stream ever has the same number, nor has this one when its entries have moved.
    number: u64,
    /// The id of the first entry, deleted or not.
    first: StreamId,
    bytes: Vec<u8>,
    /// Where the first entry begins.
    entries_at: u32,
    /// Where the first entry begins that is not deleted.
    live_at: u32,
    /// The number of fields of the first entry.
    field_count: u32,
    live: u32,
    deleted: u32,
    /// Elements in its listpack, besides the counts in front.
    elements: u32,
    /// Whether the number of its elements is behind each entry: some have other fields than the first one.
    has_lengths: bool,
}

/// An entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) id: StreamId,
    pub(crate) fields: Fields<'a>,
}

/// The fields of an entry, each with its name and its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    /// The names, if they are those of the first entry.
    names: Option<Elements<'a>>,
    values: Elements<'a>,
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Element<'a>, Element<'a>)> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.next(),
            None => self.values.next(),
        };
        Some((name, self.values.next()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// An entry at its place, deleted or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'a> {
    pub(super) at: usize,
    pub(super) is_deleted: bool,
    has_length: bool,
    pub(super) entry: Entry<'a>,
}

impl Placed<'_> {
    /// Returns where the next entry begins.
    #[inline]
    pub(super) fn behind(&self) -> usize {
        let Fields { names, mut values, left } = self.entry.fields;
        let count = if names.is_some() { left } else { 2 * left };
        values.skip(count + usize::from(self.has_length));
        values.at()
    }
}

impl Block {
    /// Makes a block of one entry. `fields`: names and values in turn. Returns `None` if it would be too
    /// large.
    pub(super) fn new<'f>(
        number: &mut u64,
        first: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
        capacity: usize,
    ) -> Option<Block> {
        let mut bytes = Vec::with_capacity(capacity);
        let field_count = fields.len() / 2;
        Element::Integer(field_count as i64).write(&mut bytes);
        fields.clone().step_by(2).for_each(|name| Element::of(name).write(&mut bytes));
        Element::Integer(0).write(&mut bytes);
        let at = u32::try_from(bytes.len()).ok()?;
        let mut block = Block {
            number: *number,
            first,
            bytes,
            entries_at: at,
            live_at: at,
            field_count: u32::try_from(field_count).ok()?,
            live: 0,
            deleted: 0,
            elements: u32::try_from(field_count + 2).ok()?,
            has_lengths: false,
        };
        *number += 1;
        block.append(number, first, fields).then_some(block)
    }

    /// Adds an entry with a higher id than all others. Takes a number that is free if the other entries move.
    /// Returns false if the block would become too large.
    pub(super) fn append<'f>(
        &mut self,
        free_number: &mut u64,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
    ) -> bool {
        let count = fields.len() / 2;
        let is_same = count == self.field_count as usize && {
            let mut names = Elements::new(&self.bytes, 0);
            names.skip(1);
            let mut own = fields.clone().step_by(2);
            own.all(|name| names.next().with(|first| first == name))
        };
        if !is_same && !self.has_lengths {
            self.add_lengths();
            self.number = *free_number;
            *free_number += 1;
        }
        self.reserve(&fields);
        let start = self.bytes.len();
        let out = &mut self.bytes;
        Element::Integer(if is_same { SAME_FIELDS } else { 0 }).write(out);
        Element::Integer(id.ms.wrapping_sub(self.first.ms) as i64).write(out);
        Element::Integer(id.seq.wrapping_sub(self.first.seq) as i64).write(out);
        let elements = if is_same {
            fields.skip(1).step_by(2).for_each(|value| Element::of(value).write(out));
            count + SAME_ELEMENTS
        } else {
            Element::Integer(count as i64).write(out);
            fields.for_each(|part| Element::of(part).write(out));
            2 * count + 4
        };
        if self.has_lengths {
            Element::Integer(elements as i64).write(out);
        }
        let elements = u32::try_from(elements + 1).ok();
        let elements = elements.and_then(|elements| self.elements.checked_add(elements));
        let (Some(elements), true) = (elements, u32::try_from(out.len()).is_ok()) else {
            out.truncate(start);
            return false;
        };
        (self.elements, self.live) = (elements, self.live + 1);
        true
    }

    /// Makes space for one more entry. It grows in small steps, since most blocks are about as large as the one
    /// before, and many are in memory.
    fn reserve<'f>(&mut self, fields: &(impl ExactSizeIterator<Item = &'f [u8]> + Clone)) {
        let text: usize = fields.clone().map(<[u8]>::len).sum();
        let most = text + ELEMENT_BYTES_MAX * (fields.len() + 5);
        let used = self.bytes.len();
        if self.bytes.capacity() - used < most {
            self.bytes.reserve_exact(fitting(used + most) - used);
        }
    }

    /// The number of elements of an entry with the fields of the first one.
    fn same_length(&self) -> Element<'static> {
        Element::Integer((self.field_count as usize + SAME_ELEMENTS) as i64)
    }

    /// Returns the bytes with the number of its elements behind each entry, which all have the same fields, and
    /// where the entry is then that began at an offset.
    fn with_lengths(&self, moved: usize, out: &mut Vec<u8>) -> usize {
        let (start, mut at) = (out.len(), self.entries_at as usize);
        out.extend_from_slice(&self.bytes[..at]);
        let mut moved_to = out.len() - start;
        while let Some(placed) = self.entry_at(at) {
            let behind = placed.behind();
            out.extend_from_slice(&self.bytes[at..behind]);
            self.same_length().write(out);
            if behind <= moved {
                moved_to = out.len() - start;
            }
            at = behind;
        }
        moved_to
    }

    /// Writes the number of its elements behind each entry. This is done once in the life of a block.
    #[cold]
    fn add_lengths(&mut self) {
        let mut bytes = Vec::with_capacity(fitting(self.bytes_with_lengths()));
        // Fits, as all offsets do.
        self.live_at = self.with_lengths(self.start(), &mut bytes) as u32;
        (self.bytes, self.has_lengths) = (bytes, true);
    }

    /// Returns how many bytes it has with the number of its elements behind each entry.
    fn bytes_with_lengths(&self) -> usize {
        let lengths = if self.has_lengths { 0 } else { self.count() };
        self.bytes.len() + lengths * self.same_length().written_bytes()
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the number of entries that are not deleted.
    pub(super) fn live(&self) -> usize {
        self.live as usize
    }

    /// Returns the number of all entries.
    pub(super) fn count(&self) -> usize {
        self.live as usize + self.deleted as usize
    }

    /// Returns the bytes of memory.
    pub(super) fn allocated_bytes(&self) -> usize {
        size_of::<Block>() + self.bytes.capacity()
    }

    /// Gives back memory that only a growing block needs.
    pub(super) fn shrink(&mut self) {
        let size = fitting(self.bytes.len());
        if size < self.bytes.capacity() {
            // An allocator may leave a block where it is, and its memory unused.
            let mut bytes = Vec::with_capacity(size);
            bytes.extend_from_slice(&self.bytes);
            self.bytes = bytes;
        }
    }

    /// Returns the bytes without spare memory: another block is probably about as large.
    pub(super) fn used_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of the block as a listpack.
    pub(super) fn listpack_bytes(&self) -> usize {
        let counts = [self.live, self.deleted].map(|count| Element::Integer(count.into()));
        let counts: usize = counts.iter().map(|count| count.written_bytes()).sum();
        HEADER_BYTES + counts + self.bytes_with_lengths() + 1
    }

    /// Appends the block as a listpack.
    pub(super) fn write_listpack(&self, out: &mut Vec<u8>) {
        // The length fits: see `append`.
        out.extend_from_slice(&(self.listpack_bytes() as u32).to_le_bytes());
        let elements = u16::try_from(self.elements.saturating_add(2)).unwrap_or(MANY);
        out.extend_from_slice(&elements.to_le_bytes());
        Element::Integer(self.live.into()).write(out);
        Element::Integer(self.deleted.into()).write(out);
        if self.has_lengths {
            out.extend_from_slice(&self.bytes);
        } else {
            self.with_lengths(0, out);
        }
        out.push(END);
    }

    /// Returns the entry at an offset; none at the end.
    #[inline]
    pub(super) fn entry_at(&self, at: usize) -> Option<Placed<'_>> {
        let mut elements = Elements::new(&self.bytes, at);
        if elements.is_at_end() {
            return None;
        }
        let flags = elements.next().number();
        let id = StreamId {
            ms: self.first.ms.wrapping_add(elements.next().number() as u64),
            seq: self.first.seq.wrapping_add(elements.next().number() as u64),
        };
        let is_same = flags & SAME_FIELDS != 0;
        let left = if is_same {
            self.field_count as usize
        } else {
            usize::try_from(elements.next().number()).unwrap_or_default()
        };
        let names = is_same.then(|| {
            let mut names = Elements::new(&self.bytes, 0);
            names.skip(1);
            names
        });
        let fields = Fields { names, values: elements, left };
        Some(Placed {
            at,
            is_deleted: flags & DELETED != 0,
            has_length: self.has_lengths,
            entry: Entry { id, fields },
        })
    }

    /// Returns the entry before an offset; none at the first one.
    pub(super) fn entry_before(&self, end: usize) -> Option<Placed<'_>> {
        if end <= self.entries_at as usize {
            return None;
        }
        let mut elements = Elements::new(&self.bytes, end);
        let count = if self.has_lengths {
            elements.back();
            let mut length = elements;
            length.next().number()
        } else {
            self.same_length().number()
        };
        for _ in 0..count {
            elements.back();
        }
        self.entry_at(elements.at())
    }

    /// Returns where the first entry begins that is not deleted.
    pub(super) fn start(&self) -> usize {
        self.live_at as usize
    }

    /// Returns where the last entry ends.
    pub(super) fn end(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the first entry with at least this id, not deleted, from an offset on.
    #[inline]
    pub(super) fn next_live(&self, mut at: usize, from: StreamId) -> Option<Placed<'_>> {
        loop {
            let placed = self.entry_at(at)?;
            if placed.entry.id >= from && !placed.is_deleted {
                return Some(placed);
            }
            at = placed.behind();
        }
    }

    /// Returns the last entry with at most this id, not deleted, before an offset.
    pub(super) fn previous_live(&self, mut end: usize, to: StreamId) -> Option<Placed<'_>> {
        loop {
            let placed = self.entry_before(end)?;
            if placed.entry.id <= to && !placed.is_deleted {
                return Some(placed);
            }
            end = placed.at;
        }
    }

    /// Returns the highest id, deleted or not.
    pub(super) fn last_id(&self) -> StreamId {
        self.entry_before(self.end()).map_or(self.first, |placed| placed.entry.id)
    }

    /// Returns whether there is an entry with this id.
    pub(super) fn find(&self, id: StreamId) -> Option<Placed<'_>> {
        self.next_live(self.start(), id).filter(|placed| placed.entry.id == id)
    }

    /// Marks the entry at an offset, which is not deleted, as deleted.
    pub(super) fn delete_at(&mut self, at: usize) {
        let Some(flags) = self.bytes.get_mut(at) else { return };
        *flags |= DELETED as u8;
        self.live -= 1;
        self.deleted += 1;
        if at == self.start() {
            let next = self.next_live(at, StreamId::MIN).map(|placed| placed.at);
            // Fits, as all offsets do.
            self.live_at = next.unwrap_or(self.bytes.len()) as u32;
        }
    }

    /// Marks entries from the beginning as deleted while `goes_on` says so, which gets the id of each and the
    /// number marked before. Returns how many.
    pub(super) fn delete_first(&mut self, goes_on: impl Fn(StreamId, usize) -> bool) -> usize {
        let mut deleted = 0;
        while let Some(placed) = self.next_live(self.start(), StreamId::MIN)
            && goes_on(placed.entry.id, deleted)
        {
            self.delete_at(placed.at);
            deleted += 1;
        }
        deleted
    }

    /// Panics if the counts are wrong.
    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        let (mut at, mut live, mut deleted) = (self.entries_at as usize, 0, 0);
        let mut ends = vec![at];
        while let Some(placed) = self.entry_at(at) {
            *(if placed.is_deleted { &mut deleted } else { &mut live }) += 1;
            assert!(placed.is_deleted || at >= self.start());
            at = placed.behind();
            ends.push(at);
        }
        assert_eq!((live, deleted), (self.live, self.deleted));
        assert!(live > 0, "an empty block");
        assert_eq!(at, self.end());
        for pair in ends.windows(2).rev() {
            assert_eq!(self.entry_before(pair[1]).map(|placed| placed.at), Some(pair[0]));
        }
        let (mut elements, mut count) = (Elements::new(&self.bytes, 0), 0);
        while !elements.is_at_end() {
            elements.skip(1);
            count += 1;
        }
        let lengths = if self.has_lengths { 0 } else { self.count() };
        assert_eq!(count + lengths as u32, self.elements);
    }
}
