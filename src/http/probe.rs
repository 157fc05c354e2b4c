//! A door for tests and the fuzzer.

use super::Http;
use crate::broker::Broker;
use crate::client_id::ClientId;
use crate::clients::Peer;
use crate::clock::Now;

/// An HTTP connection without a socket. The caller drives the broker.
#[derive(Debug)]
pub struct HttpProbe {
    http: Http,
}

impl HttpProbe {
    /// Connects a peer; `slot` is the slot of its connection.
    ///
    /// # Panics
    /// In a build without HTTP.
    pub fn connect(broker: &mut Broker, slot: usize, peer: Peer, now: Now) -> HttpProbe {
        let http = Http::begin(broker, slot, peer, now).expect("a build with HTTP");
        HttpProbe { http }
    }

    /// The connection's client of the broker.
    pub fn client(&self) -> ClientId {
        self.http.client()
    }

    /// Passes bytes of the peer, unless the connection takes none now; returns whether it did.
    pub fn receive(&mut self, broker: &mut Broker, bytes: &[u8], now: Now) -> bool {
        let wants_input = self.http.wants_input(broker);
        if wants_input {
            self.http.receive(broker, bytes, now, &mut ());
        }
        wants_input
    }

    /// The connection's part of a turn; returns the bytes for the peer, which takes all. To be called until
    /// `has_work` is false and nothing comes.
    pub fn turn(&mut self, broker: &mut Broker, now: Now) -> Vec<u8> {
        self.http.tick(broker, now);
        if self.http.has_work(broker) {
            self.http.go_on(broker, now, &mut ());
        }
        if self.http.pull(broker, now) == 0 {
            return Vec::new();
        }
        let bytes = self.http.output().take_all();
        self.http.sent(broker, bytes.len(), now);
        bytes
    }

    /// Whether there is something to do without further input.
    pub fn has_work(&self, broker: &Broker) -> bool {
        self.http.has_work(broker)
    }

    /// Whether requests wait for their responses.
    pub fn is_waiting(&self) -> bool {
        self.http.is_waiting()
    }

    /// Memory of requests that have not become commands.
    pub fn request_bytes(&self) -> usize {
        self.http.request_bytes()
    }
}
