//! Descriptors: the limit on open files is raised at the start so that `maxclients` fit, and one
//! is kept in reserve, so that a client can still be told when there are no more.

use super::error::ServerError;
use log::{info, warn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;

/// Descriptors that are not clients: listeners, log, the poll itself, files of the program around.
const RESERVED: u64 = 32;

/// Raises the limit as far as it takes and the system allows. Says how many clients fit.
pub(super) fn make_room(maxclients: u32) -> Result<u32, ServerError> {
    let wanted = u64::from(maxclients) + RESERVED;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No limit is one that nobody reaches.
    let (soft, hard) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    if soft >= wanted {
        return Ok(maxclients);
    }
    // Only a privileged process may raise the hard limit; any may go up to it.
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
    // Less than `wanted`, which is a u32 and a few.
    let fitting = (limit - RESERVED) as u32;
    warn!(
        "the limit of {limit} open files is too low for maxclients {maxclients}: it is {fitting} \
         now; raise `ulimit -n` to {wanted}"
    );
    Ok(fitting)
}

/// A descriptor in reserve.
///
/// When the last one is used up, a new connection can be neither accepted nor refused and waits
/// in the kernel's queue for ever. Giving the reserve back for a moment lets it be refused.
#[derive(Debug, Default)]
pub(super) struct Spare {
    file: Option<File>,
}

impl Spare {
    /// Takes a descriptor in reserve, if there is none.
    pub(super) fn refill(&mut self) {
        if self.file.is_none() {
            self.file = File::open("/dev/null").ok();
        }
    }

    /// Frees the reserve; whether there was one.
    pub(super) fn release(&mut self) -> bool {
        self.file.take().is_some()
    }
}
