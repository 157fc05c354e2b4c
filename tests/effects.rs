//! Effects: a broker that replays them has the same data.

use proptest::prelude::*;
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, NoHost, Peer};

const CLIENTS: usize = 3;

fn broker(now: Now) -> (Broker, Vec<ClientId>) {
    let mut broker = Broker::new(Settings::default(), 5, Box::new(NoHost), now);
    let clients = (0..CLIENTS).map(|slot| broker.connect(slot, Peer::in_process(), now)).collect();
    (broker, clients)
}

fn settle(broker: &mut Broker, now: Now) {
    broker.settle(now);
    while broker.has_backlog() {
        broker.settle(now);
    }
    broker.check_invariants();
}

fn owed(broker: &mut Broker, id: ClientId, now: Now) -> String {
    let owed = broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
    broker.flushed(id, owed.len(), now);
    String::from_utf8_lossy(&owed).into_owned()
}

/// The content of two databases, with expiries, as text.
fn dump(broker: &mut Broker, now: Now) -> String {
    let id = broker.connect(CLIENTS, Peer::in_process(), now);
    let mut dump = String::new();
    for db in 0..2 {
        let mut ask = format!("SELECT {db}\r\nDBSIZE\r\n");
        for key in KEYS {
            ask += &format!("LRANGE {key} 0 -1\r\nGET {key}\r\nPEXPIRETIME {key}\r\n");
            ask += &format!("ZRANGE {key} 0 -1 WITHSCORES\r\nHGETALL {key}\r\nSMEMBERS {key}\r\n");
        }
        broker.receive(id, ask.as_bytes(), now);
        settle(broker, now);
        dump += &owed(broker, id, now);
    }
    broker.disconnect(id, tidegate::CloseReason::PeerClosed, now);
    dump
}

/// A message with the name of the list in flight of a queue has no effect on the latter.
#[test]
fn a_message_may_look_like_the_name_of_a_hidden_list() {
    let now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
    let policy = "p q delivery at-least-once acknowledge explicit";
    let settings = Settings::default().with("queue-policy", policy).expect("a policy");
    let begin = || Broker::new(settings.clone(), 5, Box::new(NoHost), now);
    let mut broker = begin();
    let reader = broker.read_effects();
    let id = broker.connect(0, Peer::in_process(), now);
    for request in ["RPUSH q a b", "LPOP q", "RPUSH other q:inflight x", "LREM other 1 q:inflight"]
    {
        broker.receive(id, format!("{request}\r\n").as_bytes(), now);
        settle(&mut broker, now);
    }
    let mut effects = Vec::new();
    broker.take_effects(&reader, &mut effects);
    let mut loaded = begin();
    loaded.replay(&mut 0, &effects).expect("it loads");
    assert_eq!(loaded.contents(), broker.contents());
    assert_eq!(loaded.hidden_contents(), broker.hidden_contents());
}

const KEYS: &[&str] = &["a", "b", "c"];

fn string_command() -> impl Strategy<Value = String> {
    let key = || prop::sample::select(KEYS);
    let value = || prop::sample::select(&["1", "-7", "01", "text", "1.5"][..]);
    prop_oneof![
        3 => (key(), value()).prop_map(|(k, v)| format!("SET {k} {v}")),
        1 => (key(), value(), 1..3000).prop_map(|(k, v, ms)| format!("SET {k} {v} PX {ms} GET")),
        1 => (key(), value()).prop_map(|(k, v)| format!("SET {k} {v} KEEPTTL XX")),
        1 => (key(), value()).prop_map(|(k, v)| format!("SET {k} {v} NX EXAT 1")),
        1 => (key(), value(), 0..3).prop_map(|(k, v, s)| format!("SETEX {k} {s} {v}")),
        1 => (key(), value()).prop_map(|(k, v)| format!("GETSET {k} {v}")),
        1 => key().prop_map(|k| format!("GETDEL {k}")),
        1 => (key(), 1..3000).prop_map(|(k, ms)| format!("GETEX {k} PX {ms}")),
        1 => key().prop_map(|k| format!("GETEX {k} PERSIST")),
        1 => key().prop_map(|k| format!("GETEX {k} EXAT 1")),
        1 => (key(), key(), value()).prop_map(|(k, l, v)| format!("MSET {k} {v} {l} 5")),
        1 => (key(), key(), value()).prop_map(|(k, l, v)| format!("MSETNX {k} {v} {l} 5")),
        1 => (key(), value()).prop_map(|(k, v)| format!("APPEND {k} {v}")),
        1 => (key(), value()).prop_map(|(k, v)| format!("SETRANGE {k} 2 {v}")),
        2 => (key(), -3..3).prop_map(|(k, n)| format!("INCRBY {k} {n}")),
        1 => (key(), value()).prop_map(|(k, v)| format!("INCRBYFLOAT {k} {v}")),
    ]
}

