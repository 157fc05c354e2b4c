//! A naive broker: a vector or a map for each key, one line for all waiting clients, sets of names. It computes
//! the exact output of each client.
//!
//! It knows the commands' meaning from their documentation and shares no code with the broker.

mod any_order;
mod capacity;
mod client;
mod connection;
mod delayed;
mod deliveries;
mod dispatch;
mod hashes;
mod keys;
mod lists;
mod peek;
mod policies;
mod pubsub;
mod pushes;
mod queue_state;
mod queues;
mod receipts;
mod recent;
mod reply;
mod sets;
mod sorted_set_ranges;
mod sorted_sets;
mod streams;
mod strings;
mod throttle;
mod values;
mod waiting;

use std::collections::{BTreeMap, VecDeque};

use tidegate::CloseReason;
use tidegate::clock::Now;

use any_order::AnyOrder;
use client::Side;
pub use client::{Client, Input};
pub use connection::address;
use policies::Policy;
pub use queue_state::Record;
use reply::Reply;
pub use values::Contents;
use values::Value;

pub type Key = Vec<u8>;
/// A command's name and arguments.
pub type Words = Vec<Vec<u8>>;
/// A client's index in `Model::clients`; its CLIENT ID is one more.
pub type Who = usize;

pub const DBS: usize = 3;
/// The time at the start of runs.
pub const START: Now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
const QUEUE_BASE_MS: i64 = ((START.unix_us - START.monotonic_us) / 1000) as i64;

/// The state of a message in a queue under a policy, and of a dead letter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp {
    /// Since when it waits.
    pub ready_ms: i64,
    /// The side from which it was last popped, and the number of its first delivery from there; `None`
    /// before.
    pub taken: Option<(Side, u64)>,
    pub deliveries: u32,
    /// How often it was dead-lettered since its last delivery.
    pub hops: u32,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub bytes: Vec<u8>,
    pub stamp: Option<Stamp>,
    /// Of a dead letter: the queue that it left last, and why.
    pub origin: Option<(Key, &'static str)>,
}

/// The value of a key: a list of messages, or something else.
#[derive(Clone, Default)]
pub struct Item {
    pub other: Option<Value>,
    pub messages: Vec<Message>,
    pub expires_ms: Option<i64>,
}

/// Sources and destinations of messages.
#[derive(Debug, Default)]
pub struct Tally {
    pub pushed: usize,
    pub copied: usize,
    pub popped: usize,
    pub acknowledged: usize,
    pub removed: usize,
    pub expired: usize,
    pub dropped: usize,
    pub dead_lettered: usize,
}

pub struct Model {
    pub clients: Vec<Client>,
    pub dbs: Vec<BTreeMap<Key, Item>>,
    pub tally: Tally,
    /// The state of queues that are under a policy or paused.
    pub queues: BTreeMap<(usize, Key), Record>,
    /// The highest priority first; among equals, the first by name.
    policies: Vec<Policy>,
    pub has_had_timers: bool,
    /// The number of the last delivery.
    last_delivery: u64,
    /// Clients that wait for keys or for capacity, the longest-waiting first.
    line: Vec<Who>,
    /// Keys that changed while a client waited for them.
    ready: Vec<(usize, Key)>,
    /// Queues that changed while a producer waited for capacity in them.
    freed: Vec<(usize, Key)>,
    /// Clients with input to run, in the order in which they stopped waiting.
    backlog: VecDeque<Who>,
    /// Disconnected clients that had messages in flight.
    disconnected: Vec<Who>,
    /// Patterns with subscribers, in matching order.
    patterns: Vec<Vec<u8>>,
    /// The end of a pause, and whether only writing commands wait.
    pause: Option<(u64, bool)>,
    /// Clients that the pause holds back, in the order in which their commands came.
    held_back: Vec<Who>,
    /// The client whose command runs, and messages to itself, which follow the reply.
    running: Option<Who>,
    to_oneself: Vec<u8>,
    turn_output_bytes_max: usize,
    /// How many messages each queue remembers.
    dedup_max: usize,
    now: Now,
}

impl Model {
    pub fn new(turn_output_bytes_max: usize, dedup_max: usize) -> Model {
        Model {
            clients: Vec::new(),
            dbs: vec![BTreeMap::new(); DBS],
            tally: Tally::default(),
            queues: BTreeMap::new(),
            policies: Vec::new(),
            has_had_timers: false,
            last_delivery: 0,
            line: Vec::new(),
            ready: Vec::new(),
            freed: Vec::new(),
            backlog: VecDeque::new(),
            disconnected: Vec::new(),
            patterns: Vec::new(),
            pause: None,
            held_back: Vec::new(),
            running: None,
            to_oneself: Vec::new(),
            turn_output_bytes_max,
            dedup_max,
            now: Now::default(),
        }
    }

