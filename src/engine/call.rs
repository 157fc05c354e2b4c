//! Runs a command that has passed the gates, for a client or for EXEC: the reply, the effects, the
//! counters, the slow log, the monitors.

use super::context::Context;
use super::timing::Timed;
use super::{monitor, secrets, timing, write_gate};
use crate::command_error::CommandError;
use crate::flags::Flags;
use crate::queueing::{self, Queues};
use crate::resp::{Output, OwnedRequest, Request};
use crate::state::State;

/// Not shown to monitors. Not every client that may monitor should see commands of administrators.
const NOT_MONITORED: Flags = Flags::SKIP_MONITOR.with(Flags::ADMIN);

/// Runs a command that has passed the gates, for a client or for EXEC: the reply, the counters, the
/// slow log, the monitors.
#[inline(always)]
pub(crate) fn call(ctx: &mut Context<'_>, request: &Request<'_>) {
    let command = ctx.found.command;
    let timed = if ctx.origin.is_script() {
        timing::begin_call_of_script(ctx.state, ctx.found, request.len())
    } else {
        timing::begin_call(ctx.state, ctx.found, request.len())
    };
    let result = run(ctx, request);
    ctx.state.stats.commands_processed += 1;
    if ctx.is_waiting {
        timing::begin_wait(ctx.state, ctx.client, timed);
    } else {
        end_call(ctx, request, result, timed);
    }
    if !ctx.state.monitors.is_empty() && !command.flags.intersects(NOT_MONITORED) {
        let hidden = secrets::hide(command, request);
        let shown = hidden.as_ref().map_or(*request, OwnedRequest::as_request);
        monitor::feed(ctx, &shown);
    }
}

/// Runs a command, and records its changes as effects.
#[inline(always)]
pub(super) fn run(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let command = ctx.found.command;
    let changes_before = ctx.state.keyspace.changes();
    ctx.state.keyspace.effects.begin_command();
    let result = match command.run {
        Some(run) => run(ctx, request),
        None => Err(CommandError::Arity(command.name.to_string())),
    };
    if ctx.state.keyspace.changes() != changes_before {
        let is_recorded = ctx.state.keyspace.effects.is_on();
        if is_recorded {
            add_effect(ctx, request);
        }
        if ctx.state.needs_replicas() {
            write_gate::mark_change(ctx, request);
        } else if is_recorded {
            ctx.state.clients.mark_change(ctx.client);
        }
    }
    result
}

/// Counts a call that has written its reply, or writes its error as the reply.
#[inline(always)]
fn end_call(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    result: Result<(), CommandError>,
    timed: Timed,
) {
    let index = ctx.found.index;
    let took_us = timing::end_call(ctx.state, index, timed);
    let stats = ctx.state.stats.command(index);
    stats.calls += 1;
    if let Err(error) = result {
        stats.failed += 1;
        write_error(ctx.state, &error, ctx.reply);
    }
    if let Some(took_us) = took_us {
        end_single(ctx, request, took_us);
    }
}

/// Uses the time of a call that was timed individually, unlike small ones in a pipeline.
#[inline(never)]
fn end_single(ctx: &mut Context<'_>, request: &Request<'_>, took_us: u64) {
    let command = ctx.found.command;
    let is_fast = command.flags.contains(Flags::FAST);
    let event = if is_fast { "fast-command" } else { "command" };
    timing::record_slow(ctx.state, ctx.client, command, request, took_us);
    timing::record_latency(ctx.state, event, took_us);
    // The times of an EXEC's commands are part of its own.
    if took_us >= LONG_US && !ctx.origin.is_exec() {
        pass_time(ctx.state, took_us);
    }
}

/// Adds a request that changed something to the effects, unless its command has recorded the change
/// itself.
fn add_effect(ctx: &mut Context<'_>, request: &Request<'_>) {
    let keyspace = &mut ctx.state.keyspace;
    // EXEC itself changes nothing: its commands were added one by one.
    if !keyspace.effects.is_recorded() && ctx.found.command.flags.contains(Flags::WRITE) {
        keyspace.effects.add(ctx.db, request.args());
    }
    Queues::new(keyspace).record_stamps();
}

/// A command that takes at least this long advances the time that TTLs are measured in.
const LONG_US: u64 = 1000;

/// Advances the time by a command's duration before other clients are served at the new time.
#[cold]
fn pass_time(state: &mut State, took_us: u64) {
    state.keyspace.pass_time(took_us);
    let now_ms = state.keyspace.queue_ms();
    if state.keyspace.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
        queueing::do_chores(state);
    }
}

pub(crate) fn write_error(state: &mut State, error: &CommandError, reply: &mut Output) {
    let bytes = error.to_bytes();
    state.stats.count_error(&bytes);
    reply.error(&bytes);
}
