//! A stream built from the parts of a file. Entries are packed anew, so nothing of a damaged block is kept.

use super::entries::BlockLimits;
use super::group::Delivery;
use super::{Stream, StreamId};
use crate::resp::parse_integer;
use std::collections::BTreeMap;

/// A block of a file may be as large as it is.
const WHOLE: BlockLimits = BlockLimits { bytes: 0, entries: 0 };

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// What is wrong with parts of a stream.
type Wrong = &'static str;

/// The next element of a block.
#[derive(Clone, Copy, Debug, Default)]
enum Next {
    #[default]
    Live,
    Deleted,
    FieldCount,
    /// One of the names of the first entry, of which so many are left.
    Name(i64),
    /// Behind those names.
    Zero,
    Flags,
    Ms,
    Seq,
    /// The number of fields of an entry with names of its own.
    OwnCount,
    /// Names or values, of which so many are left.
    Part(i64),
    Length,
}

/// Some texts, one behind the other.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn get(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(at).copied().unwrap_or_default();
        self.bytes.get(start.unwrap_or_default()..end).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Builds a stream.
#[derive(Debug, Default)]
pub(crate) struct StreamBuilder {
    stream: Stream,
    next: Next,
    /// The names of the fields of a block's first entry.
    names: Texts,
    /// The names and values of an entry, or its values.
    parts: Texts,
    first: StreamId,
    id: StreamId,
    flags: i64,
    /// Entries that the block should have and has: live, deleted.
    expected: (i64, i64),
    found: (i64, i64),
    is_new_block: bool,
    group: Vec<u8>,
    consumer: Vec<u8>,
    /// The pending entries of the group that no consumer has yet.
    pending: BTreeMap<StreamId, (i64, u64)>,
}

impl StreamBuilder {
    pub(crate) fn begin_block(&mut self, first: StreamId) {
        (self.first, self.next, self.found) = (first, Next::Live, (0, 0));
        self.names.clear();
        self.is_new_block = true;
    }

    /// Adds the next element of a block.
    ///
    /// # Errors
    /// No block has such an element there.
    pub(crate) fn element(&mut self, element: &[u8]) -> Result<(), Wrong> {
        let number = || parse_integer(element).ok_or("a stream has a text where it has a number");
        let count = || {
            let count = number()?;
            if count < 0 { Err("a stream has a negative count") } else { Ok(count) }
        };
        self.next = match self.next {
            Next::Live => {
                self.expected.0 = count()?;
                Next::Deleted
            }
            Next::Deleted => {
                self.expected.1 = count()?;
                Next::FieldCount
            }
            Next::FieldCount => match count()? {
                0 => return Err("a stream has an entry without fields"),
                count => Next::Name(count),
            },
            Next::Name(left) => {
                self.names.push(element);
                if left > 1 { Next::Name(left - 1) } else { Next::Zero }
            }
            Next::Zero if number()? != 0 => return Err("a block of a stream has no first entry"),
            Next::Zero => Next::Flags,
            Next::Flags => {
                self.flags = number()?;
                self.parts.clear();
                Next::Ms
            }
            Next::Ms => {
                self.id.ms = self.first.ms.wrapping_add(number()? as u64);
                Next::Seq
            }
            Next::Seq => {
                self.id.seq = self.first.seq.wrapping_add(number()? as u64);
                if self.flags & SAME_FIELDS == 0 {
                    Next::OwnCount
                } else {
                    Next::Part(self.names.len() as i64)
                }
            }
            Next::OwnCount => match count()?.checked_mul(2) {
                None | Some(0) => return Err("a stream has an entry without fields"),
                Some(parts) => Next::Part(parts),
            },
            Next::Part(left) => {
                self.parts.push(element);
                if left > 1 { Next::Part(left - 1) } else { Next::Length }
            }
            Next::Length => {
                let is_same = self.flags & SAME_FIELDS != 0;
                let length = self.parts.len() + if is_same { 3 } else { 4 };
                if number()? != length as i64 {
                    return Err("an entry of a stream has another length");
                }
                self.end_entry()?;
                Next::Flags
            }
        };
        Ok(())
    }

