//! The row of a command.

use super::context::Context;
use super::key_spec::{KeySpec, KeySpecs};
use super::syntax::Arg;
use crate::command_error::CommandError;
use crate::flags::{Flags, each_flag};
use crate::resp::Request;

/// The function of a command. It writes one reply, or returns the error that is the reply.
pub(crate) type Run = fn(&mut Context<'_>, &Request<'_>) -> Result<(), CommandError>;

/// Finds the arguments of a request that are passwords.
pub(super) type Secrets = fn(&Request<'_>) -> Vec<usize>;

/// One row of the command table. It is made by a builder, in the family's file, right above the
/// function:
///
/// ```ignore
/// Command::new("rpush", -3, rpush).group(List).since("1.0.0").write().deny_oom().fast()
///     .key(1, RW_INSERT).args(&[One("key"), Many("element")]).cost(PER_MESSAGE)
///     .says("Adds messages at the right end.")
/// ```
#[derive(Debug)]
pub(crate) struct Command {
    /// Lower case. A subcommand has its container's name before it: `client|list`.
    pub name: &'static str,
    /// How many arguments, the name included; negative means at least so many.
    pub arity: i32,
    pub flags: Flags,
    /// Where its keys are, and what is done with them.
    pub keys: KeySpecs,
    pub group: Group,
    /// The category that follows from what the command is about, if it is not that of its group.
    category: Option<&'static str>,
    /// The version of Redis that brought it; of Tidegate, for a command of ours.
    pub since: &'static str,
    pub summary: &'static str,
    /// What it costs, in big O notation.
    pub cost: &'static str,
    pub args: &'static [Arg],
    /// What proxies that spread commands over several servers need to know.
    pub tips: &'static [&'static str],
    /// Which arguments are passwords; none if it has no passwords.
    pub secrets: Option<Secrets>,
    /// Containers have none of their own.
    pub run: Option<Run>,
    pub subcommands: &'static [Command],
}

impl Command {
    /// A command of this name and number of arguments; negative means at least so many, the name
    /// included.
    pub(crate) const fn new(name: &'static str, arity: i32, run: Run) -> Command {
        Command {
            name,
            arity,
            flags: Flags::NONE,
            keys: KeySpecs::NONE,
            group: Group::Server,
            category: None,
            since: "",
            summary: "",
            cost: "O(1)",
            args: &[],
            tips: &[],
            secrets: None,
            run: Some(run),
            subcommands: &[],
        }
    }

    /// A name that is called only with one of these.
    pub(crate) const fn container(name: &'static str, subcommands: &'static [Command]) -> Command {
        const fn never(_: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
            Ok(())
        }
        Command { run: None, subcommands, ..Command::new(name, -2, never) }
    }

    /// The same command with these subcommands; it is called by itself as well.
    pub(crate) const fn subcommands(self, subcommands: &'static [Command]) -> Command {
        Command { subcommands, ..self }
    }

    pub(crate) const fn group(self, group: Group) -> Command {
        Command { group, ..self }
    }

    /// In this ACL category instead of that of its group.
    pub(crate) const fn category(self, category: &'static str) -> Command {
        Command { category: Some(category), ..self }
    }

    pub(crate) const fn since(self, since: &'static str) -> Command {
        Command { since, ..self }
    }

    /// What it does, in a sentence.
    pub(crate) const fn says(self, summary: &'static str) -> Command {
        Command { summary, ..self }
    }

    pub(crate) const fn cost(self, cost: &'static str) -> Command {
        Command { cost, ..self }
    }

    pub(crate) const fn args(self, args: &'static [Arg]) -> Command {
        Command { args, ..self }
    }

    pub(crate) const fn tips(self, tips: &'static [&'static str]) -> Command {
        Command { tips, ..self }
    }

    /// Passwords among its arguments, which neither MONITOR, SLOWLOG nor the log may show.
    pub(crate) const fn secrets(self, secrets: Secrets) -> Command {
        Command { secrets: Some(secrets), ..self }
    }

    /// One key, at this argument.
    pub(crate) const fn key(self, at: usize, uses: &'static [&'static str]) -> Command {
        self.key_spec(KeySpec::one(at, uses))
    }

    /// Keys from this argument on up to the last one, or to another one that is counted from the
    /// end: -1 is the last.
    pub(crate) const fn keys(
        self,
        first: usize,
        last: i32,
        uses: &'static [&'static str],
    ) -> Command {
        self.key_spec(KeySpec::range(first, last, uses))
    }

    /// Keys behind this argument, which says how many.
    pub(crate) const fn numkeys(self, at: usize, uses: &'static [&'static str]) -> Command {
        self.with(Flags::MOVABLEKEYS).key_spec(KeySpec::counted(at, uses))
    }

    /// Of the arguments that were named last only every `step`th is a key.
    pub(crate) const fn every(self, step: usize) -> Command {
        Command { keys: self.keys.every(step), ..self }
    }

    const fn key_spec(self, spec: KeySpec) -> Command {
        Command { keys: self.keys.and(spec), ..self }
    }

    /// Answered at any time: while data is loaded, and by a replica whose data is old.
    pub(crate) const fn anytime(self) -> Command {
        self.with(Flags::LOADING.with(Flags::STALE))
    }

    const fn with(self, flags: Flags) -> Command {
        Command { flags: self.flags.with(flags), ..self }
    }

    /// The name by which the command is called, without its container.
    pub(crate) fn short_name(&self) -> &'static str {
        self.name.rsplit('|').next().unwrap_or(self.name)
    }

    /// Whether `len` arguments, the name included, are right in number.
    #[inline]
    pub(crate) fn accepts(&self, len: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 { len == wanted } else { len >= wanted }
    }

    /// The ACL category that follows from what the command is about, without `@`.
    pub(crate) fn own_category(&self) -> Option<&'static str> {
        self.category.or(self.group.category())
    }
}

macro_rules! builder_methods {
    ($($(#[$doc:meta])* $flag:ident $method:ident $shown:expr;)*) => {
        /// Properties, one by one.
        #[expect(dead_code, reason = "no row needs some of them by themselves")]
        impl Command {
            $($(#[$doc])* pub(crate) const fn $method(self) -> Command { self.with(Flags::$flag) })*
        }
    };
}

each_flag!(builder_methods);

/// Groups of commands, as COMMAND DOCS names them. All but `Queue` are Redis'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Connection,
    Generic,
    List,
    PubSub,
    Queue,
    Scripting,
    Server,
    String,
    Transactions,
}

impl Group {
    /// Redis' name of the group.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::List => "list",
            Group::PubSub => "pubsub",
            Group::Queue => "queue",
            Group::Scripting => "scripting",
            Group::Server => "server",
            Group::String => "string",
            Group::Transactions => "transactions",
        }
    }

    fn category(self) -> Option<&'static str> {
        match self {
            Group::Connection => Some("connection"),
            Group::Generic => Some("keyspace"),
            Group::List | Group::Queue => Some("list"),
            Group::Transactions => Some("transaction"),
            Group::Scripting => Some("scripting"),
            Group::String => Some("string"),
            Group::PubSub | Group::Server => None,
        }
    }
}
