//! Resets are complete: RESET leaves the state of a new client, CONFIG RESETSTAT that of a new server,
//! both compared as a whole. And no command that shows commands shows a secret.

mod broker_support;

use broker_support::Bench;
use std::sync::Mutex;
use std::time::Duration;
use tidegate::settings::Settings;
use tidegate::{ClientId, CloseReason};

fn bench(lines: &str) -> Bench {
    Bench::with(Settings::from_text(lines, "the test's settings").expect("valid settings"))
}

/// A client's line as seen by another client, without its number.
fn seen(bench: &mut Bench, id: ClientId) -> String {
    let asker = bench.client();
    let list = bench.call(asker, &format!("CLIENT LIST ID {}", id.number()));
    let line = list.lines().find(|line| line.starts_with("id=")).expect("a line");
    let seen = line.split_once(' ').expect("fields").1.to_string();
    bench.broker.disconnect(asker, CloseReason::PeerClosed, bench.now);
    seen
}

/// Ways to change the state of a client.
const STATES: &[&[&str]] = &[
    &["HELLO 3"],
    &["CLIENT SETNAME me"],
    &["SELECT 3"],
    &["CLIENT NO-EVICT on", "CLIENT NO-TOUCH on"],
    &["SUBSCRIBE a b", "PSUBSCRIBE a*", "SSUBSCRIBE s"],
    &["HELLO 3 SETNAME me", "SUBSCRIBE a", "PSUBSCRIBE a*", "SSUBSCRIBE s", "SELECT 3"],
    &["MULTI", "RPUSH q a", "NOSUCH"],
    &["WATCH q w", "RPUSH q b", "RPUSH w b"],
    &["WATCH q", "RPUSH q b", "MULTI", "LLEN q"],
    &["MONITOR"],
    &["HELLO 3", "MONITOR", "SUBSCRIBE a"],
    &["RPUSH held 1 2", "LPOP held"],
    &["CLIENT REPLY OFF"],
    &["CLIENT REPLY SKIP", "PING"],
];

#[test]
fn reset_leaves_what_a_new_client_has() {
    for has_password in [false, true] {
        for state in STATES {
            let password = if has_password { "requirepass secret\n" } else { "" };
            let mut bench = bench(&format!(
                "{password}queue-policy p held delivery at-least-once acknowledge explicit"
            ));
            let asks = |bench: &mut Bench, line: &str| {
                let id = bench.client();
                bench.call(id, "AUTH secret");
                let reply = bench.call(id, line);
                bench.broker.disconnect(id, CloseReason::PeerClosed, bench.now);
                reply
            };
            let (used, new) = (bench.client(), bench.client());
            if has_password {
                bench.call(used, "AUTH secret");
            }
            state.iter().for_each(|line| drop(bench.call(used, line)));
            assert_eq!(bench.call(used, "RESET"), "+RESET\r\n", "{state:?}");
            assert_eq!(bench.call(new, "RESET"), "+RESET\r\n");
            // CLIENT LIST needs authentication.
            if has_password {
                asks(&mut bench, "CONFIG SET requirepass \"\"");
            }
            let (found, expected) = (seen(&mut bench, used), seen(&mut bench, new));
            assert_eq!(found, expected, "{state:?}");
            if has_password {
                asks(&mut bench, "CONFIG SET requirepass secret");
                for id in [used, new] {
                    assert_eq!(bench.call(id, "PING"), "-NOAUTH Authentication required.\r\n");
                }
            }
            // Nothing of it is left for other clients.
            assert_eq!(asks(&mut bench, "PUBLISH a x"), ":0\r\n", "{state:?}");
            assert_eq!(asks(&mut bench, "PUBSUB NUMPAT"), ":0\r\n", "{state:?}");
            assert_eq!(asks(&mut bench, "PUBSUB SHARDCHANNELS"), "*0\r\n", "{state:?}");
            assert_eq!(asks(&mut bench, "QUEUE INFLIGHT held"), "*0\r\n", "{state:?}");
            assert_eq!(bench.owed(used), "", "{state:?}: it is told of what others do");
            if !has_password {
                // A broken watch or an aborted transaction would show here.
                assert_eq!(bench.call(used, "MULTI"), "+OK\r\n", "{state:?}");
                assert_eq!(bench.call(used, "EXEC"), "*0\r\n", "{state:?}");
            }
        }
    }
}

