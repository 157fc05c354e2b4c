//! Queues under policies are the same after a kill: order, TTLs, messages in flight and their delivery
//! counts, and the policies themselves. And any other server finds each message in a list.
//!
//! Runs are made from seeds. `TIDEGATE_CRASH_SEEDS=1000` plays that many, `TIDEGATE_CRASH_SEED=n` one.

#[expect(dead_code, reason = "the crash tests use the rest")]
mod crashes {
    pub mod policies;
    pub mod script;
    pub mod story;
    pub mod watchful;
    pub mod world;
}

use crashes::policies::Drawn;
use crashes::script::{Dice, seeds};
use crashes::story::{ask, story};
use crashes::world::{World, load, state_of};
use std::collections::BTreeMap;
use tidegate::clock::Now;
use tidegate::journal::memory::MemoryDirectory;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, CloseReason, NoHost, Peer};

const SEEDS: u64 = 600;
const NEW_SEEDS: u64 = 60;
const STEPS: usize = 80;
const DAY_US: i64 = 86_400_000_000;
/// When a world begins. The broker numbers deliveries from there.
const START_MS: u64 = 1_700_000_000_000;
/// Numbers of steps whose messages may be remembered.
const RECENT: &[usize] = &[STEPS - 30, STEPS - 8, STEPS - 3];
const SETTINGS: &str = "queue-policy c c message-ttl-ms 900";

/// A policy from the table of options; that of the dead letters comes and goes as well.
fn policy(dice: &mut Dice, drawn: &mut Drawn) -> String {
    let words = match dice.below(5) {
        0 => drawn.policy_with(dice, "pd", "dead*", "message-ttl-ms"),
        pattern => {
            let name = format!("p{}", dice.below(2));
            drawn.policy(dice, &name, ["a", "b", "[ab]", "*"][pattern as usize - 1])
        }
    };
    format!("QUEUE POLICY SET {words}")
}

/// Two recently pushed messages.
fn recent(dice: &mut Dice, number: usize) -> String {
    let first = number.saturating_sub(dice.below(8) as usize);
    format!("{first} {}", first.saturating_sub(1))
}

/// A command with receipts, which are numbers from 1 on; or one that an operator sends.
fn receipt_command(dice: &mut Dice, key: &str, number: usize) -> String {
    let receipt = (START_MS << 20) + 1 + dice.below(1 + number as u64 / 2);
    match dice.below(9) {
        // No lease: its end is not that of a connection, and so it is not the same as a kill.
        0..3 => format!("QUEUE POP 1 {key} COUNT {}", 1 + dice.below(3)),
        3 => format!("QUEUE ACK {key} IDS 2 {receipt} {}", receipt + 1),
        4 => format!("QUEUE NACK {key} IDS 2 {receipt} {} SILENT", receipt + 1),
        5 => format!("QUEUE NACK {key} IDS 1 {receipt} FATAL"),
        6 => format!("QUEUE MOVE dead ORIGIN COUNT {}", 1 + dice.below(3)),
        7 => format!(
            "QUEUE PURGE {key} {}",
            ["READY", "DELAYED", "INFLIGHT"][dice.below(3) as usize]
        ),
        _ => format!("QUEUE PAUSE {key} WRITE FOR {}", 1 + dice.below(300)),
    }
}

fn command(dice: &mut Dice, drawn: &mut Drawn, number: usize, rewrites: bool) -> String {
    let key = |dice: &mut Dice| ["a", "a", "b", "c"][dice.below(4) as usize];
    let (one, other) = (key(dice), key(dice));
    match dice.below(33) {
        0..8 => format!("RPUSH {one} {number}"),
        8..10 => format!("LPUSH {one} {number} {number}x"),
        10 if dice.below(2) == 0 => receipt_command(dice, one, number),
        10..14 => format!("LPOP {one}"),
        14 => format!("RPOP {one} 2"),
        15..17 => format!("BLPOP {one} {other} 0.5"),
        17 if dice.below(2) == 0 => format!("QUEUE NACK {one} VALUE {}", recent(dice, number)),
        17 => format!("QUEUE NACK {one}"),
        18 if dice.below(2) == 0 => format!("QUEUE ACK {one} VALUE {}", recent(dice, number)),
        18 => format!("QUEUE ACK {one}"),
        19 if dice.below(2) == 0 => {
            let delay_ms = [10, 300, 900][dice.below(3) as usize];
            let count = 1 + dice.below(3);
            match dice.below(4) {
                0 => format!("QUEUE NACK {one} COUNT {count} DELAY {delay_ms}"),
                1 => {
                    format!("QUEUE PUSH {one} LEFT DELAY {delay_ms} MESSAGES 2 {number} {number}d")
                }
                2 => format!("QUEUE PUSH {one} ID {} MESSAGES 1 {number}", number / 20),
                _ => format!("QUEUE PUSH {one} DELAY {delay_ms} MESSAGES 1 {number}"),
            }
        }
        19 => format!("LMOVE {one} {other} LEFT RIGHT"),
        20 => format!("RENAME {one} {other}"),
        21 if dice.below(3) == 0 => format!("PEXPIRE {one} {}", 1 + dice.below(900)),
        21 => "RESET".into(),
        22 => policy(dice, drawn),
        23 if dice.below(3) == 0 => format!("QUEUE POLICY DEL p{}", dice.below(2)),
        23 => format!("LREM {one} 1 {number}"),
        24 if rewrites => "BGREWRITEAOF".into(),
        24 => format!("RPUSH {one} {} {}", number / 2, number / 2),
        25 => format!("MULTI\r\nLPOP {one}\r\nRPUSH {other} {number}\r\nEXEC"),
        26 if dice.below(4) == 0 => "SWAPDB 0 1".into(),
        26 => format!("SELECT {}", dice.below(2)),
        27 => format!("LINSERT {one} BEFORE {} {number}i", number / 2),
        28 if dice.below(4) == 0 => format!("DEL {one}"),
        28 => format!("LTRIM {one} 0 3"),
        29 => {
            let direction = ["READ", "WRITE", "ALL"][dice.below(3) as usize];
            let span = ["", " FOR 3", " FOR 400"][dice.below(3) as usize];
            format!("QUEUE PAUSE {one} {direction}{span}")
        }
        30 => format!("QUEUE RESUME {one}"),
        31 if dice.below(3) == 0 => {
            let kinds = ["", " READY", " DELAYED", " INFLIGHT", " DELAYED INFLIGHT"];
            format!("QUEUE PURGE {one}{}", kinds[dice.below(5) as usize])
        }
        // All are different: see `story`.
        _ => format!("RPUSH {one} {number}a {number}b {number}c"),
    }
}

