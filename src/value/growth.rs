//! What hashes, sets and sorted sets need in order to grow.

use ahash::RandomState;

/// How a hash, a set or a sorted set grows.
#[derive(Clone, Debug)]
pub(crate) struct Growth {
    /// Hashes keys, with a secret seed.
    pub(crate) hasher: RandomState,
    /// With more elements, Redis stores the value in its other form.
    pub(crate) count_max: usize,
    /// Likewise with a longer field or value.
    pub(crate) bytes_max: usize,
}
