//! Places within a value that is written in pieces.

use crate::value::StreamId;

/// Elements that are looked up together.
pub(super) const ELEMENTS_AT_ONCE: usize = 64;

/// A place between the elements of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ElementPlace {
    /// Where an iteration goes on, or a number of elements.
    At(u64),
    /// In the groups of a stream.
    InGroup(GroupPlace),
}

impl ElementPlace {
    /// Before the first element.
    pub(crate) const START: ElementPlace = ElementPlace::At(0);
}

/// A place within the groups of a stream, which are in the order of their names, as are their consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupPlace {
    pub(super) group: Box<[u8]>,
    pub(super) part: Part,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Before the group.
    Start,
    /// Before the pending entries from this one on.
    Pending(StreamId),
    /// Before this consumer.
    Consumer(Box<[u8]>),
    /// Before the entries of a consumer from this one on.
    Owned(Box<[u8]>, StreamId),
}
