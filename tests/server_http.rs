//! HTTP over sockets: connections, users, limits, durability, and both protocols at once.

mod http_support;
mod server_support;
mod tls_support;

use http_support::{Http, World, free_port, get, post};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use server_support::{Directory, Process};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;
use tls_support::{Authority, client_config};

#[test]
fn a_connection_serves_many_requests_and_both_protocols_see_the_same() {
    let world = World::serve("");
    let (mut http, mut redis) = (world.connect(), world.redis());
    for number in 1..=100 {
        let response = http.post("/queues/q", &format!("message {number}"));
        assert_eq!(
            (response.status, response.text()),
            (202, &*format!("{{\"length\":{number}}}\n"))
        );
    }
    assert_eq!(redis.ask("LPOP q"), "$9");
    assert_eq!(redis.line().as_deref(), Some("message 1"));
    assert_eq!(redis.ask("RPUSH q last"), ":100");
    for number in 2..=100 {
        assert_eq!(http.get("/queues/q").text(), format!("message {number}"));
    }
    assert_eq!(http.get("/queues/q").text(), "last");
    assert_eq!(http.get("/queues/q").status, 204);
    // Each kind of consumer is served by the other kind of producer, in the order in which they wait.
    http.send(get("/queues/q?wait=30", ""));
    world.until_blocked(1);
    redis.send("BLPOP q 30\r\n");
    world.until_blocked(2);
    let mut other = world.connect();
    assert_eq!(world.redis().ask("RPUSH q one"), ":1");
    assert_eq!(http.response().text(), "one");
    assert_eq!(other.post("/queues/q", "two").status, 202);
    assert_eq!(redis.lines(5)[4], "two");
    world.stop();
}

#[test]
fn thousands_of_pipelined_requests_have_their_responses_in_order() {
    let world = World::serve("client-query-buffer-limit 1mb\n");
    let mut http = world.connect();
    // The reader is slow at first: it reads nothing until the server takes no more.
    let body = "x".repeat(2000);
    let all: String = (0..20_000)
        .map(|number| match number % 4 {
            0 => post("/queues/q", "", &format!("{number} {body}")),
            1 => get("/queues/q", ""),
            2 => get(&format!("/nothing/{number}"), ""),
            _ => get("/queues/none?wait=0.001", ""),
        })
        .collect();
    let mut sent = 0;
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed().as_millis() < 300 && sent < all.len() {
        match http.send_some(&all.as_bytes()[sent..]) {
            0 => std::thread::yield_now(),
            count => {
                sent += count;
                quiet_since = Instant::now();
            }
        }
    }
    assert!(sent < all.len(), "the server reads no more than it answers");
    let used = world.figure("used_memory");
    assert!(used < 64 << 20, "{used} bytes");
    let rest = all[sent..].to_owned();
    let mut writer = http.stream.get_ref().try_clone().expect("a second handle");
    let writer = std::thread::spawn(move || {
        std::io::Write::write_all(&mut writer, rest.as_bytes()).expect("the server reads");
    });
    for number in 0..20_000 {
        let response = http.response();
        match number % 4 {
            0 => assert_eq!(response.status, 202),
            1 => assert_eq!(response.text(), format!("{} {body}", number - 1)),
            2 => assert_eq!(response.status, 404),
            _ => assert_eq!(response.status, 204),
        }
    }
    writer.join().expect("all is sent");
    world.stop();
}

#[test]
fn a_peer_that_sends_no_more_gets_its_responses() {
    let world = World::serve("");
    let mut http = world.connect();
    let all = [post("/queues/q", "", "x"), get("/queues/q", ""), get("/nothing", "")];
    http.send(all.concat());
    http.half_close();
    assert_eq!(
        [http.response().status, http.response().status, http.response().status],
        [202, 200, 404]
    );
    assert!(http.is_closed());
    // One whose request is not complete gets nothing, and nothing is stored.
    let mut http = world.connect();
    let request = post("/queues/q", "", "whole");
    http.send(&request[..request.len() - 1]);
    http.half_close();
    assert!(http.is_closed());
    assert_eq!(world.redis().ask("LLEN q"), ":0");
    world.stop();
}

