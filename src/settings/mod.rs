//! What the operator decides: one table of directives drives the command line, the file,
//! CONFIG GET, SET and REWRITE, and the documentation.
//!
//! A directive is one row in `directives` (it does something here) or in `foreign` (Redis has
//! it and Tidegate does not). Every Redis directive is in one of the two, so that an existing
//! `redis.conf` either works or is refused with a sentence that says why; nothing that an operator
//! relies on is dropped in silence.
//!
//! The room is pure except for `command_line`, which reads the files that were named.

mod command_line;
mod directives;
mod document;
mod field;
mod file;
mod foreign;
mod foreign_server;
mod policies;
mod rewrite;
mod row;
mod summary;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use crate::policy::{ChannelPolicy, QueuePolicy};
use row::{Directive, Effect, Runtime};
use value::Value;

pub use document::{help, markdown_table};
pub(crate) use policies::text as policy_text;

/// Whether the value of a directive is a password, which nobody else may see.
pub fn is_secret(name: &str) -> bool {
    row::find(name).is_some_and(|directive| directive.is_secret)
}

/// The names of the directives whose values are passwords.
pub fn secret_names() -> impl Iterator<Item = &'static str> {
    row::all().filter(|directive| directive.is_secret).map(|directive| directive.name)
}

/// Everything the operator can decide, each with the unit last in its name.
///
/// The fields are read directly by the rooms above; they change only through [`Settings::set`]
/// once the server runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// TCP port to listen on; 0 for none.
    pub port: u16,
    /// Addresses to listen on; one with a leading `-` may fail to bind.
    pub bind: Vec<String>,
    /// Path of the Unix socket to listen on.
    pub unixsocket: Option<PathBuf>,
    /// Permission bits of the Unix socket; `None` leaves them to the umask.
    pub unixsocketperm: Option<u32>,
    /// Length of the kernel's queue of connections not yet accepted.
    pub tcp_backlog: u32,
    /// Seconds between TCP keepalive probes; 0 for none.
    pub tcp_keepalive_s: u32,
    /// Seconds after which an idle client is closed; 0 for never.
    pub timeout_s: u32,
    /// Clients at once.
    pub maxclients: u32,
    /// Memory above which commands that may grow the data are refused; 0 for no limit.
    pub maxmemory_bytes: u64,
    /// Number of databases that SELECT can choose from.
    pub databases: u32,
    /// Password of the default user; empty for none.
    pub requirepass: String,
    /// Longest single argument of a request.
    pub proto_max_bulk_bytes: u64,
    /// Longest unparsed input of one client.
    pub query_buffer_bytes_max: u64,
    /// Longest unread output: of normal clients, of replicas, of subscribers.
    pub output_limits: [OutputLimit; 3],
    /// Whether only clients of this machine are served while there is no password.
    pub protected_mode: bool,
    /// Who may use DEBUG.
    pub enable_debug_command: LocalAccess,
    /// Commands that take longer are kept in the slow log; 0 keeps all, negative none.
    pub slowlog_threshold_us: i64,
    /// Entries in the slow log.
    pub slowlog_len_max: u64,
    /// Events that take longer are kept by LATENCY; 0 for none.
    pub latency_threshold_ms: u64,
    /// Whether the times of commands are kept.
    pub latency_tracking: bool,
    /// The percentiles of these times that INFO shows, with spaces between them.
    pub latency_percentiles: String,
    /// The least severe log lines that are written.
    pub loglevel: LogLevel,
    /// File for log lines; empty for standard error.
    pub logfile: String,
    /// Whether the program goes into the background.
    pub daemonize: bool,
    /// Which service manager is told what the server does.
    pub supervised: Supervision,
    /// File for the number of the process.
    pub pidfile: Option<PathBuf>,
    /// Directory that relative paths start from.
    pub dir: PathBuf,
    /// Bytes read from one client in a turn.
    pub turn_read_bytes_max: usize,
    /// Bytes of replies made for one client in a turn.
    pub turn_output_bytes_max: usize,
    /// Steps of work for one client in a turn, and for chores.
    pub turn_work_max: u64,
    /// Whether changes are written to append files.
    pub appendonly: bool,
    /// When a change is durable.
    pub appendfsync: FsyncPolicy,
    /// Directory of the append files, in `dir`.
    pub appenddirname: String,
    /// What the names of the append files begin with.
    pub appendfilename: String,
    /// Growth of the append files in per cent at which a rewrite begins by itself; 0 for never.
    pub rewrite_percentage: u32,
    /// Bytes of append files below which no rewrite begins by itself.
    pub rewrite_min_bytes: u64,
    /// Whether files that end in the middle of a batch are loaded.
    pub load_truncated: bool,
    /// Whether what another program appended is loaded.
    pub load_unverified: bool,
    /// Bytes of changes that may wait to be written.
    pub append_buffer_bytes_max: u64,
    /// Bytes of room made at once behind the last batch, with `always`.
    pub append_room_bytes: u64,
    /// Bytes of disk space kept behind the last change.
    pub append_reserve_bytes: u64,
    /// What holds for the queues whose keys match a pattern.
    pub queue_policies: Vec<QueuePolicy>,
    /// What holds for the channels whose names match a pattern.
    pub channel_policies: Vec<ChannelPolicy>,
    /// Messages that each queue remembers so as not to store them again.
    pub dedup_messages_max: u64,
    /// Queues under policies without messages whose counts are remembered.
    pub idle_queues_max: u64,
    /// The file the settings came from; CONFIG REWRITE writes it.
    pub config_file: Option<PathBuf>,
    /// Values of directives that have no effect here; kept because CONFIG GET answers them.
    foreign: BTreeMap<&'static str, Value>,
    /// Names that the file or the command line gave.
    given: BTreeSet<&'static str>,
}

