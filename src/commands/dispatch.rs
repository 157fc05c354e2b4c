//! The way of one request: look-up, gates, run, and what follows from it.

use super::gates::{self, Gate};
use super::{blocking, governed, monitor, secrets, timing, transaction};
use crate::client_id::ClientId;
use crate::clients::{CloseReason, ReplyMode};
use crate::clock::Now;
use crate::engine::{Command, CommandError, Context, Flags, Found, Origin, Table};
use crate::resp::{Output, OutputMark, OwnedRequest, Request};
use crate::state::{State, add_expired};

/// Runs one request, whose first word names what was `named` in the table, and writes its reply; false
/// if a pause holds it back, or there may be no space for it, to be tried again.
pub fn dispatch(
    state: &mut State,
    table: &'static Table,
    named: Option<Found>,
    id: ClientId,
    request: &Request<'_>,
    reply: &mut Output,
    now: Now,
) -> bool {
    let mark = reply.mark();
    let found = match find(table, named, request) {
        Ok(found) => found,
        Err(error) => {
            if is_cross_protocol_scripting(request.name()) {
                state.clients.close(id, CloseReason::CrossProtocolScripting);
                return true;
            }
            if let Some(client) = state.clients.get_mut(id) {
                client.last_command = None;
            }
            reject(state, id, None, error, reply);
            mute(state, id, reply, mark);
            return true;
        }
    };
    let mut mark = mark;
    let gate = gates::pass(state, id, found.command, request.len());
    match gate.and_then(|gate| gates::mind_space(state, id, found.command, request, gate)) {
        Ok(Gate::Run { db, notes_use }) => {
            state.keyspace.set_use_time(now, notes_use);
            let command = found.command;
            let mut ctx = Context {
                state,
                client: id,
                db,
                now,
                reply,
                origin: Origin::Client,
                command,
                table,
            };
            call(&mut ctx, found, request);
            follow_up(state);
            if confirms_subscription(found.command) {
                mark = reply.mark();
            }
        }
        Ok(Gate::Queue) => transaction::queue(state, id, found.command, request, reply),
        Ok(Gate::Wait) => return false,
        Err(error) => reject(state, id, Some(found), error, reply),
    }
    finish_reply(state, id, reply, mark);
    true
}

/// An empty request: it is no command, but to CLIENT REPLY SKIP it counts as one.
pub fn pass_over(state: &mut State, id: ClientId) {
    if let Some(client) = state.clients.get_mut(id)
        && client.reply_mode == ReplyMode::Skip
    {
        client.reply_mode = ReplyMode::On;
    }
}

/// Finds the command or subcommand that a request names and checks the number of arguments.
pub(super) fn look_up(table: &'static Table, request: &Request<'_>) -> Result<Found, CommandError> {
    let found = find(table, table.find(request.name()), request)?;
    if !found.command.accepts(request.len()) {
        return Err(CommandError::Arity(found.command.name.to_string()));
    }
    Ok(found)
}

/// The command or subcommand that a request names, whose first word names what was `named`.
#[inline(always)]
fn find(
    table: &'static Table,
    named: Option<Found>,
    request: &Request<'_>,
) -> Result<Found, CommandError> {
    match named {
        Some(found) if found.command.subcommands.is_empty() => Ok(found),
        Some(container) => find_subcommand(table, container, request),
        None => Err(unknown_command(request)),
    }
}

/// A container without a subcommand is a command too.
#[cold]
fn find_subcommand(
    table: &'static Table,
    container: Found,
    request: &Request<'_>,
) -> Result<Found, CommandError> {
    let Some(name) = request.get(1) else { return Ok(container) };
    let found = table.find_subcommand(container, name);
    found.ok_or_else(|| unknown_subcommand(container.command, name))
}

/// Redis shows at most this much of the name and of the arguments.
const SHOWN_BYTES_MAX: usize = 128;

