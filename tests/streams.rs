//! Streams: what is recorded, and what snapshots write in both forms, gives the same streams when it is read
//! back. Runs are made from seeds. `TIDEGATE_STREAM_SEED=n` plays one.

use std::time::{SystemTime, UNIX_EPOCH};
use tidegate::broker::{Contents, RdbLoad};
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::snapshot::{CommandEncoder, RdbEncoder, RdbHeader};
use tidegate::{Broker, ClientId, NoHost, Peer};

const START: Now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
const CLIENTS: usize = 4;
const STEPS: usize = 150;
const SEEDS: u64 = 60;
const NEW_SEEDS: u64 = 20;

/// Random numbers from a seed: splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

struct World {
    broker: Broker,
    clients: Vec<ClientId>,
    now: Now,
}

fn broker() -> Broker {
    let text = "stream-node-max-entries 5\ndatabases 2";
    let settings = Settings::from_text(text, "the test's settings").expect("valid settings");
    Broker::new(settings, 9, Box::new(NoHost), START)
}

impl World {
    fn new() -> World {
        let mut broker = broker();
        let clients = (0..CLIENTS).map(|slot| broker.connect(slot, Peer::in_process(), START));
        let clients = clients.collect();
        World { broker, clients, now: START }
    }

    /// Sends a request; returns the reply, if there is one yet.
    fn ask(&mut self, client: usize, request: &str) -> String {
        let id = self.clients[client];
        self.broker.receive(id, format!("{request}\r\n").as_bytes(), self.now);
        self.settle();
        let owed = self.broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
        self.broker.flushed(id, owed.len(), self.now);
        String::from_utf8_lossy(&owed).replace("\r\n", " ")
    }

    fn settle(&mut self) {
        self.broker.settle(self.now);
        while self.broker.has_backlog() {
            self.broker.settle(self.now);
        }
        self.broker.check_invariants();
    }

    fn step(&mut self, dice: &mut Dice) {
        let request = request(dice, self.now);
        self.ask(dice.below(CLIENTS as u64) as usize, &request);
        if dice.below(3) == 0 {
            self.now = self.now.plus_us([1_000, 20_000, 250_000][dice.below(3) as usize]);
            self.settle();
        }
    }
}

/// An id that may be that of an entry: most are from the last seconds.
fn id(dice: &mut Dice, now: Now) -> String {
    let ms = now.unix_us / 1000 - dice.below(400);
    match dice.below(6) {
        0 => format!("{ms}-{}", dice.below(2)),
        1 => "0".into(),
        2 => format!("{}", dice.below(100)),
        _ => format!("{}-0", now.unix_us / 1000 / 10 * 10 - 10 * dice.below(20)),
    }
}

fn request(dice: &mut Dice, now: Now) -> String {
    let key = dice.pick(&["s", "s", "s", "t"]);
    let group = dice.pick(&["g", "g", "h"]);
    let consumer = dice.pick(&["a", "b", "c"]);
    let count = 1 + dice.below(4);
    let id = id(dice, now);
    let fields = dice.pick(&["f v", "f 17 g -3", "f -128 g 4095", "other x", "f v f v"]);
    match dice.below(30) {
        0..7 => format!("XADD {key} * {fields}"),
        7 => {
            let long = "l".repeat(dice.below(300) as usize + 1);
            format!("XADD {key} MAXLEN ~ {} * f {long}", dice.below(20))
        }
        8 => format!("XADD {key} NOMKSTREAM MINID = {id} * {fields}"),
        9 => format!("XADD {key} {id} {fields}"),
        10 => format!("XTRIM {key} MAXLEN {} {}", dice.pick(&["=", "~"]), 5 + dice.below(20)),
        11 => format!("XDEL {key} {id} {}", self::id(dice, now)),
        12 => format!("XGROUP CREATE {key} {group} {} MKSTREAM", dice.pick(&["$", "0"])),
        13 if dice.below(3) == 0 => format!("XGROUP DESTROY {key} {group}"),
        13 => format!("XGROUP SETID {key} {group} {id} ENTRIESREAD {count}"),
        14 => format!("XGROUP CREATECONSUMER {key} {group} {consumer}"),
        15 if dice.below(3) == 0 => format!("XGROUP DELCONSUMER {key} {group} {consumer}"),
        15..20 => format!("XREADGROUP GROUP {group} {consumer} COUNT {count} STREAMS {key} >"),
        20 => format!("XREADGROUP GROUP {group} {consumer} NOACK STREAMS {key} >"),
        21 => format!("XREADGROUP GROUP {group} {consumer} COUNT {count} STREAMS {key} 0"),
        22 => format!("XREADGROUP GROUP {group} {consumer} BLOCK 300 STREAMS s t > >"),
        23 => format!("XREAD BLOCK 100 STREAMS {key} $"),
        24 => format!("XACK {key} {group} {id} {}", self::id(dice, now)),
        25 => format!("XCLAIM {key} {group} {consumer} {} {id} FORCE", dice.below(50)),
        26 => format!("XCLAIM {key} {group} {consumer} 0 {id} IDLE 70 RETRYCOUNT 5 LASTID {id}"),
        27 => format!("XAUTOCLAIM {key} {group} {consumer} {} 0 COUNT {count}", dice.below(50)),
        28 => format!("XSETID {key} {id} ENTRIESADDED 99 MAXDELETEDID 5-5"),
        _ => match dice.below(8) {
            0 => format!("DEL {key}"),
            1 => "COPY s t REPLACE".into(),
            2 => "RENAME t s".into(),
            3 => "SET t x".into(),
            4 => "XADD s MAXLEN = 0 * gone x".into(),
            5 => "MULTI\r\nXADD s * in exec\r\nXREADGROUP GROUP g a STREAMS s >\r\nEXEC".into(),
            _ => format!("XTRIM {key} MINID {id}"),
        },
    }
}

