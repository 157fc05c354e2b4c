//! QUEUE MOVE: pushing the messages of a queue to another one, or dead letters to where they came from.

use super::count_option;
use crate::engine::{Arguments, CommandError, Context, is_word};
use crate::queueing::{Destination, Queues};
use crate::resp::Request;

/// Messages moved unless COUNT says otherwise.
const MOVE_COUNT: usize = 1;
/// The position of the destination in the request.
const DESTINATION: usize = 3;

/// The argument ORIGIN, for queues whose names only the dead letters know.
pub(super) fn origins(request: &Request<'_>) -> Option<usize> {
    request.get(DESTINATION).filter(|word| is_word(word, "origin")).map(|_| DESTINATION)
}

pub(super) fn move_messages(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (source, word) = (args.required()?, args.required()?);
    let count = count_option(&mut args)?.unwrap_or(MOVE_COUNT);
    let to = match word {
        word if is_word(word, "origin") => Destination::Origin,
        key if key == source => {
            return Err(CommandError::text("ERR source and destination queues are the same"));
        }
        key => Destination::Key(key),
    };
    let keyspace = &mut ctx.state.keyspace;
    let moved = Queues::new(keyspace).move_messages(ctx.db, source, to, count)?;
    ctx.reply.count(moved);
    Ok(())
}
