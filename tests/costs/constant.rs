//! Operations whose cost does not depend on N.

use crate::world::{EXPLICIT, Operation, World};

/// They run with N and with ten times as much.
pub const OPERATIONS: &[Operation] = &[
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
    Operation {
        name: "a few elements of a list that stays as it is",
        before: World::fill,
        act: |world, _| {
            world.ask("SORT q BY nosort LIMIT 5 3");
            world.ask("SORT q BY nosort DESC LIMIT 5 3 STORE to");
        },
    },
];
