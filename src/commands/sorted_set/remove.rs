//! Removing members.

use super::bounds::{member_cuts, ranks, score_cuts};
use super::range::ranks_between;
use crate::engine::Arg::{Many, One};
use crate::engine::Group::SortedSet as Group;
use crate::engine::uses::DELETE;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::tree::Cut;
use crate::value::SortedSet;
use std::ops::Range;

const PER_REMOVED: &str =
    "O(log(N)+M) with N the number of members, and M the number of removed ones";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("zrem", -3, zrem).group(Group).since("1.2.0").write().fast().key(1, DELETE)
        .args(&[One("key"), Many("member")])
        .cost("O(M*log(N)) with N the number of members, and M the number of removed ones")
        .says("Removes members from a sorted set."),
    Command::new("zremrangebyrank", 4, zremrangebyrank).group(Group).since("2.0.0").write()
        .key(1, DELETE).args(&[One("key"), One("start"), One("stop")]).cost(PER_REMOVED)
        .says("Removes the members between two ranks."),
    Command::new("zremrangebyscore", 4, zremrangebyscore).group(Group).since("1.2.0").write()
        .key(1, DELETE).args(&[One("key"), One("min"), One("max")]).cost(PER_REMOVED)
        .says("Removes the members between two scores."),
    Command::new("zremrangebylex", 4, zremrangebylex).group(Group).since("2.8.9").write()
        .key(1, DELETE).args(&[One("key"), One("min"), One("max")]).cost(PER_REMOVED)
        .says("Removes the members between two texts, if all have the same score."),
];

fn zrem(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let keyspace = &mut ctx.state.keyspace;
    keyspace.work.moved(args.left());
    let removed = keyspace.change(ctx.db, key, |set: &mut SortedSet| {
        let removed = args.rest().filter(|member| set.remove(member)).count();
        (removed, removed > 0)
    })?;
    ctx.reply.count(removed.unwrap_or(0));
    Ok(())
}

fn zremrangebyrank(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, start, stop) = (args.required()?, args.integer()?, args.integer()?);
    remove(ctx, key, |set| ranks_between(start, stop, set.len()))
}

fn zremrangebyscore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    remove_between(ctx, key, score_cuts(args.required()?, args.required()?)?)
}

fn zremrangebylex(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    remove_between(ctx, key, member_cuts(args.required()?, args.required()?)?)
}

fn remove_between(
    ctx: &mut Context<'_>,
    key: &[u8],
    cuts: (Cut<'_>, Cut<'_>),
) -> Result<(), CommandError> {
    remove(ctx, key, |set| ranks(set, &cuts))
}

/// Removes the members of some ranks, and replies with their number.
fn remove(
    ctx: &mut Context<'_>,
    key: &[u8],
    ranks: impl FnOnce(&SortedSet) -> Range<usize>,
) -> Result<(), CommandError> {
    let keyspace = &mut ctx.state.keyspace;
    let removed = keyspace.change(ctx.db, key, |set: &mut SortedSet| {
        let ranks = ranks(set);
        let removed = set.remove_range(ranks);
        (removed, removed > 0)
    })?;
    keyspace.work.moved(removed.unwrap_or(0));
    ctx.reply.count(removed.unwrap_or(0));
    Ok(())
}
