//! QUEUE LIST: an iteration over the queues.

use super::page::Page;
use crate::commands::scan::{selects, write_page};
use crate::engine::{Arguments, CommandError, Context};
use crate::resp::Request;

/// Queues that one call of QUEUE LIST visits unless COUNT says otherwise, as for SCAN.
const LIST_COUNT: usize = 10;

pub(super) fn list(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let Page { cursor, count, pattern } = Page::parse(Arguments::from(request, 2), LIST_COUNT)?;
    let mut found = Vec::new();
    let next = ctx.state.keyspace.scan_queues(ctx.db, cursor, count, |key| {
        if pattern.is_none_or(|pattern| selects(pattern, key)) {
            found.push(key);
        }
    });
    write_page(ctx.reply, next, &found);
    Ok(())
}
