//! The arguments of SCRIPT FLUSH and FUNCTION FLUSH.

use crate::engine::{CommandError, is_word};
use crate::resp::Request;

/// Checks the arguments of a flush: none, or when memory is freed, which makes no difference.
pub(super) fn check_flush(request: &Request<'_>, error: &'static str) -> Result<(), CommandError> {
    match (request.get(2), request.get(3)) {
        (None, _) => Ok(()),
        (Some(word), None) if is_word(word, "sync") || is_word(word, "async") => Ok(()),
        _ => Err(CommandError::text(error)),
    }
}
