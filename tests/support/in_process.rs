//! The broker as a value, without a socket: the test passes the time, and nothing ever waits.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, CloseReason, NoHost, Peer};

use super::driver::{Driver, Received};
use super::reply::take_reply;

/// How requests are split before the broker sees them.
#[derive(Clone, Copy, Debug)]
pub enum Feeding {
    Whole,
    Bytes,
    OddChunks,
}

/// Only the end of a longer request comes byte by byte: the rest would only take time.
const LONG: usize = 4096;

const ODD_CHUNKS: [usize; 8] = [3, 1, 17, 2, 64, 7, 1021, 5];

pub struct InProcessDriver {
    feeding: Feeding,
    settings: Settings,
    broker: Broker,
    now: Now,
    clients: Vec<Client>,
    chunks_fed: usize,
}

struct Client {
    /// `None` once it is closed.
    id: Option<ClientId>,
    /// Sent bytes that the broker did not want yet.
    unfed: VecDeque<u8>,
    unread: Vec<u8>,
}

impl InProcessDriver {
    pub fn new(feeding: Feeding, config: &[(String, String)]) -> InProcessDriver {
        let settings = settings_of(config);
        let now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
        let broker = new_broker(&settings, now);
        InProcessDriver { feeding, settings, broker, now, clients: Vec::new(), chunks_fed: 0 }
    }

    fn chunk_length(&mut self, unfed: usize) -> usize {
        self.chunks_fed += 1;
        let length = match self.feeding {
            Feeding::Whole => unfed,
            Feeding::Bytes if unfed > LONG => unfed - LONG,
            Feeding::Bytes => 1,
            Feeding::OddChunks => ODD_CHUNKS[self.chunks_fed % ODD_CHUNKS.len()],
        };
        length.min(unfed)
    }

    /// Feeds input as long as the broker wants any.
    fn feed(&mut self) {
        self.turn();
        while let Some((client, id)) = self.next_to_feed() {
            let length = self.chunk_length(self.clients[client].unfed.len());
            let chunk: Vec<u8> = self.clients[client].unfed.drain(..length).collect();
            self.broker.receive(id, &chunk, self.now);
            self.turn();
        }
        self.note_unfed();
    }

    /// Unwanted input stays, as in a socket.
    fn note_unfed(&mut self) {
        for client in self.clients.iter().filter(|client| !client.unfed.is_empty()) {
            client.id.into_iter().for_each(|id| self.broker.input_waits(id));
        }
    }

    fn next_to_feed(&self) -> Option<(usize, ClientId)> {
        self.clients.iter().enumerate().find_map(|(client, state)| {
            let id =
                state.id.filter(|&id| !state.unfed.is_empty() && self.broker.wants_input(id))?;
            Some((client, id))
        })
    }

    /// The server's actions between two polls.
    fn turn(&mut self) {
        loop {
            self.broker.settle(self.now);
            while let Some(id) = self.broker.next_dirty(self.now) {
                let length = self.take_output(id);
                self.broker.flushed(id, length, self.now);
            }
            while let Some((id, reason)) = self.broker.next_closing() {
                self.take_output(id);
                self.broker.disconnect(id, reason, self.now);
                if let Some(client) = self.client_of(id) {
                    client.id = None;
                }
            }
            // Clients that accept input again are found by asking all.
            while self.broker.next_resumed().is_some() {}
            if !self.broker.has_backlog() {
                break;
            }
        }
    }

    fn take_output(&mut self, id: ClientId) -> usize {
        let bytes = self.broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
        if let Some(client) = self.client_of(id) {
            client.unread.extend_from_slice(&bytes);
        }
        bytes.len()
    }

    fn client_of(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.id == Some(id))
    }
}

impl Driver for InProcessDriver {
    fn name(&self) -> &'static str {
        "in-process"
    }

    fn begin(&mut self) -> Result<(), String> {
        self.clients.clear();
        self.broker = new_broker(&self.settings, self.now);
        Ok(())
    }

    fn connect(&mut self) -> usize {
        let slot = self.clients.len();
        let id = self.broker.connect(slot, Peer::in_process(), self.now);
        self.clients.push(Client { id: Some(id), unfed: VecDeque::new(), unread: Vec::new() });
        slot
    }

    fn send(&mut self, client: usize, bytes: &[u8]) {
        self.clients[client].unfed.extend(bytes);
        self.feed();
        self.broker.check_invariants();
    }

    fn close(&mut self, client: usize) {
        if let Some(id) = self.clients[client].id.take() {
            self.broker.disconnect(id, CloseReason::PeerClosed, self.now);
            self.feed();
            self.broker.check_invariants();
        }
    }

    fn receive(&mut self, client: usize) -> Received {
        self.receive_now(client)
    }

    fn receive_now(&mut self, client: usize) -> Received {
        let client = &mut self.clients[client];
        match take_reply(&mut client.unread) {
            Some(reply) => Received::Reply(reply),
            None if client.id.is_none() => Received::Closed,
            None => Received::Nothing,
        }
    }

    fn advance(&mut self, ms: u64) {
        let mut left = Duration::from_millis(ms);
        while !left.is_zero() {
            let deadline = self.broker.next_deadline(self.now).unwrap_or(left);
            // A deadline that stays due must not stop the time.
            let step = deadline.clamp(Duration::from_micros(1), left);
            self.now = self.now.plus_us(step.as_micros() as u64);
            left -= step;
            self.feed();
        }
        self.broker.check_invariants();
    }
}

fn new_broker(settings: &Settings, now: Now) -> Broker {
    Broker::new(settings.clone(), 1, Box::new(NoHost), now)
}

fn settings_of(config: &[(String, String)]) -> Settings {
    let text: String = config.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    Settings::from_text(&text, "the transcript").expect("directives of the broker")
}