    /// The time for queues: the system time at the start, and from then on the monotonic clock.
    pub(super) fn queue_ms(&self) -> i64 {
        QUEUE_BASE_MS + (self.now.monotonic_us / 1000) as i64
    }

    pub fn connect(&mut self) -> Who {
        self.clients.push(Client { is_connected: true, ..Client::default() });
        self.clients.len() - 1
    }

    pub fn disconnect(&mut self, who: Who) {
        self.stop_waiting(who);
        self.clients[who].end_transaction();
        self.forget_subscriptions(who);
        // Its messages in flight return together with those of others that disconnect now.
        if !self.keys_held(Some(who)).is_empty() {
            self.disconnected.push(who);
        }
        self.serve_ready();
        self.clients[who].is_connected = false;
    }

    /// A client sends something.
    pub fn send(&mut self, who: Who, input: Input, byte_count: usize) {
        let client = &mut self.clients[who];
        client.sent += byte_count;
        client.inputs.push_back((client.sent, input));
    }

    /// Input has arrived that the broker does not receive, since the client waits.
    pub fn input_waits(&mut self, who: Who) {
        self.clients[who].has_early_input |= self.clients[who].wait.is_some();
    }

    /// The broker receives this many of the sent bytes.
    pub fn receive(&mut self, who: Who, byte_count: usize, now: Now) {
        self.expire(now);
        let client = &mut self.clients[who];
        let was_early = std::mem::take(&mut client.has_early_input);
        if client.used == client.received
            && client.wait.is_none()
            && !was_early
            && client.taken >= client.answered
        {
            client.input_number += 1;
        }
        client.received += byte_count;
        if client.wants_input() {
            self.run_input(who);
        }
    }

    pub fn settle(&mut self, now: Now) {
        self.expire(now);
        if self.pause.is_some_and(|(until_us, _)| until_us <= now.monotonic_us) {
            self.lift_pause();
            self.serve_ready();
        }
        while let Some(who) = self.next_timeout().filter(|(at, _)| *at <= now.monotonic_us) {
            self.time_out(who.1);
        }
        self.serve_ready();
        let backlog = std::mem::take(&mut self.backlog);
        for &who in &backlog {
            self.clients[who].is_in_backlog = false;
        }
        for who in backlog {
            if self.clients[who].wants_input() {
                self.run_input(who);
            }
        }
    }

    /// Runs a client's input until it ends, the client waits, or its output is large enough.
    fn run_input(&mut self, who: Who) {
        let owed_before = self.clients[who].owed.len();
        loop {
            let client = &mut self.clients[who];
            if client.closing.is_some() || client.wait.is_some() || client.used == client.received {
                return;
            }
            if client.owed.len() - owed_before > self.turn_output_bytes_max {
                return self.add_to_backlog(who);
            }
            let Some((end, input)) = client.inputs.front().cloned() else { return };
            if end > client.received {
                return;
            }
            let is_command = matches!(input, Input::Command(_));
            if self.run_one(who, input) {
                let client = &mut self.clients[who];
                client.inputs.pop_front();
                client.used = end;
                if is_command {
                    client.answered = client.owed.len();
                }
            }
        }
    }

    /// False if a pause holds the command back.
    fn run_one(&mut self, who: Who, input: Input) -> bool {
        match input {
            Input::Nothing => true,
            Input::Broken(text) => {
                self.clients[who].owed.extend_from_slice(format!("-{text}\r\n").as_bytes());
                self.close(who, CloseReason::ProtocolError);
                true
            }
            Input::Command(words) => {
                self.running = Some(who);
                let mut reply = Reply::new(self.clients[who].is_resp3);
                let has_run = self.dispatch(who, &words, &mut reply);
                self.running = None;
                let client = &mut self.clients[who];
                let start = client.owed.len();
                let placed = reply.any_order.into_iter();
                client
                    .any_order
                    .extend(placed.map(|part| AnyOrder { at: start + part.at, ..part }));
                client.owed.append(&mut reply.bytes);
                let mut to_oneself = std::mem::take(&mut self.to_oneself);
                self.clients[who].owed.append(&mut to_oneself);
                has_run
            }
        }
    }

    fn add_to_backlog(&mut self, who: Who) {
        if !self.clients[who].is_in_backlog {
            self.clients[who].is_in_backlog = true;
            self.backlog.push_back(who);
        }
    }

