//! Sequences of commands about queues that rarely occur at random.

use crate::generator::{Generator, Hint, script};
use crate::model::Input;
use crate::queue_commands::SPANS_MS;
use crate::rng::Rng;

type Scene = fn(&mut Rng, &str) -> Vec<Input>;

const SCENES: &[Scene] = &[
    circle,
    circle_later,
    full,
    dead_letters,
    holds,
    disconnects_holding,
    waits_in_flight,
    paused,
    flushed,
    waits_for_capacity,
    delayed,
    twice,
    throttled,
];

impl Generator {
    /// One of them, now and then.
    pub(super) fn queue_scene(&self, rng: &mut Rng, hint: &Hint) -> Option<Vec<Input>> {
        let mix = self.queues.as_ref()?;
        if !hint.full.is_empty() && rng.percent(20) {
            let key = &hint.full[rng.below(hint.full.len())];
            return Some(comes_to_a_line(rng, &String::from_utf8_lossy(key)));
        }
        if !rng.percent(mix.scene_percent) {
            return None;
        }
        if rng.percent(40) && !hint.in_flight.is_empty() {
            let key = &hint.in_flight[rng.below(hint.in_flight.len())];
            return Some(nothing_left(rng, &String::from_utf8_lossy(key)));
        }
        if rng.percent(40) && !hint.held.is_empty() {
            let key = &hint.held[rng.below(hint.held.len())];
            return Some(returns(&String::from_utf8_lossy(key)));
        }
        let key = self.key_name(rng);
        Some(rng.pick(SCENES)(rng, &key))
    }
}

/// POLICY SET for one key or pattern, with the highest priority.
fn policy<'a>(name: &'a str, pattern: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    let pattern = if pattern.is_empty() { "*" } else { pattern };
    [&["QUEUE", "POLICY", "SET", name, pattern, "priority", "2"], options].concat()
}

/// Two queues dead-letter their overflow to each other.
fn circle(_: &mut Rng, _: &str) -> Vec<Input> {
    let limit = |dead| ["max-length", "1", "overflow", "dead-letter", "dead-letter", dead];
    script(&[
        &policy("p", "k0", &limit("k1")),
        &policy("p2", "k1", &limit("k0")),
        &["RPUSH", "k0", "a", "b"],
        &["LPUSH", "k1", "c", "d"],
    ])
}

/// Two queues dead-letter expired messages to each other, after a while.
fn circle_later(_: &mut Rng, _: &str) -> Vec<Input> {
    let life = |dead| ["delay-ms", "2", "message-ttl-ms", "1", "dead-letter", dead];
    script(&[
        &policy("p", "k0", &life("k1")),
        &policy("p2", "k1", &life("k0")),
        &["RPUSH", "k0", "a", "b"],
    ])
}

/// A queue is full: for insertions too, but not for replacements.
fn full(rng: &mut Rng, key: &str) -> Vec<Input> {
    let ttl = rng.pick(SPANS_MS);
    script(&[
        &policy("q", key, &["max-length", "2", "message-ttl-ms", ttl]),
        &["LTRIM", key, "0", "1"],
        &["RPUSH", key, "a"],
        &["LSET", key, "0", "a"],
        &["LINSERT", key, rng.pick(&["BEFORE", "AFTER"]), "a", "b"],
        &["RPUSH", key, "c"],
    ])
}

/// Two queues dead-letter to the same list; one may have no old message any more when it is due.
fn dead_letters(rng: &mut Rng, _: &str) -> Vec<Input> {
    let old = policy("p", "k?", &["message-ttl-ms", "1000", "dead-letter", "dead"]);
    match rng.below(3) {
        0 => script(&[&old, &["LTRIM", "k1", "1", "0"], &["RPUSH", "k1", "a"]]),
        1 => script(&[&old, &["LPUSH", "k0", "b"]]),
        _ => script(&[&old, &["LMOVE", "k1", "k1", "LEFT", "RIGHT"], &["RPUSH", "k0", "c"]]),
    }
}

/// A consumer has several messages at once.
fn holds(rng: &mut Rng, key: &str) -> Vec<Input> {
    let ack = ["acknowledge", "next-pop"];
    let ttl = ["delivery", "at-least-once", ack[0], ack[1], "message-ttl-ms", rng.pick(SPANS_MS)];
    let options = if rng.percent(50) { &ttl[..4] } else { &ttl };
    script(&[
        &policy("p", key, options),
        &["RPUSH", key, "a", "b", "c"],
        &[rng.pick(&["LPOP", "RPOP"]), key, "2"],
    ])
}

/// A consumer disconnects with too many deliveries.
fn disconnects_holding(_: &mut Rng, key: &str) -> Vec<Input> {
    let ack = ["delivery", "at-least-once", "acknowledge", "explicit"];
    let options = [&ack[..], &["delivery-limit", "2", "dead-letter", "dead"]].concat();
    script(&[
        &policy("p", key, &options),
        &["RPUSH", key, "a", "b", "c"],
        &["LPOP", key, "2"],
        &["QUEUE", "NACK", key, "COUNT", "2"],
        &["LPOP", key, "3"],
        &["QUIT"],
    ])
}

