//! Shared by all containers of subcommands: HELP, and the error that points to it.

use crate::engine::CommandError;
use crate::resp::{Output, Request};

/// Writes help in Redis' form: a first line, the container's own lines, HELP itself.
pub(super) fn write(reply: &mut Output, container: &str, lines: &[&str]) {
    let first = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    reply.array(lines.len() + 3);
    for line in std::iter::once(first.as_str())
        .chain(lines.iter().copied())
        .chain(["HELP", "    Prints this help."])
    {
        reply.simple(line);
    }
}

/// Returns Redis' error for subcommands that check the number of their arguments themselves.
pub(super) fn wrong_arguments(request: &Request<'_>, container: &str) -> CommandError {
    unknown_or_wrong(request.get(1).unwrap_or_default(), container)
}

/// Returns the same error for a subcommand given by name.
pub(super) fn unknown_or_wrong(subcommand: &[u8], container: &str) -> CommandError {
    let mut text = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
    text.extend_from_slice(subcommand);
    text.extend_from_slice(format!("'. Try {container} HELP.").as_bytes());
    CommandError::Bytes(text)
}
