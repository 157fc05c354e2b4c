//! Some of the fields: HSCAN, HRANDFIELD.

use super::look_up;
use crate::commands::pick::{self, Wanted};
use crate::commands::scan::{ElementScan, cursor_of, write_head};
use crate::dict::Item;
use crate::engine::Arg::{One, OptionalBlock, OptionalNamed, OptionalWord};
use crate::engine::Group::Hash;
use crate::engine::tips::VARIES;
use crate::engine::uses::READ_VALUE;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::{Output, Protocol, Request};
use crate::state::{Random, State};
use crate::value::HashValue;

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("hscan", -3, hscan).group(Hash).since("2.8.0").read_only().key(1, READ_VALUE)
        .args(&[One("key"), One("cursor"), OptionalNamed("MATCH", "pattern"), OptionalNamed("COUNT", "count")])
        .cost("O(1) for each call").tips(VARIES)
        .says("Returns some of the fields and their values, and a cursor to continue."),
    Command::new("hrandfield", -2, hrandfield).group(Hash).since("6.2.0").read_only().key(1, READ_VALUE)
        .args(&[One("key"), OptionalBlock("options", &[One("count"), OptionalWord("WITHVALUES")])])
        .cost("O(N) where N is the number of fields returned").tips(VARIES)
        .says("Returns random fields."),
];

fn hscan(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, cursor) = (args.required()?, cursor_of(&mut args)?);
    let Some(hash) = look_up::<HashValue>(ctx.state, ctx.db, key)? else {
        write_head(ctx.reply, 0, 0);
        return Ok(());
    };
    let scan = ElementScan::parse(args)?;
    let (mut found, mut looked_at) = (Vec::new(), 0);
    let next = hash.scan(cursor, scan.count, |field, value| {
        looked_at += 1;
        if scan.selects(field) {
            found.push((field, value));
        }
    });
    write_head(ctx.reply, next, 2 * found.len());
    for (field, value) in found {
        field.with(|field| ctx.reply.bulk(field));
        value.with(|value| ctx.reply.bulk(value));
    }
    ctx.state.keyspace.work.looked_at(looked_at);
    Ok(())
}

fn hrandfield(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let Some(count) = args.optional() else {
        let State { keyspace, random, stats, .. } = &mut *ctx.state;
        let hash = keyspace.read::<HashValue>(ctx.db, key)?;
        stats.count_lookup(hash.is_some());
        match hash.and_then(|hash| hash.random(|| random.next())) {
            Some((field, _)) => field.with(|field| ctx.reply.bulk(field)),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let wanted = pick::wanted(count)?;
    let with_values = args.takes("withvalues");
    args.finish()?;
    if with_values {
        pick::check_pairs(count)?;
    }
    let State { keyspace, random, stats, .. } = &mut *ctx.state;
    let hash = keyspace.read::<HashValue>(ctx.db, key)?;
    stats.count_lookup(hash.is_some());
    let Some(hash) = hash else {
        ctx.reply.array(0);
        return Ok(());
    };
    let mut reply = Fields { reply: ctx.reply, with_values };
    let returned = match wanted {
        Wanted::Repeated(count) => {
            reply.begin(count);
            for _ in 0..count {
                reply.entry(hash.random(|| random.next()));
            }
            count
        }
        Wanted::Different(count) if count >= hash.len() => {
            reply.begin(hash.len());
            hash.iter().for_each(|entry| reply.entry(Some(entry)));
            hash.len()
        }
        Wanted::Different(count) => {
            let draw = |random: &mut Random| hash.random(|| random.next());
            let picked = pick::different(count, hash.len(), hash.iter(), draw, |(f, _)| f, random);
            reply.begin(picked.len());
            picked.iter().for_each(|entry| reply.entry(Some(*entry)));
            count
        }
    };
    keyspace.work.looked_at(returned);
    Ok(())
}

/// Writes fields, with their values if wanted.
struct Fields<'a> {
    reply: &'a mut Output,
    with_values: bool,
}

impl Fields<'_> {
    /// Whether a field and its value are an array of their own.
    fn is_nested(&self) -> bool {
        self.with_values && self.reply.protocol() == Protocol::Resp3
    }

    fn begin(&mut self, count: usize) {
        let is_flat = self.with_values && !self.is_nested();
        self.reply.array(if is_flat { 2 * count } else { count });
    }

    fn entry(&mut self, entry: Option<(Item<'_>, Item<'_>)>) {
        let Some((field, value)) = entry else { return };
        if self.is_nested() {
            self.reply.array(2);
        }
        field.with(|field| self.reply.bulk(field));
        if self.with_values {
            value.with(|value| self.reply.bulk(value));
        }
    }
}
