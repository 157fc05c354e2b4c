//! A broker that does all kinds of things while a snapshot of it is taken. What it does is made from a seed.

use crate::crashes::policies::Drawn;
use crate::crashes::script::Dice;
use crate::crashes::story::ask;
use std::cell::Cell;
use tidegate::broker::Contents;
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::snapshot::{CommandEncoder, RdbEncoder, RdbHeader};
use tidegate::{Broker, ClientId, CloseReason, NoHost, Peer};

const STEPS: usize = 50;
const CLIENTS: usize = 3;
const DAY_US: i64 = 86_400_000_000;
/// The policy of `c` is one of the settings, and may be deleted.
const SETTINGS: &str = "databases 2\nqueue-policy c c message-ttl-ms 900 dead-letter dead";
/// No more than this comes between two calls of the sink, beside one large message.
const PIECE_MAX: usize = 300_000;

/// A broker with clients, at its own time.
pub struct Side {
    pub broker: Broker,
    clients: Vec<ClientId>,
    pub now: Now,
}

pub fn broker(is_hurried: bool, start: Now) -> Broker {
    // So little that what leaves a queue is on its way for a while.
    let work = if is_hurried { 100 } else { 1_000_000 };
    let text = format!("turn-work-max {work}\n{SETTINGS}");
    let settings = Settings::from_text(&text, "the test's settings").expect("valid settings");
    Broker::new(settings, 9, Box::new(NoHost), start)
}

impl Side {
    fn new(is_hurried: bool, start: Now) -> Side {
        let mut broker = broker(is_hurried, start);
        let connect = |slot| broker.connect(slot, Peer::in_process(), start);
        let clients = (0..CLIENTS).map(connect).collect();
        Side { broker, clients, now: start }
    }

    /// One step, the same for the same dice.
    fn step(&mut self, dice: &mut Dice, requests: &[String]) {
        let client = self.clients[dice.below(CLIENTS as u64) as usize];
        for request in requests {
            ask(&mut self.broker, client, request, self.now);
        }
        if dice.below(3) == 0 {
            self.now = self.now.plus_us([1_000, 20_000, 250_000][dice.below(3) as usize]);
        }
        if dice.below(40) == 0 {
            let days = dice.below(5) as i64 - 2;
            self.now.unix_us = self.now.unix_us.saturating_add_signed(days * DAY_US);
        }
        self.broker.settle(self.now);
    }

    pub fn disconnect_all(&mut self) {
        for client in std::mem::take(&mut self.clients) {
            self.broker.disconnect(client, CloseReason::PeerClosed, self.now);
        }
        settle(&mut self.broker, self.now);
    }
}

/// Has all done that is due, also what a turn has no time for.
pub fn settle(broker: &mut Broker, now: Now) {
    broker.settle(now);
    while broker.has_backlog() {
        broker.settle(now);
    }
}

fn policy(dice: &mut Dice, drawn: &mut Drawn) -> String {
    let name = format!("p{}", dice.below(2));
    let pattern = ["a", "b", "[ab]", "*", "c"][dice.below(5) as usize];
    format!("QUEUE POLICY SET {}", drawn.policy(dice, &name, pattern))
}

