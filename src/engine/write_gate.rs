//! Changes that replicas must have before their replies are sent (`write-ack-replicas`): how many replicas a
//! command's changes need, and where its reply is.

use super::context::Context;
use crate::client_id::ClientId;
use crate::flags::Flags;
use crate::resp::{Output, OutputMark, Request};
use crate::state::State;

/// Marks the client whose command has changed something, with the number of replicas that must have it.
#[inline(never)]
pub(super) fn mark_change(ctx: &mut Context<'_>, request: &Request<'_>) {
    let replicas = replicas_needed(ctx, request);
    let clients = &mut ctx.state.clients;
    if replicas > 0 {
        clients.mark_replicated_change(ctx.client, replicas);
    } else if ctx.state.keyspace.effects.is_on() {
        clients.mark_change(ctx.client);
    }
}

/// The reply that a command writes now also reports changes that it has made in earlier turns.
pub(crate) fn mark_earlier_change(ctx: &mut Context<'_>, request: &Request<'_>) {
    if ctx.state.needs_replicas() {
        mark_change(ctx, request);
    } else if ctx.state.keyspace.effects.is_on() {
        ctx.state.clients.mark_change(ctx.client);
    }
}

/// How many replicas must have the change of a command: the highest number of those of its keys.
fn replicas_needed(ctx: &Context<'_>, request: &Request<'_>) -> u8 {
    let every = ctx.state.settings.acknowledgement.replicas;
    let policies = ctx.state.keyspace.policies();
    let most = policies.write_ack_replicas_max();
    let command = ctx.found.command;
    // The commands of a transaction were marked one by one.
    if every >= most || command.flags.contains(Flags::RUNS_QUEUED) {
        return every;
    }
    // It may have changed any key, as FLUSHALL does.
    if !command.keys.has_keys() {
        return most;
    }
    let mut needed = every;
    command.keys.find(request, |key| {
        let policy = policies.of(key.name);
        needed = needed.max(policy.map_or(0, |policy| policy.write_ack_replicas));
        needed == most
    });
    needed
}

/// Turns the replies to changes that have waited for replicas since this moment or longer into errors. Returns their
/// clients, each with its latest input.
pub(crate) fn end_waits(
    state: &mut State,
    since_us: u64,
    error: impl Fn(usize) -> Vec<u8>,
) -> Vec<(ClientId, u64)> {
    let mut failed = Vec::new();
    for (id, replies) in state.clients.end_late(since_us, error) {
        state.stats.write_acks_timed_out += replies as u64;
        (0..replies).for_each(|_| state.stats.count_error(b"NOREPLICAS"));
        let client = state.clients.get(id).filter(|_| replies > 0);
        failed.extend(client.map(|client| (id, client.input_number)));
    }
    failed
}

/// This broker becomes a replica. No replica will have what was changed here and is not acknowledged; and what replicas
/// acknowledge later is the stream of another primary.
pub(super) fn abandon(state: &mut State) {
    const ERROR: &[u8] =
        b"NOREPLICAS The change was made here, but this server became a replica: it may be lost";
    // Messages that such a reply would have delivered are those of the primary now.
    end_waits(state, u64::MAX, |_| ERROR.to_vec());
    state.clients.abandon_changes();
}

/// Records where the reply is that reports the change, for the case that it must be replaced.
#[cold]
pub(super) fn report(state: &mut State, client: ClientId, reply: &Output, mark: OutputMark) {
    let is_held = state.clients.report(client, reply, mark);
    state.stats.write_acks_held += u64::from(is_held);
}
