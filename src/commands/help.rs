//! What containers of subcommands have in common: HELP, and the error that points to it.

use crate::engine::CommandError;
use crate::resp::{Output, Request};

/// Writes Redis' form of help: a first line, the container's own lines, HELP itself.
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

/// Redis' error where a subcommand checks the number of its arguments itself.
pub(super) fn wrong_arguments(request: &Request<'_>, container: &str) -> CommandError {
    unknown_or_wrong(request.get(1).unwrap_or_default(), container)
}

/// The same error, for a subcommand by its name.
pub(super) fn unknown_or_wrong(subcommand: &[u8], container: &str) -> CommandError {
    let mut text = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
    text.extend_from_slice(subcommand);
    text.extend_from_slice(format!("'. Try {container} HELP.").as_bytes());
    CommandError::Bytes(text)
}
