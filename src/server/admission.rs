//! New connections: which are accepted, and what the others are told.

use super::Server;
use super::connection::Connection;
use super::durability::Durability;
use super::listeners::Accepted;
use super::socket::Socket;
use super::speaker::Speaker;
use super::transport::Transport;
use crate::clients::Peer;
use std::sync::mpsc::Receiver;

/// Connections accepted in a turn. The others wait for the next turn, so that a burst of connections
/// does not delay existing clients.
const ACCEPTS_PER_TURN_MAX: usize = 128;

const MAX_CLIENTS_TEXT: &str = "-ERR max number of clients reached\r\n";
const PROTECTED_TEXT: &str = "-DENIED Redis is running in protected mode because protected mode \
    is enabled and no password is set for the default user. In this mode connections are only \
    accepted from the loopback interface. If you want to connect from external computers to Redis \
    you may adopt one of the following solutions: 1) Just disable protected mode sending the \
    command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis \
    from the same host the server is running, however MAKE SURE Redis is not publicly accessible \
    from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) \
    Alternatively you can just disable the protected mode by editing the Redis configuration \
    file, and setting the protected mode option to 'no', and then restarting the server. 3) If \
    you started the server manually just for testing, restart it with the '--protected-mode no' \
    option. 4) Setup a an authentication password for the default user. NOTE: You only need to do \
    one of the above things in order for the server to start accepting connections from the \
    outside.\r\n";

impl Server {
    /// Accepts waiting connections, within the limits.
    pub(super) fn accept(&mut self) {
        self.accept_in_process();
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            let Some(accepted) = self.listeners.accept(self.now.monotonic_us) else { return };
            self.admit(accepted);
        }
    }

    fn admit(&mut self, accepted: Accepted) {
        match self.refusal(&accepted) {
            // In protected mode Redis tells a client with TLS why once it can read that.
            Some(text) if text == PROTECTED_TEXT && accepted.transport.is_handshaking() => {
                self.connect(accepted, Some(text));
            }
            Some(text) => {
                self.broker.count_rejected_connection();
                accepted.transport.refuse(text);
            }
            None => {
                self.connect(accepted, None);
                while let Some(displaced) = self.broker.displace_excess_stranger() {
                    self.write_soon(displaced);
                }
            }
        }
    }

    /// Lets a stranger make place for a new client; false if there is none. It is closed in the next
    /// turn, which comes at once.
    fn displace_stranger(&mut self) -> bool {
        let displaced = self.broker.displace_stranger();
        displaced.inspect(|&id| self.write_soon(id)).is_some()
    }

    /// Accepts clients of this program. They wait while append files are loaded: none of their calls is
    /// refused for that.
    fn accept_in_process(&mut self) {
        if matches!(self.durability, Durability::Loading { .. }) {
            return;
        }
        while let Some(Ok(stream)) = self.entrance.as_ref().map(Receiver::try_recv) {
            let transport = Transport::Plain(Socket::Unix(stream));
            let accepted = Accepted { transport, peer: Peer::in_process(), is_on_spare: false };
            self.admit(accepted);
        }
    }

    /// Why a connection is refused, in Redis' words.
    fn refusal(&mut self, accepted: &Accepted) -> Option<&'static str> {
        let settings = self.broker.settings();
        let is_open_to_all = self.broker.is_open_to_all() && settings.protected_mode;
        let is_protected = is_open_to_all && !accepted.peer.is_local();
        let is_full = self.broker.client_count() >= settings.maxclients as usize;
        // Redis asks in this order. Nobody makes place for a client that is refused anyway.
        if accepted.is_on_spare || (is_full && (is_protected || !self.displace_stranger())) {
            return Some(MAX_CLIENTS_TEXT);
        }
        is_protected.then_some(PROTECTED_TEXT)
    }

    fn connect(&mut self, accepted: Accepted, denial: Option<&'static str>) {
        let Accepted { mut transport, peer, .. } = accepted;
        transport.tune(self.broker.settings().tcp_keepalive_s);
        let slot = self.connections.vacant_key();
        if let Err(error) = transport.register(self.poll.registry(), self.token(slot)) {
            log::warn!("cannot wait for events of a new connection: {error}");
            return;
        }
        let speaker = Speaker::begin(&mut self.broker, slot, peer, self.now);
        let mut connection = Connection::new(speaker, transport);
        connection.denial = denial;
        let inserted = self.connections.insert(connection);
        assert_eq!(inserted, slot, "the broker knows the connection by another slot");
        self.begin_handshake(slot);
    }
}
