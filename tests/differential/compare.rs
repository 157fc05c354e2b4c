//! Compares two replies, apart from allowed differences: client numbers, addresses, times, the order of
//! sets, and intended differences.

use std::collections::HashMap;

use super::answer::{Token, tokens};
use super::step::Command;
use crate::originals::Version;

/// Where an original differs from Tidegate, which follows Redis 7.2: its text, Tidegate's text, and the
/// reason.
const INTENDED: &[(Version, &str, &str, &str)] = &[
    (Version::V7_0, "quicklist", "listpack", "since 7.2 a short list is one listpack"),
    (Version::V8_2, "listpack", "hashtable", "since 7.2 a short set is a listpack"),
    (
        Version::V7_0,
        "ERR wrong number of arguments for 'zrank' command",
        "ERR syntax error",
        "WITHSCORE is since 7.2",
    ),
    (
        Version::V7_0,
        "ERR wrong number of arguments for 'zrevrank' command",
        "ERR syntax error",
        "WITHSCORE is since 7.2",
    ),
    (
        Version::V7_0,
        "ERR timeout is negative",
        "ERR timeout is out of range",
        "7.0 takes an infinite timeout for a negative one",
    ),
    (
        Version::V7_0,
        "ERR syntax error",
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        "7.0 does not notice that the least RANK of LPOS has no opposite, and reads on",
    ),
    (
        Version::V7_0,
        "ERR Elements are too large to be stored",
        "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        "7.0 has the wrong text when the ids of a millisecond are used up",
    ),
    (
        Version::V8_2,
        "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.",
        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
        "another text",
    ),
    (
        Version::V8_2,
        "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
        "another text",
    ),
];

/// Allowed differences, by the command of the reply.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tolerance {
    /// Elements of arrays in any order.
    any_order: bool,
    /// Any string is accepted.
    any_key: bool,
    /// Maximum difference of numbers that are times.
    time: i64,
    /// Since 7.2, the reply to a command comes before a message that it sent to its own client.
    own_messages: bool,
}

impl Tolerance {
    pub fn allow(&mut self, command: &Command) {
        match (command.word(0).as_slice(), command.word(1).as_slice()) {
            (b"KEYS", _) | (b"PUBSUB", b"CHANNELS" | b"SHARDCHANNELS") => self.any_order = true,
            (b"SMEMBERS" | b"SINTER" | b"SUNION" | b"SDIFF", _)
            | (b"HGETALL" | b"HKEYS" | b"HVALS", _) => self.any_order = true,
            (b"RANDOMKEY", _) => self.any_key = true,
            (b"TTL" | b"EXPIRETIME", _) | (b"OBJECT", b"IDLETIME") => self.time = self.time.max(2),
            // In Redis all keys share the numbers up to 9999.
            (b"OBJECT", b"REFCOUNT") => self.time = i32::MAX.into(),
            (b"PTTL" | b"PEXPIRETIME", _) => self.time = self.time.max(2_000),
            (b"PUBLISH" | b"SPUBLISH", _) => self.own_messages = true,
            _ => {}
        }
    }
}

/// The version of the original, and the clients by the numbers that each server gave them.
pub struct Sides {
    pub version: Version,
    pub theirs: HashMap<u64, usize>,
    pub ours: HashMap<u64, usize>,
}

impl Sides {
    pub fn new(version: Version) -> Sides {
        Sides { version, theirs: HashMap::new(), ours: HashMap::new() }
    }
}

/// Whether `theirs` is `ours` without some tokens.
pub fn is_part(theirs: &[u8], ours: &[u8], sides: &Sides, tolerance: Tolerance) -> bool {
    let ours = normalised(tokens(ours), sides, tolerance);
    let theirs = normalised(without_modules(theirs), sides, tolerance);
    let mut ours = (0..ours.len()).map(|at| (is_version(&ours, at), &ours[at]));
    theirs.iter().all(|theirs| {
        ours.any(|(is_version, ours)| {
            theirs == ours
                || alike(theirs, ours, sides, tolerance)
                || is_version && theirs.is_blob()
        })
    })
}

/// Whether a token is the version in HELLO.
fn is_version(tokens: &[Token], at: usize) -> bool {
    at > 0 && tokens[at - 1].text == b"version"
}

