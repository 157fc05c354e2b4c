//! Sorted sets: members with scores, in the order of the scores.

mod packed;
mod scores;
#[cfg(test)]
mod tests;

use super::compact::{Compact, Owner};
use super::{Growth, Kind, Type, Value};
use crate::dict::Buffer;
use crate::resp::DoubleBuffer;
use crate::tree::{Cut, Range, Tree};
use ahash::RandomState;
use packed::{Packed, PackedRange};
use scores::Scores;

/// Members in order that are freed at once, if a sorted set is freed in parts.
const FREED_AT_ONCE: usize = 512;

/// What setting a score has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    Added,
    Updated,
    /// The member had this score.
    Same,
}

/// In the form: Redis would store it as a skip list, since it was too large for a listpack.
const TABLE: u8 = 1;

/// More members are never packed, since each change looks at those before and moves those behind.
const PACKED_MAX: usize = 512;

/// A sorted set. Few members are packed, with the key.
#[derive(Clone, Debug, Default)]
pub struct SortedSet(Compact<Large>);

/// A sorted set as it is stored.
enum Form<'a> {
    Small(Packed<'a>),
    Large(&'a Large),
}

/// Two views of the same members.
#[derive(Clone, Debug, Default)]
struct Large {
    /// In order.
    tree: Tree,
    /// By member.
    scores: Scores,
}

impl SortedSet {
    #[inline]
    fn form(&self) -> Form<'_> {
        match self.0.apart() {
            Some(large) => Form::Large(large),
            None => Form::Small(Packed::of(&self.0)),
        }
    }

    /// Returns the number of members.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.apart().map_or_else(|| self.0.count(), |large| large.tree.len())
    }

    /// Whether Redis would store it as a listpack.
    pub(crate) fn is_small(&self) -> bool {
        self.0.form() & TABLE == 0
    }

    /// Returns the score of a member.
    #[inline]
    pub(crate) fn score(&self, member: &[u8]) -> Option<f64> {
        match self.form() {
            Form::Small(packed) => packed.find(member).map(|(_, score)| score),
            Form::Large(large) => large.scores.get(member),
        }
    }

    /// Returns the rank and the score of a member.
    pub(crate) fn find(&self, member: &[u8]) -> Option<(usize, f64)> {
        match self.form() {
            Form::Small(packed) => packed.find(member),
            Form::Large(large) => {
                let score = large.scores.get(member)?;
                Some((large.tree.rank(&Cut::Before(score, member)), score))
            }
        }
    }

    /// Returns the number of members before a cut.
    pub(crate) fn rank(&self, cut: &Cut<'_>) -> usize {
        match self.form() {
            Form::Small(packed) => packed.rank(cut),
            Form::Large(large) => large.tree.rank(cut),
        }
    }

    /// Returns the member of a rank, with its score.
    pub(crate) fn get(&self, rank: usize) -> Option<(f64, &[u8])> {
        match self.form() {
            Form::Small(packed) => packed.range(rank..rank + 1).next(),
            Form::Large(large) => large.tree.get(rank),
        }
    }

    /// Returns the members of these ranks with their scores, in order.
    pub(crate) fn range(&self, ranks: std::ops::Range<usize>) -> Elements<'_> {
        match self.form() {
            Form::Small(packed) => Elements::Small(packed.range(ranks)),
            Form::Large(large) => Elements::Large(large.tree.range(ranks.start, ranks.end)),
        }
    }

    /// Returns all members with their scores, in order.
    pub(crate) fn iter(&self) -> Elements<'_> {
        self.range(0..self.len())
    }

    /// Returns each member and its score as text, for tests and tools.
    pub(crate) fn texts(&self) -> Vec<Vec<u8>> {
        let mut buffer = DoubleBuffer::default();
        let mut texts =
            |(score, member): (f64, &[u8])| [member.to_vec(), buffer.format(score).to_vec()];
        self.iter().flat_map(&mut texts).collect()
    }

    /// Sets the score of a member, which is added if it is not there.
    pub(crate) fn set(&mut self, member: &[u8], score: f64, growth: &Growth) -> Set {
        if let Form::Small(elements) = self.form() {
            let found = elements.find(member);
            match found {
                Some((_, own)) if own == score => return Set::Same,
                Some((rank, _)) => {
                    packed::remove(&mut self.0, rank..rank + 1);
                    if packed::insert(&mut self.0, score, member).is_none() {
                        self.large_mut(growth).set(member, score, &growth.hasher);
                    }
                    return Set::Updated;
                }
                None if self.0.count() < growth.count_max.min(PACKED_MAX)
                    && member.len() <= growth.bytes_max
                    && packed::insert(&mut self.0, score, member).is_some() =>
                {
                    return Set::Added;
                }
                None => {}
            }
        }
        let set = self.large_mut(growth).set(member, score, &growth.hasher);
        if member.len() > growth.bytes_max || self.len() > growth.count_max {
            self.0.set_form(TABLE);
        }
        set
    }

    /// Returns the large form, into which a small one is converted.
    fn large_mut(&mut self, growth: &Growth) -> &mut Large {
        if let Form::Small(elements) = self.form() {
            let mut large = Large::default();
            for (score, member) in elements.range(0..self.0.count()) {
                large.set(member, score, &growth.hasher);
            }
            self.0.set_apart(large);
        }
        self.0.apart_mut().expect("it was converted above")
    }

    /// Makes a sorted set small again, if it is within the limits of the growth.
    pub(crate) fn make_small(&mut self, growth: &Growth) {
        let is_within = |(_, member): (f64, &[u8])| member.len() <= growth.bytes_max;
        if self.is_small() || self.len() > growth.count_max || !self.iter().all(is_within) {
            return;
        }
        let mut small = SortedSet::default();
        self.iter().for_each(|(score, member)| {
            small.set(member, score, growth);
        });
        *self = small;
    }

    /// Removes a member. Returns whether it was there.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        let Some((rank, _)) = self.find(member) else { return false };
        match self.0.apart_mut() {
            None => packed::remove(&mut self.0, rank..rank + 1),
            Some(large) => {
                large.scores.remove(member);
                large.tree.remove(rank, rank + 1);
            }
        }
        true
    }

    /// Removes the members of these ranks. Returns their number.
    pub(crate) fn remove_range(&mut self, ranks: std::ops::Range<usize>) -> usize {
        let len = self.len();
        if ranks.start >= ranks.end.min(len) {
            return 0;
        }
        match self.0.apart_mut() {
            None => packed::remove(&mut self.0, ranks),
            Some(large) => {
                for (_, member) in large.tree.range(ranks.start, ranks.end) {
                    large.scores.remove(member);
                }
                large.tree.remove(ranks.start, ranks.end);
            }
        }
        len - self.len()
    }

    /// Passes some members with their scores to `see`: those at a cursor, about `count`. Returns the next
    /// cursor, or 0 after the last. A member that is there from the first call to the last is passed at least once.
    pub(crate) fn scan(&self, cursor: u64, count: usize, mut see: impl FnMut(&[u8], f64)) -> u64 {
        match self.form() {
            Form::Small(packed) => {
                packed.range(0..self.0.count()).for_each(|(score, member)| see(member, score));
                0
            }
            Form::Large(large) => large.scores.scan(cursor, count, see),
        }
    }
}

