//! After a crash, the data is a state the broker was really in, and recent enough.

use super::world::{World, contents, state_of};
use tidegate::broker::Contents;
use tidegate::journal::memory::MemoryDirectory;

/// The latest turn with exactly this data.
pub fn turn_of(states: &[Contents], found: &Contents) -> Option<usize> {
    states.iter().rposition(|state| state == found)
}

/// The data as text: `0/a: [x, y…] until 1700`.
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

/// The latest turn with the data that was found, which must not be before the promised one.
pub fn check_turn(states: &[Contents], found: &Contents, promised: usize, what: &str) {
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

/// Loads the remains of a crash, checks them, and continues with them.
pub fn check_crash(world: &World, crashed: &MemoryDirectory, promised: usize, what: &str) {
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
pub fn policies_of(world: &World) -> String {
    let text = world.broker.settings().rewritten("");
    let lines = text.lines().filter(|line| line.starts_with("queue-policy"));
    lines.collect::<Vec<_>>().join("\n")
}