/// How much unread output a client may have before it is closed; 0 bytes for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Closed at once above this.
    pub hard_bytes: u64,
    /// Closed when above this for longer than `soft_seconds`.
    pub soft_bytes: u64,
    /// How long a client may stay above `soft_bytes`.
    pub soft_seconds: u64,
}

/// When a change is durable, that is, survives a loss of power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FsyncPolicy {
    /// Before it is answered.
    Always,
    /// About a second after it was answered, at the most.
    #[default]
    EverySecond,
    /// When the system likes.
    No,
}

/// Who may use a command that can harm the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalAccess {
    /// Nobody.
    #[default]
    No,
    /// Clients of the same machine.
    Local,
    /// Every client.
    Yes,
}

/// Which service manager is told when the server is ready, and when it stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Supervision {
    /// None.
    #[default]
    No,
    /// systemd, or what speaks as it does.
    Systemd,
    /// The same, if there is one.
    Auto,
}

/// The least severe log lines that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// Much that is rarely useful.
    Verbose,
    /// What one wants to see in production.
    #[default]
    Notice,
    /// Only what is important.
    Warning,
}

/// What the command line asks for.
#[derive(Clone, Debug)]
pub enum Invocation {
    /// Serve with these settings.
    Run(Box<Settings>),
    /// Look at the append files in this directory and leave.
    Check(PathBuf),
    /// Cut off what cannot be loaded of the append files in this directory and leave.
    Repair(PathBuf),
    /// Print [`help`] and leave.
    Help,
    /// Print the version and leave.
    Version,
}

/// A file or command line that cannot be used: where, what, and what would be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The file's name, or `command line`.
    pub source_name: String,
    /// The line in the file, counted from 1.
    pub line: Option<usize>,
    /// The offending text.
    pub text: String,
    /// What is wrong with it and what would be valid.
    pub reason: String,
}

