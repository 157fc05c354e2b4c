//! Operations while a snapshot begins or is under way.

use crate::world::{Operation, World};

/// These cost something for each chunk of what is in flight, delayed or of another time, and nothing for each
/// message.
pub const BY_CHUNK: &[Operation] = &[
    Operation {
        name: "the beginning of a snapshot of a large hash, and a change then",
        before: World::fill_hash,
        act: |world, _| {
            world.broker.begin_snapshot();
            world.ask("HSET h f1 x");
        },
    },
    Operation {
        name: "the beginning of a snapshot of messages of many times, and a push and a pop then",
        before: World::fill_over_time,
        act: |world, _| {
            world.broker.begin_snapshot();
            world.ask("RPUSH q x");
            world.ask("LPOP q");
        },
    },
    Operation {
        name: "a snapshot of dead letters of many times",
        before: World::fill_dead,
        act: |world, _| {
            world.broker.begin_snapshot();
            std::mem::forget(world.broker.next_saved(1));
            world.ask("RPOP dead");
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
pub const WHILE_SAVED: &[Operation] = &[
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
