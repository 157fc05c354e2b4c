//! The output of replicas.

use super::Clients;
use crate::client_id::ClientId;

impl Clients {
    /// Records whether a client's output is a snapshot for a replica.
    pub(crate) fn set_receives_snapshot(&mut self, id: ClientId, receives: bool) {
        if let Some(client) = self.get_mut(id) {
            client.receives_snapshot = receives;
        }
    }

    /// Records how many bytes of the stream a replica has not got, which count as unsent output.
    pub(crate) fn set_unsent_stream(&mut self, id: ClientId, bytes: u64, now_us: u64) {
        if let Some(client) = self.get_mut(id)
            && client.unsent_stream_bytes != bytes
        {
            client.unsent_stream_bytes = bytes;
            self.recount(id, now_us);
        }
    }
}
