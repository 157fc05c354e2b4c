//! The nodes of the tree, and how they change.

use super::cut::Cut;
use super::leaf::{Leaf, Place};
use std::sync::Arc;

/// Children of a node at most.
const CHILDREN_MAX: usize = 64;

/// The reference counts in front of the content of an `Arc`.
const ARC_BYTES: usize = 16;

/// A part of the tree, with what its parent has to know of it.
#[derive(Clone, Debug)]
pub(super) struct Child {
    /// The number of its elements.
    pub(super) count: usize,
    /// The score of its first element.
    score: f64,
    pub(super) node: Node,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(Arc<Leaf>),
    /// Children of the same height, each with elements.
    Inner(Arc<Vec<Child>>),
}

/// An element to be added.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) score: f64,
    pub(super) member: &'a [u8],
}

/// What adding an element has led to.
#[derive(Debug)]
pub(super) enum Added {
    Done,
    /// It is added, and this new node follows the one to which it was added.
    DoneWith(Child),
    /// It is not added yet: the node was split, and this is the second part.
    Again(Child),
}

/// Whether a node is the first or the last of its level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

impl Child {
    pub(super) fn of(node: Node) -> Child {
        let mut child = Child { count: 0, score: 0.0, node };
        child.update();
        child
    }

    fn of_leaf(leaf: Leaf) -> Child {
        Child::of(Node::Leaf(Arc::new(leaf)))
    }

    /// Learns the first score and the number of elements of a changed node.
    fn update(&mut self) {
        (self.count, self.score) = match &self.node {
            Node::Leaf(leaf) => (leaf.len(), leaf.first_score()),
            Node::Inner(children) => (
                children.iter().map(|child| child.count).sum(),
                children.first().map_or(0.0, |child| child.score),
            ),
        };
    }