    fn end_entry(&mut self) -> Result<(), Wrong> {
        if self.flags & DELETED != 0 {
            self.found.1 += 1;
            return Ok(());
        }
        self.found.0 += 1;
        if self.id <= self.stream.last_id() {
            return Err("the ids of a stream are out of order");
        }
        let is_same = self.flags & SAME_FIELDS != 0;
        let count = if is_same { 2 * self.names.len() } else { self.parts.len() };
        let (names, parts) = (&self.names, &self.parts);
        let fields = (0..count).map(|at| match (is_same, at % 2) {
            (true, 0) => names.get(at / 2),
            (true, _) => parts.get(at / 2),
            (false, _) => parts.get(at),
        });
        let entries = &mut self.stream.0.entries;
        let is_new = std::mem::take(&mut self.is_new_block);
        if !entries.append_to_block(self.id, fields, WHOLE, is_new) {
            return Err("an entry of a stream is too large");
        }
        self.stream.0.last_id = self.id;
        Ok(())
    }

    pub(crate) fn end_block(&mut self) -> Result<(), Wrong> {
        let is_whole = matches!(self.next, Next::Flags);
        if !is_whole || self.found != self.expected {
            return Err("a block of a stream has another number of entries");
        }
        Ok(())
    }

    /// Sets the ids and counts, after the blocks. `counts`: the highest deleted id, and how many entries were
    /// ever added.
    pub(crate) fn set_ids(
        &mut self,
        len: u64,
        last: StreamId,
        counts: Option<(StreamId, u64)>,
    ) -> Result<(), Wrong> {
        if len != self.stream.len() {
            return Err("a stream has another number of entries");
        }
        if last < self.stream.last_id() {
            return Err("the last id of a stream is below that of an entry");
        }
        let (deleted, added) = counts.unwrap_or((StreamId::MIN, len));
        self.stream.set_ids(last, Some(added), deleted);
        Ok(())
    }

    /// Begins a group. `read`: how many entries it has read, if the file says so.
    pub(crate) fn begin_group(
        &mut self,
        name: &[u8],
        last: StreamId,
        read: Option<u64>,
    ) -> Result<(), Wrong> {
        self.end_group()?;
        let read = match read {
            Some(u64::MAX) => None,
            Some(read) => Some(read),
            None => self.stream.count_up_to(last),
        };
        self.group = name.to_vec();
        if self.stream.create_group(name, last, read) {
            Ok(())
        } else {
            Err("a group is there twice")
        }
    }

    pub(crate) fn pending(&mut self, id: StreamId, ms: i64, count: u64) -> Result<(), Wrong> {
        match self.pending.insert(id, (ms, count)) {
            None => Ok(()),
            Some(_) => Err("an entry is pending twice"),
        }
    }

    pub(crate) fn consumer(&mut self, name: &[u8], seen_ms: i64) -> Result<(), Wrong> {
        self.consumer = name.to_vec();
        let group = |group: &mut super::Group| group.create_consumer(name, seen_ms);
        let is_new = self.stream.change_group(&self.group, group);
        if is_new == Some(true) { Ok(()) } else { Err("a consumer is there twice") }
    }

    /// A pending entry is of the consumer that came last.
    pub(crate) fn owned(&mut self, id: StreamId) -> Result<(), Wrong> {
        const NOT_PENDING: Wrong = "a consumer has an entry that is not pending";
        let (ms, count) = self.pending.remove(&id).ok_or(NOT_PENDING)?;
        let StreamBuilder { stream, group, consumer, .. } = self;
        stream.change_group(group, |group| {
            if let Some(consumer) = group.find_consumer(consumer) {
                group.deliver(id, Delivery { ms, count, consumer });
            }
        });
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), Wrong> {
        if self.pending.is_empty() { Ok(()) } else { Err("an entry is pending for no consumer") }
    }

    /// Returns the stream.
    pub(crate) fn finish(&mut self) -> Result<Stream, Wrong> {
        self.end_group()?;
        Ok(std::mem::take(self).stream)
    }
}
