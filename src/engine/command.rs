//! The row of a command.

use super::channel_spec::ChannelSpec;
use super::context::Context;
use super::key_spec::{Find, KeySpec, KeySpecs, Locate, Narrow, Uses};
use super::syntax::Arg;
use crate::command_error::CommandError;
use crate::flags::{Flags, each_flag};
use crate::resp::Request;

/// The function of a command. It writes one reply, or returns the error to reply with.
pub(crate) type Run = fn(&mut Context<'_>, &Request<'_>) -> Result<(), CommandError>;

/// Finds the positions of passwords in a request.
pub(super) type Secrets = fn(&Request<'_>) -> Vec<usize>;

/// Finds the position of the argument by which a request uses keys that it does not name.
pub(super) type UnnamedKeys = fn(&Request<'_>) -> Option<usize>;

/// One row of the command table, made with a builder in the family's file, right above the functions:
///
/// ```ignore
/// Command::new("rpush", -3, rpush).group(List).since("1.0.0").write().deny_oom().fast()
///     .key(1, RW_INSERT).args(&[One("key"), Many("element")]).cost(PER_MESSAGE)
///     .says("Adds messages at the right end.")
/// ```
#[derive(Debug)]
pub(crate) struct Command {
    /// Lower case. A subcommand's name includes its container: `client|list`.
    pub name: &'static str,
    /// The number of arguments, including the name; if negative, the minimum.
    pub arity: i32,
    pub flags: Flags,
    /// The positions of its keys, and how they are used.
    pub keys: KeySpecs,
    /// The positions of the channels that it uses.
    pub channels: Option<ChannelSpec>,
    /// Finds the argument by which a request uses keys that it does not name.
    pub unnamed_keys: Option<UnnamedKeys>,
    pub group: Group,
    /// The ACL category, if it differs from that of the group.
    category: Option<&'static str>,
    /// Further ACL categories.
    more_categories: &'static [&'static str],
    /// The version of Redis that introduced it; of Tidegate, for our own commands.
    pub since: &'static str,
    /// Whether Redis has no such command.
    pub is_own: bool,
    pub summary: &'static str,
    /// Its complexity, in big O notation.
    pub cost: &'static str,
    pub args: &'static [Arg],
    /// Hints for proxies that spread commands over several servers.
    pub tips: &'static [&'static str],
    /// Finds passwords among the arguments; none if there are none.
    pub secrets: Option<Secrets>,
    /// None for containers.
    pub run: Option<Run>,
    pub subcommands: &'static [Command],
}

impl Command {
    /// A command with this name and number of arguments, including the name; if negative, the minimum.
    pub(crate) const fn new(name: &'static str, arity: i32, run: Run) -> Command {
        Command {
            name,
            arity,
            flags: Flags::NONE,
            keys: KeySpecs::NONE,
            channels: None,
            unnamed_keys: None,
            group: Group::Server,
            category: None,
            more_categories: &[],
            since: "",
            is_own: false,
            summary: "",
            cost: "O(1)",
            args: &[],
            tips: &[],
            secrets: None,
            run: Some(run),
            subcommands: &[],
        }
    }

    /// A name that must be followed by one of these subcommands.
    pub(crate) const fn container(name: &'static str, subcommands: &'static [Command]) -> Command {
        const fn never(_: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
            Ok(())
        }
        Command { run: None, subcommands, ..Command::new(name, -2, never) }
    }

    /// Adds subcommands to a command that can also be called by itself.
    pub(crate) const fn subcommands(self, subcommands: &'static [Command]) -> Command {
        Command { subcommands, ..self }
    }

    pub(crate) const fn group(self, group: Group) -> Command {
        Command { group, ..self }
    }

    /// Sets an ACL category other than that of the group.
    pub(crate) const fn category(self, category: &'static str) -> Command {
        Command { category: Some(category), ..self }
    }

