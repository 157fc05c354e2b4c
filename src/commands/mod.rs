//! The command table, made of the families' rows, and the way of a request through it.
//!
//! Adding a command is one place: a row and the function beneath it in the family's file.
//! Look-up, arity errors, COMMAND and its DOCS, counters and the documentation's table all come
//! from the row.

mod absent;
pub mod blocking;
mod client;
mod client_kill;
mod client_list;
mod command_docs;
mod command_info;
mod command_tips;
mod config;
mod connection;
mod debug;
mod deeds;
mod describe;
pub mod dispatch;
mod document;
mod expiry;
pub mod gates;
pub mod governed;
mod help;
mod info;
mod keys;
mod latency;
mod list;
mod memory;
pub mod monitor;
mod object;
pub mod pubsub;
mod queue;
mod queue_policy;
pub mod replay;
mod scan;
mod secrets;
mod server;
mod slowlog;
mod table;
mod take;
pub mod timing;
pub mod transaction;

pub use document::{command_names, commands_markdown};
pub use table::{Found, Table};
