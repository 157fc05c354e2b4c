//! The scores of a large sorted set, by member.

use crate::dict::{Dict, Item};
use ahash::RandomState;

/// Integers up to this size are exact as scores.
const INTEGER_MAX: f64 = (1_u64 << 53) as f64;

/// A table from members to scores, which are stored as short as their numbers are.
#[derive(Clone, Debug, Default)]
pub(super) struct Scores(Dict<true>);

impl Scores {
    #[inline]
    pub(super) fn get(&self, member: &[u8]) -> Option<f64> {
        self.0.get(member).map(score_in)
    }

    #[inline]
    pub(super) fn insert(&mut self, member: &[u8], score: f64, hasher: &RandomState) {
        let bytes = score.to_le_bytes();
        let is_integer = score.abs() <= INTEGER_MAX && score.trunc() == score;
        let item = if is_integer { Item::Integer(score as i64) } else { Item::Text(&bytes) };
        self.0.insert_item(Item::of(member), item, hasher);
    }

    pub(super) fn remove(&mut self, member: &[u8]) {
        self.0.remove(member);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As `Dict::take_part`.
    pub(super) fn take_part(&mut self) -> usize {
        self.0.take_part()
    }

    /// As `Dict::scan`.
    pub(super) fn scan(&self, cursor: u64, count: usize, mut see: impl FnMut(&[u8], f64)) -> u64 {
        self.0.scan(cursor, count, |member, score| {
            member.with(|member| see(member, score_in(score)));
        })
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        self.0.allocated_bytes()
    }
}

#[inline]
fn score_in(item: Item<'_>) -> f64 {
    match item {
        Item::Integer(number) => number as f64,
        Item::Text(bytes) => bytes.first_chunk().map_or(0.0, |bytes| f64::from_le_bytes(*bytes)),
    }
}