pub fn same(theirs: &[u8], ours: &[u8], sides: &Sides, tolerance: Tolerance) -> bool {
    if theirs == ours {
        return true;
    }
    let theirs = normalised(without_modules(theirs), sides, tolerance);
    let ours = normalised(tokens(ours), sides, tolerance);
    theirs.len() == ours.len()
        && theirs.iter().zip(&ours).enumerate().all(|(index, (theirs_at, ours_at))| {
            theirs_at == ours_at
                || alike(theirs_at, ours_at, sides, tolerance)
                || is_version(&ours, index)
        })
}

fn alike(theirs: &Token, ours: &Token, sides: &Sides, tolerance: Tolerance) -> bool {
    let intended = INTENDED.iter().any(|(version, redis, tidegate, _)| {
        *version == sides.version
            && theirs.text == redis.as_bytes()
            && ours.text == tidegate.as_bytes()
    });
    if intended {
        return true;
    }
    if theirs.kind != ours.kind {
        return false;
    }
    if theirs.is_blob() {
        let (theirs, ours) = (&theirs.text, &ours.text);
        let lists = is_client_list(theirs) && is_client_list(ours);
        return tolerance.any_key
            || lists
                && states_for_clients(theirs, &sides.theirs)
                    == states_for_clients(ours, &sides.ours);
    }
    let (b':', Some(theirs), Some(ours)) = (ours.kind, theirs.number(), ours.number()) else {
        return false;
    };
    let client = |ids: &HashMap<u64, usize>, number: i64| ids.get(&(number as u64)).copied();
    let same_client = client(&sides.theirs, theirs)
        .is_some_and(|theirs| client(&sides.ours, ours).is_some_and(|ours| theirs == ours));
    same_client || theirs >= 0 && ours >= 0 && theirs.abs_diff(ours) <= tolerance.time as u64
}

fn is_client_list(text: &[u8]) -> bool {
    text.starts_with(b"id=") || text.starts_with(b"txt:id=")
}

/// The lines of CLIENT LIST about our clients, without the server's own fields. Sorted, since the
/// original reorders its list over time.
pub fn client_states(list: &[u8], ids: &HashMap<u64, usize>) -> Vec<String> {
    let list = String::from_utf8_lossy(list);
    let list = list.trim_start_matches("txt:");
    let mut states: Vec<String> = list.lines().filter_map(|line| client_state(line, ids)).collect();
    states.sort();
    states
}

/// The same, seen by a client that may be in an EXEC: there the original breaks watches of others after
/// each command, Tidegate at the end. Also, a served client that sends QUIT next closes sooner or later
/// than another served client asks.
fn states_for_clients(list: &[u8], ids: &HashMap<u64, usize>) -> Vec<String> {
    let states = client_states(list, ids).into_iter();
    let states = states.filter(|state| !flags_of(state).contains('c'));
    states
        .map(|state| {
            let flags = format!("flags={}", flags_of(&state));
            state.replace(&flags, &format!("flags={}", without(flags_of(&state), &['d'])))
        })
        .collect()
}

pub fn belongs_to(state: &str, client: usize) -> bool {
    state.split_once(' ').is_some_and(|(number, _)| number == client.to_string())
}

pub fn flags_of(state: &str) -> &str {
    state.split(' ').find_map(|field| field.strip_prefix("flags=")).unwrap_or_default()
}

const COMPARED_FIELDS: &[&str] =
    &["name", "flags", "db", "sub", "psub", "multi", "cmd", "user", "redir", "resp"];

fn client_state(line: &str, ids: &HashMap<u64, usize>) -> Option<String> {
    let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
    let (_, id) = fields.next()?;
    // Without a number: the judging connection, and clients that should be gone. The judge's last
    // command, seen by a waiting client, depends on the machine: one server serves that client at once,
    // the other after the judge's next request.
    let number = ids.get(&id.parse().ok()?);
    let client = number.map_or("?".to_owned(), usize::to_string);
    let compared = fields
        .filter(|(name, _)| COMPARED_FIELDS.contains(name) && (number.is_some() || *name != "cmd"));
    let compared = compared.map(|(name, value)| match name {
        "flags" => format!("{name}={}", comparable_flags(value)),
        _ => format!("{name}={value}"),
    });
    let compared: Vec<String> = compared.collect();
    Some(format!("{client} {}", compared.join(" ")))
}