fn sorted_set_command() -> impl Strategy<Value = String> {
    let key = || prop::sample::select(KEYS);
    let score = || prop::sample::select(&["0", "-1.5", "0.1", "inf", "3e-9"][..]);
    let member = || 0u8..5;
    let condition = || prop::sample::select(&["", "NX", "XX", "GT", "LT CH", "XX GT"][..]);
    prop_oneof![
        4 => (key(), condition(), score(), member(), member())
            .prop_map(|(k, c, s, m, n)| format!("ZADD {k} {c} {s} {m} 2 {n}")),
        2 => (key(), condition(), score(), member())
            .prop_map(|(k, c, s, m)| format!("ZADD {k} {c} INCR {s} {m}")),
        2 => (key(), score(), member()).prop_map(|(k, s, m)| format!("ZINCRBY {k} {s} {m}")),
        1 => (key(), member(), member()).prop_map(|(k, m, n)| format!("ZREM {k} {m} {n}")),
        1 => (key(), 0..3).prop_map(|(k, n)| format!("ZREMRANGEBYRANK {k} {n} 2")),
        1 => (key(), score()).prop_map(|(k, s)| format!("ZREMRANGEBYSCORE {k} ({s} 2")),
        1 => (key(), member()).prop_map(|(k, m)| format!("ZREMRANGEBYLEX {k} [{m} +")),
        1 => (key(), 0..3).prop_map(|(k, n)| format!("ZPOPMIN {k} {n}")),
        1 => key().prop_map(|k| format!("ZPOPMAX {k}")),
        1 => (key(), key()).prop_map(|(k, l)| format!("ZMPOP 2 {k} {l} MAX COUNT 2")),
        2 => (key(), key()).prop_map(|(k, l)| format!("BZPOPMIN {k} {l} 1")),
        1 => (key(), key()).prop_map(|(k, l)| format!("BZMPOP 1 2 {k} {l} MAX COUNT 2")),
        1 => (key(), key(), key())
            .prop_map(|(k, l, m)| format!("ZUNIONSTORE {k} 2 {l} {m} WEIGHTS 2 0.3")),
        1 => (key(), key(), key()).prop_map(|(k, l, m)| format!("ZINTERSTORE {k} 2 {l} {m}")),
        1 => (key(), key(), key()).prop_map(|(k, l, m)| format!("ZDIFFSTORE {k} 2 {l} {m}")),
        1 => (key(), key()).prop_map(|(k, l)| format!("ZRANGESTORE {k} {l} 0 1 REV")),
    ]
}

fn table_command() -> impl Strategy<Value = String> {
    let key = || prop::sample::select(KEYS);
    let text = || prop::sample::select(&["1", "-7", "01", "text", "1.5"][..]);
    prop_oneof![
        3 => (key(), text(), text()).prop_map(|(k, f, v)| format!("HSET {k} {f} {v} x {f}")),
        1 => (key(), text(), text()).prop_map(|(k, f, v)| format!("HSETNX {k} {f} {v}")),
        1 => (key(), text()).prop_map(|(k, f)| format!("HDEL {k} {f} x")),
        1 => (key(), text(), -3..3).prop_map(|(k, f, n)| format!("HINCRBY {k} {f} {n}")),
        1 => (key(), text()).prop_map(|(k, f)| format!("HINCRBYFLOAT {k} {f} 0.1")),
        3 => (key(), text(), text()).prop_map(|(k, m, n)| format!("SADD {k} {m} {n} 5")),
        1 => (key(), 0..200).prop_map(|(k, n)| {
            let members: Vec<String> = (0..n).map(|m| format!("m{m}")).collect();
            format!("SADD {k} {n} {}", members.join(" "))
        }),
        1 => (key(), text()).prop_map(|(k, m)| format!("SREM {k} {m} 5")),
        1 => key().prop_map(|k| format!("SPOP {k}")),
        2 => (key(), 0..150).prop_map(|(k, n)| format!("SPOP {k} {n}")),
        1 => (key(), key(), text()).prop_map(|(k, l, m)| format!("SMOVE {k} {l} {m}")),
        1 => (key(), key(), key()).prop_map(|(k, l, m)| format!("SUNIONSTORE {k} {l} {m}")),
        1 => (key(), key(), key()).prop_map(|(k, l, m)| format!("SDIFFSTORE {k} {l} {m}")),
        1 => (key(), key(), key()).prop_map(|(k, l, m)| format!("SINTERSTORE {k} {l} {m}")),
    ]
}

