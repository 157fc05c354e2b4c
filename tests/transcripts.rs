//! One set of transcripts, several servers: Tidegate and the original answer the same text.
//!
//! The format is described in `support/transcript.rs`, the notation of replies in
//! `support/pattern.rs`. The first part of a test's name is what it is played against:
//!
//! - `redis`: a `redis-server` on the path, skipped where there is none unless
//!   `TIDEGATE_REQUIRE_REDIS=1`
//! - `server`: our own binary behind a socket
//! - `broker_…`: the broker in this process, fed with requests whole, byte by byte, or in odd
//!   chunks

mod support;

use std::collections::BTreeSet;
use support::in_process::{Feeding, InProcessDriver};
use support::player;
use support::socket::SocketDriver;
use support::transcript::Action;
use support::words::Word;

fn play_on_redis(name: &str) {
    let transcript = player::load(name);
    if let Some(mut redis) = SocketDriver::redis(&transcript.config) {
        player::play(name, &transcript, &mut redis);
    }
}

fn play_on_tidegate(name: &str) {
    let transcript = player::load(name);
    player::play(name, &transcript, &mut SocketDriver::tidegate(&transcript.config));
}

fn play_in_process(name: &str, feeding: Feeding) {
    let transcript = player::load(name);
    let mut broker = InProcessDriver::new(feeding, &transcript.config);
    player::play(name, &transcript, &mut broker);
}

/// Every transcript, as a test of its own on every driver.
macro_rules! transcripts {
    ($($name:ident)*) => {
        const LISTED: &[&str] = &[$(stringify!($name)),*];

        transcripts!(redis: super::play_on_redis, $($name)*);
        transcripts!(server: super::play_on_tidegate, $($name)*);
        transcripts!(broker_whole: |name| super::play_in_process(name, super::Feeding::Whole), $($name)*);
        transcripts!(broker_bytes: |name| super::play_in_process(name, super::Feeding::Bytes), $($name)*);
        transcripts!(broker_chunks: |name| super::play_in_process(name, super::Feeding::OddChunks), $($name)*);
    };
    ($driver:ident: $play:expr, $($name:ident)*) => {
        mod $driver {
            $(#[test] fn $name() { ($play)(stringify!($name)); })*
        }
    };
}

transcripts! {
    blocking_clients
    blocking_keys
    blocking_move
    blocking_mpop
    blocking_pop
    channel_policies
    client_kill
    client_names
    client_reply_pause
    connection
    connection_auth
    connection_hello
    keys_basic
    keys_databases
    keys_expiry
    keys_object
    keys_scan
    lists_move
    lists_pos
    lists_push_pop
    lists_read_write
    protocol_errors
    protocol_requests
    pubsub_channels
    pubsub_info
    pubsub_modes
    pubsub_patterns
    queue_block
    queue_dedup
    queue_delay
    queue_delivery
    queue_expiry
    queue_limits
    queue_policies
    server_command
    server_config
    server_info
    server_monitor
    server_tools
    transactions
    transactions_watch
    transactions_watch_writes
}

#[test]
fn every_file_is_listed() {
    let files = std::fs::read_dir(player::directory()).expect("the directory of the transcripts");
    let mut found: Vec<String> = files
        .map(|file| file.expect("an entry").file_name().into_string().expect("a name in UTF-8"))
        .filter_map(|name| name.strip_suffix(".txt").map(str::to_owned))
        .collect();
    found.sort();
    let mut listed = LISTED.to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed);
}

/// What `a> LPUSH q x` says in capitals: `LPUSH`, and for containers `CLIENT LIST`.
fn spoken_commands() -> (BTreeSet<String>, usize) {
    let mut spoken = BTreeSet::new();
    let mut replies = 0;
    for name in LISTED {
        for case in player::load(name).cases {
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

#[test]
fn every_command_has_a_transcript() {
    let (spoken, replies) = spoken_commands();
    let missing: Vec<_> = tidegate::command_names().filter(|name| !spoken.contains(name)).collect();
    assert!(missing.is_empty(), "no transcript for {missing:?}");
    assert!(replies >= 2_000, "only {replies} exchanges");
}
