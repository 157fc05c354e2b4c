//! Why a server ends.

use crate::journal::files::OpenError;
use crate::journal::{JournalError, LoadError};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a server could not start, or cannot continue.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// An address of `bind` cannot be used.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address, as far as it is known.
        address: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The settings of TLS, or a file that they name, cannot be used.
    #[error("cannot use TLS: {reason}")]
    Tls {
        /// The directive, the file, and what is wrong with it.
        reason: String,
    },
    /// `http-port` is set, in a build without HTTP.
    #[error("http-port: this build has no HTTP; build it with the feature `http`")]
    NoHttp,
    /// No address and no Unix socket is left to listen on.
    #[error("nothing to listen on: no address of `bind` could be used and `unixsocket` is not set")]
    NothingToListenOn,
    /// Another process listens on the Unix socket.
    #[error("cannot listen on {}: another process does so already", path.display())]
    SocketInUse {
        /// The path of the socket.
        path: PathBuf,
    },
    /// The path of the Unix socket is not a socket. It is left as it is.
    #[error("cannot listen on {}: the path exists and is not a socket", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The process may not open enough files to serve even one client.
    #[error("the limit of {limit} open files leaves no descriptors for clients; raise `ulimit -n`")]
    TooFewDescriptors {
        /// The limit.
        limit: u64,
    },
    /// The operating system does not provide readiness events.
    #[error("cannot wait for events: {0}")]
    Poll(#[source] io::Error),
    /// Something is wrong with the users that the settings declare.
    #[error("the users cannot be read: {0}")]
    Users(String),
    /// A setting must be the name of a file or directory without a path.
    #[error("{directive}: expected a name without a path, got '{name}'")]
    FileName {
        /// The setting.
        directive: &'static str,
        /// Its value.
        name: String,
    },
    /// The directory of the append files cannot be used.
    #[error("cannot use the append files: {0}")]
    Directory(#[from] OpenError),
    /// The append files cannot be loaded.
    #[error("cannot load the append files: {0}")]
    Load(#[from] LoadError),
    /// The file with all data in Redis' binary format cannot be loaded.
    #[error("cannot load {0}")]
    Dump(#[source] LoadError),
    /// The durability that was promised cannot be kept.
    #[error("cannot write the append files: {0}")]
    Journal(#[from] JournalError),
    /// The RDB file that `save` lines ask for could not be written at the end.
    #[error("the data could not be saved: {0}")]
    Unsaved(String),
    /// A thread that writes append files has panicked, which is a bug. Its job is not done, and nothing
    /// can be promised any more.
    #[error("the thread `{thread}` has panicked, and the append files with it")]
    Panicked {
        /// The thread's name.
        thread: &'static str,
    },
    /// No thread could be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}