/// Plays a run, and lets the journal write everything.
fn play(seed: u64, drawn: &mut Drawn, rewrites: bool) -> World {
    let mut dice = Dice(seed);
    let mut world = World::new(MemoryDirectory::new(), SETTINGS).expect("a new directory");
    let first = policy(&mut dice, drawn);
    println!("{first}");
    assert!(world.turn(0, &format!("{first}\r\n")));
    for number in 0..STEPS {
        let client = dice.below(3) as usize;
        let request = command(&mut dice, drawn, number, rewrites);
        // Shown with the failure.
        println!("{} {client}> {request}", world.now.unix_ms());
        assert!(world.turn(client, &format!("{request}\r\n")));
        if dice.below(3) == 0 {
            assert!(world.wait([1_000, 20_000, 250_000][dice.below(3) as usize]));
        }
        if dice.below(2) == 0 {
            assert!(world.work());
        }
        if dice.below(40) == 0 {
            let days = dice.below(5) as i64 - 2;
            println!("the calendar is set by {days} days");
            world.now.unix_us = world.now.unix_us.saturating_add_signed(days * DAY_US);
            assert!(world.wait(0));
        }
    }
    // A rewrite in progress may hold changes back, unanswered.
    while world.has_jobs() {
        assert!(world.work());
    }
    assert!(world.wait(0));
    world
}

#[test]
fn a_kill_changes_only_messages_in_flight() {
    let mut drawn = Drawn::default();
    for seed in seeds(SEEDS, NEW_SEEDS) {
        // A rewrite forgets which messages were there, as `docs/policies.md` says.
        let repeats = seed.is_multiple_of(2);
        let again = if repeats { RECENT } else { &[] };
        let mut world = play(seed, &mut drawn, !repeats);
        let killed = world.directory.after_kill();
        // The same happens if the connections are lost but not the broker.
        world.disconnect_all(CloseReason::PeerClosed);
        let now = world.now;
        let (mut loaded, _) = load(&killed, SETTINGS, now).expect("it loads");
        let found = story(&mut loaded, now, again);
        let expected = story(&mut world.broker, now, again);
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected, "TIDEGATE_CRASH_SEED={seed}: loaded, and as it was");
        }
    }
    drawn.check();
}

/// What another server sees that ignores notes: all messages by list, with messages in flight and
/// delayed ones in separate lists.
fn as_plain_lists(broker: &Broker) -> BTreeMap<(usize, Vec<u8>), Vec<Vec<u8>>> {
    let lists = broker.contents().into_iter().chain(broker.hidden_contents());
    lists.map(|(key, (messages, _))| (key, messages)).collect()
}

#[test]
fn another_server_finds_every_message_in_a_list() {
    let drawn = &mut Drawn::default();
    for seed in seeds(SEEDS, NEW_SEEDS) {
        let mut world = World::new(MemoryDirectory::new(), SETTINGS).expect("a new directory");
        let mut dice = Dice(seed);
        let reader = world.broker.read_effects();
        assert!(world.turn(0, &format!("{}\r\n", policy(&mut dice, drawn))));
        // A broker without policies runs the effects as requests, with its system time at zero.
        let start = Now { unix_us: 0, monotonic_us: 0 };
        let mut other = Broker::new(Settings::default(), 3, Box::new(NoHost), start);
        let id = other.connect(0, Peer::in_process(), start);
        let mut now = crashes::world::START;
        let mut broker = world.broker;
        let clients: Vec<_> =
            (0..3).map(|slot| broker.connect(slot + 10, Peer::in_process(), now)).collect();
        for number in 0..STEPS {
            let client = clients[dice.below(3) as usize];
            ask(&mut broker, client, &command(&mut dice, drawn, number, true), now);
            now = now.plus_us([0, 1_000, 250_000][dice.below(3) as usize]);
            broker.settle(now);
        }
        let mut stream = Vec::new();
        broker.take_effects(&reader, &mut stream);
        other.receive(id, &stream, start);
        other.settle(start);
        let replies = other.outbox(id).map(|output| output.take_all()).unwrap_or_default();
        let replies = String::from_utf8_lossy(&replies);
        let is_error = |line: &str| line.starts_with("-ERR") || line.starts_with("-WRONGTYPE");
        let errors: Vec<&str> = replies.lines().filter(|line| is_error(line)).collect();
        assert!(errors.is_empty(), "TIDEGATE_CRASH_SEED={seed}: effects were refused: {errors:?}");
        let (found, expected) = (as_plain_lists(&other), as_plain_lists(&broker));
        assert_eq!(found, expected, "TIDEGATE_CRASH_SEED={seed}");
    }
}

/// Equal messages in flight must each keep their position: if the wrong one was removed, the last one in
/// the files is not the last one here, and acknowledging it loses another.
#[test]
fn equal_messages_in_flight_are_not_taken_for_each_other() {
    let settings = "queue-policy f a delivery at-least-once acknowledge explicit";
    for seed in seeds(60, 20) {
        println!("TIDEGATE_CRASH_SEED={seed}");
        let mut dice = Dice(seed);
        let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
        // Above 64, they are looked up differently.
        let len = [8, 150][dice.below(2) as usize];
        let long = "l".repeat(200);
        for number in 0..len {
            let message =
                ["x", "y", &long, &number.to_string()][dice.below(4) as usize].to_string();
            let end = ["LPOP", "LPOP", "RPOP"][dice.below(3) as usize];
            let client = dice.below(3) as usize;
            assert!(world.turn(client, &format!("RPUSH a {message} {number}z\r\n{end} a\r\n")));
        }
        for _ in 0..dice.below(len) {
            let verb = ["ACK", "ACK", "NACK"][dice.below(3) as usize];
            let which = ["", " VALUE x y", " VALUE y"][dice.below(3) as usize];
            let client = dice.below(3) as usize;
            assert!(world.turn(client, &format!("QUEUE {verb} a{which}\r\n")));
        }
        world.rest();
        let (killed, now) = (world.directory.after_kill(), world.now);
        // Without the policy these are plain lists.
        let (other, _) = load(&killed, "", now).expect("it loads");
        assert_eq!(as_plain_lists(&other), as_plain_lists(&world.broker));
        world.disconnect_all(CloseReason::PeerClosed);
        let (mut loaded, _) = load(&killed, settings, now).expect("it loads");
        assert_eq!(story(&mut loaded, now, &[]), story(&mut world.broker, now, &[]));
    }
}

