//! A realistic mix: clients that push, pop, read and publish, each with one request at a time. The order
//! of requests is the same in every run.

use crate::latencies::Latencies;
use crate::rate::Rate;
use crate::servers::{Kind, Server};
use crate::sockets::{Incoming, Sockets};
use crate::table::{print_head, print_rates, print_row};
use crate::workload::{CONNECTIONS, encode};
use crate::{from_environment, medians, seconds};
use std::time::Instant;

const NAME: &str = "mixed load";

const QUEUES: usize = 16;
/// In each queue at the start. Pushes and pops are balanced, so no queue runs empty.
const MESSAGES: usize = 1000;
/// Messages that LRANGE asks for.
const RANGE: usize = 100;
/// Any number; another one gives another order of requests.
const SEED: u64 = 0x7469_6465_6761_7465;

/// The printed latencies.
const FIGURES: [(&str, f64); 3] = [("median", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    if !is_wanted(NAME) {
        return;
    }
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::BareLoop).collect();
    let mut servers: Vec<Server> = kinds.iter().map(|kind| Server::start(*kind, &[])).collect();
    let mut rates: Vec<Vec<Rate>> = vec![Vec::new(); kinds.len()];
    let mut figures: Vec<Vec<[f64; FIGURES.len()]>> = vec![Vec::new(); kinds.len()];
    for _ in 0..from_environment("ROUNDS", 5) {
        for (at, server) in servers.iter_mut().enumerate() {
            let (rate, quantiles) = measure(server);
            rates[at].push(rate);
            figures[at].push(quantiles);
        }
    }
    print_head("mixed load: thousands of operations a second", &kinds);
    let rates: Vec<Rate> = rates.iter().map(|rates| Rate::median(rates)).collect();
    print_rates(NAME, &kinds, &rates, 0);
    print_head("mixed load: latency in microseconds (less is better)", &kinds);
    let figures: Vec<_> = figures.iter().map(|figures| medians(figures)).collect();
    for (at, (figure, _)) in FIGURES.iter().enumerate() {
        let medians: Vec<f64> = figures.iter().map(|figures| figures[at]).collect();
        print_row(&format!("{NAME}: {figure}"), &kinds, &medians, 1);
    }
}

fn measure(server: &mut Server) -> (Rate, [f64; FIGURES.len()]) {
    server.empty();
    server.fill(QUEUES, MESSAGES);
    let mut load = Load::connect(server);
    let rate = Rate::of(server.process(), || load.run());
    load.finish();
    let pushed = QUEUES * MESSAGES + load.answered[Request::Push as usize];
    let left = pushed - load.answered[Request::Pop as usize];
    assert_eq!(server.count_messages((0..QUEUES).map(queue)), left);
    (rate, load.latencies.quantiles(FIGURES.map(|(_, share)| share)))
}

fn queue(number: usize) -> String {
    format!("queue:{number}")
}

#[derive(Clone, Copy)]
enum Request {
    Push,
    Pop,
    Range,
    Publish,
}

impl Request {
    const ALL: [Request; 4] = [Request::Push, Request::Pop, Request::Range, Request::Publish];

    /// Of a hundred: 45 pushes, 45 pops, five reads, five published messages.
    fn nth(number: u64) -> Request {
        match number {
            0..45 => Request::Push,
            45..90 => Request::Pop,
            90..95 => Request::Range,
            _ => Request::Publish,
        }
    }

    fn encode(self, queue: &str) -> Vec<u8> {
        let (queue, message) = (queue.as_bytes(), [b'm'; 64]);
        let last = (RANGE - 1).to_string();
        match self {
            Request::Push => encode(&[b"RPUSH", queue, &message]),
            Request::Pop => encode(&[b"LPOP", queue]),
            Request::Range => encode(&[b"LRANGE", queue, b"0", last.as_bytes()]),
            Request::Publish => encode(&[b"PUBLISH", b"channel", &message]),
        }
    }