impl Large {
    #[inline]
    fn set(&mut self, member: &[u8], score: f64, hasher: &RandomState) -> Set {
        match self.scores.get(member) {
            Some(own) if own == score => Set::Same,
            Some(own) => {
                let rank = self.tree.rank(&Cut::Before(own, member));
                self.tree.set_score(rank, member, score);
                self.scores.insert(member, score, hasher);
                Set::Updated
            }
            None => {
                self.tree.insert(score, member);
                self.scores.insert(member, score, hasher);
                Set::Added
            }
        }
    }
}

/// Members with their scores, from both ends.
#[derive(Clone, Debug)]
pub(crate) enum Elements<'a> {
    #[expect(private_interfaces, reason = "only used as an iterator")]
    Small(PackedRange<'a>),
    Large(Range<'a>),
}

impl<'a> Iterator for Elements<'a> {
    type Item = (f64, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(f64, &'a [u8])> {
        match self {
            Elements::Small(elements) => elements.next(),
            Elements::Large(elements) => elements.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Elements::Small(elements) => elements.size_hint(),
            Elements::Large(elements) => elements.size_hint(),
        }
    }
}

impl DoubleEndedIterator for Elements<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Elements::Small(elements) => elements.next_back(),
            Elements::Large(elements) => elements.next_back(),
        }
    }
}

impl ExactSizeIterator for Elements<'_> {}

impl Kind for SortedSet {
    const TYPE: Type = Type::SortedSet;

    #[inline]
    fn of(value: &Value) -> Option<&SortedSet> {
        match value {
            Value::SortedSet(set) => Some(set),
            _ => None,
        }
    }

    #[inline]
    fn of_mut(value: &mut Value) -> Option<&mut SortedSet> {
        match value {
            Value::SortedSet(set) => Some(set),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::SortedSet(self)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn allocated_bytes(&self) -> usize {
        let content = self
            .0
            .apart()
            .map_or(0, |large| large.tree.allocated_bytes() + large.scores.allocated_bytes());
        self.0.allocated_bytes() + content
    }

    fn share(&mut self) -> SortedSet {
        self.clone()
    }

    fn len(&self) -> usize {
        SortedSet::len(self)
    }

    /// First frees what finds the members, and then those in order.
    fn free_part(&mut self) -> usize {
        match self.0.apart_mut() {
            Some(large) if !large.scores.is_empty() => large.scores.take_part(),
            Some(large) if large.tree.len() > FREED_AT_ONCE => {
                let left = large.tree.len() - FREED_AT_ONCE;
                large.tree.remove(left, usize::MAX);
                FREED_AT_ONCE
            }
            _ => std::mem::take(self).len(),
        }
    }

    #[inline(always)]
    fn name(&self) -> &[u8] {
        self.0.name()
    }

    #[inline]
    fn owner(&self) -> Option<Owner<'_>> {
        self.0.owner()
    }

    #[inline]
    fn set_number(&mut self, at: usize, number: u32) {
        self.0.set_number(at, number);
    }

    fn renamed(self, owner: Owner<'_>, _: impl FnOnce() -> u32) -> Self {
        SortedSet(self.0.renamed(owner))
    }
}
