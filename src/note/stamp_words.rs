//! Stamps as words of a note. The words for the origin of a dead letter are only in notes whose name says so:
//! most messages are none, and older files have no such words.

use super::words::{digits, end_word, number, read_end};
use crate::queue::{DeadLetter, Reason, Stamp};
use std::sync::Arc;

/// The end of the names of notes with origins.
pub(super) const WITH_ORIGINS: &[u8] = b"-with-origins";

/// Instead of a reason, for a message that is not a dead letter.
const NONE: &[u8] = b"none";

/// The words of a stamp in a note without origins, and in one with them.
const WORDS: usize = 5;
const WORDS_WITH_ORIGIN: usize = 7;

/// The name of a note about these stamps.
pub(super) fn name_for<'a>(name: &[u8], stamps: impl IntoIterator<Item = &'a Stamp>) -> Vec<u8> {
    let has_origins = stamps.into_iter().any(|stamp| stamp.dead_letter.is_some());
    [name, if has_origins { WITH_ORIGINS } else { b"" }].concat()
}

/// The number of words of a stamp in a note with this name.
fn words_in(name: &[u8]) -> usize {
    if name.ends_with(WITH_ORIGINS) { WORDS_WITH_ORIGIN } else { WORDS }
}

/// Adds the words of a stamp to those of a note, which begin with `MARK` and its name.
pub(super) fn add_stamp(words: &mut Vec<Vec<u8>>, stamp: &Stamp) {
    let has_origin = words.get(1).is_some_and(|name| name.ends_with(WITH_ORIGINS));
    words.extend([
        digits(stamp.ready_ms),
        stamp.order.to_string().into_bytes(),
        stamp.deliveries.to_string().into_bytes(),
        stamp.hops.to_string().into_bytes(),
        end_word(stamp.taken_from),
    ]);
    if has_origin {
        let origin = stamp.dead_letter.as_deref();
        words.push(origin.map_or(NONE, |origin| origin.reason.word().as_bytes()).to_vec());
        words.push(origin.map_or(Vec::new(), |origin| origin.from.to_vec()));
    }
}

/// Reads stamps, each from the words behind `before` others. Neighbours with the same origin share it.
pub(super) fn read_stamps(words: &[&[u8]], name: &[u8], before: usize) -> Option<Vec<Stamp>> {
    let groups = words.chunks_exact(before + words_in(name));
    if !groups.remainder().is_empty() {
        return None;
    }
    let mut stamps: Vec<Stamp> = Vec::new();
    for group in groups {
        let mut stamp = read_stamp(group.get(before..)?)?;
        if let Some(last) = stamps.last()
            && last.dead_letter == stamp.dead_letter
        {
            stamp.dead_letter.clone_from(&last.dead_letter);
        }
        stamps.push(stamp);
    }
    Some(stamps)
}

/// Adds the words of stamps, each behind the number of consecutive messages that have it.
pub(super) fn add_runs(words: &mut Vec<Vec<u8>>, runs: &[(Stamp, usize)]) {
    for (stamp, count) in runs {
        words.push(count.to_string().into_bytes());
        add_stamp(words, stamp);
    }
}

/// Reads stamps, each behind the number of consecutive messages that have it.
pub(super) fn read_runs(words: &[&[u8]], name: &[u8]) -> Option<Vec<(Stamp, usize)>> {
    let stamps = read_stamps(words, name, 1)?;
    let counts = words.iter().step_by(1 + words_in(name)).map(|count| number(count));
    let counts = counts.collect::<Option<Vec<usize>>>()?;
    Some(stamps.into_iter().zip(counts).collect())
}

fn read_stamp(words: &[&[u8]]) -> Option<Stamp> {
    let (&[ready_ms, order, deliveries, hops, taken_from], origin) = words.split_first_chunk()?;
    let dead_letter = match origin {
        [] | [NONE, _] => None,
        [reason, from] => Some(read_origin(reason, from)?),
        _ => return None,
    };
    Some(Stamp {
        ready_ms: number(ready_ms)?,
        order: number(order)?,
        deliveries: number(deliveries)?,
        hops: number(hops)?,
        taken_from: read_end(taken_from)?,
        dead_letter,
    })
}

pub(super) fn read_origin(reason: &[u8], from: &[u8]) -> Option<Arc<DeadLetter>> {
    Some(Arc::new(DeadLetter { from: from.into(), reason: Reason::of_word(reason)? }))
}
