//! Redis servers load what is written as an RDB file, and then have the same data: what is in flight, delayed
//! or departing as plain lists.
//!
//! Runs are made from the seeds of `tests/snapshots.rs`. `TIDEGATE_CRASH_SEEDS=1000` plays so many,
//! `TIDEGATE_CRASH_SEED=n` one.

#[expect(dead_code, reason = "the crash tests use the rest")]
mod crashes {
    pub mod policies;
    pub mod script;
    pub mod story;
    pub mod watchful;
    pub mod world;
}
mod directory;
mod originals;
#[expect(dead_code, reason = "other tests read the files themselves")]
mod snapshot_support;

use crashes::policies::Drawn;
use crashes::script::seeds;
use crashes::world::START;
use directory::Directory;
use libtest_mimic::Arguments;
use originals::{Original, Version};
use redis::Connection;
use snapshot_support::{Form, all, play};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tidegate::broker::Contents;
use tidegate::resp::write_command;
use tidegate::settings::Settings;
use tidegate::snapshot::{RdbEncoder, RdbHeader};
use tidegate::{Broker, ClientId, NoHost, Peer};

const SEEDS: u64 = 25;
const NEW_SEEDS: u64 = 5;

/// A server drops what has expired: the runs begin that much later than the others.
const LATER_US: u64 = 50 * 365 * 86_400 * 1_000_000;

