//! The HELP subcommand of containers.

use crate::resp::Output;

/// Writes Redis' form of help: a first line, the container's own lines, HELP itself.
pub(super) fn write(reply: &mut Output, container: &str, lines: &[&str]) {
    let first = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    reply.array(lines.len() + 3);
    for line in std::iter::once(first.as_str())
        .chain(lines.iter().copied())
        .chain(["HELP", "    Print this help."])
    {
        reply.simple(line);
    }
}
