//! The journal's own work while nothing fails.

use super::script::{play, seeds, steps};
use super::small_directory::{files, small_directory};
use super::trouble::{accepts, tail_of};
use super::world::{World, contents};
use crate::{NEW_SEEDS, SEEDS, STEPS};
use tidegate::journal::memory::MemoryDirectory;
use tidegate::journal::preallocated::without_preallocated;

#[test]
fn at_rest_there_is_nothing_to_do() {
    for policy in ["always", "everysec", "no"] {
        for seed in seeds(SEEDS, NEW_SEEDS) {
            let settings = format!("appendfsync {policy}");
            let mut world = World::new(MemoryDirectory::new(), &settings).expect("a directory");
            assert!(play(&mut world, &steps(seed, STEPS), |_| false));
            world.rest();
            assert!(accepts(&mut world), "{policy}: {:?}", tail_of(&world.replies));
        }
    }
}

/// With `always`, a client that continues to change data gets each reply one sync later, not two.
#[test]
fn released_replies_are_sent_before_the_next_change_holds_them() {
    let settings = "appendfsync always";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH q 1\r\n"));
    for number in 2..10 {
        world.run_job(0, 0);
        world.will_tell(0);
        let before = world.replies.len();
        assert!(world.turn(0, &format!("RPUSH q {number}\r\n")));
        assert_eq!(world.replies[before..], format!(":{}\r\n", number - 1));
    }
}

/// A client served by another one's command also learns of a change, and waits for its sync.
#[test]
fn clients_served_by_others_wait_for_the_same_sync() {
    let blocks = "queue-policy p q max-length 1 overflow block";
    let acknowledges = "queue-policy p q delivery at-least-once acknowledge explicit";
    for (policy, before, waits, serves) in [
        ("", "PING", "BLPOP q 0", "RPUSH q x"),
        ("", "PING", "BLMPOP 0 1 q LEFT", "RPUSH q x"),
        ("", "PING", "BLMOVE q r LEFT RIGHT 0", "LPUSH q x"),
        ("", "RPUSH r x", "BRPOP q 0", "RENAME r q"),
        ("", "PING", "BLPOP q 0", "MULTI\r\nRPUSH q x\r\nEXEC"),
        (acknowledges, "PING", "BLPOP q 0", "RPUSH q x"),
        (blocks, "RPUSH q 1", "RPUSH q 2", "LPOP q"),
        (blocks, "RPUSH q 1", "LPUSH q 2", "DEL q"),
        (blocks, "RPUSH q 1", "RPUSH q 2", "QUEUE POLICY DEL p"),
    ] {
        let settings = format!("appendfsync always\n{policy}");
        let mut world = World::new(MemoryDirectory::new(), &settings).expect("a new directory");
        assert!(world.turn(0, &format!("{before}\r\n")));
        world.rest();
        world.replies.clear();
        assert!(world.turn(1, &format!("{waits}\r\n")) && world.turn(2, &format!("{serves}\r\n")));
        let said = world.replies.replace("+OK\r\n+QUEUED\r\n", "");
        assert_eq!(said, "", "{waits} is answered before {serves} is durable");
        world.rest();
        assert!(world.replies.lines().count() > 1, "{waits}, {serves}: {}", world.replies);
    }
}

/// A rewrite begins automatically when the files exceed both limits, on growth and on size.
#[test]
fn rewrites_begin_by_themselves_at_their_limits() {
    let rewrites = |settings: &str, growth: usize| {
        let lines = format!("appendfsync no\n{settings}");
        let mut world = World::new(MemoryDirectory::new(), &lines).expect("a new directory");
        let push = |bytes: usize| {
            let text = "m".repeat(bytes);
            format!("*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n${bytes}\r\n{text}\r\n")
        };
        assert!(world.turn(0, &push(10_000)) && world.turn(0, "BGREWRITEAOF\r\n"));
        world.rest();
        let before = world.broker.persistence().rewrites;
        assert!(world.turn(0, &push(growth)) && world.wait(1_000));
        world.rest();
        world.broker.persistence().rewrites > before
    };
    for (settings, growth, begins) in [
        ("auto-aof-rewrite-percentage 100\nauto-aof-rewrite-min-size 1", 9_000, false),
        ("auto-aof-rewrite-percentage 100\nauto-aof-rewrite-min-size 1", 11_000, true),
        ("auto-aof-rewrite-percentage 50\nauto-aof-rewrite-min-size 1", 4_000, false),
        ("auto-aof-rewrite-percentage 50\nauto-aof-rewrite-min-size 1", 6_000, true),
        ("auto-aof-rewrite-percentage 0\nauto-aof-rewrite-min-size 1", 60_000, false),
        ("auto-aof-rewrite-percentage 100\nauto-aof-rewrite-min-size 50000", 30_000, false),
        ("auto-aof-rewrite-percentage 100\nauto-aof-rewrite-min-size 50000", 45_000, true),
    ] {
        assert_eq!(rewrites(settings, growth), begins, "{settings}: {growth} bytes more");
    }
}

/// The remains of an interrupted rewrite are removed at the next start, and nothing else.
#[test]
fn a_start_removes_temporary_files() {
    let (directory, expected) = small_directory();
    let all = files(&directory);
    let mut left = all.clone();
    for name in ["temp-appendonly.aof.9.base.aof", "temp-appendonly.aof.manifest", "notes.txt"] {
        left.push((name.to_string(), b"half".to_vec()));
    }
    let directory = MemoryDirectory::with_files(left);
    assert_eq!(contents(&directory, "").expect("it loads"), expected);
    let there: Vec<String> = files(&directory).into_iter().map(|(name, _)| name).collect();
    let mut expected: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
    expected.push("notes.txt".into());
    assert_eq!(there, expected);
}

/// Space is preallocated where a sync is waited for; elsewhere it would be wasted.
#[test]
fn only_always_preallocates() {
    for (policy, is_preallocated) in [("always", true), ("everysec", false), ("no", false)] {
        let settings = format!("appendfsync {policy}");
        let mut world = World::new(MemoryDirectory::new(), &settings).expect("a new directory");
        assert!(world.turn(0, "RPUSH q x\r\n"));
        let (_, bytes) = files(&world.directory).remove(0);
        assert_eq!(without_preallocated(&bytes) < bytes.len(), is_preallocated, "{policy}");
    }
}