/// Time for a server to start.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let judges = [
        ("redis", originals::redis_7(&[Version::V7_0, Version::V7_2])),
        ("redis_8", originals::redis_8()),
    ];
    let trials = judges.iter().flat_map(|(name, judge)| {
        [
            originals::trial(format!("{name}::loads_every_file"), judge, load_every_file),
            originals::trial(format!("{name}::restores_what_was_dumped"), judge, restore),
            originals::trial(format!("{name}::exchanges_streams"), judge, exchange_streams),
        ]
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// A server with its own directory, which is removed with it.
struct Loaded {
    process: Child,
    directory: Directory,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Loaded {
    /// Starts a server with this file; returns a connection to it.
    fn start(original: &Original, seed: u64, file: &[u8]) -> io::Result<(Loaded, Connection)> {
        let version = original.version.name();
        let directory = Directory::new(&format!("rdb-{version}-{seed}"));
        fs::write(directory.join("dump.rdb"), file)?;
        let socket = directory.join("socket");
        let mut command = Command::new(&original.program);
        command.args(["--port", "0", "--save", "", "--loglevel", "verbose", "--logfile", "log"]);
        command.arg("--dir").arg(directory.path()).arg("--unixsocket").arg(&socket);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut loaded = Loaded { process: command.spawn()?, directory };
        let url = format!("unix://{}", socket.display());
        let client = redis::Client::open(url).map_err(io::Error::other)?;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut connection) = client.get_connection()
                && redis::cmd("PING").exec(&mut connection).is_ok()
            {
                return Ok((loaded, connection));
            }
            if loaded.process.try_wait()?.is_some() || Instant::now() > until {
                let log = loaded.log();
                return Err(io::Error::other(format!("it does not start:\n{log}")));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

/// All data of a server.
fn contents(connection: &mut Connection) -> redis::RedisResult<Contents> {
    let mut contents = BTreeMap::new();
    for db in 0..2 {
        redis::cmd("SELECT").arg(db).exec(connection)?;
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(connection)?;
        for key in keys {
            let of_type: String = redis::cmd("TYPE").arg(&key).query(connection)?;
            let values = match of_type.as_str() {
                "zset" => redis::cmd("ZRANGE")
                    .arg(&key)
                    .arg(&[0, -1])
                    .arg("WITHSCORES")
                    .query(connection)?,
                "list" => redis::cmd("LRANGE").arg(&key).arg(0).arg(-1).query(connection)?,
                "hash" => {
                    let all: Vec<Vec<u8>> = redis::cmd("HGETALL").arg(&key).query(connection)?;
                    let mut pairs: Vec<_> = all.chunks(2).map(<[_]>::to_vec).collect();
                    pairs.sort();
                    pairs.concat()
                }
                "set" => {
                    let mut all: Vec<Vec<u8>> =
                        redis::cmd("SMEMBERS").arg(&key).query(connection)?;
                    all.sort();
                    all
                }
                _ => vec![redis::cmd("GET").arg(&key).query(connection)?],
            };
            let expiry: i64 = redis::cmd("PEXPIRETIME").arg(&key).query(connection)?;
            contents.insert((db, key), (values, Some(expiry).filter(|expiry| *expiry >= 0)));
        }
    }
    Ok(contents)
}

/// The payload that a broker replies to DUMP of this key.
fn dumped(broker: &mut Broker, id: ClientId, key: &str) -> Vec<u8> {
    broker.receive(id, format!("DUMP {key}\r\n").as_bytes(), START);
    broker.settle(START);
    let reply = broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
    broker.flushed(id, reply.len(), START);
    let start = reply.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    reply.get(start..reply.len().saturating_sub(2)).unwrap_or_default().to_vec()
}

/// RESTORE takes the payloads of DUMP.
fn restore(original: &Original) -> Result<(), String> {
    let mut empty = Vec::new();
    RdbEncoder::begin(&RdbHeader::default(), &mut empty).finish(&mut empty);
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let (_server, mut connection) =
        Loaded::start(original, u64::MAX, &empty).map_err(|error| failed(&error))?;
    let mut broker = Broker::new(Settings::default(), 9, Box::new(NoHost), START);
    let id = broker.connect(0, Peer::in_process(), START);
    let long = "l".repeat(70_000);
    let many: Vec<String> = (0..5_000).map(|number| format!("{number}")).collect();
    let large = [many.join(" "), long.clone(), "m".repeat(300)].join(" ");
    let scored: Vec<String> = (0..5_000).map(|number| format!("{number}.5 {number}")).collect();
    let scored = scored.join(" ");
    let requests = [
        "SET empty ".to_owned(),
        "SET number -2147483648".into(),
        "SET large 2147483648".into(),
        format!("SET long {long}"),
        "RPUSH short a -1  007".into(),
        format!("RPUSH many {large}"),
        "ZADD few 1 a 2.5 b inf c -inf ".into(),
        format!("ZADD members {scored}"),
        "HSET hash a 1 b  007 x".into(),
        format!("HSET large-hash {large} {long} f"),
        "SADD set a -1  007".into(),
        "SADD integers 1 -1 2147483648".into(),
        format!("SADD large-set {large}"),
    ];
    for request in &requests {
        let mut bytes = Vec::new();
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        write_command(&mut bytes, words.iter().copied());
        broker.receive(id, &bytes, START);
    }
    broker.settle(START);
    let replies = broker.outbox(id).map(|output| output.take_all().len()).unwrap_or_default();
    broker.flushed(id, replies, START);
    let expected = broker.contents();
    assert_eq!(expected.len(), requests.len());
    for (_, key) in expected.keys() {
        let key = String::from_utf8_lossy(key);
        let payload = dumped(&mut broker, id, &key);
        let restored = redis::cmd("RESTORE").arg(&*key).arg(0).arg(payload).exec(&mut connection);
        restored.map_err(|error| format!("{key}: {error}"))?;
    }
    let found = contents(&mut connection).map_err(|error| failed(&error))?;
    if found == expected { Ok(()) } else { Err("it has other data".into()) }
}

/// The reply of a broker.
fn asked(broker: &mut Broker, id: ClientId, words: &[&[u8]]) -> Result<redis::Value, String> {
    let mut request = Vec::new();
    write_command(&mut request, words.iter().copied());
    broker.receive(id, &request, START);
    broker.settle(START);
    let reply = broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
    broker.flushed(id, reply.len(), START);
    redis::parse_redis_value(&reply).map_err(|error| error.to_string())
}

/// The reply of a server.
fn told(connection: &mut Connection, words: &[&[u8]]) -> Result<redis::Value, String> {
    let mut command = redis::cmd(&String::from_utf8_lossy(words[0]));
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query(connection).map_err(|error| error.to_string())
}

/// What can be asked about a stream, whoever has it.
const ABOUT_STREAMS: &[&str] = &[
    "XRANGE s - +",
    "XREVRANGE s 40 - COUNT 3",
    "XPENDING s g",
    "XPENDING s h",
    "XREADGROUP GROUP g a COUNT 2 STREAMS s >",
    "XREADGROUP GROUP g b STREAMS s 0",
    "XREADGROUP GROUP h a STREAMS s >",
    "XADD s 99-1 f v",
    "XACK s g 2-0 3-0",
    "XPENDING s g",
];

/// Streams go there by RESTORE and come back, with their groups.
fn exchange_streams(original: &Original) -> Result<(), String> {
    let mut empty = Vec::new();
    RdbEncoder::begin(&RdbHeader::default(), &mut empty).finish(&mut empty);
    let (_server, mut connection) =
        Loaded::start(original, u64::MAX - 1, &empty).map_err(|error| error.to_string())?;
    let settings = Settings::from_text("stream-node-max-entries 7", "the test's settings");
    let mut broker = Broker::new(settings.expect("valid settings"), 9, Box::new(NoHost), START);
    let id = broker.connect(0, Peer::in_process(), START);
    let mut requests: Vec<String> = Vec::new();
    for number in 1..=40 {
        let long = "l".repeat(number * number);
        let fields = ["f v", "f -5 g 70000", "other 9223372036854775807"][number % 3];
        requests.push(format!("XADD s {number} {fields} {long} -"));
    }
    let more = [
        "XGROUP CREATE s g 0",
        "XGROUP CREATE s h 5",
        "XREADGROUP GROUP g a COUNT 9 STREAMS s >",
        "XREADGROUP GROUP g b COUNT 9 STREAMS s >",
        "XACK s g 4-0",
        "XDEL s 5 12 13 21 22 23 24 25 26 27 28",
        "XTRIM s MAXLEN 27",
        "XGROUP CREATECONSUMER s h idle",
    ];
    requests.extend(more.map(String::from));
    for request in &requests {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        asked(&mut broker, id, &words)?;
    }
    let payload = dumped(&mut broker, id, "s");
    told(&mut connection, &[b"RESTORE", b"s", b"0", &payload])?;
    let redis::Value::BulkString(back) = told(&mut connection, &[b"DUMP", b"s"])? else {
        return Err("no payload".into());
    };
    asked(&mut broker, id, &[b"RENAME", b"s", b"first"])?;
    asked(&mut broker, id, &[b"RESTORE", b"s", b"0", &back])?;
    for request in ABOUT_STREAMS {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        let theirs = told(&mut connection, &words);
        let back = asked(&mut broker, id, &words);
        let own: Vec<&[u8]> =
            words.iter().map(|word| if *word == b"s" { &b"first"[..] } else { word }).collect();
        let ours = asked(&mut broker, id, &own);
        let shown = |value: &Result<redis::Value, String>| {
            format!("{value:?}").replace("'first'", "'s'").replace("\"first\"", "\"s\"")
        };
        let [theirs, back, ours] = [theirs, back, ours].map(|value| shown(&value));
        let ours = ours.replace(&format!("{:?}", b"first"), &format!("{:?}", b"s"));
        let same = theirs == back && theirs == ours;
        if !same {
            return Err(format!("{request}:\n{theirs}\n{back}\n{ours}"));
        }
    }
    Ok(())
}

fn load_every_file(original: &Original) -> Result<(), String> {
    let mut drawn = Drawn::default();
    for seed in seeds(SEEDS, NEW_SEEDS) {
        let played = play(seed, Form::Rdb, START.plus_us(LATER_US), &mut drawn);
        let failed = |error: &dyn std::fmt::Display| format!("TIDEGATE_CRASH_SEED={seed}: {error}");
        let (server, mut connection) =
            Loaded::start(original, seed, &played.encoded).map_err(|error| failed(&error))?;
        let found = contents(&mut connection).map_err(|error| failed(&error))?;
        // A server that gets a change expires keys by its own clock, so nothing has expired there.
        let expected = all(&played.kept.broker);
        for (key, value) in &expected {
            if found.get(key) != Some(value) {
                return Err(failed(&format!("{} of {}", key.1.escape_ascii(), key.0)));
            }
        }
        if found.len() != expected.len() {
            return Err(failed(&"more than there was"));
        }
        // At its second highest level, it says nothing of the fields that it does not know.
        let log = server.log();
        if log.contains("tidegate'") || log.contains("AUX") || log.contains("# WARNING: rdb") {
            return Err(failed(&format!("it complains:\n{log}")));
        }
    }
    Ok(())
}
