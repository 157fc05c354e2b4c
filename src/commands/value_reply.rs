//! The value of a figure as a reply.

use crate::figures::Value;
use crate::resp::Output;

pub(super) fn write(reply: &mut Output, value: Value<'_>) {
    match value {
        Value::Count(count) => reply.count(usize::try_from(count).unwrap_or(usize::MAX)),
        Value::Part(part) => reply.double(part),
        Value::Signed(number) => reply.integer(number),
        Value::Text(text) => reply.bulk(text.as_bytes()),
        Value::Seconds(_) => reply.bulk(value.to_string().as_bytes()),
        Value::Unknown => reply.null(),
    }
}
