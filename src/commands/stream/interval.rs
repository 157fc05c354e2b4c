//! Ids and ranges of ids as arguments.

use crate::engine::CommandError;
use crate::value::StreamId;

pub(super) const INVALID_ID: CommandError =
    CommandError::text("ERR Invalid stream ID specified as stream command argument");

/// Reads an id. A missing second number is 0.
pub(super) fn id(arg: &[u8]) -> Result<StreamId, CommandError> {
    StreamId::parse(arg, 0).ok_or(INVALID_ID)
}

/// Reads the start of a range of ids, which `(` excludes.
pub(super) fn start(arg: &[u8]) -> Result<StreamId, CommandError> {
    match exclusive(arg) {
        Some(excluded) => {
            id(excluded)?.next().ok_or(CommandError::text("ERR invalid start ID for the interval"))
        }
        None => StreamId::parse_bound(arg, 0).ok_or(INVALID_ID),
    }
}

/// Reads the end of a range of ids, which `(` excludes.
pub(super) fn end(arg: &[u8]) -> Result<StreamId, CommandError> {
    match exclusive(arg) {
        Some(excluded) => StreamId::parse(excluded, u64::MAX)
            .ok_or(INVALID_ID)?
            .previous()
            .ok_or(CommandError::text("ERR invalid end ID for the interval")),
        None => StreamId::parse_bound(arg, u64::MAX).ok_or(INVALID_ID),
    }
}

fn exclusive(arg: &[u8]) -> Option<&[u8]> {
    arg.strip_prefix(b"(").filter(|rest| !rest.is_empty())
}
