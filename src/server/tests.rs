//! Turns of a server whose clock is moved by the tests, so that no test waits for a deadline.

use super::*;
use crate::broker::BusyServer;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

/// Time limit for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Driven {
    server: Server,
    events: Events,
}

impl Driven {
    fn new(lines: &str) -> Driven {
        let text = format!("port 0\nbind 127.0.0.1\n{lines}");
        let settings = Settings::from_text(&text, "the test's settings").expect("valid settings");
        let server = Server::bind(settings).expect("it listens");
        Driven { server, events: Events::with_capacity(EVENTS_PER_TURN_MAX) }
    }

    fn client(&mut self) -> TcpStream {
        let stream = TcpStream::connect(self.server.local_addrs()[0]).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("nodelay");
        let count = self.server.sockets.connections.len();
        self.turn_until(|server| server.sockets.connections.len() > count);
        stream
    }

    /// A turn that does not wait.
    fn turn(&mut self) {
        self.server.handle.waker.wake().expect("an event");
        self.server.turn(&mut self.events).expect("a turn");
    }

    /// Runs turns until a condition holds that does not depend on time.
    fn turn_until(&mut self, is_so: impl Fn(&Server) -> bool) {
        while !is_so(&self.server) {
            self.turn();
        }
    }

    /// Sends requests, and checks the reply.
    fn ask(&mut self, client: &mut TcpStream, requests: &str, expected: &str) {
        client.write_all(requests.as_bytes()).expect("the server reads");
        client.set_nonblocking(true).expect("a socket that does not wait");
        let mut reply = vec![0; expected.len()];
        let mut read = 0;
        while read < reply.len() {
            self.turn();
            match client.read(&mut reply[read..]) {
                Ok(bytes) => read += bytes,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert_eq!(String::from_utf8_lossy(&reply), expected);
        client.set_nonblocking(false).expect("a socket that waits");
    }

    /// Advances the clock; the next turn must not wait.
    fn advance(&mut self, by: Duration) {
        self.server.sockets.clock.advance(by);
        self.turn();
    }

    /// How long the loop would wait now, in whole milliseconds; `None` for ever. Ignores the return of
    /// memory, which is due whenever some was freed.
    fn wait_ms(&mut self) -> Option<u128> {
        self.server.give_back_us = None;
        self.server.wait_max().map(|wait| wait.as_millis())
    }

    /// Checks the same, for a loop without pending work.
    #[track_caller]
    fn check_wait_ms(&mut self, at_least: u128, at_most: u128) {
        let wait_ms = self.wait_ms();
        let is_so = wait_ms.is_some_and(|ms| (at_least..=at_most).contains(&ms));
        assert!(is_so, "{wait_ms:?} ms; expected from {at_least} to {at_most}");
    }
}

/// More than sockets accept at once, for a client that does not read.
const REPLY_BYTES: usize = 32 << 20;

/// A client that sends QUIT after a command whose reply its socket does not accept.
fn lingering(driven: &mut Driven) -> TcpStream {
    let mut client = driven.client();
    let header = format!("*2\r\n$4\r\nECHO\r\n${REPLY_BYTES}\r\n");
    let end = "\r\nQUIT\r\n";
    let mut request = [header.as_bytes(), &vec![b'x'; REPLY_BYTES], end.as_bytes()].concat();
    client.set_nonblocking(true).expect("a socket that does not wait");
    while !request.is_empty() {
        match client.write(&request) {
            Ok(written) => drop(request.drain(..written)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        driven.turn();
    }
    client.set_nonblocking(false).expect("a socket that waits");
    driven.turn_until(|server| {
        server.sockets.lingering.next().is_some() && server.sockets.to_write.is_empty()
    });
    client
}

#[cfg(feature = "http")]
#[test]
fn the_stream_of_a_page_begins_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = free.expect("a free port").port();
    let mut driven = Driven::new(&format!("http-port {port}\nhttp-bind 127.0.0.1"));
    let mut page = TcpStream::connect(driven.server.http_addrs()[0]).expect("it listens");
    let request = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    driven.ask(&mut page, request, "HTTP/1.1 200 OK\r\n");
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let mut driven = Driven::new("");
    let _client = lingering(&mut driven);
    driven.check_wait_ms(1_000, 5_000);
    driven.advance(Duration::from_millis(4_000));
    assert_eq!(driven.server.sockets.connections.len(), 1);
    driven.check_wait_ms(0, 1_000);
    driven.advance(Duration::from_millis(1_001));
    assert_eq!(driven.server.sockets.connections.len(), 0);
    assert_eq!(driven.wait_ms(), None);
}

#[test]
fn a_client_that_takes_its_last_bytes_slowly_gets_them_all() {
    let mut driven = Driven::new("");
    let mut client = lingering(&mut driven);
    client.set_nonblocking(true).expect("a socket that does not wait");
    let mut part = vec![0; 1 << 20];
    let (mut received, mut progress_us) = (0, 0);
    loop {
        driven.turn();
        // Each part comes within the time limit, all together long after it.
        let connection = driven.server.sockets.connections.iter().next();
        if let Some((_, connection)) = connection
            && connection.progress_us > progress_us
        {
            progress_us = connection.progress_us;
            driven.server.sockets.clock.advance(Duration::from_millis(4_000));
        }
        match client.read(&mut part) {
            Ok(0) => break,
            Ok(bytes) => received += bytes,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "after {received} bytes");
            }
        }
    }
    assert_eq!(received, REPLY_BYTES + format!("${REPLY_BYTES}\r\n\r\n+OK\r\n").len());
    driven.turn_until(|server| server.sockets.connections.is_empty());
}

#[test]
fn the_wait_ends_with_what_is_due_first() {
    let mut driven = Driven::new("");
    assert_eq!(driven.wait_ms(), None);
    let mut client = driven.client();
    driven.turn();
    assert_eq!(driven.wait_ms(), None, "nothing waits");
    client.write_all(b"BLPOP q 2.5\r\n").expect("the server reads");
    driven.turn_until(|server| server.broker.next_deadline(server.sockets.now).is_some());
    driven.check_wait_ms(1_000, 2_500);
    driven.server.stop_by_us = Some(driven.server.sockets.now.monotonic_us + 900_000);
    driven.check_wait_ms(0, 900);
    driven.server.stop_by_us = None;
    driven.server.sockets.listeners.back_off(driven.server.sockets.now.monotonic_us);
    driven.check_wait_ms(0, 100);
    driven.advance(Duration::from_millis(101));
    driven.turn();
    driven.check_wait_ms(1_000, 2_500);
    driven.advance(Duration::from_millis(2_500));
    driven.ask(&mut client, "PING\r\n", "*-1\r\n+PONG\r\n");
    assert_eq!(driven.wait_ms(), None);
}

#[test]
fn a_wait_is_shorter_by_what_the_turn_took() {
    let mut driven = Driven::new("");
    let mut client = driven.client();
    client.write_all(b"BLPOP q 10\r\n").expect("the server reads");
    driven.turn_until(|server| server.broker.next_deadline(server.sockets.now).is_some());
    driven.server.sockets.clock.advance(Duration::from_secs(9));
    driven.check_wait_ms(0, 1_000);
    driven.server.sockets.clock.advance(Duration::from_secs(9));
    assert_eq!(driven.wait_ms(), Some(0));
}

#[test]
fn idle_clients_are_looked_for_once_a_second() {
    let mut driven = Driven::new("timeout 10");
    assert_eq!(driven.wait_ms(), None, "there are no clients");
    let mut client = driven.client();
    driven.ask(&mut client, "PING\r\n", "+PONG\r\n");
    driven.check_wait_ms(0, 1_000);
    driven.advance(Duration::from_secs(8));
    assert_eq!(driven.server.sockets.connections.len(), 1);
    driven.advance(Duration::from_secs(3));
    assert_eq!(driven.server.sockets.connections.len(), 0);
    assert_eq!(client.read(&mut [0; 10]).expect("an end in good order"), 0);
}

/// Unread input after QUIT, more than one read takes, would reset the connection when it is closed.
#[test]
fn input_after_quit_does_not_lose_the_last_reply() {
    let mut driven = Driven::new("turn-read-bytes-max 1kb");
    let mut client = driven.client();
    // A little more than a turn reads: the rest is in the socket when it closes.
    client.write_all(&[b"QUIT\r\n".to_vec(), vec![b'x'; 8 << 10]].concat()).expect("it is taken");
    driven.turn_until(|server| server.sockets.connections.is_empty());
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).expect("an end in good order");
    assert_eq!(reply, b"+OK\r\n");
}

