//! Hashes, sets, sorted sets and streams as values of RDB files, whole or in pieces.

use super::stream;
use crate::rdb::format::{TYPE_HASH, TYPE_SET, TYPE_ZSET_2};
use crate::rdb::write::{write_length, write_string};
use crate::value::{HashValue, SetValue, SortedSet, Stream, Value};

/// With this many bytes a piece is complete, unless one element is larger.
const PIECE_BYTES: usize = 64 << 10;
/// Elements that are looked up together.
const ELEMENTS_AT_ONCE: usize = 64;

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
            Elements::Stream(_) => stream::TYPE,
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

    /// Writes the elements from a place on, the first of which is 0, until a piece is complete. Returns the next
    /// place; `None` after the last element.
    pub(super) fn write_some(self, out: &mut Vec<u8>, place: u64) -> Option<u64> {
        let enough = out.len() + PIECE_BYTES;
        let mut place = place;
        while out.len() < enough {
            place = self.write_few(out, place)?;
        }
        Some(place)
    }

    fn write_few(self, out: &mut Vec<u8>, place: u64) -> Option<u64> {
        let next = match self {
            Elements::Hash(hash) => hash.scan(place, ELEMENTS_AT_ONCE, |field, value| {
                field.with(|field| write_string(out, field));
                value.with(|value| write_string(out, value));
            }),
            Elements::Set(set) => set.scan(place, ELEMENTS_AT_ONCE, |member| {
                member.with(|member| write_string(out, member));
            }),
            Elements::SortedSet(set) => write_members(out, set, place),
            Elements::Stream(stream) => stream::write_some(out, stream, place),
        };
        (next != 0).then_some(next)
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
