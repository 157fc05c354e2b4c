//! Work done in parts: a turn does no more than its budget, no client sees what should be gone, and a
//! kill at any moment loses nothing.

mod bursts;
mod world;

use bursts::{BURSTS, check_killed};
use std::time::Duration;
use tidegate::{Broker, Peer};
use world::*;

/// Many keys, with one message each.
fn fill(world: &mut World) {
    for number in 0..COUNT {
        world.ask(&format!("RPUSH key:{number} {number}"));
    }
    world.settle();
}

/// Settles until nothing is left to do; returns the number of turns.
fn settle_all(world: &mut World) -> usize {
    let mut turns = 0;
    while world.broker.has_backlog() {
        world.settle();
        turns += 1;
        assert!(turns < 10 * COUNT, "it comes to rest");
    }
    turns
}

#[test]
fn a_policy_is_applied_to_many_keys_in_parts_unnoticed() {
    let mut world = World::new(&[]);
    fill(&mut world);
    assert_eq!(world.ask("QUEUE POLICY SET p key:* max-length 1 message-ttl-ms 1000"), "+OK\r\n");
    assert!(world.broker.has_backlog(), "it is not done at once");
    // A key that was not reached yet is brought up to date when it is named.
    for number in [0, COUNT / 2, COUNT - 1] {
        assert!(world.ask(&format!("RPUSH key:{number} more")).starts_with("-QUEUEFULL"));
    }
    assert_eq!(world.ask("RPUSH key:new a"), ":1\r\n");
    assert!(world.ask("RPUSH key:new b").starts_with("-QUEUEFULL"));
    world.ask("DEL key:7");
    assert!(settle_all(&mut world) > COUNT * 2 / STEPS_MAX as usize / 2);
    // Another policy while the first is still being applied; the files must tell them apart.
    assert_eq!(world.ask("QUEUE POLICY SET p key:* message-ttl-ms 500"), "+OK\r\n");
    world.settle();
    world.now = world.now.plus_us(10_000);
    assert_eq!(world.ask("QUEUE POLICY SET q key:1* priority 1 message-ttl-ms 200"), "+OK\r\n");
    settle_all(&mut world);
    let mut loaded = broker(&[], world.now);
    loaded.replay(&mut 0, &world.stream).expect("it loads");
    loaded.end_replay(world.now);
    for ms in [0, 150, 185, 195, 300, 485, 500] {
        let now = world.now.plus_us(ms * 1000);
        let count = |broker: &mut Broker| {
            while broker.has_backlog() || broker.next_deadline(now) == Some(Duration::ZERO) {
                broker.settle(now);
            }
            broker.check_invariants();
            broker.message_count()
        };
        assert_eq!(count(&mut loaded), count(&mut world.broker), "{ms} ms later");
    }
    assert_eq!(world.broker.message_count(), 0);
}

/// Comparing a key with patterns counts as well: here, patterns that match any beginning.
#[test]
fn a_turn_compares_keys_with_few_of_many_policies() {
    const POLICIES: usize = 20;
    let mut world = World::new(&[]);
    for number in 0..POLICIES {
        world.ask(&format!("QUEUE POLICY SET p{number} *other:{number}"));
        settle_all(&mut world);
    }
    fill(&mut world);
    world.ask("QUEUE POLICY DEL p0");
    let turns = settle_all(&mut world);
    assert!(turns >= COUNT * POLICIES / 2 / STEPS_MAX as usize, "{turns} turns");
}

/// The ready time of its messages is then recorded for the key itself.
#[test]
fn a_key_that_is_reached_late_has_the_same_ttl_after_a_kill() {
    for (request, db) in [("LLEN key:0", 0), ("SWAPDB 0 1", 1), ("PING", 0)] {
        let mut world = World::new(&[]);
        fill(&mut world);
        // The look-up of WATCH reaches it.
        world.ask_as(world.worker, "WATCH key:0");
        assert_eq!(world.ask("QUEUE POLICY SET p key:* message-ttl-ms 500"), "+OK\r\n");
        world.settle();
        // The pass starts again, so that no single note covers all keys it reaches.
        assert_eq!(world.ask("QUEUE POLICY SET q other message-ttl-ms 500"), "+OK\r\n");
        world.now = world.now.plus_us(100_000);
        world.settle();
        world.ask(request);
        settle_all(&mut world);
        let mut loaded = broker(&[], world.now);
        loaded.replay(&mut 0, &world.stream).expect("it loads");
        loaded.end_replay(world.now);
        for ms in [399, 400, 499, 500] {
            let now = world.now.plus_us(ms * 1000);
            let len = |broker: &mut Broker| {
                broker.settle(now);
                while broker.has_backlog() {
                    broker.settle(now);
                }
                let contents = broker.contents();
                contents.get(&(db, b"key:0".to_vec())).map_or(0, |(messages, _)| messages.len())
            };
            let expected = usize::from(ms < 500);
            assert_eq!(len(&mut world.broker), expected, "{request}, {ms} ms later");
            assert_eq!(len(&mut loaded), expected, "{request}, loaded, {ms} ms later");
        }
    }
}

