//! Writing whole strings.

use super::expiry::{Form, MILLISECONDS, SECONDS, Wish};
use super::reply_string;
use crate::engine::Arg::{self, Named, One, OneOf, OptionalChoice, OptionalWord, Pairs, Word};
use crate::engine::Group::String;
use crate::engine::syntax::PER_KEY;
use crate::engine::uses::{CREATE, OVERWRITE, READ_AND_MAYBE_UPDATE, READ_AND_UPDATE};
use crate::engine::{Arguments, Command, CommandError, Context, Uses, is_word};
use crate::keyspace::{DbIndex, Expiry};
use crate::queueing::{Queues, check_name, has_hidden};
use crate::resp::Request;
use crate::state::State;
use crate::value::StringValue;

const EXPIRY: &[Arg] = &[
    Named("EX", "seconds"),
    Named("PX", "milliseconds"),
    Named("EXAT", "unix-time-seconds"),
    Named("PXAT", "unix-time-milliseconds"),
    Word("KEEPTTL"),
];
pub(super) const EXPIRY_OR_PERSIST: &[Arg] = &[
    Named("EX", "seconds"),
    Named("PX", "milliseconds"),
    Named("EXAT", "unix-time-seconds"),
    Named("PXAT", "unix-time-milliseconds"),
    Word("PERSIST"),
];

/// SET reads the old value only with GET.
fn uses_of_set(request: &Request<'_>) -> Uses {
    let has_get = request.args_from(3).any(|arg| is_word(arg, "get"));
    if has_get { READ_AND_UPDATE } else { OVERWRITE }
}

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("set", -3, set).group(String).since("1.0.0").write().deny_oom()
        .key(1, READ_AND_MAYBE_UPDATE).uses_by(uses_of_set)
        .args(&[One("key"), One("value"), OptionalChoice(&["NX", "XX"]), OptionalWord("GET"), OneOf(EXPIRY)])
        .says("Sets a string, and replaces any value."),
    Command::new("setnx", 3, setnx).group(String).since("1.0.0").write().deny_oom().fast()
        .key(1, CREATE).args(&[One("key"), One("value")]).says("Sets a string unless its key exists."),
    Command::new("setex", 4, setex).group(String).since("2.0.0").write().deny_oom()
        .key(1, OVERWRITE).args(&[One("key"), One("seconds"), One("value")])
        .says("Sets a string that expires after a number of seconds."),
    Command::new("psetex", 4, psetex).group(String).since("2.6.0").write().deny_oom()
        .key(1, OVERWRITE).args(&[One("key"), One("milliseconds"), One("value")])
        .says("Sets a string that expires after a number of milliseconds."),
    Command::new("getset", 3, getset).group(String).since("1.0.0").write().deny_oom().fast()
        .key(1, READ_AND_UPDATE).args(&[One("key"), One("value")])
        .says("Sets a string and returns the previous one."),
    Command::new("mset", -3, mset).group(String).since("1.0.1").write().deny_oom()
        .keys(1, -1, OVERWRITE).every(2).args(&[Pairs("key", "value")]).cost(PER_KEY)
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .says("Sets several strings."),
    Command::new("msetnx", -3, msetnx).group(String).since("1.0.1").write().deny_oom()
        .keys(1, -1, CREATE).every(2).args(&[Pairs("key", "value")]).cost(PER_KEY)
        .tips(&["request_policy:multi_shard", "response_policy:agg_min"])
        .says("Sets several strings unless one of the keys exists."),
];

/// Replaces whatever is at the key, including a queue's messages in flight and delayed.
fn put(state: &mut State, db: DbIndex, key: &[u8], value: &[u8], expiry: Expiry) {
    let keyspace = &mut state.keyspace;
    if keyspace.is_under_policy(db, key) {
        Queues::new(keyspace).clear_hidden(db, key);
    }
    keyspace.write(db, key, expiry, |string: &mut StringValue| string.set(value));
}

/// Writes a string. The expiry is recorded as a point in time, so that it means the same whenever it is
/// replayed.
fn write(ctx: &mut Context<'_>, key: &[u8], value: &[u8], expiry: Expiry) {
    put(ctx.state, ctx.db, key, value, expiry);
    let effects = &mut ctx.state.keyspace.effects;
    if !effects.is_on() {
        return;
    }
    match expiry {
        Expiry::Never => effects.record(ctx.db, [&b"SET"[..], key, value]),
        Expiry::Stays => effects.record(ctx.db, [&b"SET"[..], key, value, b"KEEPTTL"]),
        Expiry::At(at_ms) => {
            let mut digits = itoa::Buffer::new();
            let at = digits.format(at_ms).as_bytes();
            effects.record(ctx.db, [&b"SET"[..], key, value, b"PXAT", at]);
        }
    }
}

