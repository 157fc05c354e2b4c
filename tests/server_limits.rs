//! Limits on clients, descriptors and unread output.

mod server_support;

#[cfg(target_os = "linux")]
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use server_support::{Client, Process, serve};
use std::io::Read;
use std::path::Path;

const FULL: &[u8] = b"-ERR max number of clients reached\r\n";

#[test]
fn clients_beyond_the_limit_are_told_so() {
    let server = serve("maxclients 2");
    let address = server.local_addrs()[0];
    let (mut first, mut second) = (Client::connect(address), Client::connect(address));
    assert_eq!(first.ask("PING"), "+PONG");
    assert_eq!(second.ask("PING"), "+PONG");
    assert_eq!(Client::connect(address).rest(), FULL);
    assert_eq!(second.ask("PING"), "+PONG");
    drop(first);
    // Closed clients free their slots before new ones are accepted.
    assert_eq!(Client::connect(address).ask("PING"), "+PONG");
}

#[test]
fn the_limit_of_clients_changes_at_once() {
    let server = serve("maxclients 1");
    let address = server.local_addrs()[0];
    let mut client = Client::connect(address);
    assert_eq!(client.ask("PING"), "+PONG");
    assert_eq!(Client::connect(address).rest(), FULL);
    assert_eq!(client.ask("CONFIG SET maxclients 2"), "+OK");
    assert_eq!(Client::connect(address).ask("PING"), "+PONG");
}

#[cfg(target_os = "linux")]
fn limit_open_files(pid: u32, soft: u64, hard: u64) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let limit = Rlimit { current: Some(soft), maximum: Some(hard) };
    prlimit(pid, Resource::Nofile, limit).expect("a limit");
}

/// Without descriptors nothing hangs: new clients are refused, the others are served, and a slot is free
/// again when a client disconnects.
#[cfg(target_os = "linux")]
#[test]
fn clients_without_a_descriptor_are_told_so() {
    let process = Process::start(&[]);
    let mut first = process.client();
    assert_eq!(first.ask("PING"), "+PONG");
    // Descriptors for two more than are open now: the limit is on the number, and there may be gaps.
    let pid = process.pid();
    let is_free = |number: &u64| !Path::new(&format!("/proc/{pid}/fd/{number}")).exists();
    let limit = (0..).filter(is_free).nth(2).expect("a free number");
    limit_open_files(pid, limit, limit);

    let mut accepted: Vec<Client> = (0..2).map(|_| process.client()).collect();
    for client in &mut accepted {
        assert_eq!(client.ask("PING"), "+PONG");
    }
    let refused: Vec<Client> = (0..20).map(|_| process.client()).collect();
    for client in refused {
        assert_eq!(client.rest(), FULL);
    }
    assert_eq!(first.ask("PING"), "+PONG");
    accepted.pop();
    assert_eq!(process.client().ask("PING"), "+PONG");
    process.signal("TERM");
    let (status, log) = process.wait();
    assert!(status.success());
    let complaints = log.iter().filter(|line| line.contains("no descriptors left")).count();
    assert!((1..=5).contains(&complaints), "logged at most once a second: {log:?}");
}

/// When not even the reserve helps, new clients wait until there are descriptors again, although no
/// event mentions them a second time.
#[cfg(target_os = "linux")]
#[test]
fn clients_that_cannot_even_be_told_wait() {
    let process = Process::start(&[]);
    let mut first = process.client();
    assert_eq!(first.ask("PING"), "+PONG");
    let limit = |soft| limit_open_files(process.pid(), soft, 1024);
    limit(3);
    let mut newcomer = process.client();
    newcomer.send("PING\r\n");
    let log = std::iter::from_fn(|| process.next_log_line());
    assert!(log.into_iter().any(|line| line.contains("cannot accept a connection")));
    assert_eq!(first.ask("PING"), "+PONG");
    limit(1024);
    assert_eq!(newcomer.line().as_deref(), Some("+PONG"));
}

#[cfg(target_os = "linux")]
#[test]
fn more_clients_than_the_system_allows_are_not_promised() {
    let process = Process::start(&["--maxclients", "4000000000"]);
    let warning = process.first_lines.iter().find(|line| line.contains("open files"));
    assert!(warning.is_some_and(|line| line.contains("WARN")), "{:?}", process.first_lines);
    assert_eq!(process.client().ask("PING"), "+PONG");
}

