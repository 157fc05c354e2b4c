//! Passwords in requests: neither MONITOR, SLOWLOG nor the log may show them.

use super::command::Command;
use crate::resp::{OwnedRequest, Request};

const HIDDEN: &[u8] = b"(redacted)";

/// The request with its passwords hidden, as Redis hides them; none if it has none.
pub(crate) fn hide(command: &Command, request: &Request<'_>) -> Option<OwnedRequest> {
    let hidden = (command.secrets?)(request);
    if hidden.is_empty() {
        return None;
    }
    let args = request.args().enumerate();
    let shown = args.map(|(index, arg)| if hidden.contains(&index) { HIDDEN } else { arg });
    Some(OwnedRequest::from_args(shown))
}
