//! What a command is, and the way of a request to it. The families of commands are above: the table
//! of their rows is handed in.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | `command` | the row of a command and its builder: all that is said of a command is said there |
//! | `key_spec`, `syntax`, `tips` | the parts of a row beside its [`Flags`]: where the keys are, arguments, tips for proxies |
//! | `table` | finding a command by its name |
//! | `arguments` | a cursor over what a request says |
//! | `context` | what a command runs with |
//! | `origin` | who asks for a command, and what it may do therefore |
//! | `database` | the number of a database as an argument |
//! | `look_up` | the command that a request names, or what is said if there is none |
//! | `gates` | what stands between a command and its run |
//! | `open_transaction` | what MULTI has begun: commands that are kept, watches |
//! | `call` | running a command: its reply, effects, counters |
//! | `timing`, `monitor`, `secrets` | how long it took, who watches it, and what of it nobody may see |
//! | `wait` | the one way to wait: beginning, deadlines, ends |
//! | `wake` | what follows from a change: broken watches, and calls that waited and run again |
//! | `dispatch` | the way of one request from its name to its reply |

mod arguments;
pub(crate) mod call;
mod command;
mod context;
mod database;
pub(crate) mod dispatch;
pub(crate) mod gates;
mod key_spec;
pub(crate) mod look_up;
pub(crate) mod monitor;
pub(crate) mod open_transaction;
mod origin;
pub(crate) mod secrets;
pub(crate) mod syntax;
mod table;
pub(crate) mod timing;
pub(crate) mod tips;
pub(crate) mod wait;
pub(crate) mod wake;

pub(crate) use crate::command_error::{CommandError, integer, integer_within, is_word};
pub(crate) use crate::flags::Flags;
pub(crate) use arguments::Arguments;
pub(crate) use command::{Command, Group, Run};
pub(crate) use context::Context;
pub(crate) use database::db_index;
pub(crate) use key_spec::{FindKeys, KeySpec, uses};
pub(crate) use origin::Origin;
pub(crate) use syntax::Arg;
#[cfg(test)]
pub(crate) use table::NAME_BYTES_MAX;
pub(crate) use table::{Found, Table};
