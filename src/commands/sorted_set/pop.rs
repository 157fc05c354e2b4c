//! Taking the first or the last members.

use super::{write_header, write_member};
use crate::engine::Arg::{Choice, Many, One, Optional, OptionalNamed};
use crate::engine::Group::SortedSet as Group;
use crate::engine::uses::TAKE;
use crate::engine::{Arguments, Command, CommandError, Context, integer_within, is_word};
use crate::keyspace::{DbIndex, Keyspace};
use crate::resp::{Args, Output, Request};
use crate::value::SortedSet;
use std::iter::{self, Take};

const PER_TAKEN: &str =
    "O(log(N)*M) with N the number of members, and M the number of members taken";
pub(super) const SIDES: crate::engine::Arg = Choice(&["MIN", "MAX"]);
pub(super) const PER_KEY_AND_TAKEN: &str = "O(K) + O(M*log(N)) with K the number of keys, N the number of \
     members, and M the number of members taken";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("zpopmin", -2, zpopmin).group(Group).since("5.0.0").write().fast().key(1, TAKE)
        .args(&[One("key"), Optional("count")]).cost(PER_TAKEN)
        .says("Takes the members with the lowest scores."),
    Command::new("zpopmax", -2, zpopmax).group(Group).since("5.0.0").write().fast().key(1, TAKE)
        .args(&[One("key"), Optional("count")]).cost(PER_TAKEN)
        .says("Takes the members with the highest scores."),
    Command::new("zmpop", -4, zmpop).group(Group).since("7.0.0").write().numkeys(1, TAKE)
        .args(&[One("numkeys"), Many("key"), SIDES, OptionalNamed("COUNT", "count")])
        .cost(PER_KEY_AND_TAKEN)
        .says("Takes members from the first sorted set that is not empty."),
];

/// The side from which members are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Min,
    Max,
}

/// The form of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// ZPOPMIN: members with scores, in one array.
    Flat,
    /// ZPOPMIN with a count: members with scores.
    Pairs,
    /// BZPOPMIN: the key, the member and its score.
    WithKey,
    /// ZMPOP: the key, and an array of arrays.
    KeyAndPairs,
}

/// What is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pop {
    pub(super) side: Side,
    pub(super) count: usize,
    pub(super) form: Form,
}

impl Side {
    fn command(self) -> &'static [u8] {
        match self {
            Side::Min => b"ZPOPMIN",
            Side::Max => b"ZPOPMAX",
        }
    }
}

fn zpopmin(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    pop(ctx, request, Side::Min)
}

fn zpopmax(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    pop(ctx, request, Side::Max)
}

fn pop(ctx: &mut Context<'_>, request: &Request<'_>, side: Side) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, count) = (args.required()?, args.optional());
    args.finish()?;
    let form = if count.is_some() { Form::Pairs } else { Form::Flat };
    const RANGE: &str = "ERR value is out of range, must be positive";
    let count = count.map_or(Ok(1), |count| integer_within(count, 0, i64::MAX, RANGE))?;
    let pop = Pop { side, count: usize::try_from(count).unwrap_or(usize::MAX), form };
    if take(&mut ctx.state.keyspace, ctx.db, key, pop, ctx.reply)?.is_none() {
        ctx.reply.array(0);
    }
    Ok(())
}

/// Takes members from the sorted set at a key, and writes the reply. Returns their number; none if there is no
/// sorted set.
pub(super) fn take(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    pop: Pop,
    reply: &mut Output,
) -> Result<Option<usize>, CommandError> {
    let taken = keyspace.change(db, key, |set: &mut SortedSet| {
        let len = set.len();
        let count = pop.count.min(len);
        write_start(reply, pop.form, key, count);
        let ranks = match pop.side {
            Side::Min => 0..count,
            Side::Max => len - count..len,
        };
        let members = set.range(ranks.clone());
        match pop.side {
            Side::Min => members.for_each(|member| write_taken(reply, pop.form, member)),
            Side::Max => members.rev().for_each(|member| write_taken(reply, pop.form, member)),
        }
        set.remove_range(ranks);
        (count, count > 0)
    })?;
    keyspace.work.moved(taken.unwrap_or(0));
    Ok(taken)
}

fn write_start(reply: &mut Output, form: Form, key: &[u8], count: usize) {
    match form {
        Form::Flat => reply.array(2 * count),
        Form::Pairs => write_header(reply, count, true),
        Form::WithKey => {
            reply.array(1 + 2 * count);
            reply.bulk(key);
        }
        Form::KeyAndPairs => {
            reply.array(2);
            reply.bulk(key);
            reply.array(count);
        }
    }
}

fn write_taken(reply: &mut Output, form: Form, (score, member): (f64, &[u8])) {
    match form {
        Form::Pairs => return write_member(reply, (score, member), true),
        Form::KeyAndPairs => reply.array(2),
        Form::Flat | Form::WithKey => {}
    }
    reply.bulk(member);
    reply.double(score);
}

/// Takes from the first of these keys that has members, and records that. Returns whether one had.
pub(super) fn take_first<'a>(
    ctx: &mut Context<'_>,
    keys: impl Iterator<Item = &'a [u8]>,
    pop: Pop,
) -> Result<bool, CommandError> {
    let keyspace = &mut ctx.state.keyspace;
    for key in keys {
        let Some(taken) = take(keyspace, ctx.db, key, pop, ctx.reply)? else { continue };
        let (mut digits, command) = (itoa::Buffer::new(), pop.side.command());
        if taken == 1 {
            keyspace.effects.record(ctx.db, [command, key]);
        } else {
            keyspace.effects.record(ctx.db, [command, key, digits.format(taken).as_bytes()]);
        }
        return Ok(true);
    }
    Ok(false)
}

/// Parses the arguments of ZMPOP and BZMPOP from the number of keys on.
pub(super) fn many_arguments(
    mut args: Arguments<'_>,
) -> Result<(Take<Args<'_>>, Pop), CommandError> {
    let keys = args.counted("ERR numkeys should be greater than 0")?;
    let side = args.choice(&[("min", Side::Min), ("max", Side::Max)])?;
    let mut count = None;
    while let Some(option) = args.optional() {
        let (true, None, Some(value)) = (is_word(option, "count"), count, args.optional()) else {
            return Err(CommandError::Syntax);
        };
        const RANGE: &str = "ERR count should be greater than 0";
        let number = integer_within(value, 1, i64::MAX, RANGE)?;
        count = Some(usize::try_from(number).unwrap_or(usize::MAX));
    }
    Ok((keys, Pop { side, count: count.unwrap_or(1), form: Form::KeyAndPairs }))
}

fn zmpop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let (keys, pop) = many_arguments(Arguments::of(request))?;
    if !take_first(ctx, keys, pop)? {
        ctx.reply.null_array();
    }
    Ok(())
}

/// One key.
pub(super) fn only(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::once(key)
}