/// What a client does next: values and states of every kind.
fn requests(dice: &mut Dice, drawn: &mut Drawn, number: usize) -> Vec<String> {
    let key = |dice: &mut Dice| ["a", "a", "b", "c"][dice.below(4) as usize];
    let (one, other) = (key(dice), key(dice));
    let string = ["s", "t", one][dice.below(3) as usize];
    let hash = ["h", "i", one][dice.below(3) as usize];
    let set = ["v", "w", one][dice.below(3) as usize];
    let request = match dice.below(52) {
        0..4 => format!("RPUSH {one} {number} {number}x {}", number / 2),
        4 => format!("LPUSH {one} {number}l"),
        // More than a command has, and more than a turn hands over.
        5..7 => {
            let all: Vec<String> = (0..300).map(|n| format!("{number}-{n}")).collect();
            format!("RPUSH {one} {}", all.join(" "))
        }
        // A queue of several segments, and messages with segments of their own.
        7 => format!("RPUSH {one} {}{number}", "l".repeat(5_000)),
        8 => format!("RPUSH {one} {}{number} {number}y", "h".repeat(70_000)),
        9..12 => format!("LPOP {one} {}", [1, 1, 5, 250][dice.below(4) as usize]),
        12 => format!("RPOP {one} {}", [1, 70][dice.below(2) as usize]),
        13 => format!("QUEUE NACK {one} COUNT {}", [1, 3, 100][dice.below(3) as usize]),
        14..16 => format!("QUEUE ACK {one} COUNT {}", [1, 3, 100][dice.below(3) as usize]),
        16 => format!("QUEUE ACK {one} VALUE {} {}-7", number / 2, number.saturating_sub(2)),
        17 if dice.below(2) == 0 => {
            format!("QUEUE NACK {one} COUNT {} DELAY {}", 1 + dice.below(100), dice.below(90_000))
        }
        // In a transaction, since a push that waits for capacity is no part of a snapshot.
        17 => {
            let push = format!("DELAY {} MESSAGES 2 {number} d", dice.below(90_000));
            format!("MULTI\r\nQUEUE PUSH {one} {push}\r\nEXEC")
        }
        18 if dice.below(2) == 0 => format!("LMOVE {one} {other} LEFT RIGHT"),
        18 => format!("RENAME {one} {other}"),
        19 => format!("PEXPIRE {one} {}", 1 + dice.below(90_000)),
        20 => format!("SET {string} {number} PX {}", 1 + dice.below(90_000)),
        21 => format!("SET {string} {}", ["-17", "short", "007", ""][dice.below(4) as usize]),
        22 => format!("APPEND s {}", "r".repeat(50)),
        23 => format!("SET t {}\u{0}", "b".repeat(dice.below(200_000) as usize)),
        24 => "INCR n".into(),
        25..27 => policy(dice, drawn),
        27 => format!("QUEUE POLICY DEL {}", ["p0", "p1", "c"][dice.below(3) as usize]),
        28 if dice.below(4) == 0 => "SWAPDB 0 1".into(),
        28 if dice.below(4) == 0 => "FLUSHDB".into(),
        28..30 => format!("SELECT {}", dice.below(2)),
        30 => format!("LINSERT {one} BEFORE {} {number}i", number / 2),
        31 if dice.below(4) == 0 => format!("DEL {one}"),
        31 => format!("LTRIM {one} 0 40"),
        32 => return vec!["MULTI".into(), format!("LPOP {one}"), "INCR n".into(), "EXEC".into()],
        33 => {
            format!("QUEUE PAUSE {one}{}", [" READ", " WRITE FOR 300", ""][dice.below(3) as usize])
        }
        34 => format!("QUEUE RESUME {one}"),
        35 if dice.below(3) == 0 => format!("QUEUE PURGE {one} READY INFLIGHT DELAYED"),
        37 => format!("HSET {hash} f{number} {number} same {number}x large {}", "v".repeat(300)),
        // More than are packed into one segment.
        38 if dice.below(2) == 0 => {
            let all: Vec<String> = (0..200).map(|n| format!("f{n} {number}-{n}")).collect();
            format!("HSET {hash} {}", all.join(" "))
        }
        38 => format!("HSET {hash} {number} {}", "w".repeat(dice.below(90_000) as usize)),
        39 => format!("HDEL {hash} f{} same", number / 2),
        40 => format!("HINCRBY {hash} n {}", dice.below(1_000)),
        41 => format!("SADD {set} {number} {} {}", number / 2, 7_000 * number),
        42 => format!("SADD {set} {number}x {}", "m".repeat(dice.below(1_000) as usize)),
        43 => {
            let all: Vec<String> = (0..600).map(|n| format!("{}", n * number)).collect();
            format!("SADD {set} {}", all.join(" "))
        }
        44 => format!("SPOP {set} {}", [1, 1, 2, 300][dice.below(4) as usize]),
        45 => format!("SDIFFSTORE {set} v w"),
        46 if dice.below(2) == 0 => format!("PEXPIRE {hash} {}", 1 + dice.below(90_000)),
        46 => format!("SUNIONSTORE {set} v w"),
        47 => format!("ZADD z {}.5 {} {number} m", dice.below(50), dice.below(300)),
        // More than a command has, and more than one leaf.
        48 => {
            let all: Vec<String> = (0..200).map(|n| format!("{} m{n}", dice.below(90))).collect();
            format!("ZADD {} {}", ["z", "y"][dice.below(2) as usize], all.join(" "))
        }
        49 => format!("ZADD {one} {number} {number}"),
        50 => ["ZPOPMIN z 20", "ZPOPMAX y", "ZINCRBY y 1 m7", "ZUNIONSTORE u 2 y z"]
            [dice.below(4) as usize]
            .into(),
        51 => format!("ZREMRANGEBYSCORE z {0} ({0}5", dice.below(9)),
        _ => "RESET".into(),
    };
    // An empty word has to be quoted.
    vec![if request.ends_with(' ') { request + "\"\"" } else { request }]
}

/// What leaves something to be returned for several turns, if there is little time in each: messages in flight
/// or delayed, and a policy that goes.
fn last_requests(dice: &mut Dice) -> Vec<String> {
    let key = ["a", "b"][dice.below(2) as usize];
    let options = ["delay-ms 50000", "delivery at-least-once acknowledge explicit"];
    let options = options[dice.below(2) as usize];
    let all: Vec<String> = (0..300).map(|n| format!("last-{n}")).collect();
    vec![
        format!("QUEUE POLICY SET p0 {key} {options}"),
        format!("RPUSH {key} {}", all.join(" ")),
        format!("LPOP {key} 250"),
        format!("QUEUE POLICY DEL p{}", dice.below(2)),
    ]
}

