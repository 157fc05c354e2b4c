//! QUEUE HELP.

use crate::commands::help;
use crate::engine::{CommandError, Context};
use crate::resp::Request;

pub(super) fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    help::write(
        ctx.reply,
        "QUEUE",
        &[
            "ACK <key> [IDS <numids> <id> [<id> ...]|COUNT <count>|VALUE <message> [<message> ...]]",
            "    Acknowledge the messages in flight with these receipts; without IDS, the oldest on",
            "    this connection, by default one; with VALUE, the oldest message in flight equal to",
            "    each given one, on any connection. Only IDS finds what QUEUE POP delivered. Returns",
            "    the number of acknowledged messages.",
            "INFLIGHT <key> [COUNT <count>]",
            "    List the messages in flight, the oldest first: the receipt, the message, the client,",
            "    the time in flight and that until they return by themselves, the number of",
            "    deliveries.",
            "INFO <key>",
            "    Return the policy, sizes, state and counts of a queue.",
            "LIST [<cursor>] [MATCH <pattern>] [COUNT <count>]",
            "    Iterate over the queues, like SCAN over the keys.",
            "NACK <key> [IDS <numids> <id> [<id> ...]|COUNT <count>] [SILENT|FAIL]",
            "NACK <key> VALUE <message> [<message> ...]",
            "    Return messages in flight to the queue, selected like those of ACK. With SILENT,",
            "    the delivery does not count.",
            "PAUSE <key> [READ|WRITE|ALL] [FOR <milliseconds>]",
            "    Pause the queue until QUEUE RESUME, or for a time: READ lets pops find no message,",
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
            "POP <numkeys> <key> [<key> ...] [LEFT|RIGHT] [COUNT <count>] [BLOCK <milliseconds>]",
            "    [LEASE <milliseconds>]",
            "    Take messages from the first queue that has any, or wait. Returns the key, and for each",
            "    message its receipt, itself, the number of its deliveries, and the milliseconds that it",
            "    waited. Each returns when the connection closes or, with LEASE, after that time, unless",
            "    its receipt is acknowledged before.",
            "PURGE <key> [READY] [DELAYED] [INFLIGHT]",
            "    Drop messages of the queue: ready ones (the default), delayed ones, those in flight.",
            "    Returns the number of dropped messages.",
            "PUSH <key> [LEFT] [DELAY <milliseconds>] [ID <id>] MESSAGES <count> <message> ...",
            "    Add messages at the right end, or at the left one. With DELAY, they can be popped",
            "    only after that time; this needs a policy with delay-ms or delivery at-least-once.",
            "    With ID, they are not stored if the queue has had the id within dedup-window-ms.",
            "    Returns the number of stored messages.",
            "RESUME <key> [READ|WRITE|ALL]",
            "    End a pause.",
            "TOUCH <key> IDS <numids> <id> [<id> ...] [LEASE <milliseconds>]",
            "    Begin the time of messages in flight anew: the lease, or the timeout of the policy.",
            "    Returns how many are still in flight.",
        ],
    );
    Ok(())
}
