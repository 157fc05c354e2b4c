//! How the rate changes with the number of connections, queues, messages, waiting clients, subscribers.
//! A line that does not fall shows that the cost of an operation does not grow.

use crate::generator::Generator;
use crate::rate::{self, Rate};
use crate::servers::{Kind, Server, ask, info};
use crate::sockets::{Incoming, Sockets};
use crate::table::{print_head, print_rates};
use crate::workload::{CONNECTIONS, Pipeline, encode};
use crate::{from_environment, seconds};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::{Duration, Instant};

/// Requests sent together, unless other connections must reply first.
const PIPELINE: usize = 16;
/// Above the largest row.
const MAXCLIENTS: u64 = 20_000;
/// Open files besides the connections of a row.
const OTHER_FILES: usize = 100 + CONNECTIONS;

/// One way to grow.
struct Growth {
    name: &'static str,
    sizes: &'static [usize],
    /// Run once for each server, before the turns begin.
    prepare: fn(&mut Server, usize),
    measure: fn(&mut Server, usize) -> Rate,
    /// Whether the size is a number of connections, and so of open files.
    is_of_connections: bool,
}

const GROWTHS: [Growth; 6] = [
    Growth {
        name: "growth: connections (50 active)",
        sizes: &[1, 100, 1_000, 10_000],
        prepare: |_, _| (),
        measure: with_connections,
        is_of_connections: true,
    },
    Growth {
        name: "growth: queues",
        sizes: &[1, 1_000, 100_000],
        prepare: |_, _| (),
        measure: with_queues,
        is_of_connections: false,
    },
    Growth {
        name: "growth: messages in the queue",
        sizes: &[0, 1_000_000, 10_000_000],
        prepare: |server, messages| server.fill(1, messages),
        measure: with_messages,
        is_of_connections: false,
    },
    Growth {
        name: "growth: waiting clients (one at a time)",
        sizes: &[1, 100, 10_000],
        prepare: |_, _| (),
        measure: with_waiting_clients,
        is_of_connections: true,
    },
    Growth {
        name: "growth: patterns that do not match",
        sizes: &[1, 100, 10_000],
        prepare: |_, _| (),
        measure: |server, count| with_subscribers(server, count, "psubscribe", "nomatch:", ":*"),
        is_of_connections: true,
    },
    Growth {
        name: "growth: subscribers of other channels",
        sizes: &[1, 100, 10_000],
        prepare: |_, _| (),
        measure: |server, count| with_subscribers(server, count, "subscribe", "other:", ""),
        is_of_connections: true,
    },
];

/// The limit on open files, raised as far as useful.
fn raised_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let useful = limit.maximum.map_or(MAXCLIENTS, |hard| hard.min(MAXCLIENTS));
    let is_low = limit.current.is_some_and(|soft| soft < useful);
    if is_low {
        setrlimit(Resource::Nofile, Rlimit { current: Some(useful), ..limit }).expect("a limit");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let growths: Vec<&Growth> = GROWTHS.iter().filter(|growth| is_wanted(growth.name)).collect();
    if growths.is_empty() {
        return;
    }
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::BareLoop).collect();
    let open_files_max = raised_open_files();
    print_head("growth: thousands of operations a second", &kinds);
    for growth in growths {
        println!("{}", growth.name);
        for size in growth.sizes {
            let name = format!("  {}", with_thousands(*size));
            if growth.is_of_connections && (size + OTHER_FILES) as u64 > open_files_max {
                println!("{name}: left out, since only {open_files_max} files can be open");
                continue;
            }
            print_rates(&name, &kinds, &measure(growth, *size, &kinds), 1);
        }
    }
}

fn measure(growth: &Growth, size: usize, kinds: &[Kind]) -> Vec<Rate> {
    let args = ["--maxclients".to_string(), MAXCLIENTS.to_string()];
    let start = |kind: &Kind| {
        let mut server = Server::start(*kind, &args);
        (growth.prepare)(&mut server, size);
        server
    };
    let mut servers: Vec<Server> = kinds.iter().map(start).collect();
    let rounds = from_environment("ROUNDS", 3);
    rate::in_turns(rounds, &mut servers, |server| (growth.measure)(server, size))
}

/// A number with thousands separators.
fn with_thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Loads the server with pipelines from this many connections; returns the rate, and the number of
/// replies.
fn load(server: &Server, connections: usize, pipelines: Vec<Pipeline>) -> (Rate, usize) {
    let tour = pipelines.len();
    let mut generator = Generator::connect(server.address(), connections, pipelines);
    // Things created at first use, such as queues, exist before the time begins.
    generator.send(tour);
    let rate = Rate::of(server.process(), || generator.run(seconds()));
    (rate, generator.finish())
}

/// Alternating pushes and pops, so that the queue keeps its length.
fn pushes_and_pops() -> Pipeline {
    let push = encode(&[b"RPUSH", b"queue:0", &[b'm'; 64]]);
    let pop = encode(&[b"LPOP", b"queue:0"]);
    let pairs = PIPELINE / 2;
    Pipeline { bytes: [push, pop].concat().repeat(pairs), requests: PIPELINE, lines: 3 * pairs }
}

fn with_connections(server: &mut Server, count: usize) -> Rate {
    let active = count.min(CONNECTIONS);
    let _idle = server.connect_many(count - active);
    let (rate, _) = load(server, active, vec![pushes_and_pops()]);
    assert_eq!(server.count_messages(["queue:0"]), 0);
    rate
}

