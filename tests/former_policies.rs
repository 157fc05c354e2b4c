//! A deleted policy, while its delayed messages and messages in flight return to the queue in parts.
//! Whatever clients do meanwhile, and whenever the files are rewritten or the process is killed, the
//! result is the same.

#[expect(dead_code, reason = "the crash tests use the rest")]
mod crashes {
    pub mod script;
    pub mod watchful;
    pub mod world;
}

use crashes::world::{World, load};
use tidegate::clock::Now;
use tidegate::journal::memory::MemoryDirectory;
use tidegate::{Broker, CloseReason, Peer};

/// A turn returns 20 messages.
const SETTINGS: &str = "turn-work-max 100";
const MESSAGES: usize = 400;

/// The other messages of a queue, by policy.
const POLICIES: &[(&str, &str)] = &[
    ("p q delay-ms 100000", "LLEN q"),
    ("p q delay-ms 100000 max-length 500", "LPUSH q f1 f2"),
    ("p q delivery at-least-once acknowledge explicit", "LPOP q 1000"),
    ("p q delivery at-least-once acknowledge explicit", "RPOP q 60\r\nLPOP q 30"),
    ("p * delivery at-least-once acknowledge explicit delay-ms 100000", "SELECT 0"),
    (
        "p q delivery at-least-once acknowledge explicit",
        "LPOP q 300\r\nQUEUE NACK q COUNT 100 DELAY 100000\r\nQUEUE PUSH q DELAY 9 MESSAGES 1 d",
    ),
];

/// The policies afterwards.
const CHANGES: &[&str] = &[
    "QUEUE POLICY DEL p",
    "QUEUE POLICY SET p q max-length 1000",
    "QUEUE POLICY SET o z max-length 3\r\nQUEUE POLICY DEL p",
];

/// Requests of clients meanwhile.
const REQUESTS: &[&str] = &[
    "PING",
    "RPUSH q new",
    "LPUSH q new1 new2",
    "LPOP q",
    "RPOP q 3",
    "DEL q",
    "SET q string",
    "SET q:delayed x",
    "RPUSH q:delayed x",
    "RPUSH q:inflight x",
    "LMOVE q q:inflight LEFT RIGHT",
    "RENAME q r",
    "RENAME r q:delayed",
    "COPY q r",
    "QUEUE ACK q VALUE 1 2",
    "QUEUE NACK q VALUE 1 2",
    "EXPIRE q 1000",
    "PEXPIRE q -1",
    "FLUSHALL",
    "SWAPDB 0 1",
    "QUEUE POLICY SET p q delay-ms 5000",
    "QUEUE POLICY SET p q delivery at-least-once acknowledge explicit",
    "MULTI\r\nRPUSH q new\r\nLPOP q\r\nEXEC",
];

fn settle(broker: &mut Broker, mut now: Now) {
    broker.allow_changes(u64::MAX, None, None);
    let id = broker.connect(90, Peer::in_process(), now);
    for _ in 0..100 {
        now = now.plus_us(1_000);
        broker.receive(id, b"PING\r\n", now);
        broker.settle(now);
        broker.check_invariants();
    }
    assert!(!broker.has_backlog(), "it comes to an end");
}

/// All data, as text.
fn all(broker: &Broker) -> String {
    let lists = broker.contents().into_iter().chain(broker.hidden_contents());
    let text = |message: &Vec<u8>| String::from_utf8_lossy(message).into_owned();
    let list = |messages: &Vec<Vec<u8>>| messages.iter().map(text).collect::<Vec<_>>().join(",");
    lists.map(|((db, key), (m, _))| format!("{db} {}={}\n", text(&key), list(&m))).collect()
}

/// Plays a story of this many turns. The policy changes in the first, requests come in the second, and
/// the files are rewritten from another turn on, if at all.
fn play(policy: (&str, &str), change: &str, request: &str, rewrite: Option<usize>, turns: usize) {
    let told = format!("{policy:?}, {change}, {request}, a rewrite in turn {rewrite:?} of {turns}");
    let mut world = World::new(MemoryDirectory::new(), SETTINGS).expect("a new directory");
    let numbers: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    let before = format!("RPUSH q {}\r\n{}", numbers.join(" "), policy.1);
    assert!(world.single_turn(Some(&format!("QUEUE POLICY SET {}\r\n{before}", policy.0))));
    for turn in 0..turns {
        let words = [(0, change), (1, request)].into_iter().filter(|(at, _)| *at == turn);
        let mut words: Vec<&str> = words.map(|(_, words)| words).collect();
        words.extend((rewrite == Some(turn)).then_some("BGREWRITEAOF"));
        let words = Some(words.join("\r\n")).filter(|words| !words.is_empty());
        assert!(world.single_turn(words.as_deref()), "{told}");
        assert!(world.work(), "{told}");
        world.broker.check_invariants();
    }
    let (killed, now) = (world.directory.after_kill(), world.now);
    let (mut loaded, _) = load(&killed, SETTINGS, now).expect("it loads");
    settle(&mut loaded, now);
    // The same happens if the connections are lost but not the broker.
    world.disconnect_all(CloseReason::PeerClosed);
    settle(&mut world.broker, now);
    assert_eq!(all(&loaded), all(&world.broker), "{told}: loaded, and as it was");
}

#[test]
fn its_messages_return_whatever_happens() {
    for policy in POLICIES {
        for change in CHANGES {
            for request in REQUESTS {
                for (rewrite, turns) in
                    [(None, 2), (None, 4), (Some(0), 6), (Some(1), 6), (Some(2), 7)]
                {
                    play(*policy, change, request, rewrite, turns);
                }
            }
        }
    }
}
