//! Passwords in requests, which MONITOR, SLOWLOG and the log must not show.

use super::command::Command;
use crate::resp::{OwnedRequest, Request};

const HIDDEN: &[u8] = b"(redacted)";

/// Returns the request with its passwords hidden, as Redis hides them; none if it has no passwords.
pub(crate) fn hide(command: &Command, request: &Request<'_>) -> Option<OwnedRequest> {
    let hidden = (command.secrets?)(request);
    if hidden.is_empty() {
        return None;
    }
    let args = request.args().enumerate();
    let shown = args.map(|(index, arg)| if hidden.contains(&index) { HIDDEN } else { arg });
    Some(OwnedRequest::from_args(shown))
}
