//! An open transaction: commands queued for EXEC, and watched keys.

use super::command::Command;
use crate::client_id::ClientId;
use crate::clients::{Client, Transaction};
use crate::flags::Flags;
use crate::resp::{Output, Request};
use crate::state::State;

/// Queues a command for EXEC.
pub(crate) fn queue(
    state: &mut State,
    id: ClientId,
    command: &Command,
    request: &Request<'_>,
    reply: &mut Output,
) {
    let Some(client) = state.clients.get_mut(id) else { return };
    let transaction = client.transaction.get_or_insert_default();
    // After an error EXEC will fail: the rest need not be kept, as in Redis.
    if !transaction.is_aborted && !transaction.is_watch_broken {
        transaction.flags = transaction.flags | command.flags;
        let request = request.to_owned();
        transaction.queued_bytes += request.memory_bytes();
        transaction.queued.push(request);
    }
    reply.simple("QUEUED");
}

/// Marks the client's transaction, if one is open, as failed: a command was refused.
pub(crate) fn abort(state: &mut State, id: ClientId) {
    if let Some(client) = state.clients.get_mut(id)
        && let Some(transaction) = &mut client.transaction
        && transaction.is_open
    {
        transaction.is_aborted = true;
    }
}

/// Whether one of the client's queued commands has any of these flags.
pub(crate) fn has_command(client: &Client, flags: Flags) -> bool {
    client.transaction.as_ref().is_some_and(|transaction| transaction.flags.intersects(flags))
}

/// Ends a client's transaction and watches, and returns them.
pub(crate) fn end(state: &mut State, id: ClientId) -> Option<Box<Transaction>> {
    let transaction = state.clients.get_mut(id)?.transaction.take()?;
    for (db, key) in &transaction.watched {
        state.keyspace.unwatch(*db, key, id);
    }
    Some(transaction)
}

/// Drops a client's transaction and watches (RESET, the end of the connection).
pub(crate) fn forget(state: &mut State, id: ClientId) {
    end(state, id);
}

/// Marks the transactions of clients whose watched keys have changed.
pub(crate) fn break_watches(state: &mut State) {
    for id in state.keyspace.take_broken_watches() {
        if let Some(client) = state.clients.get_mut(id)
            && let Some(transaction) = &mut client.transaction
        {
            transaction.is_watch_broken = true;
        }
    }
}
