//! QUEUE PURGE.

use crate::engine::{Arguments, CommandError, Context};
use crate::keyspace::Key;
use crate::queueing::{Purged, Queues};
use crate::resp::Request;

pub(super) fn purge(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = Key::from(args.required()?);
    let mut kinds = Purged { ready: args.left() == 0, ..Purged::default() };
    while args.left() > 0 {
        if args.takes("ready") {
            kinds.ready = true;
        } else if args.takes("delayed") {
            kinds.delayed = true;
        } else if args.takes("inflight") {
            kinds.in_flight = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let count = Queues::new(&mut ctx.state.keyspace).purge(ctx.db, &key, kinds)?;
    ctx.reply.count(count);
    Ok(())
}
