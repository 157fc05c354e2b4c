//! The checks before a command runs, in Redis' order: arity, protection, authentication, the user's
//! rights, memory, disk, replicas, the subscriber's restricted mode, loading, pause, open transaction.

use super::access::{self, Attempt};
use super::command::Command;
use super::open_transaction;
use super::table::Found;
use crate::client_id::ClientId;
use crate::clients::{Client, ClientRole};
use crate::clock::Now;
use crate::command_error::CommandError;
use crate::flags::Flags;
use crate::keyspace::DbIndex;
use crate::persistence::Persistence;
use crate::replication::Acknowledged;
use crate::resp::{Protocol, Request};
use crate::settings::Settings;
use crate::state::{Pause, State};

/// The result of the checks, if nothing forbids the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Run it in this database, and update the last use of its keys, or not.
    Run { db: DbIndex, marks_use: bool },
    /// Queue it for EXEC.
    Queue,
    /// Try it again after the pause.
    Wait,
}

const NO_AUTH: CommandError = CommandError::text("NOAUTH Authentication required.");
const LOADING: CommandError = CommandError::text("LOADING Redis is loading the dataset in memory");
pub(super) const READ_ONLY: CommandError =
    CommandError::text("READONLY You can't write against a read only replica.");
pub(super) const MASTER_DOWN: CommandError = CommandError::text(
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
);
const UNSAVED: CommandError = CommandError::text(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
     Commands that may modify the data set are disabled, because this instance is configured to report \
     errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the \
     Redis logs for details about the RDB error.",
);
const NO_REPLICAS: CommandError =
    CommandError::text("NOREPLICAS Not enough good replicas to write.");
pub(super) const OUT_OF_MEMORY: CommandError =
    CommandError::text("OOM command not allowed when used memory > 'maxmemory'.");

/// Checks whether a request may run now.
pub(crate) fn pass(
    state: &mut State,
    id: ClientId,
    found: Found,
    request: &Request<'_>,
    now: Now,
) -> Result<Gate, CommandError> {
    let command = found.command;
    // Nothing is run for a disconnected client.
    let Some(client) = state.clients.get_mut(id) else { return Ok(Gate::Wait) };
    // Also for a refused, queued or paused command, as in Redis' CLIENT LIST.
    client.last_command = Some(command.name);
    if !command.accepts(request.len()) {
        return Err(CommandError::Arity(command.name.to_string()));
    }
    check_rights(state, id, Attempt { found, request }, now)?;
    let used_bytes = state.used_bytes() as u64;
    let State {
        settings, clients, pause, persistence, replication, acknowledged, busy_script, ..
    } = state;
    let Some(client) = clients.get_mut(id) else { return Ok(Gate::Wait) };
    let flags = command.flags;
    let in_transaction = client.is_in_transaction();
    // Its reply would be in the stream.
    if client.role == ClientRole::Replica && flags.intersects(Flags::WRITE.with(Flags::READONLY)) {
        return Err(CommandError::text("ERR Replica can't interact with the keyspace"));
    }
    if settings.maxmemory_bytes > 0
        && used_bytes > settings.maxmemory_bytes
        && takes_memory(command, client)
    {
        return Err(OUT_OF_MEMORY);
    }
    check_disk(settings, persistence, command, client)?;
    if does(command, client, Flags::WRITE) {
        if replication.is_replica() {
            return Err(READ_ONLY);
        }
        if lacks_replicas(settings, acknowledged, now) {
            return Err(NO_REPLICAS);
        }
    }
    if client.is_subscriber()
        && client.outbox().protocol() == Protocol::Resp2
        && !flags.contains(Flags::FOR_SUBSCRIBERS)
    {
        return Err(restricted(command.name));
    }
    let is_stale = replication.link.as_ref().is_some_and(|link| !link.is_up());
    if is_stale && !settings.replication.serves_stale && !flags.contains(Flags::STALE) {
        return Err(MASTER_DOWN);
    }
    if persistence.loading.is_some() && !flags.contains(Flags::LOADING) {
        return Err(LOADING);
    }
    if let Some(script) = busy_script
        && !flags.contains(Flags::ALLOW_BUSY)
    {
        return Err(script.refusal());
    }
    if let Some(pause) = *pause
        && is_held_back(&pause, command, client)
    {
        clients.hold_back(id);
        return Ok(Gate::Wait);
    }
    if in_transaction && !flags.contains(Flags::NEVER_QUEUED) {
        return Ok(Gate::Queue);
    }
    Ok(Gate::Run { db: client.db, marks_use: !client.no_touch })
}