/// Whatever a client was doing, nothing of it is left when its connection is gone.
#[test]
fn a_connection_that_ends_leaves_nothing() {
    for state in STATES {
        let mut bench = bench("queue-policy p held delivery at-least-once acknowledge explicit");
        let id = bench.client();
        state.iter().for_each(|line| drop(bench.call(id, line)));
        bench.call(id, "BLPOP none 0");
        bench.broker.disconnect(id, CloseReason::PeerClosed, bench.now);
        bench.settle();
        let new = bench.client();
        assert_eq!(bench.call(new, "PUBLISH a x"), ":0\r\n", "{state:?}");
        assert_eq!(bench.call(new, "PUBSUB NUMPAT"), ":0\r\n", "{state:?}");
        assert_eq!(bench.call(new, "QUEUE INFLIGHT held"), "*0\r\n", "{state:?}");
        assert_eq!(bench.call(new, "RPUSH none x"), ":1\r\n", "{state:?}");
        assert_eq!(bench.call(new, "LLEN none"), ":1\r\n", "{state:?}");
    }
}

/// The sections of INFO with counters, without what depends on the memory layout.
const COUNTING: &[&str] = &[
    "clients",
    "persistence",
    "stats",
    "commandstats",
    "errorstats",
    "latencystats",
    "keyspace",
    "queues",
    "channels",
];

/// The counters after a reset.
fn counters(bench: &mut Bench) -> Vec<String> {
    let id = bench.client();
    let sections = COUNTING.join(" ");
    assert_eq!(bench.call(id, "CONFIG RESETSTAT"), "+OK\r\n");
    let info = bench.call(id, &format!("INFO {sections}"));
    // Changes since the last save are not reset, as in Redis.
    let is_compared =
        |line: &&str| !line.starts_with('$') && !line.starts_with("rdb_changes_since_last_save:");
    info.lines().filter(is_compared).map(str::to_string).collect()
}

#[test]
fn resetstat_leaves_what_a_new_server_has() {
    let settings = "queue-policy p q max-length 2 message-ttl-ms 10 delivery at-least-once \
        acknowledge explicit dedup-window-ms 5\nchannel-policy c news high-water-mark 1\n\
        client-query-buffer-limit 1mb\nclient-output-buffer-limit normal 5000 0 0";
    let mut used = bench(settings);
    let id = used.client();
    for line in [
        "RPUSH q a a b c d e",
        "RPUSH q a",
        "RPUSH q a",
        "LPOP q",
        "QUEUE NACK q",
        "LPOP q",
        "QUEUE ACK q",
        "RPUSH plain x",
        "LPOP plain",
        "LPOP none",
        "LLEN none",
        "EXISTS plain none",
        "NOSUCH",
        "LPOP",
        "RPUSH gone x",
        "PEXPIRE gone 1",
        "PING",
        "MULTI",
        "PING",
        "EXEC",
        "EVAL x 0",
        "LPUSH q 1 2 3",
        "SUBSCRIBE none",
    ] {
        used.call(id, line);
    }
    let slow = used.client();
    used.send(slow, "SUBSCRIBE news");
    let publisher = used.client();
    (0..4).for_each(|_| drop(used.call(publisher, "PUBLISH news x")));
    used.advance(Duration::from_millis(500));
    // Clients closed by limits.
    let greedy = used.client();
    used.broker.receive(greedy, &vec![b'*'; 60_000], used.now);
    let filler = format!("*2\r\n$4\r\nECHO\r\n$3000000\r\n{}", "x".repeat(1_100_000));
    let full = used.client();
    used.broker.receive(full, filler.as_bytes(), used.now);
    let deaf = used.client();
    used.send(deaf, &format!("ECHO {}", "x".repeat(6_000)));
    while let Some((id, reason)) = used.broker.next_closing() {
        used.broker.disconnect(id, reason, used.now);
    }
    used.broker.count_rejected_connection();
    for id in [id, slow, publisher, greedy, full, deaf] {
        used.broker.disconnect(id, CloseReason::PeerClosed, used.now);
    }
    let last = used.client();
    used.call(last, "FLUSHALL");
    used.broker.disconnect(last, CloseReason::PeerClosed, used.now);
    // Rates are those of the last moments.
    used.advance(Duration::from_secs(100));
    let mut new = bench(settings);
    new.advance(
        used.now
            .monotonic_us
            .checked_sub(new.now.monotonic_us)
            .map(Duration::from_micros)
            .expect("later"),
    );
    let (used, new) = (counters(&mut used), counters(&mut new));
    let differing: Vec<_> = used.iter().zip(&new).filter(|(used, new)| used != new).collect();
    assert!(differing.is_empty() && used.len() == new.len(), "used and new: {differing:?}");
}

