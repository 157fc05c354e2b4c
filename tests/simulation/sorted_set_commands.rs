//! Generated commands about sorted sets.

use crate::generator::{Generator, Hint, words};
use crate::model::Words;
use crate::rng::Rng;

/// All members of the sorted set at this key have the same score, so that texts can bound a range: no command
/// gives another one to it.
const LEXICAL: &str = "zl";

const TIMEOUTS: &[&str] = &["0", "0", "0.001", "0.001", "0.5", "2.25", "30"];

/// Bounds of ranges of scores.
const SCORES: &[&str] = &["-inf", "+inf", "0", "(0", "3", "(5", "10", "1.5", "-4", "(200", "x"];

impl Generator {
    pub(super) fn sorted_set_command(&self, rng: &mut Rng, hint: &Hint) -> Words {
        let key = self.value_key(rng, 'z', hint);
        let with = |command: &str, rest: Words| {
            [vec![command.as_bytes().to_vec(), key.clone()], rest].concat()
        };
        match rng.below(30) {
            0..=6 => with("ZADD", self.options_and_pairs(rng, &key)),
            7 => {
                let number = rng.pick(&["1", "2.5", "-3", "inf", "-inf", "x", "0"]);
                with("ZINCRBY", [words(&[number]), vec![self.element(rng, &key)]].concat())
            }
            8 | 9 => with("ZREM", self.elements(rng, &key)),
            10 => with("ZSCORE", vec![self.element(rng, &key)]),
            11 => with("ZMSCORE", self.elements(rng, &key)),
            12 => with(rng.pick(&["ZRANK", "ZREVRANK"]), vec![self.element(rng, &key)]),
            13 => with("ZCARD", Vec::new()),
            14 => with("ZCOUNT", words(&[rng.pick(SCORES), rng.pick(SCORES)])),
            15..=17 => with("ZRANGE", self.range(rng, true)),
            18 | 19 => self.pop_members(rng, &key),
            20 => with("ZREMRANGEBYRANK", words(&[&rank(rng), &rank(rng)])),
            21 => with("ZREMRANGEBYSCORE", words(&[rng.pick(SCORES), rng.pick(SCORES)])),
            22 | 23 => self.combine(rng, hint, key.clone()),
            24 => {
                let source = self.value_key(rng, 'z', hint);
                with("ZRANGESTORE", [vec![source], self.range(rng, false)].concat())
            }
            25 | 26 => {
                let mut all = words(&[rng.pick(&["BZPOPMIN", "BZPOPMAX"])]);
                all.push(key.clone());
                all.extend((0..rng.below(3)).map(|_| self.value_key(rng, 'z', hint)));
                all.extend(words(&[rng.pick(TIMEOUTS)]));
                all
            }
            _ => self.lexical(rng, hint),
        }
    }

    fn options_and_pairs(&self, rng: &mut Rng, key: &[u8]) -> Words {
        let mut all = Words::new();
        if rng.percent(40) {
            for word in ["NX", "XX", "GT", "LT", "CH", "INCR"] {
                if rng.one_in(4) {
                    all.extend(words(&[word]));
                }
            }
        }
        for member in self.elements(rng, key) {
            all.push(score(rng).into_bytes());
            all.push(member);
        }
        // A member that is missing.
        all.truncate(if all.len() > 2 && rng.one_in(30) { all.len() - 1 } else { all.len() });
        all
    }

    fn pop_members(&self, rng: &mut Rng, key: &[u8]) -> Words {
        let mut all = words(&[rng.pick(&["ZPOPMIN", "ZPOPMAX"])]);
        all.push(key.to_vec());
        if rng.percent(50) {
            all.extend(words(&[rng.pick(&["0", "1", "2", "9", "130", "-1"])]));
        }
        all
    }

