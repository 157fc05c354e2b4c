//! The input of clients: commands drawn with the seed's weights, and their bytes.

use crate::model::{DBS, Input, Key, Words, address};
use crate::queue_commands::QueueMix;
use crate::rng::Rng;
use crate::value_mix::ValueMix;

/// What the generator may know of a client, so that the run does not get stuck.
pub struct Hint {
    /// It may send few commands except those that end subscriptions.
    pub is_restricted: bool,
    pub is_in_transaction: bool,
    pub is_watching: bool,
    pub client_count: usize,
    /// Keys of queues with messages in flight to it.
    pub held: Vec<Key>,
    /// Keys of queues with messages in flight to any client.
    pub in_flight: Vec<Key>,
    /// Messages in flight.
    pub messages: Vec<Vec<u8>>,
    /// The number of the last delivery.
    pub last_delivery: u64,
    /// Keys of queues that are paused.
    pub paused: Vec<Key>,
    /// Keys of queues in which a producer waits for capacity.
    pub full: Vec<Key>,
    /// The highest time in the ids of streams.
    pub last_stream_ms: u64,
}

type Family = fn(&Generator, &mut Rng, &Hint) -> Words;

/// Families of commands, with their usual weights.
const FAMILIES: &[(Family, usize)] = &[
    (Generator::push, 24),
    (Generator::pop, 10),
    (Generator::blocking, 24),
    (Generator::look, 8),
    (Generator::edit, 10),
    (Generator::key, 10),
    (Generator::database, 6),
    (Generator::expiry, 8),
    (Generator::subscription, 8),
    (Generator::publish, 8),
    (Generator::transaction, 10),
    (Generator::client, 4),
    (Generator::pause, 1),
    (Generator::connection, 6),
    (Generator::string_command, 10),
    // Without the following a run is the same as before there were policies, and before there were values
    // other than lists and strings.
    (Generator::queue, 10),
    (Generator::value_command, 0),
];

/// How many of the families every run has.
const OLD_FAMILIES: usize = FAMILIES.len() - 2;

/// How many of ten families are switched off.
const OFF_IN_TEN: usize = 2;
/// How many of ten seeds have no policies.
const WITHOUT_POLICIES_IN_TEN: usize = 4;

pub struct Generator {
    weights: Vec<usize>,
    key_count: usize,
    /// How many of a thousand messages are large, and how large.
    large_in_thousand: usize,
    large_bytes: usize,
    odd_percent: usize,
    scene_percent: usize,
    /// Percentage of string commands that use keys of lists.
    pub(super) shared_percent: usize,
    /// `None` in a run without policies.
    pub(super) queues: Option<QueueMix>,
    /// `None` in a run with only lists and strings.
    pub(super) values: Option<ValueMix>,
}

impl Generator {
    pub fn new(rng: &mut Rng, seed: u64) -> Generator {
        // A generator of its own, so that a run without policies does not depend on them.
        let own = &mut Rng::new(seed ^ 0x7175_6575_6573);
        let queues = (own.below(10) >= WITHOUT_POLICIES_IN_TEN).then(|| QueueMix::new(own));
        let values = ValueMix::new(seed);
        let (old, new) = FAMILIES.split_at(OLD_FAMILIES);
        let mut weights: Vec<usize> = old
            .iter()
            .map(
                |(_, usual)| {
                    if rng.below(10) < OFF_IN_TEN { 0 } else { usual * rng.pick(&[1, 1, 2, 5]) }
                },
            )
            .collect();
        // Without pushes nothing would ever happen.
        weights[0] = weights[0].max(10);
        weights.push(if queues.is_some() { new[0].1 * own.pick(&[1, 2, 4]) } else { 0 });
        // A quarter of all.
        let all = weights.iter().sum::<usize>();
        weights.push(if values.is_some() { all / 3 } else { 0 });
        Generator {
            weights,
            key_count: rng.pick(&[1, 2, 3, 5]),
            large_in_thousand: rng.pick(&[0, 0, 0, 5, 30, 200]),
            large_bytes: rng.pick(&[10_000, 10_000, 40_000]),
            odd_percent: rng.pick(&[0, 2, 5]),
            scene_percent: rng.pick(&[0, 1, 4]),
            shared_percent: rng.pick(&[5, 20, 60]),
            queues,
            values,
        }
    }

