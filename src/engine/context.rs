//! What a command runs with.

use super::origin::Origin;
use super::table::{Found, Table};
use crate::client_id::ClientId;
use crate::clients::Client;
use crate::clock::Now;
use crate::keyspace::DbIndex;
use crate::resp::Output;
use crate::state::State;

/// What a command runs with.
pub(crate) struct Context<'a> {
    pub state: &'a mut State,
    /// Who gave the command.
    pub client: ClientId,
    /// The database the client has selected.
    pub db: DbIndex,
    pub now: Now,
    /// Where the reply is written: what a client is owed, lent out of its outbox, or an output of whoever
    /// asks. What others are to hear, and this client beside its reply, goes through
    /// `state.clients.write`.
    pub reply: &'a mut Output,
    /// Who asks for it.
    pub origin: Origin,
    /// The key that is ready, for a call that waited: it looks at no other.
    pub ready_key: Option<&'a [u8]>,
    /// Whether the call waits, and writes no reply.
    pub is_waiting: bool,
    /// The command's own row, and its position in the table.
    pub found: Found,
    /// All commands.
    pub table: &'static Table,
}

impl Context<'_> {
    /// The client's record. None only if the client was removed while its command ran, which
    /// the broker does not do.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.state.clients.get(self.client)
    }

    /// The client's record, to change.
    pub(crate) fn client_mut(&mut self) -> Option<&mut Client> {
        self.state.clients.get_mut(self.client)
    }
}
