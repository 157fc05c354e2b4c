//! Commands about queues: policies, acknowledgements, pauses, queries.

use crate::generator::{Generator, Hint, words};
use crate::model::{Input, Words};
use crate::rng::Rng;

/// Names of policies: few, so that they are replaced and deleted.
const NAMES: &[&str] = &["p", "p2", "q"];
const PATTERNS: &[&str] = &["*", "k*", "k0", "k1", "k?", "dead", "k0:*"];
const DEAD_LETTERS: &[&str] = &["dead", "{queue}:dead", "k0", "k1", "k2", "k{queue}"];
/// Near the limits of the runner and of other deadlines.
pub const SPANS_MS: &[&str] = &["1", "2", "20", "500", "1000", "3000"];

/// The mix of commands about queues: weights chosen by the seed.
pub struct QueueMix {
    /// POLICY SET, ACK, NACK, PAUSE and RESUME, queries, POLICY DEL, POP, PUSH, TOUCH, PURGE.
    weights: [usize; 10],
    at_least_once_percent: usize,
    delay_percent: usize,
    retry_percent: usize,
    block_percent: usize,
    dedup_percent: usize,
    throttle_percent: usize,
    /// How many messages a queue remembers.
    pub(super) dedup_max: u64,
    pub(super) scene_percent: usize,
}

impl QueueMix {
    pub fn new(rng: &mut Rng) -> QueueMix {
        let mut pick = |choices: &[usize]| rng.pick(choices);
        QueueMix {
            weights: [
                pick(&[2, 4, 8]),
                pick(&[2, 6]),
                pick(&[2, 6]),
                pick(&[0, 2, 5]),
                pick(&[2, 4]),
                pick(&[0, 1, 1]),
                pick(&[0, 4, 12]),
                pick(&[0, 3, 10]),
                pick(&[0, 1, 3]),
                pick(&[0, 1, 2]),
            ],
            at_least_once_percent: pick(&[20, 60, 90]),
            scene_percent: pick(&[0, 3, 8]),
            delay_percent: pick(&[0, 20, 50]),
            retry_percent: pick(&[0, 30, 80]),
            block_percent: pick(&[0, 30, 60]),
            dedup_percent: pick(&[0, 20, 50]),
            throttle_percent: pick(&[0, 20, 50]),
            dedup_max: pick(&[1, 3, 1000]) as u64,
        }
    }
}

impl Generator {
    /// The first input of the first client.
    pub fn opening(&self, rng: &mut Rng) -> Vec<Input> {
        let policies =
            self.queues.iter().flat_map(|mix| [self.policy(rng, mix), self.policy(rng, mix)]);
        policies.map(Input::Command).collect()
    }

    pub(super) fn queue(&self, rng: &mut Rng, hint: &Hint) -> Words {
        let Some(mix) = &self.queues else { return words(&["PING"]) };
        let key = match hint.held.len() {
            0 => self.key_name(rng),
            _ if rng.percent(20) => self.key_name(rng),
            count => String::from_utf8_lossy(&hint.held[rng.below(count)]).into_owned(),
        };
        let any = self.key_name(rng);
        match rng.weighted(&mix.weights) {
            0 => self.policy(rng, mix),
            1 => settlement(rng, hint, "ACK", &key),
            2 => settlement(rng, hint, "NACK", &key),
            3 => {
                let command = rng.pick(&["PAUSE", "RESUME", "resume"]);
                let mut all = match hint.paused.first() {
                    Some(paused) if command != "PAUSE" && rng.percent(70) => {
                        words(&["QUEUE", command, &String::from_utf8_lossy(paused)])
                    }
                    _ => words(&["QUEUE", command, &any]),
                };
                if rng.percent(70) {
                    all.extend(words(&[rng.pick(&["READ", "write", "ALL"])]));
                }
                if command == "PAUSE" && rng.percent(50) {
                    all.extend(words(&["FOR", rng.pick(SPANS_MS)]));
                }
                all
            }
            4 => match rng.below(12) {
                6..9 => {
                    let which: &[&str] =
                        rng.pick(&[&[], &["READY"], &["delayed"], &["INFLIGHT"], &["INFLIGHT"]]);
                    let key = rng.pick(&[&any[..], &any, &key, "dead"]);
                    with_some(rng, &[&["QUEUE", "PEEK", key], which].concat())
                }
                9..12 => {
                    let source = rng.pick(&[&any[..], &key, "dead", "dead"]);
                    let to = rng.pick(&["ORIGIN", "origin", "k0", "k1", "dead"]);
                    with_some(rng, &["QUEUE", "MOVE", source, to])
                }
                0 => words(&["QUEUE", "POLICY", "LIST"]),
                1 => words(&["QUEUE", "policy", "OF", &any]),
                2 => words(&["QUEUE", "INFLIGHT", &key]),
                3 => words(&["QUEUE", "inflight", &key, "COUNT", rng.pick(&["0", "1", "2"])]),
                _ => words(&["QUEUE", "INFO", &any]),
            },
            5 => words(&["QUEUE", "POLICY", "DEL", rng.pick(NAMES)]),
            6 => self.pop_with_receipts(rng),
            7 => self.queue_push(rng, &any),
            8 => {
                let mut all = receipts(rng, hint, "TOUCH", &key);
                if rng.percent(40) {
                    all.extend(words(&["LEASE", rng.pick(SPANS_MS)]));
                }
                all
            }
            _ => {
                let mut all = words(&["QUEUE", "PURGE", &key]);
                for kind in ["READY", "delayed", "INFLIGHT"] {
                    if rng.percent(40) {
                        all.extend(words(&[kind]));
                    }
                }
                all
            }
        }
    }

