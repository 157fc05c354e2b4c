//! The parts of a stream, as a reader passes them on.

/// A part of a stream, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamPart<'a> {
    /// A stream begins.
    Begin,
    /// A block begins, with the id of its first entry.
    Block([u8; 16]),
    /// The next element of the block.
    Element(&'a [u8]),
    /// The block has ended.
    BlockEnd,
    /// What is behind the blocks.
    Ids(StreamIds),
    /// A group begins.
    Group(StreamGroup<'a>),
    /// A pending entry of the group: its id, when it was last delivered, and how often.
    Pending([u8; 16], i64, u64),
    /// A consumer begins: its name, and when it was last active.
    Consumer(&'a [u8], i64),
    /// A pending entry of the group is pending for the consumer.
    Owned([u8; 16]),
    /// The stream has ended.
    End,
}

/// Ids and counts of a stream. An id is two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamIds {
    /// The number of entries.
    pub len: u64,
    /// The last id.
    pub last: (u64, u64),
    /// The highest deleted id, and how many entries were ever added, if the type has them.
    pub counts: Option<((u64, u64), u64)>,
}

/// The beginning of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamGroup<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The id of the last entry that it has read.
    pub last: (u64, u64),
    /// How many entries it has read, if the type has it; all bits set: unknown.
    pub read: Option<u64>,
}
