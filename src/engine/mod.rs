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
//! | `error` | the errors of commands, and reading arguments |

mod arguments;
mod command;
mod context;
mod error;
mod key_spec;
mod origin;
pub mod syntax;
mod table;
pub mod tips;

pub use crate::flags::Flags;
pub use arguments::Arguments;
pub use command::{Command, Group, Run};
pub use context::Context;
pub use error::{CommandError, db_index, integer, integer_within, is_word};
pub use key_spec::{FindKeys, KeySpec, uses};
pub use origin::Origin;
pub use syntax::Arg;
#[cfg(test)]
pub use table::NAME_BYTES_MAX;
pub use table::{Found, Table};