/// A consumer waits for more while it holds a message.
fn waits_in_flight(rng: &mut Rng, key: &str) -> Vec<Input> {
    let options = ["delivery", "at-least-once", "acknowledge", "explicit"];
    script(&[
        &policy("p", key, &options),
        &["LTRIM", key, "0", "1"],
        &["LPOP", key, "2"],
        &[rng.pick(&["BLPOP", "BRPOP"]), key, rng.pick(&["0", "0.5"])],
    ])
}

/// Only messages in flight are left.
fn nothing_left(rng: &mut Rng, key: &str) -> Vec<Input> {
    let wait = rng.pick(&["BLPOP", "BRPOP"]);
    script(&[&["LTRIM", key, "1", "0"], &[wait, key, rng.pick(&["0", "1"])]])
}

/// A consumer's messages return.
fn returns(key: &str) -> Vec<Input> {
    script(&[&["QUEUE", "NACK", key, "COUNT", "9"], &["LRANGE", key, "0", "-1"]])
}

/// A queue delivers nothing although it has messages.
fn paused(rng: &mut Rng, key: &str) -> Vec<Input> {
    let pause = ["QUEUE", "PAUSE", key, "FOR", rng.pick(SPANS_MS)];
    script(&[
        &["RPUSH", key, "a", "b"],
        &[&pause[..3], &[rng.pick(&["READ", "ALL"])], &pause[3..rng.pick(&[3, 5])]].concat(),
        &["LPOP", key],
        &["BLPOP", key, rng.pick(&["0", "1"])],
    ])
}

/// A key is watched, and nothing else, when everything is flushed.
fn flushed(_: &mut Rng, key: &str) -> Vec<Input> {
    script(&[&["DEL", key], &["WATCH", key], &["FLUSHDB"], &["RPUSH", key, "a", "b"]])
}

/// A producer waits for capacity, possibly for more than the next one needs.
fn waits_for_capacity(rng: &mut Rng, key: &str) -> Vec<Input> {
    let mut options = vec!["max-length", rng.pick(&["2", "3"]), "overflow", "block"];
    if rng.percent(50) {
        options.extend(["block-timeout-ms", rng.pick(SPANS_MS)]);
    }
    let pushes: &[&str] = &["RPUSH", key, "c", "d"];
    script(&[
        &policy("p", rng.pick(&[key, "k?"]), &options),
        &["LTRIM", key, "0", "1"],
        rng.pick(&[&["RPUSH", key, "a", "b"], &["LPUSH", key, "a"]]),
        &pushes[..rng.pick(&[3, 4])],
    ])
}

/// Another client pushes less than the waiting producers need, or makes capacity.
fn comes_to_a_line(rng: &mut Rng, key: &str) -> Vec<Input> {
    match rng.below(12) {
        0..6 => script(&[&["RPUSH", key, "e"]]),
        6..8 => script(&[&["RPUSH", rng.pick(&["k0", "k1"]), "a", "b"]]),
        8 => script(&[&["LPOP", key]]),
        9 => script(&[&["RPUSH", key, "e", "f"]]),
        10 => script(&[&["QUEUE", "POLICY", "DEL", "p"]]),
        _ => script(&[&["FLUSHDB"]]),
    }
}

/// Messages that become ready later than those pushed behind them, until none are delayed.
fn delayed(rng: &mut Rng, key: &str) -> Vec<Input> {
    let policies = [
        policy("p", key, &["delay-ms", "1000"]),
        policy("p", key, &["delay-ms", "500", "message-ttl-ms", rng.pick(SPANS_MS)]),
        policy("p", key, &["message-ttl-ms", "1000"]),
    ];
    let mut sent = script(&[&policies[0], &["RPUSH", key, "a", "b"], &policies[1]]);
    sent.extend(script(&[&["LPUSH", key, "c"], &["DEL", rng.pick(&["k1", "k2"])]]));
    if rng.percent(50) {
        sent.extend(script(&[&policies[2], &["LRANGE", key, "0", "-1"]]));
    }
    sent
}

/// The same messages more than once.
fn twice(rng: &mut Rng, key: &str) -> Vec<Input> {
    let window = ["dedup-window-ms", rng.pick(SPANS_MS), "max-length", "2", "overflow", "block"];
    script(&[
        &policy("q", key, &window[..rng.pick(&[2, 4, 6])]),
        &["RPUSH", key, "a", "b", "a"],
        &["RPUSH", key, "b"],
        &["LPUSH", key, "b", "c"],
    ])
}

/// Consumers wait although there are messages.
fn throttled(rng: &mut Rng, key: &str) -> Vec<Input> {
    let limits: &[&[&str]] = &[
        &["max-in-flight", "1"],
        &["max-in-flight", "2", "max-in-flight-per-client", "1"],
        &["max-in-flight-per-client", "1"],
        &["max-in-flight-per-client", "2", "rate", "1", "rate-per-ms", rng.pick(SPANS_MS)],
        &["rate", "2", "rate-per-ms", rng.pick(SPANS_MS)],
    ];
    let explicit: &[&str] = &["delivery", "at-least-once", "acknowledge", "explicit"];
    let options = [explicit, rng.pick(limits)].concat();
    let wait = rng.pick(&["BLPOP", "BRPOP"]);
    script(&[
        &policy("p", rng.pick(&[key, "k?"]), &options),
        &["RPUSH", key, "a", "b", "c"],
        &["LPOP", key, "2"],
        &[wait, key, rng.pick(&["k0", "k1"]), rng.pick(&["0", "0.5", "2"])],
    ])
}
