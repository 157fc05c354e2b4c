//! One publisher and many subscribers of its channel: how many messages are delivered.

use crate::rate::{self, Rate};
use crate::servers::{Kind, Server};
use crate::sockets::Sockets;
use crate::table::{print_head, print_rates};
use crate::workload::encode;
use crate::{from_environment, seconds};
use std::time::{Duration, Instant};

struct Row {
    name: &'static str,
    subscribers: usize,
    /// Messages published together; the next ones follow when all subscribers have them.
    under_way: usize,
}

const ROWS: [Row; 4] = [
    Row { name: "fan-out to 100, one at a time", subscribers: 100, under_way: 1 },
    Row { name: "fan-out to 1,000, one at a time", subscribers: 1000, under_way: 1 },
    Row { name: "fan-out to 100, ten under way", subscribers: 100, under_way: 10 },
    Row { name: "fan-out to 1,000, ten under way", subscribers: 1000, under_way: 10 },
];

/// The publisher's number among the sockets; the others subscribe.
const PUBLISHER: usize = 0;
const CHANNEL: &[u8] = b"channel";

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::BareLoop).collect();
    let rows: Vec<&Row> = ROWS.iter().filter(|row| is_wanted(row.name)).collect();
    if !rows.is_empty() {
        print_head("thousands of delivered messages a second", &kinds);
    }
    for row in rows {
        let mut servers: Vec<Server> = kinds.iter().map(|kind| Server::start(*kind, &[])).collect();
        let rates = rate::in_turns(from_environment("ROUNDS", 5), &mut servers, |server| {
            let mut fan_out = FanOut::subscribe(server, row);
            let rate = Rate::of(server.process(), || fan_out.run(seconds()));
            fan_out.finish();
            rate
        });
        print_rates(row.name, &kinds, &rates, 0);
    }
}

struct FanOut {
    sockets: Sockets,
    /// Deliveries of one burst.
    deliveries: usize,
    /// The PUBLISH requests of one burst.
    burst: Vec<u8>,
    /// The replies to the publisher.
    replies: Vec<u8>,
    /// The output for each subscriber.
    messages: Vec<u8>,
}

impl FanOut {
    fn subscribe(server: &Server, row: &Row) -> FanOut {
        let mut sockets = Sockets::connect(server, 1 + row.subscribers);
        let subscribe = encode(&[b"SUBSCRIBE", CHANNEL]);
        for subscriber in 1..=row.subscribers {
            sockets.send(subscriber, &subscribe);
        }
        let confirmation = b"*3\r\n$9\r\nsubscribe\r\n$7\r\nchannel\r\n:1\r\n";
        sockets.receive_exactly(of_each(b"", confirmation));

        // The messages of a burst differ, so that their order is visible.
        let messages: Vec<[u8; 64]> = (0..row.under_way).map(|at| [b'a' + at as u8; 64]).collect();
        let all = |encoded: &dyn Fn(&[u8]) -> Vec<u8>| {
            messages.iter().flat_map(|message| encoded(message)).collect()
        };
        FanOut {
            sockets,
            deliveries: row.subscribers * row.under_way,
            burst: all(&|message| encode(&[b"PUBLISH", CHANNEL, message])),
            replies: format!(":{}\r\n", row.subscribers).repeat(row.under_way).into_bytes(),
            messages: all(&|message| encode(&[b"message", CHANNEL, message])),
        }
    }

    /// Publishes for this time; returns thousands of delivered messages per second.
    fn run(&mut self, duration: Duration) -> f64 {
        let begun = Instant::now();
        let mut delivered = 0;
        while begun.elapsed() < duration {
            self.sockets.send(PUBLISHER, &self.burst);
            self.sockets.receive_exactly(of_each(&self.replies, &self.messages));
            delivered += self.deliveries;
        }
        delivered as f64 / begun.elapsed().as_secs_f64() / 1000.0
    }

    /// Makes sure that no subscriber gets more than expected.
    fn finish(&mut self) {
        self.sockets.send(PUBLISHER, &encode(&[b"PING"]));
        self.sockets.receive_exactly(of_each(b"+PONG\r\n", b""));
        self.sockets.assert_quiet();
    }
}

/// The expected input of each socket.
fn of_each<'a>(publisher: &'a [u8], subscriber: &'a [u8]) -> impl Fn(usize) -> &'a [u8] {
    move |number| if number == PUBLISHER { publisher } else { subscriber }
}
