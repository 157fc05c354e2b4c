//! Members of one set.

use super::look_up;
use crate::engine::Arg::{Many, One};
use crate::engine::Group::Set;
use crate::engine::tips::ORDER_VARIES;
use crate::engine::uses::{READ, READ_VALUE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::value::SetValue;

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("sismember", 3, sismember).group(Set).since("1.0.0").read_only().fast().key(1, READ)
        .args(&[One("key"), One("member")]).says("Returns whether a set has a member."),
    Command::new("smismember", -3, smismember).group(Set).since("6.2.0").read_only().fast()
        .key(1, READ_VALUE).args(&[One("key"), Many("member")]).cost("O(1) for each member")
        .says("Returns of several members whether a set has them."),
    Command::new("smembers", 2, smembers).group(Set).since("1.0.0").read_only().key(1, READ_VALUE)
        .args(&[One("key")]).cost("O(N) where N is the number of members").tips(ORDER_VARIES)
        .says("Returns all members."),
    Command::new("scard", 2, scard).group(Set).since("1.0.0").read_only().fast().key(1, READ)
        .args(&[One("key")]).says("Returns the number of members."),
];

fn sismember(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, member) = (args.required()?, args.required()?);
    let is_member =
        look_up::<SetValue>(ctx.state, ctx.db, key)?.is_some_and(|set| set.contains(member));
    ctx.reply.flag(is_member);
    Ok(())
}

fn smismember(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let count = args.left();
    ctx.state.keyspace.work.elements(count);
    let set = look_up::<SetValue>(ctx.state, ctx.db, key)?;
    ctx.reply.array(count);
    for member in args.rest() {
        ctx.reply.flag(set.is_some_and(|set| set.contains(member)));
    }
    Ok(())
}

fn smembers(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    let Some(set) = look_up::<SetValue>(ctx.state, ctx.db, key)? else {
        ctx.reply.set(0);
        return Ok(());
    };
    let len = set.len();
    ctx.reply.set(len);
    set.iter().for_each(|member| member.with(|member| ctx.reply.bulk(member)));
    ctx.state.keyspace.work.looked_at(len);
    Ok(())
}

fn scard(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    let len = look_up::<SetValue>(ctx.state, ctx.db, key)?.map_or(0, SetValue::len);
    ctx.reply.count(len);
    Ok(())
}