#[test]
fn a_busy_listener_does_not_starve_the_others() {
    if !cfg!(target_os = "linux") {
        return; // Elsewhere only one address of the loopback is there from the start.
    }
    let mut driven = Driven::new("bind 127.0.0.1 127.0.0.2");
    let addresses = driven.server.local_addrs().to_vec();
    let storm: Vec<TcpStream> =
        (0..3).map(|_| TcpStream::connect(addresses[0]).expect("it listens")).collect();
    let other = TcpStream::connect(addresses[1]).expect("it listens");
    let listeners = &mut driven.server.sockets.listeners;
    listeners.set_ready(0);
    listeners.set_ready(1);
    let mut peer = || match listeners.accept(0).expect("one waits").peer {
        crate::clients::Peer::Tcp { addr, .. } => addr,
        other => panic!("{other:?}"),
    };
    let first_two = [peer(), peer()];
    assert!(first_two.contains(&other.local_addr().expect("an address")), "{first_two:?}");
    drop(storm);
}

#[test]
fn nobody_is_accepted_until_the_back_off_is_over() {
    let mut driven = Driven::new("");
    let _client = TcpStream::connect(driven.server.local_addrs()[0]).expect("it listens");
    let listeners = &mut driven.server.sockets.listeners;
    listeners.set_ready(0);
    listeners.back_off(1_000);
    let until_us = listeners.deadline_us().expect("a moment");
    assert!(!listeners.is_ready() && listeners.accept(until_us - 1).is_none());
    assert!(listeners.accept(until_us).is_some());
    assert_eq!(listeners.deadline_us(), None);
}

