//! Generated commands about sets.

use crate::generator::{Generator, Hint, words};
use crate::model::Words;
use crate::rng::Rng;

impl Generator {
    pub(super) fn set_command(&self, rng: &mut Rng, hint: &Hint) -> Words {
        let key = self.value_key(rng, 't', hint);
        let with = |command: &str, rest: Vec<Vec<u8>>| {
            [vec![command.as_bytes().to_vec(), key.clone()], rest].concat()
        };
        let keys = |rng: &mut Rng| -> Words {
            (0..rng.pick(&[1, 2, 2, 3])).map(|_| self.value_key(rng, 't', hint)).collect()
        };
        match rng.below(20) {
            0..=5 => with("SADD", self.elements(rng, &key)),
            6..=8 => with("SREM", self.elements(rng, &key)),
            9 => with("SISMEMBER", vec![self.element(rng, &key)]),
            10 => with("SMISMEMBER", self.elements(rng, &key)),
            11 => with("SCARD", Vec::new()),
            12 => with("SMEMBERS", Vec::new()),
            13 | 14 => {
                let target = self.value_key(rng, 't', hint);
                with("SMOVE", vec![target, self.element(rng, &key)])
            }
            15 | 16 => with(rng.pick(&["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), keys(rng)),
            17 => {
                let keys = keys(rng);
                let mut all = words(&["SINTERCARD", &keys.len().to_string()]);
                all.extend(keys);
                if rng.percent(50) {
                    all.extend(words(&["LIMIT", rng.pick(&["0", "1", "5"])]));
                }
                all
            }
            _ => with(rng.pick(&["SINTER", "SUNION", "SDIFF"]), keys(rng)),
        }
    }
}
