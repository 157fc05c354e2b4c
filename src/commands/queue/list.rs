//! QUEUE LIST: an iteration over the queues.

use crate::commands::scan::{parse_cursor, selects, write_page};
use crate::commands::take::count_of;
use crate::engine::{Arguments, CommandError, Context, is_word};
use crate::resp::Request;

/// Queues that one call of QUEUE LIST visits unless COUNT says otherwise, as for SCAN.
const LIST_COUNT: usize = 10;

pub(super) fn list(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let mut cursor = 0;
    let is_option = |word: &[u8]| is_word(word, "match") || is_word(word, "count");
    if let Some(text) = args.clone().optional().filter(|word| !is_option(word)) {
        cursor = parse_cursor(text).ok_or(CommandError::text("ERR invalid cursor"))?;
        args.optional();
    }
    let (mut count, mut pattern) = (LIST_COUNT, None);
    while let Some(option) = args.optional() {
        let value = args.required()?;
        if is_word(option, "match") {
            pattern = Some(value);
        } else if is_word(option, "count") {
            count = count_of(value, "ERR count should be greater than 0", 1)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let mut found = Vec::new();
    let next = ctx.state.keyspace.scan_queues(ctx.db, cursor, count, |key| {
        if pattern.is_none_or(|pattern| selects(pattern, key)) {
            found.push(key);
        }
    });
    write_page(ctx.reply, next, &found);
    Ok(())
}