#[test]
fn what_was_stored_before_a_kill_is_not_stored_again() {
    let settings = "queue-policy d a dedup-window-ms 10000";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH a once\r\nLPOP a\r\n"));
    assert!(world.wait(1_000_000));
    let mut now = world.now;
    let (mut loaded, _) = load(&world.directory.after_kill(), settings, now).expect("it loads");
    let id = loaded.connect(0, Peer::in_process(), now);
    assert_eq!(ask(&mut loaded, id, "RPUSH a once", now), ":0 ");
    now = now.plus_us(9_000_000);
    assert_eq!(ask(&mut loaded, id, "RPUSH a once", now), ":1 ", "the window is over");
}

/// The window starts with the push, not with the end of the delay.
#[test]
fn what_was_delayed_before_a_kill_is_not_stored_again() {
    let settings = "queue-policy d a dedup-window-ms 10000 delay-ms 3000";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH a once\r\n"));
    for (ms, expected) in [(9_999, ":1 "), (10_000, ":2 ")] {
        let (mut loaded, _) =
            load(&world.directory.after_kill(), settings, world.now).expect("it loads");
        let now = world.now.plus_us(ms * 1_000);
        let id = loaded.connect(0, Peer::in_process(), now);
        assert_eq!(ask(&mut loaded, id, "RPUSH a once", now), expected, "{ms} ms later");
    }
}

/// A retry keeps its moment and its count, whether its message is the first in flight, the last, or between
/// others.
#[test]
fn a_kill_keeps_when_a_message_is_delivered_again() {
    let settings = "queue-policy f a delivery at-least-once acknowledge explicit delivery-limit 2 \
                    retry-delay-ms 30000 dead-letter dead";
    for rewrite in ["PING", "BGREWRITEAOF"] {
        let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
        assert!(world.turn(0, "RPUSH a p q r s t u\r\nLPOP a 5\r\n"));
        let returned = world.now;
        assert!(world.turn(0, "QUEUE NACK a VALUE r\r\nQUEUE NACK a VALUE p t\r\n"));
        assert!(world.turn(0, &format!("QUEUE ACK a VALUE q s\r\n{rewrite}\r\n")));
        world.rest();
        for (ms, expected) in [(29_999, "*1 $1 u "), (30_000, "*4 $1 p $1 r $1 t $1 u ")] {
            let now = world.now;
            let killed = world.directory.after_kill();
            let (mut loaded, _) = load(&killed, settings, now).expect("it loads");
            loaded.allow_changes(u64::MAX, None, None);
            let lists = as_plain_lists(&loaded);
            let delayed = lists.get(&(0, b"a:delayed".to_vec())).map(|list| list.concat());
            assert_eq!(delayed.as_deref(), Some(&b"rpt"[..]));
            let now = returned.plus_us(ms * 1_000);
            loaded.settle(now);
            let id = loaded.connect(0, Peer::in_process(), now);
            assert_eq!(ask(&mut loaded, id, "LRANGE a 0 -1", now), expected, "{ms} ms later");
            ask(&mut loaded, id, "LPOP a 10", now);
            ask(&mut loaded, id, "QUEUE NACK a COUNT 10", now);
            let dead = ask(&mut loaded, id, "LRANGE dead 0 -1", now);
            let again = if ms < 30_000 { "*0 " } else { "*3 $1 p $1 r $1 t " };
            assert_eq!(dead, again, "these were delivered twice");
        }
    }
}

/// The id is remembered, and not the messages.
#[test]
fn an_id_that_was_stored_before_a_kill_is_not_stored_again() {
    let settings = "queue-policy d a dedup-window-ms 10000 delay-ms 600";
    for delay in ["", "DELAY 0 ", "DELAY 3000 "] {
        let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
        let push = format!("QUEUE PUSH a {delay}ID i MESSAGES 2 x y");
        // The second push is joined with the first one in the files.
        let next = format!("QUEUE PUSH a {delay}MESSAGES 1 z");
        assert!(world.turn(0, &format!("{push}\r\n{next}\r\nLPOP a\r\n")));
        for ms in [9_999, 10_000] {
            let (mut loaded, _) =
                load(&world.directory.after_kill(), settings, world.now).expect("it loads");
            let now = world.now.plus_us(ms * 1_000);
            let id = loaded.connect(0, Peer::in_process(), now);
            let (again, all) = if ms < 10_000 { (":0 ", ":1 ") } else { (":2 ", ":2 ") };
            assert_eq!(ask(&mut loaded, id, &push, now), again, "{delay}{ms} ms later");
            let other = "QUEUE PUSH a ID j MESSAGES 2 i z";
            assert_eq!(ask(&mut loaded, id, other, now), ":2 ", "an id is no message");
            let push = "QUEUE PUSH a MESSAGES 2 x z";
            assert_eq!(ask(&mut loaded, id, push, now), all, "{delay}{ms} ms later");
        }
    }
}

