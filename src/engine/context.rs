//! Everything a running command has access to.

use super::meanwhile::Meanwhile;
use super::origin::Origin;
use super::table::{Found, Table};
use crate::client_id::ClientId;
use crate::clients::Client;
use crate::clock::Now;
use crate::keyspace::DbIndex;
use crate::resp::Output;
use crate::state::State;

/// Everything a running command has access to.
pub(crate) struct Context<'a> {
    pub state: &'a mut State,
    /// The client that sent the command.
    pub client: ClientId,
    /// The database the client has selected.
    pub db: DbIndex,
    pub now: Now,
    /// The reply is written here: a client's pending output, lent out of its outbox, or the caller's
    /// own output. Messages to other clients, and to this client besides its reply, go through
    /// `state.clients.write`.
    pub reply: &'a mut Output,
    /// The origin of the call.
    pub origin: Origin,
    /// The key that is ready, for a call that has waited: it looks at no other key.
    pub ready_key: Option<&'a [u8]>,
    /// Whether the call waits, and writes no reply.
    pub is_waiting: bool,
    /// The command's own row, and its position in the table.
    pub found: Found,
    /// All commands.
    pub table: &'static Table,
    /// Who serves other clients if a script runs for a long time.
    pub meanwhile: &'a mut dyn Meanwhile,
}

impl Context<'_> {
    /// Whether a key with this expiry, in Unix milliseconds, is removed at once.
    pub(crate) fn is_past(&self, expires_ms: i64) -> bool {
        self.origin.may_expire() && expires_ms <= self.now.unix_ms()
    }

    /// Returns the client's record. None only if the client was removed while its command ran, which
    /// the broker does not do.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.state.clients.get(self.client)
    }

    /// Returns the client's record, to change.
    pub(crate) fn client_mut(&mut self) -> Option<&mut Client> {
        self.state.clients.get_mut(self.client)
    }
}
