//! The rate of a queue's deliveries: a token bucket in whole numbers.
//!
//! A delivery takes a token. A full bucket has `count` of them, and gets `count` in each `per_ms`, evenly.
//! So at most `count` messages are delivered at once, and at most `count` more in each `per_ms` that follows.
//!
//! A token has `per_ms` parts; the bucket then gets exactly `count` parts in a millisecond, and nothing is
//! rounded. It stores the parts that are missing: a bucket that was not used for long is full, whatever its
//! rate.

use crate::policy::Rate;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// The parts that were missing at `at_ms`.
    missing: u64,
    at_ms: i64,
}

/// The parts in a full bucket.
fn capacity(rate: Rate) -> u64 {
    rate.count.saturating_mul(rate.per_ms)
}

impl Bucket {
    fn missing_at(&self, rate: Rate, now_ms: i64) -> u64 {
        let passed_ms = now_ms.saturating_sub(self.at_ms).max(0).unsigned_abs();
        self.missing.saturating_sub(passed_ms.saturating_mul(rate.count))
    }

    /// Returns the number of whole tokens.
    pub(super) fn tokens(&self, rate: Rate, now_ms: i64) -> u64 {
        capacity(rate).saturating_sub(self.missing_at(rate, now_ms)) / rate.per_ms
    }

    /// Takes tokens.
    pub(super) fn take(&mut self, count: u64, rate: Rate, now_ms: i64) {
        debug_assert!(count <= self.tokens(rate, now_ms), "more than there are");
        let taken = count.saturating_mul(rate.per_ms);
        let missing = self.missing_at(rate, now_ms).saturating_add(taken);
        *self = Bucket { missing: missing.min(capacity(rate)), at_ms: now_ms };
    }

    /// Returns when there is a token again, if none is taken until then. Before that, there is none.
    pub(super) fn next_ms(&self, rate: Rate) -> i64 {
        // Without so many parts there is still one token.
        let most = capacity(rate).saturating_sub(rate.per_ms);
        let wait_ms = self.missing.saturating_sub(most).div_ceil(rate.count);
        self.at_ms.saturating_add_unsigned(wait_ms)
    }

    /// Whether all tokens are there.
    pub(super) fn is_full(&self, rate: Rate, now_ms: i64) -> bool {
        self.missing_at(rate, now_ms) == 0
    }

    /// The rate changes. The tokens that are missing are missing still, at most all of them.
    pub(super) fn change_rate(&mut self, before: Option<Rate>, after: Option<Rate>, now_ms: i64) {
        if before == after {
            return;
        }
        let missing =
            before.map_or(0, |before| self.missing_at(before, now_ms).div_ceil(before.per_ms));
        *self = Bucket::default();
        if let Some(after) = after {
            self.take(missing.min(after.count), after, now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE_IN_TEN: Rate = Rate { count: 3, per_ms: 10 };

    fn tokens_at(bucket: &Bucket, times: &[i64]) -> Vec<u64> {
        times.iter().map(|ms| bucket.tokens(THREE_IN_TEN, *ms)).collect()
    }

    #[test]
    fn tokens_come_evenly_up_to_the_count() {
        let mut bucket = Bucket::default();
        assert_eq!(tokens_at(&bucket, &[i64::MIN, 0, 1_000, i64::MAX]), [3; 4]);
        bucket.take(3, THREE_IN_TEN, 1_000);
        assert_eq!(tokens_at(&bucket, &[0, 1_000, 1_003, 1_004, 1_006, 1_007]), [0, 0, 0, 1, 1, 2]);
        assert_eq!(tokens_at(&bucket, &[1_009, 1_010, 1_011, i64::MAX]), [2, 3, 3, 3]);
        assert!(!bucket.is_full(THREE_IN_TEN, 1_009) && bucket.is_full(THREE_IN_TEN, 1_010));
    }

    #[test]
    fn the_next_token_is_there_when_it_was_announced_and_not_before() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.next_ms(THREE_IN_TEN), 0);
        bucket.take(3, THREE_IN_TEN, 0);
        let mut times = Vec::new();
        for _ in 0..6 {
            let next_ms = bucket.next_ms(THREE_IN_TEN);
            assert_eq!(tokens_at(&bucket, &[next_ms - 1, next_ms]), [0, 1]);
            bucket.take(1, THREE_IN_TEN, next_ms);
            times.push(next_ms);
        }
        assert_eq!(times, [4, 7, 10, 14, 17, 20], "nothing is lost by rounding");
    }

    #[test]
    fn a_rate_is_kept_for_years() {
        let rates = [(2, 7), (7, 1_000), (10_000_000, 315_360_000_000), (2, 315_360_000_000)];
        for (count, per_ms) in rates {
            let rate = Rate { count, per_ms };
            let mut bucket = Bucket::default();
            let mut now_ms = 1_700_000_000_000;
            bucket.take(count, rate, now_ms);
            let end_ms = now_ms + 1_000 * per_ms as i64;
            let mut taken = 0;
            // Pauses too short for the bucket to be full again.
            let pauses_ms = (0..4).cycle().map(|sevenths| (per_ms as i64 / 7 * sevenths).max(1));
            for pause_ms in pauses_ms {
                if now_ms == end_ms {
                    break;
                }
                now_ms = end_ms.min(now_ms + pause_ms);
                let tokens = bucket.tokens(rate, now_ms);
                bucket.take(tokens, rate, now_ms);
                taken += tokens;
            }
            assert_eq!(taken, 1_000 * count, "{rate:?}");
        }
    }

    #[test]
    fn a_changed_rate_forgets_no_delivery() {
        let mut bucket = Bucket::default();
        bucket.take(3, THREE_IN_TEN, 0);
        let hundred = Rate { count: 100, per_ms: 1_000 };
        bucket.change_rate(Some(THREE_IN_TEN), Some(THREE_IN_TEN), 5);
        assert_eq!(bucket.tokens(THREE_IN_TEN, 5), 1);
        bucket.change_rate(Some(THREE_IN_TEN), Some(hundred), 5);
        assert_eq!(bucket.tokens(hundred, 5), 98);
        bucket.take(98, hundred, 5);
        bucket.change_rate(Some(hundred), Some(THREE_IN_TEN), 5);
        assert_eq!(bucket.tokens(THREE_IN_TEN, 5), 0);
        bucket.change_rate(Some(THREE_IN_TEN), None, 5);
        bucket.change_rate(None, Some(THREE_IN_TEN), 5);
        assert_eq!(bucket.tokens(THREE_IN_TEN, 5), 3);
    }
}