/// What leaves dead letters on their way for several turns.
fn last_dead_letters() -> Vec<String> {
    let all: Vec<String> = (0..600).map(|n| format!("last-{n}")).collect();
    let limit = "priority 9999 max-length 1 overflow dead-letter dead-letter dead";
    vec![
        "DEL a".into(),
        format!("QUEUE POLICY SET p0 a {limit}"),
        format!("RPUSH a {}", all.join(" ")),
    ]
}

/// All that there is, in lists as append files have them.
pub fn all(broker: &Broker) -> Contents {
    broker.contents().into_iter().chain(broker.hidden_contents()).collect()
}

/// What clients are told of keys of any type.
pub fn keys(broker: &mut Broker, now: Now) -> String {
    let id = broker.connect(9, Peer::in_process(), now);
    let mut told = String::new();
    for db in 0..2 {
        told += &ask(broker, id, &format!("SELECT {db}"), now);
        for key in ["a", "b", "c", "s", "t", "n", "h", "i", "v", "w"] {
            let of_type = ask(broker, id, &format!("TYPE {key}"), now);
            for what in ["TYPE", "PEXPIRETIME", "OBJECT ENCODING", "DEBUG DIGEST-VALUE"] {
                // What was large once may be small when it is loaded, as in Redis.
                if what == "OBJECT ENCODING"
                    && ["+hash", "+set"].iter().any(|it| of_type.starts_with(it))
                {
                    continue;
                }
                told +=
                    &format!("{what} {key}: {}\n", ask(broker, id, &format!("{what} {key}"), now));
            }
        }
    }
    broker.disconnect(id, CloseReason::PeerClosed, now);
    told
}

/// The form in which a snapshot is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Commands,
    Rdb,
}

enum Encoder {
    Commands(CommandEncoder),
    Rdb(RdbEncoder),
}

impl Encoder {
    fn begin(form: Form, out: &mut Vec<u8>) -> Encoder {
        match form {
            Form::Commands => Encoder::Commands(CommandEncoder::default()),
            Form::Rdb => {
                let header = RdbHeader {
                    unix_s: 7,
                    used_bytes: 8,
                    stream: None,
                    is_base: false,
                    is_compressed: true,
                };
                Encoder::Rdb(RdbEncoder::begin(&header, out))
            }
        }
    }
}

/// The snapshot in bytes, while the broker goes on.
fn encode(side: &mut Side, form: Form, dice: &mut Dice, drawn: &mut Drawn) -> Vec<u8> {
    let (mut encoded, mut buffer) = (Vec::new(), Vec::new());
    let mut encoder = Encoder::begin(form, &mut buffer);
    let largest = Cell::new(0);
    let mut number = STEPS;
    while let Some(part) = side.broker.next_saved(1 + dice.below(30_000) as usize) {
        let sink = |buffer: &mut Vec<u8>| {
            largest.set(largest.get().max(buffer.len()));
            // Not always: it need not take anything.
            if buffer.len() > 20_000 || buffer.len().is_multiple_of(2) {
                encoded.append(buffer);
            }
            Ok(())
        };
        let added = match &mut encoder {
            Encoder::Commands(encoder) => encoder.add(&part, &mut buffer, sink),
            Encoder::Rdb(encoder) => encoder.add(&part, &mut buffer, sink),
        };
        added.expect("a sink without errors");
        for _ in 0..dice.below(4) {
            let requests = requests(dice, drawn, number);
            side.step(dice, &requests);
            number += 1;
        }
        side.broker.check_invariants();
    }
    match encoder {
        Encoder::Commands(encoder) => encoder.finish(&mut buffer),
        Encoder::Rdb(encoder) => encoder.finish(&mut buffer),
    }
    encoded.append(&mut buffer);
    assert!(largest.get() <= PIECE_MAX, "a piece of {} bytes", largest.get());
    encoded
}

/// A broker as it was when a snapshot began, and that snapshot.
pub struct Played {
    pub kept: Side,
    pub encoded: Vec<u8>,
    pub is_hurried: bool,
}

/// Plays a scene made from a seed, beginning at this time, and takes a snapshot meanwhile.
pub fn play(seed: u64, form: Form, start: Now, drawn: &mut Drawn) -> Played {
    println!("TIDEGATE_CRASH_SEED={seed}");
    let mut dice = Dice(seed);
    let is_hurried = seed.is_multiple_of(3);
    // The one goes on while the snapshot is taken, the other stays as it was.
    let (mut side, mut kept) = (Side::new(is_hurried, start), Side::new(is_hurried, start));
    for number in 0..STEPS {
        let requests = match number {
            0 => vec![policy(&mut dice, drawn)],
            _ if number == STEPS - 1 && seed.is_multiple_of(2) => last_requests(&mut dice),
            _ if number == STEPS - 1 && is_hurried => last_dead_letters(),
            _ => requests(&mut dice, drawn, number),
        };
        let mut same = Dice(dice.0);
        side.step(&mut dice, &requests);
        kept.step(&mut same, &requests);
    }
    side.broker.begin_snapshot();
    let encoded = encode(&mut side, form, &mut dice, drawn);
    Played { kept, encoded, is_hurried }
}
