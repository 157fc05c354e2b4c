//! Generated commands about strings.

use crate::generator::{Generator, Hint, words};
use crate::model::{Input, Words};
use crate::rng::Rng;

impl Generator {
    /// The key of a string: occasionally one that is used for lists, too.
    fn string_key(&self, rng: &mut Rng) -> String {
        if rng.below(100) < self.shared_percent {
            return self.key_name(rng);
        }
        rng.pick(&["s0", "s0", "s1"]).to_string()
    }

    fn string(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.below(8) {
            0..=3 => rng.between(-3, 300).to_string().into_bytes(),
            4 => rng.pick(&["9223372036854775807", "007", "+1", "-0"]).as_bytes().to_vec(),
            _ => self.message(rng),
        }
    }

    /// A string replaces a queue, or tries to: preferably one with messages in flight or waiting
    /// producers.
    pub(super) fn string_scene(&self, rng: &mut Rng, hint: &Hint) -> Vec<Input> {
        let busy = [&hint.in_flight[..], &hint.full[..]].concat();
        let key = if busy.is_empty() {
            self.key_name(rng).into_bytes()
        } else {
            busy[rng.below(busy.len())].clone()
        };
        let tries: &[&[&str]] = &[
            &["SET", "KEY", "v"],
            &["SET", "KEY", "v", "NX"],
            &["SET", "KEY", "v", "XX", "GET"],
            &["SET", "KEY", "v", "KEEPTTL"],
            &["SETNX", "KEY", "v"],
            &["MSET", "s1", "1", "KEY", "2"],
            &["MSETNX", "s1", "1", "KEY", "2"],
            &["GETSET", "KEY", "v"],
            &["PSETEX", "KEY", "20", "v"],
            &["APPEND", "KEY", "v"],
            &["INCR", "KEY"],
            &["RENAME", "s0", "KEY"],
            &["RENAMENX", "s0", "KEY"],
            &["COPY", "s0", "KEY", "REPLACE"],
            &["GETEX", "KEY", "PX", "20"],
        ];
        let looks: &[&[&str]] = &[
            &["GET", "KEY"],
            &["LPOP", "KEY"],
            &["QUEUE", "INFO", "KEY"],
            &["QUEUE", "NACK", "KEY"],
        ];
        let ends: &[&[&str]] =
            &[&["GETDEL", "KEY"], &["RPUSH", "KEY", "a"], &["PEXPIRE", "KEY", "1"]];
        let first: &[&str] = &["SET", "s0", "7"];
        let lines = [first, rng.pick(tries), rng.pick(looks), rng.pick(ends)];
        let with_key = |line: &[&str]| {
            let all = words(line).into_iter();
            let all = all.map(|word| if word == b"KEY" { key.clone() } else { word });
            Input::Command(all.collect())
        };
        lines.into_iter().map(with_key).collect()
    }

    pub(super) fn string_command(&self, rng: &mut Rng, hint: &Hint) -> Words {
        let key = match hint.in_flight.is_empty() || !rng.one_in(8) {
            true => self.string_key(rng),
            // The generator's messages are text.
            false => String::from_utf8_lossy(&hint.in_flight[rng.below(hint.in_flight.len())])
                .into_owned(),
        };
        match rng.below(18) {
            0..=3 => self.set(rng, &key),
            4 => words(&["GET", &key]),
            5 => words(&["STRLEN", &key]),
            6 => words(&["GETDEL", &key]),
            7 => {
                let mut all = words(&["GETEX", &key]);
                self.add_expiry(rng, "PERSIST", &mut all);
                all
            }
            8 | 9 => [words(&["APPEND", &key]), vec![self.string(rng)]].concat(),
            10 => words(&[rng.pick(&["INCR", "DECR"]), &key]),
            11 => words(&[
                rng.pick(&["INCRBY", "DECRBY"]),
                &key,
                rng.pick(&["2", "-7", "9223372036854775807", "x"]),
            ]),
            12 => {
                let command = rng.pick(&["SETNX", "GETSET"]);
                [words(&[command, &key]), vec![self.string(rng)]].concat()
            }
            14 => {
                let command = rng.pick(&["SETEX", "PSETEX"]);
                let span = rng.pick(&["1", "20", "3000", "0", "x"]);
                [words(&[command, &key, span]), vec![self.string(rng)]].concat()
            }
            13 => {
                let mut all = words(&["MGET", &key]);
                all.extend((0..rng.below(3)).map(|_| self.string_key(rng).into_bytes()));
                all
            }
            _ => {
                let mut all = words(&[rng.pick(&["MSET", "MSETNX"]), &key]);
                all.push(self.string(rng));
                for _ in 0..rng.below(3) {
                    all.push(self.string_key(rng).into_bytes());
                    all.push(self.string(rng));
                }
                // A value that is missing.
                all.truncate(if rng.one_in(30) { all.len() - 1 } else { all.len() });
                all
            }
        }
    }

    fn set(&self, rng: &mut Rng, key: &str) -> Words {
        let mut all = words(&["SET", key]);
        all.push(self.string(rng));
        if rng.percent(50) {
            return all;
        }
        for word in ["NX", "XX", "GET", "get"] {
            if rng.one_in(4) {
                all.extend(words(&[word]));
            }
        }
        self.add_expiry(rng, "KEEPTTL", &mut all);
        all
    }

    /// Adds an expiry; `word` is an alternative.
    fn add_expiry(&self, rng: &mut Rng, word: &str, all: &mut Words) {
        match rng.below(12) {
            0 | 1 => all.extend(words(&[word])),
            2..=4 => all.extend(words(&["PX", rng.pick(&["1", "20", "500", "3000"])])),
            5 => all.extend(words(&["EX", rng.pick(&["1", "100", "0", "-1", "soon"])])),
            // With a time in the past, SET makes a key that no command sees and DBSIZE counts until it
            // is looked up; GETEX removes it at once.
            6 if all[0] == b"GETEX" => {
                let moment = rng.pick(&["1", "1700000003000", "1900000000000"]);
                all.extend(words(&["PXAT", moment]));
            }
            7 if rng.one_in(4) => all.extend(words(&["EX", "1", word])),
            _ => {}
        }
    }
}
