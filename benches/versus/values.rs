//! The rows about other values than lists: rates of their commands and of a script, resident bytes.

use crate::generator::Generator;
use crate::rate::{self, Rate};
use crate::servers::{Kind, Server, ask};
use crate::table::{print_head, print_rates, print_row};
use crate::workload::{CONNECTIONS, Pipeline, add_request};
use crate::{from_environment, seconds};

const PIPELINES: [usize; 3] = [1, 16, 100];
/// Different pipelines of a row, which are sent in turn.
const DIFFERENT: usize = 256;
/// Keys of a row, and the elements of each.
const KEYS: u64 = 1_000;
const ELEMENTS: u64 = 100;
const VALUE: &[u8] = &[b'v'; 32];
const SCRIPT: &str = "redis.call('INCR', KEYS[1]) redis.call('SET', KEYS[2], ARGV[1]) return redis.call('GET', KEYS[2])";
/// Requests sent at once while filling.
const FILL_BATCH: usize = 1_000;

/// A row of rates.
struct Row {
    name: &'static str,
    /// Requests before the first measurement; the name of the script, if one of them loads it.
    prepare: fn(&mut Server) -> String,
    /// Adds requests that belong together, with random numbers.
    add: fn(&mut Random, &str, &mut Vec<u8>),
    /// How many these are, and how many line ends their replies have.
    requests: usize,
    lines: usize,
}

const ROWS: [Row; 7] = [
    Row { name: "values: HSET", prepare: fill_hashes, add: hset, requests: 1, lines: 1 },
    Row { name: "values: HGET", prepare: fill_hashes, add: hget, requests: 1, lines: 2 },
    Row { name: "values: SADD", prepare: nothing, add: sadd, requests: 1, lines: 1 },
    Row { name: "values: ZADD", prepare: nothing, add: zadd, requests: 1, lines: 1 },
    Row {
        name: "values: ZADD, ZPOPMIN",
        prepare: nothing,
        add: zadd_and_zpopmin,
        requests: 2,
        lines: 6,
    },
    Row {
        name: "values: XADD, XREADGROUP",
        prepare: create_group,
        add: xadd_and_xreadgroup,
        requests: 2,
        lines: 15,
    },
    Row {
        name: "values: EVALSHA of 3 commands",
        prepare: load_script,
        add: evalsha,
        requests: 1,
        lines: 2,
    },
];

/// A row of memory.
struct Shape {
    name: &'static str,
    /// How many of what the row counts, and how many are in a key.
    count: u64,
    per_key: u64,
    /// Line ends in one reply.
    lines: usize,
    /// Adds a request for an element of a key.
    add: fn(u64, u64, &mut Vec<u8>),
}

const SHAPES: [Shape; 5] = [
    Shape {
        name: "values: hash of 10 small fields, of 100k",
        count: 100_000,
        per_key: 10,
        lines: 1,
        add: |key, element, out| {
            let (key, field) = (format!("hash:{key}"), format!("field{element}"));
            let value = (key.len() as u64 * 1_000 + element).to_string();
            add_request(&[b"HSET", key.as_bytes(), field.as_bytes(), value.as_bytes()], out);
        },
    },
    Shape {
        name: "values: set of 100, of 20k",
        count: 20_000,
        per_key: 100,
        lines: 1,
        add: |key, element, out| {
            let (key, member) = (format!("set:{key}"), format!("member{element}"));
            add_request(&[b"SADD", key.as_bytes(), member.as_bytes()], out);
        },
    },
    Shape {
        name: "values: sorted set of 100, of 20k",
        count: 20_000,
        per_key: 100,
        lines: 1,
        add: |key, element, out| add_scored(&format!("sorted:{key}"), element, out),
    },
    Shape {
        name: "values: member of a sorted set of 1 M",
        count: 1,
        per_key: 1_000_000,
        lines: 1,
        add: |key, element, out| add_scored(&format!("sorted:{key}"), element, out),
    },
    Shape {
        name: "values: entry of a stream of 1 M",
        count: 1,
        per_key: 1_000_000,
        lines: 2,
        add: |key, element, out| {
            let (key, value) = (format!("stream:{key}"), format!("value{element}"));
            add_request(&[b"XADD", key.as_bytes(), b"*", b"field", value.as_bytes()], out);
        },
    },
];

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::BareLoop).collect();
    let rows: Vec<&Row> = ROWS.iter().filter(|row| is_wanted(row.name)).collect();
    if !rows.is_empty() {
        print_head("values: thousands of operations a second", &kinds);
    }
    for row in rows {
        for pipeline in PIPELINES {
            let mut servers: Vec<Server> =
                kinds.iter().map(|kind| Server::start(*kind, &[])).collect();
            let rates = rate::in_turns(from_environment("ROUNDS", 5), &mut servers, |server| {
                measure(row, pipeline, server)
            });
            print_rates(&format!("{}, pipeline {pipeline}", row.name), &kinds, &rates, 0);
        }
    }
    let shapes: Vec<&Shape> = SHAPES.iter().filter(|shape| is_wanted(shape.name)).collect();
    if !shapes.is_empty() {
        print_head("values: resident bytes", &kinds);
    }
    for shape in shapes {
        let bytes: Vec<f64> =
            kinds.iter().map(|kind| bytes_of(shape, &mut Server::start(*kind, &[]))).collect();
        print_row(shape.name, &kinds, &bytes, 0);
    }
}