/// What DUMP returns for a string, a list, a hash and a set.
const PAYLOADS: &[&str] = &[
    r#""\x00\x01v\x09\x00A\xfa\x9f~M\xbe\xe9\x7f""#,
    r#""\x01\x02\x01x\x01y\x09\x00\xb0\x04m\xff{\x02\xee\xc8""#,
    r#""\x04\x02\x01a\xc0\x01\x01b\xc0\x02\x0a\x00\x17\x14:\x96\xeb\xa7]\x5c""#,
    r#""\x02\x01\x01a\x0a\x00b\x96\xe9~D\xd2\x1am""#,
];

fn command() -> impl Strategy<Value = String> {
    let key = || prop::sample::select(KEYS);
    let (ttl, payload) = (|| 0..3000, || prop::sample::select(PAYLOADS));
    let end = || prop::sample::select(&["LEFT", "RIGHT"][..]);
    let message = || 0u8..4;
    prop_oneof![
        6 => (key(), message(), message()).prop_map(|(k, m, n)| format!("RPUSH {k} {m} {n}")),
        2 => (key(), message()).prop_map(|(k, m)| format!("LPUSHX {k} {m}")),
        2 => key().prop_map(|k| format!("LPOP {k}")),
        1 => (key(), 0..3).prop_map(|(k, n)| format!("RPOP {k} {n}")),
        3 => (key(), key()).prop_map(|(k, l)| format!("BLPOP {k} {l} 1")),
        2 => (key(), key(), end(), end())
            .prop_map(|(k, l, e, f)| format!("BLMOVE {k} {l} {e} {f} 2")),
        1 => (key(), key()).prop_map(|(k, l)| format!("BRPOPLPUSH {k} {l} 0.5")),
        2 => (key(), key(), end()).prop_map(|(k, l, e)| format!("BLMPOP 1 2 {k} {l} {e} COUNT 2")),
        1 => (key(), key(), end()).prop_map(|(k, l, e)| format!("LMPOP 2 {k} {l} {e} COUNT 2")),
        1 => (key(), message()).prop_map(|(k, m)| format!("LREM {k} 1 {m}")),
        1 => (key(), message()).prop_map(|(k, m)| format!("LINSERT {k} BEFORE {m} x")),
        1 => (key(), message()).prop_map(|(k, m)| format!("LSET {k} 0 {m}")),
        1 => key().prop_map(|k| format!("LTRIM {k} 1 2")),
        3 => string_command(),
        6 => sorted_set_command(),
        3 => table_command(),
        2 => (key(), 1..3000).prop_map(|(k, ms)| format!("PEXPIRE {k} {ms}")),
        1 => (key(), -1..3).prop_map(|(k, s)| format!("EXPIRE {k} {s} NX")),
        1 => key().prop_map(|k| format!("PERSIST {k}")),
        1 => (key(), key()).prop_map(|(k, l)| format!("RENAME {k} {l}")),
        2 => (key(), ttl(), payload()).prop_map(|(k, t, p)| format!("RESTORE {k} {t} {p} REPLACE")),
        1 => (key(), payload()).prop_map(|(k, p)| format!("RESTORE {k} 1 {p} ABSTTL REPLACE")),
        1 => (key(), ttl(), payload()).prop_map(|(k, t, p)| format!("RESTORE {k} {t} {p}")),
        1 => (key(), key()).prop_map(|(k, l)| format!("COPY {k} {l} DB 1 REPLACE")),
        1 => key().prop_map(|k| format!("MOVE {k} 1")),
        1 => (key(), key()).prop_map(|(k, l)| format!("DEL {k} {l}")),
        1 => Just("SWAPDB 0 1".to_string()),
        1 => (0..2).prop_map(|db| format!("SELECT {db}")),
        1 => Just("FLUSHDB".to_string()),
        2 => Just("MULTI".to_string()),
        3 => Just("EXEC".to_string()),
    ]
}