    /// The expected reply; `None` for a push, whose reply is not predictable.
    fn reply(self) -> Option<Vec<u8>> {
        let message = [b'm'; 64];
        match self {
            Request::Push => None,
            Request::Pop => Some([b"$64\r\n", &message[..], b"\r\n"].concat()),
            Request::Range => Some(encode(&[&message[..]; RANGE])),
            Request::Publish => Some(b":0\r\n".to_vec()),
        }
    }
}

struct Load {
    sockets: Sockets,
    clients: Vec<Client>,
    random: Random,
    /// The requests of each kind: to each queue.
    requests: [Vec<Vec<u8>>; Request::ALL.len()],
    replies: [Option<Vec<u8>>; Request::ALL.len()],
    /// How many of each kind.
    answered: [usize; Request::ALL.len()],
    latencies: Latencies,
}

/// What a client waits for.
struct Client {
    request: Request,
    sent: Instant,
    incoming: Incoming,
    is_waiting: bool,
}

impl Load {
    fn connect(server: &Server) -> Load {
        let client = |_| Client {
            request: Request::Publish,
            sent: Instant::now(),
            incoming: Incoming::default(),
            is_waiting: false,
        };
        let to_each = |request: Request| (0..QUEUES).map(|at| request.encode(&queue(at))).collect();
        Load {
            sockets: Sockets::connect(server, CONNECTIONS),
            clients: (0..CONNECTIONS).map(client).collect(),
            random: Random(SEED),
            requests: Request::ALL.map(to_each),
            replies: Request::ALL.map(Request::reply),
            answered: [0; Request::ALL.len()],
            latencies: Latencies::default(),
        }
    }

    /// Loads the server; returns thousands of answered requests per second.
    fn run(&mut self) -> f64 {
        let (begun, duration) = (Instant::now(), seconds());
        (0..CONNECTIONS).for_each(|number| self.begin(number));
        let mut ready = Vec::new();
        while begun.elapsed() < duration {
            self.turn(&mut ready, true);
        }
        self.latencies.count() as f64 / begun.elapsed().as_secs_f64() / 1000.0
    }

    /// Waits for the outstanding replies.
    fn finish(&mut self) {
        let mut ready = Vec::new();
        while self.clients.iter().any(|client| client.is_waiting) {
            self.turn(&mut ready, false);
        }
        self.sockets.assert_quiet();
    }

    fn turn(&mut self, ready: &mut Vec<usize>, is_to_go_on: bool) {
        self.sockets.wait(ready);
        for number in ready.drain(..) {
            if self.receive(number) && is_to_go_on {
                self.begin(number);
            }
        }
    }

    fn begin(&mut self, number: usize) {
        let request = Request::nth(self.random.below(100));
        let queue = self.random.below(QUEUES as u64) as usize;
        let (sent, incoming) = (Instant::now(), Incoming::default());
        self.clients[number] = Client { request, sent, incoming, is_waiting: true };
        self.sockets.send(number, &self.requests[request as usize][queue]);
    }

    /// Takes the input of a client; true at the end of a reply.
    fn receive(&mut self, number: usize) -> bool {
        let bytes = self.sockets.receive(number);
        if bytes.is_empty() {
            return false;
        }
        let client = &mut self.clients[number];
        assert!(client.is_waiting, "a reply without a request");
        let is_whole = match &self.replies[client.request as usize] {
            Some(reply) => client.incoming.take(reply, bytes),
            None => is_length(bytes),
        };
        if is_whole {
            client.is_waiting = false;
            self.latencies.record(client.sent.elapsed());
            self.answered[client.request as usize] += 1;
        }
        is_whole
    }
}

/// Whether it is the reply to a push; too short to arrive in parts.
fn is_length(reply: &[u8]) -> bool {
    let number = reply.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b"\r\n"));
    let is_number = number.is_some_and(|number| number.iter().all(u8::is_ascii_digit));
    assert!(is_number, "not a length: {}", String::from_utf8_lossy(reply));
    true
}

/// Pseudorandom numbers, the same in each run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
