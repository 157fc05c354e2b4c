//! What a command is: its row in the table, the context in which it runs, the errors it gives.

use crate::client_id::ClientId;
use crate::clients::Client;
use crate::clock::Now;
use crate::keyspace::{DbIndex, WrongType};
use crate::resp::{Output, Request, parse_integer};
use crate::state::State;
use std::borrow::Cow;
use std::ops::BitOr;
use thiserror::Error;

/// The function of a command. It writes one reply, or returns the error that is the reply.
pub type Run = fn(&mut Context<'_>, &Request<'_>) -> Result<(), CommandError>;

/// One row of the command table.
#[derive(Debug)]
pub struct Command {
    /// Lower case. A subcommand has its container's name before it: `client|list`.
    pub name: &'static str,
    /// How many arguments, the name included; negative means at least so many.
    pub arity: i32,
    pub flags: Flags,
    pub keys: Keys,
    pub group: Group,
    /// The version of Redis that brought it.
    pub since: &'static str,
    pub summary: &'static str,
    /// Containers have none of their own.
    pub run: Option<Run>,
    pub subcommands: &'static [Command],
}

impl Command {
    /// The name by which the command is called, without its container.
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('|').next().unwrap_or(self.name)
    }

    /// Whether `len` arguments, the name included, are right in number.
    #[inline]
    pub fn accepts(&self, len: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 { len == wanted } else { len >= wanted }
    }
}

/// Where a command has its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    None,
    /// Arguments `first`, `first + step` … up to `last`; a negative `last` counts from the end.
    Range {
        first: usize,
        last: i32,
        step: usize,
    },
    /// Argument `count_at` says how many keys follow it.
    Counted {
        count_at: usize,
    },
}

/// Properties of a command, as a set. Names and meaning are Redis' (`COMMAND` page).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    pub const NONE: Flags = Flags(0);
    pub const WRITE: Flags = Flags(1);
    pub const READONLY: Flags = Flags(1 << 1);
    pub const DENYOOM: Flags = Flags(1 << 2);
    pub const ADMIN: Flags = Flags(1 << 3);
    pub const PUBSUB: Flags = Flags(1 << 4);
    pub const NOSCRIPT: Flags = Flags(1 << 5);
    pub const BLOCKING: Flags = Flags(1 << 6);
    pub const LOADING: Flags = Flags(1 << 7);
    pub const STALE: Flags = Flags(1 << 8);
    pub const SKIP_MONITOR: Flags = Flags(1 << 9);
    pub const SKIP_SLOWLOG: Flags = Flags(1 << 10);
    pub const FAST: Flags = Flags(1 << 11);
    pub const NO_AUTH: Flags = Flags(1 << 12);
    pub const MAY_REPLICATE: Flags = Flags(1 << 13);
    pub const NO_MULTI: Flags = Flags(1 << 14);
    pub const MOVABLEKEYS: Flags = Flags(1 << 15);
    pub const ALLOW_BUSY: Flags = Flags(1 << 16);
    pub const NO_ASYNC_LOADING: Flags = Flags(1 << 17);
    /// Needs `enable-debug-command`. Not shown by COMMAND.
    pub const PROTECTED: Flags = Flags(1 << 19);
    /// Changes no key's name or place: for COMMAND's ACL categories only.
    pub const DANGEROUS: Flags = Flags(1 << 20);

    #[inline]
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in the set.
    #[inline]
    pub const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets, in constants.
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        self.with(other)
    }
}

/// Groups of commands, as COMMAND DOCS names them. All but `Queue` are Redis'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Connection,
    Generic,
    List,
    PubSub,
    Queue,
    Scripting,
    Server,
    Transactions,
}

impl Group {
    /// Redis' name of the group.
    pub fn name(self) -> &'static str {
        match self {
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::List => "list",
            Group::PubSub => "pubsub",
            Group::Queue => "queue",
            Group::Scripting => "scripting",
            Group::Server => "server",
            Group::Transactions => "transactions",
        }
    }
}

/// What a command runs with.
pub struct Context<'a> {
    pub state: &'a mut State,
    /// Who gave the command.
    pub client: ClientId,
    /// The database the client has selected.
    pub db: DbIndex,
    pub now: Now,
    /// Where the reply goes. What other clients are to hear goes through `state.clients.write`.
    pub reply: &'a mut Output,
    /// How many commands the EXEC has that runs this one; 0 outside of EXEC.
    pub exec_len: usize,
    /// The command's own row.
    pub command: &'static Command,
}

impl Context<'_> {
    /// Whether EXEC runs the command: it must not block.
    pub fn is_in_exec(&self) -> bool {
        self.exec_len > 0
    }

    /// The client's record. None only if the client was removed while its command ran, which
    /// the broker does not do.
    pub fn client(&self) -> Option<&Client> {
        self.state.clients.get(self.client)
    }

    /// The client's record, to change.
    pub fn client_mut(&mut self) -> Option<&mut Client> {
        self.state.clients.get_mut(self.client)
    }
}

/// An error reply. The texts are Redis'.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    #[error(transparent)]
    WrongType(#[from] WrongType),
    #[error("ERR syntax error")]
    Syntax,
    #[error("ERR value is not an integer or out of range")]
    NotAnInteger,
    #[error("ERR no such key")]
    NoSuchKey,
    #[error("ERR index out of range")]
    IndexOutOfRange,
    #[error("ERR timeout is not a float or out of range")]
    TimeoutNotAFloat,
    #[error("ERR timeout is negative")]
    TimeoutNegative,
    #[error("ERR timeout is out of range")]
    TimeoutOutOfRange,
    #[error("ERR DB index is out of range")]
    DbOutOfRange,
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(String),
    /// Any other, with its code.
    #[error("{0}")]
    Other(Cow<'static, str>),
    /// One that repeats bytes of the request, with its code.
    #[error("{}", String::from_utf8_lossy(.0))]
    Bytes(Vec<u8>),
}

impl CommandError {
    /// An error with a fixed text, its code first.
    pub const fn text(text: &'static str) -> CommandError {
        CommandError::Other(Cow::Borrowed(text))
    }

    /// The bytes of the reply, without `-` and line end.
    pub fn to_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            CommandError::Other(text) => Cow::Borrowed(text.as_bytes()),
            CommandError::Bytes(bytes) => Cow::Borrowed(bytes),
            other => Cow::Owned(other.to_string().into_bytes()),
        }
    }
}

impl From<String> for CommandError {
    fn from(text: String) -> CommandError {
        CommandError::Other(Cow::Owned(text))
    }
}

/// An argument as an integer.
pub fn integer(arg: &[u8]) -> Result<i64, CommandError> {
    parse_integer(arg).ok_or(CommandError::NotAnInteger)
}

/// An argument as an integer between bounds, or this error.
pub fn integer_within(
    arg: &[u8],
    min: i64,
    max: i64,
    error: &'static str,
) -> Result<i64, CommandError> {
    let number = parse_integer(arg).filter(|number| (min..=max).contains(number));
    number.ok_or(CommandError::text(error))
}

/// The database that an argument names.
pub fn db_index(state: &State, arg: &[u8]) -> Result<DbIndex, CommandError> {
    const BEYOND_INT: &str =
        "ERR value is out of range, value must between -2147483648 and 2147483647";
    integer(arg)?;
    let number = integer_within(arg, i32::MIN.into(), i32::MAX.into(), BEYOND_INT)?;
    let index = usize::try_from(number).ok().filter(|&index| index < state.keyspace.db_count());
    index.ok_or(CommandError::DbOutOfRange)
}

/// Whether an argument is this word, in any case.
#[inline]
pub fn is_word(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}
