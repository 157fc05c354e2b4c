//! The rows about sorted sets, each limit with its reason.

use super::field::field;
use super::row::{Directive, used};
use super::value::{Kind, LENGTH_MAX};

/// The rows, in the order of the documentation.
#[rustfmt::skip]
pub(super) static SORTED_SET: &[Directive] = &[
    used("zset-max-listpack-entries", Kind::Number { min: 0, max: i64::MAX }, "128",
        field!(sorted_set.small_len_max),
        "Members up to which a sorted set is one packed buffer, which takes the least memory, but at most 512. Each \
         change looks at all of it.").alias("zset-max-ziplist-entries"),
    used("zset-max-listpack-value", Kind::Memory { min: 0, max: LENGTH_MAX }, "64",
        field!(sorted_set.small_member_bytes_max),
        "Bytes of a member up to which this is so.").alias("zset-max-ziplist-value"),
];
