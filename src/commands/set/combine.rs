//! Intersections, unions, differences.

use crate::commands::edit_value::replace;
use crate::dict::Item;
use crate::engine::Arg::{Many, One, OptionalNamed};
use crate::engine::Group::Set;
use crate::engine::tips::ORDER_VARIES;
use crate::engine::uses::{OVERWRITE, READ_VALUE, UPDATE};
use crate::engine::{Arguments, Command, CommandError, Context, integer_within};
use crate::keyspace::{DbIndex, Keyspace};
use crate::queueing::check_name;
use crate::resp::Request;
use crate::state::State;
use crate::value::{Growth, Kind, SetValue};

const SMALLEST: &str =
    "O(N*M) where N is the number of members of the smallest set and M the number of sets";
const TOTAL: &str = "O(N) where N is the number of members of all sets";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("sinter", -2, sinter).group(Set).since("1.0.0").read_only().keys(1, -1, READ_VALUE)
        .args(&[Many("key")]).cost(SMALLEST).tips(ORDER_VARIES)
        .says("Returns the members that all sets have."),
    Command::new("sinterstore", -3, sinterstore).group(Set).since("1.0.0").write().deny_oom()
        .key(1, UPDATE).keys(2, -1, READ_VALUE).args(&[One("destination"), Many("key")]).cost(SMALLEST)
        .says("Stores the members that all sets have."),
    Command::new("sintercard", -3, sintercard).group(Set).since("7.0.0").read_only()
        .numkeys(1, READ_VALUE).args(&[One("numkeys"), Many("key"), OptionalNamed("LIMIT", "limit")])
        .cost(SMALLEST).says("Returns how many members all sets have."),
    Command::new("sunion", -2, sunion).group(Set).since("1.0.0").read_only().keys(1, -1, READ_VALUE)
        .args(&[Many("key")]).cost(TOTAL).tips(ORDER_VARIES)
        .says("Returns the members that any of the sets has."),
    Command::new("sunionstore", -3, sunionstore).group(Set).since("1.0.0").write().deny_oom()
        .key(1, OVERWRITE).keys(2, -1, READ_VALUE).args(&[One("destination"), Many("key")]).cost(TOTAL)
        .says("Stores the members that any of the sets has."),
    Command::new("sdiff", -2, sdiff).group(Set).since("1.0.0").read_only().keys(1, -1, READ_VALUE)
        .args(&[Many("key")]).cost(TOTAL).tips(ORDER_VARIES)
        .says("Returns the members of the first set that no other has."),
    Command::new("sdiffstore", -3, sdiffstore).group(Set).since("1.0.0").write().deny_oom()
        .key(1, OVERWRITE).keys(2, -1, READ_VALUE).args(&[One("destination"), Many("key")]).cost(TOTAL)
        .says("Stores the members of the first set that no other has."),
];

/// The sets of a request; none for a missing key.
type Sets<'a> = Vec<Option<&'a SetValue>>;

/// How many members a combination looks at.
#[derive(Clone, Copy, Debug)]
enum Cost {
    /// Those of the smallest set, in each set.
    Smallest,
    /// Those of all sets.
    Total,
}

/// Makes a set of several.
type Combine = (fn(&Sets<'_>, &Growth) -> SetValue, Cost);

const INTERSECTION: Combine = (intersection, Cost::Smallest);
const UNION: Combine = (union, Cost::Total);
const DIFFERENCE: Combine = (difference, Cost::Total);

/// Returns the sets at keys.
fn sets_of<'a, 'k>(
    state: &'a mut State,
    db: DbIndex,
    keys: impl Iterator<Item = &'k [u8]> + Clone,
    cost: Cost,
) -> Result<Sets<'a>, CommandError> {
    let State { keyspace, stats, .. } = state;
    let (mut total, mut smallest, mut count) = (0_usize, usize::MAX, 0);
    for key in keys.clone() {
        let found = keyspace.read::<SetValue>(db, key);
        stats.count_lookup(!matches!(found, Ok(None)));
        let len = found?.map_or(0, SetValue::len);
        (total, smallest, count) = (total + len, smallest.min(len), count + 1);
    }
    keyspace.work.elements(match cost {
        Cost::Smallest => smallest.saturating_mul(count),
        Cost::Total => total,
    });
    let keyspace: &Keyspace = keyspace;
    Ok(keys.map(|key| keyspace.peek(db, key).and_then(SetValue::of)).collect())
}

/// Passes the members that all sets have to `found`, until that returns false.
fn intersect<'a>(sets: &Sets<'a>, mut found: impl FnMut(Item<'a>) -> bool) {
    let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<_>>>() else { return };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        if others.iter().all(|set| set.contains_item(member)) && !found(member) {
            return;
        }
    }
}

