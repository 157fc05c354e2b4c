//! QUEUE HELP.

use crate::commands::help;
use crate::engine::{CommandError, Context};
use crate::resp::Request;

pub(super) fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    help::write(
        ctx.reply,
        "QUEUE",
        &[
            "ACK <key> [COUNT <count>|VALUE <message> [<message> ...]]",
            "    Acknowledge the oldest messages in flight on this connection, by default one;",
            "    with VALUE, the oldest message in flight equal to each given one, on any",
            "    connection. Returns the number of acknowledged messages.",
            "INFLIGHT <key>",
            "    List the messages in flight: message, client, time in flight, number of deliveries.",
            "INFO <key>",
            "    Return the policy, sizes, state and counts of a queue.",
            "LIST [<cursor>] [MATCH <pattern>] [COUNT <count>]",
            "    Iterate over the queues, like SCAN over the keys.",
            "NACK <key> [COUNT <count>|VALUE <message> [<message> ...]]",
            "    Return messages in flight to the queue, selected like those of ACK.",
            "PAUSE <key> [READ|WRITE|ALL]",
            "    Pause the queue until QUEUE RESUME or a restart: READ lets pops find no message,",
            "    WRITE refuses pushes, ALL (the default) does both.",
            "POLICY SET <name> <pattern> [<option> <value> ...]",
            "    Set a policy for queues with keys that match the pattern. The error for a wrong",
            "    option lists all options.",
            "POLICY DEL <name>",
            "    Delete a policy.",
            "POLICY LIST",
            "    List all policies, the highest priority first.",
            "POLICY OF <key>",
            "    Return the policy that applies to a key.",
            "RESUME <key> [READ|WRITE|ALL]",
            "    End a pause.",
        ],
    );
    Ok(())
}