/// The window starts with the push, whatever the delay, and however the release was recorded.
#[test]
fn a_release_before_a_kill_is_no_new_push() {
    let settings = "queue-policy d a dedup-window-ms 10000 delay-ms 1";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    let delayed = |ms, message| format!("QUEUE PUSH a DELAY {ms} MESSAGES 1 {message}\r\n");
    let pushes = [delayed(60_000, "x"), delayed(4_000, "once"), delayed(60_000, "y")];
    assert!(world.turn(0, &pushes.concat()));
    assert!(world.wait(5_000_000));
    assert_eq!(world.broker.contents().len(), 1, "it is ready");
    for (ms, expected) in [(4_999, ":0 "), (5_000, ":1 ")] {
        let (mut loaded, _) =
            load(&world.directory.after_kill(), settings, world.now).expect("it loads");
        let now = world.now.plus_us(ms * 1_000);
        let id = loaded.connect(0, Peer::in_process(), now);
        let push = "QUEUE PUSH a MESSAGES 1 once";
        assert_eq!(ask(&mut loaded, id, push, now), expected, "{ms} ms later");
    }
}

/// The counters belonged to the old process.
#[test]
fn counts_begin_anew_after_a_kill() {
    let settings = "queue-policy f a delivery at-least-once acknowledge explicit";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH a x y\r\nLPOP a\r\n"));
    let (mut loaded, _) =
        load(&world.directory.after_kill(), settings, world.now).expect("it loads");
    let id = loaded.connect(0, Peer::in_process(), world.now);
    let info = ask(&mut loaded, id, "QUEUE INFO a", world.now);
    assert!(info.contains("$6 length :2 ") && info.contains("$6 pushed :0 "), "{info}");
    assert!(info.contains("$9 delivered :0 "), "{info}");
    let info = ask(&mut loaded, id, "INFO", world.now);
    assert!(info.contains(" queue_pushed:0 ") && info.contains(" queue_delivered:0 "), "{info}");
}

/// A message returned to an empty queue restores the queue's expiry.
#[test]
fn the_expiry_of_returned_messages_survives_a_kill() {
    let settings = "queue-policy f a delivery at-least-once acknowledge explicit";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH a x\r\nPEXPIRE a 100000\r\nLPOP a\r\nQUEUE NACK a\r\n"));
    let (loaded, _) = load(&world.directory.after_kill(), settings, world.now).expect("it loads");
    let contents = world.broker.contents();
    assert!(contents.values().all(|(_, expires_ms)| expires_ms.is_some()));
    assert_eq!((loaded.contents(), contents.len()), (contents, 1));
    // A rewrite keeps it while the queue is empty.
    let (loaded, _) = rewritten(settings, "RPUSH a x\r\nPEXPIRE a 100000\r\nLPOP a");
    assert!(loaded.contents().values().all(|(_, expires_ms)| expires_ms.is_some()));
    assert_eq!(loaded.message_count(), 1);
}

/// For a message returned between many others, or behind them, which are not rewritten for it.
#[test]
fn a_kill_keeps_how_often_one_among_others_was_delivered() {
    let settings = "queue-policy f a delivery at-least-once acknowledge explicit delivery-limit 2";
    for one in ["m", "v"] {
        let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
        let all = "b c d e f g h i j k l m n o p q r s t u v";
        let others = all.replace(&format!(" {one}"), "");
        assert!(world.turn(0, &format!("RPUSH a {all}\r\nLPOP a 100\r\n")));
        let back = format!("QUEUE NACK a VALUE {others}\r\nQUEUE NACK a VALUE {one}\r\n");
        assert!(world.turn(0, &back));
        let killed = world.directory.after_kill();
        let (mut loaded, _) = load(&killed, settings, world.now).expect("it loads");
        loaded.check_invariants();
        loaded.allow_changes(u64::MAX, None, None);
        let id = loaded.connect(0, Peer::in_process(), world.now);
        let taken = ask(&mut loaded, id, "LPOP a 100", world.now);
        assert_eq!(taken.replace("$1 ", ""), format!("*21 {all} "));
        ask(&mut loaded, id, "QUEUE NACK a COUNT 100", world.now);
        assert_eq!(ask(&mut loaded, id, "LRANGE a 0 -1", world.now), "*0 ", "all twice");
    }
}

/// Plays requests, rewrites the files, and loads them after a kill.
fn rewritten(settings: &str, requests: &str) -> (Broker, Now) {
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    assert!(world.turn(0, &format!("{requests}\r\nBGREWRITEAOF\r\n")));
    world.rest();
    let killed = world.directory.after_kill();
    let (mut loaded, _) = load(&killed, settings, world.now).expect("it loads");
    // There is no journal any more to say how much space there is.
    loaded.allow_changes(u64::MAX, None, None);
    (loaded, world.now)
}

/// More messages in flight than fit one command of a file.
#[test]
fn a_rewrite_keeps_how_often_each_was_delivered() {
    let settings = "queue-policy f a delivery at-least-once acknowledge explicit delivery-limit 3";
    let numbers: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let twice = "LPOP a 70\r\nQUEUE NACK a COUNT 70\r\nLPOP a 70";
    let requests = format!("RPUSH a {}\r\n{twice}\r\nLPOP a 30", numbers.join(" "));
    let (mut loaded, now) = rewritten(settings, &requests);
    let id = loaded.connect(0, Peer::in_process(), now);
    assert!(ask(&mut loaded, id, "LPOP a 100", now).starts_with("*100 "));
    ask(&mut loaded, id, "QUEUE NACK a COUNT 100", now);
    assert_eq!(ask(&mut loaded, id, "LLEN a", now), ":30 ", "the others have been given up");
    assert!(ask(&mut loaded, id, "LRANGE a 0 -1", now).starts_with("*30 $2 70 $2 71 "));
}

/// The next delivery returns behind earlier ones.
#[test]
fn a_rewrite_keeps_the_number_of_deliveries() {
    let settings = "queue-policy f a delivery at-least-once acknowledge explicit";
    let again = "LPOP a\r\nQUEUE NACK a\r\n".repeat(5);
    let requests = format!("RPUSH a x y z\r\n{again}LPOP a 2\r\nQUEUE NACK a COUNT 2");
    let (mut loaded, now) = rewritten(settings, &requests);
    let id = loaded.connect(0, Peer::in_process(), now);
    ask(&mut loaded, id, "LPOP a 3", now);
    ask(&mut loaded, id, "QUEUE NACK a COUNT 3", now);
    assert_eq!(ask(&mut loaded, id, "LRANGE a 0 -1", now), "*3 $1 x $1 y $1 z ");
}

