//! Limits, one row each: everything works up to the limit, and one more is refused.
//!
//! Ranges of settings and of policy options are tested with them; limits on clients, files and socket
//! bytes with the server.

mod broker_support;

use broker_support::Bench;
use std::time::Duration;
use tidegate::journal::manifest::Manifest;
use tidegate::policy::{ChannelPolicy, Policy, QueuePolicy, Takes};
use tidegate::settings::Settings;

struct Limit {
    what: &'static str,
    settings: &'static str,
    /// The limit.
    max: u64,
    /// Goes up to this number; returns whether nothing was refused.
    passes: fn(&mut Bench, u64) -> bool,
}

const LIMITS: &[Limit] = &[
    Limit {
        what: "arguments of a request before AUTH",
        settings: "requirepass x",
        max: 10,
        passes: |bench, n| call_bytes(bench, &format!("*{n}\r\n")).is_empty(),
    },
    Limit {
        what: "bytes of an argument before AUTH",
        settings: "requirepass x",
        max: 16 * 1024,
        passes: |bench, n| call_bytes(bench, &format!("*1\r\n${n}\r\n")).is_empty(),
    },
    Limit {
        what: "arguments of a request",
        settings: "",
        max: i32::MAX as u64,
        passes: |bench, n| call_bytes(bench, &format!("*{n}\r\n")).is_empty(),
    },
    Limit {
        what: "bytes of a line, with its end",
        settings: "",
        max: 64 * 1024,
        passes: |bench, n| {
            let line = "x".repeat(n as usize);
            !call_bytes(bench, &format!("{line}\n")).contains("Protocol error")
        },
    },
    Limit {
        what: "bytes of a line, whose end has not come",
        settings: "",
        max: 64 * 1024,
        passes: |bench, n| call_bytes(bench, &"x".repeat(n as usize)).is_empty(),
    },
    Limit {
        what: "proto-max-bulk-len",
        settings: "proto-max-bulk-len 1mb",
        max: 1 << 20,
        passes: |bench, n| call_bytes(bench, &format!("*1\r\n${n}\r\n")).is_empty(),
    },
    Limit {
        what: "client-query-buffer-limit",
        settings: "client-query-buffer-limit 1mb",
        max: 1 << 20,
        passes: |bench, n| {
            call_bytes(bench, &unfinished(n));
            bench.broker.next_closing().is_none()
        },
    },
    Limit {
        what: "client-query-buffer-limit, with what MULTI keeps",
        settings: "client-query-buffer-limit 1mb",
        max: 1 << 20,
        passes: |bench, n| {
            let id = bench.client();
            bench.call(id, "MULTI");
            bench.call(id, "ECHO kept");
            let asker = bench.client();
            let kept = field(&bench.call(asker, "CLIENT LIST"), " multi-mem=");
            bench.broker.receive(id, unfinished(n - kept).as_bytes(), bench.now);
            bench.broker.next_closing().is_none()
        },
    },
    Limit {
        what: "client-output-buffer-limit, hard",
        settings: "client-output-buffer-limit normal 1000 0 0",
        max: 1000,
        passes: |bench, n| {
            let id = bench.client();
            // `$nnn`, two line ends, and the text.
            bench.send(id, &format!("ECHO {}", "x".repeat(n as usize - 8)));
            assert_eq!(bench.broker.outbox(id).map(|output| output.len()), Some(n as usize));
            bench.broker.next_closing().is_none()
        },
    },
    Limit {
        what: "client-output-buffer-limit, soft, in microseconds",
        settings: "client-output-buffer-limit normal 0 100 5",
        max: 5_000_000,
        passes: |bench, n| {
            let id = bench.client();
            bench.send(id, &format!("ECHO {}", "x".repeat(100)));
            bench.advance(Duration::from_micros(n));
            bench.broker.next_closing().is_none()
        },
    },
    Limit {
        what: "databases",
        settings: "databases 20",
        max: 19,
        passes: |bench, n| call(bench, &format!("SELECT {n}")) == "+OK\r\n",
    },
    Limit {
        what: "turn-output-bytes-max",
        settings: "turn-output-bytes-max 1kb",
        max: 1 << 10,
        passes: |bench, n| {
            let id = bench.client();
            // `$nnnn`, two line ends, and the text.
            let requests = format!("ECHO {}\r\nPING\r\n", "x".repeat(n as usize - 9));
            bench.broker.receive(id, requests.as_bytes(), bench.now);
            !bench.broker.has_backlog()
        },
    },
    Limit {
        what: "BLPOP, in microseconds",
        settings: "",
        max: 999_999,
        passes: |bench, n| is_blocked_after(bench, "BLPOP none 1", n),
    },
    Limit {
        what: "CLIENT PAUSE, in microseconds",
        settings: "",
        max: 999_999,
        passes: |bench, n| {
            call(bench, "CLIENT PAUSE 1000");
            is_blocked_after(bench, "PING", n)
        },
    },
    Limit {
        what: "slowlog-max-len",
        settings: "slowlog-log-slower-than 0\nslowlog-max-len 5",
        max: 5,
        passes: |bench, n| {
            let id = bench.client();
            (1..=n).for_each(|number| drop(bench.call(id, &format!("ECHO number-{number}"))));
            bench.call(id, "SLOWLOG GET -1").contains("number-1\r\n")
        },
    },
    Limit {
        what: "arguments that SLOWLOG shows",
        settings: "slowlog-log-slower-than 0",
        max: 32,
        passes: |bench, n| {
            let id = bench.client();
            bench.call(id, &format!("RPUSH q {} last", "x ".repeat(n as usize - 3)));
            bench.call(id, "SLOWLOG GET 1").contains("last")
        },
    },
    Limit {
        what: "bytes of an argument that SLOWLOG shows",
        settings: "slowlog-log-slower-than 0",
        max: 128,
        passes: |bench, n| {
            let id = bench.client();
            bench.call(id, &format!("ECHO {}", "x".repeat(n as usize)));
            !bench.call(id, "SLOWLOG GET 1").contains("more bytes")
        },
    },
    Limit {
        what: "bytes of a command's name that an error shows",
        settings: "",
        max: 128,
        passes: |bench, n| {
            let name = "x".repeat(n as usize);
            call(bench, &name).contains(&format!("'{name}'"))
        },
    },
    Limit {
        what: "max-length",
        settings: "queue-policy p q max-length 3",
        max: 3,
        passes: |bench, n| push_each(bench, n).ends_with(&format!(":{n}\r\n")),
    },
    Limit {
        what: "max-length, pushed at once",
        settings: "queue-policy p q max-length 3",
        max: 3,
        passes: |bench, n| {
            call(bench, &format!("RPUSH q {}", "x ".repeat(n as usize))) == format!(":{n}\r\n")
        },
    },
    Limit {
        what: "max-length, with drop-head",
        settings: "queue-policy p q max-length 3 overflow drop-head",
        max: 3,
        passes: |bench, n| {
            push_each(bench, n);
            call(bench, "LINDEX q 0") == "$1\r\n1\r\n"
        },
    },
    Limit {
        what: "max-length-bytes",
        settings: "queue-policy p q max-length-bytes 10",
        max: 10,
        passes: |bench, n| {
            call(bench, "RPUSH q 12345");
            call(bench, &format!("RPUSH q {}", "x".repeat(n as usize - 5))) == ":2\r\n"
        },
    },
    Limit {
        what: "max-length, for which producers wait",
        settings: "queue-policy p q max-length 3 overflow block",
        max: 3,
        passes: |bench, n| {
            push_each(bench, n - 1);
            !is_blocked_after(bench, "RPUSH q last", 0)
        },
    },
    Limit {
        what: "block-timeout-ms",
        settings: "queue-policy p q max-length 1 overflow block block-timeout-ms 1000",
        max: 999_999,
        passes: |bench, n| {
            push_each(bench, 1);
            is_blocked_after(bench, "RPUSH q last", n)
        },
    },
    Limit {
        what: "message-ttl-ms",
        settings: "queue-policy p q message-ttl-ms 1000",
        max: 999,
        passes: |bench, n| {
            push_each(bench, 1);
            bench.advance(Duration::from_millis(n));
            call(bench, "LLEN q") == ":1\r\n"
        },
    },
    Limit {
        what: "delay-ms",
        settings: "queue-policy p q delay-ms 1000",
        max: 999,
        passes: |bench, n| {
            push_each(bench, 1);
            bench.advance(Duration::from_millis(n));
            call(bench, "LPOP q") == "$-1\r\n"
        },
    },
    Limit {
        what: "dedup-window-ms",
        settings: "queue-policy p q dedup-window-ms 1000",
        max: 999,
        passes: |bench, n| {
            push_each(bench, 1);
            bench.advance(Duration::from_millis(n));
            push_each(bench, 1) == ":1\r\n"
        },
    },
    Limit {
        what: "queue-dedup-messages-max",
        settings: "queue-policy p q dedup-window-ms 1000\nqueue-dedup-messages-max 5",
        max: 5,
        passes: |bench, n| {
            push_each(bench, n);
            push_each(bench, 1) == format!(":{n}\r\n")
        },
    },
    Limit {
        what: "queue-idle-max",
        settings: "queue-policy p q* message-ttl-ms 1000\nqueue-idle-max 5",
        max: 5,
        passes: |bench, n| {
            let id = bench.client();
            for number in 1..=n {
                bench.call(id, &format!("RPUSH q{number} x"));
                bench.call(id, &format!("LPOP q{number}"));
            }
            bench.call(id, "QUEUE INFO q1").contains("pushed\r\n:1\r\n")
        },
    },
    Limit {
        what: "ack-timeout-ms",
        settings: "queue-policy p q delivery at-least-once acknowledge explicit ack-timeout-ms 1000",
        max: 999,
        passes: |bench, n| {
            push_each(bench, 1);
            call(bench, "LPOP q");
            bench.advance(Duration::from_millis(n));
            call(bench, "LLEN q") == ":0\r\n"
        },
    },
    Limit {
        what: "delivery-limit",
        settings: "queue-policy p q delivery at-least-once acknowledge explicit delivery-limit 3",
        max: 3,
        passes: |bench, n| {
            push_each(bench, 1);
            let id = bench.client();
            for _ in 1..n {
                bench.call(id, "LPOP q");
                bench.call(id, "QUEUE NACK q");
            }
            bench.call(id, "LPOP q") == "$1\r\n1\r\n"
        },
    },
    Limit {
        what: "queue policies",
        settings: "",
        max: 1_000,
        passes: |bench, n| {
            let id = bench.client();
            let set =
                |number: u64| bench.call(id, &format!("QUEUE POLICY SET p{number} k{number}"));
            (1..=n).map(set).last().is_some_and(|reply| reply == "+OK\r\n")
        },
    },
    Limit {
        what: "bytes of a policy's name",
        settings: "",
        max: 128,
        passes: |bench, n| {
            let name = "n".repeat(n as usize);
            call(bench, &format!("QUEUE POLICY SET {name} q")) == "+OK\r\n"
        },
    },
    Limit {
        what: "bytes of a policy's pattern",
        settings: "",
        max: 1024,
        passes: |bench, n| {
            let pattern = "q".repeat(n as usize);
            call(bench, &format!("QUEUE POLICY SET p {pattern}")) == "+OK\r\n"
        },
    },
    Limit {
        what: "high-water-mark, newest dropped",
        settings: "channel-policy p c high-water-mark 3",
        max: 3,
        passes: |bench, n| publish_each(bench, n).ends_with(":1\r\n"),
    },
    Limit {
        what: "high-water-mark, disconnected",
        settings: "channel-policy p c high-water-mark 3 slow-subscriber disconnect",
        max: 3,
        passes: |bench, n| {
            publish_each(bench, n);
            bench.broker.next_closing().is_none()
        },
    },
    Limit {
        what: "bytes of a line of a manifest, with its end",
        settings: "",
        max: 1024,
        passes: |_, n| {
            let rest = " seq 1 type i\n";
            let name = "n".repeat(n as usize - "file ".len() - rest.len());
            Manifest::parse(format!("file {name}{rest}").as_bytes()).is_ok()
        },
    },
    Limit {
        what: "number of an append file",
        settings: "",
        max: 1 << 62,
        passes: |_, n| Manifest::parse(format!("file a seq {n} type i\n").as_bytes()).is_ok(),
    },
];

