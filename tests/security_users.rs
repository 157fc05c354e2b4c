//! Published weaknesses of Redis and Valkey that concern users and their rights: a test for each, named
//! after its CVE, as in `security.rs`.

mod broker_support;

use broker_support::Bench;
use tidegate::Settings;

fn bench() -> Bench {
    Bench::with(Settings::default())
}

/// Malformed selectors are refused, and leave the user as it was.
#[test]
fn cve_2024_31227_and_51741_malformed_selectors_are_refused() {
    let pieces = [
        "(", ")", "()", "((", "))", "(%", "(%)", "%)", "(~", "(&", "(+", "(-@", "( )", "(+get",
        "+get)",
    ];
    let mut bench = bench();
    let client = bench.client();
    assert_eq!(bench.call(client, "ACL SETUSER bob on ~a (+get ~b)"), "+OK\r\n");
    for first in pieces {
        for second in pieces {
            for rules in [format!("{first} {second}"), format!("{first}{second}")] {
                let before = bench.call(client, "ACL LIST");
                let reply = bench.call(client, &format!("ACL SETUSER bob {rules}"));
                let after = bench.call(client, "ACL LIST");
                assert!(
                    reply == "+OK\r\n" || (reply.starts_with("-ERR") && after == before),
                    "{rules}: {reply}"
                );
            }
        }
    }
    // A permission without a pattern, which ended at a later argument.
    for rule in ["%", "%R", "%RW", "(%R)", "(%W", "%R %W"] {
        let reply = bench.call(client, &format!("ACL SETUSER bob {rule}"));
        assert!(reply.starts_with("-ERR"), "{rule}: {reply}");
    }
}

/// A long pattern of a rule takes no stack, and at most the product of both lengths in time.
#[test]
fn cve_2024_31228_long_patterns_of_rules_take_no_stack() {
    let mut bench = bench();
    let client = bench.client();
    let pattern = format!("{}b", "*a".repeat(5_000));
    assert_eq!(
        bench.call(client, &format!("ACL SETUSER bob on nopass +@all ~{pattern} &{pattern}")),
        "+OK\r\n"
    );
    let other = bench.client();
    assert_eq!(bench.call(other, "AUTH bob x"), "+OK\r\n");
    let name = "a".repeat(5_000);
    let refused = "-NOPERM No permissions to access a key\r\n";
    assert_eq!(bench.call(other, &format!("GET {name}")), refused);
    assert_eq!(bench.call(other, &format!("GET {name}b")), "$-1\r\n");
    let refused = "-NOPERM No permissions to access a channel\r\n";
    assert_eq!(bench.call(other, &format!("PUBLISH {name} x")), refused);
}

/// Whatever the number of keys that a request announces, rights are checked for those that are there.
#[test]
fn cve_2023_36824_wrong_numbers_of_keys_are_no_way_around_rights() {
    let mut bench = bench();
    let client = bench.client();
    assert_eq!(bench.call(client, "ACL SETUSER bob on nopass +@all ~a"), "+OK\r\n");
    assert_eq!(bench.call(client, "RPUSH b message"), ":1\r\n");
    let other = bench.client();
    assert_eq!(bench.call(other, "AUTH bob x"), "+OK\r\n");
    for count in [
        "-9223372036854775808",
        "-1",
        "0",
        "00",
        "01",
        "+1",
        "1",
        "2",
        "3",
        "4",
        "5",
        "2147483647",
        "2147483648",
        "4294967296",
        "4294967297",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551617",
        "x",
        "",
    ] {
        let count = if count.is_empty() { "\"\"" } else { count };
        for request in [
            format!("LMPOP {count} b a LEFT"),
            format!("LMPOP {count} a b LEFT"),
            format!("BLMPOP 0.001 {count} b a LEFT"),
            format!("QUEUE POP {count} b a"),
        ] {
            let reply = bench.call(other, &request);
            bench.advance(std::time::Duration::from_millis(2));
            bench.owed(other);
            assert!(!reply.contains("message"), "{request}: {reply}");
        }
    }
    assert_eq!(bench.call(client, "LLEN b"), ":1\r\n");
}

/// Each key is asked about, wherever it stands, for every command that has keys.
#[test]
fn cve_2023_41053_every_key_of_a_request_is_checked() {
    let mut bench = bench();
    let client = bench.client();
    assert_eq!(bench.call(client, "ACL SETUSER bob on nopass +@all ~ok*"), "+OK\r\n");
    let other = bench.client();
    assert_eq!(bench.call(other, "AUTH bob x"), "+OK\r\n");
    for request in [
        "MGET ok1 ok2 bad",
        "MSET ok1 v bad v",
        "MSETNX ok1 v bad v",
        "DEL ok1 bad",
        "UNLINK ok1 bad",
        "EXISTS ok1 bad",
        "TOUCH ok1 bad",
        "COPY ok1 bad",
        "COPY bad ok1",
        "RENAME ok1 bad",
        "RENAMENX bad ok1",
        "LMOVE ok1 bad LEFT LEFT",
        "RPOPLPUSH bad ok1",
        "BLMOVE ok1 bad LEFT LEFT 1",
        "BRPOPLPUSH bad ok1 1",
        "BLPOP ok1 bad 1",
        "BRPOP bad ok1 1",
        "LMPOP 2 ok1 bad LEFT",
        "BLMPOP 1 2 ok1 bad LEFT",
        "LCS ok1 bad",
        "WATCH ok1 bad",
        "QUEUE POP 2 ok1 bad",
        "QUEUE MOVE ok1 bad",
        "QUEUE MOVE bad ok1",
        "QUEUE PUSH bad MESSAGES 1 m",
        "QUEUE PEEK bad",
        "QUEUE INFO bad",
        "QUEUE INFLIGHT bad",
        "QUEUE PURGE bad",
        "QUEUE ACK bad",
        "QUEUE NACK bad",
        "QUEUE TOUCH bad IDS 1 1",
        "QUEUE PAUSE bad",
        "QUEUE RESUME bad",
        "OBJECT ENCODING bad",
        "MEMORY USAGE bad",
        "LPOS bad x",
        "TYPE bad",
        "DUMP bad",
        "MOVE bad 1",
        "EXPIRE bad 1",
        "SUBSTR bad 0 1",
        "GETEX bad",
    ] {
        let reply = bench.call(other, request);
        assert_eq!(reply, "-NOPERM No permissions to access a key\r\n", "{request}");
    }
}
