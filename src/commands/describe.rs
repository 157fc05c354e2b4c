//! A row of the table in Redis' words: names of flags, ACL categories, key specifications. COMMAND
//! shows them, and finds the keys of a request by them.

use crate::command::{Command, Flags, Group, Keys};
use crate::resp::{Request, parse_integer};

/// Flags that COMMAND shows, in Redis' order. PUBLISH may replicate there too, and it is not said.
const FLAG_NAMES: &[(Flags, &str)] = &[
    (Flags::WRITE, "write"),
    (Flags::READONLY, "readonly"),
    (Flags::DENYOOM, "denyoom"),
    (Flags::ADMIN, "admin"),
    (Flags::PUBSUB, "pubsub"),
    (Flags::NOSCRIPT, "noscript"),
    (Flags::BLOCKING, "blocking"),
    (Flags::LOADING, "loading"),
    (Flags::STALE, "stale"),
    (Flags::SKIP_MONITOR, "skip_monitor"),
    (Flags::SKIP_SLOWLOG, "skip_slowlog"),
    (Flags::FAST, "fast"),
    (Flags::NO_AUTH, "no_auth"),
    (Flags::NO_ASYNC_LOADING, "no_async_loading"),
    (Flags::NO_MULTI, "no_multi"),
    (Flags::MOVABLEKEYS, "movablekeys"),
    (Flags::ALLOW_BUSY, "allow_busy"),
];

/// The names of the flags that COMMAND shows.
pub(super) fn flag_names(flags: Flags) -> Vec<&'static str> {
    let shown = FLAG_NAMES.iter().filter(|(flag, _)| flags.contains(*flag));
    shown.map(|(_, name)| *name).collect()
}

/// The ACL categories of a command in Redis' order, without `@`. A container has those of its
/// speed only, since it is never called by itself.
pub(super) fn categories(command: &Command) -> Vec<&'static str> {
    let group = if command.run.is_some() { group_category(command) } else { None };
    let flags = command.flags;
    // They tell of the server as a whole without being admin commands.
    let is_admin = flags.contains(Flags::ADMIN) || ["role", "lastsave"].contains(&command.name);
    let is_fast = flags.contains(Flags::FAST);
    let conditions = [
        (group == Some("keyspace"), "keyspace"),
        (flags.contains(Flags::READONLY), "read"),
        (flags.contains(Flags::WRITE), "write"),
        (group == Some("list"), "list"),
        (flags.contains(Flags::PUBSUB), "pubsub"),
        (is_admin, "admin"),
        (is_fast, "fast"),
        (!is_fast, "slow"),
        (flags.contains(Flags::BLOCKING), "blocking"),
        (is_admin || flags.contains(Flags::DANGEROUS), "dangerous"),
        (group == Some("connection"), "connection"),
        (group == Some("transaction"), "transaction"),
        (group == Some("scripting"), "scripting"),
    ];
    conditions.iter().filter(|(holds, _)| *holds).map(|(_, name)| *name).collect()
}

/// The category that follows from what a command is about rather than from its flags.
fn group_category(command: &Command) -> Option<&'static str> {
    match command.name {
        "wait" => return Some("connection"),
        "dbsize" | "flushall" | "flushdb" | "swapdb" => return Some("keyspace"),
        name if name == "command" || name.starts_with("command|") => return Some("connection"),
        _ => {}
    }
    match command.group {
        Group::Connection => Some("connection"),
        Group::Generic => Some("keyspace"),
        Group::List => Some("list"),
        Group::Transactions => Some("transaction"),
        Group::Queue => Some("list"),
        Group::Scripting => Some("scripting"),
        Group::PubSub | Group::Server => None,
    }
}

/// Where COMMAND says that the keys are. Shard channels are shown as if they were keys, since a
/// cluster would place them as it places keys.
fn shown_keys(command: &Command) -> Keys {
    match command.name {
        "spublish" => Keys::Range { first: 1, last: 1, step: 1 },
        "ssubscribe" | "sunsubscribe" => Keys::Range { first: 1, last: -1, step: 1 },
        _ => command.keys,
    }
}

/// The first key, the last key and the step, as COMMAND has shown them since its beginning; zeros
/// if the places of the keys depend on other arguments.
pub(super) fn key_range(command: &Command) -> (i64, i64, i64) {
    match shown_keys(command) {
        // Places within a request are small.
        Keys::Range { first, last, step } => (first as i64, i64::from(last), step as i64),
        Keys::None | Keys::Counted { .. } => (0, 0, 0),
    }
}

/// Keys that lie together in a request and are used alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeySpec {
    /// What is done with the keys.
    pub uses: &'static [&'static str],
    /// The argument at which the search begins.
    pub begin: usize,
    pub find: FindKeys,
}

/// How keys are found from the beginning of the search on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FindKeys {
    /// Up to `last`, counted from the beginning or, negative, from the end of the request.
    Range { last: i32, step: usize },
    /// The first argument says how many keys follow it.
    Counted,
}

