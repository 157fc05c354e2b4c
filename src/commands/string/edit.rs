//! Parts of strings.

use super::{check_length, look_up};
use crate::engine::Arg::One;
use crate::engine::Group::String;
use crate::engine::uses::{INSERT, READ_VALUE, UPDATE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::queueing::check_no_queue;
use crate::resp::Request;
use crate::value::StringValue;

const COPIED: &str = "O(N) where N is the number of bytes given or set";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("append", 3, append).group(String).since("2.0.0").write().deny_oom().fast()
        .key(1, INSERT).args(&[One("key"), One("value")])
        .cost("O(1) for each added byte").says("Adds bytes to a string."),
    Command::new("setrange", 4, setrange).group(String).since("2.2.0").write().deny_oom()
        .key(1, UPDATE).args(&[One("key"), One("offset"), One("value")]).cost(COPIED)
        .says("Overwrites bytes of a string, from an offset on."),
    Command::new("getrange", 4, getrange).group(String).since("2.4.0").read_only()
        .key(1, READ_VALUE).args(&[One("key"), One("start"), One("end")]).cost(COPIED)
        .says("Returns a range of a string's bytes."),
    Command::new("substr", 4, getrange).group(String).since("1.0.0").read_only()
        .key(1, READ_VALUE).args(&[One("key"), One("start"), One("end")]).cost(COPIED)
        .says("Returns a range of a string's bytes, like GETRANGE."),
];

/// Changes the bytes of the string at a key, and replies with the new length.
fn change(
    ctx: &mut Context<'_>,
    key: &[u8],
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<(), CommandError> {
    let len = ctx.state.keyspace.change_or_create(ctx.db, key, |string: &mut StringValue| {
        let bytes = string.to_mut();
        change(bytes);
        (bytes.len(), true)
    })?;
    ctx.reply.count(len);
    Ok(())
}

/// Returns the length of the string at a key; none if there is none.
fn len_of(ctx: &mut Context<'_>, key: &[u8]) -> Result<Option<usize>, CommandError> {
    let string = ctx.state.keyspace.read::<StringValue>(ctx.db, key)?;
    Ok(string.map(StringValue::len))
}

fn append(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, value) = (args.required()?, args.required()?);
    match len_of(ctx, key)? {
        Some(len) => {
            check_length(ctx, len, value.len())?;
            change(ctx, key, |bytes| bytes.extend_from_slice(value))
        }
        None => {
            check_no_queue(&mut ctx.state.keyspace, ctx.db, key)?;
            // The new value may be a number, as in Redis.
            let set = |string: &mut StringValue| {
                string.set(value);
                (value.len(), true)
            };
            let len = ctx.state.keyspace.change_or_create(ctx.db, key, set)?;
            ctx.reply.count(len);
            Ok(())
        }
    }
}

fn setrange(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, offset, value) = (args.required()?, args.integer()?, args.required()?);
    let offset =
        usize::try_from(offset).map_err(|_| CommandError::text("ERR offset is out of range"))?;
    let len = len_of(ctx, key)?;
    if value.is_empty() {
        ctx.reply.count(len.unwrap_or(0));
        return Ok(());
    }
    check_length(ctx, offset, value.len())?;
    if len.is_none() {
        check_no_queue(&mut ctx.state.keyspace, ctx.db, key)?;
    }
    change(ctx, key, |bytes| {
        let end = offset + value.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset..end].copy_from_slice(value);
    })
}

fn getrange(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, start, end) = (args.required()?, args.integer()?, args.integer()?);
    match look_up::<StringValue>(ctx.state, ctx.db, key)? {
        Some(string) => string.with(|bytes| ctx.reply.bulk(range(bytes, start, end))),
        None => ctx.reply.bulk(b""),
    }
    Ok(())
}

/// Returns the bytes from `start` to `end`; negative indexes count from the end.
fn range(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let len = bytes.len();
    // An index before the first byte means the first byte.
    let place = |index: i64| match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => len.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let (start, end) = (place(start), place(end).min(len.saturating_sub(1)));
    bytes.get(start..=end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_are_counted_from_both_ends() {
        for (start, end, expected) in [
            (0, -1, "hello"),
            (0, 0, "h"),
            (-3, -1, "llo"),
            (-99, 1, "he"),
            (2, 99, "llo"),
            (4, 2, ""),
            (5, 9, ""),
            (-1, -2, ""),
            (-99, -98, "h"),
            (i64::MIN, i64::MAX, "hello"),
            (i64::MAX, i64::MIN, ""),
        ] {
            assert_eq!(range(b"hello", start, end), expected.as_bytes(), "{start} {end}");
        }
        assert_eq!(range(b"", 0, -1), b"");
    }
}