#[test]
fn what_was_not_stored_is_not_there_after_a_kill() {
    let settings = "queue-policy d a dedup-window-ms 10000";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH a once\r\nRPUSH a once\r\nLPUSH a once once\r\nLLEN a\r\n"));
    assert!(world.turn(0, "MULTI\r\nRPUSH a once\r\nEXEC\r\nRPUSHX a once\r\n"));
    let (loaded, _) = load(&world.directory.after_kill(), settings, world.now).expect("it loads");
    assert_eq!(loaded.contents(), world.broker.contents());
    assert_eq!(loaded.message_count(), 1);
}

/// A flush removes everything, even if nothing is ready.
#[test]
fn delayed_messages_are_flushed_for_good() {
    let settings = "queue-policy d a delay-ms 10000\n\
                    queue-policy f b delivery at-least-once acknowledge next-pop";
    for push in ["RPUSH a x", "RPUSH b x\r\nLPOP b"] {
        for flush in ["FLUSHALL", "FLUSHDB"] {
            let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
            assert!(world.turn(0, &format!("{push}\r\n")));
            assert!(world.turn(0, &format!("{flush}\r\n")));
            let killed = world.directory.after_kill();
            let (loaded, _) = load(&killed, settings, world.now).expect("it loads");
            assert!(state_of(&loaded).is_empty(), "{push}, {flush}: {:?}", state_of(&loaded));
        }
    }
}

/// Delayed messages are removed with the key, also during loading.
#[test]
fn the_expiry_of_a_key_removes_delayed_messages() {
    let settings = "queue-policy d a delay-ms 500";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH a early\r\n") && world.wait(600_000));
    assert!(world.turn(0, "PEXPIRE a 100\r\nRPUSH a late\r\n") && world.wait(200_000));
    for later_us in [0, 400_000] {
        assert!(world.wait(later_us));
        let killed = world.directory.after_kill();
        let (loaded, _) = load(&killed, settings, world.now).expect("it loads");
        assert_eq!(state_of(&loaded), state_of(&world.broker), "{later_us} µs later");
        assert_eq!(state_of(&loaded).len(), 0, "{later_us} µs later");
    }
}

#[test]
fn with_always_a_policy_is_on_the_disk_before_its_reply() {
    let settings = "appendfsync always\nqueue-policy fixed q";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    let mut expected = String::new();
    let changes =
        [("SET p q max-length 1", "+OK\r\n"), ("DEL p", ":1\r\n"), ("DEL fixed", ":1\r\n")];
    for (change, reply) in changes {
        assert!(world.turn(0, &format!("QUEUE POLICY {change}\r\n")));
        assert_eq!(world.replies, expected, "{change} is answered before it is written");
        while world.has_jobs() {
            assert!(world.work());
            assert!(world.wait(1_000));
        }
        expected += reply;
        assert_eq!(world.replies, expected);
    }
}

#[test]
fn with_always_a_blocked_push_is_on_the_disk_before_its_reply() {
    let settings = "appendfsync always\nqueue-policy b a max-length 1 overflow block";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH a x\r\n"));
    world.rest();
    world.replies.clear();
    assert!(world.turn(1, "RPUSH a y\r\n") && world.turn(2, "LPOP a\r\n"));
    assert_eq!(world.replies, "", "it is answered before it is written");
    world.rest();
    assert!(world.replies.contains(":1\r\n") && world.replies.contains("$1\r\nx\r\n"));
}

/// A policy changed in the settings stays changed after a kill, although it was set differently before.
#[test]
fn a_policy_that_was_set_is_forgotten_for_good() {
    let mut world =
        World::new(MemoryDirectory::new(), "queue-policy p a max-length 5").expect("a directory");
    assert!(world.turn(0, "QUEUE POLICY SET p a max-length 1\r\n"));
    assert!(world.turn(0, "CONFIG SET queue-policy \"p a max-length 2\"\r\n"));
    let (mut loaded, _) =
        load(&world.directory.after_kill(), "queue-policy p a max-length 2", world.now)
            .expect("it loads");
    let id = loaded.connect(0, Peer::in_process(), world.now);
    let policy = ask(&mut loaded, id, "QUEUE POLICY OF a", world.now);
    assert!(policy.contains("max-length $1 2 "), "{policy}");
}

/// A redis-server that rewrote the files kept the lists, but not the notes.
#[test]
fn messages_without_notes_are_ready_when_loaded() {
    let text = "queue-policy work q delivery at-least-once acknowledge next-pop message-ttl-ms 1000 ; \
                later l delay-ms 1000 message-ttl-ms 1000";
    let settings = Settings::from_text(text, "the test's settings").expect("valid settings");
    let now = crashes::world::START;
    let mut broker = Broker::new(settings, 9, Box::new(NoHost), now);
    let commands = b"RPUSH q:inflight a b\r\nRPUSH q c\r\nRPUSH l:delayed d e\r\n";
    broker.replay(&mut 0, commands).expect("it loads");
    broker.end_replay(now);
    broker.settle(now);
    let id = broker.connect(7, Peer::in_process(), now);
    for (ms, q, l) in [
        (0, &["a", "b", "c"][..], &["d", "e"][..]),
        (999, &["a", "b", "c"], &["d", "e"]),
        (1000, &[], &[]),
    ] {
        let now = now.plus_us(ms * 1000);
        for (key, messages) in [("q", q), ("l", l)] {
            let bulks = messages.iter().map(|message| format!("$1 {message} "));
            let expected = format!("*{} {}", messages.len(), bulks.collect::<String>());
            assert_eq!(ask(&mut broker, id, &format!("LRANGE {key} 0 -1"), now), expected);
        }
    }
}

