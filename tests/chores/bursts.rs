//! Much work at one moment: it is done in parts, in order, and a kill loses nothing.

use super::world::*;
use tidegate::clock::Now;

/// A burst: its preparation, and the expected result.
pub struct Burst {
    policies: &'static [&'static str],
    before: fn(&mut World),
    begin: fn(&mut World),
    /// Where the messages are in the end, in order.
    end: &'static str,
    /// How many of them `q` shows as soon as the burst has begun.
    shown: usize,
}

pub const BURSTS: &[Burst] = &[
    Burst {
        policies: &["p q message-ttl-ms 100 dead-letter dead"],
        before: World::push,
        begin: |world| world.now = world.now.plus_us(100_000),
        end: "dead",
        shown: 0,
    },
    Burst {
        policies: &["p q delay-ms 100"],
        before: World::push,
        begin: |world| world.now = world.now.plus_us(100_000),
        end: "q",
        shown: COUNT,
    },
    Burst {
        policies: &["p q max-length 100000 overflow dead-letter dead-letter dead"],
        before: World::push,
        begin: |world| {
            let policy = "QUEUE POLICY SET p q max-length 1 overflow dead-letter dead-letter dead";
            world.ask(policy);
            world.ask(&format!("RPUSH q {COUNT}"));
        },
        end: "dead",
        shown: 1,
    },
    // For a push to the front, messages are dropped from the back.
    Burst {
        policies: &["p q max-length 100000 overflow dead-letter dead-letter dead"],
        before: World::push_to_the_front,
        begin: |world| {
            let policy = "QUEUE POLICY SET p q max-length 1 overflow dead-letter dead-letter dead";
            world.ask(policy);
            world.ask(&format!("LPUSH q {COUNT}"));
        },
        end: "dead",
        shown: 1,
    },
    Burst {
        policies: &["p q delivery at-least-once acknowledge next-pop"],
        before: World::pop,
        begin: |world| world.leave(),
        end: "q",
        shown: COUNT,
    },
    // Retries return to their positions.
    Burst {
        policies: &["p q delivery at-least-once acknowledge explicit"],
        before: |world| {
            world.pop();
            world.ask_as(world.worker, &format!("QUEUE NACK q COUNT {COUNT} DELAY 100"));
            world.settle();
        },
        begin: |world| world.now = world.now.plus_us(100_000),
        end: "q",
        shown: COUNT,
    },
    Burst {
        policies: &["p q delivery at-least-once acknowledge next-pop max-in-flight 100000 \
                     max-in-flight-per-client 100000 rate 100000"],
        before: World::pop,
        begin: |world| world.leave(),
        end: "q",
        shown: COUNT,
    },
    Burst {
        policies: &["p q delivery at-least-once acknowledge explicit ack-timeout-ms 100"],
        before: World::pop,
        begin: |world| world.now = world.now.plus_us(100_000),
        end: "q",
        shown: COUNT,
    },
    Burst {
        policies: &[
            "p q delivery at-least-once acknowledge explicit delivery-limit 1 dead-letter dead",
        ],
        before: World::pop,
        begin: |world| world.leave(),
        end: "dead",
        shown: 0,
    },
    Burst {
        policies: &["p q delivery at-least-once acknowledge explicit ack-timeout-ms 100 \
                     delivery-limit 1 dead-letter dead"],
        before: World::pop,
        begin: |world| world.now = world.now.plus_us(100_000),
        end: "dead",
        shown: 0,
    },
];

pub fn check_killed(burst: &Burst, stream: &[u8], now: Now, expected: &[usize]) {
    assert_eq!(as_plain_lists(stream), expected, "without policies");
    let mut next = broker(burst.policies, now);
    next.replay(&mut 0, stream).expect("it loads");
    next.end_replay(now);
    let mut turns = 0;
    while next.has_backlog() {
        next.settle(now);
        turns += 1;
        assert!(turns < COUNT, "it does not come to rest");
    }
    next.check_invariants();
    assert_eq!(everything(&next), expected, "killed, and started again");
    assert!(list(&next, burst.end).is_sorted_by_key(|message| value(message)), "in order");
}

#[test]
fn bursts_are_done_in_parts() {
    for (number, burst) in BURSTS.iter().enumerate() {
        println!("burst {number}");
        let mut world = World::new(burst.policies);
        (burst.before)(&mut world);
        (burst.begin)(&mut world);
        world.broker.take_effects(&world.reader, &mut world.stream);
        let expected = everything(&world.broker);
        assert!(expected.len() >= COUNT);
        let shown = world.ask("LLEN q");
        if burst.shown < COUNT {
            assert_eq!(shown, format!(":{}\r\n", burst.shown), "removed messages are still shown");
        }
        let mut turns = 0;
        while world.broker.has_backlog() {
            world.settle();
            turns += 1;
            assert_eq!(everything(&world.broker), expected, "turn {turns}");
            if turns % 20 == 1 {
                check_killed(burst, &world.stream, world.now, &expected);
            }
        }
        assert!(turns >= COUNT / STEPS_MAX as usize, "{turns} turns");
        check_killed(burst, &world.stream, world.now, &expected);
        let in_order: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
        let end = list(&world.broker, burst.end);
        assert_eq!(end.len(), COUNT);
        assert!(end == in_order, "burst {number} in order: {end:?}");
    }
}