#[test]
fn a_message_goes_to_the_next_one_if_a_peer_leaves_its_long_poll() {
    let world = World::serve("");
    for round in 0..20 {
        let mut gone: Vec<_> = (0..5).map(|_| world.connect()).collect();
        for (at, http) in gone.iter_mut().enumerate() {
            http.send(get("/queues/q?wait=30", ""));
            // Some have sent more, which is not read until the message comes.
            if at % 2 == 1 {
                http.send(get("/queues/q?wait=30", ""));
            }
        }
        world.until_blocked(5);
        let mut stays = world.connect();
        stays.send(get("/queues/q?wait=30", ""));
        world.until_blocked(6);
        drop(gone);
        world.until_blocked(1);
        assert_eq!(world.redis().ask(&format!("RPUSH q {round}")), ":1");
        assert_eq!(stays.response().text(), round.to_string());
    }
    world.stop();
}

#[test]
fn a_post_is_acknowledged_when_it_is_durable() {
    let directory = Directory::new("http-kill");
    let dir = directory.join("").display().to_string();
    for round in 0..5_usize {
        let (plain, port) = (free_port().to_string(), free_port());
        let process = Process::start_with(&[
            "--bind",
            "127.0.0.1",
            "--port",
            &plain,
            "--http-port",
            &port.to_string(),
            "--dir",
            &dir,
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ]);
        let address: SocketAddr = ([127, 0, 0, 1], port).into();
        let producers: Vec<_> = (0..4)
            .map(|producer| {
                std::thread::spawn(move || {
                    let mut http = Http::connect(address);
                    let mut acknowledged = 0;
                    loop {
                        let request =
                            post("/queues/q", "", &format!("{round} {producer} {acknowledged}"));
                        // A write may fail once the server is dead.
                        if http.send_some(request.as_bytes()) < request.len() {
                            return acknowledged;
                        }
                        match http.next() {
                            Some(response) => assert_eq!(response.status, 202),
                            None => return acknowledged,
                        }
                        acknowledged += 1;
                    }
                })
            })
            .collect();
        let mut redis = process.client();
        let wanted = (round + 1) * 200;
        while redis.ask("LLEN q").trim_start_matches(':').parse::<usize>().expect("a number")
            < wanted
        {}
        process.signal("KILL");
        process.wait();
        let acknowledged: Vec<usize> =
            producers.into_iter().map(|producer| producer.join().expect("it ends")).collect();
        let restarted = Process::start(&["--dir", &dir, "--appendonly", "yes"]);
        let mut redis = restarted.client();
        while redis.ask("PING") != "+PONG" {}
        let length = redis.ask("LRANGE q 0 -1");
        let length: usize = length.trim_start_matches('*').parse().expect("an array");
        let messages = redis.lines(2 * length);
        for (producer, count) in acknowledged.into_iter().enumerate() {
            for number in 0..count {
                let message = format!("{round} {producer} {number}");
                assert!(messages.contains(&message), "{message} of {count} is lost");
            }
        }
        restarted.signal("TERM");
        restarted.wait();
    }
}

#[test]
fn http_with_tls() {
    let (authority, directory) = (Authority::new(), Directory::new("http-tls"));
    fs::write(directory.join("ca.crt"), &authority.pem).expect("a file");
    authority.issue("server").write(&directory.join(""), "server");
    let (plain, port) = (free_port().to_string(), free_port());
    let dir = directory.join("").display().to_string();
    let process = Process::start_with(&[
        "--bind",
        "127.0.0.1",
        "--port",
        &plain,
        "--http-tls-port",
        &port.to_string(),
        "--dir",
        &dir,
        "--tls-cert-file",
        "server.crt",
        "--tls-key-file",
        "server.key",
        "--tls-ca-cert-file",
        "ca.crt",
        "--tls-auth-clients-user",
        "CN",
        "--user",
        "worker on nopass ~q* &* +@all",
    ]);
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let identity = authority.issue("worker");
    let config = client_config(&authority, Some(&identity));
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(server_support::PATIENCE)).expect("a timeout");
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::clone(&config), name).expect("a session");
    let mut http = Http::over(StreamOwned::new(session, stream));
    let body = "x".repeat(1_000_000);
    assert_eq!(http.post("/queues/q", &body).status, 202);
    assert_eq!(http.get("/queues/q").text(), body);
    // The certificate names the user of requests that name none.
    assert_eq!(http.command("[\"ACL\",\"WHOAMI\"]"), "{\"reply\":\"worker\"}");
    assert_eq!(http.post("/queues/other", "x").status, 403);
    // Another protocol is not served there.
    let mut plain = Http::connect(address);
    plain.send(get("/healthz", ""));
    let got = plain.next();
    assert!(got.is_none(), "{got:?}");
    process.signal("TERM");
    process.wait();
}

