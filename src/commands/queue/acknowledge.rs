//! QUEUE ACK and NACK: acknowledging and returning messages in flight.

use crate::commands::take::count_of;
use crate::engine::{Arguments, CommandError, Context, is_word};
use crate::keyspace::Key;
use crate::queueing::Queues;
use crate::resp::Request;

/// Returns the deliveries that QUEUE ACK and NACK name, in ascending order of their numbers.
/// `[COUNT n]` means the oldest of this connection, by default one; `VALUE message [message ...]` the
/// oldest of each message, whichever connection has it.
fn named_deliveries(
    ctx: &mut Context<'_>,
    key: &Key,
    mut args: Arguments<'_>,
) -> Result<Vec<u64>, CommandError> {
    let keyspace = &mut ctx.state.keyspace;
    match (args.optional(), args.left()) {
        (None, _) => Ok(keyspace.held_of(ctx.client, ctx.db, key, 1)),
        (Some(word), 1) if is_word(word, "count") => {
            let count = count_of(args.required()?, "ERR count should be greater than 0", 1)?;
            Ok(keyspace.held_of(ctx.client, ctx.db, key, count))
        }
        (Some(word), 1..) if is_word(word, "value") => {
            Ok(keyspace.find_deliveries(ctx.db, key, args.rest()))
        }
        _ => Err(CommandError::Syntax),
    }
}

pub(super) fn ack(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = Key::from(args.required()?);
    let numbers = named_deliveries(ctx, &key, args)?;
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
    let numbers = named_deliveries(ctx, &key, args)?;
    let keyspace = &mut ctx.state.keyspace;
    Queues::new(keyspace).return_messages(ctx.db, &key, &numbers);
    ctx.reply.count(numbers.len());
    Ok(())
}
