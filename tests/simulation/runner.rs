//! One run: a seed decides the input, how it is split, what is read, the time, and disconnections. The
//! broker and the model get the same, and must reply the same.

use std::collections::VecDeque;

use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, CloseReason, NoHost, Peer};

use crate::checks::{self, Before, Told, shown};
use crate::generator::{Generator, Hint, encode};
use crate::model::{DBS, Input, Model, START, Who, address};
use crate::record::Record;
use crate::rng::Rng;

const CLIENTS_MAX: usize = 10;
/// A client with this many unread bytes sends no more.
const UNREAD_BYTES_MAX: usize = 150_000;
/// This many turns without a fault suffice to come to rest.
const LAST_STEPS_MAX: usize = 10_000;
/// Steps that are printed when a run fails.
const TOLD_STEPS: usize = 40;
/// So often all data is compared in a run with more than lists and strings.
const CONTENTS_CHECKED_EVERY: usize = 10;

pub struct Run {
    pub step: usize,
    /// The latest events.
    pub story: VecDeque<String>,
    /// Hash of all output, with its clients.
    pub hash: u64,
    is_verbose: bool,
    rng: Rng,
    generator: Generator,
    broker: Broker,
    model: Model,
    now: Now,
    ids: Vec<ClientId>,
    /// Bytes that each client has sent and the broker has not received.
    pipes: Vec<VecDeque<u8>>,
    before: Vec<Before>,
    told: Told,
    /// What append files would get; `None` in a run with only lists and strings.
    record: Option<Record>,
    /// The weight of each kind of event.
    weights: Vec<usize>,
    settle_percent: usize,
    steps: usize,
}

const ACTIONS: &[fn(&mut Run)] = &[
    Run::send,
    Run::deliver,
    Run::drain,
    Run::pass_time,
    Run::connect,
    Run::disconnect,
    Run::close,
    Run::settle,
];

impl Run {
    pub fn new(seed: u64, steps: usize, is_verbose: bool) -> Run {
        let mut rng = Rng::new(seed);
        let now = START;
        let mut settings = Settings::default();
        settings.databases = DBS as _;
        // Work in parts would behave differently; it has its own tests.
        settings.turn_work_max = 1_000_000_000;
        settings.turn_output_bytes_max = rng.pick(&[30, 1000, 100_000_000]);
        let mut disconnects = rng.pick(&[0, 1, 1, 3]);
        let generator = Generator::new(&mut rng, seed);
        settings.dedup_messages_max = generator.dedup_max();
        if let Some(values) = &generator.values {
            settings = values.apply(settings);
        }
        let model =
            Model::new(settings.turn_output_bytes_max, settings.dedup_messages_max as usize);
        // When a connection closes, its messages in flight return.
        disconnects += if generator.has_policies() { 2 } else { 0 };
        let mut broker = Broker::new(settings.clone(), seed, Box::new(NoHost), now);
        let record = generator.values.is_some().then(|| Record::new(&mut broker, settings));
        Run {
            step: 0,
            story: VecDeque::new(),
            hash: 0xcbf2_9ce4_8422_2325,
            is_verbose,
            generator,
            broker,
            model,
            now,
            ids: Vec::new(),
            pipes: Vec::new(),
            before: Vec::new(),
            told: Told::default(),
            record,
            weights: vec![
                40,
                40,
                rng.pick(&[3, 10, 20]),
                rng.pick(&[2, 8, 16]),
                3,
                disconnects,
                disconnects,
                5,
            ],
            settle_percent: rng.pick(&[10, 50, 100]),
            steps,
            rng,
        }
    }

    /// Plays the whole run; panics if broker and model differ.
    pub fn play(&mut self) {
        self.connect();
        self.connect();
        for input in self.generator.opening(&mut self.rng) {
            self.put_in_pipe(0, input);
        }
        for input in self.generator.value_opening(&mut self.rng) {
            self.put_in_pipe(1, input);
        }
        while self.step < self.steps {
            self.step += 1;
            let action = self.rng.weighted(&self.weights);
            ACTIONS[action](self);
            if self.rng.percent(self.settle_percent) {
                self.settle();
            }
            self.end_turn();
        }
        self.finish();
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        let line = format!("{:>5} {}", self.step, what());
        if self.is_verbose {
            println!("{line}");
        }
        self.story.push_back(line);
        if self.story.len() > TOLD_STEPS {
            self.story.pop_front();
        }
    }