    /// Returns the first member.
    fn first_member(&self) -> &[u8] {
        let mut node = &self.node;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.member(0),
                Node::Inner(children) => match children.first() {
                    Some(first) => node = &first.node,
                    None => return &[],
                },
            }
        }
    }

    /// Adds an element; `bytes` is the memory of the tree.
    pub(super) fn insert(&mut self, element: Element<'_>, edge: Edge, bytes: &mut usize) -> Added {
        let added = match &mut self.node {
            Node::Leaf(leaf) => {
                let added = insert_in_leaf(leaf, element, edge, bytes);
                (self.count, self.score) = (leaf.len(), leaf.first_score());
                return added;
            }
            Node::Inner(children) => insert_in_children(children, element, edge, bytes),
        };
        match &added {
            // The usual case needs no sum.
            Added::Done => {
                self.count += 1;
                if let Node::Inner(children) = &self.node {
                    self.score = children.first().map_or(0.0, |child| child.score);
                }
            }
            Added::DoneWith(_) | Added::Again(_) => self.update(),
        }
        added
    }

    /// Removes the elements from `from` up to `to`, which the node has. Sets `is_sparse` if it has become so.
    pub(super) fn remove(&mut self, from: usize, to: usize, bytes: &mut usize) {
        match &mut self.node {
            Node::Leaf(leaf) => {
                *bytes -= leaf.allocated_bytes();
                let own = Arc::make_mut(leaf);
                own.remove(from, to);
                *bytes += own.allocated_bytes();
                (self.count, self.score) = (own.len(), own.first_score());
            }
            Node::Inner(children) => {
                *bytes -= children_bytes(children);
                let own = Arc::make_mut(children);
                *bytes += children_bytes(own);
                remove_in_children(own, from, to, bytes);
                self.count -= to - from;
                self.score = own.first().map_or(0.0, |child| child.score);
            }
        }
    }

    /// Sets the score of an element, which must keep its place.
    pub(super) fn set_score(&mut self, rank: usize, score: f64, bytes: &mut usize) {
        match &mut self.node {
            Node::Leaf(leaf) => {
                *bytes -= leaf.allocated_bytes();
                let own = Arc::make_mut(leaf);
                own.set_score(rank, score);
                *bytes += own.allocated_bytes();
                self.score = own.first_score();
            }
            Node::Inner(children) => {
                *bytes -= children_bytes(children);
                let own = Arc::make_mut(children);
                *bytes += children_bytes(own);
                let (index, within) = child_with(own, rank);
                if let Some(child) = own.get_mut(index) {
                    child.set_score(within, score, bytes);
                }
                self.score = own.first().map_or(0.0, |child| child.score);
            }
        }
    }

    fn is_sparse(&self) -> bool {
        match &self.node {
            Node::Leaf(leaf) => leaf.is_sparse(),
            Node::Inner(children) => children.len() < CHILDREN_MAX / 4,
        }
    }

    /// Takes the content of the node that follows, if both fit in one. Returns whether they did.
    fn join(&mut self, next: &Child, bytes: &mut usize) -> bool {
        match (&mut self.node, &next.node) {
            (Node::Leaf(leaf), Node::Leaf(next)) if leaf.can_join(next) => {
                *bytes -= leaf.allocated_bytes() + next.allocated_bytes() + LEAF_BYTES;
                let own = Arc::make_mut(leaf);
                own.append(next);
                *bytes += own.allocated_bytes();
            }
            (Node::Inner(children), Node::Inner(next))
                if children.len() + next.len() <= CHILDREN_MAX / 4 * 3 =>
            {
                *bytes -= children_bytes(children) + children_bytes(next) + INNER_BYTES;
                let own = Arc::make_mut(children);
                own.extend(next.iter().cloned());
                *bytes += children_bytes(own);
            }
            _ => return false,
        }
        self.count += next.count;
        true
    }

    /// Returns the memory of the node and all below it.
    pub(super) fn allocated_bytes(&self) -> usize {
        match &self.node {
            Node::Leaf(leaf) => LEAF_BYTES + leaf.allocated_bytes(),
            Node::Inner(children) => {
                let below: usize = children.iter().map(Child::allocated_bytes).sum();
                INNER_BYTES + children_bytes(children) + below
            }
        }
    }

    /// Panics if the parts disagree, for tests. Returns the height.
    #[cfg(test)]
    pub(super) fn check(&self) -> usize {
        let (count, score) = (self.count, self.score);
        let mut again = self.clone();
        again.update();
        assert_eq!((count, score), (again.count, again.score));
        match &self.node {
            Node::Leaf(leaf) => {
                leaf.check();
                0
            }
            Node::Inner(children) => {
                assert!((1..=CHILDREN_MAX).contains(&children.len()));
                assert!(children.iter().all(|child| child.count > 0));
                let heights: Vec<usize> = children.iter().map(Child::check).collect();
                assert!(heights.iter().all(|height| *height == heights[0]));
                heights[0] + 1
            }
        }
    }
}

pub(super) const LEAF_BYTES: usize = ARC_BYTES + size_of::<Leaf>();
pub(super) const INNER_BYTES: usize = ARC_BYTES + size_of::<Vec<Child>>();

pub(super) fn children_bytes(children: &Vec<Child>) -> usize {
    children.capacity() * size_of::<Child>()
}

fn insert_in_leaf(
    leaf: &mut Arc<Leaf>,
    element: Element<'_>,
    edge: Edge,
    bytes: &mut usize,
) -> Added {
    let Element { score, member } = element;
    let index = leaf.count_before(&Cut::Before(score, member));
    let place = leaf.place(index, member.len(), edge.is_first, edge.is_last);
    let (before, mut own_leaf) = (leaf.allocated_bytes(), None);
    let added = match place {
        Place::Here => {
            Arc::make_mut(leaf).insert(index, score, member);
            Added::Done
        }
        Place::Split(at) => {
            let second = Arc::make_mut(leaf).split_off(at);
            Added::Again(Child::of_leaf(second))
        }
        Place::Behind => Added::DoneWith(Child::of_leaf(Leaf::of(score, member))),
        Place::Before => {
            let first = Arc::new(Leaf::of(score, member));
            own_leaf = Some(std::mem::replace(leaf, first));
            Added::Done
        }
    };
    let added = match own_leaf {
        Some(second) => Added::DoneWith(Child::of(Node::Leaf(second))),
        None => added,
    };
    *bytes = *bytes + leaf.allocated_bytes() - before;
    if let Added::DoneWith(child) | Added::Again(child) = &added {
        *bytes += child.allocated_bytes();
    }
    added
}

