//! Generated commands about streams, without groups.

use crate::generator::{Generator, Hint, words};
use crate::model::Words;
use crate::rng::Rng;

impl Generator {
    pub(super) fn stream_command(&self, rng: &mut Rng, hint: &Hint) -> Words {
        let key = self.value_key(rng, 'x', hint);
        let with = |command: &str, rest: Words| {
            [vec![command.as_bytes().to_vec(), key.clone()], rest].concat()
        };
        match rng.below(16) {
            0..=7 => with("XADD", self.entry(rng, &key, hint)),
            8 | 9 => {
                let count = rng.pick(&[1, 1, 2, 4]);
                with("XDEL", (0..count).map(|_| id(rng, hint)).collect())
            }
            10 => with("XTRIM", words(&["MAXLEN", "=", rng.pick(&["0", "1", "3", "10", "100"])])),
            11 => with("XTRIM", [words(&["MINID", "="]), vec![id(rng, hint)]].concat()),
            12 => with("XLEN", Vec::new()),
            _ => {
                let mut all = vec![bound(rng, hint), bound(rng, hint)];
                if rng.percent(30) {
                    all.extend(words(&["COUNT", rng.pick(&["0", "1", "3", "100"])]));
                }
                with(rng.pick(&["XRANGE", "XREVRANGE"]), all)
            }
        }
    }

    /// The options, the id and the fields of a new entry. Entries often have the same fields, which streams
    /// store once.
    fn entry(&self, rng: &mut Rng, key: &[u8], hint: &Hint) -> Words {
        let mut all = Words::new();
        if rng.one_in(10) {
            all.extend(words(&["NOMKSTREAM"]));
        }
        if rng.one_in(8) {
            all.extend(words(&["MAXLEN", "=", rng.pick(&["0", "2", "10", "100"])]));
        }
        all.push(match rng.below(20) {
            0 => b"*".to_vec(),
            1 | 2 => id(rng, hint),
            3 => b"0-0".to_vec(),
            _ => format!("{}-*", hint.last_stream_ms + rng.pick(&[0, 0, 1, 5])).into_bytes(),
        });
        if rng.percent(60) {
            all.extend(words(&["name", &rng.below(300).to_string(), "age", "7"]));
        } else {
            for _ in 0..rng.pick(&[1, 2, 3]) {
                all.extend([self.element(rng, key), self.element(rng, key)]);
            }
        }
        // A value that is missing.
        all.truncate(if rng.one_in(30) { all.len() - 1 } else { all.len() });
        all
    }
}

/// An id near those of the latest entries.
fn id(rng: &mut Rng, hint: &Hint) -> Vec<u8> {
    let ms = (hint.last_stream_ms + 2).saturating_sub(rng.below(12) as u64);
    match rng.below(5) {
        0 => ms.to_string(),
        _ => format!("{ms}-{}", rng.below(4)),
    }
    .into_bytes()
}

fn bound(rng: &mut Rng, hint: &Hint) -> Vec<u8> {
    match rng.below(10) {
        0..=2 => b"-".to_vec(),
        3..=5 => b"+".to_vec(),
        6 => [b"(".to_vec(), id(rng, hint)].concat(),
        7 if rng.one_in(5) => b"x".to_vec(),
        _ => id(rng, hint),
    }
}
