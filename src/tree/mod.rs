//! Elements in order: a counted B+ tree of scores and members.
//!
//! An element has a score and a member, some bytes. Elements are in the order of their scores, those of one
//! score in the order of their members. Each has a rank, the number of elements before it; a [`Cut`] is a
//! place between elements, and its rank is found in the same way. So every range is a range of ranks.
//!
//! Leaves are packed, and shared with copies of the tree until they change.
//!
//! | module | responsibility |
//! |---|---|
//! | `cut` | places between elements, and their order |
//! | `leaf` | some elements, packed |
//! | `node` | nodes: splitting, joining, removal of ranges |
//! | `range` | iteration from both ends |

mod cut;
mod leaf;
mod node;
mod range;
#[cfg(test)]
mod tests;

pub(crate) use cut::{Cut, compare};
pub(crate) use range::Range;

use leaf::Leaf;
use node::{Added, Child, Edge, Element, INNER_BYTES, Node, child_before, child_with};
use std::sync::Arc;

/// Elements in order. A clone shares all nodes.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: Child,
    /// The memory of all nodes.
    bytes: usize,
}

impl Default for Tree {
    fn default() -> Tree {
        let root = Child::of(Node::Leaf(Arc::new(Leaf::default())));
        Tree { bytes: root.allocated_bytes(), root }
    }
}

impl Tree {
    /// Returns the number of elements.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.root.count
    }

    /// Returns the memory of all nodes.
    #[inline]
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an element, which is not there yet. The score is a number.
    pub(crate) fn insert(&mut self, score: f64, member: &[u8]) {
        let (element, edge) = (Element { score, member }, Edge { is_first: true, is_last: true });
        loop {
            let (new, is_done) = match self.root.insert(element, edge, &mut self.bytes) {
                Added::Done => return,
                Added::DoneWith(new) => (new, true),
                Added::Again(new) => (new, false),
            };
            let first = self.root.clone();
            let children = vec![first, new];
            self.bytes += INNER_BYTES + node::children_bytes(&children);
            self.root = Child::of(Node::Inner(Arc::new(children)));
            if is_done {
                return;
            }
        }
    }

    /// Removes the elements of these ranks. Whole nodes within are dropped without a look at their elements.
    pub(crate) fn remove(&mut self, from: usize, to: usize) {
        let to = to.min(self.len());
        if from >= to {
            return;
        }
        if to - from == self.len() {
            *self = Tree::default();
            return;
        }
        self.root.remove(from, to, &mut self.bytes);
        // A root with one child is that child.
        while let Node::Inner(children) = &self.root.node
            && let [only] = &children[..]
        {
            self.bytes -= INNER_BYTES + node::children_bytes(children);
            self.root = only.clone();
        }
    }

    /// Changes the score of the element of this rank, whose member is `member`.
    pub(crate) fn set_score(&mut self, rank: usize, member: &[u8], score: f64) {
        let element = (score, member);
        let is_before = |other: Option<usize>| {
            let other = other.and_then(|rank| self.get(rank));
            other.is_none_or(|other| compare(other, element).is_lt())
        };
        let is_behind = |rank| self.get(rank).is_none_or(|other| compare(element, other).is_lt());
        if is_before(rank.checked_sub(1)) && is_behind(rank + 1) {
            return self.root.set_score(rank, score, &mut self.bytes);
        }
        self.remove(rank, rank + 1);
        self.insert(score, member);
    }

    /// Returns the number of elements before a cut.
    #[inline]
    pub(crate) fn rank(&self, cut: &Cut<'_>) -> usize {
        let (mut node, mut before) = (&self.root.node, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return before + leaf.count_before(cut),
                Node::Inner(children) => {
                    let index = child_before(children, cut);
                    let (passed, rest) = children.split_at_checked(index).unwrap_or_default();
                    before += passed.iter().map(|child| child.count).sum::<usize>();
                    match rest.first() {
                        Some(child) => node = &child.node,
                        None => return before,
                    }
                }
            }
        }
    }

    /// Returns the element of a rank.
    #[inline]
    pub(crate) fn get(&self, rank: usize) -> Option<(f64, &[u8])> {
        let (leaf, index) = self.leaf_with(rank)?;
        Some(leaf.get(index))
    }

    /// Returns the elements of these ranks, in order.
    pub(crate) fn range(&self, from: usize, to: usize) -> Range<'_> {
        let to = to.min(self.len());
        Range::new(self, from.min(to), to)
    }

    /// Returns the leaf with the element of a rank, and the index of the element in it.
    #[inline]
    fn leaf_with(&self, rank: usize) -> Option<(&Leaf, usize)> {
        let (mut node, mut within) = (&self.root.node, rank);
        loop {
            match node {
                Node::Leaf(leaf) => return (within < leaf.len()).then_some((leaf, within)),
                Node::Inner(children) => {
                    let (index, left) = child_with(children, within);
                    (node, within) = (&children.get(index)?.node, left);
                }
            }
        }
    }

    /// Panics if the parts disagree, for tests.
    #[cfg(test)]
    fn check(&self) {
        self.root.check();
        assert_eq!(self.bytes, self.root.allocated_bytes());
        let all: Vec<_> = self.range(0, self.len()).collect();
        assert_eq!(all.len(), self.len());
        assert!(all.is_sorted_by(|a, b| compare(*a, *b).is_lt()));
    }
}
