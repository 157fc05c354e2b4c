//! Pending entries that another consumer takes over.

use super::interval::{id, start};
use super::{look_up_group, record, write_entry, write_id};
use crate::commands::one_effect::as_one_effect;
use crate::engine::Arg::{Many, One, OptionalNamed, OptionalWord};
use crate::engine::Group::Stream as OfStreams;
use crate::engine::tips::VARIES;
use crate::engine::uses::{DELETE, UPDATE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::{Output, Request, parse_integer};
use crate::value::{Claim, Claimed, Recipient, Stream, StreamId};

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("xclaim", -6, xclaim).group(OfStreams).since("5.0.0").write().fast()
        .key(1, UPDATE)
        .args(&[One("key"), One("group"), One("consumer"), One("min-idle-time"), Many("id"),
            OptionalNamed("IDLE", "ms"), OptionalNamed("TIME", "unix-time-milliseconds"),
            OptionalNamed("RETRYCOUNT", "count"), OptionalWord("FORCE"), OptionalWord("JUSTID"),
            OptionalNamed("LASTID", "id")])
        .cost("O(log N) for each id").tips(VARIES)
        .says("Gives pending entries to another consumer."),
    Command::new("xautoclaim", -6, xautoclaim).group(OfStreams).since("6.2.0").write().fast()
        .key(1, DELETE)
        .args(&[One("key"), One("group"), One("consumer"), One("min-idle-time"), One("start"),
            OptionalNamed("COUNT", "count"), OptionalWord("JUSTID")])
        .cost("O(N) where N is ten times the COUNT at most").tips(VARIES)
        .says("Gives pending entries that were delivered long ago to another consumer."),
];

/// The entries that XAUTOCLAIM examines for each one that it may return.
const EXAMINED_PER_ENTRY: u64 = 10;

/// What became of the entries that were named or examined.
#[derive(Default)]
struct Outcome {
    /// Those that the consumer has now, with the numbers of their deliveries.
    moved: Vec<(StreamId, u64)>,
    /// Those that were pending although they were deleted.
    gone: Vec<StreamId>,
    is_new: bool,
}

impl Outcome {
    fn add(&mut self, id: StreamId, claimed: Claimed) {
        match claimed {
            Claimed::Moved(count) => self.moved.push((id, count)),
            Claimed::Gone => self.gone.push(id),
            Claimed::Not => {}
        }
    }

    fn is_change(&self) -> bool {
        self.is_new || !self.moved.is_empty() || !self.gone.is_empty()
    }

    /// Records what happened.
    fn record(&self, ctx: &mut Context<'_>, key: &[u8], to: &Recipient<'_>, ms: i64) {
        let keyspace = &mut ctx.state.keyspace;
        if !keyspace.effects.is_on() || !self.is_change() {
            return;
        }
        let claimed = Recipient { now_ms: ms, ..*to };
        record::redelivered(keyspace, (ctx.db, key), &claimed, &self.moved, self.is_new);
        record::gone(keyspace, (ctx.db, key), to.group, &self.gone);
    }

    /// Writes the entries that the consumer has now.
    fn write(&self, reply: &mut Output, stream: Option<&Stream>, is_short: bool) {
        reply.array(self.moved.len());
        for (id, _) in &self.moved {
            match stream.and_then(|stream| stream.get(*id)) {
                Some(entry) if !is_short => write_entry(reply, entry),
                _ => write_id(reply, *id),
            }
        }
    }
}

/// Reads a number, or returns Redis' error about this argument.
fn number(arg: &[u8], name: &str, command: &str) -> Result<i64, CommandError> {
    parse_integer(arg).ok_or_else(|| format!("ERR Invalid {name} argument for {command}").into())
}

/// The options of XCLAIM.
#[derive(Default)]
struct Options {
    delivered_ms: Option<i64>,
    count: Option<u64>,
    forces: bool,
    is_short: bool,
    last_id: StreamId,
}

impl Options {
    /// Reads the options, from `word` on.
    fn parse<'a>(
        mut word: Option<&'a [u8]>,
        args: &mut Arguments<'a>,
        now_ms: i64,
    ) -> Result<Options, CommandError> {
        let mut options = Options::default();
        while let Some(name) = word {
            let is = |name_of: &str| name.eq_ignore_ascii_case(name_of.as_bytes());
            let has_more = args.left() > 0;
            if is("force") {
                options.forces = true;
            } else if is("justid") {
                options.is_short = true;
            } else if has_more && is("idle") {
                let idle_ms = number(args.required()?, "IDLE option", "XCLAIM")?;
                options.delivered_ms = Some(now_ms.wrapping_sub(idle_ms));
            } else if has_more && is("time") {
                options.delivered_ms = Some(number(args.required()?, "TIME option", "XCLAIM")?);
            } else if has_more && is("retrycount") {
                let count = number(args.required()?, "RETRYCOUNT option", "XCLAIM")?;
                options.count = u64::try_from(count).ok();
            } else if has_more && is("lastid") {
                options.last_id = id(args.required()?)?;
            } else {
                return Err(CommandError::quoting("ERR Unrecognized XCLAIM option '", name, "'"));
            }
            word = args.optional();
        }
        Ok(options)
    }
}