fn call(bench: &mut Bench, line: &str) -> String {
    let id = bench.client();
    bench.call(id, line)
}

fn call_bytes(bench: &mut Bench, bytes: &str) -> String {
    let id = bench.client();
    bench.broker.receive(id, bytes.as_bytes(), bench.now);
    bench.owed(id)
}

/// This many bytes without a complete request.
fn unfinished(bytes: u64) -> String {
    let header = "*2\r\n$4\r\nECHO\r\n$9000000\r\n";
    format!("{header}{}", "x".repeat(bytes as usize - header.len()))
}

/// The first non-zero number after this name.
fn field(text: &str, name: &str) -> u64 {
    let numbers = text.split(name).skip(1).filter_map(|rest| rest.split(' ').next()?.parse().ok());
    numbers.into_iter().find(|number| *number > 0).expect("a number")
}

/// The replies to this many pushes of one message.
fn push_each(bench: &mut Bench, count: u64) -> String {
    let id = bench.client();
    (1..=count).map(|number| bench.call(id, &format!("RPUSH q {number}"))).collect()
}

/// The replies to this many messages for a subscriber that does not read.
fn publish_each(bench: &mut Bench, count: u64) -> String {
    let subscriber = bench.client();
    bench.call(subscriber, "SUBSCRIBE c");
    let id = bench.client();
    (1..=count).map(|_| bench.call(id, "PUBLISH c x")).collect()
}

