//! The log: events caused by strangers at most once a minute, everything at `loglevel verbose`, and
//! never a password.

mod server_support;

use server_support::{Client, Process};

/// A client that breaks the protocol and is closed.
fn break_protocol(process: &Process, bytes: &str) {
    let mut client = process.client();
    client.send(bytes);
    client.rest();
}

#[test]
fn events_caused_by_strangers_have_a_line_a_minute() {
    let process = Process::start(&[]);
    for _ in 0..20 {
        break_protocol(&process, "POST / HTTP/1.1\r\nHost: x\r\n\r\n");
        break_protocol(&process, "*1\r\n$x\r\n");
    }
    process.signal("TERM");
    let (_, lines) = process.wait();
    let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    assert_eq!(count("a web browser"), 1, "{lines:#?}");
    assert_eq!(count("broke the protocol"), 1, "{lines:#?}");
}

#[test]
fn messages_passed_between_policies_have_a_line_a_minute() {
    let process = Process::start(&[]);
    let mut client = process.client();
    for (name, queue, other) in [("there", "a", "b"), ("back", "b", "a")] {
        let options = format!("message-ttl-ms 1 dead-letter {other}");
        assert_eq!(client.ask(&format!("QUEUE POLICY SET {name} {queue} {options}")), "+OK");
    }
    let messages = "m ".repeat(50);
    assert_eq!(client.ask(&format!("RPUSH a {messages}")), ":50");
    process.line_with("was a dead letter 16 times");
    while client.ask("EXISTS a b") != ":0" {}
    process.signal("TERM");
    let (_, lines) = process.wait();
    assert!(!lines.iter().any(|line| line.contains("dead letter")), "{lines:#?}");
}

#[test]
fn at_verbose_the_log_tells_who_did_what() {
    let process = Process::start(&["--loglevel", "verbose", "--requirepass", "first"]);
    let mut client = process.client();
    let accepted = process.line_with("accepted client");
    // Date, time with its zone, level.
    let words: Vec<&str> = accepted.split(' ').take(3).collect();
    assert_eq!((words[0].len(), words[1].len(), words[2]), (10, 13, "DEBUG"), "{accepted}");
    assert!(words[1].ends_with('Z'), "{accepted}");
    assert_eq!(client.ask("AUTH first"), "+OK");
    assert_eq!(client.ask("CLIENT SETNAME boss"), "+OK");
    for (request, expected) in [
        ("CONFIG SET maxclients 77", "CONFIG SET maxclients 77 by client"),
        ("CONFIG SET requirepass second", "CONFIG SET requirepass (redacted) by client"),
        ("CONFIG SET masteruser third", "CONFIG SET masteruser (redacted) by client"),
        ("FLUSHALL", "FLUSHALL by client"),
        ("FLUSHDB ASYNC", "FLUSHDB ASYNC by client"),
    ] {
        assert_eq!(client.ask(request), "+OK");
        let line = process.line_with(expected);
        assert!(line.contains("from 127.0.0.1:") && line.ends_with("named boss"), "{line}");
    }
    let mut other = Client::connect(process.address);
    other.send("*1\r\n$x\r\n");
    process.line_with("ERR Protocol error: invalid bulk length");
    other.rest();
    process.line_with("broke the protocol");
    drop(process.client());
    process.line_with("the peer closed the connection");
    client.send("SHUTDOWN\r\n");
    process.line_with("SHUTDOWN by client");
    let (_, lines) = process.wait();
    assert!(lines.iter().any(|line| line.contains("the server shuts down")), "{lines:#?}");
}
