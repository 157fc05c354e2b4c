//! What the replicas have acknowledged of the stream.
//!
//! There are few replicas. Their offsets are also kept in order, so that it is known at once how many have an
//! offset, and which offset a number of them has; an acknowledgement costs one walk over them.

use crate::client_id::ClientId;

/// What one replica has acknowledged.
#[derive(Clone, Copy, Debug)]
struct Replica {
    client: ClientId,
    /// The highest offset that it has.
    offset: u64,
    /// The highest offset that is on its disk; `None` if it has not said so.
    synced: Option<u64>,
    /// When it last acknowledged, in microseconds of the monotonic clock.
    heard_us: u64,
}

/// What the replicas online have acknowledged of the stream.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    replicas: Vec<Replica>,
    /// The offsets of all replicas, the highest first.
    offsets: Vec<u64>,
    /// The offsets on the disks of those that have told, the highest first.
    synced: Vec<u64>,
    /// Whether more may be acknowledged than at the last call of `take_news`.
    has_news: bool,
    /// Only acknowledgements above this offset say that a replica is there: older ones may have waited in its
    /// socket while this process was stopped.
    fresh_above: Option<u64>,
}

impl Acknowledged {
    /// A replica has the stream up to `offset`, and up to `synced` on its disk, if it says so. The first call
    /// brings it online. Offsets never go back, and must not be above the end of the stream.
    pub(crate) fn record(
        &mut self,
        client: ClientId,
        offset: u64,
        synced: Option<u64>,
        now_us: u64,
    ) {
        let at = self.replicas.iter().position(|replica| replica.client == client);
        let before = at.map(|at| self.replicas[at]);
        let next = Replica {
            client,
            offset: before.map_or(offset, |before| before.offset.max(offset)),
            synced: before.and_then(|before| before.synced).max(synced),
            heard_us: now_us,
        };
        match at {
            Some(at) => self.replicas[at] = next,
            None => self.replicas.push(next),
        }
        // The first acknowledgement of nothing is news too: one more replica has offset 0.
        let has_more =
            |before: Replica| (before.offset, before.synced) != (next.offset, next.synced);
        if before.is_none_or(has_more) {
            self.sort();
            self.has_news = true;
        }
    }

    /// A replica has gone.
    pub(crate) fn remove(&mut self, client: ClientId) {
        let Some(at) = self.replicas.iter().position(|replica| replica.client == client) else {
            return;
        };
        self.replicas.swap_remove(at);
        self.sort();
    }

    fn sort(&mut self) {
        fn refill(sorted: &mut Vec<u64>, offsets: impl Iterator<Item = u64>) {
            sorted.clear();
            sorted.extend(offsets);
            sorted.sort_unstable_by(|one, other| other.cmp(one));
        }
        refill(&mut self.offsets, self.replicas.iter().map(|replica| replica.offset));
        refill(&mut self.synced, self.replicas.iter().filter_map(|replica| replica.synced));
    }

    /// Whether more may be acknowledged than at the last call.
    #[inline]
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// Whether `take_news` will return true.
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        self.has_news
    }

    /// How many replicas have the stream up to this offset.
    pub(crate) fn count_at(&self, offset: u64) -> usize {
        self.offsets.partition_point(|at| *at >= offset)
    }

    /// How many replicas have the stream up to this offset on their disks.
    pub(crate) fn count_synced_at(&self, offset: u64) -> usize {
        self.synced.partition_point(|at| *at >= offset)
    }

    /// The highest offset that at least `count` replicas have; `None` if there are not so many replicas.
    pub(crate) fn offset_of(&self, count: usize) -> Option<u64> {
        match count.checked_sub(1) {
            Some(rank) => self.offsets.get(rank).copied(),
            None => Some(u64::MAX),
        }
    }

    /// This process was stopped for a while: only acknowledgements of what comes after this offset are news.
    pub(crate) fn distrust_up_to(&mut self, offset: u64) {
        self.fresh_above = Some(offset);
    }

    /// How many replicas have acknowledged within this many seconds.
    pub(crate) fn count_within(&self, lag_max_s: u64, now_us: u64) -> usize {
        let lag_s = |replica: &Replica| now_us.saturating_sub(replica.heard_us) / 1_000_000;
        let is_fresh = |replica: &Replica| self.fresh_above.is_none_or(|at| replica.offset > at);
        let good = self.replicas.iter().filter(|replica| is_fresh(replica));
        good.filter(|replica| lag_s(replica) <= lag_max_s).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn id(number: u64) -> ClientId {
        ClientId::new(number, number as usize)
    }

    #[test]
    fn offsets_go_forward_only() {
        let mut all = Acknowledged::default();
        assert_eq!(
            (all.count_at(0), all.offset_of(0), all.offset_of(1)),
            (0, Some(u64::MAX), None)
        );
        all.record(id(1), 0, None, 0);
        assert!(all.take_news() && !all.take_news());
        assert_eq!((all.count_at(0), all.count_at(1), all.count_synced_at(0)), (1, 0, 0));
        all.record(id(1), 9, Some(5), 0);
        all.record(id(1), 7, Some(3), 0);
        all.record(id(1), 7, None, 0);
        assert_eq!((all.count_at(9), all.count_synced_at(5), all.count_synced_at(6)), (1, 1, 0));
        assert!(all.take_news());
        all.record(id(1), 9, Some(5), 1);
        assert!(!all.has_news(), "it only says that it is there");
        all.remove(id(1));
        assert_eq!((all.count_at(0), all.count_synced_at(0), all.offset_of(1)), (0, 0, None));
    }

    #[test]
    fn the_lag_counts_in_whole_seconds() {
        let mut all = Acknowledged::default();
        all.record(id(1), 0, None, 1_000_000);
        all.record(id(2), 0, None, 3_000_000);
        let counts = [0, 1, 2].map(|lag_s| all.count_within(lag_s, 3_999_999));
        assert_eq!(counts, [1, 1, 2]);
        assert_eq!(all.count_within(0, 0), 2, "a clock that went back");
    }

    proptest! {
        /// Whatever is acknowledged in whatever order, the counts are those of a walk over all replicas.
        #[test]
        fn counts_agree_with_a_walk(
            steps in prop::collection::vec((0u64..5, 0u64..20, prop::option::of(0u64..20)), 0..60),
        ) {
            let mut all = Acknowledged::default();
            let mut naive: BTreeMap<u64, (u64, Option<u64>)> = BTreeMap::new();
            for (number, offset, synced) in steps {
                if offset == 19 {
                    all.remove(id(number));
                    naive.remove(&number);
                } else {
                    all.record(id(number), offset, synced, 0);
                    let known = naive.entry(number).or_default();
                    *known = (known.0.max(offset), known.1.max(synced));
                }
                for offset in 0..21 {
                    let count = naive.values().filter(|known| known.0 >= offset).count();
                    prop_assert_eq!(all.count_at(offset), count);
                    let synced = naive.values().filter(|known| known.1 >= Some(offset)).count();
                    prop_assert_eq!(all.count_synced_at(offset), synced);
                }
                for count in 1..6 {
                    let reached = (0..21).rev().find(|offset| all.count_at(*offset) >= count);
                    prop_assert_eq!(all.offset_of(count), reached);
                }
            }
        }
    }
}
