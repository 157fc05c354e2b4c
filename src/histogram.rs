//! Times counted in buckets whose width grows with the time: any time is known to within one percent.
//! The buckets are those of an HdrHistogram with two digits, as in Redis, so that percentiles and
//! borders are the same. <http://hdrhistogram.org/> Besides, a coarser kind for metrics.

/// Buckets of equal width, of which the upper half is used. Below twice as many nanoseconds, each bucket
/// is one wide.
const HALF: u64 = 128;
/// Longer times count as this one, a second, as in Redis.
const NANOS_MAX: u64 = 1_000_000_000;
/// The first border in LATENCY HISTOGRAM; each is twice the previous one.
const FIRST_BORDER: u64 = 1024;

/// The counts. When empty, it allocates nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    /// By bucket, up to the longest time so far.
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Adds `count` times of this length.
    pub(crate) fn add(&mut self, nanos: u64, count: u64) {
        let bucket = bucket_of(nanos.clamp(1, NANOS_MAX));
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += count;
        self.total += count;
    }

    /// The number of times added.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The time that this percentage of all times does not exceed, in nanoseconds.
    pub(crate) fn percentile(&self, percent: f64) -> u64 {
        // Between 0 and the total, which is far below 2^52.
        let wanted = (percent.clamp(0.0, 100.0) / 100.0 * self.total as f64 + 0.5) as u64;
        let wanted = wanted.max(1);
        let mut below = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= wanted {
                return last_of(bucket);
            }
        }
        0
    }

    /// Borders in microseconds, each about twice the previous one, with the number of times up to it.
    /// Borders without additional times are omitted.
    pub(crate) fn borders(&self) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        let (mut next, mut below, mut border) = (0, 0, FIRST_BORDER);
        while below < self.total {
            let last = bucket_of(border);
            let end = (last + 1).min(self.counts.len());
            let added: u64 = self.counts[next..end].iter().sum();
            if added > 0 {
                below += added;
                found.push((last_of(last) / 1000, below));
            }
            next = end;
            border *= 2;
        }
        found
    }
}

/// Numbers counted in few buckets, each up to four times the previous one: for metrics, whose collectors
/// keep every bucket. It allocates nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CoarseHistogram {
    counts: [u64; CoarseHistogram::BUCKETS],
    sum: u64,
}

impl CoarseHistogram {
    /// The borders are 1, 4, 16 and so on up to 268,435,456; one bucket has what is above.
    const BUCKETS: usize = 16;

    /// Adds a number.
    #[inline]
    pub(crate) fn add(&mut self, number: u64) {
        self.add_many(number, 1);
    }

    /// Adds the same number several times.
    #[inline]
    pub(crate) fn add_many(&mut self, number: u64, count: u64) {
        let bits = u64::BITS - number.saturating_sub(1).leading_zeros();
        // Half of them, rounded up.
        let bucket = ((bits + 1) >> 1) as usize;
        self.counts[bucket.min(CoarseHistogram::BUCKETS - 1)] += count;
        self.sum = self.sum.saturating_add(number.saturating_mul(count));
    }

    /// The sum of all numbers.
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    /// How many numbers there are.
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The borders, each with how many numbers are up to it.
    pub(crate) fn borders(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.counts[..CoarseHistogram::BUCKETS - 1].iter();
        counts.enumerate().scan(0, |below, (bucket, count)| {
            *below += count;
            Some((1 << (2 * bucket), *below))
        })
    }
}

/// The bucket of a time.
fn bucket_of(nanos: u64) -> usize {
    // Bits beyond those of a bucket of width 1.
    let shift = (u64::BITS - (nanos | (2 * HALF - 1)).leading_zeros()) - (2 * HALF).ilog2();
    // The time in units of the bucket's width: below 256.
    let place = nanos >> shift;
    (u64::from(shift) * HALF + place) as usize
}

/// The longest time of a bucket.
fn last_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * HALF {
        return bucket;
    }
    let shift = bucket / HALF - 1;
    ((bucket - shift * HALF + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_known_to_within_a_hundredth() {
        let mut last = 0;
        for nanos in (1..70_000).chain((70_000..NANOS_MAX).step_by(9_973)) {
            let bucket = bucket_of(nanos);
            assert!(bucket == last || bucket == last + 1 || nanos >= 70_000, "{nanos}");
            last = bucket;
            let end = last_of(bucket);
            assert!(end >= nanos && (end - nanos) * 100 <= nanos, "{nanos}: {end}");
            assert_eq!(bucket_of(end), bucket);
            assert_eq!(bucket_of(end + 1), bucket + 1);
        }
    }

    /// As shown by redis-server 7.0.15.
    #[test]
    fn percentiles_and_borders_are_those_of_redis() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.percentile(50.0), histogram.borders()), (0, Vec::new()));
        for micros in [21, 52] {
            histogram.add(micros * 1000, 1);
        }
        assert_eq!(histogram.percentile(50.0), 21_119);
        assert_eq!(histogram.percentile(99.9), 52_223);
        assert_eq!(histogram.borders(), [(33, 1), (66, 2)]);
        let mut histogram = Histogram::default();
        histogram.add(1000, 1);
        histogram.add(77_000, 1);
        assert_eq!(histogram.percentile(0.0), 1003);
        assert_eq!(histogram.percentile(100.0), 77_311);
        assert_eq!(histogram.borders(), [(1, 1), (132, 2)]);
    }

    #[test]
    fn all_is_counted_once() {
        let mut histogram = Histogram::default();
        histogram.add(0, 3);
        histogram.add(u64::MAX, 2);
        histogram.add(33_023, 1);
        histogram.add(33_024, 1);
        assert_eq!(histogram.total(), 7);
        assert_eq!(histogram.borders(), [(1, 3), (33, 4), (66, 5), (1_082_130, 7)]);
        assert!(histogram.percentile(100.0) >= NANOS_MAX);
    }

    #[test]
    fn a_coarse_bucket_is_four_times_the_previous_one() {
        let mut histogram = CoarseHistogram::default();
        for number in [0, 1, 2, 4, 5, 16, 17, 1 << 28, (1 << 28) + 1] {
            histogram.add(number);
        }
        let borders: Vec<(u64, u64)> = histogram.borders().collect();
        assert_eq!(borders[..4], [(1, 2), (4, 4), (16, 6), (64, 7)]);
        assert_eq!(borders.last(), Some(&(1 << 28, 8)));
        assert_eq!((histogram.total(), histogram.sum()), (9, 46 + 2 * (1 << 28)));
        histogram.add_many(u64::MAX, 3);
        assert_eq!((histogram.total(), histogram.sum()), (12, u64::MAX));
    }
}
