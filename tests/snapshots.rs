//! What a snapshot writes, and what reads it back, as a pair: a broker that gets the bytes is as the other was
//! when the snapshot began, whatever that one has done meanwhile.
//!
//! Runs are made from seeds. `TIDEGATE_CRASH_SEEDS=1000` plays so many, `TIDEGATE_CRASH_SEED=n` one.

#[expect(dead_code, reason = "the crash tests use the rest")]
mod crashes {
    pub mod policies;
    pub mod script;
    pub mod story;
    pub mod watchful;
    pub mod world;
}
mod rdb_support;
mod snapshot_support;

use crashes::policies::Drawn;
use crashes::script::seeds;
use crashes::story::{ask, story};
use crashes::world::START;
use snapshot_support::{Form, Played, all, broker, keys, play, settle};
use tidegate::broker::RdbLoad;
use tidegate::snapshot::{RdbEncoder, RdbHeader};
use tidegate::{Broker, Peer};

const SEEDS: u64 = 150;
const NEW_SEEDS: u64 = 20;

/// What a snapshot may have in any form; all must have been met.
const MET: &[&[u8]] = &[
    b"former-policy",
    b"stamped",
    b"departing",
    b"policy-set",
    b"policy-del",
    b"calendar",
    b"last-delivery",
    b":delayed",
    b":inflight",
    b"SET",
    b"ZADD",
    b"HSET",
    b"SADD",
    b"PEXPIREAT",
    b"select",
];

#[test]
fn commands_read_back_are_what_there_was() {
    read_back(Form::Commands, &[b"in-flight"]);
}

#[test]
fn rdb_read_back_is_what_there_was() {
    read_back(Form::Rdb, &[b"stamped-from"]);
}

/// Also if the queue has only delayed messages, so that no list in the file could have the expiry.
#[test]
fn an_emptied_queue_keeps_its_expiry() {
    let policy = "QUEUE POLICY SET p q delivery at-least-once acknowledge explicit";
    for last in ["PING", "QUEUE NACK q DELAY 90000"] {
        let mut broker = broker(false, START);
        let id = broker.connect(0, Peer::in_process(), START);
        for request in [policy, "RPUSH q a", "PEXPIREAT q 1700000500000", "LPOP q", last] {
            let reply = ask(&mut broker, id, request, START);
            assert!(!reply.starts_with('-'), "{request}: {reply}");
        }
        broker.begin_snapshot();
        let (mut out, mut sink) = (Vec::new(), |_: &mut Vec<u8>| Ok(()));
        let mut encoder = RdbEncoder::begin(&RdbHeader::default(), &mut out);
        while let Some(part) = broker.next_saved(1_000) {
            encoder.add(&part, &mut out, &mut sink).expect("a sink without errors");
        }
        encoder.finish(&mut out);
        let mut loaded = snapshot_support::broker(false, START);
        load_rdb(&mut loaded, &out, 1000);
        assert_eq!(all(&loaded), all(&broker));
        loaded.end_replay(START);
        let later = START.plus_us(100_000_000);
        settle(&mut loaded, later);
        let id = loaded.connect(0, Peer::in_process(), later);
        assert_eq!(ask(&mut loaded, id, "PEXPIRETIME q", later), ":1700000500000 ", "{last}");
    }
}

/// Loads a file in pieces of this size.
fn load_rdb(broker: &mut Broker, bytes: &[u8], piece: usize) {
    let mut load = RdbLoad::new(false);
    for piece in bytes.chunks(piece) {
        assert_eq!(broker.load_rdb(&mut load, piece), Ok(piece.len()));
    }
    assert!(load.is_done());
}

fn read_back(form: Form, own: &[&[u8]]) {
    let mut drawn = Drawn::default();
    let what: Vec<&[u8]> = MET.iter().chain(own).copied().collect();
    let mut met = vec![0; what.len()];
    for seed in seeds(SEEDS, NEW_SEEDS) {
        let Played { mut kept, encoded, is_hurried } = play(seed, form, START, &mut drawn);
        let commands = match form {
            Form::Commands => encoded.clone(),
            Form::Rdb => rdb_support::as_commands(&encoded),
        };
        for (count, what) in met.iter_mut().zip(&what) {
            *count += usize::from(commands.windows(what.len()).any(|window| window == *what));
        }
        let mut loaded = broker(is_hurried, START);
        match form {
            Form::Commands => loaded.replay(&mut 0, &commands).expect("it loads"),
            Form::Rdb => load_rdb(&mut loaded, &encoded, 1 + seed as usize % 5000),
        }
        loaded.check_invariants();
        let (found, expected) = (all(&loaded), all(&kept.broker));
        for (key, value) in &expected {
            let name = key.1.escape_ascii();
            assert!(
                found.get(key) == Some(value),
                "TIDEGATE_CRASH_SEED={seed}: {name} of {}",
                key.0
            );
        }
        assert_eq!(found.len(), expected.len(), "TIDEGATE_CRASH_SEED={seed}: more than there was");
        let now = kept.now;
        kept.disconnect_all();
        loaded.end_replay(now);
        settle(&mut loaded, now);
        let (found, expected) = (keys(&mut loaded, now), keys(&mut kept.broker, now));
        let found = found + &story(&mut loaded, now, &[]);
        let expected = expected + &story(&mut kept.broker, now, &[]);
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected, "TIDEGATE_CRASH_SEED={seed}: loaded, and as it was");
        }
    }
    if std::env::var("TIDEGATE_CRASH_SEED").is_err() {
        let all: Vec<_> =
            what.iter().map(|what| what.escape_ascii().to_string()).zip(met).collect();
        assert!(all.iter().all(|(_, count)| *count > 0), "some were not met: {all:?}");
    }
}