/// A client that sends a lot gets only its share of each turn, and the others get theirs.
#[test]
fn a_turn_reads_a_share_of_what_a_client_sent() {
    let mut driven = Driven::new("turn-read-bytes-max 1kb");
    let (mut busy, mut other) = (driven.client(), driven.client());
    driven.turn();
    busy.write_all(&b"RPUSH q x\r\n".repeat(1_000)).expect("it is taken");
    driven.turn();
    // 1 KiB has 93 requests of 11 bytes.
    assert_eq!(driven.server.broker.message_count(), 93);
    assert_eq!(driven.wait_ms(), Some(0), "there is more to read");
    other.write_all(b"RPUSH q y\r\n").expect("it is taken");
    driven.turn();
    assert!(driven.server.broker.message_count() <= 2 * 94 + 1);
    other.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut reply = [0; 1];
    other.read_exact(&mut reply).expect("the other one is answered");
    driven.turn_until(|server| server.broker.message_count() == 1_001);
}

#[test]
fn small_replies_are_sent_at_once() {
    let mut driven = Driven::new("");
    let client = driven.client();
    let (_, connection) = driven.server.sockets.connections.iter().next().expect("a connection");
    let transport::Transport::Plain(socket::Socket::Tcp(stream)) = &connection.transport else {
        panic!("it is TCP")
    };
    assert!(stream.nodelay().expect("an option"));
    let keepalive = socket2::SockRef::from(stream).keepalive().expect("an option");
    assert!(keepalive, "a peer that has vanished is noticed");
    client.shutdown(Shutdown::Both).expect("an end");
}

