//! Why the append files cannot be loaded.

use super::manifest::ManifestError;
use crate::rdb::RdbError;
use std::io;
use thiserror::Error;

/// Why the append files cannot be loaded. No file was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The manifest cannot be read, or is not one.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// There are append files but no manifest, which says which of them are the data.
    #[error(
        "{manifest}: expected a manifest, since there are append files ({found}); put it back, or \
         move the files away"
    )]
    NoManifest {
        /// The name it should have.
        manifest: String,
        /// One of the files.
        found: String,
    },
    /// A manifest of ours names an increment.
    #[error("expected an increment after {base} in the manifest, got none")]
    NoIncrement {
        /// The base file.
        base: String,
    },
    /// A file cannot be read or changed.
    #[error("{file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// Data in the RDB format that is damaged, or that this program cannot hold.
    #[error("{file}: {error}")]
    Rdb {
        /// The file.
        file: String,
        /// Where and why.
        #[source]
        error: RdbError,
    },
    /// Durable data differs from what was written.
    #[error(
        "{file}: damaged at byte {at}: {reason}; {proof}. `tidegate check` tells more, `tidegate \
             repair` keeps what is before it"
    )]
    Damage {
        /// The file.
        file: String,
        /// The offset up to which the file is whole.
        at: u64,
        /// What was noticed there.
        reason: String,
        /// Why it is not a torn tail.
        proof: String,
    },
    /// The end of the last file is torn, and `aof-load-truncated no` makes that an error.
    #[error(
        "{file}: torn at byte {at}: {reason}; with aof-load-truncated yes it is loaded up to there"
    )]
    Torn {
        /// The file.
        file: String,
        /// The offset up to which the file is whole.
        at: u64,
        /// What was noticed there.
        reason: String,
    },
    /// Another program has appended commands.
    #[error(
        "{file}: from byte {at} on there are {bytes} bytes without checksums, which another program \
         wrote, such as redis-server; with aof-load-unverified yes they are loaded as they are"
    )]
    Unverified {
        /// The file.
        file: String,
        /// Their offset.
        at: u64,
        /// Their number.
        bytes: u64,
    },
    /// A command that Tidegate does not write.
    #[error("{file}: byte {at}: {reason}")]
    Command {
        /// The file.
        file: String,
        /// Its offset.
        at: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl LoadError {
    /// The file with the problem, and the offset up to which it is whole; `None` if no file is at fault,
    /// or cutting it off would not help.
    pub fn place(&self) -> Option<(&str, u64)> {
        match self {
            LoadError::Damage { file, at, .. }
            | LoadError::Torn { file, at, .. }
            | LoadError::Unverified { file, at, .. }
            | LoadError::Command { file, at, .. } => Some((file, *at)),
            _ => None,
        }
    }

    pub(super) fn io(file: &str, error: io::Error) -> LoadError {
        LoadError::Io { file: file.to_string(), error }
    }
}

/// The error of the system without Rust's error number: Redis' text for clients.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}
