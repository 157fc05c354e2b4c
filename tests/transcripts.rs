//! One set of transcripts for several servers: Tidegate and the original must give the same replies.
//!
//! `support/transcript.rs` describes the format, `support/pattern.rs` the notation of replies. Each
//! transcript is a test with each of these, named `DRIVER::TRANSCRIPT`:
//!
//! - `redis`: the `redis-server` on the path; `redis_8`: a later one (see `originals/mod.rs`). Ignored
//!   without one, unless `TIDEGATE_REQUIRE_REDIS=1`
//! - `server`: our own binary behind a socket
//! - `broker_…`: the broker in this process, fed whole requests, single bytes, or odd chunks

mod directory;
mod originals;
mod support;

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use originals::{Original, Version};
use support::in_process::{Feeding, InProcessDriver};
use support::player;
use support::socket::SocketDriver;
use support::transcript::{Action, Transcript};
use support::words::Word;

fn main() -> ExitCode {
    let (redis, redis_8) =
        (originals::redis_7(&[Version::V7_0, Version::V7_2]), originals::redis_8());
    let mut trials = vec![Trial::test("every_command_has_a_transcript", every_command_is_played)];
    for name in player::names() {
        for (driver, judge) in [("redis", &redis), ("redis_8", &redis_8)] {
            if player::load(&name).is_not_for("redis") {
                continue;
            }
            let transcript = name.clone();
            let play = move |original: &Original| play_on_redis(&transcript, original);
            trials.push(originals::trial(format!("{driver}::{name}"), judge, play));
        }
        let transcript = name.clone();
        let play = move || play_on_tidegate(&transcript);
        trials.push(Trial::test(format!("server::{name}"), play));
        for (driver, feeding) in [
            ("broker_whole", Feeding::Whole),
            ("broker_bytes", Feeding::Bytes),
            ("broker_chunks", Feeding::OddChunks),
        ] {
            let transcript = name.clone();
            let play = move || play_in_process(&transcript, feeding);
            trials.push(Trial::test(format!("{driver}::{name}"), play));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// How often a transcript is repeated on a busy machine.
const ATTEMPTS_MAX: usize = 5;

fn play_on_redis(name: &str, original: &Original) -> Result<(), String> {
    play_on_socket(name, |transcript| SocketDriver::redis(original, &transcript.config))
}

fn play_on_tidegate(name: &str) -> Result<(), Failed> {
    Ok(play_on_socket(name, |transcript| SocketDriver::tidegate(&transcript.config))?)
}

/// On a busy machine more time passes than a transcript expects: if it fails then, it is repeated on
/// another server.
fn play_on_socket(name: &str, start: impl Fn(&Transcript) -> SocketDriver) -> Result<(), String> {
    let transcript = player::load(name);
    let mut steps = transcript.cases.iter().flat_map(|case| &case.steps);
    let has_moments = steps.any(|step| matches!(step.action, Action::Advance { .. }));
    for _ in 1..ATTEMPTS_MAX {
        let mut server = start(&transcript);
        match player::play(name, &transcript, &mut server) {
            Err(failure) if has_moments && server.was_held_up() => {
                eprintln!("the machine is busy, and {name} is played again: {failure}");
            }
            played => return played,
        }
    }
    player::play(name, &transcript, &mut start(&transcript))
}

fn play_in_process(name: &str, feeding: Feeding) -> Result<(), Failed> {
    let transcript = player::load(name);
    let mut broker = InProcessDriver::new(feeding, &transcript.config);
    Ok(player::play(name, &transcript, &mut broker)?)
}

/// The capitalized command in `a> LPUSH q x`: `LPUSH`, and for containers `CLIENT LIST`.
fn spoken_commands() -> (BTreeSet<String>, usize) {
    let mut spoken = BTreeSet::new();
    let mut replies = 0;
    for name in player::names() {
        for case in player::load(&name).cases {
            for step in case.steps {
                match step.action {
                    Action::Request(_, words) => {
                        let words: Vec<String> = words.iter().take(2).map(spelled).collect();
                        spoken.insert(words[0].clone());
                        spoken.insert(words.join(" "));
                    }
                    Action::Expect { .. } => replies += 1,
                    _ => {}
                }
            }
        }
    }
    (spoken, replies)
}

fn spelled(word: &Word) -> String {
    match word {
        Word::Bytes(bytes) => String::from_utf8_lossy(bytes).to_uppercase(),
        Word::Name(_) => String::new(),
    }
}

fn every_command_is_played() -> Result<(), Failed> {
    let (spoken, replies) = spoken_commands();
    let missing: Vec<_> = tidegate::command_names().filter(|name| !spoken.contains(name)).collect();
    assert!(missing.is_empty(), "no transcript for {missing:?}");
    assert!(replies >= 2_000, "only {replies} exchanges");
    Ok(())
}