fn seeds() -> Vec<u64> {
    if let Ok(seed) = std::env::var("TIDEGATE_STREAM_SEED") {
        return vec![seed.parse().expect("a number")];
    }
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let first = 1_000_000 + (time.as_micros() % 1_000_000_000) as u64;
    (1..=SEEDS).chain(first..first + NEW_SEEDS).collect()
}

/// Panics unless a broker has these contents.
fn compare(seed: u64, what: &str, mut loaded: Broker, expected: &Contents, now: Now) {
    loaded.end_replay(now);
    loaded.check_invariants();
    let found = loaded.contents();
    for (key, value) in expected {
        let shown = |words: &[Vec<u8>]| {
            let words = words.iter().map(|word| word.escape_ascii().to_string());
            words.collect::<Vec<_>>().join(" ")
        };
        let other = found.get(key).map(|(words, _)| shown(words));
        assert_eq!(other, Some(shown(&value.0)), "TIDEGATE_STREAM_SEED={seed}: {what}");
    }
    assert_eq!(found.len(), expected.len(), "TIDEGATE_STREAM_SEED={seed}: {what}");
}

#[test]
fn replayed_effects_give_the_same_streams() {
    for seed in seeds() {
        let (mut dice, mut world) = (Dice(seed), World::new());
        let reader = world.broker.read_effects();
        (0..STEPS).for_each(|_| world.step(&mut dice));
        let mut effects = Vec::new();
        world.broker.take_effects(&reader, &mut effects);
        let mut loaded = broker();
        let replayed = loaded.replay(&mut 0, &effects);
        assert!(replayed.is_ok(), "TIDEGATE_STREAM_SEED={seed}: {replayed:?}");
        compare(seed, "effects", loaded, &world.broker.contents(), world.now);
    }
}

#[test]
fn snapshots_are_read_back() {
    for seed in seeds() {
        for is_rdb in [false, true] {
            let (mut dice, mut world) = (Dice(seed), World::new());
            (0..STEPS).for_each(|_| world.step(&mut dice));
            world.broker.begin_snapshot();
            let (expected, now) = (world.broker.contents(), world.now);
            let (mut out, mut sink) = (Vec::new(), |_: &mut Vec<u8>| Ok(()));
            let mut commands = CommandEncoder::default();
            let mut file = Vec::new();
            let mut rdb = RdbEncoder::begin(&RdbHeader::default(), &mut file);
            while let Some(part) = world.broker.next_saved(1 + dice.below(3_000) as usize) {
                commands.add(&part, &mut out, &mut sink).expect("a sink without errors");
                rdb.add(&part, &mut file, &mut sink).expect("a sink without errors");
                world.step(&mut dice);
            }
            commands.finish(&mut out);
            rdb.finish(&mut file);
            let mut loaded = broker();
            if is_rdb {
                let mut load = RdbLoad::new(false);
                for piece in file.chunks(1 + seed as usize % 700) {
                    assert_eq!(loaded.load_rdb(&mut load, piece), Ok(piece.len()), "seed {seed}");
                }
                assert!(load.is_done());
            } else {
                let replayed = loaded.replay(&mut 0, &out);
                assert!(replayed.is_ok(), "TIDEGATE_STREAM_SEED={seed}: {replayed:?}");
            }
            compare(seed, if is_rdb { "rdb" } else { "commands" }, loaded, &expected, now);
        }
    }
}

/// However a large stream goes, it is freed in parts, and all of it.
#[test]
fn large_streams_are_freed_in_parts() {
    for way in
        ["DEL s", "SET s x", "FLUSHALL", "PEXPIRE s 1", "XGROUP DESTROY s g", "COPY t s REPLACE"]
    {
        for is_saved in [false, true] {
            let mut world = World::new();
            world.ask(0, "CONFIG SET turn-work-max 100");
            world.ask(0, "XGROUP CREATE s g 0 MKSTREAM");
            world.ask(0, "XADD t 1-1 f v");
            let many = "XADD s * f v\r\n".repeat(70_000 / 5);
            world.ask(0, many.trim_end());
            while world.broker.outbox(world.clients[0]).is_some_and(|output| !output.is_empty()) {
                world.ask(0, "PING");
            }
            world.ask(0, "XREADGROUP GROUP g c STREAMS s >");
            if is_saved {
                world.broker.begin_snapshot();
            }
            let before = world.broker.work();
            let id = world.clients[0];
            world.broker.receive(id, format!("{way}\r\n").as_bytes(), world.now);
            world.now = world.now.plus_us(10_000);
            world.broker.settle(world.now);
            world.broker.check_invariants();
            world.settle();
            // A group alone is not that large.
            let is_worth_it = way != "XGROUP DESTROY s g";
            assert!(!is_worth_it || world.broker.work() - before > 100, "{way}");
            while is_saved && world.broker.next_saved(100_000).is_some() {
                world.settle();
            }
        }
    }
}

/// Consumers that wait are served in the order of their waiting, one by each entry.
#[test]
fn one_entry_serves_one_consumer_of_each_group() {
    let mut world = World::new();
    world.ask(0, "XGROUP CREATE s g $ MKSTREAM");
    for client in 1..CLIENTS {
        let request = format!("XREADGROUP GROUP g c{client} BLOCK 0 STREAMS s >");
        assert_eq!(world.ask(client, &request), "");
    }
    for served in 1..CLIENTS {
        world.ask(0, "XADD s * f v");
        for client in 1..CLIENTS {
            let id = world.clients[client];
            let owed = world.broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
            world.broker.flushed(id, owed.len(), world.now);
            assert_eq!(owed.is_empty(), client != served, "client {client}, entry {served}");
        }
    }
}
