//! Scores, ranks and counts.

use super::bounds::{member_cuts, ranks, score_cuts};
use super::look_up;
use crate::engine::Arg::{Many, One, OptionalWord};
use crate::engine::Group::SortedSet as Group;
use crate::engine::uses::{READ, READ_VALUE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::tree::Cut;
use crate::value::SortedSet;

const LOGARITHMIC: &str = "O(log(N)) where N is the number of members";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("zcard", 2, zcard).group(Group).since("1.2.0").read_only().fast().key(1, READ)
        .args(&[One("key")]).says("Returns the number of members."),
    Command::new("zscore", 3, zscore).group(Group).since("1.2.0").read_only().fast()
        .key(1, READ_VALUE).args(&[One("key"), One("member")])
        .says("Returns the score of a member."),
    Command::new("zmscore", -3, zmscore).group(Group).since("6.2.0").read_only().fast()
        .key(1, READ_VALUE).args(&[One("key"), Many("member")]).cost("O(1) for each member")
        .says("Returns the scores of several members."),
    Command::new("zrank", -3, zrank).group(Group).since("2.0.0").read_only().fast()
        .key(1, READ_VALUE).args(&[One("key"), One("member"), OptionalWord("WITHSCORE")])
        .cost(LOGARITHMIC).says("Returns the rank of a member, the lowest score first."),
    Command::new("zrevrank", -3, zrevrank).group(Group).since("2.0.0").read_only().fast()
        .key(1, READ_VALUE).args(&[One("key"), One("member"), OptionalWord("WITHSCORE")])
        .cost(LOGARITHMIC).says("Returns the rank of a member, the highest score first."),
    Command::new("zcount", 4, zcount).group(Group).since("2.0.0").read_only().fast()
        .key(1, READ_VALUE).args(&[One("key"), One("min"), One("max")]).cost(LOGARITHMIC)
        .says("Counts the members between two scores."),
    Command::new("zlexcount", 4, zlexcount).group(Group).since("2.8.9").read_only().fast()
        .key(1, READ_VALUE).args(&[One("key"), One("min"), One("max")]).cost(LOGARITHMIC)
        .says("Counts the members between two texts, if all have the same score."),
];

fn zcard(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    let len = look_up::<SortedSet>(ctx.state, ctx.db, key)?.map_or(0, SortedSet::len);
    ctx.reply.count(len);
    Ok(())
}

fn zscore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, member) = (args.required()?, args.required()?);
    match look_up::<SortedSet>(ctx.state, ctx.db, key)?.and_then(|set| set.score(member)) {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.null(),
    }
    Ok(())
}

fn zmscore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let set = look_up::<SortedSet>(ctx.state, ctx.db, key)?;
    ctx.reply.array(args.left());
    while let Some(member) = args.optional() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => ctx.reply.double(score),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

fn zrank(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    rank(ctx, request, false)
}

fn zrevrank(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    rank(ctx, request, true)
}

fn rank(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    is_reverse: bool,
) -> Result<(), CommandError> {
    if request.len() > 4 {
        return Err(CommandError::Arity(ctx.found.command.name.into()));
    }
    let mut args = Arguments::of(request);
    let (key, member) = (args.required()?, args.required()?);
    let has_score = args.takes("withscore");
    args.finish()?;
    let set = look_up::<SortedSet>(ctx.state, ctx.db, key)?;
    let Some((set, (rank, score))) = set.and_then(|set| Some((set, set.find(member)?))) else {
        if has_score {
            ctx.reply.null_array()
        } else {
            ctx.reply.null()
        }
        return Ok(());
    };
    if has_score {
        ctx.reply.array(2);
    }
    ctx.reply.count(if is_reverse { set.len() - 1 - rank } else { rank });
    if has_score {
        ctx.reply.double(score);
    }
    Ok(())
}

fn zcount(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    count(ctx, key, score_cuts(args.required()?, args.required()?)?)
}

fn zlexcount(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    count(ctx, key, member_cuts(args.required()?, args.required()?)?)
}

fn count(ctx: &mut Context<'_>, key: &[u8], cuts: (Cut<'_>, Cut<'_>)) -> Result<(), CommandError> {
    let count =
        look_up::<SortedSet>(ctx.state, ctx.db, key)?.map_or(0, |set| ranks(set, &cuts).len());
    ctx.reply.count(count);
    Ok(())
}