#[test]
fn a_deleted_policy_returns_messages_in_flight_in_parts() {
    let mut world = World::new(&[]);
    world.ask("QUEUE POLICY SET p q delivery at-least-once acknowledge explicit");
    world.pop();
    world.ask("QUEUE POLICY DEL p");
    assert!(settle_all(&mut world) >= 1);
    let in_order: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    assert_eq!(list(&world.broker, "q"), in_order);
    check_killed(&BURSTS[0], &world.stream, world.now, &(0..COUNT).collect::<Vec<_>>());
}

/// Including the last policy: then files are loaded without any.
#[test]
fn a_deleted_policy_releases_delayed_messages_in_parts() {
    let mut world = World::new(&[]);
    world.ask("QUEUE POLICY SET p q delay-ms 100000");
    world.push();
    world.ask("QUEUE POLICY DEL p");
    world.settle();
    assert!(world.broker.has_backlog(), "it is not done at once");
    check_killed(&BURSTS[0], &world.stream, world.now, &(0..COUNT).collect::<Vec<_>>());
    assert!(settle_all(&mut world) > COUNT / STEPS_MAX as usize);
    let in_order: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    assert_eq!(list(&world.broker, "q"), in_order);
    check_killed(&BURSTS[0], &world.stream, world.now, &(0..COUNT).collect::<Vec<_>>());
}

#[test]
fn a_deleted_policy_is_followed_through_swapdb() {
    let mut world = World::new(&[]);
    world.ask("QUEUE POLICY SET p q delivery at-least-once acknowledge explicit");
    world.pop();
    world.ask("QUEUE POLICY DEL p");
    world.settle();
    assert!(world.broker.has_backlog(), "it is not done at once");
    world.ask("SWAPDB 0 1");
    settle_all(&mut world);
    world.ask("SWAPDB 0 1");
    world.settle();
    let in_order: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    assert_eq!(list(&world.broker, "q"), in_order);
    check_killed(&BURSTS[0], &world.stream, world.now, &(0..COUNT).collect::<Vec<_>>());
}

#[test]
fn a_flush_is_seen_at_once_and_freed_in_parts() {
    for request in ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC"] {
        let mut world = World::new(&[]);
        fill(&mut world);
        world.ask("PEXPIRE key:1 100000");
        world.ask_as(world.worker, "WATCH key:5");
        world.ask_as(world.worker, "WATCH none");
        let waiter = world.broker.connect(2, Peer::in_process(), world.now);
        assert_eq!(world.ask_as(waiter, "BLPOP none 0"), "");
        world.ask("QUEUE PAUSE key:9 READ");
        assert_eq!(world.ask(request), "+OK\r\n");
        assert!(world.broker.has_backlog(), "it is not done at once");
        assert_eq!(world.ask("DBSIZE"), ":0\r\n");
        assert_eq!(world.ask("EXISTS key:0 key:1 key:2"), ":0\r\n");
        assert_eq!(world.ask("RANDOMKEY"), "$-1\r\n");
        assert_eq!(world.ask("RPUSH key:9 new"), ":1\r\n");
        assert_eq!(world.ask("LPOP key:9"), "$-1\r\n", "it is still paused");
        world.ask_as(world.worker, "MULTI");
        assert_eq!(world.ask_as(world.worker, "EXEC"), "*-1\r\n", "a watch has broken");
        assert_eq!(world.ask("RPUSH none x"), ":1\r\n");
        world.settle();
        let served = world.ask_as(waiter, "PING");
        assert!(served.starts_with("*2\r\n$4\r\nnone\r\n$1\r\nx\r\n"), "{served}");
        assert!(settle_all(&mut world) > COUNT / STEPS_MAX as usize);
        assert_eq!(world.broker.message_count(), 1);
        assert_eq!(world.broker.next_deadline(world.now), None);
    }
}

#[test]
fn a_pause_with_a_time_ends_after_a_flush() {
    let mut world = World::new(&[]);
    fill(&mut world);
    world.ask("QUEUE PAUSE key:9 WRITE FOR 500");
    assert_eq!(world.ask("FLUSHALL"), "+OK\r\n");
    assert!(world.broker.has_backlog(), "it is not done at once");
    assert!(world.ask("RPUSH key:9 new").starts_with("-QUEUEPAUSED"));
    settle_all(&mut world);
    world.now = world.now.plus_us(500_000);
    assert_eq!(world.ask("RPUSH key:9 new"), ":1\r\n");
}