    fn is_connected(&self, who: Who) -> bool {
        self.model.clients[who].is_connected
    }

    /// One of the connected clients, if there is one.
    fn someone(&mut self) -> Option<Who> {
        let connected: Vec<Who> =
            (0..self.ids.len()).filter(|&who| self.is_connected(who)).collect();
        (!connected.is_empty()).then(|| self.rng.pick(&connected))
    }

    fn connect(&mut self) {
        let slots: Vec<usize> = (0..self.ids.len())
            .filter(|&who| self.is_connected(who))
            .map(|who| self.ids[who].slot())
            .collect();
        // Slots are reused, numbers are not.
        let Some(slot) = (0..CLIENTS_MAX).find(|slot| !slots.contains(slot)) else { return };
        let who = self.model.connect();
        let addr = address(who).parse().expect("an address");
        let peer = Peer::Tcp { addr, laddr: ([127, 0, 0, 1], 6379).into(), fd: 7 };
        self.ids.push(self.broker.connect(slot, peer, self.now));
        self.pipes.push(VecDeque::new());
        self.tell(|| format!("client {who} connects in slot {slot}"));
        self.before.push(Before { wanted_input: true, owed: 0 });
        if self.rng.percent(50) {
            self.put_in_pipe(who, Input::Command(vec![b"HELLO".to_vec(), b"3".to_vec()]));
        }
    }

    fn disconnect(&mut self) {
        if let Some(who) = self.someone() {
            self.drop_client(who, CloseReason::PeerClosed);
            // Its messages go to others at once, not only when the broker settles.
            if self.generator.has_policies() {
                self.end_turn();
            }
        }
    }

    /// The server decides to drop a client; others continue until the turn ends.
    fn close(&mut self) {
        let Some(who) = self.someone() else { return };
        self.tell(|| format!("client {who} is to be closed"));
        self.broker.close(self.ids[who], CloseReason::Idle);
        self.model.close(who, CloseReason::Idle);
        for _ in 0..3 {
            self.send();
        }
    }

    fn drop_client(&mut self, who: Who, reason: CloseReason) {
        self.tell(|| format!("client {who} is gone: {reason}"));
        self.broker.disconnect(self.ids[who], reason, self.now);
        self.model.disconnect(who);
        self.pipes[who].clear();
    }

    fn send(&mut self) {
        let Some(who) = self.someone() else { return };
        if self.pipes[who].len() > UNREAD_BYTES_MAX {
            return;
        }
        let client = &self.model.clients[who];
        let hint = Hint {
            is_restricted: !client.is_resp3 && client.is_subscriber(),
            is_in_transaction: client.queued.is_some(),
            is_watching: !client.watched.is_empty(),
            client_count: self.ids.len(),
            held: self.model.keys_held(Some(who)),
            in_flight: self.model.keys_held(None),
            messages: self.model.messages_in_flight(),
            last_delivery: self.model.last_delivery(),
            paused: self.model.keys_paused(),
            full: self.model.keys_waited_for_capacity().into_iter().map(|(_, key)| key).collect(),
            last_stream_ms: self.model.last_stream_ms(),
        };
        for input in self.generator.inputs(&mut self.rng, &hint) {
            self.put_in_pipe(who, input);
        }
        if self.rng.percent(70) {
            let all = self.pipes[who].len();
            self.receive(who, all);
        }
    }

    fn put_in_pipe(&mut self, who: Who, input: Input) {
        let bytes = encode(&mut self.rng, &input);
        self.tell(|| match &input {
            Input::Command(words) => format!("client {who} sends {}", shown(&words.join(&b' '))),
            _ => format!("client {who} sends {}", shown(&bytes)),
        });
        self.model.send(who, input, bytes.len());
        self.pipes[who].extend(bytes);
        if self.model.clients[who].wait.is_some() {
            self.broker.input_waits(self.ids[who]);
            self.model.input_waits(who);
        }
    }

