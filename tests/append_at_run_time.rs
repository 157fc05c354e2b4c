//! Append files turned on while the broker runs, on a directory in memory that loses power at every
//! operation. Until the manifest names them, a start loads the old files; from then on, everything
//! confirmed.

// They share the world and the steps of the crash tests.
#[allow(dead_code, reason = "it is a part of what they need")]
mod crashes {
    pub mod policies;
    pub mod script;
    pub mod watchful;
    pub mod world;
}

use crashes::script::{play, steps};
use crashes::world::{PREFIX, World, contents, read, state_of};
use tidegate::broker::Contents;
use tidegate::journal::batch::TRAILER_BYTES;
use tidegate::journal::files::Directory;
use tidegate::journal::manifest::Manifest;
use tidegate::journal::memory::{Fault, MemoryDirectory};

const SEEDS: u64 = 12;
const STEPS: usize = 50;
const BEFORE: &[&str] =
    &["RPUSH a one two", "RPUSH b three", "SELECT 1", "RPUSH c four", "PEXPIRE c 90000"];

fn settings(policy: &str) -> String {
    format!("appendfsync {policy}\nappend-reserve 4kb")
}

/// A directory with files that were turned off: their data is different.
fn used_directory() -> (MemoryDirectory, Contents) {
    let mut world = World::new(MemoryDirectory::new(), "appendfsync no").expect("a new directory");
    assert!(world.turn(0, "RPUSH old x y z\r\n"));
    let old = state_of(&world.broker);
    (world.close().after_kill(), old)
}

/// Loads the rest, and checks that it is one of the possible states.
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
fn confirmed_changes_are_there_once_the_manifest_names_the_files() {
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
            // A kill loses nothing confirmed since then; a power failure nothing confirmed before.
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

/// No reply waits for a promise that does not hold yet, and nothing is refused.
#[test]
fn until_then_replies_are_sent_at_once() {
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
        // From now on the promise holds.
        world.replies.clear();
        assert!(world.turn(0, "RPUSH a y\r\n"));
        assert_eq!(world.replies.is_empty(), policy == "always");
        world.rest();
        assert_eq!(world.replies, ":4\r\n");
    }
}

/// Increments that no manifest names.
fn unnamed(directory: &MemoryDirectory) -> Vec<String> {
    let manifest = Manifest::load(directory, PREFIX).expect("it can be read").unwrap_or_default();
    let is_unnamed = |name: &String| name.ends_with(".incr.aof") && !manifest.names(name);
    directory.list().expect("names").into_iter().filter(is_unnamed).collect()
}

#[test]
fn remains_of_a_killed_first_start_are_removed() {
    let mut removed = 0;
    for last in 0..10 {
        let directory = MemoryDirectory::new();
        directory.inject(last..u64::MAX, Fault::PowerOff);
        let _ = World::new(directory.clone(), "appendfsync always");
        let left = directory.after_kill();
        let is_whole = |name: &String| read(&left, name).len() == TRAILER_BYTES;
        removed += usize::from(unnamed(&left).iter().any(is_whole));
        let world = World::new(left.clone(), "appendfsync always").expect("it starts");
        assert!(!unnamed(&left).iter().any(is_whole), "{last}: {:?}", unnamed(&left));
        assert!(world.broker.contents().is_empty());
    }
    assert!(removed > 3, "{removed} were there");
}

/// A kill leaves an increment that no manifest names. If it is empty, the next start removes it; other
/// files stay.
#[test]
fn remains_of_a_kill_are_removed_if_empty() {
    let (mut removed, mut kept) = (0, 0);
    for start in [used_directory().0, MemoryDirectory::new()] {
        let whole = start.after_kill();
        let mut world =
            World::begun_at_run_time(whole.clone(), &settings("everysec"), BEFORE).expect("begun");
        world.rest();
        for last in 0..whole.operations() {
            for changes in [false, true] {
                let directory = start.after_kill();
                directory.inject(last..u64::MAX, Fault::PowerOff);
                let world =
                    World::begun_at_run_time(directory.clone(), &settings("everysec"), BEFORE);
                if let Some(mut world) = world {
                    if changes {
                        world.turn(0, "RPUSH a x\r\n");
                    }
                    for _ in 0..20 {
                        world.work();
                        world.wait(1000);
                    }
                }
                let left = directory.after_kill();
                let before = contents(&left.after_kill(), "").expect("it loads");
                let strays = unnamed(&left);
                let is_empty = |name: &String| read(&left, name).len() <= TRAILER_BYTES;
                let with_data: Vec<String> =
                    strays.iter().filter(|name| !is_empty(name)).cloned().collect();
                let has_whole = strays.iter().any(|name| read(&left, name).len() == TRAILER_BYTES);
                let loaded = left.after_kill();
                let mut world = World::new(loaded.clone(), "appendfsync always").expect("it loads");
                assert_eq!(state_of(&world.broker), before);
                let there = unnamed(&loaded);
                assert!(with_data.iter().all(|name| there.contains(name)), "{there:?}");
                assert!(there.iter().all(|name| read(&loaded, name).len() != TRAILER_BYTES));
                removed += usize::from(has_whole);
                kept += with_data.len();
                // The old data is still there.
                assert!(world.turn(0, "RPUSH later x\r\n"));
                world.rest();
                let state = state_of(&world.broker);
                assert_eq!(contents(&loaded.crash(last), "").expect("it loads"), state);
            }
        }
    }
    assert!(removed > 3 && kept > 3, "{removed} were empty, {kept} were not");
}

/// A failure meanwhile ends the attempt, and nothing else.
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
