//! A disk that is full, fails, or writes less than requested, while the broker runs.

use super::checks::check_crash;
use super::script::{Dice, play, seeds, steps};
use super::world::{START, World, contents};
use crate::{NEW_SEEDS, SEEDS, STEPS};
use tidegate::journal::memory::{Fault, MemoryDirectory};

pub fn tail_of(text: &str) -> &str {
    &text[text.len().saturating_sub(200)..]
}

/// Whether changes are accepted.
pub fn accepts(world: &mut World) -> bool {
    let before = world.replies.len();
    assert!(world.turn(0, "RESET\r\nRPUSH last word\r\n"));
    for _ in 0..3 {
        assert!(world.work() && world.wait(150_000));
    }
    world.replies[before..].contains("+RESET\r\n:")
}

/// Without `always`, every fault ends some time, and no confirmed change is lost.
fn survive(policy: &str, fault: Fault) {
    for seed in seeds(SEEDS, NEW_SEEDS) {
        let mut dice = Dice(seed);
        let directory = MemoryDirectory::new();
        let first = 12 + dice.below(60);
        directory.inject(first..first + 1 + dice.below(6), fault);
        let settings = format!("appendfsync {policy}");
        let mut world = World::new(directory, &settings).expect("a new directory");
        let what =
            format!("TIDEGATE_CRASH_SEED={seed}, {policy}, {fault:?} from operation {first}");
        assert!(play(&mut world, &steps(seed, 2 * STEPS), |_| false), "{what}: it stops");
        check_crash(&world, &world.directory.after_kill(), world.acknowledged, &what);
        world.has_unsure_manifest = fault == Fault::SyncError;
        world.rest();
        // The fault may happen only now.
        let is_over = (0..10).any(|_| accepts(&mut world));
        assert!(is_over, "{what}: {:?}", tail_of(&world.replies));
        world.rest();
        let expected = world.broker.contents();
        // With `no`, nothing is promised for a power failure.
        let end = match policy {
            "no" => world.directory.after_kill(),
            _ => world.directory.crash(seed),
        };
        let found = contents(&end, "").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn a_full_disk_is_survived() {
    survive("everysec", Fault::NoSpace);
    survive("no", Fault::NoSpace);
}

#[test]
fn failing_writes_are_survived() {
    survive("everysec", Fault::WriteError);
    survive("no", Fault::WriteError);
}

#[test]
fn failing_syncs_are_survived() {
    survive("everysec", Fault::SyncError);
}

#[test]
fn short_writes_are_nothing_special() {
    survive("everysec", Fault::ShortWrite);
    survive("always", Fault::ShortWrite);
}

/// With `always`, a failure stops the server, and all confirmed changes are there.
#[test]
fn with_always_a_failure_stops_the_server() {
    let mut ends = 0;
    for seed in seeds(SEEDS, NEW_SEEDS) {
        for fault in [Fault::NoSpace, Fault::WriteError, Fault::SyncError] {
            let mut dice = Dice(seed);
            let directory = MemoryDirectory::new();
            let first = 12 + dice.below(40);
            directory.inject(first..first + 1, fault);
            let mut world = World::new(directory, "appendfsync always").expect("a new directory");
            let what = format!("TIDEGATE_CRASH_SEED={seed}, {fault:?} at operation {first}");
            if !play(&mut world, &steps(seed, 2 * STEPS), |_| false) {
                ends += 1;
            }
            let crashed = world.directory.crash(seed);
            check_crash(&world, &crashed, world.acknowledged, &what);
        }
    }
    assert!(ends > 10, "only {ends} runs came to their end");
}

/// While nothing can be written, changes are refused with the reason, reads continue, and no change is
/// confirmed until it is written.
#[test]
fn changes_that_cannot_be_written_are_refused() {
    let directory = MemoryDirectory::new();
    // On a file system that cannot reserve space.
    let settings = "appendfsync everysec\nappend-reserve 0";
    let mut world = World::new(directory.clone(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH q first\r\n"));
    let now = directory.operations();
    // A write, the cut after it, and both twice more.
    directory.inject(now..now + 5, Fault::NoSpace);
    assert!(world.turn(0, "RPUSH q second\r\n"));
    assert!(world.turn(1, "LPOP q\r\nLLEN q\r\nPING\r\n"));
    let misconf = "-MISCONF Errors writing to the AOF file: no storage space\r\n";
    assert_eq!(world.replies, format!(":1\r\n{misconf}:2\r\n{misconf}"));
    assert!(world.wait(150_000) && world.wait(150_000));
    assert!(world.replies.ends_with(&format!("{misconf}:2\r\n{misconf}")), "still not written");
    // Two more attempts fail; then there is space.
    assert!(world.wait(150_000) && world.turn(1, "LPOP q\r\n"));
    assert!(world.replies.ends_with(":2\r\n$5\r\nfirst\r\n"), "{}", world.replies);
    let found = contents(&directory.after_kill(), "").expect("it loads");
    assert_eq!(found, world.broker.contents());
}

/// The same for transactions: when queueing, and for an EXEC of earlier commands.
#[test]
fn changes_that_cannot_be_written_are_refused_in_a_transaction() {
    let directory = MemoryDirectory::new();
    let settings = "appendfsync everysec\nappend-reserve 0";
    let mut world = World::new(directory.clone(), settings).expect("a new directory");
    assert!(world.turn(1, "RPUSH q first\r\nMULTI\r\nLLEN q\r\nLPOP q\r\n"));
    assert!(world.turn(2, "MULTI\r\nLLEN q\r\n"));
    let now = directory.operations();
    directory.inject(now..u64::MAX, Fault::NoSpace);
    assert!(world.turn(0, "RPUSH q second\r\n"));
    world.replies.clear();
    let misconf = "MISCONF Errors writing to the AOF file: no storage space\r\n";
    let discarded = "-EXECABORT Transaction discarded because of";
    // A write queued before; reads only; a write to be queued.
    assert!(world.turn(1, "EXEC\r\nLLEN q\r\n"));
    assert_eq!(world.replies, format!("{discarded}: {misconf}:2\r\n"));
    world.replies.clear();
    assert!(world.turn(2, "EXEC\r\n"));
    assert_eq!(world.replies, "*1\r\n:2\r\n");
    world.replies.clear();
    assert!(world.turn(2, "MULTI\r\nLPOP q\r\nEXEC\r\nMULTI\r\nLLEN q\r\nEXEC\r\n"));
    let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    let read = "+OK\r\n+QUEUED\r\n*1\r\n:2\r\n";
    assert_eq!(world.replies, format!("+OK\r\n-{misconf}{aborted}{read}"));
}

/// No request is needed: pending replies are sent as soon as the journal retries.
#[test]
fn a_failed_write_is_retried_automatically() {
    let directory = MemoryDirectory::new();
    let settings = "appendfsync everysec\nappend-reserve 0";
    let mut world = World::new(directory.clone(), settings).expect("a new directory");
    let now = directory.operations();
    directory.inject(now..now + 5, Fault::NoSpace);
    assert!(world.turn(0, "RPUSH q first\r\n"));
    for _ in 0..5 {
        assert!(!world.replies.is_empty() || world.wait_for_deadline(), "nothing is to be done");
    }
    assert_eq!(world.replies, ":1\r\n");
    let waited_us = world.now.monotonic_us - START.monotonic_us;
    assert!((200_000..500_000).contains(&waited_us), "{waited_us} µs");
}

/// While changes are refused, reads are served however many bytes wait.
#[test]
fn a_full_buffer_stops_input_until_it_is_written_or_refused() {
    let directory = MemoryDirectory::new();
    let settings = "appendfsync always\nappend-reserve 0\nappend-buffer-limit 1mb";
    let mut world = World::new(directory.clone(), settings).expect("a new directory");
    let pending = |world: &World| world.broker.persistence().pending_bytes as usize;
    // A sync is in progress, and everything else waits for it.
    assert!(world.turn(0, "RPUSH q first\r\n") && world.has_jobs());
    let push = |key: &str, bytes: usize| {
        format!("*3\r\n$5\r\nRPUSH\r\n$4\r\n{key}\r\n${bytes}\r\n{}\r\n", "m".repeat(bytes))
    };
    assert!(world.turn(1, &push("most", (1 << 20) - 150)));
    assert!(pending(&world) < 1 << 20 && !world.journal.is_full(&world.broker));
    // `*3 $5 RPUSH $4 last $nn <text>` takes this many bytes besides the text.
    let left = (1 << 20) - pending(&world) - (push("last", 10).len() - 10);
    assert!((10..100).contains(&left), "two digits, as was said: {left}");
    assert!(world.turn(1, &push("last", left)));
    assert_eq!(pending(&world), 1 << 20);
    assert!(!world.journal.is_full(&world.broker), "the limit is not passed");
    assert!(world.turn(1, "DEL none\r\nLPOP last\r\n"));
    assert!(world.journal.is_full(&world.broker));
    world.rest();
    assert!(!world.journal.is_full(&world.broker));
    assert!(world.turn(0, "CONFIG SET appendfsync everysec\r\n"));
    let now = directory.operations();
    directory.inject(now..u64::MAX, Fault::NoSpace);
    assert!(world.turn(0, &push("much", 2 << 20)));
    assert!(pending(&world) > 1 << 20);
    assert!(!world.journal.is_full(&world.broker), "only reads come now");
}

/// A change that waits for space while the policy becomes `always` gets its reply by the new policy.
#[test]
fn a_late_reply_follows_the_policy_of_its_time() {
    let directory = MemoryDirectory::new();
    let settings = "appendfsync everysec\nappend-reserve 0";
    let mut world = World::new(directory.clone(), settings).expect("a new directory");
    let now = directory.operations();
    directory.inject(now..now + 1, Fault::NoSpace);
    assert!(world.turn(0, "RPUSH q first\r\n"));
    assert!(world.turn(1, "CONFIG SET appendfsync always\r\n"));
    assert_eq!(world.replies, "+OK\r\n");
    assert!(world.wait(150_000));
    assert_eq!(world.replies, "+OK\r\n", "it is written, and not synced");
    assert!(world.work());
    assert_eq!(world.replies, "+OK\r\n:1\r\n");
    assert_eq!(contents(&directory.crash(1), "").expect("it loads"), world.broker.contents());
}
