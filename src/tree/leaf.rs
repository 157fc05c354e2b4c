//! A leaf: some elements in order.

use super::cut::Cut;

/// Elements in a leaf at most.
pub(super) const ELEMENTS_MAX: usize = 64;

/// Bytes of members in a leaf of several elements at most, so that a change copies little.
const BYTES_MAX: usize = 4096;

/// A longer member does not move others to a new leaf with it.
const LONG_BYTES: usize = BYTES_MAX / 4;

/// By how many elements and bytes of members the capacity grows: little, since there are many leaves.
const ELEMENTS_STEP: usize = 8;
const BYTES_STEP: usize = 128;

/// Elements in the order of their scores, those of one score in the order of their members.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf {
    scores: Vec<f64>,
    /// Where each member begins. A member that begins behind `BYTES_MAX` has a leaf for itself, so this fits.
    starts: Vec<u16>,
    /// The members, one behind the other.
    members: Vec<u8>,
}

/// How an element can be added to a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There is capacity for it.
    Here,
    /// It gets a leaf for itself, before or behind this one.
    Before,
    Behind,
    /// First the leaf must be split before this element.
    Split(usize),
}

impl Leaf {
    pub(super) fn of(score: f64, member: &[u8]) -> Leaf {
        Leaf { scores: vec![score], starts: vec![0], members: member.to_vec() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    /// Returns the score of the first element; zero if there is none.
    #[inline]
    pub(super) fn first_score(&self) -> f64 {
        self.scores.first().copied().unwrap_or_default()
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> (f64, &[u8]) {
        (self.scores.get(index).copied().unwrap_or_default(), self.member(index))
    }

    #[inline]
    pub(super) fn member(&self, index: usize) -> &[u8] {
        self.members.get(self.start(index)..self.start(index + 1)).unwrap_or_default()
    }

    /// Where a member begins; behind the last one, where that ends.
    #[inline]
    fn start(&self, index: usize) -> usize {
        self.starts.get(index).map_or(self.members.len(), |start| usize::from(*start))
    }

    /// Returns the number of elements before a cut.
    #[inline]
    pub(super) fn count_before(&self, cut: &Cut<'_>) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            let score = self.scores.get(middle).copied().unwrap_or_default();
            if cut.is_behind(score, || self.member(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// How an element with so long a member can be added at an index. `is_first`, `is_last`: whether no leaf
    /// is before or behind this one. There a full leaf stays full, since elements often come in order.
    pub(super) fn place(
        &self,
        index: usize,
        length: usize,
        is_first: bool,
        is_last: bool,
    ) -> Place {
        let len = self.len();
        if len == 0 || len < ELEMENTS_MAX && self.members.len() + length <= BYTES_MAX {
            return Place::Here;
        }
        let is_alone = length > LONG_BYTES || len == 1;
        if index == len && (is_last || is_alone) {
            Place::Behind
        } else if index == 0 && (is_first || is_alone) {
            Place::Before
        } else if length > LONG_BYTES {
            Place::Split(index)
        } else {
            Place::Split(len / 2)
        }
    }

    /// Adds an element at an index; `place` has said that it can be here.
    #[inline]
    pub(super) fn insert(&mut self, index: usize, score: f64, member: &[u8]) {
        if self.scores.len() == self.scores.capacity() {
            self.scores.reserve_exact(ELEMENTS_STEP);
            self.starts.reserve_exact(ELEMENTS_STEP);
        }
        let (at, end) = (self.start(index), self.members.len());
        let wanted = end + member.len();
        if wanted > self.members.capacity() {
            self.members.reserve_exact(wanted.next_multiple_of(BYTES_STEP) - end);
        }
        self.members.extend_from_slice(member);
        if at < end {
            self.members.copy_within(at..end, at + member.len());
            if let Some(place) = self.members.get_mut(at..at + member.len()) {
                place.copy_from_slice(member);
            }
        }
        // Members behind it may all be empty. Within `BYTES_MAX`, since there is more than one element.
        let added = member.len() as u16;
        self.starts.iter_mut().skip(index).for_each(|start| *start += added);
        self.scores.insert(index, score);
        self.starts.insert(index, at as u16);
    }

    /// Sets the score of an element, which must keep its place.
    pub(super) fn set_score(&mut self, index: usize, score: f64) {
        if let Some(own) = self.scores.get_mut(index) {
            *own = score;
        }
    }

    /// Removes the elements from `from` up to `to`.
    #[inline]
    pub(super) fn remove(&mut self, from: usize, to: usize) {
        let (start, end) = (self.start(from), self.start(to));
        self.members.drain(start..end);
        self.scores.drain(from..to);
        self.starts.drain(from..to);
        let removed = (end - start) as u16;
        self.starts.iter_mut().skip(from).for_each(|start| *start -= removed);
        if self.len() * 2 + ELEMENTS_STEP < self.scores.capacity() {
            self.scores.shrink_to(self.len() + ELEMENTS_STEP);
            self.starts.shrink_to(self.len() + ELEMENTS_STEP);
            self.members.shrink_to(self.members.len() + BYTES_STEP);
        }
    }

    /// Removes the elements from an index on, and returns them.
    pub(super) fn split_off(&mut self, index: usize) -> Leaf {
        let start = self.start(index);
        let rest = Leaf {
            scores: self.scores.get(index..).unwrap_or_default().to_vec(),
            // They begin at or behind the first of them.
            starts: self.starts.iter().skip(index).map(|own| own - start as u16).collect(),
            members: self.members.get(start..).unwrap_or_default().to_vec(),
        };
        self.remove(index, self.len());
        rest
    }

    /// Whether the leaf is so empty that another should take its elements.
    pub(super) fn is_sparse(&self) -> bool {
        self.len() < ELEMENTS_MAX / 4
    }

    /// Whether the elements of both fit in one leaf, which then is not full.
    pub(super) fn can_join(&self, next: &Leaf) -> bool {
        self.len() + next.len() <= ELEMENTS_MAX / 4 * 3
            && self.members.len() + next.members.len() <= BYTES_MAX / 4 * 3
    }

    /// Adds the elements of the next leaf.
    pub(super) fn append(&mut self, next: &Leaf) {
        // Within `BYTES_MAX` by `can_join`.
        let start = self.members.len() as u16;
        self.scores.extend_from_slice(&next.scores);
        self.starts.extend(next.starts.iter().map(|own| own + start));
        self.members.extend_from_slice(&next.members);
    }

    /// Returns the bytes that it has allocated, besides itself.
    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.scores.capacity() * size_of::<f64>()
            + self.starts.capacity() * size_of::<u16>()
            + self.members.capacity()
    }

    /// Panics if the parts disagree, for tests.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!(self.scores.len(), self.starts.len());
        assert!(self.starts.is_sorted());
        assert!(self.len() <= ELEMENTS_MAX);
        assert!(self.len() == 1 || self.members.len() <= BYTES_MAX);
    }
}
