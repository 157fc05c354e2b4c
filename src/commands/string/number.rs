//! Strings as numbers.

use super::extended::Extended;
use crate::engine::Arg::One;
use crate::engine::Group::String;
use crate::engine::uses::READ_AND_UPDATE;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::keyspace::Expiry;
use crate::queueing::check_no_queue;
use crate::resp::Request;
use crate::value::StringValue;

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("incr", 2, incr).group(String).since("1.0.0").write().deny_oom().fast()
        .key(1, READ_AND_UPDATE).args(&[One("key")]).says("Adds one to a number."),
    Command::new("decr", 2, decr).group(String).since("1.0.0").write().deny_oom().fast()
        .key(1, READ_AND_UPDATE).args(&[One("key")]).says("Subtracts one from a number."),
    Command::new("incrby", 3, incrby).group(String).since("1.0.0").write().deny_oom().fast()
        .key(1, READ_AND_UPDATE).args(&[One("key"), One("increment")])
        .says("Adds an integer to a number."),
    Command::new("decrby", 3, decrby).group(String).since("1.0.0").write().deny_oom().fast()
        .key(1, READ_AND_UPDATE).args(&[One("key"), One("decrement")])
        .says("Subtracts an integer from a number."),
    Command::new("incrbyfloat", 3, incrbyfloat).group(String).since("2.6.0").write().deny_oom()
        .fast().key(1, READ_AND_UPDATE).args(&[One("key"), One("increment")])
        .says("Adds a floating-point number to a number."),
];

fn incr(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    add(ctx, Arguments::of(request).required()?, 1)
}

fn decr(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    add(ctx, Arguments::of(request).required()?, -1)
}

fn incrby(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, number) = (args.required()?, args.integer()?);
    add(ctx, key, number)
}

fn decrby(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, number) = (args.required()?, args.integer()?);
    let number = number.checked_neg().ok_or(CommandError::text("ERR decrement would overflow"))?;
    add(ctx, key, number)
}

fn add(ctx: &mut Context<'_>, key: &[u8], number: i64) -> Result<(), CommandError> {
    const OVERFLOW: CommandError = CommandError::text("ERR increment or decrement would overflow");
    let keyspace = &mut ctx.state.keyspace;
    let before = match keyspace.read::<StringValue>(ctx.db, key)? {
        Some(string) => string.as_integer().ok_or(CommandError::NotAnInteger)?,
        None => {
            check_no_queue(keyspace, ctx.db, key)?;
            0
        }
    };
    let sum = before.checked_add(number).ok_or(OVERFLOW)?;
    let set = |string: &mut StringValue| string.set_integer(sum);
    keyspace.write(ctx.db, key, Expiry::Stays, set);
    ctx.reply.integer(sum);
    Ok(())
}

fn incrbyfloat(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const NO_NUMBER: CommandError = CommandError::text("ERR value is not a valid float");
    const NO_SUM: CommandError = CommandError::text("ERR increment would produce NaN or Infinity");
    let mut args = Arguments::of(request);
    let (key, increment) = (args.required()?, args.required()?);
    let keyspace = &mut ctx.state.keyspace;
    let before = match keyspace.read::<StringValue>(ctx.db, key)? {
        Some(string) => string.with(Extended::parse).ok_or(NO_NUMBER)?,
        None => {
            check_no_queue(keyspace, ctx.db, key)?;
            Extended::ZERO
        }
    };
    let increment = Extended::parse(increment).ok_or(NO_NUMBER)?;
    let sum = before.plus(&increment).ok_or(NO_SUM)?.shown();
    let set = |string: &mut StringValue| string.set_text(sum.as_bytes());
    keyspace.write(ctx.db, key, Expiry::Stays, set);
    // Record the sum, as Redis does: how numbers are added may change.
    keyspace.effects.record(ctx.db, [&b"SET"[..], key, sum.as_bytes(), b"KEEPTTL"]);
    ctx.reply.bulk(sum.as_bytes());
    Ok(())
}
