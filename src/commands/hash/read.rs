//! Reading fields and values.

use super::look_up;
use crate::dict::Item;
use crate::engine::Arg::{Many, One};
use crate::engine::Group::Hash;
use crate::engine::tips::ORDER_VARIES;
use crate::engine::uses::{READ, READ_VALUE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::{Output, Request};
use crate::value::HashValue;

const ALL_FIELDS: &str = "O(N) where N is the number of fields";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("hget", 3, hget).group(Hash).since("2.0.0").read_only().fast().key(1, READ_VALUE)
        .args(&[One("key"), One("field")]).says("Returns the value of a field."),
    Command::new("hmget", -3, hmget).group(Hash).since("2.0.0").read_only().fast().key(1, READ_VALUE)
        .args(&[One("key"), Many("field")]).cost("O(1) for each field")
        .says("Returns the values of several fields."),
    Command::new("hgetall", 2, hgetall).group(Hash).since("2.0.0").read_only().key(1, READ_VALUE)
        .args(&[One("key")]).cost(ALL_FIELDS).tips(ORDER_VARIES)
        .says("Returns all fields and their values."),
    Command::new("hkeys", 2, hkeys).group(Hash).since("2.0.0").read_only().key(1, READ_VALUE)
        .args(&[One("key")]).cost(ALL_FIELDS).tips(ORDER_VARIES).says("Returns all fields."),
    Command::new("hvals", 2, hvals).group(Hash).since("2.0.0").read_only().key(1, READ_VALUE)
        .args(&[One("key")]).cost(ALL_FIELDS).tips(ORDER_VARIES).says("Returns all values."),
    Command::new("hlen", 2, hlen).group(Hash).since("2.0.0").read_only().fast().key(1, READ)
        .args(&[One("key")]).says("Returns the number of fields."),
    Command::new("hstrlen", 3, hstrlen).group(Hash).since("3.2.0").read_only().fast().key(1, READ)
        .args(&[One("key"), One("field")]).says("Returns the length of the value of a field."),
    Command::new("hexists", 3, hexists).group(Hash).since("2.0.0").read_only().fast().key(1, READ)
        .args(&[One("key"), One("field")]).says("Returns whether a field exists."),
];

/// Writes a value, or a null if there is none.
fn write_value(reply: &mut Output, value: Option<Item<'_>>) {
    match value {
        Some(value) => value.with(|value| reply.bulk(value)),
        None => reply.null(),
    }
}

fn hget(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, field) = (args.required()?, args.required()?);
    let value = look_up::<HashValue>(ctx.state, ctx.db, key)?.and_then(|hash| hash.get(field));
    write_value(ctx.reply, value);
    Ok(())
}

fn hmget(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let count = args.left();
    ctx.state.keyspace.work.elements(count);
    let hash = look_up::<HashValue>(ctx.state, ctx.db, key)?;
    ctx.reply.array(count);
    for field in args.rest() {
        write_value(ctx.reply, hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

/// Replies with parts of all fields: `begin` writes the head, `part` each part.
fn reply_all(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    begin: fn(&mut Output, usize),
    part: fn(&mut Output, Item<'_>, Item<'_>),
) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    let Some(hash) = look_up::<HashValue>(ctx.state, ctx.db, key)? else {
        begin(ctx.reply, 0);
        return Ok(());
    };
    let len = hash.len();
    begin(ctx.reply, len);
    hash.iter().for_each(|(field, value)| part(ctx.reply, field, value));
    ctx.state.keyspace.work.looked_at(len);
    Ok(())
}

fn hgetall(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    reply_all(ctx, request, Output::map, |reply, field, value| {
        field.with(|field| reply.bulk(field));
        value.with(|value| reply.bulk(value));
    })
}

fn hkeys(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    reply_all(ctx, request, Output::array, |reply, field, _| field.with(|field| reply.bulk(field)))
}

fn hvals(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    reply_all(ctx, request, Output::array, |reply, _, value| value.with(|value| reply.bulk(value)))
}

fn hlen(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    let len = look_up::<HashValue>(ctx.state, ctx.db, key)?.map_or(0, HashValue::len);
    ctx.reply.count(len);
    Ok(())
}

fn hstrlen(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, field) = (args.required()?, args.required()?);
    let value = look_up::<HashValue>(ctx.state, ctx.db, key)?.and_then(|hash| hash.get(field));
    ctx.reply.count(value.map_or(0, Item::len));
    Ok(())
}

fn hexists(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, field) = (args.required()?, args.required()?);
    let exists =
        look_up::<HashValue>(ctx.state, ctx.db, key)?.is_some_and(|hash| hash.get(field).is_some());
    ctx.reply.flag(exists);
    Ok(())
}
