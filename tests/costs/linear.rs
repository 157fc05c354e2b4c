//! Operations whose cost grows with N.

use crate::world::{EXPLICIT, Operation, World};
use tidegate::CloseReason;

/// Their cost grows tenfold with ten times as many messages, not a hundredfold.
pub const OPERATIONS: &[Operation] = &[
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
    Operation {
        name: "a list is sorted",
        before: |world, n| {
            world.fill(n);
            world.ask("HSET h7 weight 1");
        },
        act: |world, _| {
            world.ask("SORT q ALPHA");
            world.ask("SORT q BY h*->weight DESC GET # GET h*->weight STORE to");
        },
    },
];