    fn pop_with_receipts(&self, rng: &mut Rng) -> Words {
        let count = rng.pick(&[1, 1, 1, 2]);
        let mut all = words(&["QUEUE", "POP", &count.to_string()]);
        (0..count).for_each(|_| all.extend(words(&[&self.key_name(rng)])));
        if rng.percent(40) {
            all.extend(words(&[rng.pick(&["LEFT", "RIGHT", "right"])]));
        }
        if rng.percent(50) {
            all.extend(words(&["COUNT", rng.pick(&["1", "2", "3", "9"])]));
        }
        if rng.percent(40) {
            all.extend(words(&["BLOCK", rng.pick(SPANS_MS)]));
        }
        if rng.percent(40) {
            all.extend(words(&["LEASE", rng.pick(SPANS_MS)]));
        }
        all
    }

    fn queue_push(&self, rng: &mut Rng, key: &str) -> Words {
        let mut all = words(&["QUEUE", rng.pick(&["PUSH", "push"]), key]);
        if rng.percent(30) {
            all.extend(words(&["LEFT"]));
        }
        if rng.percent(60) {
            let delay_ms = if rng.one_in(10) { "0" } else { rng.pick(SPANS_MS) };
            all.extend(words(&["DELAY", delay_ms]));
        }
        if rng.percent(20) {
            all.extend(words(&["ID", rng.pick(&["a", "one"])]));
        }
        let count = rng.pick(&[1, 1, 1, 2, 4]);
        all.extend(words(&["MESSAGES", &count.to_string()]));
        all.extend((0..count).map(|_| self.message(rng)));
        all
    }

