//! QUEUE ACK, NACK and TOUCH: what becomes of messages in flight.

use super::push::delay_of;
use crate::commands::take::count_of;
use crate::engine::{Arguments, CommandError, Context};
use crate::keyspace::{DbIndex, Key, Keyspace};
use crate::policy::MILLIS_MAX;
use crate::queueing::{Cause, Queues};
use crate::resp::Request;

/// How QUEUE NACK returns messages. The words are those of Redis' XNACK.
#[derive(Clone, Copy)]
enum Nack {
    /// The delivery does not count.
    Silent,
    /// The delivery counts.
    Fail,
    /// They do not return, but become dead letters.
    Fatal,
}

/// Takes which deliveries QUEUE ACK and NACK mean, and returns their numbers, in ascending order, each once.
/// `IDS n id …` means those with these receipts; `[COUNT n]` the oldest of this connection, by default one;
/// `VALUE message …` the oldest of each message, whichever connection has it. The last two do not find
/// deliveries that only a receipt acknowledges.
fn named_deliveries(
    ctx: &mut Context<'_>,
    key: &Key,
    args: &mut Arguments<'_>,
) -> Result<Vec<u64>, CommandError> {
    let keyspace = &mut ctx.state.keyspace;
    if args.takes("ids") {
        let ids = receipts(args)?;
        return Ok(in_flight(keyspace, ctx.db, key, ids));
    }
    if args.takes("count") {
        let count = count_of(args.required()?, "ERR count should be greater than 0", 1)?;
        return Ok(keyspace.held_of(ctx.client, ctx.db, key, count));
    }
    if args.takes("value") {
        if args.left() == 0 {
            return Err(CommandError::Syntax);
        }
        let messages = args.several(args.left())?;
        return Ok(keyspace.find_deliveries(ctx.db, key, messages));
    }
    Ok(keyspace.held_of(ctx.client, ctx.db, key, 1))
}

/// Takes receipts after their number.
fn receipts(args: &mut Arguments<'_>) -> Result<Vec<u64>, CommandError> {
    const ERROR: CommandError =
        CommandError::text("ERR a receipt should be a number that QUEUE POP returned");
    let ids = args.counted("ERR the number of ids should be greater than 0")?;
    ids.map(|id| std::str::from_utf8(id).ok().and_then(|id| id.parse().ok()).ok_or(ERROR)).collect()
}

/// Returns those of these deliveries that are in flight, in ascending order, each once.
fn in_flight(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], mut ids: Vec<u64>) -> Vec<u64> {
    let Some(queue_state) = keyspace.queue_state(db, key) else { return Vec::new() };
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| queue_state.in_flight.get(*id).is_some());
    ids
}

pub(super) fn ack(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = Key::from(args.required()?);
    let numbers = named_deliveries(ctx, &key, &mut args)?;
    args.finish()?;
    let keyspace = &mut ctx.state.keyspace;
    for number in &numbers {
        let Some(at) = keyspace.slot(ctx.db, &key) else { break };
        Queues::new(keyspace).acknowledge(at, &key, *number);
    }
    ctx.reply.count(numbers.len());
    Ok(())
}

pub(super) fn nack(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = Key::from(args.required()?);
    let numbers = named_deliveries(ctx, &key, &mut args)?;
    let delay_ms = if args.takes("delay") { Some(delay_of(&mut args)?) } else { None };
    let how = match args.left() {
        0 => Nack::Fail,
        _ => {
            args.choice(&[("silent", Nack::Silent), ("fail", Nack::Fail), ("fatal", Nack::Fatal)])?
        }
    };
    args.finish()?;
    let mut queues = Queues::new(&mut ctx.state.keyspace);
    match (how, delay_ms) {
        (Nack::Silent, None | Some(0)) => queues.return_uncounted(ctx.db, &key, &numbers),
        (Nack::Silent, Some(delay_ms)) => {
            queues.uncount(ctx.db, &key, &numbers);
            queues.return_later(ctx.db, &key, &numbers, delay_ms);
        }
        (Nack::Fail, Some(delay_ms)) => queues.return_later(ctx.db, &key, &numbers, delay_ms),
        (Nack::Fail, None) => queues.retry(ctx.db, &key, &numbers, Cause::Nacked),
        (Nack::Fatal, None) => queues.reject(ctx.db, &key, &numbers),
        (Nack::Fatal, Some(_)) => return Err(CommandError::Syntax),
    }
    ctx.reply.count(numbers.len());
    Ok(())
}

pub(super) fn touch(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = args.required()?;
    if !args.takes("ids") {
        return Err(CommandError::Syntax);
    }
    let ids = receipts(&mut args)?;
    let lease_ms = if args.takes("lease") { Some(lease_of(&mut args)?) } else { None };
    args.finish()?;
    let keyspace = &mut ctx.state.keyspace;
    let numbers = in_flight(keyspace, ctx.db, key, ids);
    if let Some(at) = keyspace.slot(ctx.db, key) {
        for number in &numbers {
            keyspace.touch(at, *number, lease_ms);
        }
    }
    ctx.reply.count(numbers.len());
    Ok(())
}

/// Takes the length of a lease, in milliseconds.
pub(super) fn lease_of(args: &mut Arguments<'_>) -> Result<i64, CommandError> {
    args.integer_within(1, MILLIS_MAX, "ERR lease should be from 1 ms to 10 years")
}
