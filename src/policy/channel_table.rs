//! All channel policies, which one applies to a channel, and their counters.

use super::ChannelPolicy;
use super::pattern_index::PatternIndex;
use crate::glob::glob_matches;
use std::cmp::Reverse;

/// Effects of policies on slow subscribers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Messages dropped for newer ones.
    pub dropped_oldest: u64,
    /// Messages that were not sent.
    pub dropped_newest: u64,
    /// Subscribers whose connections were closed.
    pub disconnected: u64,
}

/// A policy in effect.
#[derive(Clone, Debug)]
pub struct RankedChannelPolicy {
    /// The policy.
    pub policy: ChannelPolicy,
    /// Identifies the policy for waiting messages. It stays the same while there is a policy of this
    /// name, whatever its options, and is never reused.
    pub number: u64,
    /// Its counters.
    pub counts: ChannelCounts,
}

/// The channel policies of the settings.
#[derive(Debug, Default)]
pub struct ChannelPolicies {
    /// The highest priority first; of equal ones the first by name.
    ranked: Vec<RankedChannelPolicy>,
    /// The patterns of `ranked`.
    patterns: PatternIndex,
    /// The counters of policies that no longer exist.
    past: ChannelCounts,
    last_number: u64,
}

impl ChannelCounts {
    fn add(&mut self, other: ChannelCounts) {
        self.dropped_oldest += other.dropped_oldest;
        self.dropped_newest += other.dropped_newest;
        self.disconnected += other.disconnected;
    }
}

impl ChannelPolicies {
    /// Replaces the policies by those of the settings.
    pub fn configure(&mut self, configured: &[ChannelPolicy]) {
        let mut before = std::mem::take(&mut self.ranked);
        for policy in configured {
            let same = before.iter().position(|ranked| ranked.policy.name == policy.name);
            let (number, counts) = match same.map(|at| before.swap_remove(at)) {
                Some(same) => (same.number, same.counts),
                None => {
                    self.last_number += 1;
                    (self.last_number, ChannelCounts::default())
                }
            };
            self.ranked.push(RankedChannelPolicy { policy: policy.clone(), number, counts });
        }
        for gone in before {
            self.past.add(gone.counts);
        }
        self.ranked.sort_by(|a, b| {
            let rank = |ranked: &RankedChannelPolicy| Reverse(ranked.policy.priority);
            rank(a).cmp(&rank(b)).then_with(|| a.policy.name.cmp(&b.policy.name))
        });
        let patterns = self.ranked.iter().map(|ranked| &ranked.policy.pattern[..]);
        self.patterns = PatternIndex::new(patterns);
    }

    /// The policies in effect, the highest priority first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &RankedChannelPolicy> {
        self.ranked.iter()
    }

    /// The policy that applies to a channel.
    #[inline]
    pub fn of(&mut self, channel: &[u8]) -> Option<&mut RankedChannelPolicy> {
        // Most users have no policy, and must not pay for the look-up.
        if self.ranked.is_empty() { None } else { self.find(channel) }
    }

    fn find(&mut self, channel: &[u8]) -> Option<&mut RankedChannelPolicy> {
        let matches = |rank: usize| glob_matches(&self.ranked[rank].policy.pattern, channel);
        let rank = self.patterns.first(channel, matches)?;
        self.ranked.get_mut(rank)
    }

    /// The counters of all policies, including those that no longer exist.
    pub fn sums(&self) -> ChannelCounts {
        let mut sums = self.past;
        self.ranked.iter().for_each(|ranked| sums.add(ranked.counts));
        sums
    }

    /// Resets the counters.
    pub fn reset_counts(&mut self) {
        self.past = ChannelCounts::default();
        self.ranked.iter_mut().for_each(|ranked| ranked.counts = ChannelCounts::default());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Policy;
    use super::*;

    fn policies(texts: &[&str]) -> Vec<ChannelPolicy> {
        let parse = |text: &&str| {
            let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
            ChannelPolicy::parse(&words).expect("valid")
        };
        texts.iter().map(parse).collect()
    }

    fn name_of(table: &mut ChannelPolicies, channel: &str) -> String {
        let found = table.of(channel.as_bytes());
        found.map_or(String::new(), |it| String::from_utf8_lossy(&it.policy.name).into_owned())
    }

    #[test]
    fn only_the_highest_priority_applies() {
        let mut table = ChannelPolicies::default();
        assert_eq!(name_of(&mut table, "c1"), "");
        table.configure(&policies(&[
            "b c* high-water-mark 1",
            "a c* high-water-mark 2",
            "low * high-water-mark 3 priority -1",
            "high c2 high-water-mark 4 priority 1",
        ]));
        for (channel, name) in [("c1", "a"), ("c2", "high"), ("x", "low")] {
            assert_eq!(name_of(&mut table, channel), name, "{channel}");
        }
    }

    #[test]
    fn numbers_and_counters_stay_with_the_name() {
        let mut table = ChannelPolicies::default();
        table.configure(&policies(&["a a high-water-mark 1", "b b high-water-mark 1"]));
        let number = |table: &mut ChannelPolicies, name: &[u8]| table.of(name).map(|it| it.number);
        let (a, b) = (number(&mut table, b"a"), number(&mut table, b"b"));
        for name in [b"a", b"b"] {
            let counts = &mut table.of(name).expect("a policy").counts;
            *counts = ChannelCounts { dropped_oldest: 1, dropped_newest: 2, disconnected: 3 };
        }
        table.configure(&policies(&["b b high-water-mark 9", "c a high-water-mark 1"]));
        assert_eq!(number(&mut table, b"b"), b);
        assert_ne!(number(&mut table, b"a"), a);
        assert_eq!(table.of(b"b").expect("b").policy.high_water_mark, 9);
        let twice = ChannelCounts { dropped_oldest: 2, dropped_newest: 4, disconnected: 6 };
        assert_eq!(table.sums(), twice);
        table.reset_counts();
        assert_eq!(table.sums(), ChannelCounts::default());
        assert_eq!(table.iter().len(), 2);
    }
}