#[test]
fn connections_beyond_the_limits_are_told_so() {
    let world = World::serve("http-clients-max 2");
    let (mut first, mut second) = (world.connect(), world.connect());
    assert_eq!((first.get("/healthz").status, second.get("/healthz").status), (200, 200));
    let mut third = world.connect();
    let response = third.response();
    assert_eq!(response.status, 503);
    assert!(
        response.header("Retry-After").is_none() && response.header("Connection") == Some("close")
    );
    assert!(third.is_closed());
    assert_eq!(world.redis().ask("PING"), "+PONG", "the limit is that of HTTP");
    drop(first);
    while world.connect().get("/healthz").status != 200 {}
    world.stop();

    let world = World::serve("maxclients 2");
    let (mut http, mut redis) = (world.connect(), world.redis());
    assert_eq!((http.get("/healthz").status, redis.ask("PING")), (200, "+PONG".to_owned()));
    assert_eq!(world.connect().response().status, 503);
    world.stop();
}

#[test]
fn an_http_client_is_listed_and_killed_like_any_other() {
    let world = World::serve("");
    let (mut waiting, mut idle, mut redis) = (world.connect(), world.connect(), world.redis());
    waiting.send(get("/queues/q?wait=30", ""));
    world.until_blocked(1);
    let list = idle.command("[\"CLIENT\",\"LIST\"]");
    assert!(list.contains("cmd=blmpop") && list.contains("flags=b"), "{list}");
    let line = list.split("\\n").find(|line| line.contains("cmd=blmpop")).expect("it waits");
    let id =
        line.split("id=").nth(1).and_then(|rest| rest.split(' ').next()).expect("an id").to_owned();
    // The end of a wait, as time-out and as error.
    assert_eq!(redis.ask(&format!("CLIENT UNBLOCK {id}")), ":1");
    assert_eq!(waiting.response().status, 204);
    waiting.send(get("/queues/q?wait=30", ""));
    world.until_blocked(1);
    assert_eq!(redis.ask(&format!("CLIENT UNBLOCK {id} ERROR")), ":1");
    assert_eq!(waiting.response().status, 503);
    waiting.send(get("/queues/q?wait=30", ""));
    world.until_blocked(1);
    assert_eq!(redis.ask(&format!("CLIENT KILL ID {id}")), ":1");
    assert!(waiting.is_closed());
    assert_eq!(redis.ask("RPUSH q x"), ":1");
    assert_eq!(idle.get("/queues/q").text(), "x");
    // One that kills itself is told so.
    let own = idle.command("[\"CLIENT\",\"ID\"]");
    let own = own.trim_start_matches("{\"reply\":").trim_end_matches('}').to_owned();
    let killed = idle.command(&format!("[\"CLIENT\",\"KILL\",\"ID\",{own},\"SKIPME\",\"no\"]"));
    assert_eq!(killed, "{\"reply\":1}");
    assert!(idle.is_closed());
    world.stop();
}

#[test]
fn shutdown_ends_long_polls_and_streams() {
    let directory = Directory::new("http-shutdown");
    let world = World::serve(&format!("appendonly yes\ndir {}", directory.join("").display()));
    let (mut poll, mut stream, mut page) = (world.connect(), world.connect(), world.connect());
    let mut producer = world.connect();
    assert_eq!(producer.post("/queues/kept", "x").status, 202);
    poll.send(get("/queues/q?wait=30", ""));
    stream.send(get("/channels/news", ""));
    assert!(stream.head().expect("a stream").contains("text/event-stream"));
    page.send(get("/events", ""));
    assert!(page.head().expect("a stream").contains("text/event-stream"));
    world.until_blocked(1);
    world.redis().send("SHUTDOWN\r\n");
    assert!(poll.is_closed());
    assert_eq!(stream.line().as_deref(), Some(":"));
    while stream.line().is_some() {}
    while page.line().is_some() {}
    assert!(producer.is_closed());
    world.stop();
}