/// More pauses than a turn ends.
#[test]
fn pauses_that_end_together_are_seen_by_none() {
    let mut world = World::new(&[]);
    fill(&mut world);
    for number in 0..COUNT {
        world.ask(&format!("QUEUE PAUSE key:{number} FOR 500"));
    }
    world.now = world.now.plus_us(500_000);
    for number in [0, COUNT / 2, COUNT - 1] {
        assert_eq!(world.ask(&format!("RPUSH key:{number} new")), ":2\r\n");
        assert!(world.ask(&format!("LPOP key:{number}")).starts_with('$'));
    }
    assert!(settle_all(&mut world) > 1);
    assert_eq!(world.broker.next_deadline(world.now), None);
}

#[test]
fn a_purge_is_seen_at_once_and_freed_in_parts() {
    for (request, is_in_flight) in [("QUEUE PURGE q INFLIGHT", true), ("QUEUE PURGE q", false)] {
        for has_snapshot in [false, true] {
            let mut world = World::new(&[]);
            world.ask("QUEUE POLICY SET p q delivery at-least-once acknowledge explicit");
            if is_in_flight {
                world.pop()
            } else {
                world.push()
            }
            settle_all(&mut world);
            if has_snapshot {
                world.broker.begin_snapshot();
            }
            assert_eq!(world.ask(request), format!(":{COUNT}\r\n"));
            assert!(world.broker.has_backlog(), "it is not done at once");
            assert_eq!(world.ask("EXISTS q"), ":0\r\n");
            assert_eq!(world.ask("QUEUE INFLIGHT q"), "*0\r\n");
            world.leave();
            settle_all(&mut world);
            world.settle();
            world.broker.check_invariants();
            check_killed(&BURSTS[0], &world.stream, world.now, &[]);
        }
    }
}

#[test]
fn what_expires_in_many_queues_is_shown_in_none() {
    for dead_letter in ["", " dead-letter dead"] {
        let policy = format!("p key:* message-ttl-ms 100{dead_letter}");
        let mut world = World::new(&[&policy]);
        fill(&mut world);
        world.now = world.now.plus_us(100_000);
        for number in [0, 1, COUNT / 2, COUNT - 1] {
            assert_eq!(world.ask(&format!("LLEN key:{number}")), ":0\r\n");
            assert_eq!(world.ask(&format!("LPOP key:{number}")), "$-1\r\n");
        }
        assert!(world.broker.has_backlog(), "it is not done at once");
        settle_all(&mut world);
        let left = if dead_letter.is_empty() { 0 } else { COUNT };
        assert_eq!(everything(&world.broker).len(), left);
        let expired = format!("\r\nqueue_expired:{}\r\n", COUNT - left);
        assert!(world.ask("INFO").contains(&expired), "{expired}");
        assert_eq!(as_plain_lists(&world.stream).len(), left);
    }
}

/// A queue's dead letters keep their order, however few follow many.
#[test]
fn later_expirations_follow_earlier_ones() {
    let mut world = World::new(&["p q message-ttl-ms 100 dead-letter dead"]);
    world.push();
    world.now = world.now.plus_us(50_000);
    world.ask(&format!("RPUSH q {COUNT}"));
    world.now = world.now.plus_us(50_000);
    world.settle();
    assert!(world.broker.has_backlog(), "it is not done at once");
    world.now = world.now.plus_us(50_000);
    settle_all(&mut world);
    let in_order: Vec<String> = (0..=COUNT).map(|number| number.to_string()).collect();
    assert_eq!(list(&world.broker, "dead"), in_order);
    assert_eq!(as_plain_lists(&world.stream).len(), COUNT + 1);
}

/// Messages that have not expired stay on both sides of those that do.
#[test]
fn expirations_from_the_middle_are_recorded_as_such() {
    let mut world = World::new(&["p q message-ttl-ms 100 dead-letter dead"]);
    world.push();
    world.now = world.now.plus_us(50_000);
    world.ask(&format!("LPUSH q {COUNT}"));
    world.ask(&format!("RPUSH q {}", COUNT + 1));
    world.now = world.now.plus_us(50_000);
    let expected: Vec<usize> = (0..COUNT + 2).collect();
    world.settle();
    assert!(world.broker.has_backlog(), "it is not done at once");
    assert_eq!(as_plain_lists(&world.stream), expected);
    settle_all(&mut world);
    assert_eq!(list(&world.broker, "q"), [COUNT, COUNT + 1].map(|number| number.to_string()));
    assert_eq!(as_plain_lists(&world.stream), expected);
}

