//! The consequences of a change, made by a command or by time: watches break, and clients that wait for
//! the change are served, the longest wait first. A waiting request runs again as if it came now, but
//! looks only at the key that is ready.

use super::access::{self, Attempt};
use super::call;
use super::context::Context;
use super::meanwhile::Nobody;
use super::origin::Origin;
use super::table::Table;
use super::{gates, open_transaction, timing, wait};
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::keyspace::{DbIndex, Key};
use crate::state::State;

/// Called after a command outside EXEC, after a whole EXEC, or after time has changed something.
#[inline(always)]
pub(crate) fn follow_up(state: &mut State, table: &'static Table, now: Now) {
    if state.keyspace.has_signals() {
        follow_signals(state, table, now);
    }
}

fn follow_signals(state: &mut State, table: &'static Table, now: Now) {
    if state.busy_script.is_some() {
        // After the script.
        return;
    }
    open_transaction::break_watches(state);
    // Consumers free capacity for producers, and producers push messages for consumers.
    if !gates::is_serving_paused(state) {
        while state.keyspace.has_signals() {
            serve_consumers(state, table, now);
            serve_producers(state, table, now);
            open_transaction::break_watches(state);
        }
    }
}

/// Ends CLIENT PAUSE when its time is over: paused commands run, ready keys are served.
pub(crate) fn end_pause(state: &mut State, table: &'static Table, now: Now) {
    gates::lift_pause(state);
    follow_up(state, table, now);
}

/// Serves the clients in line at keys that got messages, or may deliver more, until none can be served.
/// Moving a message may make another key ready, which is then served too.
fn serve_consumers(state: &mut State, table: &'static Table, now: Now) {
    loop {
        let ready = state.keyspace.take_ready();
        if ready.is_empty() {
            return;
        }
        for (db, key) in ready {
            let mut last = None;
            while let Some((ticket, client)) = state.keyspace.next_to_serve(db, &key, last) {
                last = Some(ticket);
                run_again(state, table, client, &key, now);
            }
            let mut last = None;
            while let Some((place, client)) = state.keyspace.next_for_value(db, &key, last) {
                let was_served = run_again(state, table, client, &key, now);
                last = Some(place.after(was_served));
            }
        }
    }
}

/// Serves the producers in line at queues that may have capacity; each line up to the first producer
/// whose push still does not fit.
fn serve_producers(state: &mut State, table: &'static Table, now: Now) {
    for (db, key) in state.keyspace.take_capacity_changed() {
        serve_line(state, table, (db, &key), now);
    }
}

fn serve_line(state: &mut State, table: &'static Table, (db, key): (DbIndex, &Key), now: Now) {
    while let Some((_, client)) = state.keyspace.first_producer(db, key) {
        if !run_again(state, table, client, key, now) {
            return;
        }
    }
}

/// Something that a client waits for, and that belongs to no line, is there: its call runs again.
pub(crate) fn resume(state: &mut State, table: &'static Table, client: ClientId, now: Now) {
    run_again(state, table, client, &[], now);
    follow_up(state, table, now);
}

/// Runs a waiting client's call again, now that this key may have what it wants. Returns false if it
/// still waits. A client that is about to be closed gets nothing: its wait ends.
fn run_again(
    state: &mut State,
    table: &'static Table,
    client: ClientId,
    key: &[u8],
    now: Now,
) -> bool {
    if state.clients.get(client).is_none_or(|client| client.closing.is_some()) {
        wait::stop(state, client);
        return true;
    }
    let Some(waiting) = state.clients.take_wait(client) else { return true };
    let begun_us = state.host.monotonic_us();
    let mut reply = state.clients.spare_output(client);
    let found = table.at(waiting.command);
    let mut ctx = Context {
        state,
        client,
        db: waiting.db,
        now,
        reply: &mut reply,
        origin: Origin::Woken,
        ready_key: Some(key),
        is_waiting: false,
        found,
        table,
        meanwhile: &mut Nobody,
    };
    let request = waiting.request.as_request();
    // The rights of its user may have changed since it began to wait.
    let attempt = Attempt { found, request: &request };
    let result = match access::check(ctx.state, client, &attempt, None, now) {
        Ok(()) => call::run(&mut ctx, &request),
        Err(refusal) => Err(access::error(ctx.state, client, &attempt, refusal)),
    };
    if ctx.is_waiting {
        debug_assert!(reply.is_empty(), "a waiting call has a reply");
        state.clients.report_nothing();
        state.clients.keep_spare_output(reply);
        state.clients.put_wait_back(client, waiting);
        return false;
    }
    let has_failed = result.is_err();
    if let Err(error) = result {
        call::write_error(state, &error, &mut reply);
    }
    state.clients.end_block(client);
    wait::leave_lines(state, client, &waiting);
    state.stats.write_acks_held += u64::from(state.clients.is_report_due());
    state.clients.answer(client, |output| output.append(&mut reply));
    state.clients.keep_spare_output(reply);
    let took_us = state.host.monotonic_us().saturating_sub(begun_us);
    timing::end_wait(state, client, &waiting, took_us, has_failed);
    true
}