#[cold]
fn unknown_command(request: &Request<'_>) -> CommandError {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(shown(request.name(), SHOWN_BYTES_MAX));
    text.extend_from_slice(b"', with args beginning with: ");
    let mut args = Vec::new();
    for arg in request.args_from(1) {
        if args.len() >= SHOWN_BYTES_MAX {
            break;
        }
        args.push(b'\'');
        args.extend_from_slice(shown(arg, SHOWN_BYTES_MAX - (args.len() - 1)));
        args.extend_from_slice(b"' ");
    }
    text.extend_from_slice(&args);
    CommandError::Bytes(text)
}

#[cold]
fn unknown_subcommand(container: &Command, name: &[u8]) -> CommandError {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(shown(name, SHOWN_BYTES_MAX));
    let upper = container.name.to_ascii_uppercase();
    text.extend_from_slice(format!("'. Try {upper} HELP.").as_bytes());
    CommandError::Bytes(text)
}

/// As much of an argument as C's `%.*s` shows: to the first NUL.
fn shown(arg: &[u8], bytes_max: usize) -> &[u8] {
    let end = arg.iter().position(|&byte| byte == 0).unwrap_or(arg.len());
    &arg[..end.min(bytes_max)]
}

fn is_cross_protocol_scripting(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Answers a command that is not run; within a transaction EXEC will refuse. An EXEC that is
/// not run ends the transaction, and its error says so.
fn reject(
    state: &mut State,
    id: ClientId,
    found: Option<Found>,
    error: CommandError,
    reply: &mut Output,
) {
    transaction::abort(state, id);
    if let Some(found) = found {
        state.stats.command(found.index).rejected += 1;
        if found.command.flags.contains(Flags::RUNS_QUEUED) {
            transaction::forget(state, id);
            let bytes = error.to_bytes();
            let reason = bytes.strip_prefix(b"ERR ").unwrap_or(&bytes);
            let mut text = b"EXECABORT Transaction discarded because of: ".to_vec();
            text.extend_from_slice(reason);
            return write_error(state, &CommandError::Bytes(text), reply);
        }
    }
    write_error(state, &error, reply);
}

fn write_error(state: &mut State, error: &CommandError, reply: &mut Output) {
    let bytes = error.to_bytes();
    state.stats.count_error(&bytes);
    reply.error(&bytes);
}

/// Whether a command is answered by pushes, which CLIENT REPLY does not concern.
fn confirms_subscription(command: &Command) -> bool {
    const SUBSCRIBES: Flags = Flags::PUBSUB.with(Flags::NOSCRIPT);
    command.flags.contains(SUBSCRIBES)
}

/// Takes back a reply that the client does not want. Messages that the command sent to its own client
/// come after its reply.
#[inline]
fn finish_reply(state: &mut State, id: ClientId, reply: &mut Output, mark: OutputMark) {
    let Some(client) = state.clients.get(id) else { return };
    if client.reply_mode != ReplyMode::On || !client.output().is_empty() {
        mute(state, id, reply, mark);
        state.clients.collect_pushed(id, reply);
    }
}

/// Takes back a reply that the client does not want (CLIENT REPLY).
#[cold]
fn mute(state: &mut State, id: ClientId, reply: &mut Output, mark: OutputMark) {
    let Some(client) = state.clients.get_mut(id) else { return };
    match client.reply_mode {
        ReplyMode::On => {}
        ReplyMode::Off => reply.truncate(mark),
        ReplyMode::SkipNext => {
            client.reply_mode = ReplyMode::Skip;
            reply.truncate(mark);
        }
        // Who waits has not been answered yet: `Clients::answer` drops that reply.
        ReplyMode::Skip if client.blocked.is_some() => {}
        ReplyMode::Skip => {
            client.reply_mode = ReplyMode::On;
            reply.truncate(mark);
        }
    }
}

/// A command that takes so long is noticed where lives are measured.
const LONG_US: u64 = 1000;

/// Lets time pass by as much as a command took, before others are served by it.
#[cold]
fn pass_time(state: &mut State, took_us: u64) {
    state.keyspace.pass_time(took_us);
    let now_ms = state.keyspace.queue_ms();
    if state.keyspace.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
        governed::do_chores(state);
    }
}

