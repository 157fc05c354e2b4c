//! Adding, removing, moving members.

use crate::commands::edit_value::update;
use crate::engine::Arg::{Many, One};
use crate::engine::Group::Set;
use crate::engine::uses::{DELETE, INSERT, TAKE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::queueing::check_no_queue;
use crate::resp::Request;
use crate::value::SetValue;

const PER_MEMBER: &str = "O(1) for each member";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("sadd", -3, sadd).group(Set).since("1.0.0").write().deny_oom().fast().key(1, INSERT)
        .args(&[One("key"), Many("member")]).cost(PER_MEMBER)
        .says("Adds members to a set; creates it if needed."),
    Command::new("srem", -3, srem).group(Set).since("1.0.0").write().fast().key(1, DELETE)
        .args(&[One("key"), Many("member")]).cost(PER_MEMBER).says("Removes members."),
    Command::new("smove", 4, smove).group(Set).since("1.0.0").write().fast().key(1, TAKE)
        .key(2, INSERT).args(&[One("source"), One("destination"), One("member")])
        .says("Moves a member from one set to another."),
];

fn sadd(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let growth = ctx.state.set_growth();
    ctx.state.keyspace.work.elements(args.left());
    let added = update(&mut ctx.state.keyspace, ctx.db, key, |set: &mut SetValue| {
        let members = args.clone().rest();
        let added = members.filter(|member| set.insert(member, &growth)).count();
        (added, added > 0)
    })?;
    ctx.reply.count(added);
    Ok(())
}

fn srem(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    ctx.state.keyspace.work.elements(args.left());
    let removed = ctx.state.keyspace.change(ctx.db, key, |set: &mut SetValue| {
        let removed = args.rest().filter(|member| set.remove(member)).count();
        (removed, removed > 0)
    })?;
    ctx.reply.count(removed.unwrap_or(0));
    Ok(())
}

fn smove(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (from, to, member) = (args.required()?, args.required()?, args.required()?);
    let growth = ctx.state.set_growth();
    let keyspace = &mut ctx.state.keyspace;
    let Some(set) = keyspace.read::<SetValue>(ctx.db, from)? else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let is_member = set.contains(member);
    let has_target = keyspace.read::<SetValue>(ctx.db, to)?.is_some();
    if is_member && from != to {
        if !has_target {
            check_no_queue(keyspace, ctx.db, to)?;
        }
        let remove = |set: &mut SetValue| (set.remove(member), true);
        keyspace.change(ctx.db, from, remove)?;
        let add = |set: &mut SetValue| ((), set.insert(member, &growth));
        keyspace.change_or_create(ctx.db, to, add)?;
    }
    ctx.reply.flag(is_member);
    Ok(())
}
