//! QUEUE: Tidegate's own commands about queues under policies. This file has their rows; each other file
//! has the functions of one subject.

mod acknowledge;
mod fields;
mod help;
mod inflight;
mod info;
mod list;
mod move_messages;
mod page;
mod pause;
mod peek;
mod policy;
mod pop;
mod purge;
mod push;
mod stats;

use crate::commands::take::count_of;
use crate::engine::Arg::{
    Block, Many, Named, One, OneOf, Optional, OptionalBlock, OptionalChoice, OptionalNamed,
    OptionalWord, PolicyOptions, Word,
};
use crate::engine::Group::Queue;
use crate::engine::syntax::TAKE_MANY;
use crate::engine::uses::{DELETE, INSERT, READ, READ_VALUE, TAKE, UPDATE};
use crate::engine::{Arg, Arguments, Command, CommandError};

/// Receipts.
const IDS: Arg = Block(&[Named("IDS", "numids"), Many("id")]);

/// Messages in flight by their bytes.
const VALUE: Arg = Block(&[Word("VALUE"), Many("message")]);

/// The messages in flight that are meant.
const WHICH: Arg = OneOf(&[IDS, Named("COUNT", "count"), VALUE]);

/// QUEUE NACK, except by value.
const NACK: Arg = Block(&[
    OptionalBlock("which", &[OneOf(&[IDS, Named("COUNT", "count")])]),
    OptionalNamed("DELAY", "milliseconds"),
    OptionalChoice(&["SILENT", "FAIL", "FATAL"]),
]);

const PER_DELIVERY: &str =
    "O(N log M) where N is the number of messages given and M the number in flight";

/// QUEUE POLICY and its forms.
const POLICY: &[Arg] = &[OneOf(&[
    Block(&[Word("SET"), One("name"), One("pattern"), PolicyOptions]),
    Block(&[Word("DEL"), One("name")]),
    Word("LIST"),
    Block(&[Word("OF"), One("key")]),
])];

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("queue", SUBCOMMANDS).group(Queue).own_since(SINCE)
        .says("A container for commands about queues and their policies."),
];

