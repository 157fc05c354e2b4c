//! HTTP over sockets: peers that are slow, greedy, or not who they say.

mod http_support;
mod server_support;

use http_support::{Http, World, free_port, get, post, request};
use server_support::{Client, settings};
use std::io::{Read, Write};
use std::time::{Duration, Instant};
use tidegate::Server;

// alice:a, alice:wrong
const ALICE: &str = "Authorization: Basic YWxpY2U6YQ==\r\n";
const WRONG: &str = "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n";

const USERS: &str =
    "user default on >p ~* &* +@all\nuser alice on >a ~a* &a* +rpush +lpop +blmpop +subscribe\n";

#[test]
fn users_have_their_rights_and_wrong_passwords_wait() {
    let world = World::serve(&format!("{USERS}auth-delay-after 2\nauth-delay-max-ms 300"));
    let mut http = world.connect();
    let response = http.get("/queues/a");
    assert_eq!(response.status, 401);
    assert!(response.header("WWW-Authenticate").expect("how").starts_with("Basic realm="));
    assert_eq!(http.ask(&post("/queues/a", ALICE, "x")).status, 202);
    assert_eq!(http.ask(&post("/queues/b", ALICE, "x")).status, 403);
    assert_eq!(http.ask(&get("/queues/a", ALICE)).text(), "x");
    assert_eq!(http.ask(&get("/channels/b", ALICE)).status, 403);
    assert_eq!(http.ask(&get("/queues/a/info", ALICE)).status, 403);
    for _ in 0..3 {
        assert_eq!(http.ask(&get("/queues/a", WRONG)).status, 401);
    }
    // From now on a password waits, right or wrong. What comes behind it is not run as somebody else.
    let mut other = world.connect();
    let begun = Instant::now();
    other.send(
        [get("/queues/a", WRONG), get("/queues/a", ""), post("/queues/a", ALICE, "z")].concat(),
    );
    assert_eq!([other.response().status, other.response().status], [401, 401]);
    assert_eq!(other.response().text(), "{\"length\":1}\n");
    assert!(begun.elapsed() >= Duration::from_millis(100), "{:?}", begun.elapsed());
    // Whoever is known does not wait.
    assert_eq!(http.ask(&get("/healthz", WRONG)).status, 200);
    world.stop();
}

#[test]
fn a_peer_without_a_password_has_little_time_and_few_connections() {
    let world =
        World::serve(&format!("{USERS}unauthenticated-clients-max 3\nunauthenticated-timeout 1"));
    let mut known = world.connect();
    assert_eq!(known.ask(&post("/queues/a", ALICE, "x")).status, 202);
    let mut strangers: Vec<_> = (0..3).map(|_| world.connect()).collect();
    for http in &mut strangers {
        assert_eq!(http.get("/queues/a").status, 401);
    }
    let mut next = world.connect();
    assert_eq!(next.get("/queues/a").status, 401);
    // The first one made place.
    let response = strangers[0].response();
    assert_eq!(response.status, 503, "{response:?}");
    assert!(strangers[0].is_closed());
    // The others are too late.
    assert!(strangers[1].is_closed() && strangers[2].is_closed() && next.is_closed());
    assert_eq!(known.ask(&get("/queues/a", ALICE)).text(), "x");
    world.stop();
}

#[test]
fn protected_mode_is_for_http_too() {
    let Some(own) = own_address() else {
        eprintln!("SKIPPED: this machine has no address besides the loopback");
        return;
    };
    let port = free_port();
    let lines = format!("port {}\nhttp-port {port}\nhttp-bind *", free_port());
    let server = Server::bind(settings(&lines)).expect("it listens").spawn().expect("a thread");
    let mut redis = Client::connect(server.local_addrs()[0]);
    let mut denied = Http::connect((own, port).into());
    let response = denied.response();
    assert_eq!(response.status, 403);
    assert!(response.text().contains("protected mode"), "{response:?}");
    assert!(denied.is_closed());
    let mut local = Http::connect(([127, 0, 0, 1], port).into());
    assert_eq!(local.get("/healthz").status, 200);
    assert_eq!(redis.ask("CONFIG SET protected-mode no"), "+OK");
    let mut http = Http::connect((own, port).into());
    assert_eq!(http.get("/healthz").status, 200);
    // A web page cannot give its own name that address.
    let rebound = get("/queues/q", "").replace("localhost", "evil.example");
    assert_eq!(http.ask(&rebound).status, 421);
    server.stop().expect("it stops");
}

