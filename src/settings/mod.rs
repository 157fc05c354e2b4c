//! Settings: one table of directives drives the command line, the file, CONFIG GET, SET and REWRITE, and
//! the documentation.
//!
//! A directive is one row in `directives` (with an effect here) or in `foreign` (Redis has it, Tidegate
//! does not). Every directive of Redis is in one of the two. So an existing `redis.conf` either works or
//! is refused with a reason; nothing that an operator relies on is dropped silently.
//!
//! Only `input` touches files, and only those named.

mod acknowledgement;
mod apply;
mod command_line;
mod definition;
mod directives;
mod document;
mod error;
mod field;
mod file;
mod foreign;
mod foreign_server;
mod groups;
mod input;
mod policies;
mod replication;
mod rewrite;
mod row;
mod scripting;
mod sorted_set;
mod summary;
mod table;
mod types;
mod value;
mod words;

use row::{Effect, Runtime};

use error::{Errors, Place};
use std::path::PathBuf;

pub use command_line::Invocation;
pub use definition::Settings;
pub use document::{CALLS, DirectiveText, directive_texts, help, markdown_table, wrapped};
pub use error::{SetError, SettingsError};
pub use groups::{
    AcknowledgementSettings, EncodingSettings, HttpSettings, ReplicationSettings, ScriptSettings,
    SortedSetSettings, StrangerSettings, TlsSettings,
};
pub(crate) use policies::text as policy_text;
pub(crate) use table::names_file;
pub use table::{is_secret, secret_names};
pub use types::{
    ClientCertificates, FsyncPolicy, LocalAccess, LogLevel, OutputLimit, SavePoint, Supervision,
};

/// Errors that a check of the settings reports. A person mends the first ones first.
const ERRORS_MAX: usize = 100;

impl Settings {
    /// The path of the file with all data in Redis' binary format.
    pub(crate) fn dump_path(&self) -> PathBuf {
        self.dir.join(&self.dbfilename)
    }

    /// Whether anything is served with TLS.
    pub(crate) fn uses_tls(&self) -> bool {
        self.tls.port != 0 || self.http.tls_port != 0
    }

    /// Whether connections to other servers have TLS: that to the primary, or those of MIGRATE.
    pub(crate) fn connects_with_tls(&self) -> bool {
        self.tls.replication || self.tls.cluster
    }

    /// Reads a command line without the program's name: `[FILE | -] [--name value …]…`.
    ///
    /// Reads the named file (or standard input for `-`) and its includes, then applies the options.
    /// `--help`, `-h`, `--version`, `-v` and `--check-config` count only as the first argument.
    pub fn from_args<I: IntoIterator<Item = String>>(args: I) -> Result<Invocation, SettingsError> {
        command_line::parse(args.into_iter().collect(), &mut input::read_input)
    }

    /// As [`from_args`](Settings::from_args) for a start, but with all errors, up to a hundred, and not
    /// only the first. What is wrong is left out of the settings.
    pub fn check_args(args: &[String]) -> (Self, Vec<SettingsError>) {
        let mut errors = Errors::at_most(ERRORS_MAX);
        let settings = command_line::settings_of(args, &mut input::read_input, &mut errors);
        (settings, errors.into_found())
    }

