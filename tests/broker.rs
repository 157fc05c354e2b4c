//! The broker without sockets: waiting, fairness, time, budgets.

mod broker_support;

use broker_support::Bench;
use std::time::Duration;
use tidegate::CloseReason;
use tidegate::settings::Settings;

const NOTHING: &str = "";

#[test]
fn the_longest_waiting_client_is_served_first() {
    let mut bench = Bench::new();
    let (a, b, c, producer) = (bench.client(), bench.client(), bench.client(), bench.client());
    for waiter in [b, a, c] {
        assert_eq!(bench.call(waiter, "BLPOP q 0"), NOTHING);
    }
    assert_eq!(bench.call(producer, "RPUSH q 1 2"), ":2\r\n");
    assert_eq!(bench.owed(b), "*2\r\n$1\r\nq\r\n$1\r\n1\r\n");
    assert_eq!(bench.owed(a), "*2\r\n$1\r\nq\r\n$1\r\n2\r\n");
    assert_eq!(bench.owed(c), NOTHING);
    assert_eq!(bench.call(producer, "LLEN q"), ":0\r\n");
}

#[test]
fn a_waiting_client_that_disconnects_takes_nothing() {
    let mut bench = Bench::new();
    let (gone, killed, producer) = (bench.client(), bench.client(), bench.client());
    bench.send(gone, "BLPOP q 0");
    bench.send(killed, "BLPOP q 0");
    bench.broker.disconnect(gone, CloseReason::PeerClosed, bench.now);
    bench.broker.close(killed, CloseReason::Killed);
    assert_eq!(bench.call(producer, "RPUSH q x"), ":1\r\n");
    assert_eq!(bench.call(producer, "LLEN q"), ":1\r\n");
    assert_eq!(bench.owed(killed), NOTHING);
}

/// Output that was read does not count, and unread output is limited even within one turn.
#[test]
fn a_client_without_the_password_may_leave_17_kib_unread() {
    let reply_bytes = "-NOAUTH Authentication required.\r\n".len();
    let most = 17 * 1024 / reply_bytes;
    let settings = Settings::from_text("requirepass secret", "a test").expect("valid");
    for (unread, is_closed) in [(most, false), (most + 1, true), (100_000, true)] {
        let mut bench = Bench::with(settings.clone());
        let stranger = bench.client();
        for _ in 0..10 {
            bench.broker.receive(stranger, &b"PING\r\n".repeat(most), bench.now);
            assert_eq!(bench.owed(stranger).len(), most * reply_bytes);
        }
        bench.broker.receive(stranger, &b"PING\r\n".repeat(unread), bench.now);
        bench.broker.receive(stranger, b"AUTH secret\r\n", bench.now);
        let closed = bench.broker.next_closing();
        assert_eq!(closed, is_closed.then_some((stranger, CloseReason::OutputLimit)), "{unread}");
        let owed = bench.broker.outbox(stranger).map_or(0, |output| output.len());
        assert!(owed <= (most + 1) * reply_bytes, "{owed} bytes");
    }
    // An authenticated client is limited only by client-output-buffer-limit.
    let mut bench = Bench::with(settings);
    let known = bench.client();
    assert_eq!(bench.call(known, "AUTH secret"), "+OK\r\n");
    bench.broker.receive(known, &b"PING\r\n".repeat(100_000), bench.now);
    bench.settle();
    assert_eq!(bench.owed(known).len(), 700_000);
}

#[test]
fn a_wait_ends_exactly_at_its_deadline() {
    let mut bench = Bench::new();
    let waiter = bench.client();
    bench.send(waiter, "BLPOP q 1.5");
    assert_eq!(bench.broker.next_deadline(bench.now), Some(Duration::from_millis(1500)));
    bench.advance(Duration::from_micros(1_499_999));
    assert_eq!(bench.owed(waiter), NOTHING);
    bench.advance(Duration::from_micros(1));
    assert_eq!(bench.owed(waiter), "*-1\r\n");
    assert_eq!(bench.broker.next_deadline(bench.now), None);
}