/// An address of this machine that is not a loopback one, if it has any.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: this only chooses a route.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// Slow in the first line, a header, a body, a chunk, and behind a complete request.
#[test]
fn a_slow_request_is_given_up() {
    let world = World::serve("http-request-timeout 1");
    let chunked =
        "POST /queues/q HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let beginnings = [
        "G".to_owned(),
        "GET /healthz HTTP/1.1\r\nHo".to_owned(),
        "POST /queues/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nx".to_owned(),
        format!("{chunked}5\r\nab"),
        format!("{chunked}5;ext"),
        format!("{chunked}0\r\nTrailer: "),
    ];
    let mut slow: Vec<_> = beginnings
        .iter()
        .map(|beginning| {
            let mut http = world.connect();
            assert_eq!(http.get("/healthz").status, 200);
            http.send(beginning);
            http
        })
        .collect();
    let mut waiting = world.connect();
    waiting.send(get("/queues/none?wait=30", "") + "GET /heal");
    let begun = Instant::now();
    for http in &mut slow {
        // A byte now and then does not help.
        while begun.elapsed() < Duration::from_millis(800) && http.send_some(b"a") < 2 {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(http.response().status, 408);
        assert!(http.is_closed());
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(world.redis().ask("RPUSH none x"), ":1");
    assert_eq!(waiting.response().text(), "x");
    waiting.send("thz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(waiting.response().status, 200);
    assert_eq!(world.redis().ask("LLEN q"), ":0");
    world.stop();
}

#[test]
fn an_idle_connection_and_one_that_reads_nothing_are_closed() {
    let world = World::serve("http-idle-timeout 1\nhttp-pipeline-max 10000");
    let mut redis = world.redis();
    redis.send(request(&["RPUSH", "big", &"x".repeat(1_000_000)]));
    assert_eq!(redis.line().as_deref(), Some(":1"));
    let mut idle = world.connect();
    assert_eq!(idle.get("/healthz").status, 200);
    let read = get("/command", "").replace("GET", "POST");
    let read = read
        .replace("\r\n\r\n", "\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n");
    let mut greedy = world.connect();
    greedy.send((read + "[\"LRANGE\",\"big\",0,-1] ").repeat(50));
    let mut waiting = world.connect();
    waiting.send(get("/queues/none?wait=30", ""));
    assert!(idle.is_closed());
    while world.figure("connected_clients") > 3 {}
    assert_eq!(redis.ask("RPUSH none x"), ":1");
    assert_eq!(waiting.response().text(), "x", "a long poll is not idle");
    world.stop();
}

/// A client learns why its request is refused, although it is still sending it.
#[test]
fn a_body_that_is_too_large_is_refused_with_a_response() {
    let world = World::serve("http-body-bytes-max 1mb");
    for _ in 0..10 {
        let http = world.connect();
        let mut writer = http.stream.get_ref().try_clone().expect("a second handle");
        let writing = std::thread::spawn(move || {
            let head =
                "POST /queues/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n";
            let piece = vec![b'x'; 100_000];
            writer.write_all(head.as_bytes()).expect("the server reads");
            // It fails once the server has closed.
            (0..200).all(|_| writer.write_all(&piece).is_ok())
        });
        let mut http = http;
        let response = http.next().expect("a response");
        assert_eq!(response.status, 413);
        writing.join().expect("it ends");
    }
    assert_eq!(world.redis().ask("LLEN q"), ":0");
    world.stop();
}

#[test]
fn a_slow_reader_of_a_stream_is_limited_like_any_subscriber() {
    let world = World::serve("client-output-buffer-limit pubsub 1mb 0 0");
    let mut redis = world.redis();
    let mut slow = world.connect();
    slow.send(get("/channels/news", ""));
    assert!(slow.head().expect("a stream").contains("text/event-stream"));
    let mut fast = world.connect();
    fast.send(get("/channels/news", ""));
    fast.head().expect("a stream");
    let message = "x".repeat(100_000);
    let mut published = 0;
    while redis.ask(request(&["PUBLISH", "news", &message]).trim_end()) == ":2" {
        published += 1;
        assert!(published < 10_000, "the slow one is never closed");
        while fast.line().expect("a message").len() < 100_000 {}
    }
    assert_eq!(world.figure("client_output_buffer_limit_disconnections"), 1);
    // It has got whole messages up to then.
    let mut got = Vec::new();
    let _ = slow.stream.read_to_end(&mut got);
    assert!(got.len() > 1_000_000);
    world.stop();
}

#[test]
fn a_slow_reader_of_a_stream_falls_under_a_channel_policy() {
    let world =
        World::serve("channel-policy \"p news high-water-mark 10 slow-subscriber drop-oldest\"");
    let mut redis = world.redis();
    let mut slow = world.connect();
    slow.send(get("/channels/news", ""));
    slow.head().expect("a stream");
    let message = "x".repeat(100_000);
    for number in 0..300 {
        assert_eq!(
            redis.ask(request(&["PUBLISH", "news", &format!("{number}.{message}")]).trim_end()),
            ":1"
        );
    }
    let mut numbers = Vec::new();
    while numbers.last() != Some(&299) {
        let line = slow.line().expect("it stays connected");
        if let Some(data) = line.strip_prefix("data: ") {
            let (number, rest) = data.split_once('.').expect("a number");
            assert_eq!(rest.len(), 100_000, "messages are whole");
            numbers.push(number.parse::<u32>().expect("a number"));
        }
    }
    assert!(numbers.is_sorted() && numbers.len() < 300, "{} came", numbers.len());
    assert!(numbers.ends_with(&[290, 291, 292, 293, 294, 295, 296, 297, 298, 299]), "{numbers:?}");
    world.stop();
}