fn is_blocked_after(bench: &mut Bench, line: &str, us: u64) -> bool {
    let id = bench.client();
    bench.send(id, line);
    bench.advance(Duration::from_micros(us));
    bench.broker.is_blocked(id)
}

#[test]
fn everything_works_up_to_the_limit_and_one_more_is_refused() {
    for limit in LIMITS {
        let bench = || {
            let settings = Settings::from_text(limit.settings, "the test's settings");
            Bench::with(settings.unwrap_or_else(|error| panic!("{}: {error}", limit.what)))
        };
        let passes = |n| (limit.passes)(&mut bench(), n);
        assert!(passes(limit.max), "{}: {} is refused", limit.what, limit.max);
        assert!(!passes(limit.max + 1), "{}: {} is taken", limit.what, limit.max + 1);
    }
}

/// The time above a soft limit starts again when the client was below it.
#[test]
fn a_soft_limit_is_for_one_time_above_it() {
    let settings = "client-output-buffer-limit normal 0 100 5";
    let mut bench =
        Bench::with(Settings::from_text(settings, "the test's settings").expect("valid"));
    let id = bench.client();
    for _ in 0..3 {
        bench.send(id, &format!("ECHO {}", "x".repeat(200)));
        bench.advance(Duration::from_secs(3));
        assert!(bench.broker.next_closing().is_none());
        bench.owed(id);
        bench.advance(Duration::from_secs(1));
    }
    bench.send(id, &format!("ECHO {}", "x".repeat(200)));
    bench.advance(Duration::from_micros(5_000_001));
    assert!(bench.broker.next_closing().is_some());
}

