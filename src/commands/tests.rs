use super::{debug, table};
use crate::clients::Peer;
use crate::clock::Now;
use crate::engine::dispatch::dispatch;
use crate::engine::{Command, CommandError, Context, Found, NAME_BYTES_MAX, Nobody, Origin, Run};
use crate::engine::{secrets, wake};
use crate::host::NoHost;
use crate::resp::{Output, OwnedRequest};
use crate::settings::Settings;
use crate::state::State;
use std::collections::BTreeSet;

#[test]
fn every_row_is_complete() {
    let mut names = BTreeSet::new();
    for Found { command, .. } in table().all() {
        assert!(names.insert(command.name), "{} is there twice", command.name);
        assert!(command.name.len() < NAME_BYTES_MAX);
        assert_eq!(command.name, command.name.to_ascii_lowercase());
        assert!(command.arity != 0 && !command.summary.is_empty(), "{}", command.name);
        let has_subcommands = !command.subcommands.is_empty();
        assert!(command.run.is_some() || has_subcommands, "{} does nothing", command.name);
        for subcommand in command.subcommands {
            assert!(subcommand.name.starts_with(&format!("{}|", command.name)));
        }
    }
}

#[test]
fn names_are_found_in_any_case() {
    let table = table();
    assert_eq!(table.find(b"rPuSh").map(|found| found.command.name), Some("rpush"));
    assert_eq!(table.find(b"DeL").map(|found| found.command.name), Some("del"));
    assert_eq!(table.find(b"PSUBscribe").map(|found| found.command.name), Some("psubscribe"));
    for name in [&b"client|list"[..], b"", b"l", b"lpo", b"lpop ", b"lpop\0", b"lp\x0fp", b"\0lpop"]
    {
        assert!(table.find(name).is_none(), "{}", name.escape_ascii());
    }
    assert!(table.find(&[b'x'; 100]).is_none());
    let client = table.find(b"CLIENT").expect("CLIENT is in the table");
    let list = table.find_subcommand(client, b"List").expect("CLIENT LIST is in the table");
    assert_eq!(list.command.name, "client|list");
    assert_eq!(table.find_full(b"CLIENT|LIST").map(|found| found.index), Some(list.index));
}

#[test]
fn every_row_lists_its_arguments() {
    for Found { command, .. } in table().all() {
        let own = if command.name.contains('|') { 2 } else { 1 };
        let is_plain = command.arity == own || !command.subcommands.is_empty();
        // QUIT accepts any arguments; DEBUG is for experts.
        let is_exempt = ["quit", "debug"].contains(&command.name);
        assert!(is_plain || !command.args.is_empty() || is_exempt, "{}", command.name);
    }
}

