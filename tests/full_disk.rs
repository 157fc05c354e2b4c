//! A full disk, on a directory in memory: a change that does not fit is never made, its client gets
//! `-MISCONF` at once, and everything confirmed is there.

// It shares the world of the crash tests.
mod crashes {
    pub mod watchful;
    pub mod world;
}

use crashes::world;

use tidegate::journal::memory::{Fault, MemoryDirectory};
use world::{World, contents};

const MISCONF: &str = "-MISCONF Errors writing to the AOF file: no storage space\r\n";

/// A message that fills space quickly.
fn large(letter: &str) -> String {
    letter.repeat(3000)
}

/// A push that is too long for an inline request.
fn push(message: &str) -> String {
    let length = message.len();
    format!("*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n${length}\r\n{message}\r\n")
}

fn world(more: &str) -> World {
    let settings = format!("appendfsync everysec\n{more}");
    World::new(MemoryDirectory::new(), &settings).expect("a new directory")
}

impl World {
    /// The disk is full from now on, for this many operations.
    fn fill_disk(&self, operations: u64) {
        let now = self.directory.operations();
        self.directory.inject(now..now.saturating_add(operations), Fault::NoSpace);
    }

    /// The reply to one client in a turn of its own.
    fn ask(&mut self, client: usize, request: &str) -> String {
        let before = self.replies.len();
        assert!(self.turn(client, &format!("{request}\r\n")), "nothing is the end");
        self.replies[before..].to_string()
    }

    /// Pushes until a push is refused; each is answered in its own turn.
    fn push_until_full(&mut self) -> usize {
        for count in 1..1000 {
            let reply = self.ask(0, &format!("RPUSH q {}", large("m")));
            if reply != format!(":{count}\r\n") {
                assert_eq!(reply, MISCONF);
                return count - 1;
            }
        }
        panic!("the disk is never full");
    }

    /// A start would load the current data.
    fn check_files(&self) {
        let found = contents(&self.directory.after_kill(), "").expect("it loads");
        assert_eq!(found, world::state_of(&self.broker));
    }
}

#[test]
fn the_change_that_meets_it_is_never_made() {
    for policy in ["everysec", "no", "always"] {
        let mut world = World::new(MemoryDirectory::new(), &format!("appendfsync {policy}"))
            .expect("a new directory");
        if policy == "always" {
            // Replies come one sync later.
            world.fill_disk(u64::MAX);
            for _ in 0..1000 {
                assert!(world.turn(0, &format!("RPUSH q {}\r\n", large("m"))), "no failure");
                assert!(world.work());
            }
            assert!(world.replies.ends_with(MISCONF));
        } else {
            world.fill_disk(u64::MAX);
            let pushed = world.push_until_full();
            assert!(pushed > 0);
            assert_eq!(world.ask(1, "LLEN q"), format!(":{pushed}\r\n"));
        }
        assert_eq!(world.ask(1, "LPOP q"), MISCONF);
        assert!(world.broker.persistence().refusal().is_some());
        world.check_files();
        // An orderly end needs space as well.
        let expected = world::state_of(&world.broker);
        let directory = world.close();
        assert_eq!(contents(&directory.crash(1), "").expect("it loads"), expected);
    }
}

#[test]
fn changes_are_accepted_when_there_is_space_again() {
    let mut world = world("");
    world.fill_disk(100);
    let pushed = world.push_until_full();
    let mut refused = 0;
    while world.ask(0, "RPUSH q last") == MISCONF {
        refused += 1;
        assert!(world.wait(150_000) && refused < 200, "one attempt in 100 ms");
    }
    assert!(refused > 2);
    assert_eq!(world.ask(1, "LLEN q"), format!(":{}\r\n", pushed + 1));
    assert_eq!(world.broker.persistence().refusal(), None);
    world.check_files();
    world.rest();
}