/// Runs a command that may run, for a client or for EXEC: the reply, the counters, the slow log.
pub(super) fn call(ctx: &mut Context<'_>, found: Found, request: &Request<'_>) {
    let command = found.command;
    let begun_us = timing::begin_call(ctx.state, found, request.len());
    let waiting_before = ctx.state.clients.blocked_count();
    let changes_before = ctx.state.keyspace.changes();
    ctx.state.effects.begin_command();
    let result = match command.run {
        Some(run) => run(ctx, request),
        None => Err(CommandError::Arity(command.name.to_string())),
    };
    if ctx.state.effects.is_on() && ctx.state.keyspace.changes() != changes_before {
        add_effect(ctx, request);
        ctx.state.clients.note_change(ctx.client);
    }
    ctx.state.stats.commands_processed += 1;
    if ctx.state.clients.blocked_count() > waiting_before {
        timing::begin_wait(ctx.state, ctx.client, found, request, begun_us);
    } else {
        end_call(ctx, found, request, result, begun_us);
    }
    if !ctx.state.monitors.is_empty() && !command.flags.intersects(NOT_MONITORED) {
        let hidden = secrets::hide(command, request);
        let shown = hidden.as_ref().map_or(*request, OwnedRequest::as_request);
        monitor::feed(ctx, &shown);
    }
}

/// Counts a call that has been answered, or is with its error.
#[inline(always)]
fn end_call(
    ctx: &mut Context<'_>,
    found: Found,
    request: &Request<'_>,
    result: Result<(), CommandError>,
    begun_us: Option<u64>,
) {
    let took_us = timing::end_call(ctx.state, found.index, begun_us);
    let stats = ctx.state.stats.command(found.index);
    stats.calls += 1;
    if let Err(error) = result {
        stats.failed += 1;
        write_error(ctx.state, &error, ctx.reply);
    }
    if let Some(took_us) = took_us {
        end_single(ctx, found, request, took_us);
    }
}

/// What follows from the time that a call took: nothing of it concerns a small one in a pipeline.
#[inline(never)]
fn end_single(ctx: &mut Context<'_>, found: Found, request: &Request<'_>, took_us: u64) {
    let is_fast = found.command.flags.contains(Flags::FAST);
    let event = if is_fast { "fast-command" } else { "command" };
    timing::note_slow(ctx.state, ctx.client, found.command, request, took_us);
    timing::note_latency(ctx.state, event, took_us);
    // Those of an EXEC are part of its time.
    if took_us >= LONG_US && !ctx.origin.is_exec() {
        pass_time(ctx.state, took_us);
    }
}

/// Adds a request that changed something to the effects, unless its command has stated what it
/// became.
fn add_effect(ctx: &mut Context<'_>, request: &Request<'_>) {
    let State { keyspace, effects, .. } = &mut *ctx.state;
    // EXEC itself changes nothing: its commands have been added one by one.
    if !effects.is_stated() && ctx.command.flags.contains(Flags::WRITE) {
        add_expired(keyspace, effects);
        effects.add(ctx.db, request.args());
    }
    governed::note_stamped(keyspace, effects);
}

/// What administrators do is not for everybody who may watch.
const NOT_MONITORED: Flags = Flags::SKIP_MONITOR.with(Flags::ADMIN);

/// After a command outside EXEC, or a whole EXEC: watches that the changes broke, and clients
/// that wait for what came.
#[inline(always)]
pub fn follow_up(state: &mut State) {
    add_expired(&mut state.keyspace, &mut state.effects);
    if state.keyspace.has_signals() {
        follow_signals(state);
    }
}

fn follow_signals(state: &mut State) {
    transaction::break_watches(state);
    // What consumers take makes room, and what producers push is for consumers.
    if !gates::is_serving_paused(state) {
        while state.keyspace.has_signals() {
            blocking::serve_ready_keys(state);
            governed::serve_producers(state);
            transaction::break_watches(state);
        }
    }
}
