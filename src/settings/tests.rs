//! Tests of the whole module; the error texts are those of redis-server 7.0.15.

use super::*;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.strip_suffix(b"*") {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

fn get(settings: &Settings, name: &str) -> String {
    let found = settings.get(&[name.as_bytes()], glob);
    assert_eq!(found.len(), 1, "{name}");
    found[0].1.clone()
}

fn set(settings: &mut Settings, pairs: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
    let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    settings.set(&pairs).map_err(|error| format!("ERR {error}"))
}

#[test]
fn every_default_parses_and_reads_back() {
    let mut settings = Settings::default();
    for directive in table::all() {
        let value = directive.parse_default().unwrap_or_else(|| panic!("{}", directive.name));
        assert_eq!(directive.value(&settings), value, "{}", directive.name);
        let shown = directive.print(&settings);
        let words = directive.kind.split(shown.as_bytes()).expect("words");
        let again = directive.parse(&words, &settings);
        assert_eq!(again, Ok(value.clone()), "{}", directive.name);
        if directive.runtime != Runtime::FileOnly {
            assert_eq!(directive.write(&mut settings, value), Ok(()), "{}", directive.name);
        }
    }
}

#[test]
fn names_are_lower_case_and_unique() {
    let mut names = BTreeSet::new();
    for name in table::all().flat_map(|d| std::iter::once(d.name).chain(d.alias)) {
        assert!(names.insert(name), "{name} twice");
        assert_eq!(name, name.to_ascii_lowercase());
        assert!(!name.is_empty());
    }
}

#[test]
fn every_mutable_row_takes_what_get_shows() {
    let mut settings = Settings::default();
    for (name, value) in settings.clone().get(&[b"*"], glob) {
        match set(&mut settings, &[(&name, &value)]) {
            Ok(changed) => assert!(changed.is_empty(), "{name}"),
            Err(error) => assert!(
                error.ends_with("immutable config") || error.ends_with("protected config"),
                "{error}"
            ),
        }
    }
}

#[test]
fn get_shows_values_as_redis_does() {
    let settings = Settings::default();
    for (name, value) in [
        ("bind", "127.0.0.1 -::1"),
        ("port", "6379"),
        ("save", ""),
        ("appendonly", "no"),
        ("unixsocket", ""),
        ("unixsocketperm", "0"),
        ("protected-mode", "yes"),
        ("proto-max-bulk-len", "536870912"),
        ("client-query-buffer-limit", "1073741824"),
        ("auto-aof-rewrite-min-size", "67108864"),
        (
            "client-output-buffer-limit",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        ),
        ("turn-read-bytes-max", "65536"),
        ("turn-output-bytes-max", "1048576"),
    ] {
        assert_eq!(get(&settings, name), value, "{name}");
    }
}

/// Policies of both kinds are read, shown and written in the same way.
#[test]
fn policies_are_added_by_name_and_rewritten() {
    for (name, options, other) in [
        ("queue-policy", "max-length 1", "max-length 2"),
        ("channel-policy", "high-water-mark 1", "high-water-mark 2 slow-subscriber drop-oldest"),
    ] {
        let file = format!("{name} a \"a'*\" {options}\n# between\n{name} b b* {options}\n");
        let mut settings = Settings::from_text(&file, "a.conf").expect("valid");
        assert_eq!(get(&settings, name), format!("a \"a'*\" {options} ; b b* {options}"));
        let changed = set(&mut settings, &[(name, &format!("c * {options} ; a x {other}"))]);
        assert_eq!(changed, Ok(vec![name]));
        let shown = format!("a x {other} ; b b* {options} ; c * {options}");
        assert_eq!(get(&settings, name), shown);
        assert_eq!(set(&mut settings, &[(name, &shown)]), Ok(vec![]), "nothing changed");

        let text = settings.rewritten(&file);
        assert!(text.starts_with(&format!("{name} a x {other}\n# between\n{name} b b*")), "{text}");
        assert!(text.ends_with(&format!("{name} c * {options}\n")), "{text}");
        let again = Settings::from_text(&text, "a.conf").expect("valid");
        assert_eq!(get(&again, name), shown);
        assert_eq!(again.rewritten(&text), text);

        assert_eq!(set(&mut settings, &[(name, "")]), Ok(vec![name]));
        assert_eq!(get(&settings, name), "");
        assert!(!settings.rewritten(&text).contains(&format!("{name} ")));
    }
}

/// In a file, on the command line and in CONFIG SET, and as they are shown and rewritten.
#[test]
fn the_words_of_a_policy_mean_the_same_everywhere() {
    for (name, option) in
        [("queue-policy", "max-length 2"), ("channel-policy", "high-water-mark 2")]
    {
        for (words, shown) in [
            (r#"jobs "jobs:*""#, "jobs jobs:*"),
            ("jobs 'jobs:*'", "jobs jobs:*"),
            ("jobs   jobs:*", "jobs jobs:*"),
            (r#"jobs "a b""#, r#"jobs "a b""#),
            (r#"jobs "a;\xff\n""#, r#"jobs "a;\xff\n""#),
            (r#"jobs a;b"#, "jobs a;b"),
        ] {
            let value = format!("{words} {option}");
            let shown = format!("{shown} {option}");
            let of_file = Settings::from_text(&format!("{name} {value}"), "a.conf").expect("valid");
            assert_eq!(get(&of_file, name), shown, "{value}");
            let args = [format!("--{name}"), value.clone()];
            let Ok(Invocation::Run(of_args)) = Settings::from_args(args) else { panic!("{value}") };
            assert_eq!(get(&of_args, name), shown, "{value}");
            let mut settings = Settings::default();
            assert_eq!(set(&mut settings, &[(name, &value)]), Ok(vec![name]));
            assert_eq!(get(&settings, name), shown, "{value}");
            assert_eq!(set(&mut settings, &[(name, &shown)]), Ok(vec![]), "{value}");
            let again = Settings::from_text(&settings.rewritten(""), "a.conf").expect("valid");
            assert_eq!(get(&again, name), shown, "{value}");
        }
    }
}

#[test]
fn a_channel_policy_that_is_wrong_changes_nothing() {
    let mut settings =
        Settings::from_text("channel-policy a * high-water-mark 9", "a.conf").expect("valid");
    let failed = |reason: &str| {
        let argument = "possibly related to argument 'channel-policy'";
        Err(format!("ERR CONFIG SET failed ({argument}) - {reason}"))
    };
    for (value, reason) in [
        (
            "b * high-water-mark 1 ; a *",
            "a channel policy limits the messages that wait for a slow subscriber: it needs the \
             option 'high-water-mark N'",
        ),
        ("a \"x y high-water-mark 1", "unbalanced quotes"),
        (
            "a * high-water-mark -1",
            "option 'high-water-mark' takes a whole number from 1 to 9223372036854775807, not '-1'",
        ),
    ] {
        assert_eq!(set(&mut settings, &[("channel-policy", value)]), failed(reason));
    }
    assert_eq!(get(&settings, "channel-policy"), "a * high-water-mark 9");
    let error = Settings::from_text("port 0\nchannel-policy a *", "a.conf").expect_err("no mark");
    assert_eq!((error.line, &error.text[..]), (Some(2), "channel-policy a *"));
    let hint = "option 'high-water-mark N' (channel-policy takes a name, a pattern, and options";
    assert!(error.reason.contains(hint), "{}", error.reason);
}

#[test]
fn get_answers_names_as_asked_and_each_once() {
    let settings = Settings::default();
    let expected = vec![("MaxClients".to_owned(), "10000".to_owned())];
    assert_eq!(settings.get(&[b"MaxClients", b"maxclients"], glob), expected);
    assert_eq!(settings.get(&[b"slave-prio*", b"REPLICA-PRIO*"], glob).len(), 2);
    assert_eq!(settings.get(&[b"rename-command", b"include", b"user"], glob), vec![]);
}

/// Directive, value, and the error of redis-server 7.0.15.
const BAD_VALUES: &[(&str, &str, &str)] = &[
    ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
    ("maxclients", "abc", "argument couldn't be parsed into an integer"),
    ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
    ("timeout", "99999999999", "argument must be between 0 and 2147483647 inclusive"),
    ("protected-mode", "maybe", "argument must be 'yes' or 'no'"),
    ("maxmemory", "1x", "argument must be a memory value"),
    ("maxmemory", "-1", "argument must be a memory value"),
    (
        "proto-max-bulk-len",
        "1",
        "argument must be between 1048576 and 9223372036854775807 inclusive",
    ),
    (
        "slowlog-log-slower-than",
        "-2",
        "argument must be between -1 and 9223372036854775807 inclusive",
    ),
    ("loglevel", "x", "argument(s) must be one of the following: debug, verbose, notice, warning"),
    (
        "client-output-buffer-limit",
        "normal 1",
        "Wrong number of arguments in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit",
        "master 1 1 1",
        "Invalid client class specified in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit",
        "normal 1 1 -1",
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    ),
    ("save", "60", "Invalid save parameters"),
    ("databases", "5", "can't set immutable config"),
    ("replicaof", "a b", "can't set immutable config"),
    ("enable-debug-command", "foo", "can't set immutable config"),
    ("dir", "/nonexist", "can't set protected config"),
    ("oom-score-adj-values", "1 2", "wrong number of arguments"),
    (
        "latency-tracking-info-percentiles",
        "50 200",
        "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
    ),
    ("notify-keyspace-events", "xyzq", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
];

#[test]
fn set_errors_are_those_of_redis() {
    for &(name, value, reason) in BAD_VALUES {
        let expected =
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        let answer = set(&mut Settings::default(), &[(name, value)]);
        assert_eq!(answer, Err(expected), "{name} {value:?}");
    }
}

#[test]
fn unknown_and_repeated_names_are_errors() {
    let unknown = "ERR Unknown option or number of arguments for CONFIG SET - 'foo'";
    for name in ["foo", "include", "loadmodule", "rename-command", "user"] {
        let expected = unknown.replace("foo", name);
        assert_eq!(set(&mut Settings::default(), &[(name, "1")]), Err(expected));
    }
    let twice = set(&mut Settings::default(), &[("timeout", "1"), ("timeout", "2")]);
    let expected =
        "ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter";
    assert_eq!(twice, Err(expected.to_owned()));
    let mixed = set(&mut Settings::default(), &[("timeout", "1"), ("foo", "2")]);
    assert_eq!(mixed, Err(unknown.to_owned()));
}

#[test]
fn names_are_checked_before_values() {
    let answer = set(&mut Settings::default(), &[("timeout", "x"), ("databases", "3")]);
    let expected = "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set \
                    immutable config";
    assert_eq!(answer, Err(expected.to_owned()));
}

#[test]
fn set_is_all_or_nothing() {
    let mut settings = Settings::default();
    assert!(set(&mut settings, &[("timeout", "9"), ("maxclients", "0")]).is_err());
    assert_eq!(settings.timeout_s, 0);
    let changed = set(&mut settings, &[("TIMEOUT", "9"), ("maxclients", "10000")]);
    assert_eq!(changed, Ok(vec!["timeout"]));
    assert_eq!(settings.timeout_s, 9);
    let changed = set(&mut settings, &[("slave-priority", "1"), ("replica-priority", "2")]);
    assert_eq!(changed, Ok(vec!["replica-priority"]));
    assert_eq!(get(&settings, "slave-priority"), "2");
}

#[test]
fn a_value_that_is_not_text_is_an_error() {
    let answer = Settings::default().set(&[(b"requirepass", b"\xff")]);
    assert!(answer.is_err_and(|e| e.to_string().ends_with("argument must be UTF-8 text")));
}

#[test]
fn a_setting_that_cannot_be_ignored_is_refused() {
    for (line, benign) in [
        ("maxmemory-policy allkeys-lru", "maxmemory-policy noeviction"),
        ("replica-read-only no", "slave-read-only yes"),
        ("cluster-enabled yes", "cluster-enabled no"),
        ("tls-dh-params-file a.pem", "tls-dh-params-file \"\""),
        ("notify-keyspace-events KEA", "notify-keyspace-events \"\""),
        ("rename-command FLUSHALL \"\"", ""),
        ("loadmodule a.so", ""),
    ] {
        let error = Settings::from_text(&format!("\n{line}"), "a.conf").expect_err(line);
        assert_eq!(error.line, Some(2));
        let shown = error.to_string();
        let start = format!("a.conf, line 2: '{line}': Tidegate ");
        assert!(shown.starts_with(&start), "{shown}");
        assert!(Settings::from_text(benign, "a.conf").is_ok(), "{benign}");
    }
    let answer = set(&mut Settings::default(), &[("maxmemory-policy", "allkeys-lru")]);
    assert!(answer.is_err_and(|e| e.contains("'maxmemory-policy') - Tidegate ")));
}

#[test]
fn save_lines_add_up_and_config_set_replaces() {
    let text = "save 900 1\nsave 1 1\nsave \"\"\nsave 60 10\nsave 5 100 7 200\n";
    let mut settings = Settings::from_text(text, "a.conf").expect("valid");
    assert_eq!(get(&settings, "save"), "60 10 5 100 7 200");
    let third = settings.save_points.get(2).copied();
    assert_eq!(third, Some(SavePoint { seconds: 7, changes: 200 }));
    let rewritten = settings.rewritten(text);
    let again = Settings::from_text(&rewritten, "a.conf").expect("valid");
    assert_eq!(again.save_points, settings.save_points, "{rewritten}");
    set(&mut settings, &[("save", "300 2")]).expect("valid");
    assert_eq!(get(&settings, "save"), "300 2");
    set(&mut settings, &[("save", "")]).expect("valid");
    assert_eq!(get(&settings, "save"), "");
    let again = Settings::from_text(&settings.rewritten(text), "a.conf").expect("valid");
    assert_eq!(again.save_points, []);
}

#[test]
fn a_file_is_read_as_redis_reads_it() {
    let text = "# a comment\n\n  PORT 7000\r\nbind \"127.0.0.1\" -::1\nrequirepass 'a b'\n\
                unixsocketperm 770\nmaxmemory 1gb\nclient-output-buffer-limit normal 1mb 0 0\n\
                hz 10\nactiverehashing no\nsave \"\"\n# caf\u{fffd}\n";
    let settings = Settings::from_text(text, "a.conf").expect("valid");
    assert_eq!(settings.port, 7000);
    assert_eq!(settings.bind, ["127.0.0.1", "-::1"]);
    assert_eq!(settings.requirepass, "a b");
    assert_eq!(settings.unixsocketperm, Some(0o770));
    assert_eq!(settings.maxmemory_bytes, 1 << 30);
    assert_eq!(settings.output_limits[0].hard_bytes, 1 << 20);
    assert_eq!(settings.output_limits[2].soft_seconds, 60);
    assert_eq!(settings.without_effect(), ["hz", "activerehashing"]);
}

#[test]
fn file_errors_say_where_what_and_what_would_be_valid() {
    for (line, expected) in [
        (
            "port abc",
            "argument couldn't be parsed into an integer (port takes a whole number from 0 to \
             65535)",
        ),
        ("port 1 2", "wrong number of arguments (port takes a whole number from 0 to 65535)"),
        ("port", "wrong number of arguments (port takes a whole number from 0 to 65535)"),
        ("port \"a", "Unbalanced quotes in configuration line"),
        (
            "logfile \"caf\\xe9\"",
            "this is not UTF-8 text (logfile takes one text, in quotes if it has spaces)",
        ),
        ("logfile caf\u{fffd}", "this is not UTF-8 text"),
        ("appendonly x", "argument must be 'yes' or 'no' (appendonly takes yes or no)"),
        (
            "maxclient 5",
            "Bad directive or wrong number of arguments (no such directive; did you mean \
             maxclients?)",
        ),
    ] {
        let error = Settings::from_text(line, "a.conf").expect_err(line);
        assert_eq!(error.to_string(), format!("a.conf, line 1: '{line}': {expected}"));
    }
}

#[test]
fn numbers_outside_a_row_s_range_are_refused() {
    let settings = Settings::default();
    let mut count = 0;
    for directive in table::all() {
        let (min, max) = match directive.kind {
            value::Kind::Number { min, max } => (i128::from(min), i128::from(max)),
            value::Kind::Memory { min, max } => (i128::from(min), i128::from(max)),
            _ => continue,
        };
        count += 1;
        // A count of bytes above the maximum saturates.
        let is_all = max == i128::from(u64::MAX);
        for (value, is_taken) in [(min, true), (max, true), (min - 1, false), (max + 1, is_all)] {
            let words = [value.to_string().into_bytes()];
            let parsed = directive.parse(&words, &settings);
            assert_eq!(parsed.is_ok(), is_taken, "{} {value}: {parsed:?}", directive.name);
        }
    }
    assert!(count > 50, "only {count} rows");
}

#[test]
fn at_most_sixteen_addresses_are_accepted() {
    for (count, is_taken) in [(16, true), (17, false)] {
        let addresses = vec!["127.0.0.1"; count].join(" ");
        let read = Settings::from_text(&format!("bind {addresses}"), "test");
        assert_eq!(read.is_ok(), is_taken, "{count}");
    }
}

#[test]
fn settings_are_made_of_directives() {
    let made = Settings::default()
        .with("port", "0")
        .and_then(|settings| settings.with("bind", "127.0.0.1 -::1"))
        .and_then(|settings| settings.with("dir", "/with a space"))
        .and_then(|settings| settings.with("queue-policy", "safe \"a b\" max-length 5"))
        .and_then(|settings| settings.with("queue-policy", "small c max-length 6"))
        .expect("valid values");
    assert_eq!((made.port, made.bind.len(), made.queue_policies.len()), (0, 2, 2));
    assert_eq!(made.dir, PathBuf::from("/with a space"));
    for (name, value, expected) in [
        ("maxclients", "0", "'maxclients 0': argument must be between"),
        ("requirepass\n", "x", "no such directive"),
        ("port", "", "'port ': argument couldn't be parsed into an integer"),
        ("queue-policy", "safe 'q", "unbalanced quotes"),
    ] {
        let error = Settings::default().with(name, value).expect_err(name).to_string();
        assert!(error.starts_with("settings: ") && error.contains(expected), "{error}");
    }
    let error = Settings::default().with("requirepass", &"x".repeat(1 << 20));
    assert!(!error.is_err_and(|error| error.text.contains('x')), "a password in an error");
}
