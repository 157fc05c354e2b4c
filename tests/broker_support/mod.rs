//! A broker in this process, without sockets, for the tests that drive it.

// Not every test file uses all of it.
#![allow(dead_code)]

use std::time::Duration;
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, NoHost, Peer};

/// A broker whose time the test decides.
pub struct Bench {
    pub broker: Broker,
    pub now: Now,
    slots: usize,
}

impl Bench {
    pub fn new() -> Bench {
        Bench::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Bench {
        let now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
        let broker = Broker::new(settings, 42, Box::new(NoHost), now);
        Bench { broker, now, slots: 0 }
    }

    pub fn client(&mut self) -> ClientId {
        self.client_at(Peer::in_process())
    }

    pub fn client_at(&mut self, peer: Peer) -> ClientId {
        self.slots += 1;
        self.broker.connect(self.slots, peer, self.now)
    }

    pub fn send(&mut self, id: ClientId, line: &str) {
        self.broker.receive(id, format!("{line}\r\n").as_bytes(), self.now);
        self.settle();
    }

    pub fn settle(&mut self) {
        self.broker.settle(self.now);
        while self.broker.has_backlog() {
            self.broker.settle(self.now);
        }
        self.broker.check_invariants();
    }

    pub fn owed(&mut self, id: ClientId) -> String {
        let owed = self.broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
        self.broker.flushed(id, owed.len(), self.now);
        String::from_utf8_lossy(&owed).into_owned()
    }

    pub fn call(&mut self, id: ClientId, line: &str) -> String {
        self.send(id, line);
        self.owed(id)
    }

    pub fn advance(&mut self, duration: Duration) {
        self.now = self.now.plus_us(duration.as_micros() as u64);
        self.settle();
    }
}