/// The version of Tidegate that introduced them; Redis has no such commands.
const SINCE: &str = "0.1.0";

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    Command::new("queue|pop", -4, pop::pop).group(Queue).own_since(SINCE).write().blocking()
        .numkeys(2, TAKE)
        .args(&[One("numkeys"), Many("key"), OptionalChoice(&["LEFT", "RIGHT"]), OptionalNamed("COUNT", "count"),
            OptionalNamed("BLOCK", "milliseconds"), OptionalNamed("LEASE", "milliseconds")])
        .cost(TAKE_MANY)
        .says("Takes messages with receipts from the first queue that has any, or waits for one."),
    Command::new("queue|ack", -3, acknowledge::ack).group(Queue).own_since(SINCE).write().key(2, UPDATE)
        .args(&[One("key"), OptionalBlock("which", &[WHICH])]).cost(PER_DELIVERY)
        .says("Acknowledges messages in flight."),
    Command::new("queue|nack", -3, acknowledge::nack).group(Queue).own_since(SINCE).write().key(2, UPDATE)
        .args(&[One("key"), OneOf(&[NACK, VALUE])])
        .cost(PER_DELIVERY).says("Returns messages in flight to their queue."),
    Command::new("queue|touch", -6, acknowledge::touch).group(Queue).own_since(SINCE).key(2, UPDATE)
        .args(&[One("key"), IDS, OptionalNamed("LEASE", "milliseconds")]).cost(PER_DELIVERY)
        .says("Begins the time of messages in flight anew. Returns how many are still in flight."),
    Command::new("queue|info", 3, info::info).group(Queue).own_since(SINCE).read_only().key(2, READ)
        .args(&[One("key")])
        .says("Returns the policy, sizes, state and counts of a queue."),
    Command::new("queue|inflight", -3, inflight::inflight).group(Queue).own_since(SINCE).read_only().key(2, READ)
        .args(&[One("key"), OptionalNamed("COUNT", "count")])
        .cost("O(N) where N is the number of messages returned")
        .says("Lists the messages of a queue that are in flight."),
    Command::new("queue|list", -2, list::list).group(Queue).own_since(SINCE).read_only()
        .args(&[Optional("cursor"), OptionalNamed("MATCH", "pattern"), OptionalNamed("COUNT", "count")])
        .cost("O(1) for each call").says("Returns some of the queues, and a cursor to continue."),
    Command::new("queue|peek", -3, peek::peek).group(Queue).own_since(SINCE).read_only().key(2, READ_VALUE)
        .args(&[One("key"), OptionalChoice(&["READY", "DELAYED", "INFLIGHT"]), OptionalNamed("COUNT", "count")])
        .cost("O(N) where N is the number of messages returned")
        .says("Shows the first messages of a queue, with what is known about each."),
    Command::new("queue|move", -4, move_messages::move_messages).group(Queue).own_since(SINCE).write()
        .deny_oom().key(2, TAKE).key(3, INSERT).unnamed_keys(move_messages::origins)
        .args(&[One("source"), One("destination|ORIGIN"), OptionalNamed("COUNT", "count")])
        .cost("O(N) where N is the number of messages moved")
        .says("Moves messages to another queue, or dead letters to the queues they came from."),
    Command::new("queue|pause", -3, pause::pause).group(Queue).own_since(SINCE).admin().key(2, READ)
        .args(&[One("key"), OptionalChoice(&["READ", "WRITE", "ALL"]), OptionalNamed("FOR", "milliseconds")])
        .says("Pauses pops from a queue, pushes to it, or both."),
    Command::new("queue|purge", -3, purge::purge).group(Queue).own_since(SINCE).write().key(2, DELETE)
        .args(&[One("key"), OptionalWord("READY"), OptionalWord("DELAYED"), OptionalWord("INFLIGHT")])
        .cost("O(N) where N is the number of messages dropped")
        .says("Drops the messages of a queue: ready ones, delayed ones, or those in flight."),
    Command::new("queue|resume", -3, pause::resume).group(Queue).own_since(SINCE).admin().key(2, READ)
        .args(&[One("key"), OptionalChoice(&["READ", "WRITE", "ALL"])])
        .says("Ends a pause of a queue."),
    Command::new("queue|policy", -3, policy::policy).group(Queue).own_since(SINCE).admin()
        .no_script().args(POLICY)
        .cost("O(N) where N is the number of keys (SET, DEL) or of policies (LIST, OF)")
        .says("Sets, deletes or lists policies, or returns the policy of a key."),
    Command::new("queue|push", -6, push::push).group(Queue).own_since(SINCE).write().deny_oom().fast()
        .key(2, INSERT)
        .args(&[One("key"), OptionalWord("LEFT"), OptionalNamed("DELAY", "milliseconds"),
            OptionalNamed("ID", "id"), Named("MESSAGES", "count"), Many("message")])
        .cost("O(1) for each message; O(log N) with DELAY where N is the number of delayed messages")
        .says("Adds messages to a queue, at once or after a delay, unless their id was used before."),
    Command::new("queue|stats", -2, stats::stats).group(Queue).own_since(SINCE).read_only()
        .args(&[Optional("cursor"), OptionalNamed("MATCH", "pattern"), OptionalNamed("COUNT", "count")])
        .cost("O(1) for each queue visited")
        .says("Returns what QUEUE INFO says of some of the queues, and a cursor to continue."),
    Command::new("queue|help", 2, help::help).group(Queue).own_since(SINCE).anytime()
        .says("Returns help on the subcommands."),
];

/// Takes `[COUNT n]` at the end of a request.
fn count_option(args: &mut Arguments<'_>) -> Result<Option<usize>, CommandError> {
    let count = match args.takes("count") {
        true => Some(count_of(args.required()?, "ERR count should be greater than 0", 1)?),
        false => None,
    };
    if args.left() > 0 { Err(CommandError::Syntax) } else { Ok(count) }
}