/// A server with append files in a directory, once they are loaded. The test removes the directory.
fn durable(name: &str, lines: &str) -> (Driven, PathBuf) {
    let name = format!("tidegate-turn-{name}-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory).expect("a directory");
    let mut driven = Driven::new(&format!("appendonly yes\n{lines}\ndir {}", directory.display()));
    assert_eq!(driven.wait_ms(), Some(0), "loading waits for nobody");
    driven.turn_until(|server| matches!(server.durability, Durability::On { .. }));
    (driven, directory)
}

/// If the disk is slower than the clients, they wait: the buffer of changes does not grow.
#[test]
fn nothing_is_read_while_too_much_waits_for_the_disk() {
    let (mut driven, directory) =
        durable("full", "appendfsync always\nappend-buffer-limit 1mb\nappend-reserve 0");
    let (mut client, mut other) = (driven.client(), driven.client());
    // No sync ends until the loop can hear of it again.
    let (_silent, nothing) = mpsc::channel();
    let hear_at = |driven: &mut Driven, reports| match &mut driven.server.durability {
        Durability::On { workers, .. } => std::mem::replace(&mut workers.reports, reports),
        _ => panic!("append files are on"),
    };
    let ends = hear_at(&mut driven, nothing);
    let text = "m".repeat(60_000);
    let push = format!("*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n${}\r\n{text}\r\n", text.len());
    let mut count = 0;
    while !driven.server.durability.is_full(&driven.server.broker) {
        count += 1;
        assert!(count < 100, "it is never full");
        client.write_all(push.as_bytes()).expect("it is taken");
        driven.turn_until(|server| server.broker.message_count() == count);
        // A second sync begins only while one takes long.
        driven.advance(Duration::from_millis(10));
    }
    client.write_all(b"RPUSH q last\r\n").expect("it is taken");
    other.write_all(b"PING\r\n").expect("it is taken");
    for _ in 0..10 {
        driven.turn();
    }
    assert_eq!(driven.server.broker.message_count(), count);
    other.set_nonblocking(true).expect("a socket that does not wait");
    let early = other.read(&mut [0; 1]).expect_err("nobody is read");
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    assert_eq!(driven.wait_ms(), None, "it sleeps until a sync has ended");
    hear_at(&mut driven, ends);
    driven.turn_until(|server| server.broker.message_count() == count + 1);
    driven.ask(&mut other, "", "+PONG\r\n");
    drop(driven);
    std::fs::remove_dir_all(&directory).expect("it is there");
}

#[test]
fn changes_are_synced_within_a_second_although_nothing_comes() {
    let (mut driven, directory) = durable("idle", "appendfsync everysec");
    let mut client = driven.client();
    driven.ask(&mut client, "RPUSH q a\r\n", ":1\r\n");
    driven.check_wait_ms(0, 1_000);
    driven.advance(Duration::from_millis(1_001));
    // The sync, and the mark in the file that it is done.
    let is_synced = |server: &Server| server.broker.persistence().pending_syncs == 0;
    driven.turn_until(is_synced);
    driven.advance(Duration::from_millis(1_001));
    while driven.wait_ms().is_some() {
        driven.turn();
    }
    drop(driven);
    std::fs::remove_dir_all(&directory).expect("it is there");
}

/// A job that ends while a script runs wakes the loop only once.
#[test]
fn a_wake_during_a_script_is_for_the_next_turn() {
    let mut driven = Driven::new("");
    driven.turn();
    assert_ne!(driven.wait_ms(), Some(0));
    let Server { sockets, broker, handle, .. } = &mut driven.server;
    handle.waker.wake().expect("an event");
    while !sockets.was_woken {
        sockets.serve(broker);
    }
    assert_eq!(driven.wait_ms(), Some(0));
    driven.turn();
    assert_ne!(driven.wait_ms(), Some(0));
}
