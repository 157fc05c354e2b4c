//! The loop that moves bytes between clients and sockets.

use super::client::Client;
use super::peer::Peer;
use super::tally::Tally;
use crate::sockets::Sockets;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Number of producers, and of consumers.
const CLIENTS: usize = 50;

pub struct Load {
    sockets: Sockets,
    connections: Vec<Connection>,
    tally: Tally,
    out: Vec<u8>,
    ready: Vec<usize>,
}

struct Connection {
    client: Box<dyn Client>,
    /// Received bytes of an incomplete reply.
    incoming: Vec<u8>,
}

impl Load {
    /// Consumers have the lower numbers: they wait when the first message arrives.
    pub fn connect(peer: &dyn Peer) -> Load {
        let consumers = (0..CLIENTS).map(|number| peer.consumer(number));
        let producers = (0..CLIENTS).map(|_| peer.producer());
        let (streams, clients): (Vec<TcpStream>, Vec<_>) = consumers.chain(producers).unzip();
        let connection = |client| Connection { client, incoming: Vec::new() };
        Load {
            sockets: Sockets::of(streams),
            connections: clients.into_iter().map(connection).collect(),
            tally: Tally::default(),
            out: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// Loads the broker for this time; returns thousands of messages per second that were pushed,
    /// delivered and acknowledged.
    pub fn run(&mut self, duration: Duration) -> f64 {
        let begun = Instant::now();
        for number in 0..self.connections.len() {
            self.connections[number].client.begin(&mut self.tally, &mut self.out);
            self.send(number);
        }
        while begun.elapsed() < duration {
            self.turn();
        }
        self.tally.acknowledged() as f64 / begun.elapsed().as_secs_f64() / 1000.0
    }

    /// Makes no more messages, and waits until all are acknowledged.
    pub fn finish(mut self) {
        self.tally.end();
        while !self.tally.is_settled() {
            self.turn();
        }
        self.sockets.assert_quiet();
    }

    fn turn(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        self.sockets.wait(&mut ready);
        for number in ready.drain(..) {
            self.connections[number].incoming.extend(self.sockets.receive(number));
            self.connections[number].take(&mut self.tally, &mut self.out);
            self.send(number);
        }
        self.ready = ready;
    }

    fn send(&mut self, number: usize) {
        if !self.out.is_empty() {
            self.sockets.send(number, &self.out);
            self.out.clear();
        }
    }
}

impl Connection {
    /// Takes all complete replies received.
    fn take(&mut self, tally: &mut Tally, out: &mut Vec<u8>) {
        let mut taken = 0;
        while taken < self.incoming.len()
            && let Some(bytes) = self.client.take(&self.incoming[taken..], tally, out)
        {
            taken += bytes;
        }
        self.incoming.drain(..taken);
    }
}
