//! A broker with a small budget for chores, and its content.

use tidegate::broker::Contents;
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, CloseReason, EffectsReader, NoHost, Peer};

pub const START: Now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
pub const COUNT: usize = 3_000;
/// Steps for chores in a turn: some 40 messages.
pub const STEPS_MAX: u64 = 200;
/// What a turn may do in addition: the messages it begins with, and the search for them.
pub const SLACK: u64 = 1_500;

pub struct World {
    pub broker: Broker,
    pub now: Now,
    pub client: ClientId,
    pub worker: ClientId,
    pub reader: EffectsReader,
    /// All effects so far.
    pub stream: Vec<u8>,
}

pub fn broker(policies: &[&str], now: Now) -> Broker {
    let mut text = format!("turn-work-max {STEPS_MAX}");
    for policy in policies {
        text += &format!("\nqueue-policy {policy}");
    }
    let settings = Settings::from_text(&text, "the test's settings").expect("valid settings");
    Broker::new(settings, 9, Box::new(NoHost), now)
}

impl World {
    pub fn new(policies: &[&str]) -> World {
        let mut broker = broker(policies, START);
        let reader = broker.read_effects();
        let client = broker.connect(0, Peer::in_process(), START);
        let worker = broker.connect(1, Peer::in_process(), START);
        World { broker, now: START, client, worker, reader, stream: Vec::new() }
    }

    pub fn ask_as(&mut self, id: ClientId, request: &str) -> String {
        self.broker.receive(id, format!("{request}\r\n").as_bytes(), self.now);
        let owed = self.broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
        self.broker.flushed(id, owed.len(), self.now);
        String::from_utf8_lossy(&owed).into_owned()
    }

    pub fn ask(&mut self, request: &str) -> String {
        self.ask_as(self.client, request)
    }

    pub fn push(&mut self) {
        self.push_with("RPUSH");
    }

    pub fn push_to_the_front(&mut self) {
        self.push_with("LPUSH");
    }

    pub fn push_with(&mut self, command: &str) {
        for first in (0..COUNT).step_by(1000) {
            let numbers = (first..first + 1000).map(|number| number.to_string());
            self.ask(&format!("{command} q {}", numbers.collect::<Vec<_>>().join(" ")));
            self.settle();
        }
    }

    pub fn pop(&mut self) {
        self.push();
        self.ask_as(self.worker, &format!("LPOP q {COUNT}"));
        self.settle();
    }

    pub fn leave(&mut self) {
        self.broker.disconnect(self.worker, CloseReason::PeerClosed, self.now);
    }

    pub fn settle(&mut self) {
        let before = self.broker.work();
        self.broker.settle(self.now);
        let done = self.broker.work() - before;
        assert!(done <= STEPS_MAX + SLACK, "{done} steps in one turn");
        self.broker.check_invariants();
        self.broker.take_effects(&self.reader, &mut self.stream);
    }
}

/// All messages, wherever they are, in the order of their numbers.
pub fn messages(contents: Contents, hidden: Contents) -> Vec<usize> {
    let lists = contents.into_values().chain(hidden.into_values());
    let all = lists.flat_map(|(messages, _)| messages);
    let text = |message: Vec<u8>| String::from_utf8(message).expect("digits");
    let mut numbers: Vec<usize> =
        all.map(|message| text(message).parse().expect("a number")).collect();
    numbers.sort_unstable();
    numbers
}

pub fn everything(broker: &Broker) -> Vec<usize> {
    messages(broker.contents(), broker.hidden_contents())
}

pub fn list(broker: &Broker, key: &str) -> Vec<String> {
    let contents = broker.contents();
    let list = contents.get(&(0, key.as_bytes().to_vec())).map(|(messages, _)| messages.clone());
    let messages = list.unwrap_or_default().into_iter();
    messages.map(|message| String::from_utf8(message).expect("digits")).collect()
}

pub fn value(message: &str) -> usize {
    message.parse().expect("a number")
}

/// The messages on a server that runs the stream without policies.
pub fn as_plain_lists(stream: &[u8]) -> Vec<usize> {
    let start = Now::default();
    let mut other = Broker::new(Settings::default(), 3, Box::new(NoHost), start);
    let id = other.connect(0, Peer::in_process(), start);
    other.receive(id, stream, start);
    while other.has_backlog() {
        other.settle(start);
    }
    let replies = other.outbox(id).map(|output| output.take_all()).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&replies).contains("\r\n-"), "an effect was refused");
    messages(other.contents(), Contents::new())
}
