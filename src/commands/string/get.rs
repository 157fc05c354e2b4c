//! Reading whole strings.

use super::expiry::{Form, Wish};
use super::{look_up, reply_string};
use crate::engine::Arg::{Many, One, OneOf};
use crate::engine::Group::String;
use crate::engine::syntax::PER_KEY;
use crate::engine::uses::{READ, READ_AND_UPDATE, READ_VALUE, TAKE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::value::StringValue;

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("get", 2, get).group(String).since("1.0.0").read_only().fast().key(1, READ_VALUE)
        .args(&[One("key")]).says("Returns a string."),
    Command::new("mget", -2, mget).group(String).since("1.0.0").read_only().fast()
        .keys(1, -1, READ_VALUE).args(&[Many("key")]).cost(PER_KEY)
        .tips(&["request_policy:multi_shard"]).says("Returns several strings."),
    Command::new("getdel", 2, getdel).group(String).since("6.2.0").write().fast().key(1, TAKE)
        .args(&[One("key")]).says("Returns a string and removes it."),
    Command::new("getex", -2, getex).group(String).since("6.2.0").write().fast()
        .key(1, READ_AND_UPDATE).args(&[One("key"), OneOf(super::set::EXPIRY_OR_PERSIST)])
        .says("Returns a string, and sets or removes its expiry."),
    Command::new("strlen", 2, strlen).group(String).since("2.2.0").read_only().fast().key(1, READ)
        .args(&[One("key")]).says("Returns the length of a string in bytes."),
];

fn get(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    reply_string(ctx, key).map(drop)
}

fn mget(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    ctx.reply.array(args.left());
    while let Some(key) = args.optional() {
        match look_up::<StringValue>(ctx.state, ctx.db, key) {
            Ok(Some(string)) => string.with(|bytes| ctx.reply.bulk(bytes)),
            // For MGET, a value of another type does not exist.
            Ok(None) | Err(_) => ctx.reply.null(),
        }
    }
    Ok(())
}

fn getdel(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    if reply_string(ctx, key)? {
        let keyspace = &mut ctx.state.keyspace;
        keyspace.remove(ctx.db, key);
        keyspace.effects.record(ctx.db, [&b"DEL"[..], key]);
    }
    Ok(())
}

fn getex(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let mut wish = Wish::default();
    while args.left() > 0 {
        if !wish.take(&mut args, "persist") {
            return Err(CommandError::Syntax);
        }
    }
    // As in Redis, a missing key is reported before the number is checked.
    if ctx.state.keyspace.read::<StringValue>(ctx.db, key)?.is_none() {
        return reply_string(ctx, key).map(drop);
    }
    let unix_ms = |(form, number): (Form, &[u8])| form.unix_ms(number, ctx.now, "getex");
    let expires_ms = wish.at.map(unix_ms).transpose()?;
    reply_string(ctx, key)?;
    let is_past = expires_ms.is_some_and(|expires_ms| ctx.is_past(expires_ms));
    let keyspace = &mut ctx.state.keyspace;
    let Some(expires_ms) = expires_ms else {
        if wish.is_other && keyspace.expiry(ctx.db, key).flatten().is_some() {
            keyspace.set_expiry(ctx.db, key, None);
            keyspace.effects.record(ctx.db, [&b"PERSIST"[..], key]);
        }
        return Ok(());
    };
    let is_span = wish.at.is_some_and(|(form, _)| form.is_span());
    if !is_span && is_past {
        keyspace.remove(ctx.db, key);
        keyspace.effects.record(ctx.db, [&b"DEL"[..], key]);
        return Ok(());
    }
    keyspace.set_expiry(ctx.db, key, Some(expires_ms));
    let mut digits = itoa::Buffer::new();
    keyspace.effects.record(ctx.db, [b"PEXPIREAT", key, digits.format(expires_ms).as_bytes()]);
    Ok(())
}

fn strlen(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    let len = look_up::<StringValue>(ctx.state, ctx.db, key)?.map_or(0, StringValue::len);
    ctx.reply.count(len);
    Ok(())
}
