//! The journal against a disk that does its worst: after any end, what loads is a state that there
//! was, and not older than what was promised.
//!
//! Runs are made from seeds. `TIDEGATE_CRASH_SEEDS=1000` plays so many, `TIDEGATE_CRASH_SEED=n` one.

mod crashes {
    pub mod policies;
    pub mod script;
    pub mod watchful;
    pub mod world;
}

use crashes::policies::Drawn;
use crashes::script::{Dice, play, seeds, steps, steps_with_changes_of_policy};
use crashes::world::{PREFIX, START, World, contents, load, read, state_of};
use tidegate::broker::Contents;
use tidegate::journal::LoadError;
use tidegate::journal::batch::TRAILER_BYTES;
use tidegate::journal::files::Directory;
use tidegate::journal::inspect;
use tidegate::journal::memory::{Fault, MemoryDirectory};
use tidegate::journal::room::without_room;

const SEEDS: u64 = 40;
const NEW_SEEDS: u64 = 6;
const STEPS: usize = 60;
/// Of so many ends of a life, one is followed by another life.
const LIVES: u64 = 8;
const STEPS_OF_A_LIFE: usize = 12;

/// How bad the loss of power is, several times for each moment.
const DICE_PER_CRASH: u64 = 3;

/// The latest turn after which the data was this.
fn turn_of(states: &[Contents], found: &Contents) -> Option<usize> {
    states.iter().rposition(|state| state == found)
}

/// What the data is, for people: `0/a: [x, y…] until 1700`.
fn shown(contents: &Contents) -> String {
    let beginning = |message: &Vec<u8>| {
        let text: String = String::from_utf8_lossy(message).chars().take(6).collect();
        if text.len() < message.len() { text + "…" } else { text }
    };
    let keys = contents.iter().map(|((db, key), (messages, expires_ms))| {
        let messages: Vec<String> = messages.iter().map(beginning).collect();
        let until = expires_ms.map(|at| format!(" until {at}")).unwrap_or_default();
        format!("{db}/{}: [{}]{until}", key.escape_ascii(), messages.join(", "))
    });
    keys.collect::<Vec<_>>().join("; ")
}

/// The latest turn after which the data was what was found, which must not be before the one that was
/// promised.
fn check_turn(states: &[Contents], found: &Contents, promised: usize, what: &str) {
    let turn = turn_of(states, found);
    if turn.is_none_or(|turn| turn < promised) {
        let known = states.iter().enumerate();
        let known: Vec<String> =
            known.map(|(turn, state)| format!("{turn}: {}", shown(state))).collect();
        panic!(
            "{what}: turn {promised} was promised, {turn:?} is there\n{}\nfound: {}",
            known.join("\n"),
            shown(found)
        );
    }
}

/// Loads what a crash left, checks it, and goes on with it.
fn check_crash(world: &World, crashed: &MemoryDirectory, promised: usize, what: &str) {
    let settings = policies_of(world);
    let found = contents(&crashed.after_kill(), &settings)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    check_turn(&world.states, &found, promised, what);

    let next_settings = format!("appendfsync always\n{settings}");
    let mut next = World::new(crashed.clone(), &next_settings).expect("it has loaded before");
    assert!(next.turn(0, "RPUSH after crash\r\n"), "{what}");
    while next.has_jobs() {
        assert!(next.work(), "{what}: it goes on");
    }
    assert!(next.replies.contains(':'), "{what}: no answer: {}", next.replies);
    let expected = state_of(&next.broker);
    let worst = next.directory.crash(7);
    let again =
        contents(&worst, &settings).unwrap_or_else(|error| panic!("{what}, and again: {error}"));
    assert_eq!(again, expected, "{what}, and again");
}

