//! The time from a push to the reply of the waiting client.
//!
//! Each pair has its own queue. The consumer sends BLPOP, and then the producer sends PING: its reply
//! shows that the server has read the earlier BLPOP. Only then does the producer push, and only then is
//! the time taken. With its push it requests the queue's length: it is 0 if the consumer was waiting,
//! since no server serves another client between two requests that came together. So each round proves
//! that it measured a hand-off.

use crate::latencies::Latencies;
use crate::servers::{Kind, Server};
use crate::sockets::{Incoming, Sockets};
use crate::table::{print_head, print_row};
use crate::workload::encode;
use crate::{from_environment, medians, seconds};
use std::time::{Duration, Instant};

const ROWS: [(&str, usize); 2] = [("hand-off, 1 pair", 1), ("hand-off, 50 pairs", 50)];

/// The printed figures, one line each.
const FIGURES: [(&str, f64); 2] = [("median", 0.5), ("p99", 0.99)];

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::BareLoop).collect();
    let rows: Vec<_> = ROWS.iter().filter(|(name, _)| is_wanted(name)).collect();
    if !rows.is_empty() {
        print_head(
            "from a push to the waiting client's reply, microseconds (less is better)",
            &kinds,
        );
    }
    for (name, pairs) in rows {
        let servers: Vec<Server> = kinds.iter().map(|kind| Server::start(*kind, &[])).collect();
        let mut figures: Vec<Vec<[f64; FIGURES.len()]>> = vec![Vec::new(); kinds.len()];
        for _ in 0..from_environment("ROUNDS", 5) {
            for (server, figures) in servers.iter().zip(&mut figures) {
                figures.push(measure(server, *pairs));
            }
        }
        let figures: Vec<_> = figures.iter().map(|figures| medians(figures)).collect();
        for (at, (figure, _)) in FIGURES.iter().enumerate() {
            let medians: Vec<f64> = figures.iter().map(|figures| figures[at]).collect();
            print_row(&format!("{name}: {figure}"), &kinds, &medians, 1);
        }
    }
}

/// The values of `FIGURES`.
fn measure(server: &Server, pairs: usize) -> [f64; FIGURES.len()] {
    let mut sockets = Sockets::connect(server, 2 * pairs);
    let mut pairs: Vec<Pair> = (0..pairs).map(Pair::new).collect();
    let mut latencies = Latencies::default();
    pairs.iter_mut().for_each(|pair| pair.begin(&mut sockets));
    let mut ready = Vec::new();
    let begun = Instant::now();
    let duration = seconds();
    while !pairs.iter().all(Pair::is_over) {
        sockets.wait(&mut ready);
        for number in ready.drain(..) {
            let pair = &mut pairs[number / 2];
            if let Some(latency) = pair.receive(number, &mut sockets) {
                latencies.record(latency);
            }
            if pair.is_over() && begun.elapsed() < duration {
                pair.begin(&mut sockets);
            }
        }
    }
    sockets.assert_quiet();
    assert_eq!(server.count_messages(pairs.iter().map(|pair| &pair.queue)), 0);
    latencies.quantiles(FIGURES.map(|(_, share)| share))
}

/// A consumer, whose socket has an even number, and a producer with the next odd one.
struct Pair {
    queue: String,
    consumer: usize,
    pop: Vec<u8>,
    /// What the consumer gets.
    message: Vec<u8>,
    /// The push, and the following request for the length.
    push: Vec<u8>,
    ping: Vec<u8>,
    round: Round,
}

/// The progress of one hand-off.
#[derive(Default)]
struct Round {
    /// When the producer pushed; `None` until its PING is answered.
    pushed: Option<Instant>,
    to_consumer: Incoming,
    to_producer: Incoming,
    has_message: bool,
    is_pushed: bool,
}

impl Pair {
    fn new(number: usize) -> Pair {
        let queue = format!("queue:{number}");
        let message = [b'm'; 64];
        let mut push = encode(&[b"RPUSH", queue.as_bytes(), &message]);
        push.extend(encode(&[b"LLEN", queue.as_bytes()]));
        Pair {
            consumer: 2 * number,
            pop: encode(&[b"BLPOP", queue.as_bytes(), b"0"]),
            message: encode(&[queue.as_bytes(), &message]),
            push,
            ping: encode(&[b"PING"]),
            round: Round::default(),
            queue,
        }
    }

    fn begin(&mut self, sockets: &mut Sockets) {
        self.round = Round::default();
        sockets.send(self.consumer, &self.pop);
        sockets.send(self.consumer + 1, &self.ping);
    }

    /// Takes the input of one of the two; returns the time of the hand-off at its end.
    fn receive(&mut self, number: usize, sockets: &mut Sockets) -> Option<Duration> {
        let bytes = sockets.receive(number);
        if bytes.is_empty() {
            return None;
        }
        let round = &mut self.round;
        let Some(pushed) = round.pushed else {
            assert_ne!(number, self.consumer, "a message before the push");
            if round.to_producer.take(b"+PONG\r\n", bytes) {
                round.to_producer = Incoming::default();
                round.pushed = Some(Instant::now());
                sockets.send(number, &self.push);
            }
            return None;
        };
        if number == self.consumer {
            round.has_message = round.to_consumer.take(&self.message, bytes);
            return round.has_message.then(|| pushed.elapsed());
        }
        // One message after the push, none afterwards: the consumer was waiting.
        round.is_pushed = round.to_producer.take(b":1\r\n:0\r\n", bytes);
        None
    }

    fn is_over(&self) -> bool {
        self.round.has_message && self.round.is_pushed
    }
}
