//! The broker compared with a naive model. A seed decides every detail of a run: commands, how requests
//! are split, how slowly replies are read, clocks, disconnections. Most seeds use queue policies as
//! well, and a third hashes, sets, sorted sets and streams.
//!
//! `TIDEGATE_SIM_SEED=123` plays one seed and prints each step; `TIDEGATE_SIM_SEEDS=100000` plays that
//! many; `TIDEGATE_SIM_STEPS` sets the length of runs.

mod checks;
mod generator;
mod hash_commands;
mod model;
mod queue_commands;
mod queue_scenes;
mod record;
mod rng;
mod runner;
mod set_commands;
mod sorted_set_commands;
mod stream_commands;
mod string_commands;
mod value_mix;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use runner::Run;

/// Seeds of every test run: 0 and the following.
const SEEDS: u64 = 300;
/// New seeds in every test run in addition.
const NEW_SEEDS: u64 = 20;
const STEPS: u64 = 300;

/// Seeds that once failed, with the number of steps they need.
const REGRESSIONS: &[(u64, usize)] = &[
    (683, 300),
    (1434659000104618769, 300),
    (1598304680080709966, 300),
    (2330636525769726283, 300),
];

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn steps() -> usize {
    variable("TIDEGATE_SIM_STEPS").unwrap_or(STEPS) as usize
}

/// The model is recursive where the broker is a loop: queues that dead-letter to each other.
const STACK_BYTES: usize = 256 << 20;

/// Plays one seed; returns the hash of all output. Panics with everything needed to play it again.
fn play(seed: u64, steps: usize, is_verbose: bool) -> u64 {
    let thread = thread::Builder::new().stack_size(STACK_BYTES);
    let playing = thread.spawn(move || play_here(seed, steps, is_verbose)).expect("a thread");
    playing.join().unwrap_or_else(|reason| resume_unwind(reason))
}

fn play_here(seed: u64, steps: usize, is_verbose: bool) -> u64 {
    let mut run = Run::new(seed, steps, is_verbose);
    if let Err(reason) = catch_unwind(AssertUnwindSafe(|| run.play())) {
        let text = reason.downcast_ref::<String>().cloned();
        let text = text.or_else(|| reason.downcast_ref::<&str>().map(|text| text.to_string()));
        let story: Vec<String> = run.story.into();
        panic!(
            "seed {seed} failed at step {}: {}\nthe steps before:\n{}\nto play it again:\n  \
             TIDEGATE_SIM_SEED={seed} TIDEGATE_SIM_STEPS={steps} cargo test --test simulation -- \
             --nocapture broker_and_model",
            run.step,
            text.unwrap_or_default(),
            story.join("\n"),
        );
    }
    run.hash
}

#[test]
fn broker_and_model_say_the_same() {
    if let Some(seed) = variable("TIDEGATE_SIM_SEED") {
        play(seed, steps(), true);
        return;
    }
    let count = variable("TIDEGATE_SIM_SEEDS").unwrap_or(SEEDS);
    for seed in 0..count {
        play(seed, steps(), false);
    }
}

#[test]
fn broker_and_model_say_the_same_for_new_seeds() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let first = u64::from(clock.subsec_nanos()) << 32 | clock.as_secs() & 0xffff_ffff;
    println!("seeds {first} to {}", first + NEW_SEEDS - 1);
    for seed in first..first + NEW_SEEDS {
        play(seed, steps(), false);
    }
}

#[test]
fn seeds_that_failed_once_do_not_fail_again() {
    for &(seed, steps) in REGRESSIONS {
        play(seed, steps, false);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let mut hashes = Vec::new();
    for seed in [1, 2, 3] {
        let hash = play(seed, steps(), false);
        assert_eq!(hash, play(seed, steps(), false), "seed {seed}");
        hashes.push(hash);
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 3, "different seeds are different runs");
}
