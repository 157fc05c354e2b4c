//! Who asks for a command: that decides what it may do.

/// Where a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client, by itself.
    Client,
    /// An EXEC of so many commands.
    Exec {
        /// How many commands the transaction has.
        commands: usize,
    },
    /// A client whose call waited: what it wants may be there.
    Woken,
    /// Append files that are loaded.
    Replay,
}

impl Origin {
    /// Whether the command may wait for something: a transaction is done in one go, and files have waited
    /// already.
    pub(crate) fn may_wait(self) -> bool {
        matches!(self, Origin::Client | Origin::Woken)
    }

    /// Whether the call has waited.
    pub(crate) fn is_woken(self) -> bool {
        matches!(self, Origin::Woken)
    }

    /// Whether the call is one of a transaction's: part of its time, and no call to itself.
    pub(crate) fn is_exec(self) -> bool {
        matches!(self, Origin::Exec { .. })
    }
}
