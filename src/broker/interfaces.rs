//! What an interface beside Redis' protocol asks of the broker, besides running commands.

use super::Broker;
use crate::acl::{Access, Asked};
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::engine::look_up::find;
use crate::engine::{Flags, Found};
use crate::resp::{OwnedRequest, Protocol};

/// A command without its arguments.
struct CommandAlone(Found);

impl Asked for CommandAlone {
    fn command(&self) -> usize {
        self.0.index
    }

    fn is_for_everybody(&self) -> bool {
        self.0.command.flags.contains(Flags::NO_AUTH)
    }

    fn first_arg(&self) -> Option<&[u8]> {
        None
    }

    fn refused_key(&self, _: &dyn Fn(&[u8], Access) -> bool) -> Option<usize> {
        None
    }

    fn refused_channel(&self, _: &dyn Fn(&[u8], bool) -> bool) -> Option<usize> {
        None
    }
}

impl Broker {
    /// Whether the messages of this queue, in database 0, are delivered with receipts.
    pub(crate) fn is_at_least_once(&mut self, queue: &[u8]) -> bool {
        let policy = self.state.keyspace.policy_for(0, queue);
        policy.is_some_and(|policy| policy.is_at_least_once())
    }

    /// Whether a request has an effect on the state of its connection, such as SELECT or SUBSCRIBE.
    pub(crate) fn is_per_connection(&self, words: &[Vec<u8>]) -> bool {
        let request = OwnedRequest::from_args(words.iter().map(Vec::as_slice));
        let request = request.as_request();
        let found = find(self.table, self.table.find(request.name()), &request);
        found.is_ok_and(|found| found.command.flags.contains(Flags::PER_CONNECTION))
    }

    /// Whether a client's user may run a command, given by its full name such as `queue|pause`. It may
    /// still be refused for some keys or channels.
    pub(crate) fn may_run(&self, id: ClientId, full_name: &str) -> bool {
        let found = self.table.find_full(full_name.as_bytes());
        let (Some(found), Some(client)) = (found, self.state.clients.get(id)) else { return false };
        let user = self.state.users.get(client.user);
        !self.must_authenticate(id) && user.check(&CommandAlone(found)).is_ok()
    }

    /// Whether a client has to say who it is before anything else.
    pub(crate) fn must_authenticate(&self, id: ClientId) -> bool {
        let client = self.state.clients.get(id);
        client.is_some_and(|client| client.must_authenticate(&self.state.users))
    }

    /// The name of a client's user.
    pub(crate) fn user_name(&self, id: ClientId) -> &[u8] {
        let client = self.state.clients.get(id);
        client.map_or(b"", |client| self.state.users.get(client.user).name())
    }

    /// Why changes are not served now: data is being loaded, or the append files cannot be written.
    pub(crate) fn unreadiness(&self) -> Option<String> {
        let persistence = &self.state.persistence;
        if let Some(loading) = &persistence.loading {
            return Some(format!("loading append files: {:.0} %", loading.percent()));
        }
        persistence.refusal().map(|reason| format!("cannot write append files: {reason}"))
    }

    /// Counts memory that the interface holds for a client, in front of the broker.
    pub(crate) fn record_interface_memory(&mut self, id: ClientId, bytes: usize, now: Now) {
        self.state.clients.record_interface_memory(id, bytes, now.monotonic_us);
    }

    /// An empty buffer for one turn, perhaps one that was used before. Return it with `keep_spare_buffer`.
    pub(crate) fn spare_buffer(&mut self) -> Vec<u8> {
        self.state.clients.spare_buffer()
    }

    /// Keeps a buffer whose content is no longer needed.
    pub(crate) fn keep_spare_buffer(&mut self, buffer: Vec<u8>) {
        self.state.clients.keep_spare_buffer(buffer);
    }

    /// Has a client's replies written in this version of the protocol from now on.
    pub(crate) fn set_protocol(&mut self, id: ClientId, protocol: Protocol) {
        self.state.clients.set_protocol(id, protocol);
    }
}
