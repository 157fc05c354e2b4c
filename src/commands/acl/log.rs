//! ACL LOG: the requests that were refused.

use super::only_argument;
use crate::acl::LogEntry;
use crate::engine::{CommandError, Context, integer, is_word};
use crate::resp::{Output, Request};

/// Entries that ACL LOG returns by default.
const SHOWN_DEFAULT: usize = 10;

pub(super) fn log(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let wanted = match only_argument(request)? {
        None => SHOWN_DEFAULT,
        Some(word) if is_word(word, "reset") => {
            ctx.state.access_log.clear();
            ctx.reply.ok();
            return Ok(());
        }
        // As in Redis, a negative count shows none.
        Some(count) => usize::try_from(integer(count)?.max(0)).unwrap_or(usize::MAX),
    };
    let now_ms = ctx.now.unix_us / 1000;
    let entries = ctx.state.access_log.entries();
    ctx.reply.array(wanted.min(entries.len()));
    entries.take(wanted).for_each(|entry| write_entry(ctx.reply, entry, now_ms));
    Ok(())
}

fn write_entry(reply: &mut Output, entry: &LogEntry, now_ms: u64) {
    let denial = &entry.denial;
    reply.map(10);
    reply.bulk(b"count");
    // Counts and times stay far below the maximum of i64.
    reply.integer(entry.count as i64);
    reply.bulk(b"reason");
    reply.bulk(denial.subject.name().as_bytes());
    reply.bulk(b"context");
    reply.bulk(denial.context.name().as_bytes());
    reply.bulk(b"object");
    reply.bulk(&denial.object);
    reply.bulk(b"username");
    reply.bulk(&denial.username);
    reply.bulk(b"age-seconds");
    reply.double(now_ms.saturating_sub(entry.created_ms) as f64 / 1000.0);
    reply.bulk(b"client-info");
    reply.bulk(denial.client_info.as_bytes());
    reply.bulk(b"entry-id");
    reply.integer(entry.id as i64);
    reply.bulk(b"timestamp-created");
    reply.integer(entry.created_ms as i64);
    reply.bulk(b"timestamp-last-updated");
    reply.integer(entry.updated_ms as i64);
}