/// The ready time is then recorded: it does not start again with each start.
#[test]
fn messages_without_notes_get_notes_when_loaded() {
    let text = "queue-policy work q message-ttl-ms 1000";
    let settings = Settings::from_text(text, "the test's settings").expect("valid settings");
    let mut stream = b"RPUSH q a\r\n".to_vec();
    for (ms, count) in [(0, 1), (999, 1), (1000, 0)] {
        let now = crashes::world::START.plus_us(ms * 1000);
        let mut broker = Broker::new(settings.clone(), 9, Box::new(NoHost), now);
        broker.replay(&mut 0, &stream).expect("it loads");
        let reader = broker.read_effects();
        broker.end_replay(now);
        broker.take_effects(&reader, &mut stream);
        broker.settle(now);
        assert_eq!(broker.message_count(), count, "{ms} ms later");
    }
}

/// Another program that appended to the files does not know the meaning of these lists.
#[test]
fn changes_of_another_server_to_the_separate_lists_apply() {
    let settings = "queue-policy f q delivery at-least-once acknowledge next-pop delay-ms 50";
    let now = crashes::world::START;
    for (appended, expected) in [
        ("RENAME q:inflight x", "x=a,b q=c"),
        ("DEL q:inflight", "q=c"),
        ("LTRIM q:inflight 1 1", "q:inflight=b q=c"),
        ("LSET q:inflight 0 z", "q:inflight=z,b q=c"),
        ("RPOPLPUSH q:inflight q", "q:inflight=a q=b,c"),
        ("LPOP q:inflight", "q=b,c"),
        ("RENAME q:delayed x", "x=c q=a,b"),
        ("COPY q:delayed x", "q:delayed=c x=c q=a,b"),
    ] {
        let settings = Settings::from_text(settings, "the test's settings").expect("valid");
        let mut broker = Broker::new(settings, 3, Box::new(NoHost), now);
        let lines = ["RPUSH q:delayed c", "RPUSH q:inflight a b", appended];
        let stream = lines.map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let args = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
            format!("*{}\r\n{}", words.len(), args.collect::<String>())
        });
        let replayed = broker.replay(&mut 0, stream.concat().as_bytes());
        assert_eq!(replayed, Ok(()), "{appended}");
        broker.end_replay(now);
        broker.settle(now.plus_us(100_000));
        broker.check_invariants();
        let mut lists: Vec<String> = as_plain_lists(&broker)
            .iter()
            .map(|((_, key), messages)| {
                let texts: Vec<_> = messages.iter().map(|m| String::from_utf8_lossy(m)).collect();
                format!("{}={}", String::from_utf8_lossy(key), texts.join(","))
            })
            .collect();
        let mut expected: Vec<&str> = expected.split(' ').collect();
        lists.sort();
        expected.sort();
        assert_eq!(lists, expected, "{appended}");
    }
}

/// As they were recorded when all delays of a queue were the same, and in base files.
#[test]
fn delayed_messages_as_they_were_recorded_before_load() {
    let settings = "queue-policy w q delay-ms 1000";
    let settings = Settings::from_text(settings, "the test's settings").expect("valid");
    let now = crashes::world::START;
    let mut broker = Broker::new(settings, 3, Box::new(NoHost), now);
    let mut replay = |words: &[&str]| {
        let args = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        let command = format!("*{}\r\n{}", words.len(), args.collect::<String>());
        assert_eq!(broker.replay(&mut 0, command.as_bytes()), Ok(()), "{words:?}");
    };
    let note = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let args = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        format!("*{}\r\n{}", words.len(), args.collect::<String>())
    };
    let mark = "tidegate:removed:0123456789abcdef0123456789abcdef";
    let ms = (now.unix_ms() + 500).to_string();
    replay(&["RPUSH", "q:delayed", "a", "b", "c"]);
    let stamped = format!("tidegate stamped q:delayed right 2 {ms} 0 0 0 left 1 {ms} 0 0 0 right");
    replay(&["ECHO", &note(&stamped)]);
    replay(&["ECHO", &note(&format!("tidegate delayed q {ms} right"))]);
    replay(&["RPUSH", "q:delayed", "d", "e", "f", "g", "h"]);
    replay(&["LSET", "q:delayed", "1", mark]);
    replay(&["LSET", "q:delayed", "2", mark]);
    replay(&["LREM", "q:delayed", "2", mark]);
    replay(&["LPOP", "q:delayed", "2"]);
    replay(&["RPOP", "q:delayed", "1"]);
    replay(&["LMOVE", "q:delayed", "q", "LEFT", "RIGHT"]);
    broker.end_replay(now);
    broker.check_invariants();
    let text = |broker: &Broker, key: &[u8]| {
        as_plain_lists(broker).get(&(0, key.to_vec())).map(|list| list.concat())
    };
    assert_eq!(text(&broker, b"q").as_deref(), Some(&b"e"[..]));
    assert_eq!(text(&broker, b"q:delayed").as_deref(), Some(&b"fg"[..]));
    broker.settle(now.plus_us(499_000));
    assert_eq!(text(&broker, b"q").as_deref(), Some(&b"e"[..]));
    broker.settle(now.plus_us(500_000));
    assert_eq!(text(&broker, b"q").as_deref(), Some(&b"efg"[..]));
}

/// Some forms have become shorter since; a file may have both.
#[test]
fn deliveries_as_they_were_recorded_before_load() {
    let settings = "queue-policy w q delivery at-least-once acknowledge explicit";
    let settings = Settings::from_text(settings, "the test's settings").expect("valid");
    let now = crashes::world::START;
    let mut broker = Broker::new(settings, 3, Box::new(NoHost), now);
    let mut replay = |words: &[&str]| {
        let args = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        let command = format!("*{}\r\n{}", words.len(), args.collect::<String>());
        assert_eq!(broker.replay(&mut 0, command.as_bytes()), Ok(()), "{words:?}");
    };
    let mark = "tidegate:removed:0123456789abcdef0123456789abcdef";
    replay(&["ECHO", "*4\r\n$8\r\ntidegate\r\n$5\r\nready\r\n$1\r\nq\r\n$13\r\n1600000000000\r\n"]);
    replay(&["RPUSH", "q", "a", "b", "b", "c", "d"]);
    (0..4).for_each(|_| replay(&["LMOVE", "q", "q:inflight", "LEFT", "RIGHT"]));
    replay(&["LSET", "q:inflight", "1", mark]);
    replay(&["LREM", "q:inflight", "1", mark]);
    replay(&["LPOP", "q:inflight"]);
    replay(&["ECHO", "tidegate ready 1600000000001 q"]);
    replay(&["RPUSH", "q:inflight", "e"]);
    let text = |messages: Option<&Vec<Vec<u8>>>| messages.map(|list| list.concat());
    let lists = as_plain_lists(&broker);
    assert_eq!(text(lists.get(&(0, b"q:inflight".to_vec()))), Some(b"bce".to_vec()));
    assert_eq!(text(lists.get(&(0, b"q".to_vec()))), Some(b"d".to_vec()));
    broker.end_replay(now);
    broker.settle(now);
    broker.check_invariants();
    let lists = as_plain_lists(&broker);
    assert_eq!(text(lists.get(&(0, b"q".to_vec()))), Some(b"bced".to_vec()));
    assert_eq!(lists.len(), 1);
}

