//! The commands: one family per file or folder, and the table made of their rows.
//!
//! A new command is added in one place: a row and the function beneath it, in the family's file.
//! Look-up, arity errors, gates, COMMAND and its DOCS, counters and the table in `docs/commands.md` all come
//! from the row.

mod absent;
mod acl;
mod audit;
mod blocking;
mod client;
mod client_kill;
mod client_list;
mod cluster;
mod command_docs;
mod command_info;
mod config;
mod connection;
mod debug;
mod document;
mod dump;
mod edit_value;
mod expiry;
mod hash;
mod help;
mod info;
mod keys;
mod latency;
mod list;
pub(crate) mod load_rdb;
mod look_up;
mod memory;
mod metrics;
mod migrate;
mod object;
mod one_effect;
mod pick;
pub(crate) mod pubsub;
mod push;
mod queue;
pub(crate) mod replay;
mod replication;
mod restore;
mod save;
mod scan;
mod scripting;
mod server;
mod set;
mod slowlog;
mod sort;
mod sorted_set;
mod store_value;
mod stream;
mod string;
mod take;
mod transaction;
mod value_reply;
mod wait;

pub(crate) use acl::load_users;
pub use document::{command_names, command_summaries, commands_markdown};
pub(crate) use replication::begin_role;

use crate::engine::{Command, Table};
use std::sync::LazyLock;

/// The rows of all families, in the order in which COMMAND shows them.
static FAMILIES: &[&[Command]] = &[
    list::COMMANDS,
    blocking::COMMANDS,
    string::GET,
    string::SET,
    string::EDIT,
    string::NUMBER,
    string::LCS,
    hash::WRITE,
    hash::READ,
    hash::NUMBER,
    hash::ITERATE,
    set::WRITE,
    set::READ,
    set::COMBINE,
    set::ITERATE,
    sorted_set::ADD,
    sorted_set::REMOVE,
    sorted_set::READ,
    sorted_set::RANGE,
    sorted_set::POP,
    sorted_set::BLOCKING,
    sorted_set::COMBINE,
    sorted_set::RANDOM,
    sorted_set::SCAN,
    stream::ADD,
    stream::READ,
    stream::RANGE,
    stream::EDIT,
    stream::GROUP,
    stream::READ_GROUP,
    stream::PENDING,
    stream::CLAIM,
    stream::INFO,
    queue::COMMANDS,
    pubsub::COMMANDS,
    keys::COMMANDS,
    scan::COMMANDS,
    expiry::COMMANDS,
    object::COMMANDS,
    sort::COMMANDS,
    restore::COMMANDS,
    dump::COMMANDS,
    migrate::COMMANDS,
    transaction::COMMANDS,
    scripting::COMMANDS,
    connection::COMMANDS,
    client::COMMANDS,
    server::COMMANDS,
    replication::COMMANDS,
    save::COMMANDS,
    info::COMMANDS,
    metrics::COMMANDS,
    memory::COMMANDS,
    latency::COMMANDS,
    command_info::COMMANDS,
    config::COMMANDS,
    slowlog::COMMANDS,
    debug::COMMANDS,
    acl::COMMANDS,
    wait::COMMANDS,
    absent::COMMANDS,
    cluster::COMMANDS,
];

/// Returns the table of all commands, which never changes.
pub(crate) fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(FAMILIES));
    &TABLE
}

#[cfg(test)]
mod tests;
