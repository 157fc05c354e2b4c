//! What stands between a command and its run, in Redis' order: the number of arguments,
//! protection, authentication, memory, the disk, the subscriber's restricted mode, loading, the
//! pause, the open transaction.

use super::command::Command;
use super::open_transaction;
use crate::client_id::ClientId;
use crate::clients::{Blocked, Client};
use crate::command_error::CommandError;
use crate::flags::Flags;
use crate::keyspace::DbIndex;
use crate::persistence::Persistence;
use crate::resp::{Protocol, Request};
use crate::settings::LocalAccess;
use crate::state::{Pause, State};

/// What to do with a command that nothing forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Run it in this database, and note that it uses its keys, or not.
    Run { db: DbIndex, marks_use: bool },
    /// Keep it for EXEC.
    Queue,
    /// Try again after the pause.
    Wait,
}

const NO_AUTH: CommandError = CommandError::text("NOAUTH Authentication required.");
const LOADING: CommandError = CommandError::text("LOADING Redis is loading the dataset in memory");
const OUT_OF_MEMORY: CommandError =
    CommandError::text("OOM command not allowed when used memory > 'maxmemory'.");

/// Whether a command of `len` arguments, its name included, may run now.
pub(crate) fn pass(
    state: &mut State,
    id: ClientId,
    command: &'static Command,
    len: usize,
) -> Result<Gate, CommandError> {
    let used_bytes = state.used_bytes() as u64;
    let State { settings, clients, pause, persistence, .. } = state;
    // Nothing is run for who has gone.
    let Some(client) = clients.get_mut(id) else { return Ok(Gate::Wait) };
    // Also of a command that is refused, queued or held back, as CLIENT LIST in Redis shows it.
    client.last_command = Some(command.name);
    if !command.accepts(len) {
        return Err(CommandError::Arity(command.name.to_string()));
    }
    let flags = command.flags;
    let in_transaction = client.is_in_transaction();
    if flags.contains(Flags::PROTECTED) {
        let is_allowed = match settings.enable_debug_command {
            LocalAccess::Yes => true,
            LocalAccess::Local => client.peer.is_local(),
            LocalAccess::No => false,
        };
        if !is_allowed {
            return Err(protected());
        }
    }
    if client.must_authenticate(&settings.requirepass) && !flags.contains(Flags::NO_AUTH) {
        return Err(NO_AUTH);
    }
    if in_transaction && flags.contains(Flags::NO_MULTI) {
        return Err(CommandError::text("ERR Command not allowed inside a transaction"));
    }
    if settings.maxmemory_bytes > 0
        && used_bytes > settings.maxmemory_bytes
        && takes_memory(command, client)
    {
        return Err(OUT_OF_MEMORY);
    }
    if persistence.refusal().is_some() && is_write(command, client) {
        refuse_unwritable(persistence)?;
    }
    if client.is_subscriber()
        && client.outbox().protocol() == Protocol::Resp2
        && !flags.contains(Flags::FOR_SUBSCRIBERS)
    {
        return Err(restricted(command.name));
    }
    if persistence.loading.is_some() && !flags.contains(Flags::LOADING) {
        return Err(LOADING);
    }
    if let Some(pause) = *pause
        && is_held_back(&pause, command, client)
    {
        clients.block(id, Blocked::Pause);
        return Ok(Gate::Wait);
    }
    if in_transaction && !flags.contains(Flags::NEVER_QUEUED) {
        return Ok(Gate::Queue);
    }
    Ok(Gate::Run { db: client.db, marks_use: !client.no_touch })
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

/// Whether a command must be refused when no memory is left. That goes for all that a
/// transaction would queue: the queue itself takes memory.
fn takes_memory(command: &Command, client: &Client) -> bool {
    does(command, client, Flags::DENYOOM)
        || (client.is_in_transaction() && !command.flags.contains(Flags::ENDS_TRANSACTION))
}

/// Whether a command is refused while nothing can be written: it changes data, which would be
/// lost. PING too, as in Redis, so that whoever watches over the server notices.
fn is_write(command: &Command, client: &Client) -> bool {
    does(command, client, Flags::WRITE.with(Flags::PROBES))
}

/// Refuses a change that could not be written down.
///
/// # Errors
/// The append files cannot be written to.
pub(crate) fn refuse_unwritable(persistence: &Persistence) -> Result<(), CommandError> {
    persistence.refusal().map_or(Ok(()), |reason| Err(unwritable(reason)))
}

fn unwritable(reason: &str) -> CommandError {
    CommandError::from(format!("MISCONF Errors writing to the AOF file: {reason}"))
}

/// Bytes that an argument, and a request, may take in the append files besides its own.
const ARGUMENT_BYTES: u64 = 64;
const REQUEST_BYTES: u64 = 1024;

/// Lets a command that changes data run only if what it writes is sure to find space on the disk. Else
/// it waits for the end of the turn, when the journal looks for some.
///
/// # Errors
/// There was none.
#[inline]
pub(crate) fn mind_space(
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
        Some(client) if does(command, client, Flags::WRITE) => {
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

/// Whether a command has any of these flags, or is an EXEC of one that has.
fn does(command: &Command, client: &Client, flags: Flags) -> bool {
    command.flags.intersects(flags)
        || (command.flags.contains(Flags::RUNS_QUEUED)
            && open_transaction::has_command(client, flags))
}

fn is_held_back(pause: &Pause, command: &Command, client: &Client) -> bool {
    const CHANGES: Flags = Flags::WRITE.with(Flags::MAY_REPLICATE);
    !pause.writes_only || does(command, client, CHANGES)
}

/// Whether waiting clients are left alone for now: serving them changes data, which a pause forbids, or
/// for which there may be no space.
pub(crate) fn is_serving_paused(state: &State) -> bool {
    let persistence = &state.persistence;
    state.pause.is_some()
        || persistence.refusal().is_some()
        || state.keyspace.effects.unsealed_bytes() as u64 > persistence.writable_bytes
}

/// Ends CLIENT PAUSE within a command, after which ready keys are served as after any other:
/// not before, since it may be one of a transaction.
pub(crate) fn lift_pause(state: &mut State) {
    state.pause = None;
    state.clients.unblock_paused();
}