    /// The first reason counts, except for a flushing client that is then killed.
    pub fn close(&mut self, who: Who, reason: CloseReason) {
        let client = &mut self.clients[who];
        if client.closing.is_none() || (reason == CloseReason::Killed && !client.is_gone()) {
            client.closing = Some(reason);
        }
    }

    /// Sends a client something other than a reply to its current command.
    fn write(&mut self, who: Who, bytes: &[u8]) {
        if self.clients[who].closing.is_some() {
            return;
        }
        if self.running == Some(who) {
            self.to_oneself.extend_from_slice(bytes);
        } else {
            self.clients[who].owed.extend_from_slice(bytes);
        }
    }

    fn expire(&mut self, now: Now) {
        self.now = now;
        for db in 0..DBS {
            let is_due = |item: &Item| item.expires_ms.is_some_and(|at| at <= now.unix_ms());
            let due = self.dbs[db].iter().filter(|(_, item)| is_due(item));
            for key in due.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
                self.expire_key(db, &key);
            }
        }
        self.return_departed();
        self.tend_queues();
        self.serve_ready();
    }

    /// Expires a key, with everything of its queue.
    fn expire_key(&mut self, db: usize, key: &[u8]) {
        let item = self.dbs[db].remove(key).unwrap_or_default();
        self.tally.expired += item.messages.len();
        self.count_others(db, key, -(item.messages.len() as i64));
        self.clear_delayed(db, key);
        self.clear_in_flight(db, key);
        self.touch(db, key);
    }

    /// A list that has returned may have to expire at once.
    pub(super) fn expire_if_due(&mut self, db: usize, key: &[u8]) {
        let expires_ms = self.dbs[db].get(key).and_then(|list| list.expires_ms);
        if expires_ms.is_some_and(|at| at <= self.now.unix_ms()) {
            self.expire_key(db, key);
        }
    }

    /// Handles the change of a key: it is ready for waiting clients, and watches on it break.
    fn touch(&mut self, db: usize, key: &[u8]) {
        self.mark_ready(db, key);
        self.mark_capacity(db, key);
        self.break_watches(db, key);
    }

    fn break_watches(&mut self, db: usize, key: &[u8]) {
        for client in &mut self.clients {
            if client.watched.iter().any(|(other, watched)| *other == db && watched == key) {
                client.is_watch_broken = true;
            }
        }
    }

    /// Time until something happens by itself, in microseconds.
    pub fn next_deadline_us(&self, now: Now) -> Option<u64> {
        if self.has_backlog() {
            return Some(0);
        }
        let waits = self.next_timeout().map(|(at, _)| at);
        let pause = self.pause.map(|(until_us, _)| until_us);
        let expiries =
            self.dbs.iter().flat_map(BTreeMap::values).filter_map(|list| list.expires_ms);
        let due = self.next_due().map(|(due_ms, ..)| (due_ms - QUEUE_BASE_MS) as u64 * 1000);
        let expiry_us = expiries.min().map(|at| at as u64 * 1000);
        let monotonic = waits.into_iter().chain(pause).chain(due);
        let monotonic = monotonic.map(|at| at.saturating_sub(now.monotonic_us));
        monotonic.chain(expiry_us.map(|at| at.saturating_sub(now.unix_us))).min()
    }

    pub fn has_backlog(&self) -> bool {
        !self.backlog.is_empty() || !self.disconnected.is_empty() || self.has_due()
    }

    /// The keys of a database's queues that have a state.
    pub fn queue_keys(&self, db: usize) -> Vec<Key> {
        let names = self.queues.keys().filter(|(other, _)| *other == db);
        names.map(|(_, key)| key.clone()).collect()
    }

    /// The messages in flight of all queues.
    pub fn messages_in_flight(&self) -> Vec<Vec<u8>> {
        let deliveries = self.queues.values().flat_map(|record| &record.in_flight);
        deliveries.map(|delivery| delivery.message.bytes.clone()).collect()
    }

    /// The number of the last delivery.
    pub fn last_delivery(&self) -> u64 {
        self.last_delivery
    }

    /// Messages in flight.
    pub fn in_flight(&self) -> usize {
        self.queues.values().map(|record| record.in_flight.len()).sum()
    }

    /// Messages in all lists, and delayed ones.
    pub fn left(&self) -> usize {
        let ready = self.dbs.iter().flat_map(BTreeMap::values).map(|list| list.messages.len());
        ready.sum::<usize>()
            + self.queues.values().map(|record| record.delayed.len()).sum::<usize>()
    }
}
