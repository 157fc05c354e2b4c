//! The settings of `cjson`.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};

/// The depth of nesting that is allowed at first. Both directions call themselves for each level, and a thread's
/// stack must suffice in a debug build too. In the original it is 1000.
const DEPTH: u32 = DEPTH_MAX;
/// The limit on it. The original has none.
pub(super) const DEPTH_MAX: u32 = 200;
const PRECISION: u32 = 14;

/// What becomes of numbers that JSON does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidNumbers {
    Refused = 0,
    Written = 1,
    Null = 2,
}

/// The settings, which scripts change for all scripts, as in Redis.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) encode_depth_max: AtomicU32,
    pub(super) decode_depth_max: AtomicU32,
    pub(super) precision: AtomicU32,
    /// Whether a sparse array becomes an object instead of an error.
    pub(super) converts_sparse: AtomicBool,
    /// An array is sparse with more than this many elements for each that is there; 0 for never.
    pub(super) sparse_ratio: AtomicU32,
    /// A shorter array is never sparse.
    pub(super) sparse_safe: AtomicU32,
    pub(super) encode_invalid: AtomicU8,
    pub(super) decodes_invalid: AtomicBool,
    pub(super) keeps_buffer: AtomicBool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            encode_depth_max: DEPTH.into(),
            decode_depth_max: DEPTH.into(),
            precision: PRECISION.into(),
            converts_sparse: false.into(),
            sparse_ratio: 2.into(),
            sparse_safe: 10.into(),
            encode_invalid: (InvalidNumbers::Refused as u8).into(),
            decodes_invalid: true.into(),
            keeps_buffer: true.into(),
        }
    }
}

impl Config {
    pub(super) fn encode_invalid(&self) -> InvalidNumbers {
        match self.encode_invalid.load(Relaxed) {
            0 => InvalidNumbers::Refused,
            1 => InvalidNumbers::Written,
            _ => InvalidNumbers::Null,
        }
    }
}
