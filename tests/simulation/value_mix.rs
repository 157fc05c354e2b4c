//! The mix of commands about hashes, sets, sorted sets and streams: what a seed chooses.

use tidegate::settings::Settings;

use crate::generator::{Generator, Hint, script};
use crate::model::{Input, Words};
use crate::rng::Rng;

/// One of so many seeds has values other than lists and strings.
const ONE_IN: usize = 3;
/// Elements of small collections, and of large ones, which have another form in memory.
const SMALL: usize = 8;
const LARGE: usize = 300;
const NEW_AT_ONCE_MAX: usize = 150;

pub struct ValueMix {
    /// Hashes, sets, sorted sets, streams.
    weights: [usize; 4],
    /// Percentage of other commands' keys that are those of such values.
    pub(super) shared_percent: usize,
    /// Percentage of these commands' keys that are those of lists and strings, or of another type.
    foreign_percent: usize,
    /// Percentage of elements that are integers.
    integer_percent: usize,
    /// Percentage of additions that add many elements.
    many_percent: usize,
    scene_percent: usize,
    has_opening: bool,
    /// Settings that decide about the form in memory.
    settings: Vec<(&'static str, &'static str)>,
}

impl ValueMix {
    /// Has a generator of its own, so that a run without does not depend on it.
    pub fn new(seed: u64) -> Option<ValueMix> {
        let rng = &mut Rng::new(seed ^ 0x7661_6c75_6573);
        if !rng.one_in(ONE_IN) {
            return None;
        }
        let mut settings = Vec::new();
        for name in
            ["hash-max-listpack-entries", "set-max-intset-entries", "zset-max-listpack-entries"]
        {
            if rng.percent(40) {
                settings.push((name, rng.pick(&["0", "1", "4", "16"])));
            }
        }
        if rng.percent(60) {
            settings.push(("stream-node-max-entries", rng.pick(&["1", "2", "5"])));
        }
        for name in ["hash-max-listpack-value", "zset-max-listpack-value"] {
            if rng.percent(30) {
                settings.push((name, rng.pick(&["0", "4"])));
            }
        }
        Some(ValueMix {
            weights: [
                rng.pick(&[1, 1, 0]),
                rng.pick(&[1, 1, 0]),
                rng.pick(&[1, 2, 4]),
                rng.pick(&[0, 1, 1]),
            ],
            shared_percent: rng.pick(&[2, 10, 30]),
            foreign_percent: rng.pick(&[2, 10, 30]),
            integer_percent: rng.pick(&[0, 50, 100]),
            many_percent: rng.pick(&[5, 20, 50]),
            scene_percent: rng.pick(&[10, 20, 30]),
            has_opening: rng.percent(70),
            settings,
        })
    }

    pub fn apply(&self, settings: Settings) -> Settings {
        self.settings.iter().fold(settings, |settings, (name, value)| {
            settings.with(name, value).expect("it is a setting")
        })
    }

    /// The key of any such value.
    pub(super) fn key(&self, rng: &mut Rng) -> String {
        let kind = rng.weighted(&self.weights);
        format!("{}{}", ["h", "t", "z", "x"][kind], rng.below(2))
    }
}

impl Generator {
    pub(super) fn mix(&self) -> &ValueMix {
        self.values.as_ref().expect("only such runs have these commands")
    }

    pub(super) fn value_command(&self, rng: &mut Rng, hint: &Hint) -> Words {
        let family = [
            Generator::hash_command,
            Generator::set_command,
            Generator::sorted_set_command,
            Generator::stream_command,
        ];
        family[rng.weighted(&self.mix().weights)](self, rng, hint)
    }

    /// The first input of the second client: large values.
    pub fn value_opening(&self, rng: &mut Rng) -> Vec<Input> {
        let Some(values) = &self.values else { return Vec::new() };
        if !values.has_opening {
            return Vec::new();
        }
        let count = rng.pick(&[100, 129, 160, LARGE]);
        let elements = || (0..count).map(|place| self.at_place(place));
        let with = |name: &[u8], key: &[u8]| vec![name.to_vec(), key.to_vec()];
        let mut sent = vec![
            [with(b"SADD", b"t1"), elements().collect()].concat(),
            with(b"HSET", b"h1"),
            with(b"ZADD", b"z1"),
            with(b"ZADD", b"zl"),
        ];
        for (number, element) in elements().enumerate() {
            let score = (number * 7 % 100).to_string().into_bytes();
            sent[1].extend([element.clone(), score.clone()]);
            sent[2].extend([score, element.clone()]);
            sent[3].extend([b"0".to_vec(), element.clone()]);
            let entry = [b"*".to_vec(), b"f".to_vec(), element];
            sent.push([with(b"XADD", b"x1"), entry.to_vec()].concat());
        }
        sent.into_iter().map(Input::Command).collect()
    }

    /// Many commands at once; or a watch, which tells whether a command has changed a key.
    pub(super) fn value_scene(&self, rng: &mut Rng, hint: &Hint) -> Option<Vec<Input>> {
        if !rng.percent(self.values.as_ref()?.scene_percent) {
            return None;
        }
        if rng.percent(40) {
            let count = rng.pick(&[5, 10, 20]);
            return Some(
                (0..count).map(|_| Input::Command(self.value_command(rng, hint))).collect(),
            );
        }
        let command = self.value_command(rng, hint);
        let key = command.get(rng.pick(&[1, 1, 2])).cloned().unwrap_or_default();
        let mut sent = vec![Input::Command(vec![b"WATCH".to_vec(), key])];
        sent.push(Input::Command(command));
        sent.extend(script(&[&["MULTI"], &["PING"], &["EXEC"]]));
        Some(sent)
    }

    /// A key of this kind.
    pub(super) fn value_key(&self, rng: &mut Rng, kind: char, hint: &Hint) -> Vec<u8> {
        if rng.percent(self.mix().foreign_percent) {
            let held = &hint.in_flight;
            return match held.is_empty() || rng.percent(60) {
                true => self.key_name(rng).into_bytes(),
                false => held[rng.below(held.len())].clone(),
            };
        }
        format!("{kind}{}", rng.pick(&[0, 0, 1, 1, 2])).into_bytes()
    }

    /// An element's place among all that may be at this key.
    fn place(&self, rng: &mut Rng, key: &[u8]) -> usize {
        let is_any = key.ends_with(b"1") && rng.percent(70);
        rng.below(if is_any { LARGE } else { SMALL })
    }

    /// Whether a place has an integer does not depend on the key, so that values have elements in common.
    fn at_place(&self, place: usize) -> Vec<u8> {
        match place {
            3 => String::new(),
            _ if place * 37 % 100 < self.mix().integer_percent => (place as i64 - 2).to_string(),
            7 => "7".repeat(70),
            _ => format!("e{place}"),
        }
        .into_bytes()
    }

    pub(super) fn element(&self, rng: &mut Rng, key: &[u8]) -> Vec<u8> {
        if rng.one_in(60) {
            return self.message(rng);
        }
        let place = self.place(rng, key);
        self.at_place(place)
    }

    /// A few elements, or all from one on.
    pub(super) fn elements(&self, rng: &mut Rng, key: &[u8]) -> Vec<Vec<u8>> {
        if key.ends_with(b"1") && rng.percent(self.mix().many_percent) {
            let start = self.place(rng, key);
            let end = LARGE.min(start + 1 + rng.below(NEW_AT_ONCE_MAX));
            return (start..end).map(|place| self.at_place(place)).collect();
        }
        (0..rng.pick(&[1, 1, 2, 4])).map(|_| self.element(rng, key)).collect()
    }
}
