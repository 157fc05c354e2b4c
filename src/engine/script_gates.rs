//! The checks before a script, and before each command that it calls. A command of a script waits for nothing:
//! it runs, or is refused.

use super::access::{self, Attempt};
use super::gates;
use crate::acl::Refusal;
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::command_error::CommandError;
use crate::flags::Flags;
use crate::library::ScriptFlags;
use crate::state::State;

/// What a running script may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScriptRights {
    /// Whether it may change data.
    pub(crate) may_write: bool,
    /// Whether it may do so above the memory limit.
    pub(crate) allows_oom: bool,
    /// Whether it runs although the data of this replica is old.
    pub(crate) allows_stale: bool,
    /// Whether memory was above its limit when it began. A script that has changed something is not
    /// interrupted.
    pub(crate) is_out_of_memory: bool,
}

/// Limit on the overhead of a recorded command.
const REQUEST_BYTES: u64 = 1024;

/// Checks whether a script with these properties may run; none if it states none. Returns what it may do.
/// `is_read_only`: it was called by a command that only reads.
///
/// # Errors
/// It may not.
#[inline]
pub(crate) fn begin(
    state: &State,
    flags: Option<ScriptFlags>,
    is_read_only: bool,
    now: Now,
) -> Result<ScriptRights, CommandError> {
    let limit = state.settings.maxmemory_bytes;
    let mut rights = ScriptRights {
        may_write: !is_read_only,
        allows_oom: false,
        allows_stale: false,
        is_out_of_memory: limit > 0 && state.used_bytes() as u64 > limit,
    };
    match flags {
        Some(flags) => {
            check_flags(state, flags, is_read_only, rights.is_out_of_memory, now)?;
            rights.may_write &= !flags.contains(ScriptFlags::NO_WRITES);
            rights.allows_oom = flags.contains(ScriptFlags::ALLOW_OOM);
            rights.allows_stale = flags.contains(ScriptFlags::ALLOW_STALE);
        }
        None if gates::is_stale(state) => return Err(gates::MASTER_DOWN),
        None => {}
    }
    Ok(rights)
}

/// A script that states what it does is refused before it begins.
#[cold]
fn check_flags(
    state: &State,
    flags: ScriptFlags,
    is_read_only: bool,
    is_out_of_memory: bool,
    now: Now,
) -> Result<(), CommandError> {
    let writes = !flags.contains(ScriptFlags::NO_WRITES);
    if writes && is_read_only {
        return Err(CommandError::text(
            "ERR Can not execute a script with write flag using *_ro command.",
        ));
    }
    if gates::is_stale(state) && !flags.contains(ScriptFlags::ALLOW_STALE) {
        return Err(gates::MASTER_DOWN);
    }
    if writes {
        check_write(state, now)?;
        if is_out_of_memory && !flags.contains(ScriptFlags::ALLOW_OOM) {
            return Err(gates::OUT_OF_MEMORY);
        }
    }
    Ok(())
}

/// Checks that data may be changed at all.
fn check_write(state: &State, now: Now) -> Result<(), CommandError> {
    if state.replication.is_replica() {
        return Err(gates::READ_ONLY);
    }
    gates::check_saved(&state.settings, &state.persistence)?;
    gates::check_replicas(state, now)
}

/// Checks whether a script may call a command. `has_written`: the script has changed something.
///
/// # Errors
/// It may not.
#[inline]
pub(crate) fn check(
    state: &mut State,
    id: ClientId,
    attempt: &Attempt<'_, '_>,
    (rights, has_written): (ScriptRights, bool),
    now: Now,
) -> Result<(), CommandError> {
    let command = attempt.found.command;
    let flags = command.flags;
    if flags.contains(Flags::NOSCRIPT) {
        return Err(CommandError::text("ERR This Redis command is not allowed from script"));
    }
    if !command.accepts(attempt.request.len()) || command.run.is_none() {
        return Err(CommandError::text(
            "ERR Wrong number of args calling Redis command from script",
        ));
    }
    access::check_in_script(state, id, attempt, now)
        .map_err(|refusal| refused(state, id, attempt, refusal))?;
    if rights.allows_stale && gates::is_stale(state) && !flags.contains(Flags::STALE) {
        return Err(CommandError::text("ERR Can not execute the command on a stale replica"));
    }
    if flags.contains(Flags::WRITE) {
        if !rights.may_write {
            return Err(CommandError::text(
                "ERR Write commands are not allowed from read-only scripts.",
            ));
        }
        check_write(state, now)?;
        check_space(state, attempt)?;
    }
    if flags.contains(Flags::DENYOOM)
        && rights.is_out_of_memory
        && !rights.allows_oom
        && !has_written
    {
        return Err(gates::OUT_OF_MEMORY);
    }
    Ok(())
}

fn refused(
    state: &State,
    id: ClientId,
    attempt: &Attempt<'_, '_>,
    refusal: Refusal,
) -> CommandError {
    let user = state.clients.get(id).map(|client| state.users.get(client.user).name());
    let text = attempt.refusal_text(user.unwrap_or_default(), refusal, false);
    CommandError::Bytes([b"ERR ACL failure in script: ", &text[..]].concat())
}

/// Checks that the command's record is sure to fit on the disk. The script cannot wait until the journal has
/// looked for more space.
fn check_space(state: &State, attempt: &Attempt<'_, '_>) -> Result<(), CommandError> {
    let writable = state.persistence.writable_bytes;
    if writable == u64::MAX {
        return Ok(());
    }
    let bytes: usize = attempt.request.args().map(<[u8]>::len).sum();
    let unsealed = state.keyspace.effects.unsealed_bytes() as u64;
    if unsealed.saturating_add(2 * bytes as u64 + REQUEST_BYTES) <= writable {
        return Ok(());
    }
    Err(CommandError::text(
        "MISCONF Errors writing to the AOF file: the script changes more than there is space for",
    ))
}