    /// The bounds and options of ZRANGE or ZRANGESTORE.
    fn range(&self, rng: &mut Rng, has_scores: bool) -> Words {
        let mut all = match rng.percent(50) {
            true => words(&[&rank(rng), &rank(rng)]),
            false => words(&[rng.pick(SCORES), rng.pick(SCORES), "BYSCORE"]),
        };
        if rng.percent(30) {
            all.extend(words(&["REV"]));
        }
        if rng.percent(if all[2..].is_empty() { 3 } else { 30 }) {
            all.extend(limit(rng));
        }
        if has_scores && rng.percent(50) {
            all.extend(words(&["WITHSCORES"]));
        }
        all
    }

    fn combine(&self, rng: &mut Rng, hint: &Hint, target: Vec<u8>) -> Words {
        let command = rng.pick(&["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"]);
        let count = rng.pick(&[1, 2, 2, 3]);
        let mut all = words(&[command]);
        all.push(target);
        all.extend(words(&[&count.to_string()]));
        for _ in 0..count {
            let kind = if rng.one_in(4) { 't' } else { 'z' };
            all.push(self.value_key(rng, kind, hint));
        }
        if command != "ZDIFFSTORE" {
            if rng.percent(30) {
                all.extend(words(&["WEIGHTS"]));
                all.extend((0..count).flat_map(|_| words(&[rng.pick(&["1", "2", "3"])])));
            }
            if rng.percent(40) {
                all.extend(words(&["AGGREGATE", rng.pick(&["SUM", "MIN", "MAX"])]));
            }
        }
        all
    }

    /// Commands about the sorted set whose members all have the same score.
    fn lexical(&self, rng: &mut Rng, hint: &Hint) -> Words {
        let key = LEXICAL.as_bytes();
        let bound = |rng: &mut Rng| match rng.below(8) {
            0 | 1 => b"-".to_vec(),
            2 | 3 => b"+".to_vec(),
            4 if rng.one_in(4) => b"x".to_vec(),
            4 | 5 => [b"(".to_vec(), self.element(rng, key)].concat(),
            _ => [b"[".to_vec(), self.element(rng, key)].concat(),
        };
        match rng.below(8) {
            0..=2 => {
                let members = self.elements(rng, b"z1").into_iter();
                let pairs = members.flat_map(|member| [b"0".to_vec(), member]);
                [words(&["ZADD", LEXICAL]), pairs.collect()].concat()
            }
            3 => [words(&["ZLEXCOUNT", LEXICAL]), vec![bound(rng), bound(rng)]].concat(),
            4 => [words(&["ZREMRANGEBYLEX", LEXICAL]), vec![bound(rng), bound(rng)]].concat(),
            number => {
                let mut all = match number {
                    5 => {
                        let target = self.value_key(rng, 'z', hint);
                        [words(&["ZRANGESTORE"]), vec![target], words(&[LEXICAL])].concat()
                    }
                    _ => words(&["ZRANGE", LEXICAL]),
                };
                all.extend([bound(rng), bound(rng), b"BYLEX".to_vec()]);
                if rng.percent(30) {
                    all.extend(words(&["REV"]));
                }
                if rng.percent(30) {
                    all.extend(limit(rng));
                }
                if number != 5 && rng.one_in(20) {
                    all.extend(words(&["WITHSCORES"]));
                }
                all
            }
        }
    }
}

/// A multiple of a half, so that sums are exact.
fn score(rng: &mut Rng) -> String {
    match rng.below(30) {
        0 => rng.pick(&["inf", "-inf", "+inf", "x", "-0", "1e3"]).to_string(),
        1..=6 => (rng.between(-9, 9) as f64 / 2.0).to_string(),
        7..=14 => rng.between(-4, 300).to_string(),
        _ => rng.between(0, 5).to_string(),
    }
}

fn rank(rng: &mut Rng) -> String {
    rng.pick(&[0, 0, 1, 2, 5, 100, 200, -1, -1, -2, -9, -150]).to_string()
}

fn limit(rng: &mut Rng) -> Words {
    words(&[
        "LIMIT",
        rng.pick(&["0", "0", "1", "5", "-1"]),
        rng.pick(&["-1", "1", "3", "0", "150"]),
    ])
}