/// Without `u`, which the original shows between the end of a wait and the next command, and without
/// `e`: since 7.2 RESET ends CLIENT NO-EVICT.
fn comparable_flags(flags: &str) -> String {
    without(flags, &['u', 'e'])
}

fn without(flags: &str, ignored: &[char]) -> String {
    let flags = flags.replace(ignored, "").replace('N', "");
    if flags.is_empty() { "N".to_owned() } else { flags }
}

/// Without Redis 8's built-in module, which HELLO lists: a list of one, the module, and four names with
/// their values.
fn without_modules(bytes: &[u8]) -> Vec<Token> {
    let mut tokens = tokens(bytes);
    let is_told = |window: &[Token]| window[0].text == b"modules" && window[3].text == b"name";
    while let Some(at) = tokens.windows(4).position(is_told) {
        tokens[at + 1].text = b"0".to_vec();
        let end = (at + 2 + 9).min(tokens.len());
        tokens.drain(at + 2..end);
    }
    tokens
}

/// Sorts tokens where several orders are right.
fn normalised(tokens: Vec<Token>, sides: &Sides, tolerance: Tolerance) -> Vec<Token> {
    let apart = tolerance.own_messages && sides.version == Version::V7_0;
    let (mut messages, mut rest) = take_events(tokens, b"message", apart);
    sort_pattern_messages(&mut messages);
    sort_pattern_messages(&mut rest);
    sort_unsubscribed(&mut rest);
    let mut tokens: Vec<Token> = rest.into_iter().chain(messages).flatten().collect();
    if tolerance.any_order {
        sort_elements(&mut tokens);
    }
    tokens
}

fn sort_elements(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        let head = &tokens[at];
        let count = head.number().filter(|_| head.is_aggregate()).unwrap_or(0);
        let count = if head.kind == b'%' { count.saturating_mul(2) } else { count };
        at += 1;
        let end = at.saturating_add(usize::try_from(count).unwrap_or(0)).min(tokens.len());
        if tokens[at..end].iter().all(Token::is_blob) {
            tokens[at..end].sort();
        }
    }
}

/// A token, or all tokens of what a subscriber is told.
type Group = Vec<Token>;

/// Groups the tokens of events. With `apart`, messages are taken out, in order.
fn take_events(tokens: Vec<Token>, suffix: &[u8], apart: bool) -> (Vec<Group>, Vec<Group>) {
    let (mut messages, mut rest) = (Vec::new(), Vec::new());
    let mut tokens = tokens.as_slice();
    while !tokens.is_empty() {
        let length = event_length(tokens);
        let (group, after) = tokens.split_at(length);
        let is_message = length > 1 && group[1].text.ends_with(suffix);
        let to = if apart && is_message { &mut messages } else { &mut rest };
        to.push(group.to_vec());
        tokens = after;
    }
    (messages, rest)
}

fn event_length(tokens: &[Token]) -> usize {
    let length = match tokens {
        [head, name, ..] if matches!(head.kind, b'*' | b'>') && name.is_blob() => {
            match name.text.as_slice() {
                b"message" | b"smessage" | b"unsubscribe" | b"punsubscribe" | b"sunsubscribe" => 4,
                b"pmessage" => 5,
                _ => 1,
            }
        }
        _ => 1,
    };
    length.min(tokens.len())
}

/// A message that matches several patterns of a client arrives once for each, in the order of a hash
/// table.
fn sort_pattern_messages(groups: &mut [Group]) {
    let same_message = |a: &Group, b: &Group| {
        a.len() == 5 && b.len() == 5 && a[1].text == b"pmessage" && a[3..] == b[3..]
    };
    groups.chunk_by_mut(same_message).for_each(<[Group]>::sort);
}

/// Unsubscribing from all confirms each in the order of a hash table.
fn sort_unsubscribed(groups: &mut [Group]) {
    let same_kind = |a: &Group, b: &Group| {
        a.len() == 4 && b.len() == 4 && a[1].text.ends_with(b"unsubscribe") && a[1] == b[1]
    };
    for run in groups.chunk_by_mut(same_kind).filter(|run| run.len() > 1) {
        let mut names: Vec<Token> = run.iter().map(|group| group[2].clone()).collect();
        names.sort();
        run.iter_mut().zip(names).for_each(|(group, name)| group[2] = name);
    }
}
