//! How far the latest change of a client is acknowledged: for WAIT and WAITAOF.

use crate::client_id::ClientId;
use crate::clients::{ReplicasWanted, Wants};
use crate::resp::Output;
use crate::state::State;

/// Who has the latest change of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    /// Replicas that have it.
    received: usize,
    /// Replicas that have it on their disks.
    on_disk: usize,
    /// Whether it is on the disk of this broker.
    is_local: bool,
}

/// Who has the latest change of a client. A change of this turn has just been made: nobody has it.
pub(crate) fn of(state: &State, client: ClientId) -> Acknowledgement {
    let Some((change, is_durable)) = state.clients.last_change(client) else {
        return Acknowledgement::default();
    };
    Acknowledgement {
        received: state.acknowledged.count_at(change.offset),
        on_disk: state.acknowledged.count_synced_at(change.offset),
        is_local: is_durable && state.persistence.is_on,
    }
}

/// Whether that is what a call wants.
pub(crate) fn meets(acknowledged: Acknowledgement, wanted: ReplicasWanted) -> bool {
    match wanted {
        ReplicasWanted::Received { replicas } => acknowledged.received >= replicas,
        ReplicasWanted::OnDisk { replicas, is_local } => {
            acknowledged.on_disk >= replicas && (acknowledged.is_local || !is_local)
        }
    }
}

/// Writes it as the reply to a call.
pub(crate) fn write(reply: &mut Output, wanted: ReplicasWanted, acknowledged: Acknowledgement) {
    // Replicas are counted in small numbers.
    match wanted {
        ReplicasWanted::Received { .. } => reply.integer(acknowledged.received as i64),
        ReplicasWanted::OnDisk { .. } => {
            reply.array(2);
            reply.integer(i64::from(acknowledged.is_local));
            reply.integer(acknowledged.on_disk as i64);
        }
    }
}

/// What a waiting client wanted, and has now.
pub(super) fn reached(
    state: &State,
    client: ClientId,
) -> Option<(ClientId, ReplicasWanted, Acknowledgement)> {
    let Wants::Replicas(wanted) = state.clients.get(client)?.wait()?.wants else { return None };
    let acknowledged = of(state, client);
    meets(acknowledged, wanted).then_some((client, wanted, acknowledged))
}