/// A lease ends with the broker, and its receipt is over. That of a later delivery is larger, even if the files
/// have lost their end.
#[test]
fn leases_end_and_receipts_are_not_reused() {
    let settings = "queue-policy p a delivery at-least-once acknowledge explicit";
    let mut receipts = Vec::new();
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH a x y z\r\n"));
    world.rest();
    let before = world.directory.after_kill();
    assert!(world.turn(0, "QUEUE POP 1 a COUNT 2 LEASE 60000\r\n"));
    world.rest();
    for killed in [world.directory.after_kill(), before] {
        let now = world.now.plus_us(1_000);
        let (mut loaded, _) = load(&killed, settings, now).expect("it loads");
        loaded.allow_changes(u64::MAX, None, None);
        let id = loaded.connect(0, Peer::in_process(), now);
        assert_eq!(ask(&mut loaded, id, "LRANGE a 0 -1", now), "*3 $1 x $1 y $1 z ");
        let first = START_MS << 20;
        let ack = format!("QUEUE ACK a IDS 2 {} {}", first + 1, first + 2);
        assert_eq!(ask(&mut loaded, id, &ack, now), ":0 ");
        let popped = ask(&mut loaded, id, "QUEUE POP 1 a", now);
        let number = popped.split(' ').find_map(|word| word.parse::<u64>().ok());
        receipts.push(number.expect("a receipt"));
    }
    assert!(receipts.iter().all(|receipt| *receipt > (START_MS << 20) + 2), "{receipts:?}");
}

/// A delayed message that looks like a mark of the files is removed as any other.
#[test]
fn a_message_that_looks_like_a_mark() {
    let settings = "queue-policy p a delivery at-least-once acknowledge explicit";
    let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
    for (message, delay_ms) in [("first", 60_000), ("tidegate:job", 1_000), ("last", 60_000)] {
        let push = format!("QUEUE PUSH a DELAY {delay_ms} MESSAGES 1 {message}\r\n");
        assert!(world.turn(0, &push));
    }
    assert!(world.wait(2_000_000));
    assert!(world.turn(0, "LPOP a\r\nQUEUE ACK a\r\n"));
    world.rest();
    let (mut loaded, _) =
        load(&world.directory.after_kill(), settings, world.now).expect("it loads");
    let id = loaded.connect(0, Peer::in_process(), world.now);
    assert_eq!(ask(&mut loaded, id, "LLEN a", world.now), ":0 ");
}

/// A pause with a time ends when it would have, though the broker was not there meanwhile.
#[test]
fn a_pause_survives_a_kill_and_a_rewrite() {
    for rewrite in ["", "BGREWRITEAOF\r\n"] {
        // One queue has a policy, one a list, one nothing.
        let mut world = World::new(MemoryDirectory::new(), SETTINGS).expect("a new directory");
        let pauses =
            "QUEUE PAUSE c READ FOR 1000\r\nQUEUE PAUSE a WRITE\r\nQUEUE PAUSE dead FOR 2000";
        assert!(world.turn(0, &format!("RPUSH c x\r\nRPUSH a y\r\n{pauses}\r\n{rewrite}")));
        while world.has_jobs() {
            assert!(world.work());
        }
        let killed = world.directory.after_kill();
        for (ms, expected) in [
            (400, ["read 600", "write", "all 1600"]),
            (1_500, ["none", "write", "all 500"]),
            (2_500, ["none", "write", "none"]),
        ] {
            let now = world.now.plus_us(ms * 1_000);
            let (mut loaded, _) = load(&killed, SETTINGS, now).expect("it loads");
            let id = loaded.connect(0, Peer::in_process(), now);
            let told = ["c", "a", "dead"].map(|key| paused(&mut loaded, id, key, now));
            assert_eq!(told, expected, "after {ms} ms");
        }
    }
}

/// The pauses of a queue, and for how long.
fn paused(broker: &mut Broker, id: ClientId, key: &str, now: Now) -> String {
    let info = ask(broker, id, &format!("QUEUE INFO {key}"), now);
    let told = info.split(" paused ").nth(1).expect("QUEUE INFO says so").to_string();
    let mut words = told.split(' ').skip(1);
    let (direction, _, ms) = (words.next(), words.nth(1), words.next());
    let ms = ms.and_then(|ms| ms.strip_prefix(':')).map(|ms| format!(" {ms}"));
    format!("{}{}", direction.unwrap_or_default(), ms.unwrap_or_default())
}

const ONCE: &str = "queue-policy f a delivery at-least-once acknowledge explicit delivery-limit 1 dead-letter dead";

fn lengths(directory: &MemoryDirectory, now: Now) -> [String; 2] {
    let (mut loaded, _) = load(directory, ONCE, now).expect("it loads");
    loaded.allow_changes(u64::MAX, None, None);
    let id = loaded.connect(0, Peer::in_process(), now);
    ["a", "dead"].map(|key| ask(&mut loaded, id, &format!("LLEN {key}"), now))
}