/// The queue policies of a run, as settings.
fn policies_of(world: &World) -> String {
    let text = world.broker.settings().rewritten("");
    let lines = text.lines().filter(|line| line.starts_with("queue-policy"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The power goes at every operation of a run. Its queues may be under policies.
fn crash_everywhere(policy: &str, has_queue_policies: bool) {
    let mut drawn = Drawn { never_gives_up: true, ..Drawn::default() };
    for seed in seeds(SEEDS, NEW_SEEDS) {
        let queue_policies =
            if has_queue_policies { queue_policies(seed, &mut drawn) } else { String::new() };
        let steps = steps(seed, STEPS);
        let settings = format!("appendfsync {policy}\n{queue_policies}");
        let mut whole = World::new(MemoryDirectory::new(), &settings).expect("a new directory");
        assert!(play(&mut whole, &steps, |_| false), "seed {seed}: nothing fails");
        for last in 0..whole.directory.operations() + 1 {
            let directory = MemoryDirectory::new();
            directory.inject(last..u64::MAX, Fault::PowerOff);
            // The first start itself may be cut off.
            let Ok(mut world) = World::new(directory.clone(), &settings) else {
                let left = contents(&directory.crash(seed), &queue_policies)
                    .expect("a first start can be repeated");
                assert!(left.is_empty());
                continue;
            };
            play(&mut world, &steps, |world| world.directory.operations() > last);
            let promised = if policy == "always" { world.acknowledged } else { world.synced };
            for dice in 0..DICE_PER_CRASH {
                let what = format!(
                    "TIDEGATE_CRASH_SEED={seed}, {policy}, power off at operation {last}, dice {dice}"
                );
                check_crash(&world, &directory.crash(dice * 1000 + last), promised, &what);
            }
            let what = format!("TIDEGATE_CRASH_SEED={seed}, {policy}, killed at operation {last}");
            check_crash(&world, &directory.after_kill(), world.acknowledged, &what);
            if (seed + last).is_multiple_of(LIVES) {
                check_second_life(&world, seed + last, &what);
            }
        }
    }
    if has_queue_policies {
        drawn.check();
    }
}

/// Policies of some queues, and often of one to which dead letters go.
fn queue_policies(seed: u64, drawn: &mut Drawn) -> String {
    let mut dice = Dice(!seed);
    let mut lines = String::new();
    for key in ["a", "b", "c"] {
        // Producers that wait are served seldom enough.
        let policy = match dice.below(5) {
            0 => drawn.policy_with(&mut dice, key, key, "block-timeout-ms"),
            _ => drawn.policy(&mut dice, key, key),
        };
        lines += &format!("queue-policy {policy}\n");
    }
    if dice.below(2) == 0 {
        let dead = drawn.policy_with(&mut dice, "d", "dead*", "message-ttl-ms");
        lines += &format!("queue-policy {dead}\n");
    }
    // Shown with the failure.
    println!("seed {seed}: {lines}");
    lines
}

/// A process that is killed leaves what it has written to the system. Another one builds on that,
/// answers, and then the power goes.
fn check_second_life(world: &World, seed: u64, what: &str) {
    let policy = if seed.is_multiple_of(2) { "always" } else { "everysec" };
    let queue_policies = policies_of(world);
    let settings = format!("appendfsync {policy}\n{queue_policies}");
    let mut next = World::at(world.now, world.directory.survivor(), &settings).expect("it loads");
    // The checks load at the usual time, at which less is too old.
    let first = contents(&world.directory.after_kill(), &queue_policies).expect("it loads");
    next.states[0] = first;
    // What has become due goes without anybody's doing, and is not promised.
    assert!(next.wait(0), "{what}: it goes on");
    let steps = steps(seed, STEPS_OF_A_LIFE);
    let last = Dice(seed).below(1 + steps.len() as u64) as usize;
    assert!(play(&mut next, &steps[..last], |_| false), "{what}: it goes on");
    let promised = if policy == "always" { next.acknowledged } else { next.synced };
    for dice in 0..DICE_PER_CRASH {
        let what = format!("{what}; {policy}, power off after {last} steps, dice {dice}");
        let found = contents(&next.directory.crash(dice * 1000 + seed), &queue_policies);
        let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
        check_turn(&next.states, &found, promised, &what);
    }
}

#[test]
fn what_was_answered_is_there_with_always() {
    crash_everywhere("always", false);
}

#[test]
fn what_was_synced_is_there_with_everysec() {
    crash_everywhere("everysec", false);
}

#[test]
fn what_was_answered_survives_a_kill_with_no() {
    crash_everywhere("no", false);
}

#[test]
fn queues_under_policies_are_there_with_always() {
    crash_everywhere("always", true);
}

#[test]
fn queues_under_policies_survive_a_kill() {
    crash_everywhere("no", true);
}

/// Whatever the policies, what was answered survives a kill, also in the middle of a change from
/// one to another.
#[test]
fn policies_may_change() {
    for seed in seeds(SEEDS, NEW_SEEDS) {
        let steps = steps_with_changes_of_policy(seed, 2 * STEPS);
        let mut dice = Dice(seed);
        for _ in 0..10 {
            let directory = MemoryDirectory::new();
            let mut world = World::new(directory.clone(), "").expect("a new directory");
            let last = dice.below(steps.len() as u64) as usize;
            assert!(play(&mut world, &steps[..last], |_| false), "nothing fails");
            let what = format!("TIDEGATE_CRASH_SEED={seed}, killed after {last} steps");
            check_crash(&world, &directory.after_kill(), world.acknowledged, &what);
            check_second_life(&world, dice.below(1000), &what);
        }
    }
}

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

fn tail_of(text: &str) -> &str {
    &text[text.len().saturating_sub(200)..]
}

/// Whether changes are taken.
fn accepts(world: &mut World) -> bool {
    let before = world.replies.len();
    assert!(world.turn(0, "RESET\r\nRPUSH last word\r\n"));
    for _ in 0..3 {
        assert!(world.work() && world.wait(150_000));
    }
    world.replies[before..].contains("+RESET\r\n:")
}

/// Without `always` whatever goes wrong is over one day, and nothing that was answered is lost.
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
        // What goes wrong may do so only now.
        let is_over = (0..10).any(|_| accepts(&mut world));
        assert!(is_over, "{what}: {:?}", tail_of(&world.replies));
        world.rest();
        let expected = world.broker.contents();
        // Nothing is promised for a loss of power with `no`.
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

/// With `always` a failure is the end, and everything that was answered is there.
#[test]
fn with_always_a_failure_is_the_end() {
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

/// While nothing can be written, changes are refused with the reason, reads go on, and nobody is
/// told that a change was made until it is written.
#[test]
fn what_cannot_be_written_is_refused() {
    let directory = MemoryDirectory::new();
    // Where no space can be kept.
    let settings = "appendfsync everysec\nappend-reserve 0";
    let mut world = World::new(directory.clone(), settings).expect("a new directory");
    assert!(world.turn(0, "RPUSH q first\r\n"));
    let now = directory.operations();
    // A write, the cut after it, twice more each.
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

/// The same for transactions: what is queued, and an EXEC of what was queued before.
#[test]
fn what_cannot_be_written_is_refused_in_a_transaction() {
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
    // A write that was queued before; reads alone; a write that is to be queued.
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

/// Nobody has to ask: whoever was answered nothing is, as soon as the journal itself looks again.
#[test]
fn what_could_not_be_written_is_tried_again_by_itself() {
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

/// With `always`, who goes on changing data has each reply one sync later, and not two.
#[test]
fn replies_that_are_free_leave_before_the_next_change_holds_them() {
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

/// Whoever is served by what another client does is told of a change as well, and waits for its sync.
#[test]
fn those_who_are_served_by_others_wait_for_the_same_sync() {
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

/// A rewrite begins by itself when the files have grown by so much, and are larger than so much.
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

/// What an interrupted rewrite has left is gone after the next start, and nothing else.
#[test]
fn a_start_takes_away_what_was_left_under_temporary_names() {
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

/// Room is written where a sync is waited for; elsewhere it would be bytes for nothing.
#[test]
fn only_always_writes_room() {
    for (policy, has_room) in [("always", true), ("everysec", false), ("no", false)] {
        let settings = format!("appendfsync {policy}");
        let mut world = World::new(MemoryDirectory::new(), &settings).expect("a new directory");
        assert!(world.turn(0, "RPUSH q x\r\n"));
        let (_, bytes) = files(&world.directory).remove(0);
        assert_eq!(without_room(&bytes) < bytes.len(), has_room, "{policy}");
    }
}

/// While changes are refused, reads are served however many bytes wait.
#[test]
fn a_full_buffer_stops_input_until_it_is_written_or_refused() {
    let directory = MemoryDirectory::new();
    let settings = "appendfsync always\nappend-reserve 0\nappend-buffer-limit 1mb";
    let mut world = World::new(directory.clone(), settings).expect("a new directory");
    let pending = |world: &World| world.broker.persistence().pending_bytes as usize;
    // A sync is under way, behind which all else waits.
    assert!(world.turn(0, "RPUSH q first\r\n") && world.has_jobs());
    let push = |key: &str, bytes: usize| {
        format!("*3\r\n$5\r\nRPUSH\r\n$4\r\n{key}\r\n${bytes}\r\n{}\r\n", "m".repeat(bytes))
    };
    assert!(world.turn(1, &push("most", (1 << 20) - 150)));
    assert!(pending(&world) < 1 << 20 && !world.journal.is_full(&world.broker));
    // `*3 $5 RPUSH $4 last $nn <text>` takes so many bytes beside the text.
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

/// What waits for space while the policy becomes `always` is answered as that promises.
#[test]
fn a_late_answer_is_as_good_as_the_policy_of_its_time() {
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

/// A directory that holds something of everything, closed in good order; what it holds.
fn small_directory() -> (MemoryDirectory, Contents) {
    let (directory, states) = small_directory_with_history();
    (directory, states.last().cloned().unwrap_or_default())
}

/// The same, with all states that there were.
fn small_directory_with_history() -> (MemoryDirectory, Vec<Contents>) {
    let mut world = World::new(MemoryDirectory::new(), "appendfsync no").expect("a new directory");
    assert!(world.turn(0, "RPUSH q first second\r\nSELECT 1\r\nRPUSH other x\r\n"));
    assert!(world.turn(0, "BGREWRITEAOF\r\n"));
    world.rest();
    assert!(world.turn(0, "LPOP other\r\nSELECT 0\r\nLPUSH q zero\r\n"));
    assert!(world.turn(1, "MULTI\r\nRPUSH q last\r\nPEXPIRE q 100000\r\nEXEC\r\n"));
    let states = world.states.clone();
    (world.close(), states)
}

fn files(directory: &MemoryDirectory) -> Vec<(String, Vec<u8>)> {
    let names = directory.list().expect("names").into_iter();
    names.map(|name| (name.clone(), read(directory, &name))).collect()
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (directory, expected) = small_directory();
    let files_before = files(&directory);
    assert_eq!(files_before.len(), 3, "a base, an increment, a manifest");
    for (number, (name, bytes)) in files_before.iter().enumerate() {
        for position in 0..bytes.len() * 8 {
            let mut flipped = files_before.clone();
            flipped[number].1[position / 8] ^= 1 << (position % 8);
            let directory = MemoryDirectory::with_files(flipped);
            let what = format!("{name}, bit {} of byte {}", position % 8, position / 8);
            match contents(&directory, "") {
                Err(_) => {}
                // What a flip in the manifest changes may mean nothing, such as a number.
                Ok(found) if name.ends_with("manifest") => assert_eq!(found, expected, "{what}"),
                // The last batch is empty and says that all before it is durable.
                Ok(found) => {
                    let is_aside =
                        files(&directory).iter().any(|(name, _)| name.contains(".torn-"));
                    assert!(is_aside, "{what}: nobody notices");
                    assert_eq!(found, expected, "{what}");
                }
            }
        }
    }
}

/// Whatever is damaged: a repair keeps a state that there was, loses no byte, and what is left
/// loads. Made once more, it has nothing to do.
#[test]
fn what_is_repaired_loads() {
    let (directory, states) = small_directory_with_history();
    let files_before = files(&directory);
    let bytes_of = |files: &[(String, Vec<u8>)]| {
        let data = files.iter().filter(|(name, _)| name.contains(".aof."));
        data.map(|(_, bytes)| bytes.len()).sum::<usize>()
    };
    for (number, (name, bytes)) in files_before.iter().enumerate() {
        for position in (0..bytes.len()).filter(|_| !name.ends_with("manifest")) {
            let mut flipped = files_before.clone();
            flipped[number].1[position] ^= 0x20;
            let directory = MemoryDirectory::with_files(flipped);
            let what = format!("{name}, byte {position}");
            let shared = std::sync::Arc::new(directory.clone());
            let repair = inspect::repair(shared.clone(), PREFIX, "1", &mut |_, _| ());
            let repair = repair.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(!repair.aside.is_empty(), "{what}: nothing was done");
            assert!(bytes_of(&files(&directory)) >= bytes_of(&files_before), "{what}");
            let found =
                contents(&directory.after_kill(), "").unwrap_or_else(|e| panic!("{what}: {e}"));
            // A rewrite writes a state in a piece; one key of it is not a state that there was.
            let is_part_of_base = name.contains(".base.");
            let is_known = turn_of(&states, &found).is_some();
            assert!(is_known || is_part_of_base, "{what}: {found:?}");
            let again = inspect::repair(shared, PREFIX, "2", &mut |_, _| ());
            assert!(again.expect("it is whole").aside.is_empty(), "{what}: not for good");
        }
    }
}

fn error_of(files: Vec<(String, Vec<u8>)>) -> String {
    let directory = MemoryDirectory::with_files(files.clone());
    let error = contents(&directory, "").expect_err("it must not load");
    assert_eq!(self::files(&directory), files, "nothing is changed: {error}");
    error.to_string()
}

#[test]
fn a_manifest_that_is_not_ours_is_refused() {
    let (directory, _) = small_directory();
    let all = files(&directory);
    let manifest = all.iter().position(|(name, _)| name.ends_with(".manifest")).expect("one");
    let with = |text: &str| {
        let mut changed = all.clone();
        changed[manifest].1 = text.as_bytes().to_vec();
        changed
    };
    let text = String::from_utf8(all[manifest].1.clone()).expect("text");

    let mut missing = all.clone();
    missing.remove(manifest);
    assert!(error_of(missing).contains("expected a manifest, since there are append files"));
    assert!(error_of(with(&text.repeat(2))).contains("again"), "doubled");
    assert!(error_of(with("")).contains("empty manifest"));
    assert!(error_of(with(&text[..text.len() - 1])).contains("cut off"));
    let path = text.replacen("file ", "file ../", 1);
    assert!(error_of(with(&path)).contains("without a path"));
    let foreign = "file appendonly.aof.9.incr.aof seq 9 type i\n";
    assert!(error_of(with(foreign)).contains("appendonly.aof.9.incr.aof"));
    let altered = text.replacen("seq 1", "seq 3", 1);
    assert!(error_of(with(&altered)).contains("expected 'checks"));
    let (base, increment) = text.split_once('\n').expect("two lines");
    let order = format!("{increment}{base}\n");
    assert!(
        contents(&MemoryDirectory::with_files(with(&order)), "").is_ok(),
        "order means nothing"
    );
    // Each file under the name of the other.
    let mut mixed = all.clone();
    let names = [all[0].0.clone(), all[1].0.clone()];
    mixed[0].0 = names[1].clone();
    mixed[1].0 = names[0].clone();
    mixed.sort();
    let error = error_of(mixed);
    assert!(error.contains("damaged at byte 0"), "{error}");
}

#[test]
fn a_lost_file_is_noticed() {
    let (directory, _) = small_directory();
    for lost in files(&directory) {
        let mut left = files(&directory);
        left.retain(|(name, _)| *name != lost.0);
        error_of(left);
        // Empty, or cut to its opening.
        for length in [0, 93] {
            let mut cut = files(&directory);
            let file = cut.iter_mut().find(|(name, _)| *name == lost.0).expect("the file");
            file.1.truncate(length);
            let directory = MemoryDirectory::with_files(cut);
            let is_last = lost.0.contains(".incr.") && length > 0;
            assert_eq!(contents(&directory, "").is_err(), !is_last, "{}, {length} bytes", lost.0);
        }
    }
}

#[test]
fn append_files_of_redis_are_loaded() {
    let redis = "#TS:1700000000\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\na\r\n\
                 *1\r\n$5\r\nMULTI\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\nb\r\n*1\r\n$4\r\nEXEC\r\n";
    let files_of = |base: &str, increment: &str| {
        let manifest = "file appendonly.aof.1.base.aof seq 1 type b\n\
                        file appendonly.aof.1.incr.aof seq 1 type i\n";
        [("appendonly.aof.1.base.aof", base), ("appendonly.aof.1.incr.aof", increment)]
            .into_iter()
            .chain([("appendonly.aof.manifest", manifest)])
            .map(|(name, text)| (name.to_string(), text.as_bytes().to_vec()))
            .collect::<Vec<_>>()
    };
    let directory = MemoryDirectory::with_files(files_of(redis, &redis.replace('q', "p")));
    let (broker, _) = load(&directory, "", START).expect("it loads");
    assert_eq!(broker.message_count(), 4);

    // A transaction without its end is a torn tail.
    let torn = &redis[..redis.len() - 14];
    let found = contents(&MemoryDirectory::with_files(files_of("", torn)), "").expect("it loads");
    assert_eq!(found.values().map(|(messages, _)| messages.len()).sum::<usize>(), 1);

    let rdb = error_of(files_of("REDIS0010xyz", redis));
    assert!(rdb.contains("aof-use-rdb-preamble no and BGREWRITEAOF"), "{rdb}");
    let strange = error_of(files_of("", "*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"));
    assert!(strange.contains("appendonly.aof.1.incr.aof: byte 0: 'GET'"), "{strange}");
}

#[test]
fn what_redis_appended_needs_leave() {
    let (directory, expected) = small_directory();
    let mut all = files(&directory);
    let last = all.iter_mut().find(|(name, _)| name.contains(".incr.")).expect("an increment");
    last.1.extend_from_slice(
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nr\r\n$1\r\na\r\n",
    );
    let error = error_of(all.clone());
    assert!(error.contains("aof-load-unverified"), "{error}");
    let directory = MemoryDirectory::with_files(all);
    let (broker, _) = load(&directory, "aof-load-unverified yes", START).expect("it loads");
    assert_eq!(broker.contents().len(), expected.len() + 1);
}

#[test]
fn a_torn_file_may_be_an_error() {
    let (directory, _) = small_directory();
    let mut all = files(&directory);
    let last = all.iter_mut().find(|(name, _)| name.contains(".incr.")).expect("an increment");
    last.1.truncate(last.1.len() - 1);
    let directory = MemoryDirectory::with_files(all.clone());
    let error = load(&directory, "aof-load-truncated no", START).map(drop).expect_err("it is torn");
    assert!(matches!(error, LoadError::Torn { .. }), "{error}");
    assert_eq!(files(&directory), all, "nothing is changed");
}

/// Where batches end in a file: each has a trailer that begins like this.
fn batch_ends(bytes: &[u8]) -> Vec<usize> {
    const TRAILER: &[u8] = b"*2\r\n$4\r\nPING\r\n$72\r\nTG1";
    let starts = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(TRAILER));
    starts.map(|start| start + TRAILER_BYTES).collect()
}

/// A base is complete before it is named, also if nothing came after it.
#[test]
fn a_base_without_its_last_batches_is_damaged() {
    let mut world = World::new(MemoryDirectory::new(), "appendfsync no").expect("a new directory");
    // Each is more than goes into a batch with others.
    for key in ["a", "b", "c", "d"] {
        let text = "m".repeat(900_000);
        let request =
            format!("*3\r\n$5\r\nRPUSH\r\n$1\r\n{key}\r\n$900000\r\n{text}\r\nBGREWRITEAOF\r\n");
        assert!(world.turn(0, &request));
        world.rest();
    }
    let all = files(&world.directory.after_kill());
    let base = all.iter().position(|(name, _)| name.contains(".base.")).expect("a base");
    let ends = batch_ends(&all[base].1);
    assert!(ends.len() > 2, "{} batches", ends.len());
    for end in &ends[..ends.len() - 1] {
        let mut cut = all.clone();
        cut[base].1.truncate(*end);
        assert!(error_of(cut).contains("damaged"), "cut at byte {end}");
    }
}

/// The last batch of a file is durable before the next file gets its first.
#[test]
fn an_increment_without_its_last_batches_is_damaged_if_another_goes_on() {
    let mut world = World::new(MemoryDirectory::new(), "appendfsync no").expect("a new directory");
    assert!(world.turn(0, "RPUSH q 1\r\n") && world.turn(0, "RPUSH q 2\r\nBGREWRITEAOF\r\n"));
    // Up to where the next increment is written to, and the base is not there yet.
    let names = |world: &World| files(&world.directory);
    for number in 3.. {
        assert!(world.turn(0, &format!("RPUSH q {number}\r\n")));
        let next = names(&world).into_iter().find(|(name, _)| name.ends_with(".2.incr.aof"));
        if next.is_some_and(|(_, bytes)| batch_ends(&bytes).len() > 1) {
            break;
        }
        world.run_job(0, 0);
        world.run_job(1, 0);
        assert!(world.tell(0) && world.tell(0) && world.wait(1_000));
    }
    let all = files(&world.directory.after_kill());
    let first = all.iter().position(|(name, _)| name.ends_with(".1.incr.aof")).expect("the first");
    let ends = batch_ends(&all[first].1);
    assert!(ends.len() > 2, "{} batches", ends.len());
    for end in &ends[..ends.len() - 1] {
        let mut cut = all.clone();
        cut[first].1.truncate(*end);
        let error = error_of(cut);
        assert!(error.contains("damaged"), "cut at byte {end}: {error}");
    }
}