/// SET's options.
#[derive(Default)]
struct Options {
    /// NX: only if the key does not exist.
    if_absent: bool,
    /// XX: only if the key exists.
    if_present: bool,
    /// GET: reply with the previous string.
    gives: bool,
}

fn set(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, value) = (args.required()?, args.required()?);
    if args.left() == 0 {
        check_name(&ctx.state.keyspace, key)?;
        write(ctx, key, value, Expiry::Never);
        ctx.reply.ok();
        return Ok(());
    }
    set_with(ctx, key, value, args)
}

fn set_with(
    ctx: &mut Context<'_>,
    key: &[u8],
    value: &[u8],
    mut args: Arguments<'_>,
) -> Result<(), CommandError> {
    let mut options = Options::default();
    let mut wish = Wish::default();
    while args.left() > 0 {
        if !options.if_present && args.takes("nx") {
            options.if_absent = true;
        } else if !options.if_absent && args.takes("xx") {
            options.if_present = true;
        } else if args.takes("get") {
            options.gives = true;
        } else if !wish.take(&mut args, "keepttl") {
            return Err(CommandError::Syntax);
        }
    }
    let expiry = match wish.at {
        Some((form, number)) => Expiry::At(form.unix_ms(number, ctx.now, "set")?),
        None if wish.is_other => Expiry::Stays,
        None => Expiry::Never,
    };
    check_name(&ctx.state.keyspace, key)?;
    if options.gives {
        reply_string(ctx, key)?;
    }
    if options.if_absent && exists(ctx, key) || options.if_present && !exists(ctx, key) {
        if !options.gives {
            ctx.reply.null();
        }
        return Ok(());
    }
    write(ctx, key, value, expiry);
    if !options.gives {
        ctx.reply.ok();
    }
    Ok(())
}

/// Whether the key exists; a queue with only messages in flight or delayed counts.
fn exists(ctx: &mut Context<'_>, key: &[u8]) -> bool {
    let keyspace = &mut ctx.state.keyspace;
    keyspace.get(ctx.db, key).is_some() || has_hidden(keyspace, ctx.db, key)
}

fn setnx(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, value) = (args.required()?, args.required()?);
    check_name(&ctx.state.keyspace, key)?;
    let exists = exists(ctx, key);
    if !exists {
        write(ctx, key, value, Expiry::Never);
    }
    ctx.reply.flag(!exists);
    Ok(())
}

fn setex(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    set_for(ctx, request, SECONDS, "setex")
}

fn psetex(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    set_for(ctx, request, MILLISECONDS, "psetex")
}

fn set_for(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    form: Form,
    command: &str,
) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, span, value) = (args.required()?, args.required()?, args.required()?);
    let at_ms = form.unix_ms(span, ctx.now, command)?;
    check_name(&ctx.state.keyspace, key)?;
    write(ctx, key, value, Expiry::At(at_ms));
    ctx.reply.ok();
    Ok(())
}

fn getset(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, value) = (args.required()?, args.required()?);
    check_name(&ctx.state.keyspace, key)?;
    reply_string(ctx, key)?;
    write(ctx, key, value, Expiry::Never);
    Ok(())
}

fn mset(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    check_pairs(ctx, request)?;
    write_pairs(ctx, request);
    ctx.reply.ok();
    Ok(())
}

fn msetnx(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    check_pairs(ctx, request)?;
    let is_free = request.args_from(1).step_by(2).all(|key| !exists(ctx, key));
    if is_free {
        write_pairs(ctx, request);
    }
    ctx.reply.flag(is_free);
    Ok(())
}

/// Returns an error if any of the keys cannot be set: all are set, or none.
fn check_pairs(ctx: &Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    if request.len().is_multiple_of(2) {
        return Err(CommandError::Arity(ctx.found.command.name.into()));
    }
    request.args_from(1).step_by(2).try_for_each(|key| check_name(&ctx.state.keyspace, key))
}

fn write_pairs(ctx: &mut Context<'_>, request: &Request<'_>) {
    let mut args = Arguments::of(request);
    while let (Some(key), Some(value)) = (args.optional(), args.optional()) {
        put(ctx.state, ctx.db, key, value, Expiry::Never);
    }
    let pairs = std::iter::once(&b"MSET"[..]).chain(request.args_from(1));
    ctx.state.keyspace.effects.record(ctx.db, pairs.collect::<Vec<_>>());
}