    fn policy(&self, rng: &mut Rng, mix: &QueueMix) -> Words {
        let mut options: Vec<(&str, &str)> = Vec::new();
        let is_bounded = rng.percent(50);
        if is_bounded && rng.percent(80) {
            options.push(("max-length", rng.pick(&["1", "2", "3", "4", "5"])));
        } else if is_bounded {
            options.push(("max-length-bytes", rng.pick(&["1", "2", "5", "100", "2000"])));
        }
        let overflow = match rng.percent(mix.block_percent) {
            true => "block",
            false => {
                rng.pick(&["reject", "reject-publish", "drop-head", "drop-head", "dead-letter"])
            }
        };
        // Without a limit or a dead-letter queue, some of these are refused.
        if (is_bounded && rng.percent(80)) || rng.one_in(50) {
            options.push(("overflow", overflow));
        }
        if (overflow == "block" && is_bounded && rng.percent(60)) || rng.one_in(50) {
            options.push(("block-timeout-ms", rng.pick(SPANS_MS)));
        }
        if rng.percent(mix.delay_percent) {
            options.push(("delay-ms", rng.pick(SPANS_MS)));
        }
        if rng.percent(mix.dedup_percent) {
            options.push(("dedup-window-ms", rng.pick(SPANS_MS)));
        }
        if rng.percent(40) {
            options.push(("message-ttl-ms", rng.pick(SPANS_MS)));
        }
        if rng.percent(mix.at_least_once_percent) {
            options.push(("delivery", "at-least-once"));
            if !rng.one_in(20) {
                let word = rng.pick(&["explicit", "next-pop", "next-pop"]);
                options.push(("acknowledge", word));
            }
            if rng.percent(40) {
                options.push(("ack-timeout-ms", rng.pick(SPANS_MS)));
            }
            if rng.percent(40) {
                options.push(("delivery-limit", rng.pick(&["1", "2", "3"])));
            }
            if rng.percent(mix.throttle_percent) {
                options.push(("max-in-flight", rng.pick(&["1", "1", "2", "3"])));
            }
            if rng.percent(mix.throttle_percent) {
                options.push(("max-in-flight-per-client", rng.pick(&["1", "1", "2"])));
            }
            if rng.percent(mix.retry_percent) {
                options.push(("retry-delay-ms", rng.pick(SPANS_MS)));
                if rng.percent(60) {
                    options.push(("retry-delay-max-ms", rng.pick(&["3000", "5000", "500"])));
                }
            }
        } else if rng.one_in(50) {
            options.push((rng.pick(&["delivery-limit", "max-in-flight"]), "1"));
        }
        if rng.percent(mix.throttle_percent) {
            options.push(("rate", rng.pick(&["1", "1", "2", "3", "7"])));
        }
        if rng.percent(mix.throttle_percent) {
            options.push(("rate-per-ms", rng.pick(SPANS_MS)));
        }
        if rng.percent(50) || (overflow == "dead-letter" && rng.percent(90)) {
            options.push(("dead-letter", rng.pick(DEAD_LETTERS)));
        }
        if rng.percent(20) {
            options.push(("priority", rng.pick(&["-1", "0", "1", "2"])));
        }
        let mut all = words(&["QUEUE", "POLICY", "SET", rng.pick(NAMES), rng.pick(PATTERNS)]);
        for (name, value) in options {
            all.extend(words(&[name, value]));
        }
        all
    }
}

/// A command for messages in flight.
fn settlement(rng: &mut Rng, hint: &Hint, command: &str, key: &str) -> Words {
    if rng.percent(40) {
        let mut all = receipts(rng, hint, command, key);
        if command == "NACK" && rng.percent(30) {
            all.extend(words(&["DELAY", rng.pick(&["0", "1", "500", "1000"])]));
        }
        if command == "NACK" && rng.percent(50) {
            all.extend(words(&[rng.pick(&["SILENT", "FAIL", "silent", "FATAL"])]));
        }
        return all;
    }
    if !rng.percent(40) {
        return with_count(rng, command, key);
    }
    let mut all = words(&["QUEUE", command, key, rng.pick(&["VALUE", "value"])]);
    for _ in 0..rng.pick(&[1, 1, 2, 4]) {
        let known = !hint.messages.is_empty() && rng.percent(80);
        all.push(match known {
            true => hint.messages[rng.below(hint.messages.len())].clone(),
            false => rng.pick(&[&b"a"[..], b"b", b""]).to_vec(),
        });
    }
    all
}

/// A command with receipts: of the last deliveries, some of which are in flight.
fn receipts(rng: &mut Rng, hint: &Hint, command: &str, key: &str) -> Words {
    let count = rng.pick(&[1, 1, 2, 4, 8]);
    let mut all = words(&["QUEUE", command, key, rng.pick(&["IDS", "ids"]), &count.to_string()]);
    for _ in 0..count {
        let behind = rng.below(8) as u64;
        all.extend(words(&[&(hint.last_delivery + 1).saturating_sub(behind).to_string()]));
    }
    all
}

fn with_count(rng: &mut Rng, command: &str, key: &str) -> Words {
    let mut all = with_some(rng, &["QUEUE", command, key]);
    if command == "NACK" && rng.percent(30) {
        all.extend(words(&["DELAY", rng.pick(&["0", "1", "500", "1000"])]));
    }
    all
}

/// Words, sometimes with a count.
fn with_some(rng: &mut Rng, command: &[&str]) -> Words {
    let mut all = words(command);
    if rng.percent(40) {
        all.extend(words(&["COUNT", rng.pick(&["1", "2", "2", "9", "0"])]));
    }
    all
}
