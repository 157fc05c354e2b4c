//! Setting and removing fields.

use crate::commands::edit_value::update;
use crate::engine::Arg::{Many, One, Pairs};
use crate::engine::Group::Hash;
use crate::engine::uses::{DELETE, INSERT, UPDATE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::value::HashValue;

const PER_FIELD: &str = "O(1) for each field";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("hset", -4, hset).group(Hash).since("2.0.0").write().deny_oom().fast().key(1, UPDATE)
        .args(&[One("key"), Pairs("field", "value")]).cost(PER_FIELD)
        .says("Sets fields of a hash; creates it if needed."),
    Command::new("hmset", -4, hmset).group(Hash).since("2.0.0").write().deny_oom().fast()
        .key(1, UPDATE).args(&[One("key"), Pairs("field", "value")]).cost(PER_FIELD)
        .says("Sets fields of a hash, like HSET."),
    Command::new("hsetnx", 4, hsetnx).group(Hash).since("2.0.0").write().deny_oom().fast()
        .key(1, INSERT).args(&[One("key"), One("field"), One("value")])
        .says("Sets a field unless it exists."),
    Command::new("hdel", -3, hdel).group(Hash).since("2.0.0").write().fast().key(1, DELETE)
        .args(&[One("key"), Many("field")]).cost(PER_FIELD).says("Removes fields."),
];

/// Sets all fields of a request; returns how many are new.
#[inline]
fn set_fields(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<usize, CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    if !args.left().is_multiple_of(2) {
        return Err(CommandError::Arity(ctx.found.command.name.into()));
    }
    let growth = ctx.state.hash_growth();
    ctx.state.keyspace.work.elements(args.left());
    update(&mut ctx.state.keyspace, ctx.db, key, |hash: &mut HashValue| {
        let (mut pairs, mut added) = (args.clone(), 0);
        while let (Some(field), Some(value)) = (pairs.optional(), pairs.optional()) {
            added += usize::from(hash.set(field, value, &growth));
        }
        (added, true)
    })
}

fn hset(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let added = set_fields(ctx, request)?;
    ctx.reply.count(added);
    Ok(())
}

fn hmset(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    set_fields(ctx, request)?;
    ctx.reply.ok();
    Ok(())
}

fn hsetnx(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, field, value) = (args.required()?, args.required()?, args.required()?);
    let growth = ctx.state.hash_growth();
    let is_set = update(&mut ctx.state.keyspace, ctx.db, key, |hash: &mut HashValue| {
        let is_new = hash.get(field).is_none() && hash.set(field, value, &growth);
        (is_new, is_new)
    })?;
    ctx.reply.flag(is_set);
    Ok(())
}

fn hdel(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    ctx.state.keyspace.work.elements(args.left());
    let removed = ctx.state.keyspace.change(ctx.db, key, |hash: &mut HashValue| {
        let removed = args.rest().filter(|field| hash.remove(field)).count();
        (removed, removed > 0)
    })?;
    ctx.reply.count(removed.unwrap_or(0));
    Ok(())
}
