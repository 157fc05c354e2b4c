//! The end of a client's wait, whatever it waited for.

use crate::client_id::ClientId;
use crate::clients::BlockedOn;
use crate::state::State;

/// Takes a client out of every line it stands in; its further input is looked at again. What it
/// waited for.
pub(crate) fn stop_waiting(state: &mut State, client: ClientId) -> Option<BlockedOn> {
    let blocked = state.clients.unblock(client)?;
    if let Some(deadline_us) = blocked.deadline_us {
        state.wait_deadlines.remove(deadline_us, client);
    }
    match &blocked.on {
        BlockedOn::Keys { db, keys, ticket, .. } => {
            for key in keys {
                state.keyspace.remove_waiter(*db, key, *ticket);
            }
        }
        BlockedOn::Room { db, key, ticket, .. } => {
            state.keyspace.remove_producer(*db, key, *ticket);
        }
        BlockedOn::Replicas | BlockedOn::Pause => {}
    }
    Some(blocked.on)
}
