//! Types of single settings.

/// Limits on the unread output of a client; 0 bytes for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Closed at once above this.
    pub hard_bytes: u64,
    /// Closed when above this for longer than `soft_seconds`.
    pub soft_bytes: u64,
    /// How long a client may stay above `soft_bytes`.
    pub soft_seconds: u64,
}

/// When an RDB file is written automatically: a `save` line has any number of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// More seconds than this since the last save.
    pub seconds: u64,
    /// At least this many changes since then.
    pub changes: u64,
}

/// When a change is durable, that is, survives a power failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FsyncPolicy {
    /// Before its reply.
    Always,
    /// At most about a second after its reply.
    #[default]
    EverySecond,
    /// When the operating system decides.
    No,
}

/// Whether clients that connect with TLS need a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked for one.
    None,
    /// They are asked; one that they give must be valid.
    Optional,
    /// They need a valid one.
    #[default]
    Required,
}

/// Access to commands that can harm the server.
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

impl LocalAccess {
    /// Whether a client has access. `is_local`: it is on the same machine.
    pub fn allows(self, is_local: bool) -> bool {
        match self {
            LocalAccess::Yes => true,
            LocalAccess::Local => is_local,
            LocalAccess::No => false,
        }
    }
}

/// Service manager to notify when the server is ready and when it stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Supervision {
    /// None.
    #[default]
    No,
    /// systemd, or a program with the same protocol.
    Systemd,
    /// systemd, if there is one.
    Auto,
}

/// The lowest severity of log lines that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// Much that is rarely useful.
    Verbose,
    /// What is useful in production.
    #[default]
    Notice,
    /// Only what is important.
    Warning,
}
