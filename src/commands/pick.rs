//! Random elements of a value, for HRANDFIELD and the like.

use crate::dict::Item;
use crate::engine::{CommandError, integer};
use crate::state::Random;
use std::collections::BTreeSet;

/// The most elements that one command returns with repetitions. Redis has no limit, and may need all memory.
const REPEATED_MAX: u64 = 1 << 22;

const OUT_OF_RANGE: CommandError = CommandError::text("ERR value is out of range");

/// What a count asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Up to so many different elements.
    Different(usize),
    /// So many elements, the same ones several times if it happens.
    Repeated(usize),
}

/// Parses the count of elements.
pub(super) fn wanted(arg: &[u8]) -> Result<Wanted, CommandError> {
    let count = integer(arg)?;
    let number = count.unsigned_abs();
    if count >= 0 {
        return Ok(Wanted::Different(usize::try_from(number).unwrap_or(usize::MAX)));
    }
    if count == i64::MIN {
        return Err(format!(
            "ERR value is out of range, value must between -{0} and {0}",
            i64::MAX
        )
        .into());
    }
    match usize::try_from(number) {
        Ok(count) if number <= REPEATED_MAX => Ok(Wanted::Repeated(count)),
        _ => Err(OUT_OF_RANGE),
    }
}

/// Returns an error if so many pairs are more elements than Redis can count.
pub(super) fn check_pairs(arg: &[u8]) -> Result<(), CommandError> {
    let half = i64::MAX / 2;
    if (-half..=half).contains(&integer(arg)?) { Ok(()) } else { Err(OUT_OF_RANGE) }
}

/// Returns `count` different ones of `len` elements, fewer than all. `draw` returns a random one, and `key`
/// what tells them apart.
pub(super) fn different<'a, T: Copy>(
    count: usize,
    len: usize,
    all: impl Iterator<Item = T>,
    mut draw: impl FnMut(&mut Random) -> Option<T>,
    key: impl Fn(T) -> Item<'a>,
    random: &mut Random,
) -> Vec<T> {
    let mut picked = Vec::with_capacity(count);
    if count > len / 3 {
        // Each of the elements left is one of those still wanted with the same probability.
        for (at, element) in all.enumerate() {
            let (left, wanted) = ((len - at) as u64, (count - picked.len()) as u64);
            if random.next() % left.max(1) < wanted {
                picked.push(element);
            }
            if picked.len() == count {
                break;
            }
        }
        return picked;
    }
    let mut known = BTreeSet::new();
    while picked.len() < count {
        let Some(element) = draw(random) else { break };
        if known.insert(key(element)) {
            picked.push(element);
        }
    }
    picked
}