/// A subscriber that does not read is closed by the limit; one that reads gets every message.
#[test]
fn a_slow_subscriber_is_closed_and_the_others_get_everything() {
    let server = serve("client-output-buffer-limit pubsub 1mb 0 0");
    let address = server.local_addrs()[0];
    let (mut slow, mut quick) = (Client::connect(address), Client::connect(address));
    for subscriber in [&mut slow, &mut quick] {
        subscriber.send("SUBSCRIBE news\r\n");
        assert_eq!(subscriber.lines(6).last().map(String::as_str), Some(":1"));
    }
    let mut publisher = Client::connect(address);
    let text = "x".repeat(64 * 1024);
    let mut published = 0;
    loop {
        publisher.send(format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$65536\r\n{text}\r\n"));
        let receivers = publisher.line();
        published += 1;
        assert_eq!(quick.lines(7).last(), Some(&text));
        if receivers.as_deref() == Some(":1") {
            break;
        }
        assert!(published < 2_000, "128 MiB that nobody reads fit no socket");
    }
    let got = slow.rest().len();
    assert!(got < published * text.len(), "the slow one lost its connection");
}

/// A subscriber does not read for a while, and its oldest messages are dropped. What it finally gets is
/// whole, in order, and ends with the newest.
#[test]
fn a_slow_subscriber_gets_the_newest_messages() {
    let server = serve("channel-policy p news high-water-mark 5 slow-subscriber drop-oldest");
    let address = server.local_addrs()[0];
    let (mut slow, mut quick) = (Client::connect(address), Client::connect(address));
    for subscriber in [&mut slow, &mut quick] {
        subscriber.send("SUBSCRIBE news\r\n");
        assert_eq!(subscriber.lines(6).last().map(String::as_str), Some(":1"));
    }
    let mut publisher = Client::connect(address);
    let padding = "x".repeat(64 * 1024);
    let mut published = 0;
    // Until the socket has been full long enough for some to be dropped.
    while !publisher.info("channels").contains("channel_messages_dropped_oldest:2") {
        let text = format!("{published:06}{padding}");
        let length = text.len();
        publisher.send(format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n${length}\r\n{text}\r\n"));
        assert_eq!(publisher.line().as_deref(), Some(":2"), "the slow one gets it, or a later one");
        assert_eq!(quick.lines(7).last(), Some(&text));
        published += 1;
        assert!(published < 2_000, "128 MiB that nobody reads fit no socket");
    }
    assert_eq!(publisher.ask("PUBLISH news end"), ":2");
    let counted = publisher.info("channels");
    let dropped = counted.split("channel_messages_dropped_oldest:").nth(1).expect("the counter");
    let dropped: usize = dropped.lines().next().unwrap_or_default().parse().expect("a number");
    let mut numbers: Vec<usize> = Vec::new();
    loop {
        let lines = slow.lines(7);
        assert_eq!(lines[..5], ["*3", "$7", "message", "$4", "news"]);
        if lines[6] == "end" {
            break;
        }
        let (number, rest) = lines[6].split_at(6);
        assert!(rest == padding, "a message is whole");
        numbers.push(number.parse().expect("a number"));
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    // Of the five, one may be partly sent, and one is the end.
    assert!(numbers.ends_with(&[published - 3, published - 2, published - 1]), "{numbers:?}");
    assert_eq!(numbers.len(), published - dropped, "{numbers:?}");
    assert_eq!(slow.ask("PING"), "*2", "it goes on");
}

/// A subscriber that does not read is closed by a policy, and the log says why.
#[test]
fn a_slow_subscriber_is_disconnected_by_a_policy() {
    let policy = "p news high-water-mark 5 slow-subscriber disconnect";
    let process = Process::start(&["--channel-policy", policy]);
    let (mut slow, mut publisher) = (process.client(), process.client());
    slow.send("SUBSCRIBE news\r\n");
    assert_eq!(slow.lines(6).last().map(String::as_str), Some(":1"));
    let text = "x".repeat(64 * 1024);
    for published in 0.. {
        publisher.send(format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$65536\r\n{text}\r\n"));
        if publisher.line().as_deref() == Some(":0") {
            break;
        }
        assert!(published < 2_000, "128 MiB that nobody reads fit no socket");
    }
    assert!(publisher.info("channels").contains("channel_subscribers_disconnected:1"));
    let log = std::iter::from_fn(|| process.next_log_line());
    let reason = "too slow for its channel policy with `slow-subscriber disconnect`";
    assert!(log.into_iter().any(|line| line.ends_with(reason)));
    slow.rest();
}

#[test]
fn a_large_reply_to_a_slow_reader_arrives_whole() {
    let server = serve("");
    let mut client = Client::connect(server.local_addrs()[0]);
    let message = vec![b'y'; 1 << 20];
    for number in 1..=32 {
        client.send(b"*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1048576\r\n");
        client.send(&message);
        client.send(b"\r\n");
        assert_eq!(client.line(), Some(format!(":{number}")));
    }
    client.send("LRANGE q 0 -1\r\nPING\r\n");
    assert_eq!(client.line().as_deref(), Some("*32"));
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..32 {
        assert_eq!(client.line().as_deref(), Some("$1048576"));
        client.stream.read_exact(&mut buffer).expect("a message");
        assert_eq!(buffer, message);
        assert_eq!(client.line().as_deref(), Some(""));
    }
    assert_eq!(client.line().as_deref(), Some("+PONG"));
}

#[test]
fn idle_clients_are_closed_and_subscribers_are_not() {
    let server = serve("timeout 1");
    let address = server.local_addrs()[0];
    let (idle, mut subscriber) = (Client::connect(address), Client::connect(address));
    subscriber.send("SUBSCRIBE news\r\n");
    assert_eq!(subscriber.lines(6).last().map(String::as_str), Some(":1"));
    assert!(idle.rest().is_empty());
    assert_eq!(Client::connect(address).ask("PUBLISH news tide"), ":1");
    assert_eq!(subscriber.lines(7).last().map(String::as_str), Some("tide"));
}
