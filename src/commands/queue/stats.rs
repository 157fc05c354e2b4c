//! QUEUE STATS: what QUEUE INFO says of a queue, for all queues page by page.

use super::page::Page;
use crate::commands::scan::selects;
use crate::commands::value_reply;
use crate::engine::access::ShownKeys;
use crate::engine::{Arguments, CommandError, Context};
use crate::figures::{EACH_QUEUE, EACH_QUEUE_COUNTS};
use crate::resp::Request;

/// Queues that one call visits unless COUNT says otherwise: a few ten kilobytes.
const STATS_COUNT: usize = 100;

/// The first field of a row, before those of QUEUE INFO.
const NAME: &[u8] = b"name";

pub(super) fn stats(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let Page { cursor, count, pattern } = Page::parse(Arguments::from(request, 2), STATS_COUNT)?;
    let shown = ShownKeys::of(ctx, request);
    // A copy of each name: to look a queue up may remove its key.
    let mut names: Vec<Box<[u8]>> = Vec::new();
    let next = ctx.state.keyspace.scan_queues(ctx.db, cursor, count, |key| {
        if pattern.is_none_or(|pattern| selects(pattern, key)) && shown.include(key) {
            names.push(key.into());
        }
    });
    let keyspace = &mut ctx.state.keyspace;
    keyspace.work.keys(count.min(keyspace.len(ctx.db)).max(names.len()));
    let reply = &mut *ctx.reply;
    let figures = || EACH_QUEUE.iter().chain(EACH_QUEUE_COUNTS);
    let width = 1 + figures().count();
    reply.array(3);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(width);
    reply.bulk(NAME);
    figures().for_each(|figure| reply.bulk(figure.name.as_bytes()));
    reply.array(names.len());
    for name in &names {
        let summary = keyspace.queue_summary(ctx.db, name);
        reply.array(width);
        reply.bulk(name);
        figures().for_each(|figure| value_reply::write(reply, (figure.read)(&summary)));
    }
    Ok(())
}
