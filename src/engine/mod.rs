//! The definition of a command, and the path of a request to it. The families of commands are a layer
//! above, and hand in the table of their rows.
//!
//! | module | responsibility |
//! |---|---|
//! | `command` | the row of a command and its builder: the complete description of a command |
//! | `key_spec`, `channel_spec`, `syntax`, `tips` | the parts of a row besides its [`Flags`]: positions of keys and channels, arguments, tips for proxies |
//! | `categories` | the ACL categories of a row |
//! | `table` | finding a command by its name |
//! | `arguments` | a cursor over the arguments of a request |
//! | `context` | everything a running command has access to |
//! | `meanwhile` | serving other clients from within a long script |
//! | `origin` | the origin of a call, which decides what it may do |
//! | `database` | database numbers as arguments |
//! | `look_up` | the command that a request names, or the error if there is none |
//! | `gates` | the checks before a command runs |
//! | `script_gates` | those before a script, and before its commands |
//! | `access` | one of them: whether the client's user may run the request |
//! | `auth_delay` | the wait of an AUTH after wrong passwords |
//! | `open_transaction` | the state of a transaction: queued commands, watches |
//! | `call` | running a command: its reply, effects, counters |
//! | `client_line` | a client as a line of CLIENT LIST |
//! | `timing`, `monitor`, `secrets` | how long it took, clients that monitor it, and hiding of passwords |
//! | `write_gate` | how many replicas a change needs before its reply is sent |
//! | `acknowledgement` | who has the latest change of a client |
//! | `wait` | the only way to wait: begin, deadline, end |
//! | `wake` | the consequences of a change: broken watches, and waiting calls that run again |
//! | `role` | a change between primary and replica |
//! | `dispatch` | the path of one request from its name to its reply |

pub(crate) mod access;
pub(crate) mod acknowledgement;
mod arguments;
pub(crate) mod auth_delay;
pub(crate) mod call;
mod categories;
mod channel_spec;
pub(crate) mod client_line;
mod command;
mod context;
mod database;
pub(crate) mod dispatch;
pub(crate) mod gates;
mod key_spec;
pub(crate) mod look_up;
mod meanwhile;
pub(crate) mod monitor;
pub(crate) mod open_transaction;
mod origin;
pub(crate) mod role;
pub(crate) mod script_gates;
pub(crate) mod secrets;
pub(crate) mod syntax;
mod table;
pub(crate) mod timing;
pub(crate) mod tips;
pub(crate) mod wait;
pub(crate) mod wake;
pub(crate) mod write_gate;

pub(crate) use crate::command_error::{CommandError, integer, integer_within, is_word};
pub(crate) use crate::flags::Flags;
pub(crate) use access::Attempt;
pub(crate) use arguments::Arguments;
pub(crate) use command::{Command, Group, Run};
pub(crate) use context::Context;
pub(crate) use database::db_index;
pub(crate) use key_spec::{FindKeys, KeySpec, Uses, uses};
pub(crate) use meanwhile::{Meanwhile, Nobody};
pub(crate) use origin::Origin;
pub(crate) use syntax::Arg;
#[cfg(test)]
pub(crate) use table::NAME_BYTES_MAX;
pub(crate) use table::{Found, Table};
pub(crate) use write_gate::mark_earlier_change;
