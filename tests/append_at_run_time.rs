//! Append files that are turned on while the broker runs, on a directory in memory that loses power at
//! every operation: until the manifest names them, what was there before loads, and from then on what
//! was answered.

// They have the world and the steps of the crash tests.
#[allow(dead_code, reason = "it is a part of what they need")]
mod crashes {
    pub mod policies;
    pub mod script;
    pub mod watchful;
    pub mod world;
}

use crashes::script::{play, steps};
use crashes::world::{World, contents, state_of};
use tidegate::broker::Contents;
use tidegate::journal::memory::{Fault, MemoryDirectory};

const SEEDS: u64 = 12;
const STEPS: usize = 50;
const BEFORE: &[&str] =
    &["RPUSH a one two", "RPUSH b three", "SELECT 1", "RPUSH c four", "PEXPIRE c 90000"];

fn settings(policy: &str) -> String {
    format!("appendfsync {policy}\nappend-reserve 4kb")
}

/// A directory of files that were turned off: they hold something else.
fn used_directory() -> (MemoryDirectory, Contents) {
    let mut world = World::new(MemoryDirectory::new(), "appendfsync no").expect("a new directory");
    assert!(world.turn(0, "RPUSH old x y z\r\n"));
    let old = state_of(&world.broker);
    (world.close().after_kill(), old)
}

/// Loads what is left, and checks that it is one of what may be there.
fn check(
    world: &World,
    left: &MemoryDirectory,
    before: &Contents,
    promised: Option<usize>,
    what: &str,
) {
    let found = contents(left, "").unwrap_or_else(|error| panic!("{what}: {error}"));
    let turn = world.states.iter().rposition(|state| *state == found);
    match promised {
        None => assert!(turn.is_some() || found == *before, "{what}: {found:?}"),
        Some(promised) => assert!(
            turn.is_some_and(|turn| turn >= promised),
            "{what}: turn {promised} was promised, {turn:?} is there"
        ),
    }
}

#[test]
fn what_was_answered_is_there_once_the_manifest_names_it() {
    let (used, old) = used_directory();
    for (policy, seed) in ["always", "everysec", "no"]
        .into_iter()
        .flat_map(|policy| (1..=SEEDS).map(move |seed| (policy, seed)))
    {
        let (start, before) = match seed % 2 {
            0 => (used.clone(), old.clone()),
            _ => (MemoryDirectory::new(), Contents::new()),
        };
        let steps = steps(seed, STEPS);
        let begin = |directory: &MemoryDirectory| {
            World::begun_at_run_time(directory.clone(), &settings(policy), BEFORE)
        };
        let whole = start.after_kill();
        let mut world = begin(&whole).expect("nothing fails");
        assert!(play(&mut world, &steps, |_| false), "nothing fails");
        for last in 0..whole.operations() + 1 {
            let directory = start.after_kill();
            directory.inject(last..u64::MAX, Fault::PowerOff);
            let what = format!("seed {seed}, {policy}, power off at operation {last}");
            let Some(mut world) = begin(&directory) else {
                let found =
                    contents(&directory.crash(seed), "").unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(found, before, "{what}");
                continue;
            };
            // The turn in which the manifest was known to name the files.
            let mut named = None;
            play(&mut world, &steps, |world| {
                if !world.journal.is_beginning() {
                    named.get_or_insert(world.states.len());
                }
                world.directory.operations() > last
            });
            // A kill loses nothing of what was answered; a loss of power what was answered before, too.
            let killed = named.map(|_| world.acknowledged);
            check(&world, &directory.after_kill(), &before, killed, &format!("{what}, killed"));
            let always = |named| if world.acknowledged > named { world.acknowledged } else { 0 };
            let synced = named.map(|named| if policy == "always" { always(named) } else { 0 });
            for dice in 0..3 {
                let what = format!("{what}, dice {dice}");
                check(&world, &directory.crash(dice * 1000 + last), &before, synced, &what);
            }
        }
    }
}

/// Nobody waits for what is not promised yet, nor is refused.
#[test]
fn until_then_replies_leave_at_once() {
    for policy in ["always", "everysec"] {
        let directory = MemoryDirectory::new();
        let mut world = World::begun_at_run_time(directory.clone(), &settings(policy), BEFORE)
            .expect("it begins");
        assert!(world.turn(0, "RPUSH a x\r\n"));
        assert_eq!(world.replies, ":3\r\n", "{policy}");
        assert!(contents(&directory.after_kill(), "").expect("it loads").is_empty());
        assert!(world.journal.is_beginning());
        world.rest();
        assert!(!world.journal.is_beginning());
        let expected = state_of(&world.broker);
        assert_eq!(contents(&directory.crash(3), "").expect("it loads"), expected, "{policy}");
        // And from now on it is as promised.
        world.replies.clear();
        assert!(world.turn(0, "RPUSH a y\r\n"));
        assert_eq!(world.replies.is_empty(), policy == "always");
        world.rest();
        assert_eq!(world.replies, ":4\r\n");
    }
}

/// What fails meanwhile ends the attempt and nothing else.
#[test]
fn a_failure_ends_the_attempt() {
    let mut failures = 0;
    for fault in [Fault::NoSpace, Fault::WriteError, Fault::SyncError] {
        for first in 0..25 {
            let directory = MemoryDirectory::new();
            let Some(mut world) =
                World::begun_at_run_time(directory.clone(), &settings("always"), BEFORE)
            else {
                continue;
            };
            let now = directory.operations() + first;
            directory.inject(now..u64::MAX, fault);
            for number in 0..20 {
                assert!(world.turn(0, &format!("RPUSH a {number}\r\n")), "{fault:?}: it is no end");
                assert!(world.work(), "{fault:?}: it is no end");
                if !world.journal.is_beginning() {
                    break;
                }
                if world.journal.has_failed_to_begin() {
                    break;
                }
            }
            if world.journal.has_failed_to_begin() {
                let World { journal, mut broker, mut states, .. } = world;
                journal.give_up(&mut broker, &directory);
                broker.check_invariants();
                assert!(!broker.has_held());
                assert_eq!(broker.persistence().refusal(), None);
                // The error may have come after the manifest.
                let found = contents(&directory.after_kill(), "").expect("it loads");
                states.push(Contents::new());
                assert!(states.contains(&found), "{fault:?}, {first}: {found:?}");
                failures += 1;
            }
        }
    }
    assert!(failures > 10, "only {failures} attempts failed");
}