/// Why CONFIG SET changed nothing; its `Display` is the reply after `ERR `.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetError {
    /// No directive has this name.
    Unknown {
        /// The name as the client wrote it.
        name: String,
    },
    /// The directive does not take this value, or not at runtime.
    Failed {
        /// The name as the client wrote it.
        name: String,
        /// In Redis' words where Redis has words for it.
        reason: String,
    },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source_name)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if !self.text.is_empty() {
            write!(f, ": '{}'", self.text)?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for SettingsError {}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => {
                write!(f, "Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            Self::Failed { name, reason } => {
                write!(f, "CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
        }
    }
}

impl std::error::Error for SetError {}

impl Default for Settings {
    fn default() -> Self {
        let mut settings = Self::blank();
        for directive in row::all() {
            if let Effect::Used(field) = directive.effect {
                let accepted = directive
                    .parse_default()
                    .is_some_and(|value| (field.write)(&mut settings, &value));
                debug_assert!(accepted, "the default of {} is not valid", directive.name);
            }
        }
        settings
    }
}

impl Settings {
    /// Reads a command line without the program's name: `[FILE | -] [--name value …]…`.
    ///
    /// Reads the named file (or standard input for `-`) and what it includes; the options apply
    /// after the file. `--help`, `-h`, `--version` and `-v` count only as the first argument.
    pub fn from_args<I: IntoIterator<Item = String>>(args: I) -> Result<Invocation, SettingsError> {
        command_line::parse(args.into_iter().collect(), &mut command_line::read_input)
    }

    /// Reads the text of a configuration file; errors name it `source_name`.
    pub fn from_text(text: &str, source_name: &str) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        file::apply(&mut settings, text, source_name, &mut command_line::read_input)?;
        Ok(settings)
    }

    /// These settings with another value of one directive. The value is one text, as in CONFIG SET;
    /// directives that CONFIG SET refuses are allowed. Policies and output limits are added to those
    /// before.
    ///
    /// ```
    /// use tidegate::Settings;
    ///
    /// let settings = Settings::default().with("maxmemory", "1gb")?.with("databases", "4")?;
    /// assert_eq!((settings.maxmemory_bytes, settings.databases), (1 << 30, 4));
    /// # Ok::<(), tidegate::SettingsError>(())
    /// ```
    ///
    /// # Errors
    /// There is no such directive, or it does not take this value.
    pub fn with(mut self, name: &str, value: &str) -> Result<Settings, SettingsError> {
        let words = match row::find(name) {
            Some(directive) => directive.kind.split(value.as_bytes()),
            None => Ok(Vec::new()),
        };
        match words.and_then(|words| self.apply_words(name, &words)) {
            Ok(()) => Ok(self),
            Err(reason) => Err(SettingsError {
                source_name: "settings".to_owned(),
                line: None,
                // Errors are logged, and passwords are not for the log.
                text: format!("{name} {}", if is_secret(name) { "(hidden)" } else { value }),
                reason,
            }),
        }
    }

    /// CONFIG GET: name and value of each directive that a pattern names, in the table's order.
    ///
    /// `matches` is the glob matcher, called with the pattern in lower case, since directive names
    /// are case-insensitive. Like Redis, a name without wildcards is answered as it was asked.
    pub fn get(
        &self,
        patterns: &[&[u8]],
        matches: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Vec<(String, String)> {
        let patterns: Vec<Vec<u8>> = patterns.iter().map(|p| p.to_vec()).collect();
        let lower: Vec<Vec<u8>> = patterns.iter().map(|p| p.to_ascii_lowercase()).collect();
        let mut found = Vec::new();
        for directive in row::all().filter(|d| d.runtime != Runtime::FileOnly) {
            for name in std::iter::once(directive.name).chain(directive.alias) {
                let Some(at) = lower.iter().position(|p| matches(p, name.as_bytes())) else {
                    continue;
                };
                let shown = if patterns[at].eq_ignore_ascii_case(name.as_bytes()) {
                    String::from_utf8_lossy(&patterns[at]).into_owned()
                } else {
                    name.to_owned()
                };
                found.push((shown, directive.print(self)));
            }
        }
        found
    }

    /// CONFIG SET: all of the pairs or none; returns the directives whose value is another now.
    ///
    /// The checks come in Redis' order: names, mutability and duplicates of all pairs first, then
    /// the values.
    pub fn set(&mut self, pairs: &[(&[u8], &[u8])]) -> Result<Vec<&'static str>, SetError> {
        let mut rows = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let shown = String::from_utf8_lossy(name).into_owned();
            let Some(directive) = row::find(&shown).filter(|d| d.runtime != Runtime::FileOnly)
            else {
                return Err(SetError::Unknown { name: shown });
            };
            let duplicate = rows.iter().any(|(_, s): &(_, String)| s.eq_ignore_ascii_case(&shown));
            let reason = match directive.runtime {
                Runtime::Immutable | Runtime::FileOnly => "can't set immutable config",
                Runtime::Protected => "can't set protected config",
                Runtime::Mutable if duplicate => "duplicate parameter",
                Runtime::Mutable => {
                    rows.push((directive, shown));
                    continue;
                }
            };
            return Err(SetError::Failed { name: shown, reason: reason.to_owned() });
        }
        let mut next = self.clone();
        let mut changed = Vec::new();
        for ((directive, shown), (_, value)) in rows.into_iter().zip(pairs) {
            let before = directive.value(&next);
            std::str::from_utf8(value)
                .map_err(|_| "argument must be UTF-8 text".to_owned())
                .and_then(|text| directive.kind.split(text.as_bytes()))
                .and_then(|words| directive.parse(&words, &next))
                .and_then(|value| directive.write(&mut next, value))
                .map_err(|reason| SetError::Failed { name: shown, reason })?;
            if directive.value(&next) != before && !changed.contains(&directive.name) {
                changed.push(directive.name);
            }
        }
        *self = next;
        Ok(changed)
    }

    /// CONFIG REWRITE: the old text of the file with these settings in it.
    ///
    /// Comments and order stay, lines with other values are replaced, and what differs from the
    /// default without a line of its own is appended.
    pub fn rewritten(&self, old_text: &str) -> String {
        rewrite::rewritten(self, old_text)
    }

    /// Directives that the operator gave and that mean nothing here, in the table's order.
    pub fn without_effect(&self) -> Vec<&'static str> {
        row::all()
            .filter(|d| !matches!(d.effect, Effect::Used(_)) && self.given.contains(d.name))
            .map(|d| d.name)
            .collect()
    }

    /// Every field empty: the state before the table's defaults are written into it.
    fn blank() -> Self {
        Self {
            port: 0,
            bind: Vec::new(),
            unixsocket: None,
            unixsocketperm: None,
            tcp_backlog: 0,
            tcp_keepalive_s: 0,
            timeout_s: 0,
            maxclients: 0,
            maxmemory_bytes: 0,
            databases: 0,
            requirepass: String::new(),
            proto_max_bulk_bytes: 0,
            query_buffer_bytes_max: 0,
            output_limits: [OutputLimit::default(); 3],
            protected_mode: false,
            enable_debug_command: LocalAccess::No,
            slowlog_threshold_us: 0,
            slowlog_len_max: 0,
            latency_threshold_ms: 0,
            latency_tracking: false,
            latency_percentiles: String::new(),
            loglevel: LogLevel::Notice,
            logfile: String::new(),
            daemonize: false,
            supervised: Supervision::No,
            pidfile: None,
            dir: PathBuf::new(),
            turn_read_bytes_max: 0,
            turn_output_bytes_max: 0,
            turn_work_max: 0,
            appendonly: false,
            appendfsync: FsyncPolicy::EverySecond,
            appenddirname: String::new(),
            appendfilename: String::new(),
            rewrite_percentage: 0,
            rewrite_min_bytes: 0,
            load_truncated: false,
            load_unverified: false,
            append_buffer_bytes_max: 0,
            append_room_bytes: 0,
            append_reserve_bytes: 0,
            queue_policies: Vec::new(),
            channel_policies: Vec::new(),
            dedup_messages_max: 0,
            idle_queues_max: 0,
            config_file: None,
            foreign: BTreeMap::new(),
            given: BTreeSet::new(),
        }
    }

    /// Applies one line of a file or one option; the error is the reason alone.
    fn apply_words(&mut self, name: &str, args: &[Vec<u8>]) -> Result<(), String> {
        let Some(directive) = row::find(name) else {
            return Err(document::unknown_directive(name));
        };
        let with_hint = |reason: String| {
            format!("{reason} ({} takes {})", directive.name, directive.kind.describe())
        };
        let value = directive.parse(args, self).map_err(with_hint)?;
        directive.write(self, value)?;
        self.given.insert(directive.name);
        Ok(())
    }
}

