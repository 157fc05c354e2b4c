//! The cost of an operation grows with what it returns or changes, never with its square, nor with all
//! keys, clients or policies. Each runs with N and with ten times as much of what it must not depend on.
//! Allocations, steps of work and recorded bytes are counted; no clock is read.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, CloseReason, EffectsReader, NoHost, Peer};

struct Counting;

thread_local! {
    /// Freed ones count too.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does all of it; counting does not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // While a thread ends, the counter may be gone.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const START: Now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
const N: usize = 400;
/// Allowed difference in allocations and steps that do not depend on N: growing vectors, runs of stamps,
/// nodes of an ordered map.
const SLACK: u64 = 40;
const RECORDED_SLACK: u64 = 300;

const EXPLICIT: &str = "QUEUE POLICY SET p q delivery at-least-once acknowledge explicit";

/// An operation, and the preparation, which depends on N.
struct Operation {
    name: &'static str,
    before: fn(&mut World, usize),
    act: fn(&mut World, usize),
}

/// Their cost does not depend on N.
const CONSTANT: &[Operation] = &[
    Operation { name: "a push", before: World::fill, act: |world, _| world.ask("RPUSH q x") },
    Operation {
        name: "a field of a large hash",
        before: World::fill_hash,
        act: |world, _| {
            for request in ["HSET h f7 w", "HSET h x y", "HGET h f7", "HINCRBY h n 1", "HDEL h f3"]
            {
                world.ask(request);
            }
        },
    },
    Operation {
        name: "a page of a large hash, and a random field",
        before: World::fill_hash,
        act: |world, _| ["HSCAN h 0", "HRANDFIELD h"].into_iter().for_each(|it| world.ask(it)),
    },
    Operation {
        name: "a member of a large set",
        before: World::fill_set,
        act: |world, _| {
            for request in
                ["SADD s x", "SISMEMBER s m7", "SREM s m3", "SPOP s", "SSCAN s 0", "SMOVE s t m5"]
            {
                world.ask(request);
            }
        },
    },
    Operation {
        name: "an intersection with a small set",
        before: World::fill_set,
        act: |world, _| {
            world.ask("SADD t m1 m2 y");
            world.ask("SINTERSTORE u s t");
        },
    },
    Operation {
        name: "a push under a policy",
        before: |world, n| {
            world.ask("QUEUE POLICY SET p q max-length 1000000 message-ttl-ms 100000");
            world.fill(n);
        },
        act: |world, _| world.ask("RPUSH q x"),
    },
    Operation {
        name: "an acknowledgement beside many turns that wait for another one",
        before: |world, n| {
            world.ask("CONFIG SET write-ack-replicas 2");
            world.broker.acknowledge(world.other, 0, None, world.now);
            world.broker.acknowledge(world.worker, 0, None, world.now);
            for _ in 0..n {
                world.receive("RPUSH q x");
                world.broker.end_turn(world.now);
                world.broker.release_changed();
            }
            world.settle();
        },
        act: |world, _| {
            let offset = world.broker.stream_offset();
            world.broker.acknowledge(world.other, offset, None, world.now);
            world.settle();
        },
    },
    Operation {
        name: "a change that must be acknowledged beside many others",
        before: |world, n| {
            world.ask("CONFIG SET write-ack-replicas 2");
            for _ in 0..n {
                world.receive("RPUSH q x");
                world.broker.end_turn(world.now);
                world.broker.release_changed();
            }
            world.settle();
        },
        act: |world, _| {
            world.receive("RPUSH q x");
            world.broker.end_turn(world.now);
            world.broker.release_changed();
        },
    },
    Operation {
        name: "a page of the table of queues, beside many queues with many messages",
        before: |world, n| {
            world.set_policies(n);
            world.fill_many(n);
            world.fill(n);
            world.ask("QUEUE STATS COUNT 50");
        },
        act: |world, _| world.ask("QUEUE STATS COUNT 50"),
    },
    Operation {
        name: "a page of the table of queues, for a user who sees few",
        before: |world, n| {
            world.ask("ACL SETUSER few on nopass +@all ~q1");
            world.fill_many(n);
            world.ask_as(world.other, "AUTH few x");
        },
        act: |world, _| world.ask_as(world.other, "QUEUE STATS COUNT 50"),
    },
    Operation {
        name: "a push to a full queue that drops the oldest",
        before: |world, n| {
            world.fill(n);
            world.ask(&format!("QUEUE POLICY SET p q max-length {n} overflow drop-head"));
        },
        act: |world, _| world.ask("RPUSH q x"),
    },
    Operation {
        name: "a pop from another queue with many in flight",
        before: |world, n| {
            world.ask("QUEUE POLICY SET o o delivery at-least-once acknowledge next-pop");
            world.hold(n);
            world.ask("RPUSH o a b c");
        },
        act: |world, _| world.ask("LPOP o"),
    },
    Operation {
        name: "an acknowledgement by value",
        before: |world, n| {
            world.hold(n);
            world.ask("QUEUE ACK q VALUE 3");
        },
        act: |world, _| world.ask("QUEUE ACK q VALUE 7"),
    },
    Operation {
        name: "an acknowledgement by receipt",
        before: |world, n| {
            world.lease(n);
            world.ask("QUEUE ACK q IDS 1 3");
        },
        act: |world, _| world.ask("QUEUE ACK q IDS 2 7 9"),
    },
    Operation {
        name: "a touch of a delivery among many",
        before: World::lease,
        act: |world, n| world.ask(&format!("QUEUE TOUCH q IDS 1 {} LEASE 5000", n / 2)),
    },
    Operation {
        name: "a pop with a lease beside many, and its end",
        before: |world, n| {
            world.lease(n);
            world.ask("RPUSH q x");
        },
        act: |world, _| {
            world.ask("QUEUE POP 1 q LEASE 100");
            world.wait(100_000);
        },
    },
    Operation {
        name: "a timeout beside many leases",
        before: |world, n| {
            world.ask(&format!("{EXPLICIT} ack-timeout-ms 1000"));
            world.ask("RPUSH q x");
            world.ask("QUEUE POP 1 q");
            world.fill(n);
            world.ask(&format!("QUEUE POP 1 q COUNT {n} LEASE 60000"));
        },
        act: |world, _| world.wait(1_000_000),
    },
    Operation {
        name: "a message that returns between many others",
        before: |world, n| {
            world.hold(n);
            let others = (0..n).filter(|number| *number != n / 2).map(|number| number.to_string());
            world.ask(&format!("QUEUE NACK q VALUE {}", others.collect::<Vec<_>>().join(" ")));
        },
        act: |world, n| world.ask(&format!("QUEUE NACK q VALUE {}", n / 2)),
    },
    Operation {
        name: "a push to a queue with as many in flight as may be, and many wait",
        before: |world, n| {
            world.ask(&format!("{EXPLICIT} max-in-flight 2"));
            world.ask("RPUSH q a b c");
            world.ask("LPOP q 2");
            world.let_wait(n, "BLPOP q 0");
        },
        act: |world, _| world.ask("RPUSH q d"),
    },
    Operation {
        name: "an acknowledgement after which one of many that wait gets a message",
        before: |world, n| {
            world.ask(&format!("{EXPLICIT} max-in-flight 2"));
            world.ask("RPUSH q a b c d e");
            world.ask("LPOP q 2");
            world.let_wait(n, "BLPOP q 0");
        },
        act: |world, _| world.ask("QUEUE ACK q"),
    },
    Operation {
        name: "a push to a queue where many wait that have as much as a client may have",
        before: |world, n| {
            world.ask(&format!("{EXPLICIT} max-in-flight-per-client 1"));
            world.fill(n);
            world.let_wait(n, "LPOP q\r\nBLPOP q 0");
            world.ask("RPUSH q x");
        },
        act: |world, _| world.ask("RPUSH q y"),
    },
    Operation {
        name: "one of them may have another message",
        before: |world, n| {
            world.ask(&format!("{EXPLICIT} max-in-flight-per-client 1"));
            world.fill(n);
            world.let_wait(n, "LPOP q\r\nBLPOP q 0");
            world.ask("RPUSH q x");
            world.ask("QUEUE ACK q VALUE 3");
            world.ask("RPUSH q y");
        },
        act: |world, _| world.ask("QUEUE ACK q VALUE 7"),
    },
    Operation {
        name: "the next message at a rate for which many wait",
        before: |world, n| {
            world.ask("QUEUE POLICY SET p q rate 1 rate-per-ms 1000");
            world.ask("RPUSH q a b c");
            world.ask("LPOP q");
            world.let_wait(n, "BLPOP q 0");
        },
        act: |world, _| world.wait(1_000_000),
    },
    Operation {
        name: "a push with a delay beside many delayed messages",
        before: World::delay,
        act: |world, _| world.ask("QUEUE PUSH q DELAY 5000 MESSAGES 1 x"),
    },
    Operation {
        name: "one of many delayed messages becomes ready",
        before: |world, n| {
            world.delay(n);
            world.ask("QUEUE PUSH q DELAY 100 MESSAGES 1 x");
            world.ask("QUEUE PUSH q DELAY 200 MESSAGES 1 y");
            world.ask("QUEUE PUSH q DELAY 5000 MESSAGES 1 z");
            // The first one builds an index.
            world.wait(100_000);
        },
        act: |world, _| world.wait(100_000),
    },
    Operation {
        name: "a retry beside many others",
        before: |world, n| {
            world.hold(n + 10);
            world.ask(&format!("QUEUE NACK q COUNT {n} DELAY 5000"));
        },
        act: |world, _| world.ask("QUEUE NACK q DELAY 2000"),
    },
    Operation {
        name: "a dead letter for a list with many, of which none is one",
        before: |world, n| {
            world.ask("QUEUE POLICY SET p full max-length 1 overflow dead-letter dead-letter q");
            world.fill(n);
            world.ask("RPUSH full a");
        },
        act: |world, _| {
            world.ask("RPUSH full b");
            world.ask("RPOP q");
            world.ask("RPUSH full c");
        },
    },
    Operation {
        name: "a dead letter after many",
        before: |world, n| world.fill_dead(n),
        act: |world, _| world.ask("RPUSH full x"),
    },
    Operation {
        name: "QUEUE PEEK",
        before: |world, n| {
            world.fill_dead(n);
            world.ask("QUEUE POLICY SET d dead delivery at-least-once acknowledge explicit");
            world.ask(&format!("LPOP dead {}", n / 2));
        },
        act: |world, _| {
            world.ask("QUEUE PEEK dead COUNT 5");
            world.ask("QUEUE PEEK dead INFLIGHT COUNT 5");
        },
    },
    Operation {
        name: "QUEUE PEEK of delayed messages",
        before: |world, n| {
            world.ask("QUEUE POLICY SET p q delay-ms 100000");
            world.fill(n);
        },
        act: |world, _| world.ask("QUEUE PEEK q DELAYED COUNT 5"),
    },
    Operation {
        name: "QUEUE MOVE of a few",
        before: |world, n| world.fill_dead(n),
        act: |world, _| {
            world.ask("QUEUE MOVE dead other COUNT 3");
            world.ask("QUEUE MOVE dead ORIGIN COUNT 3");
        },
    },
    Operation {
        name: "QUEUE INFO",
        before: World::fill,
        act: |world, _| world.ask("QUEUE INFO q"),
    },
    Operation {
        name: "QUEUE INFLIGHT with COUNT",
        before: World::hold,
        act: |world, _| world.ask("QUEUE INFLIGHT q COUNT 5"),
    },
    Operation {
        name: "QUEUE PAUSE beside many paused queues",
        before: |world, n| {
            (0..n).for_each(|number| world.ask(&format!("QUEUE PAUSE q{number} FOR 100000")))
        },
        act: |world, _| world.ask("QUEUE PAUSE q FOR 100000"),
    },
    Operation {
        name: "a pause ends beside many others",
        before: |world, n| {
            (0..n).for_each(|number| world.ask(&format!("QUEUE PAUSE q{number} FOR 100000")));
            world.ask("QUEUE PAUSE q FOR 1000");
        },
        act: |world, _| world.wait(1_000_000),
    },
    Operation {
        name: "APPEND to a long string",
        before: |world, n| {
            world.ask(&format!("SET s {}", "x".repeat(10 * n)));
            world.ask("APPEND s x");
        },
        act: |world, _| world.ask("APPEND s y"),
    },
    Operation {
        name: "SET in the place of a long string",
        before: |world, n| world.ask(&format!("SET s {}", "x".repeat(10 * n))),
        act: |world, _| world.ask("SET s y"),
    },
    Operation {
        name: "a snapshot of a long string",
        before: |world, n| world.ask(&format!("SET s {}", "x".repeat(10 * n))),
        act: |world, _| {
            world.broker.begin_snapshot();
            world.ask("SET s y");
            drop(world.broker.next_saved(1));
        },
    },
    Operation {
        name: "a new key beside many policies",
        before: |world, n| world.set_policies(n),
        act: |world, _| world.ask("RPUSH other7 b"),
    },
    Operation {
        name: "SWAPDB of many queues with TTLs",
        before: World::fill_many,
        act: |world, _| world.receive("SWAPDB 0 1"),
    },
    Operation {
        name: "FLUSHALL of many queues with TTLs",
        before: World::fill_many,
        act: |world, _| world.receive("FLUSHALL"),
    },
    Operation {
        name: "FLUSHALL of many queues while append files are rewritten",
        before: |world, n| {
            world.fill_many(n);
            world.broker.begin_snapshot();
        },
        act: |world, _| world.receive("FLUSHALL"),
    },
    Operation {
        name: "a policy beside many others",
        before: |world, n| {
            world.set_policies(n);
            world.ask("RPUSH q a");
        },
        act: |world, _| world.ask("RPUSH q b"),
    },
    Operation {
        name: "a member is added to a large sorted set",
        before: World::add_members,
        act: |world, _| world.ask("ZADD z 77.5 new"),
    },
    Operation {
        name: "a member of a large sorted set gets another score",
        before: World::add_members,
        act: |world, _| world.ask("ZINCRBY z 50.5 m7"),
    },
    Operation {
        name: "members of a large sorted set are taken",
        before: World::add_members,
        act: |world, _| {
            world.ask("ZPOPMIN z");
            world.ask("ZPOPMAX z 3");
            world.ask("ZREM z m77");
            world.ask("ZREMRANGEBYSCORE z 50 52");
        },
    },
    Operation {
        name: "parts of a large sorted set are read",
        before: World::add_members,
        act: |world, _| {
            world.ask("ZSCORE z m77");
            world.ask("ZRANK z m77");
            world.ask("ZCOUNT z 10 -inf");
            world.ask("ZRANGE z 100 105");
            world.ask("ZRANGE z inf -inf BYSCORE REV LIMIT 200 5");
            world.ask("ZRANDMEMBER z 5");
            world.ask("ZINTERCARD 2 z z LIMIT 5");
        },
    },
    Operation {
        name: "a large sorted set changes after a copy of it was made",
        before: |world, n| {
            world.add_members(n);
            world.ask("COPY z y");
        },
        act: |world, _| world.ask("ZADD z 77.5 new"),
    },
];

/// Their cost grows tenfold with ten times as many messages, not a hundredfold.
const LINEAR: &[Operation] = &[
    Operation {
        name: "a sorted set is made, combined with another, and removed",
        before: |_, _| {},
        act: |world, n| {
            world.add_members(n);
            world.ask("ZUNIONSTORE y 2 z z");
            world.ask("ZREMRANGEBYRANK z 0 -1");
        },
    },
    Operation {
        name: "all of a large hash, and its end",
        before: World::fill_hash,
        act: |world, _| ["HGETALL h", "DEL h"].into_iter().for_each(|it| world.ask(it)),
    },
    Operation {
        name: "combinations of large sets",
        before: World::fill_set,
        act: |world, _| {
            world.ask("SADD t m1 m2 y");
            for request in ["SUNIONSTORE u s t", "SDIFFSTORE u s t", "SINTER s u", "SPOP s 90"] {
                world.ask(request);
            }
        },
    },
    Operation {
        name: "a connection ends with many in flight",
        before: World::hold,
        act: |world, _| world.leave(),
    },
    Operation {
        name: "many are returned",
        before: World::hold,
        act: |world, n| world.ask(&format!("QUEUE NACK q COUNT {n}")),
    },
    Operation {
        name: "QUEUE PURGE of what is in flight",
        before: World::hold,
        act: |world, _| world.ask("QUEUE PURGE q INFLIGHT"),
    },
    Operation {
        name: "QUEUE PURGE of ready messages",
        before: |world, n| {
            world.ask(EXPLICIT);
            world.fill(n);
        },
        act: |world, _| world.ask("QUEUE PURGE q"),
    },
    Operation {
        name: "QUEUE PURGE of delayed messages",
        before: |world, n| {
            world.ask("QUEUE POLICY SET p q delay-ms 100000");
            world.fill(n);
        },
        act: |world, _| world.ask("QUEUE PURGE q DELAYED"),
    },
    Operation {
        name: "two workers with alternate messages disconnect together",
        before: World::take_turns,
        act: |world, _| {
            world.broker.disconnect(world.worker, CloseReason::PeerClosed, world.now);
            world.leave_as(world.other);
        },
    },
    Operation {
        name: "two workers with alternate messages disconnect one after the other",
        before: World::take_turns,
        act: |world, _| {
            world.leave();
            world.leave_as(world.other);
        },
    },
    Operation {
        name: "acknowledgements are overdue",
        before: World::hold_for_a_second,
        act: |world, _| world.wait(1_000_000),
    },
    Operation {
        name: "acknowledgements are overdue, and a turn does little",
        before: |world, n| {
            world.hold_for_a_second(n);
            world.ask("CONFIG SET turn-work-max 100");
        },
        act: |world, _| {
            world.wait(1_000_000);
            while world.broker.has_backlog() {
                world.settle();
            }
        },
    },
    Operation {
        name: "many that wait have as much as a client may have, and acknowledge",
        before: |world, n| {
            world.ask(&format!("{EXPLICIT} max-in-flight-per-client 1"));
            world.fill(n);
            world.let_wait(n, "LPOP q\r\nBLPOP q 0");
        },
        act: |world, n| {
            world.fill(n);
            (0..n).for_each(|number| world.ask(&format!("QUEUE ACK q VALUE {number}")));
        },
    },
    Operation {
        name: "many become ready",
        before: |world, n| {
            world.ask("QUEUE POLICY SET p q delay-ms 1000");
            world.fill(n);
        },
        act: |world, _| world.wait(1_000_000),
    },
    Operation {
        name: "many become ready at different times",
        before: World::delay,
        act: |world, _| {
            for _ in 0..50 {
                world.wait(200_000);
            }
        },
    },
    Operation {
        name: "many are retried",
        before: World::hold,
        act: |world, n| world.ask(&format!("QUEUE NACK q COUNT {n} DELAY 1000")),
    },
    Operation {
        name: "many retries become ready",
        before: |world, n| {
            world.hold(n);
            world.ask(&format!("QUEUE NACK q COUNT {n} DELAY 1000"));
        },
        act: |world, _| world.wait(1_000_000),
    },
    Operation {
        name: "overdue messages are retried, and a turn does little",
        before: |world, n| {
            let timeout = format!("{EXPLICIT} ack-timeout-ms 1000 retry-delay-ms 1000");
            world.hold_under(&timeout, n);
            world.ask("CONFIG SET turn-work-max 100");
        },
        act: |world, _| {
            for _ in 0..2 {
                world.wait(1_000_000);
                while world.broker.has_backlog() {
                    world.settle();
                }
            }
        },
    },
    Operation {
        name: "many are dead-lettered",
        before: |world, n| {
            world.ask("QUEUE POLICY SET p q message-ttl-ms 1000 dead-letter dead");
            world.fill(n);
        },
        act: |world, _| world.wait(1_000_000),
    },
    Operation {
        name: "many leases end",
        before: World::lease,
        act: |world, _| world.wait(1_000_000),
    },
    Operation {
        name: "each is acknowledged by its receipt, the newest first",
        before: World::lease,
        act: |world, n| {
            for number in (1..=n).rev() {
                world.ask(&format!("QUEUE ACK q IDS 1 {number}"));
            }
        },
    },
    Operation {
        name: "many are touched, and their time ends one by one",
        before: |world, n| {
            world.lease(n);
            for number in 1..=n {
                world.ask(&format!("QUEUE TOUCH q IDS 1 {number} LEASE {}", 2 * n - number));
            }
        },
        act: |world, n| (0..=n).for_each(|_| world.wait(2_000)),
    },
    Operation {
        name: "many go back to where they came from",
        before: |world, n| {
            world.fill_dead(n);
            world.ask("QUEUE POLICY SET p full max-length 1000000");
        },
        act: |world, n| world.ask(&format!("QUEUE MOVE dead ORIGIN COUNT {n}")),
    },
    Operation {
        name: "many are moved to a list",
        before: |world, n| world.fill_dead(n),
        act: |world, n| world.ask(&format!("QUEUE MOVE dead other COUNT {n}")),
    },
    Operation {
        name: "each is acknowledged by value, the newest first",
        before: World::hold,
        act: |world, n| {
            for number in (0..n).rev() {
                world.ask(&format!("QUEUE ACK q VALUE {number}"));
            }
        },
    },
];

/// A chunk that a snapshot shares has as many deliveries at the least, and costs so many allocations.
const CHUNK: usize = 64;
const CHUNK_ALLOCATIONS: u64 = 3;

/// These cost something for each chunk of what is in flight or delayed, and nothing for each message.
const BY_CHUNK: &[Operation] = &[
    Operation {
        name: "the beginning of a snapshot of a large hash, and a change then",
        before: World::fill_hash,
        act: |world, _| {
            world.broker.begin_snapshot();
            world.ask("HSET h f1 x");
        },
    },
    Operation {
        name: "a snapshot of what is in flight",
        before: World::hold,
        act: |world, _| {
            world.broker.begin_snapshot();
            // It is being written all the time.
            std::mem::forget(world.broker.next_saved(1));
        },
    },
    Operation {
        name: "a snapshot of what is delayed",
        before: World::delay,
        act: |world, _| {
            world.broker.begin_snapshot();
            std::mem::forget(world.broker.next_saved(1));
        },
    },
    Operation {
        name: "a push with a delay while a snapshot begins",
        before: World::delay,
        act: |world, _| {
            world.broker.begin_snapshot();
            world.ask("QUEUE PUSH q DELAY 5000 MESSAGES 1 x");
        },
    },
    Operation {
        name: "an acknowledgement while a snapshot begins",
        before: World::hold,
        act: |world, _| {
            world.broker.begin_snapshot();
            world.ask("QUEUE ACK q");
        },
    },
    Operation {
        name: "a delivery while a snapshot begins",
        before: |world, n| {
            world.hold(n);
            world.ask("RPUSH q x");
        },
        act: |world, _| {
            world.broker.begin_snapshot();
            world.ask("LPOP q");
        },
    },
];

/// These cost the same although a snapshot is under way that has the queue.
const WHILE_SAVED: &[Operation] = &[
    Operation {
        name: "the first acknowledgement of a queue that is saved",
        before: |world, n| {
            world.hold(n);
            world.save();
        },
        act: |world, _| world.ask("QUEUE ACK q"),
    },
    Operation {
        name: "an acknowledgement by value of a queue that is saved",
        before: |world, n| {
            world.hold(n);
            world.ask("QUEUE ACK q VALUE 3");
            world.save();
        },
        act: |world, _| world.ask("QUEUE ACK q VALUE 200"),
    },
    Operation {
        name: "a snapshot begins while many lists are on their way",
        before: |world, n| {
            world.ask("CONFIG SET turn-work-max 100");
            world.ask("QUEUE POLICY SET p q* message-ttl-ms 1000 dead-letter dead");
            (0..n / 4).for_each(|number| {
                world.ask(&format!("RPUSH q{number} a b c d e f g h i j k l m n o p q r s t u v w"))
            });
            world.now = world.now.plus_us(1_000_000);
            (0..n / 4).for_each(|number| world.ask(&format!("LLEN q{number}")));
            assert!(world.broker.has_backlog());
        },
        act: |world, _| world.broker.begin_snapshot(),
    },
];

struct World {
    broker: Broker,
    now: Now,
    worker: ClientId,
    other: ClientId,
    reader: EffectsReader,
    recorded: Vec<u8>,
}

/// The cost of an operation.
#[derive(Debug)]
struct Cost {
    allocations: u64,
    steps: u64,
    recorded: u64,
}

impl World {
    fn new() -> World {
        let settings = Settings::from_text("turn-work-max 1000000000", "the test's settings");
        let settings = settings.expect("valid settings");
        let mut broker = Broker::new(settings, 9, Box::new(NoHost), START);
        let reader = broker.read_effects();
        let worker = broker.connect(0, Peer::in_process(), START);
        let other = broker.connect(1, Peer::in_process(), START);
        World { broker, now: START, worker, other, reader, recorded: Vec::new() }
    }

    /// Only the request, without the turns after it.
    fn receive(&mut self, request: &str) {
        self.broker.receive(self.worker, format!("{request}\r\n").as_bytes(), self.now);
    }

    fn ask_as(&mut self, id: ClientId, request: &str) {
        self.broker.receive(id, format!("{request}\r\n").as_bytes(), self.now);
        let owed = self.broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
        assert!(!owed.starts_with(b"-"), "{request}: {}", String::from_utf8_lossy(&owed));
        self.broker.flushed(id, owed.len(), self.now);
        self.settle();
    }

    fn ask(&mut self, request: &str) {
        self.ask_as(self.worker, request);
    }

    /// Adds members to a sorted set.
    fn add_members(&mut self, n: usize) {
        let members = (0..n).map(|number| format!("{number} m{number}"));
        self.ask(&format!("ZADD z {}", members.collect::<Vec<_>>().join(" ")));
    }

    fn fill_hash(&mut self, n: usize) {
        let pairs = (0..n).map(|number| format!("f{number} v{number}"));
        self.ask(&format!("HSET h {}", pairs.collect::<Vec<_>>().join(" ")));
    }

    fn fill_set(&mut self, n: usize) {
        let members = (0..n).map(|number| format!("m{number}"));
        self.ask(&format!("SADD s {}", members.collect::<Vec<_>>().join(" ")));
    }

    fn fill(&mut self, n: usize) {
        let numbers = (0..n).map(|number| number.to_string());
        self.ask(&format!("RPUSH q {}", numbers.collect::<Vec<_>>().join(" ")));
    }

    /// The stream `s` has that many entries.
    fn fill_stream(&mut self, n: usize) {
        (1..=n).for_each(|number| self.ask(&format!("XADD s {number}-0 f v")));
    }

    /// That many entries of the stream `s` are pending.
    fn pend(&mut self, n: usize) {
        self.fill_stream(n);
        self.ask("XGROUP CREATE s g 0");
        self.ask("XREADGROUP GROUP g c STREAMS s >");
    }

    /// That many clients send this, and wait.
    fn let_wait(&mut self, n: usize, request: &str) {
        for slot in 2..2 + n {
            let id = self.broker.connect(slot, Peer::in_process(), self.now);
            self.ask_as(id, request);
            assert!(self.broker.is_blocked(id), "{request}");
        }
    }

    /// The list `dead` has n dead letters, each of another time.
    fn fill_dead(&mut self, n: usize) {
        self.ask("QUEUE POLICY SET p full max-length 1 overflow dead-letter dead-letter dead");
        for number in 0..=n {
            self.ask(&format!("RPUSH full {number}"));
            self.wait(1_000);
        }
    }

    fn set_policies(&mut self, n: usize) {
        for number in 0..n.min(900) {
            self.ask(&format!("QUEUE POLICY SET p{number} other{number}*"));
        }
    }

    /// That many queues, which no flush removes in place.
    fn fill_many(&mut self, n: usize) {
        self.ask("QUEUE POLICY SET p q* message-ttl-ms 100000");
        for number in 0..4 * n {
            self.ask(&format!("RPUSH q{number} x"));
        }
    }

    /// That many delayed messages, due from one second on, in no order.
    fn delay(&mut self, n: usize) {
        self.ask("QUEUE POLICY SET p q delay-ms 1000");
        for number in 0..n {
            let delay_ms = 1_000 + (number * 7_919) % 9_000;
            self.ask(&format!("QUEUE PUSH q DELAY {delay_ms} MESSAGES 1 {number}"));
        }
    }

    fn hold(&mut self, n: usize) {
        self.hold_under(EXPLICIT, n);
    }

    /// All messages are in flight, and return after a second.
    fn hold_for_a_second(&mut self, n: usize) {
        self.hold_under(&format!("{EXPLICIT} ack-timeout-ms 1000"), n);
    }

    fn hold_under(&mut self, policy: &str, n: usize) {
        self.ask(policy);
        self.fill(n);
        self.ask(&format!("LPOP q {n}"));
    }

    /// All messages are in flight, with receipts from 1 on, for a second.
    fn lease(&mut self, n: usize) {
        self.ask(EXPLICIT);
        self.fill(n);
        self.ask(&format!("QUEUE POP 1 q COUNT {n} LEASE 1000"));
    }

    /// Two workers have all messages in flight, alternately.
    fn take_turns(&mut self, n: usize) {
        self.ask(EXPLICIT);
        self.fill(n);
        for _ in 0..n / 2 {
            self.ask("LPOP q");
            self.ask_as(self.other, "LPOP q");
        }
    }

    /// A snapshot has begun and has all; it is not written yet.
    fn save(&mut self) {
        self.broker.begin_snapshot();
        // As while it is being written.
        std::mem::forget(self.broker.next_saved(usize::MAX));
    }

    fn leave(&mut self) {
        self.leave_as(self.worker);
    }

    fn leave_as(&mut self, id: ClientId) {
        self.broker.disconnect(id, CloseReason::PeerClosed, self.now);
        self.settle();
    }

    fn wait(&mut self, us: u64) {
        self.now = self.now.plus_us(us);
        self.settle();
    }

    fn settle(&mut self) {
        self.broker.settle(self.now);
        self.broker.take_effects(&self.reader, &mut self.recorded);
    }

    fn count(&self) -> Cost {
        Cost {
            allocations: ALLOCATIONS.with(Cell::get),
            steps: self.broker.work(),
            recorded: self.recorded.len() as u64,
        }
    }
}

fn cost(operation: &Operation, n: usize) -> Cost {
    let mut world = World::new();
    (operation.before)(&mut world, n);
    let before = world.count();
    (operation.act)(&mut world, n);
    let after = world.count();
    world.broker.check_invariants();
    Cost {
        allocations: after.allocations - before.allocations,
        steps: after.steps - before.steps,
        recorded: after.recorded - before.recorded,
    }
}

/// Operations on streams whose cost does not depend on N.
const STREAMS: &[Operation] = &[
    Operation {
        name: "XADD beside many entries",
        before: World::fill_stream,
        act: |world, _| world.ask("XADD s * f v"),
    },
    Operation {
        name: "XADD with a trim beside many entries",
        before: World::fill_stream,
        act: |world, n| {
            world.ask(&format!("XADD s MAXLEN {n} * f v"));
            world.ask(&format!("XADD s MAXLEN ~ {n} * f v"));
        },
    },
    Operation {
        name: "reading the end of a long stream",
        before: World::fill_stream,
        act: |world, n| {
            world.ask(&format!("XREAD STREAMS s {}", n - 1));
            world.ask("XREVRANGE s + - COUNT 2");
            world.ask(&format!("XRANGE s {} + COUNT 2", n / 2));
        },
    },
    Operation {
        name: "a delivery and its acknowledgement beside many pending entries",
        before: World::pend,
        act: |world, _| {
            world.ask("XADD s * f v");
            world.ask("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
            world.ask("XACK s g 5-0");
        },
    },
    Operation {
        name: "a claim beside many pending entries",
        before: World::pend,
        act: |world, n| {
            world.ask(&format!("XCLAIM s g d 0 {}", n / 2));
            world.ask(&format!("XAUTOCLAIM s g d 0 {} COUNT 2", n / 3));
            world.ask("XPENDING s g - + 3");
        },
    },
    Operation {
        name: "an entry for which many consumers of a group wait",
        before: |world, n| {
            world.ask("XGROUP CREATE s g $ MKSTREAM");
            world.let_wait(n, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
        },
        act: |world, _| world.ask("XADD s * f v"),
    },
    Operation {
        name: "a delivery beside many groups and consumers",
        before: |world, n| {
            world.ask("XADD s 1 f v");
            for number in 0..n {
                world.ask(&format!("XGROUP CREATE s g{number} 0"));
                world.ask(&format!("XGROUP CREATECONSUMER s g0 c{number}"));
            }
        },
        act: |world, _| {
            world.ask("XREADGROUP GROUP g0 c1 STREAMS s >");
            world.ask("XGROUP CREATE s other $");
            world.ask("XGROUP DELCONSUMER s g0 c2");
        },
    },
    Operation {
        name: "facts about a stream with many entries and pending ones",
        before: World::pend,
        act: |world, _| {
            world.ask("XINFO STREAM s");
            world.ask("XINFO GROUPS s");
            world.ask("XPENDING s g");
        },
    },
];

/// Operations on streams whose cost grows with N.
const STREAMS_LINEAR: &[Operation] = &[
    Operation {
        name: "reading a stream",
        before: World::fill_stream,
        act: |world, _| world.ask("XRANGE s - +"),
    },
    Operation {
        name: "delivering a stream",
        before: |world, n| {
            world.fill_stream(n);
            world.ask("XGROUP CREATE s g 0");
        },
        act: |world, _| world.ask("XREADGROUP GROUP g c STREAMS s >"),
    },
    Operation {
        name: "delivering a stream again",
        before: World::pend,
        act: |world, _| {
            world.ask("XREADGROUP GROUP g c STREAMS s 0");
            world.ask("XAUTOCLAIM s g d 0 0 COUNT 100000");
            world.ask("XGROUP DELCONSUMER s g d");
        },
    },
    Operation {
        name: "deleting a stream",
        before: World::pend,
        act: |world, _| {
            world.ask("XTRIM s MAXLEN 7");
            world.ask("DEL s");
        },
    },
];

#[test]
fn constant_costs_do_not_grow_with_n() {
    for operation in CONSTANT.iter().chain(WHILE_SAVED).chain(STREAMS) {
        let (few, many) = (cost(operation, N), cost(operation, 10 * N));
        let told = format!("{}: {few:?} with {N}, {many:?} with ten times that", operation.name);
        assert!(many.allocations <= few.allocations + SLACK, "{told}");
        assert!(many.steps <= few.steps + SLACK, "{told}");
        assert!(many.recorded <= few.recorded + RECORDED_SLACK, "{told}");
    }
}

#[test]
fn a_snapshot_costs_something_for_each_chunk() {
    let chunks = (9 * N / CHUNK) as u64;
    for operation in BY_CHUNK {
        let (few, many) = (cost(operation, N), cost(operation, 10 * N));
        let told = format!("{}: {few:?} with {N}, {many:?} with ten times that", operation.name);
        let allocations = few.allocations + chunks * CHUNK_ALLOCATIONS + SLACK;
        assert!(many.allocations <= allocations, "{told}");
        assert!(many.steps <= few.steps + SLACK, "{told}");
        assert!(many.recorded <= few.recorded + RECORDED_SLACK, "{told}");
    }
}

#[test]
fn costs_for_n_messages_grow_with_n_and_not_its_square() {
    for operation in LINEAR.iter().chain(STREAMS_LINEAR) {
        let (few, many) = (cost(operation, N), cost(operation, 10 * N));
        let told = format!("{}: {few:?} with {N}, {many:?} with ten times that", operation.name);
        assert!(many.allocations <= 13 * few.allocations + SLACK, "{told}");
        assert!(many.steps <= 13 * few.steps + SLACK, "{told}");
        assert!(many.recorded <= 13 * few.recorded + RECORDED_SLACK, "{told}");
    }
}
