//! The power fails, or the process is killed, at every operation of a run: what loads is always a state
//! the broker was really in, and not older than promised.

use super::checks::{check_crash, check_turn, policies_of};
use super::policies::Drawn;
use super::script::{Dice, play, seeds, steps, steps_with_changes_of_policy};
use super::world::{World, contents};
use crate::{NEW_SEEDS, SEEDS, STEPS};
use tidegate::journal::memory::{Fault, MemoryDirectory};

/// One of this many ends is followed by another process.
const LIVES: u64 = 8;
const STEPS_OF_A_LIFE: usize = 12;

/// Variants of the power failure, tried for each moment.
const DICE_PER_CRASH: u64 = 3;

/// The power fails at every operation of a run. Its queues may be under policies.
fn crash_everywhere(policy: &str, has_queue_policies: bool) {
    let mut drawn = Drawn { never_gives_up: true, ..Drawn::default() };
    for seed in seeds(SEEDS, NEW_SEEDS) {
        let queue_policies =
            if has_queue_policies { queue_policies(seed, &mut drawn) } else { String::new() };
        let steps = steps(seed, STEPS);
        let settings = format!("appendfsync {policy}\n{queue_policies}");
        let mut whole = World::new(MemoryDirectory::new(), &settings).expect("a new directory");
        assert!(play(&mut whole, &steps, |_| false), "seed {seed}: nothing fails");
        for last in 0..whole.directory.operations() + 1 {
            let directory = MemoryDirectory::new();
            directory.inject(last..u64::MAX, Fault::PowerOff);
            // The first start itself may be interrupted.
            let Ok(mut world) = World::new(directory.clone(), &settings) else {
                let left = contents(&directory.crash(seed), &queue_policies)
                    .expect("a first start can be repeated");
                assert!(left.is_empty());
                continue;
            };
            play(&mut world, &steps, |world| world.directory.operations() > last);
            let promised = if policy == "always" { world.acknowledged } else { world.synced };
            for dice in 0..DICE_PER_CRASH {
                let what = format!(
                    "TIDEGATE_CRASH_SEED={seed}, {policy}, power off at operation {last}, dice {dice}"
                );
                check_crash(&world, &directory.crash(dice * 1000 + last), promised, &what);
            }
            let what = format!("TIDEGATE_CRASH_SEED={seed}, {policy}, killed at operation {last}");
            check_crash(&world, &directory.after_kill(), world.acknowledged, &what);
            if (seed + last).is_multiple_of(LIVES) {
                check_second_life(&world, seed + last, &what);
            }
        }
    }
    if has_queue_policies {
        drawn.check();
    }
}

/// Policies of some queues, and often one for dead letters.
fn queue_policies(seed: u64, drawn: &mut Drawn) -> String {
    let mut dice = Dice(!seed);
    let mut lines = String::new();
    for key in ["a", "b", "c"] {
        // Blocked producers are rarely served.
        let policy = match dice.below(5) {
            0 => drawn.policy_with(&mut dice, key, key, "block-timeout-ms"),
            _ => drawn.policy(&mut dice, key, key),
        };
        lines += &format!("queue-policy {policy}\n");
    }
    if dice.below(2) == 0 {
        let dead = drawn.policy_with(&mut dice, "d", "dead*", "message-ttl-ms");
        lines += &format!("queue-policy {dead}\n");
    }
    // Shown with the failure.
    println!("seed {seed}: {lines}");
    lines
}

/// A killed process leaves its writes to the system. A second one builds on them and replies, and then
/// the power fails.
fn check_second_life(world: &World, seed: u64, what: &str) {
    let policy = if seed.is_multiple_of(2) { "always" } else { "everysec" };
    let queue_policies = policies_of(world);
    let settings = format!("appendfsync {policy}\n{queue_policies}");
    let mut next = World::at(world.now, world.directory.survivor(), &settings).expect("it loads");
    // The checks load at the usual time, when fewer messages are too old.
    let first = contents(&world.directory.after_kill(), &queue_policies).expect("it loads");
    next.states[0] = first;
    // What has become due goes without anybody's doing, and is not promised.
    assert!(next.wait(0), "{what}: it goes on");
    let steps = steps(seed, STEPS_OF_A_LIFE);
    let last = Dice(seed).below(1 + steps.len() as u64) as usize;
    assert!(play(&mut next, &steps[..last], |_| false), "{what}: it goes on");
    let promised = if policy == "always" { next.acknowledged } else { next.synced };
    for dice in 0..DICE_PER_CRASH {
        let what = format!("{what}; {policy}, power off after {last} steps, dice {dice}");
        let found = contents(&next.directory.crash(dice * 1000 + seed), &queue_policies);
        let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
        check_turn(&next.states, &found, promised, &what);
    }
}

#[test]
fn confirmed_changes_are_there_with_always() {
    crash_everywhere("always", false);
}

#[test]
fn synced_changes_are_there_with_everysec() {
    crash_everywhere("everysec", false);
}

#[test]
fn confirmed_changes_survive_a_kill_with_no() {
    crash_everywhere("no", false);
}

#[test]
fn queues_under_policies_are_there_with_always() {
    crash_everywhere("always", true);
}

#[test]
fn queues_under_policies_survive_a_kill() {
    crash_everywhere("no", true);
}

/// Whatever the policies, confirmed changes survive a kill, even in the middle of a policy change.
#[test]
fn policies_may_change() {
    for seed in seeds(SEEDS, NEW_SEEDS) {
        let steps = steps_with_changes_of_policy(seed, 2 * STEPS);
        let mut dice = Dice(seed);
        for _ in 0..10 {
            let directory = MemoryDirectory::new();
            let mut world = World::new(directory.clone(), "").expect("a new directory");
            let last = dice.below(steps.len() as u64) as usize;
            assert!(play(&mut world, &steps[..last], |_| false), "nothing fails");
            let what = format!("TIDEGATE_CRASH_SEED={seed}, killed after {last} steps");
            check_crash(&world, &directory.after_kill(), world.acknowledged, &what);
            check_second_life(&world, dice.below(1000), &what);
        }
    }
}