    /// The input that a client sends at once.
    pub fn inputs(&self, rng: &mut Rng, hint: &Hint) -> Vec<Input> {
        if rng.below(100) < self.odd_percent {
            return vec![self.odd(rng)];
        }
        if hint.is_restricted && rng.percent(60) {
            let word = rng.pick(&["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "PING"]);
            return vec![Input::Command(words(&[word]))];
        }
        if hint.is_in_transaction && rng.percent(30) {
            let word = rng.pick(&["EXEC", "EXEC", "EXEC", "DISCARD"]);
            return vec![Input::Command(words(&[word]))];
        }
        if hint.is_watching && rng.percent(20) {
            return script(&[&["MULTI"], &["PING"], &["EXEC"]]);
        }
        if rng.below(100) < self.scene_percent {
            return self.scene(rng, hint);
        }
        if let Some(scene) = self.queue_scene(rng, hint) {
            return scene;
        }
        if let Some(scene) = self.value_scene(rng, hint) {
            return scene;
        }
        let mut sent = Vec::new();
        for _ in 0..rng.pick(&[1, 1, 1, 2, 5]) {
            let words = self.command(rng, hint);
            let begins = words[0] == b"MULTI";
            sent.push(Input::Command(words));
            if begins && rng.percent(80) {
                let count = rng.below(6);
                sent.extend((0..count).map(|_| Input::Command(self.command(rng, hint))));
                sent.push(Input::Command(vec![b"EXEC".to_vec()]));
            }
        }
        sent
    }

    /// Sequences of commands that rarely occur at random.
    fn scene(&self, rng: &mut Rng, hint: &Hint) -> Vec<Input> {
        let key = self.key_name(rng);
        let key = key.as_str();
        match rng.below(6) {
            // Databases are swapped when keys exist for which others wait.
            0 | 1 => {
                let mut sent = script(&[&["SELECT", "1"]]);
                let pushes = rng.between(2, 4);
                sent.extend((0..pushes).map(|_| Input::Command(self.push(rng, hint))));
                sent.extend(script(&[&["SELECT", "0"], &["SWAPDB", "0", "1"]]));
                sent
            }
            // A watched key expires.
            2 => script(&[&["WATCH", key], &["PEXPIRE", key, "1"]]),
            3 | 4 => self.string_scene(rng, hint),
            // A waiting client continues with keys that others wait for.
            _ => {
                let mut sent = vec![Input::Command(self.blocking(rng, hint))];
                sent.extend((0..3).map(|_| Input::Command(self.push(rng, hint))));
                sent
            }
        }
    }

    pub fn has_policies(&self) -> bool {
        self.queues.is_some()
    }

    /// How many messages a queue remembers for deduplication.
    pub fn dedup_max(&self) -> u64 {
        self.queues.as_ref().map_or(1, |mix| mix.dedup_max)
    }

    fn command(&self, rng: &mut Rng, hint: &Hint) -> Words {
        let (family, _) = FAMILIES[rng.weighted(&self.weights)];
        family(self, rng, hint)
    }

    fn key(&self, rng: &mut Rng, _: &Hint) -> Words {
        let command =
            rng.pick(&["DEL", "UNLINK", "EXISTS", "TYPE", "RENAME", "RENAMENX", "COPY", "COPY"]);
        let (first, second) = (self.key_name(rng), self.key_name(rng));
        match command {
            "TYPE" => words(&[command, &first]),
            "COPY" if rng.percent(50) => {
                let db = rng.below(DBS).to_string();
                words(&[command, &first, &second, "DB", &db, rng.pick(&["REPLACE", "replace"])])
            }
            "COPY" if rng.percent(50) => words(&[command, &first, &second, "REPLACE"]),
            "DEL" if rng.percent(60) => words(&[command, &first]),
            _ => words(&[command, &first, &second]),
        }
    }

    pub(super) fn key_name(&self, rng: &mut Rng) -> String {
        if self.queues.is_some() && rng.one_in(12) {
            return rng.pick(&["dead", "k0:dead"]).to_string();
        }
        if let Some(values) = &self.values
            && rng.percent(values.shared_percent)
        {
            return values.key(rng);
        }
        if rng.one_in(15) {
            return "s0".to_string();
        }
        ["k0", "k1", "k2", "", "k\0\n"][rng.below(self.key_count)].to_string()
    }

    fn keys(&self, rng: &mut Rng) -> Vec<String> {
        (0..rng.pick(&[1, 1, 2, 3])).map(|_| self.key_name(rng)).collect()
    }

    pub(super) fn message(&self, rng: &mut Rng) -> Vec<u8> {
        if rng.below(1000) < self.large_in_thousand {
            return vec![rng.pick(b"xyz"); self.large_bytes + rng.below(300)];
        }
        match rng.below(12) {
            0 => Vec::new(),
            1 => b"\r\n".to_vec(),
            2 => b"\0\xff$3\r\n*".to_vec(),
            3 => vec![rng.pick(b"mn"); 100],
            4 => rng.between(-3, 300).to_string().into_bytes(),
            5 => vec![b'w'; rng.below(1500)],
            _ => vec![rng.pick(b"abc")],
        }
    }

    fn push(&self, rng: &mut Rng, _: &Hint) -> Words {
        let command = rng.pick(&["RPUSH", "RPUSH", "LPUSH", "LPUSH", "RPUSHX", "LPUSHX"]);
        let mut all = words(&[command, &self.key_name(rng)]);
        all.extend((0..rng.pick(&[1, 1, 1, 2, 4])).map(|_| self.message(rng)));
        all
    }

    fn pop(&self, rng: &mut Rng, _: &Hint) -> Words {
        let (key, other) = (self.key_name(rng), self.key_name(rng));
        match rng.below(5) {
            0 => words(&["RPOPLPUSH", &key, &other]),
            1 => words(&["LMOVE", &key, &other, side(rng), side(rng)]),
            2 => {
                let keys = self.keys(rng);
                let mut all = words(&["LMPOP", &keys.len().to_string()]);
                all.extend(keys.into_iter().map(String::into_bytes));
                all.extend(words(&[side(rng), "COUNT", &rng.between(1, 4).to_string()]));
                all
            }
            3 => words(&[
                rng.pick(&["LPOP", "RPOP"]),
                &key,
                rng.pick(&["0", "1", "2", "9", "-1", "x"]),
            ]),
            _ => words(&[rng.pick(&["LPOP", "RPOP"]), &key]),
        }
    }

    fn blocking(&self, rng: &mut Rng, _: &Hint) -> Words {
        let timeout = rng.pick(&["0", "0", "0", "0.001", "0.0005", "0.5", "1", "2.25", "30"]);
        let timeout = if rng.one_in(60) { rng.pick(&["-1", "soon"]) } else { timeout };
        let (key, other) = (self.key_name(rng), self.key_name(rng));
        let keys = self.keys(rng).into_iter().map(String::into_bytes);
        match rng.below(6) {
            0 => words(&["BRPOPLPUSH", &key, &other, timeout]),
            1 => words(&["BLMOVE", &key, &other, side(rng), side(rng), timeout]),
            2 => {
                let mut all = words(&["BLMPOP", timeout, &keys.len().to_string()]);
                all.extend(keys);
                all.extend(words(&[side(rng)]));
                if rng.percent(50) {
                    all.extend(words(&["COUNT", &rng.between(1, 4).to_string()]));
                }
                all
            }
            _ => {
                let mut all = words(&[rng.pick(&["BLPOP", "BRPOP"])]);
                all.extend(keys);
                all.push(timeout.as_bytes().to_vec());
                all
            }
        }
    }

    fn look(&self, rng: &mut Rng, _: &Hint) -> Words {
        let key = self.key_name(rng);
        let (a, b) = (index(rng), index(rng));
        match rng.below(4) {
            0 => words(&["LLEN", &key]),
            1 => words(&["LINDEX", &key, if rng.one_in(20) { "x" } else { &a }]),
            2 => words(&["LRANGE", &key, &a, &b]),
            _ => {
                let mut all = words(&["LPOS", &key]);
                all.push(self.message(rng));
                if rng.percent(40) {
                    all.extend(words(&["RANK", rng.pick(&["1", "2", "-1", "-2"])]));
                }
                if rng.percent(40) {
                    all.extend(words(&["COUNT", rng.pick(&["0", "1", "2"])]));
                }
                if rng.percent(40) {
                    all.extend(words(&["MAXLEN", rng.pick(&["0", "1", "3"])]));
                }
                all
            }
        }
    }

    fn edit(&self, rng: &mut Rng, _: &Hint) -> Words {
        let key = self.key_name(rng);
        let (a, b) = (index(rng), index(rng));
        let mut all = match rng.below(4) {
            0 => words(&["LSET", &key, &a]),
            1 => {
                let mut all = words(&["LINSERT", &key, rng.pick(&["BEFORE", "after", "AFTER"])]);
                all.push(self.message(rng));
                all
            }
            2 => words(&["LREM", &key, rng.pick(&["0", "1", "-1", "2", "-2"])]),
            _ => return words(&["LTRIM", &key, &a, &b]),
        };
        all.push(self.message(rng));
        all
    }

    fn database(&self, rng: &mut Rng, _: &Hint) -> Words {
        let (a, b) = (rng.below(DBS).to_string(), rng.below(DBS).to_string());
        match rng.below(16) {
            0 => words(&["FLUSHALL"]),
            1 => words(&["FLUSHDB"]),
            2 => words(&["DBSIZE"]),
            3 | 4 => words(&["MOVE", &self.key_name(rng), &a]),
            5..=7 => words(&["SELECT", if rng.one_in(10) { "9" } else { &a }]),
            8 => words(&["SELECT", "0"]),
            9 => words(&["SWAPDB", &a, &b]),
            _ => words(&["SWAPDB", "0", rng.pick(&["1", "2"])]),
        }
    }

    fn expiry(&self, rng: &mut Rng, _: &Hint) -> Words {
        let key = self.key_name(rng);
        match rng.below(9) {
            0 => words(&["PERSIST", &key]),
            1 => words(&["PTTL", &key]),
            2 => words(&["TTL", &key]),
            3 => words(&["PEXPIRETIME", &key]),
            4 => words(&["PEXPIREAT", &key, rng.pick(&["1", "1700000003000", "1700001000000"])]),
            5 => words(&["EXPIRE", &key, rng.pick(&["-1", "0", "1", "100"])]),
            _ => words(&["PEXPIRE", &key, rng.pick(&["0", "1", "20", "500", "3000"])]),
        }
    }

    fn subscription(&self, rng: &mut Rng, _: &Hint) -> Words {
        let command = rng.pick(&[
            "SUBSCRIBE",
            "PSUBSCRIBE",
            "SSUBSCRIBE",
            "UNSUBSCRIBE",
            "PUNSUBSCRIBE",
            "SUNSUBSCRIBE",
        ]);
        let mut all = words(&[command]);
        let names = if command.starts_with('P') { PATTERNS } else { CHANNELS };
        let count = if command.contains("UNSUB") { rng.below(3) } else { 1 + rng.below(2) };
        all.extend((0..count).map(|_| rng.pick(names).as_bytes().to_vec()));
        all
    }

    fn publish(&self, rng: &mut Rng, _: &Hint) -> Words {
        let channel = rng.pick(CHANNELS);
        match rng.below(8) {
            0 => words(&["PUBSUB", "NUMSUB", channel, "nobody"]),
            1 => words(&["PUBSUB", rng.pick(&["NUMPAT", "numpat"])]),
            2 => words(&["PUBSUB", "SHARDNUMSUB", channel]),
            number => {
                let mut all = words(&[if number < 5 { "SPUBLISH" } else { "PUBLISH" }, channel]);
                all.push(self.message(rng));
                all
            }
        }
    }

    fn transaction(&self, rng: &mut Rng, _: &Hint) -> Words {
        match rng.below(12) {
            0 => words(&["DISCARD"]),
            1 => words(&["EXEC"]),
            2 => words(&["UNWATCH"]),
            3..=5 => {
                let mut all = words(&["WATCH"]);
                all.extend(self.keys(rng).into_iter().map(String::into_bytes));
                all
            }
            _ => words(&["MULTI"]),
        }
    }

    fn client(&self, rng: &mut Rng, hint: &Hint) -> Words {
        let who = rng.below(hint.client_count + 1);
        let number = (who + 1).to_string();
        match rng.below(12) {
            0 => words(&["CLIENT", "ID"]),
            1 => words(&["CLIENT", "KILL", &address(who)]),
            2 => words(&["CLIENT", "KILL", "ID", &number]),
            3 => words(&["CLIENT", "KILL", "ADDR", &address(who), "SKIPME", "no"]),
            4 if rng.one_in(4) => {
                words(&["CLIENT", "KILL", "TYPE", rng.pick(&["pubsub", "normal"])])
            }
            5 => words(&["CLIENT", "UNBLOCK", &number, "ERROR"]),
            6 => words(&["CLIENT", "UNBLOCK", &number, "TIMEOUT"]),
            _ => words(&["CLIENT", "UNBLOCK", &number]),
        }
    }

    fn pause(&self, rng: &mut Rng, _: &Hint) -> Words {
        match rng.below(4) {
            0 => words(&["CLIENT", "UNPAUSE"]),
            1 => words(&["CLIENT", "PAUSE", rng.pick(&["0", "1", "300"])]),
            _ => words(&[
                "CLIENT",
                "PAUSE",
                rng.pick(&["1", "300", "900"]),
                rng.pick(&["WRITE", "ALL"]),
            ]),
        }
    }

    fn connection(&self, rng: &mut Rng, _: &Hint) -> Words {
        let mut all = match rng.below(10) {
            0 => return words(&["PING"]),
            1 | 2 => words(&["PING"]),
            3..=5 => words(&["ECHO"]),
            6 => return words(&["HELLO"]),
            7 => return words(&["HELLO", rng.pick(&["2", "3", "3"])]),
            8 => return words(&["RESET"]),
            _ if rng.one_in(5) => return words(&["QUIT"]),
            _ => return words(&["PING"]),
        };
        all.push(self.message(rng));
        all
    }

    /// Input that no sane client would send.
    fn odd(&self, rng: &mut Rng) -> Input {
        const WRONG: &[&str] =
            &["RPUSH", "LLEN", "SET", "BLPOP", "WATCH", "SUBSCRIBE", "ECHO", "LMOVE", "nonsense"];
        match rng.below(12) {
            0 | 1 => Input::Nothing,
            2 if rng.one_in(3) => Input::Broken("ERR Protocol error: invalid multibulk length"),
            3 => Input::Command(words(&[rng.pick(&["MULTI", "EXEC", "DISCARD"]), "x"])),
            _ => Input::Command(words(&[rng.pick(WRONG)])),
        }
    }
}

const CHANNELS: &[&str] = &["c", "ca", "cb", "\r\n"];
const PATTERNS: &[&str] = &["c*", "?", "*a", "ca", "*"];

pub fn script(lines: &[&[&str]]) -> Vec<Input> {
    lines.iter().map(|line| Input::Command(words(line))).collect()
}

fn side(rng: &mut Rng) -> &'static str {
    rng.pick(&["LEFT", "RIGHT", "left", "Right"])
}

fn index(rng: &mut Rng) -> String {
    rng.between(-4, 4).to_string()
}

pub fn words(all: &[&str]) -> Words {
    all.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// Maximum length of a line that is a request.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The bytes of an input.
pub fn encode(rng: &mut Rng, input: &Input) -> Vec<u8> {
    let words = match input {
        Input::Nothing => return rng.pick(&[&b"\r\n"[..], b"*0\r\n", b"*-1\r\n", b"\n"]).to_vec(),
        Input::Broken(_) => return b"*x\r\n".to_vec(),
        Input::Command(words) => words,
    };
    let is_plain = |word: &Vec<u8>| !word.is_empty() && word.iter().all(u8::is_ascii_alphanumeric);
    let line = words.join(&b' ');
    if rng.one_in(6) && words.iter().all(is_plain) && line.len() < LINE_BYTES_MAX {
        return [&line[..], rng.pick(&[&b"\r\n"[..], b"\n"])].concat();
    }
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for (place, word) in words.iter().enumerate() {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        let lower = place == 0 && rng.one_in(4);
        bytes.extend(if lower { word.to_ascii_lowercase() } else { word.clone() });
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
