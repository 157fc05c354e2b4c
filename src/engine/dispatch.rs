//! The path of one request: look-up, gates, call and its consequences, or the error.

use super::auth_delay;
use super::call::{call, write_error};
use super::command::Command;
use super::context::Context;
use super::gates::{self, Gate};
use super::look_up::find;
use super::meanwhile::Meanwhile;
use super::open_transaction;
use super::origin::Origin;
use super::role;
use super::table::{Found, Table};
use super::wake::follow_up;
use super::write_gate;
use crate::client_id::ClientId;
use crate::clients::{CloseReason, ReplyMode};
use crate::clock::Now;
use crate::command_error::CommandError;
use crate::flags::Flags;
use crate::resp::{Output, OutputMark, Request};
use crate::state::State;

/// Runs one request and writes its reply. `named` is the table's entry for its first word. Returns
/// false if the request must be tried again: a pause or wrong passwords hold it back, or there may be no
/// space for it.
pub(crate) fn dispatch(
    state: &mut State,
    (table, named): (&'static Table, Option<Found>),
    id: ClientId,
    request: &Request<'_>,
    reply: &mut Output,
    now: Now,
    meanwhile: &mut dyn Meanwhile,
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
    let gate = gates::pass(state, id, found, request, now);
    match gate.and_then(|gate| gates::check_space(state, id, found.command, request, gate)) {
        Ok(Gate::Run { .. })
            if found.command.flags.contains(Flags::NO_AUTH)
                && auth_delay::holds_back(state, id, found.command, request, now) =>
        {
            return false;
        }
        Ok(Gate::Run { db, marks_use }) => {
            state.keyspace.set_use_time(now, marks_use);
            let mut ctx = Context {
                state,
                client: id,
                db,
                now,
                reply,
                origin: Origin::Client,
                ready_key: None,
                is_waiting: false,
                found,
                table,
                meanwhile,
            };
            call(&mut ctx, request);
            if state.clients.is_report_due() {
                write_gate::report(state, id, reply, mark);
            }
            follow_up(state, table, now);
            if state.replication.next_role.is_some() {
                role::change(state, now);
            }
            if confirms_subscription(found.command) {
                mark = reply.mark();
            }
        }
        Ok(Gate::Queue) => open_transaction::queue(state, id, found.command, request, reply),
        Ok(Gate::Wait) => return false,
        Err(error) => reject(state, id, Some(found), error, reply),
    }
    finish_reply(state, id, reply, mark);
    true
}

/// Skips an empty request. It is not a command, but counts as one for CLIENT REPLY SKIP.
pub(crate) fn pass_over(state: &mut State, id: ClientId) {
    if let Some(client) = state.clients.get_mut(id)
        && client.reply_mode == ReplyMode::Skip
    {
        client.reply_mode = ReplyMode::On;
    }
}

fn is_cross_protocol_scripting(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Replies with an error to a command that is not run; in a transaction, EXEC will fail. An EXEC that
/// is not run ends the transaction, and its error says so.
fn reject(
    state: &mut State,
    id: ClientId,
    found: Option<Found>,
    error: CommandError,
    reply: &mut Output,
) {
    open_transaction::abort(state, id);
    if let Some(found) = found {
        state.stats.command(found.index).rejected += 1;
        if found.command.flags.contains(Flags::RUNS_QUEUED) {
            open_transaction::forget(state, id);
            let bytes = error.to_bytes();
            let reason = bytes.strip_prefix(b"ERR ").unwrap_or(&bytes);
            let mut text = b"EXECABORT Transaction discarded because of: ".to_vec();
            text.extend_from_slice(reason);
            return write_error(state, &CommandError::Bytes(text), reply);
        }
    }
    write_error(state, &error, reply);
}

/// Whether a command's replies are pushes, to which CLIENT REPLY does not apply.
fn confirms_subscription(command: &Command) -> bool {
    const SUBSCRIBES: Flags = Flags::PUBSUB.with(Flags::NOSCRIPT);
    command.flags.contains(SUBSCRIBES)
}

/// Removes a reply that the client does not want. Messages that the command sent to its own client
/// follow its reply.
#[inline]
fn finish_reply(state: &mut State, id: ClientId, reply: &mut Output, mark: OutputMark) {
    let Some(client) = state.clients.get(id) else { return };
    if client.reply_mode != ReplyMode::On || !client.outbox().is_empty() {
        mute(state, id, reply, mark);
        state.clients.collect_pushed(id, reply);
    }
}

/// Removes a reply that the client does not want (CLIENT REPLY).
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
        // A waiting call has no reply yet: `Clients::answer` drops that reply.
        ReplyMode::Skip if client.blocked.is_some() => {}
        ReplyMode::Skip => {
            client.reply_mode = ReplyMode::On;
            reply.truncate(mark);
        }
    }
}