    /// Passes some of a client's bytes to the broker.
    fn deliver(&mut self) {
        let Some(who) = self.someone() else { return };
        let all = self.pipes[who].len();
        let count = match self.rng.below(4) {
            0 => 1,
            1 => 1 + self.rng.below(60),
            2 => 1 + self.rng.below(all.max(1)),
            _ => all,
        };
        self.receive(who, count.min(all));
    }

    fn receive(&mut self, who: Who, count: usize) {
        // A server hardly ever reads for a client that takes no input, but it may.
        if count == 0 || (!self.broker.wants_input(self.ids[who]) && self.rng.percent(80)) {
            return;
        }
        let bytes: Vec<u8> = self.pipes[who].drain(..count).collect();
        self.tell(|| format!("the broker receives {count} bytes of client {who}"));
        self.broker.receive(self.ids[who], &bytes, self.now);
        self.model.receive(who, count, self.now);
    }

    fn drain(&mut self) {
        if let Some(who) = self.someone() {
            let owed = self.owed(who);
            let count = if self.rng.percent(50) { owed } else { self.rng.below(owed + 1) };
            self.take(who, count);
        }
    }

    fn owed(&self, who: Who) -> usize {
        let client = &self.model.clients[who];
        client.owed.len() - client.taken
    }

    /// A client's socket takes this many of the bytes that `checks` has compared.
    fn take(&mut self, who: Who, count: usize) {
        let Some(output) = self.broker.outbox(self.ids[who]) else { return };
        let bytes = checks::bytes_of(output);
        output.advance(count);
        self.broker.flushed(self.ids[who], count, self.now);
        self.model.clients[who].taken += count;
        self.tell(|| format!("client {who} takes {count} bytes: {}", shown(&bytes[..count])));
        for byte in who.to_le_bytes().iter().chain(&bytes[..count]) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn pass_time(&mut self) {
        let deadline_us = self.broker.next_deadline(self.now).map(|wait| wait.as_micros() as u64);
        let passed_us = match (self.rng.below(4), deadline_us) {
            (0 | 1, Some(us)) => us,
            (2, Some(us)) => us.saturating_sub(1),
            (3, _) => self.rng.below(3_000_000) as u64,
            _ => self.rng.below(2_000) as u64,
        };
        self.now = self.now.plus_us(passed_us);
        let jumped_us =
            if self.rng.one_in(20) { self.rng.between(-5_000_000, 5_000_000) } else { 0 };
        self.now.unix_us = self.now.unix_us.saturating_add_signed(jumped_us);
        self.tell(|| format!("{passed_us} µs pass; the calendar jumps by {jumped_us} µs"));
    }

    fn settle(&mut self) {
        self.tell(|| "the broker settles".into());
        self.broker.settle(self.now);
        self.model.settle(self.now);
        if self.record.is_some() && self.step.is_multiple_of(CONTENTS_CHECKED_EVERY) {
            checks::check_contents(&self.broker.contents(), &self.model.contents());
        }
    }

    /// Compares broker and model, and everything the broker reported since the last time.
    fn check(&mut self) {
        if let Some(record) = &mut self.record {
            record.read(&mut self.broker, self.now);
        }
        while let Some(id) = self.broker.next_dirty(self.now) {
            self.told.dirty.insert(id);
        }
        while let Some(id) = self.broker.next_resumed() {
            self.told.resumed.insert(id);
        }
        checks::check(
            &mut self.broker,
            &mut self.model,
            self.now,
            &self.ids,
            &mut self.before,
            &self.told,
        );
        self.told = Told::default();
    }

    /// The server's actions at the end of a turn, and all checks.
    fn end_turn(&mut self) {
        self.check();
        let connected = self.broker.client_count();
        while let Some((id, reason)) = self.broker.next_closing() {
            let who = id.number() as usize - 1;
            assert_eq!(self.model.clients[who].closing, Some(reason), "client {who} closes");
            if !reason.flushes_first() {
                self.drop_client(who, reason);
            }
        }
        // A flushing client is removed when all is taken, now or in a later turn.
        for who in 0..self.ids.len() {
            if let Some(reason) = self.model.clients[who].closing
                && self.is_connected(who)
                && self.rng.percent(40)
            {
                self.take(who, self.owed(who));
                self.drop_client(who, reason);
            }
        }
        // Their messages in flight may be with others now.
        if self.broker.client_count() != connected {
            self.check();
        }
    }

    /// No more faults: all sent bytes arrive, time passes until no client waits with a deadline, all
    /// output is read. Then a last client checks what is left and removes it.
    fn finish(&mut self) {
        self.tell(|| "no more faults".into());
        loop {
            self.step += 1;
            assert!(self.step < self.steps + LAST_STEPS_MAX, "it never comes to rest");
            let mut is_quiet = true;
            for who in 0..self.ids.len() {
                let all = self.pipes[who].len();
                if self.is_connected(who) && all > 0 && self.broker.wants_input(self.ids[who]) {
                    self.receive(who, all);
                    is_quiet = false;
                }
            }
            if let Some(wait) = self.broker.next_deadline(self.now) {
                self.now = self.now.plus_us(wait.as_micros() as u64);
                is_quiet = false;
            }
            self.settle();
            self.end_turn();
            for who in 0..self.ids.len() {
                if self.is_connected(who) && self.owed(who) > 0 {
                    self.take(who, self.owed(who));
                }
            }
            if is_quiet
                && self
                    .model
                    .clients
                    .iter()
                    .all(|client| !client.is_connected || client.closing.is_none())
            {
                break;
            }
        }
        for who in 0..self.ids.len() {
            if self.is_connected(who) {
                assert_eq!(
                    self.model.clients[who].wait.is_some(),
                    self.broker.is_blocked(self.ids[who])
                );
                self.drop_client(who, CloseReason::PeerClosed);
            }
        }
        if let Some(record) = &self.record {
            record.check(&self.broker, self.now);
        }
        self.inspect();
    }

    /// A new client compares everything that is left, then flushes.
    fn inspect(&mut self) {
        self.connect();
        let who = self.ids.len() - 1;
        for db in 0..DBS {
            let keys: Vec<Vec<u8>> = self.model.dbs[db].keys().cloned().collect();
            self.ask(who, &[b"SELECT", db.to_string().as_bytes()]);
            self.ask(who, &[b"DBSIZE"]);
            for key in keys {
                self.ask(who, &[b"TYPE", &key]);
                self.ask(who, &[b"LRANGE", &key, b"0", b"-1"]);
                self.ask(who, &[b"GET", &key]);
                self.ask(who, &[b"PEXPIRETIME", &key]);
            }
            for key in self.model.queue_keys(db) {
                self.ask(who, &[b"QUEUE", b"INFO", &key]);
            }
        }
        self.ask(who, &[b"FLUSHALL"]);
        self.ask(who, &[b"DBSIZE"]);
        self.ask(who, &[b"PUBSUB", b"NUMPAT"]);
        assert_eq!(self.model.left() + self.model.in_flight(), 0);
        assert_eq!(self.broker.next_deadline(self.now), None, "something is left to do");
        self.drop_client(who, CloseReason::PeerClosed);
        self.end_turn();
        if let Some(record) = self.record.take() {
            record.end(&mut self.broker);
        }
        self.check_at_rest();
    }

    /// Without clients and data, nothing is kept.
    fn check_at_rest(&mut self) {
        let broker = &mut self.broker;
        assert_eq!(broker.client_count(), 0);
        assert!(broker.contents().is_empty() && broker.hidden_contents().is_empty());
        assert!(!broker.has_backlog() && !broker.has_held() && !broker.has_changed());
        assert!(!broker.has_snapshot());
        assert_eq!(broker.next_dirty(self.now), None);
        assert_eq!(broker.next_resumed(), None);
        assert_eq!(broker.next_closing(), None);
        assert_eq!(broker.effects_bytes(), 0, "effects that nobody has asked for");
    }

    fn ask(&mut self, who: Who, words: &[&[u8]]) {
        self.put_in_pipe(who, Input::Command(words.iter().map(|word| word.to_vec()).collect()));
        while !self.pipes[who].is_empty() {
            let all = self.pipes[who].len();
            self.receive(who, all);
            self.settle();
            self.end_turn();
        }
        self.take(who, self.owed(who));
    }
}