/// Pushes to all queues in turn.
fn with_queues(server: &mut Server, count: usize) -> Rate {
    let queue = |number: usize| format!("queue:{}", number % count);
    let push = |number| encode(&[b"RPUSH", queue(number).as_bytes(), &[b'm'; 64]]);
    let pipeline = |first: usize| Pipeline {
        bytes: (first..first + PIPELINE).flat_map(push).collect(),
        requests: PIPELINE,
        lines: PIPELINE,
    };
    server.empty();
    // As many rounds as needed for a pipeline to end at the end of a round.
    let pushes = (1..).map(|tours| tours * count).find(|pushes| pushes.is_multiple_of(PIPELINE));
    let firsts = (0..pushes.expect("after sixteen tours at most")).step_by(PIPELINE);
    let (rate, answered) = load(server, CONNECTIONS, firsts.map(pipeline).collect());
    assert_eq!(server.count_messages((0..count).map(queue)), answered);
    rate
}

fn with_messages(server: &mut Server, count: usize) -> Rate {
    let (rate, _) = load(server, CONNECTIONS, vec![pushes_and_pops()]);
    assert_eq!(server.count_messages(["queue:0"]), count);
    rate
}

/// This many clients subscribe to one name each, none of which is the published channel.
fn with_subscribers(
    server: &mut Server,
    count: usize,
    subscribe: &str,
    before: &str,
    after: &str,
) -> Rate {
    let mut sockets = Sockets::connect(server, count);
    let name = |number: usize| format!("{before}{number}{after}");
    for number in 0..count {
        sockets.send(number, &encode(&[subscribe.as_bytes(), name(number).as_bytes()]));
    }
    let confirmation = |number| {
        let (bytes, name) = (subscribe.len(), name(number));
        let kind = format!("*3\r\n${bytes}\r\n{subscribe}\r\n");
        format!("{kind}${}\r\n{name}\r\n:1\r\n", name.len()).into_bytes()
    };
    let confirmations: Vec<Vec<u8>> = (0..count).map(confirmation).collect();
    sockets.receive_exactly(|number| &confirmations[number]);

    let publish = encode(&[b"PUBLISH", b"channel", &[b'm'; 64]]).repeat(PIPELINE);
    let publish = Pipeline { bytes: publish, requests: PIPELINE, lines: PIPELINE };
    let (rate, _) = load(server, CONNECTIONS, vec![publish]);
    assert_eq!(ask(&server.connect(), &[b"PUBLISH", b"channel", b"last"]), ":0");
    sockets.assert_quiet();
    rate
}

/// This many clients wait at one queue. Each message is pushed when the previous one has reached a
/// client that waits again.
fn with_waiting_clients(server: &mut Server, count: usize) -> Rate {
    let mut waiting = WaitingClients::connect(server, count);
    let rate = Rate::of(server.process(), || waiting.run(seconds()));
    waiting.sockets.assert_quiet();
    assert_eq!(server.count_messages(["queue:0"]), 0);
    rate
}

/// The producer's number among the sockets; the others wait.
const PRODUCER: usize = 0;

struct WaitingClients {
    sockets: Sockets,
    pop: Vec<u8>,
    push: Vec<u8>,
    /// What the served client gets.
    message: Vec<u8>,
    ready: Vec<usize>,
}

impl WaitingClients {
    fn connect(server: &Server, count: usize) -> WaitingClients {
        let mut sockets = Sockets::connect(server, 1 + count);
        let pop = encode(&[b"BLPOP", b"queue:0", b"0"]);
        (1..=count).for_each(|number| sockets.send(number, &pop));
        let connection = server.connect();
        let begun = Instant::now();
        while info(&connection, "clients", "blocked_clients") != count.to_string() {
            assert!(begun.elapsed() < Duration::from_secs(30), "not all wait");
        }
        WaitingClients {
            sockets,
            pop,
            push: encode(&[b"RPUSH", b"queue:0", &[b'm'; 64]]),
            message: encode(&[b"queue:0", &[b'm'; 64]]),
            ready: Vec::new(),
        }
    }

    /// Thousands of served clients per second.
    fn run(&mut self, duration: Duration) -> f64 {
        let begun = Instant::now();
        let mut served = 0;
        while begun.elapsed() < duration {
            self.serve_one();
            served += 1;
        }
        f64::from(served) / begun.elapsed().as_secs_f64() / 1000.0
    }

    /// Pushes a message and waits until exactly one client has got it.
    fn serve_one(&mut self) {
        self.sockets.send(PRODUCER, &self.push);
        let (mut to_producer, mut to_client) = (Incoming::default(), Incoming::default());
        let (mut is_pushed, mut served) = (false, None);
        let mut is_served = false;
        while !(is_pushed && is_served) {
            self.sockets.wait(&mut self.ready);
            for number in self.ready.drain(..) {
                let bytes = self.sockets.receive(number);
                if number == PRODUCER {
                    is_pushed |= to_producer.take(b":1\r\n", bytes);
                } else if !bytes.is_empty() {
                    assert_eq!(*served.get_or_insert(number), number, "two clients were served");
                    is_served = to_client.take(&self.message, bytes);
                }
            }
        }
        self.sockets.send(served.expect("the one who was served"), &self.pop);
    }
}
