//! QUEUE INFO: what is known about a queue.

use crate::commands::value_reply;
use crate::engine::{Arguments, CommandError, Context};
use crate::figures::{EACH_QUEUE, EACH_QUEUE_COUNTS};
use crate::resp::Request;

pub(super) fn info(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::from(request, 2).required()?;
    let summary = ctx.state.keyspace.queue_summary(ctx.db, key);
    ctx.reply.map(EACH_QUEUE.len() + EACH_QUEUE_COUNTS.len());
    for figure in EACH_QUEUE.iter().chain(EACH_QUEUE_COUNTS) {
        ctx.reply.bulk(figure.name.as_bytes());
        value_reply::write(ctx.reply, (figure.read)(&summary));
    }
    Ok(())
}
