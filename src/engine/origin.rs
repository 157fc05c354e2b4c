//! The origin of a call, which decides what it may do.

/// The origin of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client, outside a transaction.
    Client,
    /// EXEC with this number of commands.
    Exec {
        /// The number of commands of the transaction.
        commands: usize,
    },
    /// A script that a client called.
    Script {
        /// The number of commands of the transaction that called it, if one did.
        exec_commands: Option<usize>,
    },
    /// A waiting call of a client that runs again: what it waits for may be there.
    Woken,
    /// Append files that are being loaded.
    Replay,
    /// The primary of this replica.
    Primary,
}

impl Origin {
    /// Whether the command may wait: a transaction runs without interruption, and what is loaded has
    /// waited already.
    pub(crate) fn may_wait(self) -> bool {
        matches!(self, Origin::Client | Origin::Woken)
    }

    /// Whether a key with an expiry in the past is removed at once. A primary says so when it removes one.
    pub(crate) fn may_expire(self) -> bool {
        self != Origin::Primary
    }

    /// Whether the call repeats what happened elsewhere.
    pub(crate) fn repeats(self) -> bool {
        matches!(self, Origin::Replay | Origin::Primary)
    }

    /// Whether the call was waiting.
    pub(crate) fn is_woken(self) -> bool {
        matches!(self, Origin::Woken)
    }

    /// The number of commands of the transaction of which the call is part.
    pub(crate) fn exec_commands(self) -> Option<usize> {
        match self {
            Origin::Exec { commands } => Some(commands),
            Origin::Script { exec_commands } => exec_commands,
            Origin::Client | Origin::Woken | Origin::Replay | Origin::Primary => None,
        }
    }

    /// Whether the call is part of a transaction or a script: its time is part of theirs, and so are its
    /// effects.
    pub(crate) fn is_exec(self) -> bool {
        matches!(self, Origin::Exec { .. } | Origin::Script { .. })
    }

    /// Whether a script made the call.
    pub(crate) fn is_script(self) -> bool {
        matches!(self, Origin::Script { .. })
    }
}
