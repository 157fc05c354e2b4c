//! What an interface beside Redis' protocol asks of the broker, besides running commands.

use super::Broker;
use crate::acl::{Access, Asked};
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::engine::look_up::find;
use crate::engine::{Command, Flags, Found};
use crate::resp::{OwnedRequest, Protocol, parse_integer};

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

    /// Why a command needs a connection that its user keeps for longer than a request, if it does: it has an
    /// effect on the connection's state, such as SELECT or SUBSCRIBE; it may wait; or it pops messages that
    /// would belong to the connection.
    pub(crate) fn needs_own_connection(&mut self, words: &[Vec<u8>]) -> Option<&'static str> {
        let request = OwnedRequest::from_args(words.iter().map(Vec::as_slice));
        let request = request.as_request();
        let found = find(self.table, self.table.find(request.name()), &request).ok()?;
        let Command { name, flags, keys, .. } = found.command;
        if flags.contains(Flags::PER_CONNECTION) {
            return Some("the command has effects on its connection, which HTTP does not keep");
        }
        let is_queue_pop = *name == "queue|pop";
        let has = |option: &[u8]| {
            let key_count = words.get(2).and_then(|count| parse_integer(count));
            let options = key_count.and_then(|count| usize::try_from(count).ok()?.checked_add(3));
            let options = options.and_then(|start| words.get(start..)).unwrap_or_default();
            options.iter().any(|word| word.eq_ignore_ascii_case(option))
        };
        if flags.contains(Flags::BLOCKING) && (!is_queue_pop || has(b"block")) {
            return Some("the command may wait: expected GET /queues/NAME?wait=SECONDS");
        }
        let is_pop = ["lpop", "rpop", "lmpop"].contains(name) || is_queue_pop && !has(b"lease");
        if !is_pop || !found.command.accepts(words.len()) {
            return None;
        }
        let held = keys.find(&request, |key| self.is_at_least_once(key.name));
        held.map(|_| {
            "the messages would belong to the connection, which HTTP does not keep: expected GET \
             /queues/NAME, or QUEUE POP with LEASE"
        })
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

    /// Grows when any user changes.
    pub(crate) fn user_changes(&self) -> u64 {
        self.state.users.changes()
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
        if self.is_busy() {
            return Some("a script runs for longer than busy-reply-threshold".into());
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
