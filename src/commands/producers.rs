//! `overflow block`: producers that wait for room.
//!
//! They stand in one line for each queue, and whoever pushes while there is a line joins its end. When
//! messages leave the queue, the first in line push theirs, as long as they fit.

use crate::client_id::ClientId;
use crate::clients::{Blocked, BlockedOn};
use crate::engine::timing;
use crate::engine::waits::stop_waiting;
use crate::engine::{CommandError, Context};
use crate::keyspace::{DbIndex, Key, Keyspace};
use crate::policy::{Overflow, QueuePolicy};
use crate::queue::End;
use crate::queueing::{Place, PushRules, Queues, full, is_beyond, new_messages};
use crate::resp::Request;
use crate::state::State;
use std::sync::Arc;

/// The policy under which a push to a queue whose producers wait for room has to wait: there is none, or
/// others wait already. None if it may be made, or never could.
pub(super) fn must_wait<'a>(
    keyspace: &mut Keyspace,
    to: Place<'_>,
    messages: impl ExactSizeIterator<Item = &'a [u8]>,
) -> Option<Arc<QueuePolicy>> {
    let at = to.at;
    let policy = Arc::clone(keyspace.policy_in(at)?);
    let (count, bytes) = room_wanted(keyspace, at.db(), to.key, &policy, messages);
    // What is not stored needs no room.
    if count == 0 {
        return None;
    }
    let ever_fits = policy.max_length.is_none_or(|max| count as u64 <= max)
        && policy.max_length_bytes.is_none_or(|max| bytes as u64 <= max);
    let waits =
        ever_fits && (keyspace.has_producers_in(at) || is_beyond(keyspace, at, count, bytes));
    waits.then_some(policy)
}

/// How many messages of a push a queue would store, and their bytes.
fn room_wanted<'a>(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    policy: &QueuePolicy,
    messages: impl ExactSizeIterator<Item = &'a [u8]>,
) -> (usize, usize) {
    match policy.dedup_window_ms {
        None => (messages.len(), messages.map(<[u8]>::len).sum()),
        Some(window_ms) => {
            let new = new_messages(keyspace, db, key, messages, window_ms);
            (new.len(), new.iter().map(|(message, _)| message.len()).sum())
        }
    }
}

/// Puts a producer in line.
pub(super) fn wait_for_room(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    key: &[u8],
    end: End,
    policy: Arc<QueuePolicy>,
) {
    let state = &mut *ctx.state;
    let ticket = state.next_ticket;
    state.next_ticket += 1;
    let key = state.keyspace.add_producer(ctx.db, key, ticket, ctx.client);
    let wait_us = policy.block_timeout_ms.saturating_mul(1000);
    let deadline_us = ctx.now.monotonic_us.saturating_add(wait_us);
    state.wait_deadlines.insert(deadline_us, ctx.client);
    let on = BlockedOn::Room { db: ctx.db, key, ticket, end, request: request.to_owned(), policy };
    state.clients.block(ctx.client, Blocked { on, deadline_us: Some(deadline_us) });
}

/// Lets producers push that wait for queues where there is room now.
pub(super) fn serve_producers(state: &mut State) {
    for (db, key) in state.keyspace.take_roomy() {
        serve_line(state, db, &key);
    }
}

fn serve_line(state: &mut State, db: DbIndex, key: &Key) {
    while let Some((_, client)) = state.keyspace.first_producer(db, key) {
        let is_closing = state.clients.get(client).is_none_or(|client| client.closing.is_some());
        if !is_closing && !fits(state, db, key, client) {
            return;
        }
        let waited = stop_waiting(state, client);
        let Some(BlockedOn::Room { end, request, .. }) = waited.filter(|_| !is_closing) else {
            continue;
        };
        let State { clients, keyspace, effects, stats, .. } = state;
        let messages = || request.as_request().args_from(2);
        // Another value may have come while it waited.
        let at = keyspace.slot_or_create(db, key);
        let pushed = match keyspace.list_in(at) {
            Ok(_) => {
                let rules = PushRules::of(keyspace, at);
                Queues::new(keyspace, effects).push(&Place { at, key, end, rules }, messages())
            }
            Err(error) => Err(error.into()),
        };
        if effects.is_on() {
            clients.note_change(client);
        }
        let has_failed = pushed.is_err();
        clients.answer(client, |reply| match pushed {
            Ok(len) => reply.count(len),
            Err(error) => {
                stats.count_error(&error.to_bytes());
                reply.error(&error.to_bytes());
            }
        });
        timing::end_wait(state, client, 0, has_failed);
    }
}

/// Whether what a producer waits to push has room.
fn fits(state: &mut State, db: DbIndex, key: &[u8], client: ClientId) -> bool {
    let State { clients, keyspace, .. } = state;
    let blocked = clients.get(client).and_then(|client| client.blocked.as_deref());
    let Some(Blocked { on: BlockedOn::Room { request, .. }, .. }) = blocked else { return true };
    if keyspace.governed(db, key).is_some_and(|governed| governed.is_write_paused) {
        return false;
    }
    let Some(policy) = keyspace.policy_of(db, key) else { return true };
    let messages = request.as_request().args_from(2);
    let (count, bytes) = room_wanted(keyspace, db, key, &policy, messages);
    let Some(at) = keyspace.slot(db, key) else { return true };
    policy.overflow != Overflow::Block || count == 0 || !is_beyond(keyspace, at, count, bytes)
}

/// What a producer is told that has waited too long; none if the client is not one.
pub(super) fn no_room_error(state: &mut State, client: ClientId) -> Option<CommandError> {
    let State { clients, keyspace, .. } = state;
    let blocked = clients.get(client).and_then(|client| client.blocked.as_deref())?;
    let BlockedOn::Room { db, key, request, policy, .. } = &blocked.on else { return None };
    let rejected = request.as_request().args_from(2).len() as u64;
    keyspace.count(*db, key, |totals| totals.rejected += rejected);
    let limit = match (policy.max_length, policy.max_length_bytes) {
        (Some(max), _) => format!("max-length {max}"),
        (None, max) => format!("max-length-bytes {}", max.unwrap_or_default()),
    };
    Some(full(key, &limit, policy))
}