/// Each gate is checked for a command, for a queued one, and for its EXEC.
#[test]
fn transactions_are_refused_as_a_whole() {
    let mut world = world("");
    assert_eq!(world.ask(1, "MULTI\r\nRPUSH other x\r\nLLEN q"), "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
    assert_eq!(world.ask(2, "MULTI\r\nLLEN q"), "+OK\r\n+QUEUED\r\n");
    world.fill_disk(u64::MAX);
    let pushed = world.push_until_full();
    let reason = &MISCONF[1..];
    let aborted = format!("-EXECABORT Transaction discarded because of: {reason}");
    assert_eq!(world.ask(1, "EXEC"), aborted);
    assert_eq!(world.ask(2, "EXEC"), format!("*1\r\n:{pushed}\r\n"));
    assert_eq!(world.ask(1, "MULTI\r\nRPUSH other x\r\nEXEC"), {
        let discarded = "-EXECABORT Transaction discarded because of previous errors.\r\n";
        format!("+OK\r\n{MISCONF}{discarded}")
    });
    assert_eq!(world.ask(1, "QUEUE POLICY SET p x"), MISCONF);
    assert_eq!(world.ask(1, "LLEN other"), ":0\r\n");
    world.check_files();
}

/// A request larger than the space waits for a turn, and is refused alone if there is none.
#[test]
fn a_large_request_is_refused_alone() {
    let mut world = world("");
    let large = push(&"l".repeat(500_000));
    let before = world.replies.len();
    for request in [large.clone(), format!("MULTI\r\n{large}EXEC\r\n")] {
        assert_eq!(world.ask(0, "PING"), "+PONG\r\n", "{}", world.replies);
        assert!(world.turn(0, &format!("{request}PING\r\n")));
        assert!(world.wait(0), "the turn in which it runs");
    }
    let told = "+PONG\r\n:1\r\n+PONG\r\n+PONG\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n+PONG\r\n";
    assert_eq!(&world.replies[before..], told);

    // There is no space for it, but for small ones.
    let larger = push(&"l".repeat(2_000_000));
    world.fill_disk(2);
    let before = world.replies.len();
    assert!(world.turn(0, &format!("{larger}RPUSH q small\r\n")));
    assert!(world.wait(0));
    assert_eq!(&world.replies[before..], format!("{MISCONF}:3\r\n"));
    world.check_files();
}

/// A waiting consumer does not get a message that could not be recorded; it gets it once there is space.
#[test]
fn waiting_consumers_are_served_when_there_is_space() {
    let mut world = world("queue-policy p d* delay-ms 500");
    assert_eq!(world.ask(0, "RPUSH d later"), ":1\r\n");
    assert_eq!(world.ask(1, "BLPOP d 0"), "");
    world.fill_disk(120);
    world.push_until_full();
    let before = world.replies.len();
    assert!(world.wait(600_000));
    assert_eq!(&world.replies[before..], "", "it is ready, and nobody may have it");
    assert_eq!(world.ask(2, "LLEN d"), ":1\r\n");
    for _ in 0..200 {
        assert!(world.wait(150_000));
    }
    assert_eq!(&world.replies[before..], ":1\r\n*2\r\n$1\r\nd\r\n$5\r\nlater\r\n");
    world.rest();
}

/// A rewrite needs its own space. It fails and leaves nothing behind, and the server continues.
#[test]
fn a_rewrite_fails_and_leaves_nothing() {
    use tidegate::journal::files::Directory;
    let mut world = world("");
    for _ in 0..20 {
        assert!(world.ask(0, &format!("RPUSH q {}", large("m"))).starts_with(':'));
    }
    world.rest();
    let names = world.directory.list().expect("names");
    for operations in 1..30 {
        world.fill_disk(operations);
        assert!(world.ask(0, "BGREWRITEAOF").starts_with("+Background"));
        world.rest();
        let mut left = world.directory.list().expect("names");
        // If it succeeded, the numbers have increased.
        left.retain(|name| !name.contains(".base.") && !name.contains(".incr."));
        assert_eq!(left, ["appendonly.aof.manifest"], "{operations} operations");
        world.check_files();
    }
    assert!(!names.is_empty());
}

#[test]
fn a_disk_full_at_any_point_keeps_confirmed_changes() {
    for operations in (1..40).step_by(3) {
        let mut world = world("");
        world.fill_disk(operations);
        for number in 0..60 {
            let size = [10, 3000, 90_000][number % 3];
            assert!(world.turn(number % 3, &push(&"m".repeat(size))));
            assert!(world.wait(40_000));
        }
        world.rest();
        // Every push has had its reply.
        let pushed = world.replies.lines().filter(|line| line.starts_with(':')).count();
        let refused = world.replies.matches(MISCONF).count();
        assert_eq!(pushed + refused, 60, "{operations} operations");
        assert_eq!(world.ask(0, "LLEN q"), format!(":{pushed}\r\n"));
        world.check_files();
    }
}
