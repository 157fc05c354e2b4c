//! Iteration over elements.

use super::Tree;
use super::leaf::Leaf;

/// The elements of some ranks, from both ends. Within a leaf a step costs nothing; the next leaf is looked
/// up from the root.
#[derive(Clone, Debug)]
pub(crate) struct Range<'a> {
    tree: &'a Tree,
    /// The ranks that are left.
    from: usize,
    to: usize,
    /// The leaf with the rank `from`, or one before, and the index there.
    front: Option<(&'a Leaf, usize)>,
    /// The leaf with the rank before `to`, or one behind, and the index behind it there.
    back: Option<(&'a Leaf, usize)>,
}

impl<'a> Range<'a> {
    pub(super) fn new(tree: &'a Tree, from: usize, to: usize) -> Range<'a> {
        Range { tree, from, to, front: None, back: None }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = (f64, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(f64, &'a [u8])> {
        if self.from >= self.to {
            return None;
        }
        let (leaf, index) = match self.front {
            Some((leaf, index)) if index < leaf.len() => (leaf, index),
            _ => self.tree.leaf_with(self.from)?,
        };
        self.from += 1;
        self.front = Some((leaf, index + 1));
        Some(leaf.get(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.to - self.from;
        (left, Some(left))
    }
}

impl DoubleEndedIterator for Range<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.from >= self.to {
            return None;
        }
        let (leaf, index) = match self.back {
            Some((leaf, end)) if end > 0 => (leaf, end - 1),
            _ => self.tree.leaf_with(self.to - 1)?,
        };
        self.to -= 1;
        self.back = Some((leaf, index));
        Some(leaf.get(index))
    }
}

impl ExactSizeIterator for Range<'_> {}
