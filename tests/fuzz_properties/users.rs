//! Any rules of a user are either refused, or make a user whose shown rules make another user with the
//! same rights.

use tidegate::resp::{Reply, ReplyParser, write_command};
use tidegate::{Broker, ClientId, NoHost, Now, Peer, Settings};

/// Requests that a user may or may not run.
const TRIALS: &[&[&str]] = &[
    &["GET", "a"],
    &["SET", "a", "1"],
    &["LMOVE", "a", "b", "LEFT", "LEFT"],
    &["MGET", "a", "b", ""],
    &["LMPOP", "2", "a", "b", "LEFT"],
    &["CONFIG", "GET", "x"],
    &["SELECT", "0"],
    &["PUBLISH", "c", "m"],
    &["SUBSCRIBE", "c", "d"],
    &["PSUBSCRIBE", "c*", "*"],
    &["QUEUE", "MOVE", "a", "ORIGIN"],
    &["AUTH", "x"],
];

struct Users {
    broker: Broker,
    client: ClientId,
}

impl Users {
    fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Reply {
        let mut request = Vec::new();
        write_command(&mut request, words.iter().map(AsRef::as_ref));
        self.broker.receive(self.client, &request, Now::default());
        let mut parser = ReplyParser::default();
        parser.feed(&self.broker.outbox(self.client).expect("connected").take_all());
        parser.next_reply().expect("a valid reply").expect("a whole reply")
    }

    /// What ACL LIST shows of a user behind its name.
    fn shown(&mut self, name: &str) -> Option<Vec<u8>> {
        let Reply::Array(lines) = self.ask(&["ACL", "LIST"]) else { panic!("a list") };
        let start = format!("user {name} ").into_bytes();
        lines.into_iter().find_map(|line| match line {
            Reply::Bulk(line) => line.strip_prefix(&start[..]).map(<[u8]>::to_vec),
            other => panic!("{other:?}"),
        })
    }

    fn trials(&mut self, name: &str) -> Vec<bool> {
        let trial = |words: &&[&str]| {
            let reply = self.ask(&[&["ACL", "DRYRUN", name][..], words].concat());
            match reply {
                Reply::Simple(_) => true,
                Reply::Bulk(_) => false,
                other => panic!("{words:?}: {other:?}"),
            }
        };
        TRIALS.iter().map(trial).collect()
    }
}

/// The lines of `data` are the rules of one user.
pub fn check(data: &[u8]) {
    let mut broker = Broker::new(Settings::default(), 1, Box::new(NoHost), Now::default());
    let client = broker.connect(0, Peer::in_process(), Now::default());
    let mut users = Users { broker, client };
    let rules: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let all = users.ask(&[&[&b"ACL"[..], b"SETUSER", b"all"], &rules[..]].concat());
    let mut is_right = matches!(all, Reply::Simple(_));
    assert_eq!(users.shown("all").is_some(), is_right, "a refused user is not there");

    // One by one the rules do the same, up to the first wrong one. A selector in several words is one rule.
    let is_split = rules.iter().any(|rule| rule.starts_with(b"(") && !rule.ends_with(b")"));
    if !is_split {
        for rule in &rules {
            let before = users.shown("one");
            let reply = users.ask(&[&b"ACL"[..], b"SETUSER", b"one", rule]);
            if !matches!(reply, Reply::Simple(_)) {
                assert_eq!(users.shown("one"), before, "a refused rule changes nothing");
                assert!(!is_right);
                is_right = false;
                break;
            }
        }
        if is_right {
            assert_eq!(users.shown("one"), users.shown("all"));
        }
    }
    if is_right {
        may_do_what_it_shows(&mut users, "all");
    }
}

/// What is shown makes another user who may do the same. But a pattern of a selector may end with a
/// parenthesis, which reads as the selector's end: Redis accepts and shows such rules too.
fn may_do_what_it_shows(users: &mut Users, name: &str) {
    let shown = users.shown(name).expect("it is there");
    let words: Vec<&[u8]> = shown.split(|byte| *byte == b' ').collect();
    let is_pattern =
        |word: &[u8]| matches!(word.strip_prefix(b"(").unwrap_or(word), [b'~' | b'%' | b'&', ..]);
    let mut in_selectors = words.iter().skip_while(|word| !word.starts_with(b"("));
    if in_selectors.any(|word| is_pattern(word) && word.ends_with(b")")) {
        return;
    }
    let reply = users.ask(&[&[&b"ACL"[..], b"SETUSER", b"copy"], &words[..]].concat());
    assert!(matches!(reply, Reply::Simple(_)), "{} {reply:?}", shown.escape_ascii());
    assert_eq!(users.shown("copy"), Some(shown));
    assert_eq!(users.trials("copy"), users.trials(name));
}
