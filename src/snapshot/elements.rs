//! Hashes, sets, sorted sets and streams as values of RDB files, whole or in pieces.

use super::place::{ELEMENTS_AT_ONCE, ElementPlace};
use super::stream_value;
use crate::rdb::format::{TYPE_HASH, TYPE_SET, TYPE_ZSET_2};
use crate::rdb::write::{write_length, write_string};
use crate::value::{HashValue, SetValue, SortedSet, Stream, Value};

/// With this many bytes a piece is complete, unless one element is larger.
const PIECE_BYTES: usize = 64 << 10;

/// A value of several elements that is not a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Elements<'a> {
    Hash(&'a HashValue),
    Set(&'a SetValue),
    SortedSet(&'a SortedSet),
    Stream(&'a Stream),
}

impl<'a> Elements<'a> {
    /// Returns those of a value; none of a list or a string.
    pub(crate) fn of(value: &'a Value) -> Option<Elements<'a>> {
        match value {
            Value::List(_) | Value::String(_) => None,
            Value::Hash(hash) => Some(Elements::Hash(hash)),
            Value::Set(set) => Some(Elements::Set(set)),
            Value::SortedSet(set) => Some(Elements::SortedSet(set)),
            Value::Stream(stream) => Some(Elements::Stream(stream)),
        }
    }

    pub(super) fn type_number(self) -> u8 {
        match self {
            Elements::Hash(_) => TYPE_HASH,
            Elements::Set(_) => TYPE_SET,
            Elements::SortedSet(_) => TYPE_ZSET_2,
            Elements::Stream(_) => stream_value::TYPE,
        }
    }

    /// Writes the number of elements, which stands before the first.
    pub(super) fn write_head(self, out: &mut Vec<u8>) {
        write_length(
            out,
            match self {
                Elements::Hash(hash) => hash.len(),
                Elements::Set(set) => set.len(),
                Elements::SortedSet(set) => set.len(),
                Elements::Stream(stream) => stream.block_count(),
            },
        );
    }

    /// Writes the elements from a place on until a piece is complete. Returns the next place; `None` after the last
    /// element.
    pub(super) fn write_some(self, out: &mut Vec<u8>, place: ElementPlace) -> Option<ElementPlace> {
        let enough = out.len() + PIECE_BYTES;
        let mut place = place;
        while out.len() < enough {
            place = self.write_few(out, place)?;
        }
        Some(place)
    }

    fn write_few(self, out: &mut Vec<u8>, place: ElementPlace) -> Option<ElementPlace> {
        let next = match (self, place) {
            (Elements::Hash(hash), ElementPlace::At(at)) => {
                hash.scan(at, ELEMENTS_AT_ONCE, |field, value| {
                    field.with(|field| write_string(out, field));
                    value.with(|value| write_string(out, value));
                })
            }
            (Elements::Set(set), ElementPlace::At(at)) => {
                set.scan(at, ELEMENTS_AT_ONCE, |member| {
                    member.with(|member| write_string(out, member));
                })
            }
            (Elements::SortedSet(set), ElementPlace::At(at)) => write_members(out, set, at),
            (Elements::Stream(stream), ElementPlace::At(at)) => {
                return stream_value::write_blocks(out, stream, at);
            }
            (Elements::Stream(stream), ElementPlace::InGroup(place)) => {
                return stream_value::write_group(out, stream, place);
            }
            // Others have no groups.
            (
                Elements::Hash(_) | Elements::Set(_) | Elements::SortedSet(_),
                ElementPlace::InGroup(_),
            ) => 0,
        };
        (next != 0).then_some(ElementPlace::At(next))
    }
}

/// Writes members of a sorted set with their scores, from the end: a redis-server loads them fastest so. The
/// place is the number of those that are written; returns 0 after the last.
fn write_members(out: &mut Vec<u8>, set: &SortedSet, place: u64) -> u64 {
    let written = usize::try_from(place).unwrap_or(usize::MAX);
    let end = set.len().saturating_sub(written);
    let start = end.saturating_sub(ELEMENTS_AT_ONCE);
    for (score, member) in set.range(start..end).rev() {
        write_string(out, member);
        out.extend_from_slice(&score.to_le_bytes());
    }
    if start == 0 { 0 } else { (set.len() - start) as u64 }
}
