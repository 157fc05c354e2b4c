//! Sorted sets: members with scores, in the order of the scores.

mod packed;
mod scores;
#[cfg(test)]
mod tests;

use super::{ARC_BYTES, Growth, Kind, Type, Value};
use crate::resp::DoubleBuffer;
use crate::tree::{Cut, Range, Tree};
use ahash::RandomState;
use packed::{Packed, PackedRange};
use scores::Scores;
use std::sync::Arc;

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

/// A sorted set. Its content is shared with snapshots, and parts of it are copied when they change meanwhile.
#[derive(Clone, Debug)]
pub struct SortedSet(Arc<Form>);

#[derive(Clone, Debug)]
enum Form {
    Small(Packed),
    Large(Box<Large>),
}

/// Two views of the same members.
#[derive(Clone, Debug, Default)]
struct Large {
    /// In order.
    tree: Tree,
    /// By member.
    scores: Scores,
}

impl Default for SortedSet {
    fn default() -> SortedSet {
        SortedSet(Arc::new(Form::Small(Packed::default())))
    }
}

impl SortedSet {
    /// Returns the number of members.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match &*self.0 {
            Form::Small(packed) => packed.len(),
            Form::Large(large) => large.tree.len(),
        }
    }

    /// Whether it is one packed buffer.
    pub(crate) fn is_small(&self) -> bool {
        matches!(*self.0, Form::Small(_))
    }

    /// Returns the score of a member.
    #[inline]
    pub(crate) fn score(&self, member: &[u8]) -> Option<f64> {
        match &*self.0 {
            Form::Small(packed) => packed.find(member).map(|(_, score)| score),
            Form::Large(large) => large.scores.get(member),
        }
    }

    /// Returns the rank and the score of a member.
    pub(crate) fn find(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &*self.0 {
            Form::Small(packed) => packed.find(member),
            Form::Large(large) => {
                let score = large.scores.get(member)?;
                Some((large.tree.rank(&Cut::Before(score, member)), score))
            }
        }
    }

    /// Returns the number of members before a cut.
    pub(crate) fn rank(&self, cut: &Cut<'_>) -> usize {
        match &*self.0 {
            Form::Small(packed) => packed.rank(cut),
            Form::Large(large) => large.tree.rank(cut),
        }
    }

    /// Returns the member of a rank, with its score.
    pub(crate) fn get(&self, rank: usize) -> Option<(f64, &[u8])> {
        match &*self.0 {
            Form::Small(packed) => packed.range(rank..rank + 1).next(),
            Form::Large(large) => large.tree.get(rank),
        }
    }

    /// Returns the members of these ranks with their scores, in order.
    pub(crate) fn range(&self, ranks: std::ops::Range<usize>) -> Elements<'_> {
        match &*self.0 {
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
        if let Form::Small(packed) = Arc::make_mut(&mut self.0) {
            match packed.find(member) {
                Some((_, own)) if own == score => return Set::Same,
                Some((rank, _)) => {
                    packed.remove(rank..rank + 1);
                    packed.insert(score, member);
                    return Set::Updated;
                }
                None if packed.len() < growth.count_max && member.len() <= growth.bytes_max => {
                    packed.insert(score, member);
                    return Set::Added;
                }
                None => {}
            }
        }
        self.large_mut(growth).set(member, score, &growth.hasher)
    }

    /// Returns the large form, into which a small one is converted.
    fn large_mut(&mut self, growth: &Growth) -> &mut Large {
        if let Form::Small(packed) = &*self.0 {
            let mut large = Box::new(Large::default());
            for (score, member) in packed.range(0..packed.len()) {
                large.set(member, score, &growth.hasher);
            }
            self.0 = Arc::new(Form::Large(large));
        }
        match Arc::make_mut(&mut self.0) {
            Form::Large(large) => large,
            Form::Small(_) => unreachable!("it was converted above"),
        }
    }

    /// Makes a sorted set small again, if it is within the limits of the growth.
    pub(crate) fn make_small(&mut self, growth: &Growth) {
        let is_within = |(_, member): (f64, &[u8])| member.len() <= growth.bytes_max;
        if self.is_small() || self.len() > growth.count_max || !self.iter().all(is_within) {
            return;
        }
        let mut packed = Packed::default();
        self.iter().for_each(|(score, member)| packed.insert(score, member));
        self.0 = Arc::new(Form::Small(packed));
    }

    /// Removes a member. Returns whether it was there.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        let Some((rank, _)) = self.find(member) else { return false };
        match Arc::make_mut(&mut self.0) {
            Form::Small(packed) => packed.remove(rank..rank + 1),
            Form::Large(large) => {
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
        match Arc::make_mut(&mut self.0) {
            Form::Small(packed) => packed.remove(ranks),
            Form::Large(large) => {
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
        match &*self.0 {
            Form::Small(packed) => {
                packed.range(0..packed.len()).for_each(|(score, member)| see(member, score));
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
        let content = match &*self.0 {
            Form::Small(packed) => packed.allocated_bytes(),
            Form::Large(large) => {
                size_of::<Large>() + large.tree.allocated_bytes() + large.scores.allocated_bytes()
            }
        };
        ARC_BYTES + size_of::<Form>() + content
    }

    fn share(&mut self) -> SortedSet {
        self.clone()
    }

    fn len(&self) -> usize {
        SortedSet::len(self)
    }

    /// First frees what finds the members, and then those in order.
    fn free_part(&mut self) -> usize {
        match Arc::get_mut(&mut self.0) {
            Some(Form::Large(large)) if !large.scores.is_empty() => large.scores.take_part(),
            Some(Form::Large(large)) if large.tree.len() > FREED_AT_ONCE => {
                let left = large.tree.len() - FREED_AT_ONCE;
                large.tree.remove(left, usize::MAX);
                FREED_AT_ONCE
            }
            _ => std::mem::take(self).len(),
        }
    }
}