fn lacks_replicas(settings: &Settings, acknowledged: &Acknowledged, now: Now) -> bool {
    let needed = &settings.acknowledgement;
    needed.replicas_min > 0
        && needed.lag_max_s > 0
        && acknowledged.count_within(needed.lag_max_s, now.monotonic_us)
            < needed.replicas_min as usize
}

/// Checks that there are as many replicas as a change needs.
///
/// # Errors
/// There are not.
pub(super) fn check_replicas(state: &State, now: Now) -> Result<(), CommandError> {
    if lacks_replicas(&state.settings, &state.acknowledged, now) {
        return Err(NO_REPLICAS);
    }
    Ok(())
}

/// Whether this is a replica with old data, which most commands must not see.
pub(super) fn is_stale(state: &State) -> bool {
    let is_down = state.replication.link.as_ref().is_some_and(|link| !link.is_up());
    is_down && !state.settings.replication.serves_stale
}

/// Checks that a change can be written, and that the last save of all data was.
///
/// # Errors
/// It cannot, or was not.
pub(super) fn check_saved(
    settings: &Settings,
    persistence: &Persistence,
) -> Result<(), CommandError> {
    refuse_unwritable(persistence)?;
    let has_failed = persistence.saves.has_failed && settings.stop_writes_on_save_error;
    if has_failed && !settings.save_points.is_empty() {
        return Err(UNSAVED);
    }
    Ok(())
}

/// Checks that a change can be written, or that the last save of all data was.
#[inline]
fn check_disk(
    settings: &Settings,
    persistence: &Persistence,
    command: &Command,
    client: &Client,
) -> Result<(), CommandError> {
    if persistence.refusal().is_some() && is_write(command, client) {
        refuse_unwritable(persistence)?;
    }
    if persistence.saves.has_failed
        && settings.stop_writes_on_save_error
        && !settings.save_points.is_empty()
        && is_write(command, client)
    {
        return Err(UNSAVED);
    }
    Ok(())
}

/// Checks that the client has authenticated, and that its user may run the request.
#[inline]
fn check_rights(
    state: &mut State,
    id: ClientId,
    attempt: Attempt<'_, '_>,
    now: Now,
) -> Result<(), CommandError> {
    let Some(client) = state.clients.get(id) else { return Ok(()) };
    let flags = attempt.found.command.flags;
    if flags.contains(Flags::PROTECTED) {
        let is_allowed = state.settings.enable_debug_command.allows(client.peer.is_local());
        if !is_allowed {
            return Err(protected());
        }
    }
    if client.must_authenticate(&state.users) && !flags.contains(Flags::NO_AUTH) {
        return Err(NO_AUTH);
    }
    if flags.contains(Flags::NO_MULTI) && client.is_in_transaction() {
        return Err(CommandError::text("ERR Command not allowed inside a transaction"));
    }
    access::check(state, id, &attempt, None, now)
        .map_err(|refusal| access::error(state, id, &attempt, refusal))
}

fn protected() -> CommandError {
    CommandError::text(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
         you can run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server.",
    )
}

fn restricted(name: &str) -> CommandError {
    let text = format!(
        "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
         RESET are allowed in this context"
    );
    CommandError::from(text)
}

/// Whether a command is refused above the memory limit. This includes any command queued in a
/// transaction, since the queue takes memory.
fn takes_memory(command: &Command, client: &Client) -> bool {
    does(command, client, Flags::DENYOOM)
        || (client.is_in_transaction() && !command.flags.contains(Flags::ENDS_TRANSACTION))
}

