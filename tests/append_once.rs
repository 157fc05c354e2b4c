//! Append files written once without appending (BGREWRITEAOF with `appendonly no`), on a directory in
//! memory. Whatever happens meanwhile, a start loads either the old data or all data as of the
//! beginning.

// They share the world of the crash tests.
#[allow(dead_code, reason = "it is a part of what they need")]
mod crashes {
    pub mod watchful;
    pub mod world;
}

use crashes::watchful::Watchful;
use crashes::world::{PREFIX, START, World, contents, state_of};
use tidegate::broker::Contents;
use tidegate::journal::LoneRewrite;
use tidegate::journal::files::Directory;
use tidegate::journal::manifest::Manifest;
use tidegate::journal::memory::{Fault, MemoryDirectory};
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, NoHost, Peer};

/// A broker that records nothing.
struct Bench {
    broker: Broker,
    client: ClientId,
}

impl Bench {
    fn new() -> Bench {
        let settings = Settings::from_text("databases 2", "the test's settings").expect("settings");
        let mut broker = Broker::new(settings, 9, Box::new(NoHost), START);
        let client = broker.connect(0, Peer::in_process(), START);
        Bench { broker, client }
    }

    fn send(&mut self, request: &str) {
        self.broker.receive(self.client, format!("{request}\r\n").as_bytes(), START);
        self.broker.settle(START);
    }

    /// Keys of several pieces.
    fn filled() -> Bench {
        let mut bench = Bench::new();
        for number in 0..12 {
            bench.send(&format!("RPUSH long{} {}", number % 4, "m".repeat(30_000)));
        }
        bench.send("RPUSH a one two");
        bench.send("SELECT 1");
        bench.send("RPUSH c four");
        bench.send("PEXPIRE c 90000");
        bench
    }

    /// Writes all data; returns whether that succeeded. Changes meanwhile are not included.
    fn rewrite(&mut self, directory: &MemoryDirectory) -> bool {
        let before = self.broker.persistence().clone();
        let mut rewrite = LoneRewrite::begin(PREFIX, &mut self.broker, START);
        for number in 0.. {
            let Some(job) = rewrite.next_job(&mut self.broker) else {
                assert!(rewrite.wants_keys() || rewrite.is_over());
                if rewrite.is_over() {
                    break;
                }
                continue;
            };
            let done = job.run(&Watchful(directory.clone()));
            rewrite.finish(done, &mut self.broker, START);
            for request in ["LPOP a", "DEL long3", "RPUSH c five", "RPUSH a new"] {
                self.send(request);
            }
            assert!(number < 100, "it does not end");
        }
        self.broker.check_invariants();
        assert!(!self.broker.has_snapshot());
        let after = self.broker.persistence();
        assert!(!after.is_rewriting && !after.is_on && after.rewrite_began_us.is_none());
        assert_eq!(after.rewrites, before.rewrites + 1);
        assert_eq!(after.last_rewrite_s.is_some(), after.failed_rewrites == 0);
        after.failed_rewrites == 0
    }
}

/// A directory with files that were turned off, and an empty one.
fn directories() -> [(MemoryDirectory, Contents); 2] {
    let mut world = World::new(MemoryDirectory::new(), "appendfsync no").expect("a new directory");
    assert!(world.turn(0, "RPUSH old x y z\r\n"));
    let old = state_of(&world.broker);
    [(MemoryDirectory::new(), Contents::new()), (world.close().after_kill(), old)]
}

/// Loads, continues, and loads again.
fn check_goes_on(directory: &MemoryDirectory) {
    let mut world = World::new(directory.clone(), "appendfsync always").expect("it loads");
    assert!(world.turn(0, "RPUSH later x\r\n"));
    world.rest();
    let state = state_of(&world.broker);
    assert_eq!(contents(&directory.crash(1), "").expect("it loads"), state);
}

#[test]
fn it_holds_everything_as_it_was_at_the_beginning() {
    for (directory, _) in directories() {
        let mut bench = Bench::filled();
        // Each replaces the one before.
        for _ in 0..3 {
            let expected = state_of(&bench.broker);
            assert!(bench.rewrite(&directory));
            assert_ne!(state_of(&bench.broker), expected);
            let manifest = Manifest::load(&directory, PREFIX).expect("it can be read");
            let manifest = manifest.expect("there is one");
            let base = manifest.base.as_ref().expect("a base");
            let [increment] = &manifest.increments[..] else { panic!("{manifest:?}") };
            assert!(base.is_checked && increment.is_checked && manifest.history.is_empty());
            assert_eq!(directory.list().expect("names").len(), 3, "old files are there");
            for left in [directory.after_kill(), directory.crash(7)] {
                assert_eq!(contents(&left, "").expect("it loads"), expected);
                check_goes_on(&left);
            }
            bench.send("RPUSH again x");
        }
    }
}

#[test]
fn a_power_failure_leaves_the_old_or_the_new() {
    for (start, old) in directories() {
        let whole = start.after_kill();
        assert!(Bench::filled().rewrite(&whole));
        let new = state_of(&Bench::filled().broker);
        let mut found_old = 0;
        let operations = whole.operations();
        for last in 0..operations {
            let directory = start.after_kill();
            directory.inject(last..u64::MAX, Fault::PowerOff);
            let is_there = Bench::filled().rewrite(&directory);
            let dice = (0..4).map(|dice| directory.crash(dice * 1000 + last));
            for left in dice.chain([directory.after_kill()]) {
                let what = format!("power off at operation {last} of {operations}");
                let found = contents(&left, "").unwrap_or_else(|e| panic!("{what}: {e}"));
                assert!(found == new || (found == old && !is_there), "{what}: {found:?}");
                found_old += usize::from(found == old);
                // The remains do not get in the way.
                assert!(Bench::filled().rewrite(&left), "{what}");
                assert_eq!(contents(&left.crash(last), "").expect("it loads"), new, "{what}");
            }
        }
        assert!(found_old > 10, "the old files were there {found_old} times only");
    }
}

#[test]
fn a_failure_leaves_the_old_or_the_new() {
    for (start, old) in directories() {
        let new = state_of(&Bench::filled().broker);
        let mut failures = 0;
        for fault in [Fault::NoSpace, Fault::WriteError, Fault::SyncError] {
            for first in 0..60 {
                let directory = start.after_kill();
                directory.inject(first..u64::MAX, fault);
                let is_there = Bench::filled().rewrite(&directory);
                failures += usize::from(!is_there);
                let what = format!("{fault:?} from operation {first} on");
                let found = contents(&directory.after_kill(), "").expect(&what);
                // The error may have come after the manifest.
                assert!(found == new || (found == old && !is_there), "{what}: {found:?}");
            }
        }
        assert!(failures > 20, "it failed {failures} times only");
    }
}

#[test]
fn an_abandoned_rewrite_leaves_the_old() {
    for (directory, old) in directories() {
        for jobs in 0..4 {
            let mut bench = Bench::filled();
            let mut rewrite = LoneRewrite::begin(PREFIX, &mut bench.broker, START);
            for _ in 0..jobs {
                let job = rewrite.next_job(&mut bench.broker).expect("there is more to do");
                let done = job.run(&directory);
                rewrite.finish(done, &mut bench.broker, START);
            }
            rewrite.give_up(&mut bench.broker, &directory);
            let names = directory.list().expect("names");
            assert!(names.iter().all(|name| !name.contains(".base.")), "{names:?}");
            assert!(!bench.broker.has_snapshot() && !bench.broker.persistence().is_rewriting);
            assert_eq!(contents(&directory.after_kill(), "").expect("it loads"), old);
        }
    }
}
