//! The categories of commands, as a set.

/// All categories, in Redis' order, without `@`. The last one is ours: the commands of QUEUE.
const NAMES: [&str; 22] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
    "queue",
];

/// A set of categories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Categories(u32);

impl Categories {
    /// The set of all categories.
    pub(crate) const ALL: Categories = Categories((1 << NAMES.len()) - 1);

    /// The set of this one category, in any case and without `@`; none if there is no such category.
    pub(crate) fn named(name: &[u8]) -> Option<Categories> {
        let position = NAMES.iter().position(|own| own.as_bytes().eq_ignore_ascii_case(name))?;
        Some(Categories(1 << position))
    }

    /// Both sets.
    pub(crate) fn and(self, other: Categories) -> Categories {
        Categories(self.0 | other.0)
    }

    /// Whether the sets have a category in common.
    pub(crate) fn intersects(self, other: Categories) -> bool {
        self.0 & other.0 != 0
    }

    /// The names, in Redis' order, without `@`.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().enumerate().filter(move |(at, _)| self.0 >> at & 1 == 1).map(|(_, n)| n)
    }
}