/// What is logged in this process.
static LOGGED: Mutex<String> = Mutex::new(String::new());

struct Keep;

impl log::Log for Keep {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LOGGED.lock().expect("the log").push_str(&format!("{}\n", record.args()));
    }

    fn flush(&self) {}
}

/// Commands that contain a secret.
const SECRETS: &[&str] = &[
    "AUTH topsecret",
    "AUTH default topsecret",
    "HELLO 3 AUTH default topsecret",
    "HELLO 3 AUTH default topsecret SETNAME me",
    "HELLO 3 SETNAME me AUTH default topsecret",
    "CONFIG SET requirepass topsecret",
    "CONFIG SET maxmemory 0 requirepass topsecret",
    "CONFIG SET REQUIREPASS topsecret maxmemory 0",
    "CONFIG SET masterauth topsecret",
    // Errors.
    "AUTH topsecret topsecret topsecret",
    "HELLO 9 AUTH default topsecret",
    "CONFIG SET requirepass topsecret nosuch 1",
    "CONFIG SET maxmemory x requirepass topsecret",
];

#[test]
fn no_place_that_shows_commands_shows_a_secret() {
    log::set_logger(&Keep).expect("the only one");
    log::set_max_level(log::LevelFilter::Trace);
    for secret in SECRETS {
        for in_transaction in [false, true] {
            let mut bench = bench(
                "slowlog-log-slower-than 0\nrequirepass old\nloglevel debug\n\
                 latency-monitor-threshold 1",
            );
            let (id, watcher) = (bench.client(), bench.client());
            bench.call(watcher, "AUTH old");
            bench.call(watcher, "MONITOR");
            bench.call(id, "AUTH old");
            let mut shown = String::new();
            if in_transaction {
                shown += &bench.call(id, "MULTI");
                shown += &bench.call(id, secret);
                shown += &bench.call(id, "EXEC");
            } else {
                shown += &bench.call(id, secret);
            }
            let asker = bench.client();
            for password in ["old", "topsecret"] {
                bench.call(asker, &format!("AUTH {password}"));
            }
            for line in ["SLOWLOG GET -1", "CLIENT LIST", "INFO everything", "LATENCY LATEST"] {
                shown += &bench.call(asker, line);
            }
            let monitored = bench.owed(watcher);
            let is_shown = !monitored.is_empty() || secret.starts_with("CONFIG");
            assert!(is_shown || in_transaction, "{secret}: nobody is told of it");
            shown += &monitored;
            shown += &LOGGED.lock().expect("the log");
            assert!(!shown.contains("topsecret"), "{secret}, in MULTI: {in_transaction}: {shown}");
        }
    }
}
