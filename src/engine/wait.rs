//! The only way to wait. A command that does not find what it wants calls [`begin`]; its request is
//! kept, and runs again when what it wants may be there (see `wake`). The wait ends with a reply, at
//! its deadline, by CLIENT UNBLOCK, or when the client disconnects.

use super::context::Context;
use super::{acknowledgement, timing};
use crate::client_id::ClientId;
use crate::clients::{Blocked, CloseReason, Wait, Wants};
use crate::keyspace::Line;
use crate::queueing;
use crate::resp::{Output, Request};
use crate::state::State;

/// Makes the call wait in the lines of these keys until `deadline_us`, in microseconds of the monotonic
/// clock, or forever. A call that has run again keeps its position in its lines, and its first
/// deadline.
pub(crate) fn begin<'a>(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    wants: Wants,
    keys: impl Iterator<Item = &'a [u8]>,
    deadline_us: Option<u64>,
) {
    debug_assert!(ctx.origin.may_wait());
    ctx.is_waiting = true;
    if ctx.origin.is_woken() {
        return;
    }
    let state = &mut *ctx.state;
    let ticket = state.next_ticket;
    state.next_ticket += 1;
    let line = line_for(&wants);
    let keys = keys.map(|key| state.keyspace.join_line(ctx.db, key, line, ticket, ctx.client));
    let keys = keys.collect();
    if let Some(deadline_us) = deadline_us {
        state.wait_deadlines.insert(deadline_us, ctx.client);
    }
    // A waiting request has no passwords, and the slow log shows all of it.
    let request = request.to_owned();
    let (db, command) = (ctx.db, ctx.found.index);
    let wait = Wait { wants, db, keys, ticket, deadline_us, request, command, took_us: 0 };
    state.clients.block(ctx.client, Blocked::Call(Box::new(wait)));
}

/// The line in which a call waits at its keys.
fn line_for(wants: &Wants) -> Line {
    match wants {
        Wants::Capacity { .. } => Line::Producers,
        Wants::Message | Wants::Replicas(_) | Wants::Save | Wants::Migration => Line::Waiters,
        Wants::Lease => Line::Leases,
        Wants::Move => Line::Movers,
        Wants::Value(awaited) => Line::Values(*awaited),
    }
}

/// Removes a client from all the lines in which it waits, and resumes its further input. Returns its
/// wait, if there was one.
pub(crate) fn stop(state: &mut State, client: ClientId) -> Option<Box<Wait>> {
    let wait = state.clients.unblock(client)?;
    leave_lines(state, client, &wait);
    Some(wait)
}

/// As `stop`, but a client held back by CLIENT PAUSE keeps its place among those.
fn stop_call(state: &mut State, client: ClientId) -> Option<Box<Wait>> {
    state.clients.get(client)?.wait()?;
    stop(state, client)
}

/// Removes a client from the lines of its wait.
pub(super) fn leave_lines(state: &mut State, client: ClientId, wait: &Wait) {
    if let Some(deadline_us) = wait.deadline_us {
        state.wait_deadlines.remove(deadline_us, client);
    }
    for key in &wait.keys {
        state.keyspace.leave_line(wait.db, key, line_for(&wait.wants), wait.ticket, client);
    }
}

/// Ends a client's wait at its deadline. Waiting for a message ends with a null array, for replicas
/// with the number of acknowledgements, for capacity with an error. Returns whether it waited: a client
/// held back by CLIENT PAUSE does not.
pub(crate) fn time_out(state: &mut State, client: ClientId) -> bool {
    let Some(wait) = stop_call(state, client) else { return false };
    match &wait.wants {
        Wants::Message | Wants::Lease | Wants::Move | Wants::Value(_) => {
            answer(state, client, &wait, false, Output::null_array);
        }
        Wants::Save => {
            let goes_on = b"ERR the save goes on: LASTSAVE and INFO show its end";
            answer(state, client, &wait, true, |reply| reply.error(goes_on));
        }
        Wants::Migration => {
            let failure = end_migration(state, client);
            answer(state, client, &wait, true, |reply| reply.error(failure.as_bytes()));
            state.stats.count_error(failure.as_bytes());
        }
        Wants::Replicas(wanted) => {
            let acknowledged = acknowledgement::of(state, client);
            let write = |reply: &mut Output| acknowledgement::write(reply, *wanted, acknowledged);
            answer(state, client, &wait, false, write);
        }
        Wants::Capacity { policy, messages } => {
            let full = queueing::refuse_waiting(
                &mut state.keyspace,
                (wait.db, wait.keys.first().map_or(&[], |key| key)),
                *messages,
                policy,
            );
            answer(state, client, &wait, true, |reply| reply.error(&full.to_bytes()));
        }
    }
    true
}

/// As `end_acknowledged`, at the end of a turn: a client that began to wait in it may want what is there already.
#[inline]
pub(crate) fn end_acknowledged_at_once(state: &mut State) {
    if state.clients.take_undecided_waits() {
        end_acknowledged(state);
    }
}

/// Replies to the clients whose latest change is now acknowledged as they wanted.
pub(crate) fn end_acknowledged(state: &mut State) {
    let waits = state.clients.acknowledgement_waits().iter().copied();
    let reached: Vec<_> =
        waits.filter_map(|client| acknowledgement::reached(state, client)).collect();
    for (client, wanted, acknowledged) in reached {
        if let Some(wait) = stop_call(state, client) {
            let write = |reply: &mut Output| acknowledgement::write(reply, wanted, acknowledged);
            answer(state, client, &wait, false, write);
        }
    }
}

/// Ends the migration of a client, without a reply. Returns the error for it.
fn end_migration(state: &mut State, client: ClientId) -> String {
    let Some(migration) = state.migrations.remove(client) else { return String::new() };
    if let Some(link) = migration.link() {
        state.clients.close(link, CloseReason::MigrationEnded);
    }
    migration.failure()
}

/// The migration of a client cannot go on. Returns whether it waited for that.
pub(crate) fn fail_migration(state: &mut State, client: ClientId) -> bool {
    let waits = state.clients.get(client).and_then(|client| client.wait());
    let is_its = waits.is_some_and(|wait| matches!(wait.wants, Wants::Migration));
    if is_its {
        return time_out(state, client);
    }
    end_migration(state, client);
    false
}

/// Ends a client's wait with an error. Returns whether it waited.
pub(crate) fn end_with_error(state: &mut State, client: ClientId, error: &[u8]) -> bool {
    let Some(wait) = stop_call(state, client) else { return false };
    answer(state, client, &wait, true, |reply| reply.error(error));
    state.stats.count_error(error);
    true
}

/// Ends a client's wait for a save, unless it ended before.
pub(crate) fn end_save(state: &mut State, client: ClientId, result: &Result<(), String>) {
    let waits = state.clients.get(client).and_then(|client| client.wait());
    if !waits.is_some_and(|wait| matches!(wait.wants, Wants::Save)) {
        return;
    }
    let Some(wait) = stop_call(state, client) else { return };
    match result {
        Ok(()) => answer(state, client, &wait, false, Output::ok),
        Err(reason) => {
            let error = format!("ERR The data could not be saved: {reason}");
            answer(state, client, &wait, true, |reply| reply.error(error.as_bytes()));
            state.stats.count_error(error.as_bytes());
        }
    }
}

fn answer(
    state: &mut State,
    client: ClientId,
    wait: &Wait,
    has_failed: bool,
    write: impl FnOnce(&mut Output),
) {
    state.clients.answer(client, write);
    timing::end_wait(state, client, wait, 0, has_failed);
}
