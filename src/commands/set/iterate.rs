//! Some of the members: SSCAN, SPOP, SRANDMEMBER.

use super::look_up;
use crate::commands::one_effect::as_one_effect;
use crate::commands::pick::{self, Wanted};
use crate::commands::scan::{ElementScan, cursor_of, write_head};
use crate::commands::store_value::record_elements;
use crate::commands::take::count_of;
use crate::dict::Item;
use crate::engine::Arg::{One, Optional, OptionalNamed};
use crate::engine::Group::Set;
use crate::engine::tips::VARIES;
use crate::engine::uses::{READ_VALUE, TAKE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::state::{Random, State};
use crate::value::SetValue;

const RETURNED: &str = "O(N) where N is the number of members returned";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("sscan", -3, sscan).group(Set).since("2.8.0").read_only().key(1, READ_VALUE)
        .args(&[One("key"), One("cursor"), OptionalNamed("MATCH", "pattern"), OptionalNamed("COUNT", "count")])
        .cost("O(1) for each call").tips(VARIES)
        .says("Returns some of the members, and a cursor to continue."),
    Command::new("spop", -2, spop).group(Set).since("1.0.0").write().fast().key(1, TAKE)
        .args(&[One("key"), Optional("count")]).cost(RETURNED).tips(VARIES)
        .says("Removes and returns random members."),
    Command::new("srandmember", -2, srandmember).group(Set).since("1.0.0").read_only().key(1, READ_VALUE)
        .args(&[One("key"), Optional("count")]).cost(RETURNED).tips(VARIES)
        .says("Returns random members."),
];

fn sscan(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, cursor) = (args.required()?, cursor_of(&mut args)?);
    let Some(set) = look_up::<SetValue>(ctx.state, ctx.db, key)? else {
        write_head(ctx.reply, 0, 0);
        return Ok(());
    };
    let scan = ElementScan::parse(args)?;
    let (mut found, mut looked_at) = (Vec::new(), 0);
    let next = set.scan(cursor, scan.count, |member| {
        looked_at += 1;
        if scan.selects(member) {
            found.push(member);
        }
    });
    write_head(ctx.reply, next, found.len());
    found.iter().for_each(|member| member.with(|member| ctx.reply.bulk(member)));
    ctx.state.keyspace.work.looked_at(looked_at);
    Ok(())
}

fn spop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let Some(count) = args.optional() else { return spop_one(ctx, key) };
    args.finish()?;
    let count = count_of(count, "ERR value is out of range, must be positive", 0)?;
    let State { keyspace, random, .. } = &mut *ctx.state;
    let len = keyspace.read::<SetValue>(ctx.db, key)?.map_or(0, SetValue::len);
    ctx.reply.set(count.min(len));
    keyspace.work.elements(count.min(len));
    if count >= len {
        if let Some(set) = keyspace.read::<SetValue>(ctx.db, key)? {
            set.iter().for_each(|member| member.with(|member| ctx.reply.bulk(member)));
        }
        if keyspace.delete(ctx.db, key) {
            keyspace.effects.record(ctx.db, [&b"DEL"[..], key]);
        }
        return Ok(());
    }
    let popped = keyspace.change(ctx.db, key, |set: &mut SetValue| {
        let popped: Vec<_> = (0..count).map_while(|_| pop(set, random)).collect();
        let is_changed = !popped.is_empty();
        (popped, is_changed)
    })?;
    let popped = popped.unwrap_or_default();
    popped.iter().for_each(|member| ctx.reply.bulk(member));
    let members = popped.iter().map(|member| Item::Text(member));
    as_one_effect(ctx, |ctx| {
        record_elements(&mut ctx.state.keyspace, ctx.db, [b"SREM", key], members);
    });
    Ok(())
}

/// Removes and returns a random member.
fn pop(set: &mut SetValue, random: &mut Random) -> Option<Vec<u8>> {
    let member = set.random(|| random.next())?.to_vec();
    set.remove(&member);
    Some(member)
}

fn spop_one(ctx: &mut Context<'_>, key: &[u8]) -> Result<(), CommandError> {
    let State { keyspace, random, .. } = &mut *ctx.state;
    let popped = keyspace.change(ctx.db, key, |set: &mut SetValue| (pop(set, random), true))?;
    match popped.flatten() {
        Some(member) => {
            ctx.reply.bulk(&member);
            keyspace.effects.record(ctx.db, [&b"SREM"[..], key, &member]);
        }
        None => ctx.reply.null(),
    }
    Ok(())
}

fn srandmember(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let count = args.optional();
    args.finish()?;
    let wanted = count.map(pick::wanted).transpose()?;
    let State { keyspace, random, stats, .. } = &mut *ctx.state;
    let set = keyspace.read::<SetValue>(ctx.db, key)?;
    stats.count_lookup(set.is_some());
    let Some(set) = set else {
        match wanted {
            Some(_) => ctx.reply.array(0),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let reply = &mut *ctx.reply;
    let returned = match wanted {
        None => {
            let member = set.random(|| random.next());
            member.into_iter().for_each(|member| member.with(|member| reply.bulk(member)));
            1
        }
        Some(Wanted::Repeated(count)) => {
            reply.array(count);
            let members = (0..count).filter_map(|_| set.random(|| random.next()));
            members.for_each(|member| member.with(|member| reply.bulk(member)));
            count
        }
        Some(Wanted::Different(count)) if count >= set.len() => {
            reply.array(set.len());
            set.iter().for_each(|member| member.with(|member| reply.bulk(member)));
            set.len()
        }
        Some(Wanted::Different(count)) => {
            let draw = |random: &mut Random| set.random(|| random.next());
            let picked =
                pick::different(count, set.len(), set.iter(), draw, |member| member, random);
            reply.array(picked.len());
            picked.iter().for_each(|member| member.with(|member| reply.bulk(member)));
            count
        }
    };
    keyspace.work.looked_at(returned);
    Ok(())
}