fn measure(row: &Row, pipeline: usize, server: &mut Server) -> Rate {
    server.empty();
    let script = (row.prepare)(server);
    let mut random = Random(1);
    let groups = pipeline.div_ceil(row.requests);
    let pipelines = (0..DIFFERENT).map(|_| {
        let mut bytes = Vec::new();
        (0..groups).for_each(|_| (row.add)(&mut random, &script, &mut bytes));
        Pipeline { bytes, requests: groups * row.requests, lines: groups * row.lines }
    });
    let mut generator = Generator::connect(server.address(), CONNECTIONS, pipelines.collect());
    let rate = Rate::of(server.process(), || generator.run(seconds()));
    generator.finish();
    rate
}

/// Resident bytes of one of what a row counts.
fn bytes_of(shape: &Shape, server: &mut Server) -> f64 {
    // Memory for the first requests does not count.
    fill(server, (0..1_000).map(|element| (0, element)), shape.lines, shape.add);
    server.empty();
    let before = server.resident_bytes_at_rest();
    let elements = (0..shape.per_key).flat_map(|at| (0..shape.count).map(move |key| (key, at)));
    fill(server, elements, shape.lines, shape.add);
    let one = if shape.count == 1 { shape.per_key } else { shape.count };
    (server.resident_bytes_at_rest() - before) / one as f64
}

/// Sends a request for each pair of numbers. A reply has this many line ends.
fn fill(
    server: &mut Server,
    mut pairs: impl Iterator<Item = (u64, u64)>,
    lines: usize,
    add: fn(u64, u64, &mut Vec<u8>),
) {
    let mut generator = None;
    loop {
        let (mut bytes, mut requests) = (Vec::new(), 0);
        for (key, element) in pairs.by_ref().take(FILL_BATCH) {
            add(key, element, &mut bytes);
            requests += 1;
        }
        if requests == 0 {
            return;
        }
        let pipeline = Pipeline { bytes, requests, lines: requests * lines };
        match &mut generator {
            None => generator = Some(Generator::connect(server.address(), 1, vec![pipeline])),
            Some(generator) => generator.replace(vec![pipeline]),
        }
        if let Some(generator) = &mut generator {
            generator.send(1);
        }
    }
}

fn nothing(_: &mut Server) -> String {
    String::new()
}

fn fill_hashes(server: &mut Server) -> String {
    let pairs = (0..ELEMENTS).flat_map(|element| (0..KEYS).map(move |key| (key, element)));
    fill(server, pairs, 1, |key, element, out| {
        let (key, field) = (format!("hash:{key}"), format!("field{element}"));
        add_request(&[b"HSET", key.as_bytes(), field.as_bytes(), VALUE], out);
    });
    String::new()
}

fn create_group(server: &mut Server) -> String {
    let reply = ask(&server.connect(), &[b"XGROUP", b"CREATE", b"stream", b"g", b"0", b"MKSTREAM"]);
    assert_eq!(reply, "+OK");
    String::new()
}

fn load_script(server: &mut Server) -> String {
    let name = ask(&server.connect(), &[b"SCRIPT", b"LOAD", SCRIPT.as_bytes()]);
    name.trim_end().to_owned()
}

fn hset(random: &mut Random, _: &str, out: &mut Vec<u8>) {
    let (key, field) = random.key_and("hash", "field");
    add_request(&[b"HSET", key.as_bytes(), field.as_bytes(), VALUE], out);
}

fn hget(random: &mut Random, _: &str, out: &mut Vec<u8>) {
    let (key, field) = random.key_and("hash", "field");
    add_request(&[b"HGET", key.as_bytes(), field.as_bytes()], out);
}

fn sadd(random: &mut Random, _: &str, out: &mut Vec<u8>) {
    let (key, member) = random.key_and("set", "member");
    add_request(&[b"SADD", key.as_bytes(), member.as_bytes()], out);
}

fn zadd(random: &mut Random, _: &str, out: &mut Vec<u8>) {
    let (key, member) = random.key_and("sorted", "member");
    let score = random.below(1 << 40).to_string();
    add_request(&[b"ZADD", key.as_bytes(), score.as_bytes(), member.as_bytes()], out);
}

/// A queue with priorities.
fn zadd_and_zpopmin(random: &mut Random, _: &str, out: &mut Vec<u8>) {
    let (score, member) = (random.below(1 << 40).to_string(), random.below(1 << 40).to_string());
    add_request(&[b"ZADD", b"sorted", score.as_bytes(), member.as_bytes()], out);
    add_request(&[b"ZPOPMIN", b"sorted"], out);
}

fn xadd_and_xreadgroup(_: &mut Random, _: &str, out: &mut Vec<u8>) {
    let trimmed = [&b"XADD"[..], b"stream", b"MAXLEN", b"~", b"100000", b"*", b"field", VALUE];
    add_request(&trimmed, out);
    let read: [&[u8]; 10] = [
        b"XREADGROUP",
        b"GROUP",
        b"g",
        b"c",
        b"COUNT",
        b"1",
        b"NOACK",
        b"STREAMS",
        b"stream",
        b">",
    ];
    add_request(&read, out);
}

fn evalsha(random: &mut Random, script: &str, out: &mut Vec<u8>) {
    let (counter, key) = random.key_and("counter", "string");
    let words =
        [&b"EVALSHA"[..], script.as_bytes(), b"2", counter.as_bytes(), key.as_bytes(), VALUE];
    add_request(&words, out);
}

fn add_scored(key: &str, element: u64, out: &mut Vec<u8>) {
    // Scores are in no order.
    let score = (element.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24).to_string();
    let member = format!("member{element}");
    add_request(&[b"ZADD", key.as_bytes(), score.as_bytes(), member.as_bytes()], out);
}

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 20) % limit
    }

    fn key_and(&mut self, key: &str, element: &str) -> (String, String) {
        let [key_number, element_number] = [self.below(KEYS), self.below(ELEMENTS)];
        (format!("{key}:{key_number}"), format!("{element}{element_number}"))
    }
}
