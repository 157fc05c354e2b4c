//! QUEUE PAUSE and RESUME.

use crate::engine::{Arguments, CommandError, Context};
use crate::pauses::{Direction, WITHOUT_END};
use crate::policy::MILLIS_MAX;
use crate::queueing::Queues;
use crate::resp::Request;

/// Takes `[READ|WRITE|ALL]`.
fn direction(args: &mut Arguments<'_>) -> Direction {
    let words = [("read", Direction::Read), ("write", Direction::Write), ("all", Direction::All)];
    let named = words.into_iter().find(|(word, _)| args.takes(word));
    named.map_or(Direction::All, |(_, direction)| direction)
}

pub(super) fn pause(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (key, direction) = (args.required()?, direction(&mut args));
    let mut until_ms = WITHOUT_END;
    if args.takes("for") {
        let error = "ERR FOR takes a whole number of milliseconds from 1 to 315360000000";
        let ms = args.integer_within(1, MILLIS_MAX, error)?;
        until_ms = ctx.state.keyspace.queue_ms().saturating_add(ms);
    }
    set(ctx, args, key, direction, Some(until_ms))
}

pub(super) fn resume(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (key, direction) = (args.required()?, direction(&mut args));
    set(ctx, args, key, direction, None)
}

fn set(
    ctx: &mut Context<'_>,
    args: Arguments<'_>,
    key: &[u8],
    direction: Direction,
    until_ms: Option<i64>,
) -> Result<(), CommandError> {
    if args.left() > 0 {
        return Err(CommandError::Syntax);
    }
    let keyspace = &mut ctx.state.keyspace;
    let pauses = keyspace.pauses(ctx.db, key).with(direction, until_ms);
    Queues::new(keyspace).pause(ctx.db, key, pauses);
    ctx.reply.ok();
    Ok(())
}