/// The memory in use changes with each request, so the test searches for the limit.
#[test]
fn maxmemory_is_what_may_be_used() {
    let mut bench = Bench::new();
    let id = bench.client();
    let used = |bench: &mut Bench| {
        let info = bench.call(id, "INFO memory");
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        line.expect("the field").parse::<u64>().expect("a number")
    };
    // The next command may take memory as long as no more than this is in use.
    bench.call(id, "RPUSH q x");
    let before = used(&mut bench);
    assert_eq!(used(&mut bench), before, "nothing changes by itself");
    for (max, is_taken) in [(before, true), (before - 1, false)] {
        bench.call(id, &format!("CONFIG SET maxmemory {max}"));
        assert_eq!(used(&mut bench), before);
        assert_eq!(bench.call(id, "LPUSHX none x") == ":0\r\n", is_taken, "{max}");
    }
}

fn check_options<P: Policy>(what: &str) {
    for row in P::rows() {
        let Takes::Number { min, max } = row.takes else { continue };
        let (min, max) = (i128::from(min), i128::from(max));
        for (value, is_taken) in [(min, true), (max, true), (min - 1, false), (max + 1, false)] {
            let text = value.to_string();
            let words = [&b"p"[..], b"x", row.name.as_bytes(), text.as_bytes()];
            // Some need other options; that error comes only when the value is right.
            let error = P::parse(&words).err().unwrap_or_default();
            let is_refused = error.starts_with(&format!("option '{}' takes ", row.name));
            assert_eq!(!is_refused, is_taken, "{what}, {} {value}: {error}", row.name);
        }
    }
}

#[test]
fn options_of_policies_accept_their_minimum_and_maximum() {
    check_options::<QueuePolicy>("queue policy");
    check_options::<ChannelPolicy>("channel policy");
}
