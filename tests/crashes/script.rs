//! The events of a run: commands, waits and jobs, from a seed.

use super::world::{CLIENTS, World};
use std::time::{SystemTime, UNIX_EPOCH};

/// Random numbers from a seed: splitmix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

/// The seeds of a test: some fixed ones, and some new ones in each run, which are printed.
pub fn seeds(same: u64, new: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|value: String| value.parse().ok());
    if let Some(seed) = number("TIDEGATE_CRASH_SEED") {
        return vec![seed];
    }
    let same = 1..1 + number("TIDEGATE_CRASH_SEEDS").unwrap_or(same);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    // Far from the others, and easy to copy.
    let first = 1_000_000 + (time.as_micros() % 1_000_000_000) as u64;
    println!("new seeds: {first} to {}", first + new - 1);
    same.chain(first..first + new).collect()
}

#[derive(Clone, Debug)]
pub enum Step {
    Send { client: usize, request: String, is_busy: bool, tells: bool },
    Wait { us: u64 },
    Job { lane: usize, choice: usize },
    Tell { choice: usize },
}

/// The steps of a seed, including changes of `appendfsync`.
pub fn steps_with_changes_of_policy(seed: u64, count: usize) -> Vec<Step> {
    let mut dice = Dice(!seed);
    let mut steps = steps(seed, count);
    for step in &mut steps {
        if dice.below(10) == 0 {
            let policy = dice.pick(&["always", "everysec", "no"]);
            let request = format!("CONFIG SET appendfsync {policy}\r\n");
            *step = Step::Send { client: 0, request, is_busy: false, tells: false };
        }
    }
    steps
}

/// The steps of a seed.
pub fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut dice = Dice(seed);
    // Some runs have a fast disk, some a slow one, some rewrite all the time.
    let job_weight = [2, 8, 24][dice.below(3) as usize];
    let rewrites = [1, 6][dice.below(2) as usize];
    (0..count)
        .map(|number| match dice.below(12 + job_weight) {
            0..10 => Step::Send {
                client: dice.below(CLIENTS as u64) as usize,
                request: request(&mut dice, number, rewrites),
                is_busy: dice.below(3) == 0,
                tells: dice.below(3) == 0,
            },
            10..12 => {
                Step::Wait { us: [1_000, 30_000, 400_000, 1_100_000][dice.below(4) as usize] }
            }
            _ if dice.below(2) == 0 => Step::Tell { choice: dice.below(3) as usize },
            _ => Step::Job { lane: dice.below(2) as usize, choice: dice.below(3) as usize },
        })
        .collect()
}

fn request(dice: &mut Dice, number: usize, rewrites: u64) -> String {
    if dice.below(40) < rewrites {
        return "BGREWRITEAOF\r\n".into();
    }
    let mut text = String::new();
    match dice.below(8) {
        0 => {
            text.push_str("MULTI\r\n");
            for _ in 0..dice.below(4) {
                text.push_str(&command(dice, number));
            }
            text.push_str("EXEC\r\n");
        }
        1 => (0..dice.below(5)).for_each(|_| text.push_str(&command(dice, number))),
        _ => text.push_str(&command(dice, number)),
    }
    text
}

fn command(dice: &mut Dice, number: usize) -> String {
    let key = |dice: &mut Dice| dice.pick(&["a", "b", "c"]);
    let end = |dice: &mut Dice| dice.pick(&["LEFT", "RIGHT"]);
    let (one, other) = (key(dice), key(dice));
    let text = match dice.below(31) {
        0..8 => format!("RPUSH {one} {number}-{}", "m".repeat(dice.below(40) as usize)),
        8 => format!("LPUSH {one} {number} {number}"),
        9..12 => format!("LPOP {one}"),
        12 => format!("BLPOP {one} {other} 0.5"),
        13 => format!("LMOVE {one} {other} {} {}", end(dice), end(dice)),
        14 => format!("BLMOVE {one} {other} {} {} 0.2", end(dice), end(dice)),
        15 => format!("RENAME {one} {other}"),
        16 => format!("PEXPIRE {one} {}", 1 + dice.below(900)),
        17 => format!("DEL {one}"),
        18 => format!("MOVE {one} 1"),
        19 => format!("SELECT {}", dice.below(2)),
        20 => format!("LTRIM {one} 0 {}", dice.below(6)),
        21 => "SWAPDB 0 1".into(),
        22 if dice.below(4) == 0 => "FLUSHALL".into(),
        22 => format!("SELECT {}\r\nRPUSH {one} {number}", dice.below(2)),
        // A queue of more than one segment.
        23 => format!("RPUSH {one} {}", "l".repeat(3000)),
        24 => format!("SET {one} {number} PX {}", 1 + dice.below(900)),
        25 => format!("INCR {one}\r\nINCRBYFLOAT {other} 0.5"),
        26 => format!("APPEND {one} {number}\r\nGETEX {other} PERSIST"),
        27 => format!("HSET {one} f{} {number} g {number}\r\nHDEL {other} g", dice.below(9)),
        28 => format!("SADD {one} {number} m{number}\r\nSPOP {other} {}", dice.below(3)),
        29 => format!("HINCRBY {one} f1 1\r\nSUNIONSTORE {one} {one} {other}"),
        _ => format!("LSET {one} 0 {number}"),
    };
    text + "\r\n"
}

/// Plays steps until they end or the journal fails; returns whether all were played.
pub fn play(world: &mut World, steps: &[Step], mut is_dead: impl FnMut(&World) -> bool) -> bool {
    for step in steps {
        let goes_on = match step {
            Step::Send { client, request, is_busy, tells } => {
                if *tells {
                    world.will_tell(0);
                }
                world.turn_of_several(*client, request, *is_busy)
            }
            Step::Wait { us } => world.wait(*us),
            Step::Job { lane, choice } => {
                world.run_job(*lane, *choice);
                true
            }
            Step::Tell { choice } => world.tell(*choice),
        };
        if !goes_on || is_dead(world) {
            return false;
        }
    }
    true
}
