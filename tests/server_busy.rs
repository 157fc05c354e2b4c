//! A server while a script runs: clients come and go, and are answered; nothing is lost or committed in between.

#![cfg(feature = "lua")]

mod server_support;

use server_support::{Client, Directory, Process, serve, settings};
use std::io::{Read, Write};
use std::net::TcpStream;
use tidegate::{Calls, Server};

const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const LIMITS: &str = "busy-reply-threshold 1\nscript-time-limit-ms 0\n";
const LOOP: &str = "EVAL 'while true do end' 0";
const KILLED: &str = "-ERR Script killed by user with SCRIPT KILL...";

/// Waits until a script that was sent is answered for.
fn wait_until_busy(client: &mut Client) {
    while client.ask("PING") != BUSY {}
}

/// Kills the running script.
fn kill(client: &mut Client) {
    assert_eq!(client.ask("SCRIPT KILL"), "+OK");
}

fn is_killed(reply: Option<String>) -> bool {
    reply.is_some_and(|line| line.starts_with(KILLED))
}

#[test]
fn clients_come_and_go_meanwhile() {
    let server = serve(LIMITS);
    let address = server.local_addrs()[0];
    let (mut runner, mut other) = (Client::connect(address), Client::connect(address));
    runner.send(format!("{LOOP}\r\n"));
    wait_until_busy(&mut other);
    // More than there are descriptors, if closed connections were kept.
    for _ in 0..3000 {
        let mut newcomer = Client::connect(address);
        assert_eq!(newcomer.ask("PING"), BUSY);
    }
    let mut leaver = Client::connect(address);
    leaver.send("PING\r\nQUIT\r\n");
    assert_eq!(leaver.rest(), format!("{BUSY}\r\n+OK\r\n").as_bytes());
    kill(&mut other);
    assert!(is_killed(runner.line()));
    assert_eq!(other.ask("PING"), "+PONG");
}

/// Input and events that come while the script runs are not lost.
#[test]
fn the_client_of_the_script_continues_after_it() {
    let server = serve(LIMITS);
    let address = server.local_addrs()[0];
    let (mut runner, mut other) = (Client::connect(address), Client::connect(address));
    runner.send(format!("ECHO 1\r\n{LOOP}\r\nECHO 2\r\n"));
    wait_until_busy(&mut other);
    runner.send("ECHO 3\r\n");
    runner.send("ECHO 4\r\n");
    for _ in 0..20 {
        assert_eq!(other.ask("PING"), BUSY);
    }
    kill(&mut other);
    assert_eq!(runner.lines(2), ["$1", "1"]);
    assert!(is_killed(runner.line()));
    assert_eq!(runner.lines(6), ["$1", "2", "$1", "3", "$1", "4"]);
    assert_eq!(runner.ask("PING"), "+PONG");
}

/// A client that leaves does not stop its script, as in Redis; a client that waits and leaves gets nothing.
#[test]
fn clients_that_left_are_forgotten_after_the_script() {
    let server = serve(LIMITS);
    let address = server.local_addrs()[0];
    let mut clients = [(); 3].map(|()| Client::connect(address));
    let [runner, waiting, other] = &mut clients;
    waiting.send("BLPOP q 0\r\n");
    while !other.info("clients").contains("blocked_clients:1") {}
    // It pushes at the end of its run, when the client that waits has left.
    let pushes = "EVAL 'for i = 1, 1e9 do if i % 1e5 == 0 and redis.call(\"time\")[1] == ARGV[1] then break end end' 0 x";
    runner.send(format!("{pushes}\r\n"));
    wait_until_busy(other);
    waiting.stream.get_ref().shutdown(std::net::Shutdown::Both).expect("a shutdown");
    runner.stream.get_ref().shutdown(std::net::Shutdown::Both).expect("a shutdown");
    for _ in 0..20 {
        assert_eq!(other.ask("PING"), BUSY);
    }
    kill(other);
    while !other.info("clients").contains("connected_clients:1\r") {}
    assert_eq!(other.ask("RPUSH q a"), ":1");
    assert_eq!(other.ask("LLEN q"), ":1");
}

/// The messages of a consumer that left return after the script: it sees no change but its own.
#[test]
fn messages_return_after_the_script() {
    let server = serve(&format!(
        "{LIMITS}queue-policy p jobs delivery at-least-once acknowledge next-pop\n"
    ));
    let address = server.local_addrs()[0];
    let mut clients = [(); 3].map(|()| Client::connect(address));
    let [runner, consumer, other] = &mut clients;
    assert_eq!(other.ask("RPUSH jobs a"), ":1");
    assert_eq!(consumer.ask("LPOP jobs"), "$1");
    let script = "for i = 1, 2e8 do end return redis.call(\"llen\", \"jobs\")";
    runner.send(format!("EVAL '{script}' 0\r\n"));
    wait_until_busy(other);
    consumer.stream.get_ref().shutdown(std::net::Shutdown::Both).expect("a shutdown");
    assert_eq!(runner.line().as_deref(), Some(":0"));
    while other.ask("LLEN jobs") != ":1" {}
}

