//! Errors about settings.

use std::fmt;
use std::sync::Arc;

/// An error in a file or on the command line: where, what, and what would be valid.
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

/// Where a directive was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file's name, or `command line`. Shared by all directives of a file.
    pub(super) source_name: Arc<str>,
    /// The line in the file, counted from 1.
    pub(super) line: Option<usize>,
}

impl Place {
    /// That of a directive that was not given: its value is the default.
    pub(super) fn of_default() -> Place {
        Place { source_name: "defaults".into(), line: None }
    }

    /// An error at this place.
    pub(super) fn error(&self, text: &str, reason: String) -> SettingsError {
        SettingsError {
            source_name: self.source_name.to_string(),
            line: self.line,
            text: text.to_owned(),
            reason,
        }
    }
}

/// The errors found so far. A start needs only the first one.
#[derive(Debug)]
pub(super) struct Errors {
    found: Vec<SettingsError>,
    max: usize,
}

impl Errors {
    /// Keeps at most `max` errors. Reading ends when there are that many.
    pub(super) fn at_most(max: usize) -> Errors {
        Errors { found: Vec::new(), max }
    }

    /// Adds an error.
    pub(super) fn add(&mut self, error: SettingsError) {
        if !self.is_full() {
            self.found.push(error);
        }
    }

    /// Whether reading ends.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= self.max
    }

    /// All of them, in the order of the lines.
    pub(super) fn into_found(self) -> Vec<SettingsError> {
        self.found
    }
}

/// Why CONFIG SET changed nothing. Its `Display` is the reply after `ERR `.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetError {
    /// No directive has this name.
    Unknown {
        /// The name as the client wrote it.
        name: String,
    },
    /// The directive does not accept this value, or cannot be changed at runtime.
    Failed {
        /// The name as the client wrote it.
        name: String,
        /// In Redis' words, if Redis has this error.
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
