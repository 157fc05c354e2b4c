//! New connections: which are accepted, and what the others are told.

use super::connection::Connection;
use super::listeners::Accepted;
use super::socket::Socket;
use super::sockets::Sockets;
use super::speaker::{Service, Speaker, refusal_text};
use super::transport::Transport;
use crate::broker::Broker;
use crate::clients::Peer;
use crate::http::{self, Refused};
use std::sync::mpsc::Receiver;

/// Connections accepted in a turn. The others wait for the next turn, so that a burst of connections
/// does not delay existing clients.
const ACCEPTS_PER_TURN_MAX: usize = 128;

impl Sockets {
    /// Accepts waiting connections, within the limits.
    pub(super) fn accept(&mut self, broker: &mut Broker, is_loading: bool) {
        // Clients of this program wait while append files are loaded: none of their calls is refused for that.
        if !is_loading {
            self.accept_in_process(broker);
        }
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            let Some(accepted) = self.listeners.accept(self.now.monotonic_us) else { return };
            self.admit(broker, accepted);
        }
    }

    fn admit(&mut self, broker: &mut Broker, accepted: Accepted) {
        match self.refusal(broker, &accepted) {
            // In protected mode Redis tells a client with TLS why once it can read that.
            Some(Refused::Protected) if accepted.transport.is_handshaking() => {
                self.connect(broker, accepted, Some(Refused::Protected));
            }
            Some(why) => {
                broker.count_rejected_connection();
                match accepted.service {
                    Service::Resp => accepted.transport.refuse(refusal_text(why).as_bytes()),
                    Service::Http => accepted.transport.refuse(&http::refusal(why)),
                }
            }
            None => {
                self.connect(broker, accepted, None);
                while let Some(displaced) = broker.displace_excess_stranger() {
                    self.write_soon(displaced);
                }
            }
        }
    }

    /// Lets a stranger make place for a new client; false if there is none. It is closed in the next
    /// turn, which comes at once.
    fn displace_stranger(&mut self, broker: &mut Broker) -> bool {
        let displaced = broker.displace_stranger();
        displaced.inspect(|&id| self.write_soon(id)).is_some()
    }

    /// Accepts clients of this program.
    fn accept_in_process(&mut self, broker: &mut Broker) {
        while let Some(Ok(stream)) = self.entrance.as_ref().map(Receiver::try_recv) {
            let transport = Transport::Plain(Socket::Unix(stream));
            let accepted = Accepted {
                service: Service::Resp,
                transport,
                peer: Peer::in_process(),
                is_on_spare: false,
            };
            self.admit(broker, accepted);
        }
    }

    /// Why a connection is refused.
    fn refusal(&mut self, broker: &mut Broker, accepted: &Accepted) -> Option<Refused> {
        let settings = broker.settings();
        let is_open_to_all = broker.is_open_to_all() && settings.protected_mode;
        let is_protected = is_open_to_all && !accepted.peer.is_local();
        let http_max = match settings.http.clients_max {
            0 => usize::MAX,
            max => max as usize,
        };
        if accepted.service == Service::Http && self.http_count >= http_max {
            return Some(Refused::Full);
        }
        let is_full = broker.client_count() >= settings.maxclients as usize;
        // Redis asks in this order. Nobody makes place for a client that is refused anyway.
        if accepted.is_on_spare || (is_full && (is_protected || !self.displace_stranger(broker))) {
            return Some(Refused::Full);
        }
        is_protected.then_some(Refused::Protected)
    }

    fn connect(&mut self, broker: &mut Broker, accepted: Accepted, denial: Option<Refused>) {
        let Accepted { service, mut transport, peer, .. } = accepted;
        transport.tune(broker.settings().tcp_keepalive_s);
        let slot = self.connections.vacant_key();
        if let Err(error) = transport.register(self.poll.registry(), self.token(slot)) {
            log::warn!("cannot wait for events of a new connection: {error}");
            return;
        }
        let speaker = Speaker::begin(broker, service, slot, peer, self.now);
        self.http_count += usize::from(speaker.is_http());
        let mut connection = Connection::new(speaker, transport);
        connection.denial = denial;
        let inserted = self.connections.insert(connection);
        assert_eq!(inserted, slot, "the broker knows the connection by another slot");
        self.begin_handshake(broker, slot);
        self.update_due(broker, slot);
    }
}