#[test]
fn departing_messages_move_with_their_database() {
    let policies = &["p q message-ttl-ms 100 dead-letter dead"];
    let mut world = World::new(policies);
    world.push();
    world.now = world.now.plus_us(100_000);
    world.settle();
    assert!(world.broker.has_backlog(), "it is not done at once");
    world.ask("SWAPDB 0 1");
    world.settle();
    let mut loaded = broker(policies, world.now);
    loaded.replay(&mut 0, &world.stream).expect("it loads");
    loaded.end_replay(world.now);
    while loaded.has_backlog() {
        loaded.settle(world.now);
    }
    settle_all(&mut world);
    for (name, broker) in [("as it was", &world.broker), ("loaded meanwhile", &loaded)] {
        let contents = broker.contents().into_iter();
        let lists: Vec<_> = contents.map(|(key, (messages, _))| (key, messages.len())).collect();
        assert_eq!(lists, [((1, b"dead".to_vec()), COUNT)], "{name}");
    }
    assert_eq!(as_plain_lists(&world.stream).len(), COUNT);
}

#[test]
fn there_is_capacity_as_soon_as_all_is_flushed() {
    let mut world = World::new(&["b full max-length 1 overflow block"]);
    fill(&mut world);
    assert_eq!(world.ask("RPUSH full a"), ":1\r\n");
    assert_eq!(world.ask_as(world.worker, "RPUSH full b"), "");
    assert_eq!(world.ask("FLUSHALL"), "+OK\r\n");
    world.settle();
    assert_eq!(world.ask_as(world.worker, "PING"), ":1\r\n+PONG\r\n");
    assert_eq!(list(&world.broker, "full"), ["b"]);
}

#[test]
fn a_snapshot_has_departing_messages() {
    let mut world = World::new(&["p q message-ttl-ms 100 dead-letter dead"]);
    world.push();
    world.now = world.now.plus_us(100_000);
    world.settle();
    world.broker.begin_snapshot();
    let (mut departing, mut ready) = (0, 0);
    while let Some(part) = world.broker.next_saved(1_000) {
        departing += part.departing.iter().map(|(_, list)| list.len()).sum::<usize>();
        ready += part.keys.iter().flat_map(|key| &key.value).map(|list| list.len()).sum::<usize>();
        settle_all(&mut world);
    }
    assert_eq!((departing + ready, departing > 0, ready > 0), (COUNT, true, true));
}

/// A step of a snapshot covers a limited number of bytes, wherever they are, and of empty entries.
#[test]
fn a_snapshot_is_taken_in_steps_of_messages_in_flight_and_of_empty_entries() {
    let mut world = World::new(&["p * delivery at-least-once acknowledge explicit"]);
    for number in 0..100 {
        world.ask(&format!("RPUSH {number} {}", "m".repeat(1_000)));
        world.ask(&format!("LPOP {number}"));
    }
    for number in 100..1_100 {
        world.ask(&format!("RPUSH {number} m"));
        world.ask(&format!("LPOP {number}"));
        world.ask(&format!("QUEUE ACK {number}"));
    }
    world.settle();
    world.broker.begin_snapshot();
    let mut steps = Vec::new();
    while let Some(part) = world.broker.next_saved(2_000) {
        steps.push(part.keys.len());
    }
    assert_eq!(steps.iter().sum::<usize>(), 100);
    assert!(steps.iter().all(|keys| *keys <= 2), "{steps:?}");
    assert!(steps.len() >= 50 + 20, "{steps:?}");
}

#[test]
fn departing_messages_are_flushed() {
    for has_many_keys in [false, true] {
        let mut world = World::new(&["p q message-ttl-ms 100 dead-letter dead"]);
        world.push();
        world.now = world.now.plus_us(100_000);
        world.settle();
        assert!(world.broker.has_backlog(), "it is not done at once");
        if has_many_keys {
            fill(&mut world);
        }
        assert_eq!(world.ask("FLUSHALL"), "+OK\r\n");
        world.settle();
        settle_all(&mut world);
        assert_eq!(everything(&world.broker), [0; 0]);
        assert_eq!(as_plain_lists(&world.stream), [0; 0]);
    }
}

/// A pause belongs to the queue, and moves with its database.
#[test]
fn a_queue_in_a_swapped_database_stays_paused_over_a_flush() {
    let mut world = World::new(&[]);
    fill(&mut world);
    world.ask("QUEUE PAUSE key:9 READ");
    world.ask("SWAPDB 0 1");
    world.ask("SELECT 1");
    assert_eq!(world.ask("FLUSHDB"), "+OK\r\n");
    assert_eq!(world.ask("RPUSH key:9 new"), ":1\r\n");
    assert_eq!(world.ask("LPOP key:9"), "$-1\r\n", "it is still paused");
    assert_eq!(world.ask("QUEUE RESUME key:9"), "+OK\r\n");
    assert_eq!(world.ask("LPOP key:9"), "$3\r\nnew\r\n");
    settle_all(&mut world);
}
