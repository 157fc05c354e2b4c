//! Finds the command that a request names, or returns the error if there is none.

use super::command::Command;
use super::table::{Found, Table};
use crate::command_error::CommandError;
use crate::resp::Request;

/// Finds the command or subcommand that a request names and checks the number of arguments.
pub(crate) fn look_up(table: &'static Table, request: &Request<'_>) -> Result<Found, CommandError> {
    let found = find(table, table.find(request.name()), request)?;
    if !found.command.accepts(request.len()) {
        return Err(CommandError::Arity(found.command.name.to_string()));
    }
    Ok(found)
}

/// Finds the command or subcommand that a request names. `named` is the table's entry for its first
/// word.
#[inline(always)]
pub(crate) fn find(
    table: &'static Table,
    named: Option<Found>,
    request: &Request<'_>,
) -> Result<Found, CommandError> {
    match named {
        Some(found) if found.command.subcommands.is_empty() => Ok(found),
        Some(container) => find_subcommand(table, container, request),
        None => Err(unknown_command(request)),
    }
}

/// A container without a subcommand counts as a command.
#[cold]
fn find_subcommand(
    table: &'static Table,
    container: Found,
    request: &Request<'_>,
) -> Result<Found, CommandError> {
    let Some(name) = request.get(1) else { return Ok(container) };
    let found = table.find_subcommand(container, name);
    found.ok_or_else(|| unknown_subcommand(container.command, name))
}

/// Redis' limit on the shown bytes of the name, and of the arguments.
const SHOWN_BYTES_MAX: usize = 128;

#[cold]
fn unknown_command(request: &Request<'_>) -> CommandError {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(shown(request.name(), SHOWN_BYTES_MAX));
    text.extend_from_slice(b"', with args beginning with: ");
    let mut args = Vec::new();
    for arg in request.args_from(1) {
        if args.len() >= SHOWN_BYTES_MAX {
            break;
        }
        args.push(b'\'');
        args.extend_from_slice(shown(arg, SHOWN_BYTES_MAX - (args.len() - 1)));
        args.extend_from_slice(b"' ");
    }
    text.extend_from_slice(&args);
    CommandError::Bytes(text)
}

#[cold]
fn unknown_subcommand(container: &Command, name: &[u8]) -> CommandError {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(shown(name, SHOWN_BYTES_MAX));
    let upper = container.name.to_ascii_uppercase();
    text.extend_from_slice(format!("'. Try {upper} HELP.").as_bytes());
    CommandError::Bytes(text)
}

/// Returns the part of an argument that C's `%.*s` shows: up to the first NUL.
fn shown(arg: &[u8], bytes_max: usize) -> &[u8] {
    let end = arg.iter().position(|&byte| byte == 0).unwrap_or(arg.len());
    &arg[..end.min(bytes_max)]
}
