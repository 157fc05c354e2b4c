//! A script that has run for longer than `busy-reply-threshold`. From then on, other clients are served from
//! within it: a few commands run, all others are refused with BUSY.
//!
//! Nothing that changes data happens meanwhile: no expiry, no chores, no waking of waiting clients, no commit. All
//! changes of the script stay together.

use crate::client_id::ClientId;
use crate::command_error::CommandError;
use crate::resp::OwnedRequest;
use std::collections::BTreeSet;

const BUSY_SCRIPT: CommandError = CommandError::text(
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);
const BUSY_FUNCTION: CommandError = CommandError::text(
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
);
const HAS_WRITTEN: CommandError = CommandError::text(
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
     script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
);

/// What runs: a script, or a function of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScriptKind {
    /// Of EVAL.
    Script,
    /// Of FCALL.
    Function,
}

/// A script that has run for longer than `busy-reply-threshold`.
#[derive(Debug)]
pub(crate) struct BusyScript {
    pub(crate) kind: ScriptKind,
    /// The SHA-1 of a script, or the name of a function.
    pub(crate) name: Vec<u8>,
    /// The client that runs it.
    pub(crate) client: ClientId,
    /// The command that runs it.
    pub(crate) request: OwnedRequest,
    /// When it began, in microseconds of the monotonic clock.
    pub(crate) begun_us: u64,
    /// Whether it has changed data: then it is not killed, since half of it must not be done.
    pub(crate) has_written: bool,
    /// Whether it was killed.
    pub(crate) is_killed: bool,
    /// Clients whose pending output may report changes that are not committed: it waits for the end of the turn.
    pub(crate) held_back: BTreeSet<ClientId>,
}

impl BusyScript {
    /// The error for a command that is not allowed meanwhile.
    pub(crate) fn refusal(&self) -> CommandError {
        match self.kind {
            ScriptKind::Script => BUSY_SCRIPT,
            ScriptKind::Function => BUSY_FUNCTION,
        }
    }

    /// Kills it, if it is of this kind and has not written.
    ///
    /// # Errors
    /// It is not, or has.
    pub(crate) fn kill(&mut self, kind: ScriptKind) -> Result<(), CommandError> {
        if self.has_written {
            return Err(HAS_WRITTEN);
        }
        if self.kind != kind {
            return Err(self.refusal());
        }
        self.is_killed = true;
        Ok(())
    }
}