    /// Adds ACL categories, for a command of several types.
    pub(crate) const fn more_categories(self, more_categories: &'static [&'static str]) -> Command {
        Command { more_categories, ..self }
    }

    pub(crate) const fn since(self, since: &'static str) -> Command {
        Command { since, ..self }
    }

    /// Sets the version of Tidegate that introduced it: Redis has no such command.
    pub(crate) const fn own_since(self, since: &'static str) -> Command {
        Command { is_own: true, ..self.since(since) }
    }

    /// Sets the summary: one sentence that says what it does.
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

    /// Marks arguments as passwords: MONITOR, SLOWLOG and the log must not show them.
    pub(crate) const fn secrets(self, secrets: Secrets) -> Command {
        Command { secrets: Some(secrets), ..self }
    }

    /// Adds one key, at this argument.
    pub(crate) const fn key(self, at: usize, uses: Uses) -> Command {
        self.key_spec(KeySpec::one(at, uses))
    }

    /// Adds keys from this argument up to the last one. A negative last argument counts from the end:
    /// -1 is the last.
    pub(crate) const fn keys(self, first: usize, last: i32, uses: Uses) -> Command {
        self.key_spec(KeySpec::range(first, last, uses))
    }

    /// Adds keys after this argument, which is their number.
    pub(crate) const fn numkeys(self, at: usize, uses: Uses) -> Command {
        self.with(Flags::MOVABLEKEYS).key_spec(KeySpec::counted(at, uses))
    }

    /// Adds keys: the first half of the arguments behind this word, which is searched for from an argument on.
    pub(crate) const fn keys_behind(self, word: &'static str, from: usize, uses: Uses) -> Command {
        self.with(Flags::MOVABLEKEYS).key_spec(KeySpec::half_behind(word, from, uses))
    }

    /// Adds keys behind a word, which is searched from this argument on, counted from the end. `keys_at` finds
    /// them.
    pub(crate) const fn keyword_keys(self, word: &'static str, from: i32, uses: Uses) -> Command {
        self.with(Flags::MOVABLEKEYS).key_spec(KeySpec::keyword(word, from, uses))
    }

    /// Adds a key that only the command itself can find, if there is one. `why` is for readers of COMMAND INFO.
    pub(crate) const fn found_key(self, why: &'static str, find: Find, uses: Uses) -> Command {
        self.with(Flags::MOVABLEKEYS).key_spec(KeySpec::unknown(why, find, uses))
    }

    /// Finds the keys by the other arguments: the first one and the last one.
    pub(crate) const fn keys_at(self, locate: Locate) -> Command {
        Command { keys: self.keys.located_by(locate), ..self }
    }

    /// Of the keys added last, only every `step`th argument is one.
    pub(crate) const fn every(self, step: usize) -> Command {
        Command { keys: self.keys.every(step), ..self }
    }

    /// How the keys are used depends on other arguments.
    pub(crate) const fn uses_by(self, narrow: Narrow) -> Command {
        Command { keys: self.keys.narrowed_by(narrow), ..self }
    }

    /// Adds the argument by which a request uses keys that it does not name: only a user that may use
    /// every key may call it so.
    pub(crate) const fn unnamed_keys(self, find: UnnamedKeys) -> Command {
        Command { unnamed_keys: Some(find), ..self }
    }

    /// Adds the channel that it uses, at this argument.
    pub(crate) const fn channel(self, at: usize) -> Command {
        Command { channels: Some(ChannelSpec::one(at)), ..self }
    }

    /// Adds the channels that it uses, from this argument on.
    pub(crate) const fn channels(self, first: usize) -> Command {
        Command { channels: Some(ChannelSpec::from(first)), ..self }
    }

    /// Adds the patterns of channels that it uses, from this argument on.
    pub(crate) const fn channel_patterns(self, first: usize) -> Command {
        Command { channels: Some(ChannelSpec::patterns(first)), ..self }
    }

    const fn key_spec(self, spec: KeySpec) -> Command {
        Command { keys: self.keys.and(spec), ..self }
    }

    /// Allowed at any time: while data is loaded, and on a replica with old data.
    pub(crate) const fn anytime(self) -> Command {
        self.with(Flags::LOADING.with(Flags::STALE))
    }

    const fn with(self, flags: Flags) -> Command {
        Command { flags: self.flags.with(flags), ..self }
    }

    /// Returns the command's name without its container.
    pub(crate) fn short_name(&self) -> &'static str {
        self.name.rsplit('|').next().unwrap_or(self.name)
    }

    /// Whether this number of arguments, including the name, is allowed.
    #[inline]
    pub(crate) fn accepts(&self, len: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 { len == wanted } else { len >= wanted }
    }

    /// Returns the ACL category of the command's subject, without `@`.
    pub(super) fn own_category(&self) -> Option<&'static str> {
        self.category.or(self.group.category())
    }

    /// Returns further ACL categories, without `@`.
    pub(super) fn other_categories(&self) -> &'static [&'static str] {
        self.more_categories
    }
}

macro_rules! builder_methods {
    ($($(#[$doc:meta])* $flag:ident $method:ident $shown:expr;)*) => {
        /// Setters of the flags, one by one.
        #[expect(dead_code, reason = "no row needs some of them by themselves")]
        impl Command {
            $($(#[$doc])* pub(crate) const fn $method(self) -> Command { self.with(Flags::$flag) })*
        }
    };
}

each_flag!(builder_methods);

/// The groups of commands in COMMAND DOCS. All but `Queue` are Redis'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Cluster,
    Connection,
    Generic,
    Hash,
    List,
    PubSub,
    Queue,
    Scripting,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// Returns Redis' name of the group.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::Cluster => "cluster",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Hash => "hash",
            Group::List => "list",
            Group::PubSub => "pubsub",
            Group::Queue => "queue",
            Group::Scripting => "scripting",
            Group::Server => "server",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Stream => "stream",
            Group::String => "string",
            Group::Transactions => "transactions",
        }
    }

    fn category(self) -> Option<&'static str> {
        match self {
            Group::Connection => Some("connection"),
            Group::Generic => Some("keyspace"),
            Group::Hash => Some("hash"),
            Group::List => Some("list"),
            Group::Queue => Some("queue"),
            Group::Transactions => Some("transaction"),
            Group::Scripting => Some("scripting"),
            Group::Set => Some("set"),
            Group::SortedSet => Some("sortedset"),
            Group::Stream => Some("stream"),
            Group::String => Some("string"),
            Group::Cluster | Group::PubSub | Group::Server => None,
        }
    }
}