#[test]
fn a_large_request_is_read_in_parts_meanwhile() {
    let server = serve(LIMITS);
    let address = server.local_addrs()[0];
    let (mut runner, mut other) = (Client::connect(address), Client::connect(address));
    runner.send(format!("{LOOP}\r\n"));
    wait_until_busy(&mut other);
    let text = "x".repeat(3 << 20);
    other.send(format!("*2\r\n$4\r\nECHO\r\n${}\r\n{text}\r\n", text.len()));
    assert_eq!(other.line().as_deref(), Some(BUSY));
    // The beginning of a request is kept until its end comes after the script.
    let mut late = Client::connect(address);
    late.send("*2\r\n$4\r\nEC");
    assert_eq!(other.ask("PING"), BUSY);
    kill(&mut other);
    assert!(is_killed(runner.line()));
    late.send("HO\r\n$1\r\nx\r\n");
    assert_eq!(late.lines(2), ["$1", "x"]);
}

#[test]
fn clients_of_the_program_are_answered_too() {
    let server = Server::in_process(settings(LIMITS)).expect("a server").spawn().expect("a thread");
    let mut runner = server.connect().expect("a client");
    let script =
        std::thread::spawn(move || runner.call(&[&b"EVAL"[..], b"while true do end", b"0"]));
    loop {
        let mut other = server.connect().expect("a client");
        match other.call(&[&b"PING"[..]]) {
            Err(error) if error.to_string().starts_with("BUSY ") => break,
            result => drop(result.expect("an answer")),
        }
    }
    let mut other = server.connect().expect("a client");
    other.call(&[&b"SCRIPT"[..], b"KILL"]).expect("it is killed");
    let error = script.join().expect("a thread").expect_err("it was killed");
    assert!(error.to_string().contains("Script killed"), "{error}");
    server.stop().expect("a stop");
}

/// A broker that is to stop does not wait for a script that has changed nothing.
#[test]
fn stopping_ends_the_script() {
    let server = serve(LIMITS);
    let address = server.local_addrs()[0];
    let (mut runner, mut other) = (Client::connect(address), Client::connect(address));
    runner.send(format!("{LOOP}\r\n"));
    wait_until_busy(&mut other);
    server.stop().expect("a stop");
    assert!(is_killed(runner.line()));
}

/// SHUTDOWN NOSAVE ends the process in the middle of a script, of which nothing is in the append files, nor of what came
/// with it.
#[test]
fn shutdown_nosave_drops_half_a_script() {
    let directory = Directory::new("busy-shutdown");
    let path = directory.join("data");
    std::fs::create_dir(&path).expect("a directory");
    let path = path.to_str().expect("a path").to_owned();
    let arguments = [
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--dir",
        &path,
        "--busy-reply-threshold",
        "1",
    ];
    let process = Process::start(&arguments);
    let mut other = process.client();
    assert_eq!(other.ask("SET before v"), "+OK");
    let mut runner = process.client();
    let script =
        "redis.call(\"set\", \"half\", \"v\") while true do redis.call(\"incr\", \"n\") end";
    runner.send(format!("SET with v\r\nEVAL '{script}' 0\r\n"));
    // A client that is served in the same turn as the change would wait for the end of the turn.
    process.line_with("busy-reply-threshold");
    assert_eq!(other.ask("SHUTDOWN SAVE"), BUSY);
    assert!(other.ask("SCRIPT KILL").starts_with("-UNKILLABLE "));
    other.send("SHUTDOWN NOSAVE\r\n");
    assert_eq!(other.line(), None);
    assert_eq!(runner.line(), None, "nothing of the turn is acknowledged");
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log:?}");

    let process = Process::start(&arguments);
    let mut client = process.client();
    while client.ask("PING") != "+PONG" {}
    assert_eq!(client.ask("EXISTS half n with"), ":0");
    assert_eq!(client.ask("EXISTS before"), ":1");
}

#[cfg(feature = "http")]
mod http {
    use super::*;

    fn response(stream: &mut TcpStream, request: &str) -> String {
        write!(stream, "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .expect("it is read");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        response
    }

    fn serve_both(http_port: u16) -> tidegate::RunningServer {
        let port = server_support::free_port();
        serve(&format!("{LIMITS}port {port}\nhttp-port {http_port}\nhttp-bind 127.0.0.1\n"))
    }

    /// A request over HTTP is refused as one that may be tried again. The probes are answered.
    #[test]
    fn http_is_answered_with_503() {
        let port = server_support::free_port();
        let server = serve_both(port);
        let address = server.local_addrs()[0];
        let http = || TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let (mut runner, mut other) = (Client::connect(address), Client::connect(address));
        runner.send(format!("{LOOP}\r\n"));
        wait_until_busy(&mut other);
        let refused = response(&mut http(), "GET /queues/q");
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        assert!(refused.contains("Retry-After: ") && refused.contains("BUSY"), "{refused}");
        let alive = response(&mut http(), "GET /healthz");
        assert!(alive.starts_with("HTTP/1.1 200 "), "{alive}");
        let ready = response(&mut http(), "GET /readyz");
        assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
        kill(&mut other);
        assert!(is_killed(runner.line()));
        let ready = response(&mut http(), "GET /readyz");
        assert!(ready.starts_with("HTTP/1.1 200 "), "{ready}");
    }

    /// A script that came over HTTP is answered for like any other.
    #[test]
    fn scripts_over_http_can_be_killed() {
        let port = server_support::free_port();
        let server = serve_both(port);
        let mut other = Client::connect(server.local_addrs()[0]);
        let mut runner = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let body = r#"["EVAL", "while true do end", "0"]"#;
        let length = body.len();
        write!(
            runner,
            "POST /command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
        .expect("it is read");
        wait_until_busy(&mut other);
        kill(&mut other);
        let mut response = String::new();
        runner.read_to_string(&mut response).expect("a response");
        assert!(response.contains("Script killed by user"), "{response}");
    }
}
