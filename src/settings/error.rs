//! Errors about settings.

use std::fmt;

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
