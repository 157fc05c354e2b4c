//! Types of single settings.

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
