//! Taking the first or the last members, or waiting for some.

use super::pop::{Form, PER_KEY_AND_TAKEN, Pop, SIDES, Side, many_arguments, only, take_first};
use crate::clients::Wants;
use crate::commands::blocking::deadline;
use crate::engine::Arg::{Many, One, OptionalNamed};
use crate::engine::Group::SortedSet as Group;
use crate::engine::uses::TAKE;
use crate::engine::wait;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::keyspace::Awaited;
use crate::resp::Request;

const LOGARITHMIC: &str = "O(log(N)) where N is the number of members";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("bzpopmin", -3, bzpopmin).group(Group).since("5.0.0").write().blocking().fast()
        .keys(1, -2, TAKE).args(&[Many("key"), One("timeout")]).cost(LOGARITHMIC)
        .says("Takes the member with the lowest score from the first sorted set that is not empty, or waits for one."),
    Command::new("bzpopmax", -3, bzpopmax).group(Group).since("5.0.0").write().blocking().fast()
        .keys(1, -2, TAKE).args(&[Many("key"), One("timeout")]).cost(LOGARITHMIC)
        .says("Takes the member with the highest score from the first sorted set that is not empty, or waits for one."),
    Command::new("bzmpop", -5, bzmpop).group(Group).since("7.0.0").write().blocking()
        .numkeys(2, TAKE)
        .args(&[One("timeout"), One("numkeys"), Many("key"), SIDES, OptionalNamed("COUNT", "count")])
        .cost(PER_KEY_AND_TAKEN)
        .says("Takes members from the first sorted set that is not empty, or waits for some."),
];

fn bzpopmin(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    pop(ctx, request, Side::Min)
}

fn bzpopmax(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    pop(ctx, request, Side::Max)
}

fn pop(ctx: &mut Context<'_>, request: &Request<'_>, side: Side) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let deadline_us = deadline(args.last()?, ctx.now)?;
    let pop = Pop { side, count: 1, form: Form::WithKey };
    take_or_wait(ctx, request, args.rest(), pop, deadline_us)
}

fn bzmpop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let timeout = args.required()?;
    let (keys, pop) = many_arguments(args)?;
    let deadline_us = deadline(timeout, ctx.now)?;
    take_or_wait(ctx, request, keys, pop, deadline_us)
}

fn take_or_wait<'a>(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    keys: impl Iterator<Item = &'a [u8]> + Clone,
    pop: Pop,
    deadline_us: Option<u64>,
) -> Result<(), CommandError> {
    let is_taken = match ctx.ready_key {
        // A call that runs again looks only at the ready key.
        Some(key) => take_first(ctx, only(key), pop)?,
        None => take_first(ctx, keys.clone(), pop)?,
    };
    if is_taken {
        return Ok(());
    }
    if ctx.ready_key.is_some() || ctx.origin.may_wait() {
        wait::begin(ctx, request, Wants::Value(Awaited::SortedSet), keys, deadline_us);
    } else {
        ctx.reply.null_array();
    }
    Ok(())
}
