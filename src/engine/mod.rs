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
//! | `waits` | the end of a client's wait |

mod arguments;
pub mod call;
mod command;
mod context;
mod database;
pub mod gates;
mod key_spec;
pub mod look_up;
pub mod monitor;
pub mod open_transaction;
mod origin;
pub mod secrets;
pub mod syntax;
mod table;
pub mod timing;
pub mod tips;
pub mod waits;

pub(crate) use crate::command_error::{CommandError, integer, integer_within, is_word};
pub(crate) use crate::flags::Flags;
pub use arguments::Arguments;
pub use command::{Command, Group, Run};
pub use context::Context;
pub use database::db_index;
pub use key_spec::{FindKeys, KeySpec, uses};
pub use origin::Origin;
pub use syntax::Arg;
#[cfg(test)]
pub use table::NAME_BYTES_MAX;
pub use table::{Found, Table};