proptest! {
    #[test]
    fn replayed_effects_give_the_same_data(
        steps in prop::collection::vec((0..CLIENTS, command(), 0u64..400_000), 1..120),
    ) {
        let mut now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
        let (mut original, clients) = broker(now);
        let reader = original.read_effects();
        // Another one reads the same, seldom, and in pieces.
        let slow = original.read_effects();
        let (mut effects, mut same) = (Vec::new(), Vec::new());
        for (client, command, pause_us) in steps {
            original.receive(clients[client], format!("{command}\r\n").as_bytes(), now);
            settle(&mut original, now);
            original.take_effects(&reader, &mut effects);
            if pause_us % 4 == 0 {
                let part = original.unread_effects(&slow).next().unwrap_or_default();
                let half = part.len().div_ceil(2);
                same.extend_from_slice(&part[..half]);
                original.advance_effects(&slow, half);
                prop_assert_eq!(original.effects_offset(&slow), same.len() as u64);
            }
            now = now.plus_us(pause_us);
            settle(&mut original, now);
            original.take_effects(&reader, &mut effects);
        }
        // What was set with a time in the past is removed in the next turn.
        settle(&mut original, now);
        original.take_effects(&reader, &mut effects);
        prop_assert_eq!(original.effects_offset(&reader), effects.len() as u64);
        original.take_effects(&slow, &mut same);
        prop_assert!(same == effects, "the readers have read different effects");
        prop_assert_eq!(original.effects_bytes(), 0);

        let start = Now { unix_us: 0, monotonic_us: 0 };
        let (mut replica, clients) = broker(start);
        replica.receive(clients[0], &effects, start);
        settle(&mut replica, start);
        let replies = owed(&mut replica, clients[0], start);
        prop_assert!(!replies.contains("-ERR"), "an effect was refused: {}", replies);
        prop_assert_eq!(dump(&mut original, now), dump(&mut replica, start));
    }
}

#[test]
fn a_served_wait_is_the_pop_that_it_became() {
    let now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
    let (mut broker, clients) = broker(now);
    let reader = broker.read_effects();
    broker.receive(clients[0], b"BLPOP none q 0\r\n", now);
    broker.receive(clients[1], b"RPUSH q x y\r\nPEXPIRE q 1500\r\n", now);
    settle(&mut broker, now);
    let expected = "*2\r\n$6\r\nselect\r\n$1\r\n0\r\n*4\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\nx\r\n$1\r\ny\r\n\
        *2\r\n$4\r\nLPOP\r\n$1\r\nq\r\n\
        *3\r\n$9\r\nPEXPIREAT\r\n$1\r\nq\r\n$13\r\n1700000001500\r\n";
    let mut effects = Vec::new();
    broker.take_effects(&reader, &mut effects);
    assert_eq!(String::from_utf8_lossy(&effects), expected);
}

/// Sums are recorded as such, since how numbers are added may change, and a served wait as what it became.
#[test]
fn changes_of_sorted_sets_mean_the_same_whenever_they_are_replayed() {
    let now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
    let (mut broker, clients) = broker(now);
    let reader = broker.read_effects();
    broker.receive(clients[0], b"BZPOPMIN none z 0\r\n", now);
    for request in [
        "ZADD z NX CH 1 a 0.1 b",
        "ZINCRBY z 0.2 a",
        "ZADD z INCR 0.1 a",
        "ZADD z GT INCR -1 a",
        "ZADD z NX 1 a",
        "ZADD z INCR 0 a",
        "ZREM z none",
        "BZMPOP 0 1 z MAX COUNT 9",
    ] {
        broker.receive(clients[1], format!("{request}\r\n").as_bytes(), now);
        settle(&mut broker, now);
    }
    let mut effects = Vec::new();
    broker.take_effects(&reader, &mut effects);
    let effects = String::from_utf8_lossy(&effects).into_owned();
    let words: Vec<&str> =
        effects.split("\r\n").filter(|word| !word.starts_with(['*', '$'])).collect();
    let expected = "select 0 ZADD z NX CH 1 a 0.1 b ZPOPMIN z ZADD z 1.2 a ZADD z 1.3 a ZPOPMAX z";
    assert_eq!(words.join(" ").trim(), expected);
}