#[test]
fn a_chain_of_moves_passes_the_message_on() {
    let mut bench = Bench::new();
    let (first, second, last, producer) =
        (bench.client(), bench.client(), bench.client(), bench.client());
    bench.send(last, "BLPOP c 0");
    bench.send(second, "BLMOVE b c LEFT RIGHT 0");
    bench.send(first, "BLMOVE a b LEFT RIGHT 0");
    assert_eq!(bench.call(producer, "RPUSH a x"), ":1\r\n");
    assert_eq!(bench.owed(first), "$1\r\nx\r\n");
    assert_eq!(bench.owed(second), "$1\r\nx\r\n");
    assert_eq!(bench.owed(last), "*2\r\n$1\r\nc\r\n$1\r\nx\r\n");
}

#[test]
fn input_behind_a_wait_runs_after_it() {
    let mut bench = Bench::new();
    let (waiter, producer) = (bench.client(), bench.client());
    bench.broker.receive(waiter, b"BLPOP q 0\r\nLLEN q\r\nLLEN", bench.now);
    bench.settle();
    assert!(!bench.broker.wants_input(waiter));
    bench.send(producer, "RPUSH q x y");
    assert_eq!(bench.owed(waiter), "*2\r\n$1\r\nq\r\n$1\r\nx\r\n:1\r\n");
    assert_eq!(bench.call(waiter, " q"), ":1\r\n");
}