impl Directive {
    /// The value as CONFIG GET shows it.
    fn print(&self, settings: &Settings) -> String {
        self.kind.print(&self.value(settings))
    }

    /// The value now: the field's, or what was kept, or the default.
    fn value(&self, settings: &Settings) -> Value {
        match self.effect {
            Effect::Used(field) => (field.read)(settings),
            Effect::Ignored | Effect::Refused { .. } => settings
                .foreign
                .get(self.name)
                .cloned()
                .or_else(|| self.parse_default())
                .unwrap_or_else(|| Value::Text(self.default.to_owned())),
        }
    }

    /// Reads words as a value of this directive; the error is in Redis' words.
    fn parse(&self, args: &[Vec<u8>], settings: &Settings) -> Result<Value, String> {
        self.kind.parse(args, &self.value(settings))
    }

    /// Stores a value that `parse` made, unless it asks for what is not there.
    fn write(&self, settings: &mut Settings, value: Value) -> Result<(), String> {
        match self.effect {
            Effect::Used(field) => {
                if !(field.write)(settings, &value) {
                    return Err(format!("{} does not take this value", self.name));
                }
            }
            Effect::Ignored => {
                settings.foreign.insert(self.name, value);
            }
            Effect::Refused { accepts, why } => {
                if !accepts.contains(&self.kind.print(&value).as_str()) {
                    return Err(why.to_owned());
                }
                settings.foreign.insert(self.name, value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
