//! Fields of the maps that QUEUE INFLIGHT and PEEK return.

use crate::resp::Output;

/// Writes a number, such as milliseconds, or null.
pub(super) fn number(reply: &mut Output, name: &str, number: Option<i64>) {
    reply.bulk(name.as_bytes());
    match number {
        Some(number) => reply.integer(number),
        None => reply.null(),
    }
}

/// Writes a text, or null.
pub(super) fn text(reply: &mut Output, name: &str, text: Option<&[u8]>) {
    reply.bulk(name.as_bytes());
    match text {
        Some(text) => reply.bulk(text),
        None => reply.null(),
    }
}
