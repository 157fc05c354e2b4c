//! A change of the role in replication. It happens after the command that asks for it, or after the EXEC around
//! it: a transaction runs in one role.

use super::{wait, write_gate};
use crate::client_id::ClientId;
use crate::clients::CloseReason;
use crate::clock::Now;
use crate::queueing::Queues;
use crate::replication::{Link, NextRole, PrimaryAddress, StreamId};
use crate::state::State;
use log::info;

/// What clients are told that wait for a message when the broker becomes a replica, as by Redis.
const UNBLOCKED: &[u8] =
    b"UNBLOCKED force unblock from blocking operation, instance state changed \
    (master -> replica?)";

/// Takes the role that a command has asked for.
#[cold]
pub(crate) fn change(state: &mut State, now: Now) {
    if state.busy_script.is_some() {
        // The script is part of a transaction.
        return;
    }
    match state.replication.next_role.take() {
        Some(NextRole::Primary) => become_primary(state, now),
        Some(NextRole::ReplicaOf(address)) => become_replica(state, address, now),
        None => {}
    }
}

/// Becomes a replica, or the replica of another primary.
pub(crate) fn become_replica(state: &mut State, primary: PrimaryAddress, now: Now) {
    info!("replication: becomes a replica of {}:{}", primary.host, primary.port);
    let waiting: Vec<ClientId> = state
        .clients
        .iter()
        .filter(|client| client.wait().is_some())
        .map(|client| client.id)
        .collect();
    for client in waiting {
        wait::end_with_error(state, client, UNBLOCKED);
    }
    disconnect_replicas(state);
    write_gate::abandon(state);
    let State { replication, keyspace, .. } = &mut *state;
    replication.take_effects(keyspace);
    if let Some(reader) = replication.reader.take() {
        keyspace.effects.end_reading(reader);
    }
    keyspace.begin_following();
    let mut link = Link::new(primary, now.monotonic_us);
    // The rest of the same stream may come from another primary, with the same database selected.
    link.db = replication.link.as_ref().map_or(0, |former| former.db);
    if let Some(client) = replication.link.replace(link).and_then(|former| former.client) {
        state.clients.close(client, CloseReason::RoleChanged);
    }
}

/// Becomes a primary: the stream goes on under an id of its own.
pub(crate) fn become_primary(state: &mut State, now: Now) {
    let Some(link) = state.replication.link.take() else { return };
    info!("replication: becomes a primary");
    if let Some(client) = link.client {
        state.clients.close(client, CloseReason::RoleChanged);
    }
    // They come back for the rest of the stream, and learn its new id.
    disconnect_replicas(state);
    let id = StreamId::random(|| state.random.next());
    let State { replication, keyspace, .. } = &mut *state;
    let offset = replication.offset();
    replication.history.branch(id, offset);
    replication.begin_stream(keyspace);
    Queues::new(keyspace).end_replay(now);
    state.show_policies();
}

fn disconnect_replicas(state: &mut State) {
    let replicas: Vec<ClientId> =
        state.replication.replicas.attached().map(|replica| replica.client).collect();
    for client in replicas {
        state.clients.close(client, CloseReason::RoleChanged);
    }
}