/// Whether a command is refused while the append files cannot be written: it changes data, and the
/// change would be lost. This includes PING, as in Redis, so that monitoring notices.
fn is_write(command: &Command, client: &Client) -> bool {
    does(command, client, Flags::WRITE.with(Flags::PROBES))
}

/// Returns an error if a change could not be written to the append files.
///
/// # Errors
/// The append files cannot be written to.
pub(crate) fn refuse_unwritable(persistence: &Persistence) -> Result<(), CommandError> {
    persistence.refusal().map_or(Ok(()), |reason| Err(unwritable(reason)))
}

fn unwritable(reason: &str) -> CommandError {
    CommandError::from(format!("MISCONF Errors writing to the AOF file: {reason}"))
}

/// Limits on the overhead of an argument and of a request in the append files.
const ARGUMENT_BYTES: u64 = 64;
const REQUEST_BYTES: u64 = 1024;

/// Only commands that run scripts have it.
const RUNS_SCRIPT: Flags = Flags::NO_MANDATORY_KEYS;
/// What a script may record before it is refused more.
const SCRIPT_BYTES: u64 = 64 * 1024;

/// Runs a command that changes data only if its record is sure to fit on the disk. Otherwise it waits
/// for the end of the turn, when the journal looks for space.
///
/// # Errors
/// There was no space.
#[inline]
pub(crate) fn check_space(
    state: &mut State,
    id: ClientId,
    command: &'static Command,
    request: &Request<'_>,
    gate: Gate,
) -> Result<Gate, CommandError> {
    if state.persistence.writable_bytes == u64::MAX || !matches!(gate, Gate::Run { .. }) {
        return Ok(gate);
    }
    let State { clients, keyspace, persistence, .. } = state;
    let bytes = match clients.get(id) {
        _ if command.flags.contains(Flags::WRITE) => {
            let args = request.args_from(0).map(|arg| arg.len() as u64 + ARGUMENT_BYTES);
            args.sum::<u64>() + REQUEST_BYTES
        }
        _ if command.flags.contains(RUNS_SCRIPT) => {
            let args: usize = request.args().map(<[u8]>::len).sum();
            2 * args as u64 + SCRIPT_BYTES
        }
        Some(client) if does(command, client, Flags::WRITE.with(RUNS_SCRIPT)) => {
            client.transaction.as_ref().map_or(0, |transaction| {
                let requests = transaction.queued.len() as u64 * REQUEST_BYTES;
                2 * transaction.queued_bytes as u64 + requests
            })
        }
        _ => return Ok(gate),
    };
    if let Some((_, reason)) = persistence.denied.take_if(|(client, _)| *client == id) {
        return Err(unwritable(&reason));
    }
    let others = persistence.granted.filter(|(client, _)| *client != id).map_or(0, |grant| grant.1);
    if keyspace.effects.unsealed_bytes() as u64 + bytes + others <= persistence.writable_bytes {
        return Ok(gate);
    }
    persistence.wanted.get_or_insert((id, bytes));
    clients.defer(id);
    Ok(Gate::Wait)
}

/// Whether a command has any of these flags, or is EXEC with a queued command that has.
fn does(command: &Command, client: &Client, flags: Flags) -> bool {
    command.flags.intersects(flags)
        || (command.flags.contains(Flags::RUNS_QUEUED)
            && open_transaction::has_command(client, flags))
}

fn is_held_back(pause: &Pause, command: &Command, client: &Client) -> bool {
    const CHANGES: Flags = Flags::WRITE.with(Flags::MAY_REPLICATE);
    !pause.writes_only || does(command, client, CHANGES)
}

/// Whether waiting clients are not served for now: that changes data, and a pause forbids it, or
/// the disk may lack space for it.
pub(crate) fn is_serving_paused(state: &State) -> bool {
    let persistence = &state.persistence;
    state.pause.is_some()
        || persistence.refusal().is_some()
        || state.keyspace.effects.unsealed_bytes() as u64 > persistence.writable_bytes
}

/// Ends CLIENT PAUSE within a command. Ready keys are served after the command, as after any other, and
/// not now, since it may be part of a transaction.
pub(crate) fn lift_pause(state: &mut State) {
    state.pause = None;
    state.clients.unblock_paused();
}
