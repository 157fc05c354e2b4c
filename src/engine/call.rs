//! Running a command that may run, for a client or for EXEC: the reply, the effects, the counters, the slow
//! log, the monitors.

use super::context::Context;
use super::{monitor, secrets, timing};
use crate::command_error::CommandError;
use crate::flags::Flags;
use crate::queueing::{self, Queues};
use crate::resp::{Output, OwnedRequest, Request};
use crate::state::State;

/// What administrators do is not for everybody who may watch.
const NOT_MONITORED: Flags = Flags::SKIP_MONITOR.with(Flags::ADMIN);

/// Runs a command that may run, for a client or for EXEC: the reply, the counters, the slow log.
pub(crate) fn call(ctx: &mut Context<'_>, request: &Request<'_>) {
    let command = ctx.found.command;
    let begun_us = timing::begin_call(ctx.state, ctx.found, request.len());
    let result = run(ctx, request);
    ctx.state.stats.commands_processed += 1;
    if ctx.is_waiting {
        timing::begin_wait(ctx.state, ctx.client, begun_us);
    } else {
        end_call(ctx, request, result, begun_us);
    }
    if !ctx.state.monitors.is_empty() && !command.flags.intersects(NOT_MONITORED) {
        let hidden = secrets::hide(command, request);
        let shown = hidden.as_ref().map_or(*request, OwnedRequest::as_request);
        monitor::feed(ctx, &shown);
    }
}

/// Runs a command, and adds what it changes to the effects.
#[inline(always)]
pub(super) fn run(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let command = ctx.found.command;
    let changes_before = ctx.state.keyspace.changes();
    ctx.state.keyspace.effects.begin_command();
    let result = match command.run {
        Some(run) => run(ctx, request),
        None => Err(CommandError::Arity(command.name.to_string())),
    };
    if ctx.state.keyspace.effects.is_on() && ctx.state.keyspace.changes() != changes_before {
        add_effect(ctx, request);
        ctx.state.clients.mark_change(ctx.client);
    }
    result
}

/// Counts a call that has been answered, or is with its error.
#[inline(always)]
fn end_call(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    result: Result<(), CommandError>,
    begun_us: Option<u64>,
) {
    let index = ctx.found.index;
    let took_us = timing::end_call(ctx.state, index, begun_us);
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

/// What follows from the time that a call took: nothing of it concerns a small one in a pipeline.
#[inline(never)]
fn end_single(ctx: &mut Context<'_>, request: &Request<'_>, took_us: u64) {
    let command = ctx.found.command;
    let is_fast = command.flags.contains(Flags::FAST);
    let event = if is_fast { "fast-command" } else { "command" };
    timing::record_slow(ctx.state, ctx.client, command, request, took_us);
    timing::record_latency(ctx.state, event, took_us);
    // Those of an EXEC are part of its time.
    if took_us >= LONG_US && !ctx.origin.is_exec() {
        pass_time(ctx.state, took_us);
    }
}

/// Adds a request that changed something to the effects, unless its command has stated what it
/// became.
fn add_effect(ctx: &mut Context<'_>, request: &Request<'_>) {
    let keyspace = &mut ctx.state.keyspace;
    // EXEC itself changes nothing: its commands have been added one by one.
    if !keyspace.effects.is_recorded() && ctx.found.command.flags.contains(Flags::WRITE) {
        keyspace.effects.add(ctx.db, request.args());
    }
    Queues::new(keyspace).record_stamps();
}

/// A command that takes so long is noticed where lives are measured.
const LONG_US: u64 = 1000;

/// Lets time pass by as much as a command took, before others are served by it.
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
