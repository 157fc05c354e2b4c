//! Generated commands about hashes.

use crate::generator::{Generator, Hint, words};
use crate::model::Words;
use crate::rng::Rng;

impl Generator {
    fn field_value(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.below(10) {
            0 => self.message(rng),
            1 => rng.pick(&["9223372036854775807", "007", "+1", "-0", ""]).as_bytes().to_vec(),
            2 => vec![b'v'; 65],
            _ => rng.between(-3, 300).to_string().into_bytes(),
        }
    }

    pub(super) fn hash_command(&self, rng: &mut Rng, hint: &Hint) -> Words {
        let key = self.value_key(rng, 'h', hint);
        let field = |rng: &mut Rng| vec![self.element(rng, &key)];
        let with = |command: &str, rest: Vec<Vec<u8>>| {
            [vec![command.as_bytes().to_vec(), key.clone()], rest].concat()
        };
        match rng.below(20) {
            0..=5 => {
                let fields = self.elements(rng, &key);
                let pairs = fields.into_iter().flat_map(|field| [field, self.field_value(rng)]);
                let mut all = pairs.collect::<Words>();
                // A value that is missing.
                all.truncate(if all.len() > 2 && rng.one_in(30) {
                    all.len() - 1
                } else {
                    all.len()
                });
                with(rng.pick(&["HSET", "HSET", "HMSET"]), all)
            }
            6 => with("HSETNX", [field(rng), vec![self.field_value(rng)]].concat()),
            7..=9 => with("HDEL", self.elements(rng, &key)),
            10 | 11 => {
                let number = rng.pick(&["1", "2", "-7", "9223372036854775807", "x"]);
                with("HINCRBY", [field(rng), words(&[number])].concat())
            }
            12 => with("HGET", field(rng)),
            13 => with("HMGET", self.elements(rng, &key)),
            14 => with("HEXISTS", field(rng)),
            15 => with("HSTRLEN", field(rng)),
            16 => with("HLEN", Vec::new()),
            17 => with("HGETALL", Vec::new()),
            18 => with("HKEYS", Vec::new()),
            _ => with("HVALS", Vec::new()),
        }
    }
}