/// A kill may be the fault of the message; a stop is not.
#[test]
fn a_delivery_counts_after_a_kill_and_not_after_a_stop() {
    for rewrite in ["", "BGREWRITEAOF\r\n"] {
        let requests = format!("RPUSH a x y\r\nLPOP a\r\n{rewrite}");
        let mut world = World::new(MemoryDirectory::new(), ONCE).expect("a new directory");
        assert!(world.turn(0, &requests));
        world.rest();
        let now = world.now;
        assert_eq!(lengths(&world.directory.after_kill(), now), [":1 ", ":1 "]);
        let stopped = world.close();
        assert_eq!(lengths(&stopped, now), [":2 ", ":0 "]);
        // The start has recorded the return, and appended to the same files.
        assert_eq!(lengths(&stopped.after_kill(), now), [":2 ", ":0 "]);
        // The next delivery counts again.
        let mut world = World::new(stopped, ONCE).expect("a directory");
        assert!(world.turn(0, "LPOP a\r\n"));
        assert_eq!(lengths(&world.directory.after_kill(), now), [":1 ", ":1 "]);
        assert_eq!(lengths(&world.close(), now), [":2 ", ":0 "]);
    }
}

/// Connections that the server closes because it stops have not lost their messages.
#[test]
fn connections_closed_by_a_stop_do_not_count() {
    let mut world = World::new(MemoryDirectory::new(), ONCE).expect("a new directory");
    assert!(world.turn(0, "RPUSH a x y\r\nLPOP a\r\n"));
    world.disconnect_all(CloseReason::Shutdown);
    assert!(world.wait(1_000));
    let now = world.now;
    assert_eq!(lengths(&world.close(), now), [":2 ", ":0 "]);
}

/// What `QUEUE PEEK` shows of everything, without the receipts, which are lost with the process.
fn peeked(broker: &mut Broker, now: Now) -> String {
    broker.allow_changes(u64::MAX, None, None);
    let id = broker.connect(9, Peer::in_process(), now);
    let mut all = String::new();
    for key in ["a", "b", "dead", "retry", "tried"] {
        for which in ["READY", "DELAYED"] {
            all += &ask(broker, id, &format!("QUEUE PEEK {key} {which} COUNT 100"), now);
            all += "\n";
        }
    }
    broker.disconnect(id, CloseReason::PeerClosed, now);
    all.replace("$7 message", "\n")
}

/// Dead letters in a plain list, delayed, in flight, returned between others, and moved within their list.
#[test]
fn a_kill_and_a_rewrite_keep_where_dead_letters_came_from() {
    let settings = "queue-policy full a max-length 1 overflow dead-letter dead-letter dead\n\
        queue-policy jobs b delivery at-least-once acknowledge explicit delivery-limit 1 \
        dead-letter retry\n\
        queue-policy retry retry delay-ms 500 delivery at-least-once acknowledge explicit \
        delivery-limit 9 message-ttl-ms 60000 dead-letter tried";
    let story: &[&[&str]] = &[
        &["RPUSH a 1 2 3", "RPUSH dead client", "RPUSH a 4", "RPUSH b x y z v w"],
        &["LPOP b 3", "QUEUE NACK b COUNT 2", "LMOVE dead dead LEFT RIGHT"],
        &["LPOP retry 2", "QUEUE NACK retry COUNT 1"],
        &["MULTI", "RPUSH a 5", "RPUSH a 6", "EXEC", "LPOP b 2", "QUEUE NACK b COUNT 9"],
        &["RPUSH a 7", "LPOP retry 3", "QUEUE NACK retry VALUE y", "QUEUE NACK retry VALUE z"],
        &["RENAME dead b", "RPUSH a 8", "COPY b tried"],
    ];
    for rewrite_at in 0..=story.len() {
        let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
        for (number, requests) in story.iter().enumerate() {
            assert!(world.turn(0, &format!("{}\r\n", requests.join("\r\n"))));
            assert!(world.wait(300_000));
            if number == rewrite_at {
                assert!(world.turn(0, "BGREWRITEAOF\r\n"));
                world.rest();
            }
        }
        world.rest();
        let (killed, now) = (world.directory.after_kill(), world.now);
        world.disconnect_all(CloseReason::PeerClosed);
        let (mut loaded, _) = load(&killed, settings, now).expect("it loads");
        loaded.check_invariants();
        let (found, expected) = (peeked(&mut loaded, now), peeked(&mut world.broker, now));
        assert_eq!(found, expected, "a rewrite after part {rewrite_at}");
        for reason in ["$6 length", "$14 delivery-limit"] {
            assert!(found.contains(reason), "{reason}: {found}");
        }
    }
}

/// Policies that dead-letter in a circle end it after as many moves, whether or not there is a kill or a rewrite
/// meanwhile.
#[test]
fn a_kill_and_a_rewrite_keep_how_often_a_message_was_a_dead_letter() {
    let settings = "queue-policy a a message-ttl-ms 100 dead-letter b\n\
        queue-policy b b message-ttl-ms 100 delay-ms 50 dead-letter a";
    for ending in ["PING\r\n", "BGREWRITEAOF\r\n"] {
        for moves in [1, 2, 7] {
            let mut world = World::new(MemoryDirectory::new(), settings).expect("a new directory");
            assert!(world.turn(0, "RPUSH a m\r\n"));
            assert!((0..moves).all(|_| world.wait(130_000)));
            assert!(world.turn(0, ending));
            // Without letting time pass.
            while world.has_jobs() {
                assert!(world.work());
            }
            assert!(world.wait(0));
            let (killed, now) = (world.directory.after_kill(), world.now);
            let (mut loaded, _) = load(&killed, settings, now).expect("it loads");
            let steps = [&mut loaded, &mut world.broker].map(|broker| {
                broker.allow_changes(u64::MAX, None, None);
                let id = broker.connect(9, Peer::in_process(), now);
                let mut is_there = |step: &u64| {
                    let now = now.plus_us(step * 10_000);
                    let told =
                        ["a", "b"].map(|key| ask(broker, id, &format!("QUEUE INFO {key}"), now));
                    told.iter()
                        .any(|info| info.contains("$6 length :1") || info.contains("$7 delayed :1"))
                };
                (0..1000).find(|step| !is_there(step))
            });
            assert!(steps[0].is_some_and(|steps| steps > 50), "{steps:?}");
            assert_eq!(steps[0], steps[1], "{moves} moves, then {ending}");
        }
    }
}