/// The key specifications of a command. Where Redis uses the keys of a fixed range differently
/// (RENAME), each has its own.
pub(super) fn key_specs(command: &Command) -> Vec<KeySpec> {
    match shown_keys(command) {
        Keys::None => Vec::new(),
        Keys::Counted { count_at } => {
            vec![KeySpec { uses: key_uses(command, 0), begin: count_at, find: FindKeys::Counted }]
        }
        Keys::Range { first, last, step } if last < 0 => {
            let find = FindKeys::Range { last, step };
            vec![KeySpec { uses: key_uses(command, 0), begin: first, find }]
        }
        Keys::Range { first, last, step } => {
            let find = FindKeys::Range { last: 0, step: 1 };
            let places = (first..=last.unsigned_abs() as usize).step_by(step.max(1));
            let specs = places.enumerate();
            let spec = |(nth, begin)| KeySpec { uses: key_uses(command, nth), begin, find };
            specs.map(spec).collect()
        }
    }
}

/// What a command does with its `nth` kind of keys, in Redis' words.
fn key_uses(command: &Command, nth: usize) -> &'static [&'static str] {
    if command.group == Group::PubSub {
        return &["not_key"];
    }
    match (command.name, nth) {
        ("lmove" | "blmove" | "rpoplpush" | "brpoplpush", 1) => &["RW", "insert"],
        ("renamenx", 1) => &["OW", "insert"],
        ("rename" | "copy", 1) => &["OW", "update"],
        ("rename" | "renamenx", _) => &["RW", "access", "delete"],
        ("move", _) => &["RW", "access", "update"],
        ("del" | "unlink", _) => &["RM", "delete"],
        ("rpush" | "lpush" | "rpushx" | "lpushx" | "linsert", _) => &["RW", "insert"],
        ("lrem" | "ltrim", _) => &["RW", "delete"],
        ("lrange" | "lindex" | "lpos" | "copy" | "dump" | "ttl" | "pttl", _)
        | ("expiretime" | "pexpiretime", _) => &["RO", "access"],
        _ if command.flags.contains(Flags::READONLY) => &["RO"],
        _ if command.group == Group::List && command.name != "lset" => &["RW", "access", "delete"],
        _ if command.flags.contains(Flags::WRITE) => &["RW", "update"],
        _ => &["RO"],
    }
}

/// The keys of a request, with what is done with them; none if its arguments make no sense. The
/// command must accept so many arguments.
pub(super) fn keys_of<'a>(
    command: &Command,
    request: &Request<'a>,
) -> Option<Vec<(&'a [u8], &'static [&'static str])>> {
    let mut found = Vec::new();
    for spec in key_specs(command) {
        let (first, last, step) = match spec.find {
            FindKeys::Range { last, step } if last < 0 => {
                let last = request.len().checked_sub(last.unsigned_abs() as usize)?;
                (spec.begin, last, step)
            }
            FindKeys::Range { last, step } => {
                (spec.begin, spec.begin + last.unsigned_abs() as usize, step)
            }
            FindKeys::Counted => {
                let count = parse_integer(request.get(spec.begin)?)?;
                let count = usize::try_from(count).ok().filter(|&count| count > 0)?;
                (spec.begin + 1, spec.begin.checked_add(count)?, 1)
            }
        };
        if last >= request.len() {
            return None;
        }
        let places = (first..=last).step_by(step.max(1));
        found.extend(places.map(|place| (request.arg(place), spec.uses)));
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Table;
    use crate::resp::OwnedRequest;

    fn keys(text: &str) -> Option<Vec<String>> {
        let request = OwnedRequest::from_args(text.split(' ').map(str::as_bytes));
        let request = request.as_request();
        let found = Table::shared().find(&request[0]).expect("the command is in the table");
        let keys = keys_of(found.command, &request)?;
        Some(keys.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect())
    }

    #[test]
    fn keys_are_found_wherever_they_are() {
        let cases: &[(&str, &[&str])] = &[
            ("rpush q a b", &["q"]),
            ("lmove a b left right", &["a", "b"]),
            ("blpop a b 0", &["a", "b"]),
            ("watch a b", &["a", "b"]),
            ("lmpop 2 a b left", &["a", "b"]),
            ("blmpop 0 2 a b left", &["a", "b"]),
        ];
        for (text, expected) in cases {
            let found = keys(text).unwrap_or_default();
            assert_eq!(found, *expected, "{text}");
        }
        for bad in ["lmpop 9 a b left", "lmpop x a b left", "lmpop 0 a b left", "lmpop -1 a left"] {
            assert_eq!(keys(bad), None, "{bad}");
        }
    }

    #[test]
    fn categories_follow_redis() {
        let categories_of = |name: &str| {
            let found = Table::shared().find_full(name.as_bytes()).expect("in the table");
            categories(found.command).join(" ")
        };
        assert_eq!(categories_of("blmove"), "write list slow blocking");
        assert_eq!(categories_of("multi"), "fast transaction");
        assert_eq!(categories_of("pubsub"), "slow");
        assert_eq!(categories_of("pubsub|numsub"), "pubsub slow");
        assert_eq!(categories_of("command|docs"), "slow connection");
        assert_eq!(categories_of("role"), "admin fast dangerous");
        assert_eq!(categories_of("config|set"), "admin slow dangerous");
    }
}