fn xclaim(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, group, consumer) = (args.required()?, args.required()?, args.required()?);
    look_up_group(ctx, key, group)?;
    let min_idle_ms = number(args.required()?, "min-idle-time", "XCLAIM")?.max(0);
    let mut ids = Vec::with_capacity(args.left());
    let mut option = None;
    while let Some(arg) = args.optional() {
        match id(arg) {
            Ok(id) => ids.push(id),
            Err(_) => {
                option = Some(arg);
                break;
            }
        }
    }
    let now_ms = ctx.now.unix_ms();
    let options = Options::parse(option, &mut args, now_ms)?;
    // What is repeated happened before, whatever the clock says now. Otherwise a time in the future is now.
    let delivered_ms = match options.delivered_ms {
        Some(ms) if ctx.origin.repeats() || (0..=now_ms).contains(&ms) => ms,
        _ => now_ms,
    };
    let now_ms = if ctx.origin.repeats() { delivered_ms } else { now_ms };
    let to = Recipient { group, consumer, now_ms, is_pending: true };
    let (count, counts, forces) = (options.count, !options.is_short, options.forces);
    let claim = Claim { min_idle_ms, delivered_ms, count, counts, forces };
    let keyspace = &mut ctx.state.keyspace;
    keyspace.work.moved(ids.len());
    let (outcome, is_ahead) = keyspace
        .change_quietly(ctx.db, key, |stream: &mut Stream| {
            let mut outcome = Outcome::default();
            let is_ahead = stream.change_group(group, |group| {
                let is_ahead = options.last_id > group.last_id;
                group.last_id = group.last_id.max(options.last_id);
                is_ahead
            });
            let is_ahead = is_ahead.unwrap_or_default();
            let ids = ids.iter().copied();
            let is_new = stream.claim(&to, &claim, ids, |id, claimed| outcome.add(id, claimed));
            outcome.is_new = is_new.unwrap_or_default();
            let is_changed = is_ahead || outcome.is_change();
            ((outcome, is_ahead), is_changed)
        })?
        .unwrap_or_default();
    as_one_effect(ctx, |ctx| {
        outcome.record(ctx, key, &to, delivered_ms);
        if is_ahead {
            record::group_id(&mut ctx.state.keyspace, (ctx.db, key), group);
        }
    });
    let stream = ctx.state.keyspace.read::<Stream>(ctx.db, key)?;
    outcome.write(ctx.reply, stream, options.is_short);
    Ok(())
}

fn xautoclaim(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, group, consumer) = (args.required()?, args.required()?, args.required()?);
    let min_idle_ms = number(args.required()?, "min-idle-time", "XAUTOCLAIM")?.max(0);
    let from = start(args.required()?)?;
    let (mut max, mut is_short) = (100, false);
    while args.left() > 0 {
        if args.left() > 1 && args.takes("count") {
            const COUNT_MAX: i64 = i64::MAX / 16;
            max = args.integer_within(1, COUNT_MAX, "ERR COUNT must be > 0")?.unsigned_abs();
        } else if args.takes("justid") {
            is_short = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    look_up_group(ctx, key, group)?;
    let now_ms = ctx.now.unix_ms();
    let to = Recipient { group, consumer, now_ms, is_pending: true };
    let (count, counts, forces) = (None, !is_short, false);
    let claim = Claim { min_idle_ms, delivered_ms: now_ms, count, counts, forces };
    let mut examined = 0;
    let keyspace = &mut ctx.state.keyspace;
    let (outcome, next) = keyspace
        .change_quietly(ctx.db, key, |stream: &mut Stream| {
            let mut outcome = Outcome::default();
            let done = stream.claim_from(&to, &claim, from, |id, claimed| {
                outcome.add(id, claimed);
                examined += 1;
                let found = outcome.moved.len() + outcome.gone.len();
                examined < max * EXAMINED_PER_ENTRY && (found as u64) < max
            });
            let (is_new, next) = done.unwrap_or_default();
            outcome.is_new = is_new;
            let is_changed = outcome.is_change();
            ((outcome, next), is_changed)
        })?
        .unwrap_or_default();
    keyspace.work.moved(usize::try_from(examined).unwrap_or_default());
    as_one_effect(ctx, |ctx| outcome.record(ctx, key, &to, now_ms));
    ctx.reply.array(3);
    write_id(ctx.reply, next);
    let stream = ctx.state.keyspace.read::<Stream>(ctx.db, key)?;
    outcome.write(ctx.reply, stream, is_short);
    ctx.reply.array(outcome.gone.len());
    outcome.gone.iter().for_each(|id| write_id(ctx.reply, *id));
    Ok(())
}
