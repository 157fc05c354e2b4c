//! Descriptors: raises the limit on open files at the start so that `maxclients` fit, and keeps one in
//! reserve, so that a client can still be refused with an error when there are no more.

use super::error::ServerError;
use log::{info, warn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;

/// Descriptors for other uses: listeners, log, the poll, files of the embedding program.
const RESERVED: u64 = 32;

/// Raises the limit as far as needed and allowed. Returns how many clients fit.
pub(super) fn raise_limit(maxclients: u32) -> Result<u32, ServerError> {
    let wanted = u64::from(maxclients) + RESERVED;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No limit counts as a very large one.
    let (soft, hard) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    if soft >= wanted {
        return Ok(maxclients);
    }
    // Only a privileged process may raise the hard limit; any process may raise its soft limit to it.
    let raise = |soft: u64, hard: u64| {
        let [current, maximum] = [soft, hard].map(|limit| (limit < u64::MAX).then_some(limit));
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).is_ok()
    };
    let is_raised = raise(wanted, hard.max(wanted));
    if is_raised {
        info!("raised the limit on open files from {soft} to {wanted}");
        return Ok(maxclients);
    }
    let is_raised = raise(hard, hard);
    let limit = if is_raised { hard } else { soft };
    if limit <= RESERVED {
        return Err(ServerError::TooFewDescriptors { limit });
    }
    // Less than `wanted`, which is a u32 plus a small number.
    let fitting = (limit - RESERVED) as u32;
    warn!(
        "the limit of {limit} open files is too low for maxclients {maxclients}: it is {fitting} \
         now; raise `ulimit -n` to {wanted}"
    );
    Ok(fitting)
}

/// A descriptor in reserve.
///
/// When the last descriptor is used up, a new connection can be neither accepted nor refused: it waits
/// in the kernel's queue for ever. Releasing the reserve for a moment lets it be refused.
#[derive(Debug, Default)]
pub(super) struct Spare {
    file: Option<File>,
}

impl Spare {
    /// Opens the reserve, unless it is open.
    pub(super) fn refill(&mut self) {
        if self.file.is_none() {
            self.file = File::open("/dev/null").ok();
        }
    }

    /// Closes the reserve; false if there was none.
    pub(super) fn release(&mut self) -> bool {
        self.file.take().is_some()
    }
}