    /// Reads the text of a configuration file; errors name it `source_name`.
    pub fn from_text(text: &str, source_name: &str) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let mut errors = Errors::at_most(1);
        file::apply(&mut settings, text, source_name, &mut input::read_input, &mut errors);
        errors.into_found().pop().map_or(Ok(settings), Err)
    }

    /// Returns these settings with one directive changed. The value is one text, as in CONFIG SET, but
    /// directives that CONFIG SET refuses are allowed. Policies and output limits are added to the
    /// existing ones.
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
    /// There is no such directive, or the value is not valid.
    pub fn with(mut self, name: &str, value: &str) -> Result<Settings, SettingsError> {
        let words = match table::find(name) {
            Some(directive) => directive.kind.split(value.as_bytes()),
            None => Ok(Vec::new()),
        };
        let place = Place { source_name: "settings".into(), line: None };
        match words.and_then(|words| self.apply_words(name, &words, &place)) {
            Ok(()) => Ok(self),
            Err(reason) => {
                // Errors are logged, and passwords must not be.
                let value = if is_secret(name) { "(hidden)" } else { value };
                Err(place.error(&format!("{name} {value}"), reason))
            }
        }
    }

    /// CONFIG GET: name and value of each directive whose name matches a pattern, in the table's order.
    ///
    /// `matches` is the glob matcher. It gets the pattern in lower case, since directive names are
    /// case-insensitive. As in Redis, a name without wildcards is echoed as the client wrote it.
    pub fn get(
        &self,
        patterns: &[&[u8]],
        matches: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Vec<(String, String)> {
        let patterns: Vec<Vec<u8>> = patterns.iter().map(|p| p.to_vec()).collect();
        let lower: Vec<Vec<u8>> = patterns.iter().map(|p| p.to_ascii_lowercase()).collect();
        let mut found = Vec::new();
        for directive in table::all().filter(|d| d.runtime != Runtime::FileOnly) {
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

    /// CONFIG SET: sets all pairs or none, and returns the directives whose value changed.
    ///
    /// # Errors
    /// A name is unknown or may not be set, or a value is not valid.
    pub fn set(&mut self, pairs: &[(&[u8], &[u8])]) -> Result<Vec<&'static str>, SetError> {
        self.set_for(false, pairs)
    }

    /// As [`set`](Settings::set). `sets_protected`: also directives that choose where files are written.
    ///
    /// The checks are in Redis' order: first names, mutability and duplicates of all pairs, then the
    /// values.
    ///
    /// # Errors
    /// As for `set`.
    pub fn set_for(
        &mut self,
        sets_protected: bool,
        pairs: &[(&[u8], &[u8])],
    ) -> Result<Vec<&'static str>, SetError> {
        let mut rows = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let shown = String::from_utf8_lossy(name).into_owned();
            let Some(directive) = table::find(&shown).filter(|d| d.runtime != Runtime::FileOnly)
            else {
                return Err(SetError::Unknown { name: shown });
            };
            let duplicate = rows.iter().any(|(_, s): &(_, String)| s.eq_ignore_ascii_case(&shown));
            let reason = match directive.runtime {
                Runtime::Immutable | Runtime::FileOnly => "can't set immutable config",
                Runtime::Protected if !sets_protected => "can't set protected config",
                Runtime::Mutable | Runtime::Protected if duplicate => "duplicate parameter",
                Runtime::Mutable | Runtime::Protected => {
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
                .and_then(|words| match directive.kind.is_replaced_at_run_time() {
                    false => directive.parse(&words, &next),
                    true => directive.kind.parse(&words, &directive.kind.empty()),
                })
                .and_then(|value| directive.write(&mut next, value))
                .map_err(|reason| SetError::Failed { name: shown, reason })?;
            if directive.value(&next) != before && !changed.contains(&directive.name) {
                changed.push(directive.name);
            }
        }
        *self = next;
        Ok(changed)
    }

    /// CONFIG REWRITE: the old text of the file, updated to these settings.
    ///
    /// Comments and order stay. Lines whose value changed are replaced. Directives without a line that
    /// differ from the default are appended.
    pub fn rewritten(&self, old_text: &str) -> String {
        rewrite::rewritten(self, old_text)
    }

    /// Whether new users may use all channels (`acl-pubsub-default`).
    pub(crate) fn opens_channels(&self) -> bool {
        self.acl_pubsub_default == "allchannels"
    }

    /// Directives that the operator gave but that have no effect here, in the table's order.
    pub fn without_effect(&self) -> Vec<&'static str> {
        table::all()
            .filter(|d| !matches!(d.effect, Effect::Used(_)) && self.given.contains_key(d.name))
            .map(|d| d.name)
            .collect()
    }

    /// A remark on each directive [`without_effect`](Settings::without_effect): where it was given last, and
    /// why it has no effect.
    pub fn remarks_without_effect(&self) -> Vec<SettingsError> {
        let rows = table::all().filter(|d| !matches!(d.effect, Effect::Used(_)));
        let remark = |d: &row::Directive| {
            let reason = match d.effect {
                // Only neutral values are accepted, and `doc` says what to do with the others.
                Effect::Refused { .. } => "no effect".to_owned(),
                _ => format!("no effect. {}", d.doc),
            };
            Some(self.given.get(d.name)?.last()?.error(d.name, reason))
        };
        rows.filter_map(remark).collect()
    }

    /// An error that shows only when a value is used, such as a file that does not exist. It names the
    /// place where the first of these directives was given that was.
    pub fn error_of(&self, directives: &[&str], reason: String) -> SettingsError {
        let mut given = directives.iter().filter_map(|name| self.given.get(name)?.last());
        given.next().unwrap_or(&Place::of_default()).error("", reason)
    }

    /// As [`error_of`](Settings::error_of), of the `index`th user in [`users`](Settings::users).
    pub(crate) fn error_of_user(&self, index: usize, reason: String) -> SettingsError {
        let places = self.given.get("user").filter(|places| places.len() == self.users.len());
        let place = places.and_then(|places| places.get(index));
        place.unwrap_or(&Place::of_default()).error("", reason)
    }
}

#[cfg(test)]
mod tests;
