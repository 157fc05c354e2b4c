//! The same generated commands are sent to Tidegate and to the original, 7.0 and 8.2. The replies must
//! be the same, byte for byte, except client numbers, times, addresses and the order of sets. Intended
//! differences are listed in `differential/compare.rs`.
//!
//! A seed decides everything. Some seeds are always played, including those that once failed, and some
//! new ones each time. A failing run names its seed and the shortest part of it that still fails.
//!
//! - `TIDEGATE_DIFF_SEEDS=1000` plays that many new seeds.
//! - `TIDEGATE_DIFF_COMMANDS=500` sends that many commands for each seed.
//! - `TIDEGATE_DIFF_SEED=n` plays one seed and prints what happens.
//!
//! `originals/mod.rs` says where the original is looked for.

mod originals;

mod differential {
    pub mod answer;
    pub mod compare;
    pub mod generator;
    pub mod random;
    pub mod run;
    pub mod server;
    pub mod shrink;
    pub mod step;
    pub mod vocabulary;
}

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};

use differential::run::Pair;
use differential::step::Step;
use differential::{generator, server, shrink, vocabulary};
use originals::{Original, Version};

/// Seeds that once failed, and how many commands it took.
const REGRESSIONS: &[(u64, usize)] = &[
    (1795538055118245, 500),
    (1795538055118262, 500),
    (1795538357061863, 500),
    (1795538357061949, 500),
    (1795538357062279, 500),
    (1795539965946933, 500),
    (1795539965947292, 500),
    (1795539965947496, 500),
];

/// Seeds that are always played.
const FIXED_SEEDS: u64 = 12;
const NEW_SEEDS: u64 = 4;
const COMMANDS: usize = 300;

/// After this many failures, more of them tell little.
const FAILURES_MAX: usize = 5;

fn main() -> ExitCode {
    // Replies differ between versions; these are compared with two.
    let judges = [("7_0", originals::redis_7(&[Version::V7_0])), ("8_2", originals::redis_8())];
    let mut trials = vec![Trial::test("every_command_is_generated", every_command_is_generated)];
    for (version, judge) in judges {
        let name = format!("answers_are_those_of_redis_{version}");
        trials.push(originals::trial(name, &judge, answers_are_the_same));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn answers_are_the_same(original: &Original) -> Result<(), String> {
    let commands = number("TIDEGATE_DIFF_COMMANDS").unwrap_or(COMMANDS as u64) as usize;
    if let Some(seed) = number("TIDEGATE_DIFF_SEED") {
        return replay(original, seed, commands);
    }
    let first_new = server::unix_time().as_micros() as u64;
    let new_seeds = number("TIDEGATE_DIFF_SEEDS").unwrap_or(NEW_SEEDS);
    let new = (first_new..first_new + new_seeds).map(|seed| (seed, commands));
    let fixed = (1..=FIXED_SEEDS).map(|seed| (seed, commands));
    let seeds: Vec<(u64, usize)> = REGRESSIONS.iter().copied().chain(fixed).chain(new).collect();
    println!("new seeds from {first_new}, {new_seeds} of them, {commands} commands each");

    let started = Instant::now();
    let mut pair = Pair::start(original).expect("both servers start");
    let mut failures = Vec::new();
    for &(seed, commands) in &seeds {
        let steps = generator::steps(seed, commands);
        if let Err(difference) = pair.play(&steps) {
            pair.restart().expect("both servers start");
            failures.push(report(&mut pair, seed, commands, steps, &difference));
            println!("{}", failures[failures.len() - 1]);
        }
        if failures.len() == FAILURES_MAX {
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{} seeds in {seconds:.1} s, Redis {}", seeds.len(), original.version.name());
    match failures.len() {
        0 => Ok(()),
        count => Err(format!("{count} seeds differ, see above")),
    }
}

/// The shortest part of a failure that still fails.
fn report(pair: &mut Pair, seed: u64, commands: usize, steps: Vec<Step>, first: &str) -> String {
    let headline = format!("TIDEGATE_DIFF_SEED={seed} TIDEGATE_DIFF_COMMANDS={commands} differs");
    let steps = shrink::shrink(pair, steps);
    let (log, outcome) = pair.play_with_log(&steps);
    match outcome {
        Err(difference) => format!("{headline}:\n{}\n{difference}\n", log.join("\n")),
        Ok(()) => format!("{headline}, but not always:\n{first}\n"),
    }
}

fn replay(original: &Original, seed: u64, commands: usize) -> Result<(), String> {
    let mut pair = Pair::start(original).expect("both servers start");
    let steps = generator::steps(seed, commands);
    let (log, outcome) = pair.play_with_log(&steps);
    println!("{}", log.join("\n"));
    outcome.map_err(|difference| report(&mut pair, seed, commands, steps, &difference))
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable}={value} is no number")))
}

/// A new command must be in the vocabulary, or there must be a reason.
fn every_command_is_generated() -> Result<(), Failed> {
    let mut spoken = BTreeSet::new();
    for template in vocabulary::FAMILIES.iter().flat_map(|family| family.templates) {
        let mut words = template.split_whitespace().map(|word| word.trim_matches(['[', ']']));
        let names: Vec<&str> = words.next().unwrap_or_default().split('|').collect();
        let seconds: Vec<&str> = words.next().unwrap_or_default().split('|').collect();
        for name in names {
            spoken.insert(name.to_owned());
            spoken.extend(seconds.iter().map(|second| format!("{name} {second}")));
        }
    }
    let is_excused = |name: &str| {
        vocabulary::UNSPOKEN.iter().any(|(unspoken, _)| {
            name == *unspoken || name.strip_prefix(unspoken).is_some_and(|n| n.starts_with(' '))
        })
    };
    let missing: Vec<String> = tidegate::command_names()
        .filter(|name| !spoken.contains(name) && !is_excused(name) && !name.ends_with(" HELP"))
        .collect();
    assert!(missing.is_empty(), "neither generated nor excused: {missing:?}");
    Ok(())
}