#[test]
fn pipelines_of_several_clients_do_not_mix() {
    let mut bench = Bench::new();
    let clients = [bench.client(), bench.client()];
    // Each client's requests begin alike, and are split where the other one's continue.
    let push = |message: u8| format!("*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\n{message}\r\n");
    let pop = "*3\r\n$4\r\nLPOP\r\n$1\r\nr\r\n$1\r\n1\r\n";
    let pushes = [push(1), push(2), push(3)].concat();
    let pops = [pop, pop, pop].concat();
    for cut in 1..pops.len() {
        for range in [0..cut, cut..usize::MAX] {
            for (client, input) in clients.iter().zip([&pushes, &pops]) {
                let piece = &input[range.start..range.end.min(input.len())];
                bench.broker.receive(*client, piece.as_bytes(), bench.now);
            }
        }
        bench.settle();
        assert_eq!(bench.owed(clients[0]), ":1\r\n:2\r\n:3\r\n", "cut at {cut}");
        assert_eq!(bench.owed(clients[1]), "*-1\r\n".repeat(3), "cut at {cut}");
        assert_eq!(bench.call(clients[0], "LPOP q 3"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    }
}

#[test]
fn waiters_are_served_after_exec() {
    let mut bench = Bench::new();
    let (waiter, producer) = (bench.client(), bench.client());
    bench.send(waiter, "BLPOP q 0");
    bench.broker.receive(
        producer,
        b"MULTI\r\nRPUSH q x\r\nLPOP q\r\nRPUSH q y\r\nEXEC\r\n",
        bench.now,
    );
    bench.settle();
    let replies = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n$1\r\nx\r\n:1\r\n";
    assert_eq!(bench.owed(producer), replies);
    assert_eq!(bench.owed(waiter), "*2\r\n$1\r\nq\r\n$1\r\ny\r\n");
}

#[test]
fn a_change_of_a_watched_key_stops_exec() {
    let mut bench = Bench::new();
    let (watcher, other) = (bench.client(), bench.client());
    bench.send(watcher, "WATCH q");
    bench.send(other, "RPUSH q x");
    bench.broker.receive(watcher, b"MULTI\r\nLLEN q\r\nEXEC\r\n", bench.now);
    bench.settle();
    assert_eq!(bench.owed(watcher), "+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n");
}

#[test]
fn large_messages_reach_subscribers_of_both_protocols() {
    let mut bench = Bench::new();
    let (old, new, publisher) = (bench.client(), bench.client(), bench.client());
    bench.send(new, "HELLO 3");
    bench.owed(new);
    for subscriber in [old, new] {
        bench.send(subscriber, "SUBSCRIBE c");
        bench.owed(subscriber);
    }
    let message = "m".repeat(60_000);
    assert_eq!(bench.call(publisher, &format!("PUBLISH c {message}")), ":2\r\n");
    let rest = format!("3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$60000\r\n{message}\r\n");
    assert!(bench.owed(old) == format!("*{rest}"), "the RESP2 subscriber's message");
    assert!(bench.owed(new) == format!(">{rest}"), "the RESP3 subscriber's message");
}

#[test]
fn one_client_cannot_use_a_whole_turn() {
    let mut settings = Settings::default();
    settings.turn_output_bytes_max = 10_000;
    let mut bench = Bench::with(settings);
    let greedy = bench.client();
    bench.send(greedy, &format!("RPUSH q {}", "m".repeat(1000)));
    bench.owed(greedy);
    let requests = "LINDEX q 0\r\n".repeat(100);
    bench.broker.receive(greedy, requests.as_bytes(), bench.now);
    assert!(bench.owed(greedy).len() < 12_000);
    assert!(bench.broker.has_backlog());
    assert_eq!(bench.broker.next_deadline(bench.now), Some(Duration::ZERO));
    let mut replies = 10;
    while bench.broker.has_backlog() {
        bench.broker.settle(bench.now);
        replies += bench.owed(greedy).matches("$1000").count();
    }
    assert_eq!(replies, 100);
}

#[test]
fn a_value_is_gone_when_it_expires_even_before_it_is_removed() {
    let mut bench = Bench::new();
    let client = bench.client();
    for number in 0..5_000 {
        let requests = format!("RPUSH k{number} x\r\nPEXPIRE k{number} 1000\r\n");
        bench.broker.receive(client, requests.as_bytes(), bench.now);
    }
    bench.settle();
    bench.owed(client);
    bench.now = bench.now.plus_us(1_000_000);
    bench.broker.receive(client, b"LLEN k0\r\nLLEN k4999\r\n", bench.now);
    assert_eq!(bench.owed(client), ":0\r\n:0\r\n");
    bench.settle();
    assert_eq!(bench.call(client, "DBSIZE"), ":0\r\n");
}

#[test]
fn a_query_beyond_its_limit_closes_the_client() {
    let mut settings = Settings::default();
    settings.query_buffer_bytes_max = 10_000;
    let mut bench = Bench::with(settings);
    let client = bench.client();
    bench.broker.receive(client, b"*2\r\n$4\r\nECHO\r\n$100000\r\n", bench.now);
    bench.broker.receive(client, &[b'x'; 11_000], bench.now);
    assert_eq!(bench.broker.next_closing(), Some((client, CloseReason::QueryLimit)));
}

/// The limit also applies when the last read brings both the end of the request and the excess.
#[test]
fn a_request_is_as_long_as_its_limit_and_no_longer() {
    const LIMIT: usize = 10_000;
    let request = |len: usize| {
        let text = "m".repeat(len - "*2\r\n$4\r\nECHO\r\n$9999\r\n\r\n".len());
        format!("*2\r\n$4\r\nECHO\r\n${}\r\n{text}\r\n", text.len()).into_bytes()
    };
    for piece in [700, LIMIT - 1, LIMIT + 1] {
        for (len, is_served) in [(LIMIT, true), (LIMIT + 1, false)] {
            let mut settings = Settings::default();
            settings.query_buffer_bytes_max = LIMIT as u64;
            let mut bench = Bench::with(settings);
            let client = bench.client();
            let request = request(len);
            assert_eq!(request.len(), len);
            for piece in request.chunks(piece) {
                bench.broker.receive(client, piece, bench.now);
            }
            bench.settle();
            let closing = bench.broker.next_closing().map(|(_, reason)| reason);
            assert_eq!(closing, (!is_served).then_some(CloseReason::QueryLimit), "{len} {piece}");
            assert_eq!(bench.owed(client).starts_with("$99"), is_served, "{len} {piece}");
        }
    }
}

/// It applies although nothing more is sent to the slow subscriber.
#[test]
fn a_soft_limit_ends_by_itself() {
    let mut settings = Settings::default();
    settings.output_limits[2].soft_bytes = 1000;
    settings.output_limits[2].soft_seconds = 2;
    let mut bench = Bench::with(settings);
    let (publisher, slow, quick) = (bench.client(), bench.client(), bench.client());
    for subscriber in [slow, quick] {
        bench.call(subscriber, "SUBSCRIBE c");
    }
    bench.call(publisher, &format!("PUBLISH c {}", "x".repeat(2000)));
    while bench.broker.next_dirty(bench.now).is_some() {}
    assert_eq!(bench.broker.next_deadline(bench.now), Some(Duration::from_micros(2_000_001)));
    bench.owed(quick);
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.broker.next_closing(), None);
    bench.advance(Duration::from_micros(1));
    assert_eq!(bench.broker.next_closing(), Some((slow, CloseReason::OutputLimit)));
    assert_eq!(bench.broker.next_closing(), None);
    bench.broker.disconnect(slow, CloseReason::OutputLimit, bench.now);
    assert_eq!(bench.broker.next_deadline(bench.now), None);
}

#[test]
fn a_lower_output_limit_holds_at_once() {
    let mut bench = Bench::new();
    let (publisher, slow) = (bench.client(), bench.client());
    bench.call(slow, "SUBSCRIBE c");
    bench.call(publisher, &format!("PUBLISH c {}", "x".repeat(2000)));
    while bench.broker.next_dirty(bench.now).is_some() {}
    let set = |limit: &str| format!("CONFIG SET client-output-buffer-limit \"pubsub {limit}\"");
    for (limit, wait) in [("0 1000 5", Some(5)), ("0 1000 2", Some(2)), ("0 9000 2", None)] {
        assert_eq!(bench.call(publisher, &set(limit)), "+OK\r\n");
        let wait = wait.map(|seconds| Duration::from_micros(seconds * 1_000_000 + 1));
        assert_eq!(bench.broker.next_deadline(bench.now), wait, "{limit}");
    }
    assert_eq!(bench.broker.next_closing(), None);
    bench.call(publisher, &set("1000 0 0"));
    assert_eq!(bench.broker.next_closing(), Some((slow, CloseReason::OutputLimit)));
}

/// Larger than any buffer: it arrives in parts, and is sent without a copy.
#[test]
fn a_large_message_is_the_same_when_it_comes_back() {
    let mut bench = Bench::new();
    let client = bench.client();
    let (broker, now) = (&mut bench.broker, bench.now);
    let message: Vec<u8> = (0..3_000_000u32).map(|number| (number / 7) as u8).collect();
    let bulk = [b"$3000000\r\n", &message[..], b"\r\n"].concat();
    let push = [b"*4\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\na\r\n", &bulk[..]].concat();
    let pops =
        "LPOP q\r\nCLIENT REPLY SKIP\r\nLRANGE q 0 -1\r\nLRANGE q 0 -1\r\nRPOP q\r\nPING\r\n";
    for part in [&push[..], pops.as_bytes()].concat().chunks(50_000) {
        broker.receive(client, part, now);
        broker.settle(now);
    }
    while broker.has_backlog() {
        broker.settle(now);
    }
    broker.check_invariants();
    let output = broker.outbox(client).expect("the client");
    let expected = [b":2\r\n$1\r\na\r\n*1\r\n", &bulk[..], &bulk[..], b"+PONG\r\n"].concat();
    assert!(output.memory_bytes() < expected.len() + 200_000, "{} bytes", output.memory_bytes());
    assert!(output.take_all() == expected, "other bytes came back");
}

#[test]
fn input_of_a_closing_client_is_ignored() {
    let mut bench = Bench::new();
    let (leaving, asker) = (bench.client(), bench.client());
    bench.send(leaving, "QUIT");
    for _ in 0..10 {
        bench.broker.receive(leaving, &[b'x'; 10_000], bench.now);
    }
    let list = bench.call(asker, "CLIENT LIST");
    assert_eq!(list.matches(" qbuf=0 ").count(), 2, "nothing is kept that is not run: {list}");
}

/// To the millisecond, also for what comes back in the same input.
#[test]
fn what_comes_back_when_its_life_ends_is_given_to_nobody() {
    let text = "queue-policy p q delivery at-least-once acknowledge explicit message-ttl-ms 1000";
    for (ms, expected) in [(999, ":1\r\n$1\r\na\r\n"), (1_000, ":1\r\n$-1\r\n")] {
        let mut bench = Bench::with(Settings::from_text(text, "a test").expect("valid"));
        let worker = bench.client();
        assert_eq!(bench.call(worker, "RPUSH q a"), ":1\r\n");
        assert_eq!(bench.call(worker, "LPOP q"), "$1\r\na\r\n");
        bench.advance(Duration::from_millis(ms));
        assert_eq!(bench.call(worker, "QUEUE NACK q\r\nLPOP q"), expected, "{ms} ms later");
    }
}