fn insert_in_children(
    shared: &mut Arc<Vec<Child>>,
    element: Element<'_>,
    edge: Edge,
    bytes: &mut usize,
) -> Added {
    *bytes -= children_bytes(shared);
    let children = Arc::make_mut(shared);
    let cut = Cut::Before(element.score, element.member);
    let added = loop {
        let index = child_before(children, &cut);
        let last = children.len().saturating_sub(1);
        let Some(child) = children.get_mut(index) else { break Added::Done };
        let edge =
            Edge { is_first: edge.is_first && index == 0, is_last: edge.is_last && index == last };
        let (new, is_done) = match child.insert(element, edge, bytes) {
            Added::Done => break Added::Done,
            Added::DoneWith(new) => (new, true),
            Added::Again(new) => (new, false),
        };
        children.insert(index + 1, new);
        if children.len() > CHILDREN_MAX {
            // At the end children often come in order: the first part stays full.
            let half = children.len() / 2;
            let at = if edge.is_last { CHILDREN_MAX } else { half };
            let second = children.split_off(at);
            children.shrink_to(CHILDREN_MAX);
            let second = Child::of(Node::Inner(Arc::new(second)));
            if let Node::Inner(children) = &second.node {
                *bytes += INNER_BYTES + children_bytes(children);
            }
            break if is_done { Added::DoneWith(second) } else { Added::Again(second) };
        }
        if is_done {
            break Added::Done;
        }
    };
    *bytes += children_bytes(children);
    added
}

fn remove_in_children(children: &mut Vec<Child>, from: usize, to: usize, bytes: &mut usize) {
    let (mut first_gone, mut gone) = (children.len(), 0);
    let mut start = 0;
    for (index, child) in children.iter_mut().enumerate() {
        let end = start + child.count;
        let (low, high) = (from.max(start), to.min(end));
        if low < high {
            if high - low == child.count {
                *bytes -= child.allocated_bytes();
                first_gone = first_gone.min(index);
                gone += 1;
            } else {
                child.remove(low - start, high - start, bytes);
            }
        }
        start = end;
        if start >= to {
            break;
        }
    }
    children.drain(first_gone..first_gone + gone);
    // At most the two children beside the gap have lost elements.
    let changed = if gone > 0 { first_gone } else { child_with(children, from).0 };
    for index in [changed, changed.saturating_sub(1)] {
        mend(children, index, bytes);
    }
}

/// Joins a sparse child with a neighbour, if one has room.
fn mend(children: &mut Vec<Child>, index: usize, bytes: &mut usize) {
    if !children.get(index).is_some_and(Child::is_sparse) {
        return;
    }
    for first in [index, index.wrapping_sub(1)] {
        if let Some((head, [next, ..])) = children.split_at_mut_checked(first.wrapping_add(1))
            && let Some(own) = head.last_mut()
            && own.join(next, bytes)
        {
            children.remove(first + 1);
            return;
        }
    }
}

/// Returns the last child that begins before a cut, or the first one.
#[inline]
pub(super) fn child_before(children: &[Child], cut: &Cut<'_>) -> usize {
    let begins = |child: &Child| cut.is_behind(child.score, || child.first_member());
    children.partition_point(begins).saturating_sub(1)
}

/// Returns the child with the element of this rank, and the rank within it.
#[inline]
pub(super) fn child_with(children: &[Child], rank: usize) -> (usize, usize) {
    let mut left = rank;
    for (index, child) in children.iter().enumerate() {
        if left < child.count {
            return (index, left);
        }
        left -= child.count;
    }
    (children.len(), left)
}