fn intersection(sets: &Sets<'_>, growth: &Growth) -> SetValue {
    let mut result = SetValue::default();
    intersect(sets, |member| {
        result.insert_item(member, growth);
        true
    });
    result
}

/// Returns a copy of a set, in order if it is of few integers. A large one is only copied where it changes.
fn copy(set: &SetValue, growth: &Growth) -> SetValue {
    if set.len() > growth.count_max {
        return set.clone();
    }
    let mut copy = SetValue::default();
    for member in set.iter() {
        copy.insert_item(member, growth);
    }
    copy
}

fn union(sets: &Sets<'_>, growth: &Growth) -> SetValue {
    let mut sets: Vec<&SetValue> = sets.iter().flatten().copied().collect();
    sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    let Some((largest, others)) = sets.split_first() else { return SetValue::default() };
    let mut result = copy(largest, growth);
    for member in others.iter().flat_map(|set| set.iter()) {
        result.insert_item(member, growth);
    }
    result
}

fn difference(sets: &Sets<'_>, growth: &Growth) -> SetValue {
    let Some((Some(first), others)) = sets.split_first() else { return SetValue::default() };
    let others: Vec<&SetValue> = others.iter().flatten().copied().collect();
    // As Redis decides, which then stores the result in the same form.
    let one_by_one = first.len().saturating_mul(others.len() + 1) / 2;
    let total: usize = others.iter().map(|set| set.len()).sum();
    if one_by_one > first.len() + total {
        let mut result = copy(first, growth);
        for member in others.iter().flat_map(|set| set.iter()) {
            result.remove_item(member);
        }
        return result;
    }
    let mut result = SetValue::default();
    for member in first.iter() {
        if !others.iter().any(|set| set.contains_item(member)) {
            result.insert_item(member, growth);
        }
    }
    result
}

/// Replies with a combination.
fn reply_with(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    (combine, cost): Combine,
) -> Result<(), CommandError> {
    let growth = ctx.state.set_growth();
    let result = combine(&sets_of(ctx.state, ctx.db, request.args_from(1), cost)?, &growth);
    ctx.reply.set(result.len());
    result.iter().for_each(|member| member.with(|member| ctx.reply.bulk(member)));
    Ok(())
}

/// Stores a combination.
fn store(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    (combine, cost): Combine,
) -> Result<(), CommandError> {
    let target = Arguments::of(request).required()?;
    let growth = ctx.state.set_growth();
    let result = combine(&sets_of(ctx.state, ctx.db, request.args_from(2), cost)?, &growth);
    let keyspace = &mut ctx.state.keyspace;
    check_name(keyspace, target)?;
    ctx.reply.count(result.len());
    replace(keyspace, ctx.db, target, (!result.is_empty()).then_some(result));
    Ok(())
}

fn sinter(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let sets = sets_of(ctx.state, ctx.db, request.args_from(1), Cost::Smallest)?;
    let mut found = Vec::new();
    intersect(&sets, |member| {
        found.push(member);
        true
    });
    ctx.reply.set(found.len());
    found.iter().for_each(|member| member.with(|member| ctx.reply.bulk(member)));
    Ok(())
}

fn sinterstore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    store(ctx, request, INTERSECTION)
}

fn sintercard(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let count = args.integer_within(1, i64::MAX, "ERR numkeys should be greater than 0")?;
    let keys = args.several(usize::try_from(count).unwrap_or(usize::MAX)).map_err(|_| {
        CommandError::text("ERR Number of keys can't be greater than number of args")
    })?;
    let mut limit = 0;
    while args.left() > 1 && args.takes("limit") {
        limit = integer_within(args.required()?, 0, i64::MAX, "ERR LIMIT can't be negative")?;
    }
    args.finish()?;
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let sets = sets_of(ctx.state, ctx.db, keys, Cost::Smallest)?;
    let mut found = 0;
    intersect(&sets, |_| {
        found += 1;
        found < limit
    });
    ctx.reply.count(found);
    Ok(())
}

fn sunion(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    reply_with(ctx, request, UNION)
}

fn sunionstore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    store(ctx, request, UNION)
}

fn sdiff(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    reply_with(ctx, request, DIFFERENCE)
}

fn sdiffstore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    store(ctx, request, DIFFERENCE)
}
