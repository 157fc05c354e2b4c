//! Finds the first of many patterns that matches a name, without trying all of them.

use ahash::RandomState;
use std::collections::HashMap;

/// Patterns in the order of their rank, indexed by their literal beginning, that is, the bytes before
/// any special character. A name can only match patterns with whose beginning it starts.
#[derive(Clone, Debug, Default)]
pub(super) struct PatternIndex {
    /// The ranks of the patterns with the same beginning, in the order of their rank.
    ranks: HashMap<Box<[u8]>, Vec<usize>, RandomState>,
    /// The lengths of the beginnings, each once.
    lengths: Vec<usize>,
}

impl PatternIndex {
    /// Indexes these patterns, given in the order of their rank.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a [u8]>) -> PatternIndex {
        let mut index = PatternIndex::default();
        for (rank, pattern) in patterns.enumerate() {
            let is_special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
            let length = pattern.iter().position(is_special).unwrap_or(pattern.len());
            index.ranks.entry(pattern[..length].into()).or_default().push(rank);
            index.lengths.push(length);
        }
        index.lengths.sort_unstable();
        index.lengths.dedup();
        index
    }

    /// The first matching pattern by rank; `matches` is called only for patterns that can match.
    pub(super) fn first(&self, name: &[u8], matches: impl Fn(usize) -> bool) -> Option<usize> {
        let mut first = None;
        for &length in &self.lengths {
            let Some(beginning) = name.get(..length) else { break };
            let Some(ranks) = self.ranks.get(beginning) else { continue };
            let before = first.unwrap_or(usize::MAX);
            let mut higher = ranks.iter().copied().take_while(|rank| *rank < before);
            first = higher.find(|rank| matches(*rank)).or(first);
        }
        first
    }

    /// Maximum number of beginnings and patterns that a name is compared with.
    pub(super) fn comparisons_max(&self) -> usize {
        // A name has one beginning of each length.
        self.lengths.len() + self.ranks.values().map(Vec::len).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glob::glob_matches;
    use proptest::prelude::*;

    #[test]
    fn patterns_with_another_beginning_are_not_tried() {
        let patterns: Vec<String> = (0..1000).map(|number| format!("queue{number}:*")).collect();
        let index = PatternIndex::new(patterns.iter().map(String::as_bytes));
        assert!(index.comparisons_max() <= 4, "{} comparisons", index.comparisons_max());
        assert_eq!(index.first(b"queue77:a", |rank| rank == 77), Some(77));
        assert_eq!(index.first(b"queue77", |_| panic!("it cannot match")), None);
    }

    proptest! {
        #[test]
        fn it_agrees_with_trying_all(
            patterns in prop::collection::vec(r"[ab]{0,3}[*?\\a]{0,2}[ab\[\]]{0,2}", 0..12),
            name in "[ab]{0,5}",
        ) {
            let matches = |rank: usize| glob_matches(patterns[rank].as_bytes(), name.as_bytes());
            let index = PatternIndex::new(patterns.iter().map(String::as_bytes));
            let expected = (0..patterns.len()).find(|rank| matches(*rank));
            prop_assert_eq!(index.first(name.as_bytes(), matches), expected);
        }
    }
}
