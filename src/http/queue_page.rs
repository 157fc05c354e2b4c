//! The command for a page of what is known about all queues.

use crate::resp::write_command;

/// Queues of a page: about 100 microseconds of a turn.
const COUNT: &[u8] = b"500";

/// Adds the command for the page at this cursor.
pub(super) fn ask(commands: &mut Vec<u8>, cursor: &[u8]) {
    write_command(commands, [&b"QUEUE"[..], b"STATS", cursor, b"COUNT", COUNT]);
}