fn keys(text: &str) -> Option<Vec<String>> {
    let request = OwnedRequest::from_args(text.split(' ').map(str::as_bytes));
    let request = request.as_request();
    let found = table().find(request.name()).expect("the command is in the table");
    let keys = found.command.keys.of(&request)?;
    Some(keys.iter().map(|key| String::from_utf8_lossy(key.name).into_owned()).collect())
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

/// Runs a command's function, whatever number of arguments its row allows.
fn run_anyway(
    state: &mut State,
    command: &'static Command,
    run: Run,
    words: &[&str],
) -> (Vec<u8>, Result<(), CommandError>) {
    let now = Now { unix_us: 1_000_000_000_000, monotonic_us: 50_000_000 };
    let client = state.clients.connect(0, Peer::in_process(), now.monotonic_us);
    state.clients.get_mut(client).expect("just connected").is_authenticated = true;
    let owned = OwnedRequest::from_args(words.iter().map(|word| word.as_bytes()));
    let mut reply = Output::default();
    let table = table();
    let mut ctx = Context {
        state,
        client,
        db: 0,
        now,
        reply: &mut reply,
        origin: Origin::Client,
        ready_key: None,
        is_waiting: false,
        found: table.find_full(command.name.as_bytes()).expect("it is in the table"),
        table,
        meanwhile: &mut Nobody,
    };
    let result = run(&mut ctx, &owned.as_request());
    wake::follow_up(state, table, now);
    state.keyspace.check_invariants();
    (reply.take_all().to_vec(), result)
}

/// The caller need not be a connection: pending output of a client stays out of a reply to someone
/// else.
#[test]
fn a_reply_may_be_built_apart_from_its_client() {
    let mut state =
        State::new(Settings::default(), table().catalogue(), 1, Box::new(NoHost), Now::default());
    let id = state.clients.connect(0, Peer::in_process(), 0);
    state.clients.get_mut(id).expect("just connected").is_authenticated = true;
    state.clients.write(id, |output| output.raw(b"owed"));
    let request = OwnedRequest::from_args([&b"ECHO"[..], b"hello"]);
    let request = request.as_request();
    let (mut reply, named) = (Output::default(), table().find(request.name()));
    dispatch(&mut state, (table(), named), id, &request, &mut reply, Now::default(), &mut Nobody);
    assert_eq!(reply.take_all(), b"$5\r\nhello\r\n");
    assert_eq!(state.clients.outbox(id).expect("connected").take_all(), b"owed");
}

/// Returns a state without keys, one with a plain list at `k`, one with that list under a policy, and
/// one with a string there.
fn some_states() -> [State; 4] {
    let state =
        |settings| State::new(settings, table().catalogue(), 1, Box::new(NoHost), Now::default());
    let policy = "p k max-length 1 overflow block delivery at-least-once acknowledge next-pop";
    let queue_state = Settings::default().with("queue-policy", policy).expect("a policy");
    let plain = Settings::default;
    let mut states = [plain(), plain(), queue_state, plain()].map(state);
    for (state, name) in states[1..].iter_mut().zip(["rpush", "rpush", "set"]) {
        let command = table().find(name.as_bytes()).expect("it is in the table").command;
        let run = command.run.expect("it does something");
        assert_eq!(run_anyway(state, command, run, &[name, "k", "m"]).1, Ok(()));
    }
    states
}

/// A row that allows too few arguments gives a wrong reply, and must not end the process.
#[test]
fn no_number_of_arguments_ends_the_process() {
    const LEN_MAX: usize = 6;
    const WORDS: &[&str] = &["1", "k", "x", "left", "count", "get", "ex", "-1", ""];
    let rows = table().all().filter_map(|found| Some((found.command, found.command.run?)));
    let debug = table().find(b"debug").expect("DEBUG is in the table").command;
    let of_debug = debug::SUBCOMMANDS.iter().map(|(_, _, run)| (debug, *run));
    for (command, run) in rows.chain(of_debug) {
        for len in 1..=LEN_MAX {
            // The same word repeatedly, or a different one each time.
            for (first, step) in [("1", 0), ("k", 0), ("k", 1), ("x", 1)] {
                for second in 0..WORDS.len() {
                    let rest = (0..LEN_MAX).map(|at| WORDS[(second + step * at) % WORDS.len()]);
                    let words = command.name.split('|').chain([first]).chain(rest);
                    let words: Vec<&str> = words.take(len).collect();
                    answers_or_waits(command, run, &words);
                }
            }
        }
    }
}

fn answers_or_waits(command: &'static Command, run: Run, words: &[&str]) {
    const SILENT: &[&str] = &["client|reply", "shutdown", "subscribe", "psubscribe", "ssubscribe"];
    for mut state in some_states() {
        let (reply, result) = run_anyway(&mut state, command, run, words);
        let answers = !reply.is_empty() || result.is_err();
        let may_not = state.clients.blocked_count() > 0 || SILENT.contains(&command.name);
        assert!(answers || may_not, "{words:?}");
    }
}

fn hidden(line: &str) -> Option<String> {
    let args = || line.split(' ').map(str::as_bytes);
    let request = OwnedRequest::from_args(args());
    let request = request.as_request();
    let table = table();
    let found = table.find(request.name()).expect("a row of this name");
    let subcommand = request.get(1).and_then(|name| table.find_subcommand(found, name));
    let found = subcommand.unwrap_or(found);
    let hidden = secrets::hide(found.command, &request)?;
    let words: Vec<_> = hidden.as_request().args().map(String::from_utf8_lossy).collect();
    Some(words.join(" "))
}

#[test]
fn passwords_are_hidden_and_nothing_else() {
    let shown = |line: &str| hidden(line).unwrap_or_default();
    assert_eq!(shown("AUTH p"), "AUTH (redacted)");
    assert_eq!(shown("AUTH default p"), "AUTH (redacted) (redacted)");
    assert_eq!(
        shown("HELLO 3 SETNAME auth AUTH default p SETNAME x"),
        "HELLO 3 SETNAME auth AUTH (redacted) (redacted) SETNAME x"
    );
    for name in crate::settings::secret_names() {
        let line = format!("config set {name} p");
        assert_eq!(shown(&line), format!("config set {name} (redacted)"));
        let name = name.to_uppercase();
        let line = format!("CONFIG SET PORT 1 {name} p MAXCLIENTS 9");
        let expected = format!("CONFIG SET PORT 1 {name} (redacted) MAXCLIENTS 9");
        assert_eq!(shown(&line), expected);
    }
    assert_eq!(hidden("HELLO 3 SETNAME me"), None);
    assert_eq!(hidden("PING p"), None);
    assert_eq!(hidden("CONFIG SET maxclients requirepass"), None);
}

#[test]
fn categories_follow_redis() {
    let categories_of = |name: &str| {
        let found = table().find_full(name.as_bytes()).expect("in the table");
        found.command.categories().names().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(categories_of("blmove"), "write list slow blocking");
    assert_eq!(categories_of("multi"), "fast transaction");
    assert_eq!(categories_of("pubsub"), "slow");
    assert_eq!(categories_of("pubsub|numsub"), "pubsub slow");
    assert_eq!(categories_of("command|docs"), "slow connection");
    assert_eq!(categories_of("role"), "admin fast dangerous");
    assert_eq!(categories_of("config|set"), "admin slow dangerous");
    assert_eq!(categories_of("queue|policy"), "admin slow dangerous queue");
}
