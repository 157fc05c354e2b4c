//! The bounds of ranges.

use crate::engine::CommandError;
use crate::resp::parse_double_leniently;
use crate::tree::Cut;
use crate::value::SortedSet;
use std::ops::Range;

const NOT_A_FLOAT: CommandError = CommandError::text("ERR min or max is not a float");
const NOT_A_RANGE: CommandError = CommandError::text("ERR min or max not valid string range item");

/// Parses `5`, `(5` or `-inf`: a score, and whether it is excluded.
fn score_bound(arg: &[u8]) -> Result<(f64, bool), CommandError> {
    let (score, is_excluded) = match arg {
        [b'(', score @ ..] => (score, true),
        score => (score, false),
    };
    let score = parse_double_leniently(score).ok_or(NOT_A_FLOAT)?;
    Ok((score, is_excluded))
}

/// Returns the places at which a range of scores begins and ends.
pub(super) fn score_cuts(
    min: &[u8],
    max: &[u8],
) -> Result<(Cut<'static>, Cut<'static>), CommandError> {
    let min = match score_bound(min)? {
        (score, true) => Cut::BehindScore(score),
        (score, false) => Cut::BeforeScore(score),
    };
    let max = match score_bound(max)? {
        (score, true) => Cut::BeforeScore(score),
        (score, false) => Cut::BehindScore(score),
    };
    Ok((min, max))
}

/// Returns the places at which a range of members begins and ends, from `-`, `+`, `[a` or `(a`.
pub(super) fn member_cuts<'a>(
    min: &'a [u8],
    max: &'a [u8],
) -> Result<(Cut<'a>, Cut<'a>), CommandError> {
    let min = match min {
        [b'(', member @ ..] => Cut::BehindMember(member),
        [b'[', member @ ..] => Cut::BeforeMember(member),
        other => end_cut(other)?,
    };
    let max = match max {
        [b'(', member @ ..] => Cut::BeforeMember(member),
        [b'[', member @ ..] => Cut::BehindMember(member),
        other => end_cut(other)?,
    };
    Ok((min, max))
}

fn end_cut(arg: &[u8]) -> Result<Cut<'static>, CommandError> {
    match arg {
        b"-" => Ok(Cut::Start),
        b"+" => Ok(Cut::End),
        _ => Err(NOT_A_RANGE),
    }
}

/// Returns the ranks between two places.
pub(super) fn ranks(set: &SortedSet, (min, max): &(Cut<'_>, Cut<'_>)) -> Range<usize> {
    let (from, to) = (set.rank(min), set.rank(max));
    from..to.max(from)
}
