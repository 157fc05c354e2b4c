//! HTTP connections over a plain broker: no socket, no clock.

mod hostile;
mod streams;

use super::Http;
use crate::broker::Broker;
use crate::clients::{CloseReason, Peer};
use crate::clock::Now;
use crate::host::NoHost;
use crate::settings::Settings;
use serde_json::Value;

/// A broker with HTTP connections, and the turns of a server.
struct Site {
    broker: Broker,
    connections: Vec<Option<Http>>,
    /// What each peer was sent and has not looked at.
    sent: Vec<Vec<u8>>,
    now: Now,
}

impl Site {
    fn new(directives: &[(&str, &str)]) -> Site {
        let mut settings = Settings::default();
        for (name, value) in directives {
            settings = settings.with(name, value).expect("a setting");
        }
        let now = Now::default();
        let broker = Broker::new(settings, 7, Box::new(NoHost), now);
        Site { broker, connections: Vec::new(), sent: Vec::new(), now }
    }

    fn connect(&mut self) -> usize {
        self.connect_from(Peer::in_process())
    }

    fn connect_from(&mut self, peer: Peer) -> usize {
        let slot = self.connections.len();
        let http = Http::begin(&mut self.broker, slot, peer, self.now);
        self.connections.push(http);
        self.sent.push(Vec::new());
        slot
    }

    /// Sends bytes, and returns what the peer got by the end of the turns that follow at once.
    fn send(&mut self, at: usize, bytes: impl AsRef<[u8]>) -> String {
        let http = self.connections[at].as_mut().expect("an open connection");
        if http.wants_input(&self.broker) {
            http.receive(&mut self.broker, bytes.as_ref(), self.now, &mut ());
        }
        self.turns(at)
    }

    /// Runs turns until there is nothing to do, and returns what one peer got since it last looked.
    fn turns(&mut self, at: usize) -> String {
        for _ in 0..1000 {
            let mut is_done = true;
            self.broker.settle(self.now);
            for http in self.connections.iter_mut().flatten() {
                http.tick(&mut self.broker, self.now);
            }
            while self.broker.next_resumed().is_some() {}
            while self.broker.next_dirty(self.now).is_some() {}
            for (slot, connection) in self.connections.iter_mut().enumerate() {
                let Some(http) = connection else { continue };
                if http.has_work(&self.broker) {
                    http.go_on(&mut self.broker, self.now, &mut ());
                    is_done = false;
                }
                if http.pull(&mut self.broker, self.now) > 0 {
                    let bytes = http.output().take_all();
                    http.sent(&mut self.broker, bytes.len(), self.now);
                    self.sent[slot].extend_from_slice(&bytes);
                    is_done = false;
                }
                is_done &= !http.has_work(&self.broker);
            }
            while let Some((id, reason)) = self.broker.next_closing() {
                self.broker.disconnect(id, reason, self.now);
                self.connections[id.slot()] = None;
            }
            if is_done && !self.broker.has_backlog() {
                let got = std::mem::take(&mut self.sent[at]);
                return String::from_utf8(got).expect("tests use text");
            }
        }
        panic!("turns without end; sent {:?}", String::from_utf8_lossy(&self.sent[at]));
    }

    /// Sends a request on a new connection; returns the status, and the body.
    fn ask(&mut self, request: &str) -> (u16, String) {
        let at = self.connect();
        let got = self.send(at, request);
        self.close(at);
        let (head, body) =
            got.split_once("\r\n\r\n").unwrap_or_else(|| panic!("a response, not {got:?}"));
        (head[9..12].parse().expect("a status"), body.to_owned())
    }

    fn get(&mut self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    fn post(&mut self, path: &str, body: &str) -> (u16, String) {
        self.ask(&post(path, "", body))
    }

    fn close(&mut self, at: usize) {
        if let Some(http) = self.connections[at].take() {
            self.broker.disconnect(http.client(), CloseReason::PeerClosed, self.now);
        }
    }

    fn is_open(&self, at: usize) -> bool {
        self.connections[at].is_some()
    }

    fn pass_us(&mut self, us: u64) {
        self.now = self.now.plus_us(us);
    }

    /// Runs a command.
    fn run(&mut self, words: &[&str]) -> Value {
        let body = serde_json::to_string(words).expect("JSON");
        let (_, body) = self.ask(&post("/command", "Content-Type: application/json\r\n", &body));
        json(&body)
    }
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {body:?}"))
}

fn with_leases() -> Site {
    let policy = "p q* delivery at-least-once acknowledge explicit";
    Site::new(&[("queue-policy", policy)])
}

fn header<'a>(got: &'a str, name: &str) -> Option<&'a str> {
    got.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn what_is_posted_is_popped() {
    let mut site = Site::new(&[]);
    assert_eq!(site.post("/queues/a", "one"), (202, "{\"length\":1}\n".into()));
    assert_eq!(site.post("/queues/a", "two\r\n"), (202, "{\"length\":2}\n".into()));
    assert_eq!(site.get("/queues/a"), (200, "one".into()));
    assert_eq!(site.get("/queues/a"), (200, "two\r\n".into()));
    assert_eq!(site.get("/queues/a"), (204, String::new()));
}

#[test]
fn a_batch_is_one_push() {
    let mut site = Site::new(&[]);
    let lines = "{\"a\":1}\n{\"b\":2}\n";
    let ndjson = post("/queues/a", "Content-Type: application/x-ndjson\r\n", lines);
    assert_eq!(site.ask(&ndjson), (202, "{\"length\":2}\n".into()));
    let parts = "--x\r\n\r\none\r\n--x\r\n\r\ntwo\r\n--x--\r\n";
    let multipart = post("/queues/a", "Content-Type: multipart/mixed; boundary=x\r\n", parts);
    assert_eq!(site.ask(&multipart), (202, "{\"length\":4}\n".into()));
    let (status, body) = site.get("/queues/a?count=10");
    assert_eq!(status, 200);
    let expected = serde_json::json!({"messages": [
        {"message": "{\"a\":1}"}, {"message": "{\"b\":2}"}, {"message": "one"}, {"message": "two"},
    ]});
    assert_eq!(json(&body), expected);
}

/// All of a body is pushed in one turn, which has to end.
#[test]
fn a_batch_has_a_limit() {
    let mut site = Site::new(&[("http-batch-max", "3")]);
    let typed =
        |kind: &str, body: &str| post("/queues/a", &format!("Content-Type: {kind}\r\n"), body);
    let lines = "application/x-ndjson";
    assert_eq!(site.ask(&typed(lines, "1\n2\n3\n")).0, 202);
    let (status, body) = site.ask(&typed(lines, "1\n2\n3\n4\n"));
    assert_eq!(status, 400);
    assert!(body.contains("http-batch-max"), "{body}");
    let parts = "--x\r\n\r\n1\r\n".to_owned() + &"--x\r\n\r\n2\r\n".repeat(3) + "--x--";
    assert_eq!(site.ask(&typed("multipart/mixed; boundary=x", &parts)).0, 400);
    assert_eq!(site.run(&["LLEN", "a"])["reply"], 3);
    let error = site.run(&["RPUSH", "a", "1", "2"]);
    let message = error["error"]["message"].as_str().expect("a text");
    assert!(message.contains("at most 3 words"), "{message}");
    assert_eq!(site.run(&["LLEN", "a"])["reply"], 3);
}

#[test]
fn a_long_poll_waits_for_a_message_or_its_time() {
    let mut site = Site::new(&[]);
    let poll = "GET /queues/a?wait=2.5 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let waiting = site.connect();
    assert_eq!(site.send(waiting, poll), "");
    site.pass_us(2_499_000);
    assert_eq!(site.turns(waiting), "");
    site.pass_us(2_000);
    assert!(site.turns(waiting).starts_with("HTTP/1.1 204 "));

    assert_eq!(site.send(waiting, poll), "");
    site.post("/queues/a", "x");
    let got = site.turns(waiting);
    assert!(got.starts_with("HTTP/1.1 200 ") && got.ends_with("\r\n\r\nx"), "{got}");
    // With a count it gets what is there, not more than that.
    let many = "GET /queues/a?wait=5&count=3 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(site.send(waiting, many), "");
    site.ask(&post("/queues/a", "Content-Type: application/x-ndjson\r\n", "1\n2\n3\n4\n"));
    let got = site.turns(waiting);
    assert!(got.contains("[{\"message\":\"1\"},{\"message\":\"2\"},{\"message\":\"3\"}]"), "{got}");
}

#[test]
fn queues_are_listed_a_page_at_a_time() {
    let mut site = Site::new(&[]);
    for queue in ["a1", "a2", "b"] {
        site.post(&format!("/queues/{queue}"), "x");
    }
    let list = json(&site.get("/queues").1);
    assert_eq!(list["cursor"], "0");
    assert_eq!(list["queues"].as_array().map(Vec::len), Some(3));
    assert_eq!(list["queues"][0]["length"], 1);
    let list = json(&site.get("/queues?match=a*&count=10").1);
    assert_eq!(list["queues"].as_array().map(Vec::len), Some(2));
    let list = json(&site.get("/queues?count=1").1);
    let cursor = list["cursor"].as_str().expect("a cursor").to_owned();
    assert_ne!(cursor, "0");
    assert_eq!(site.get(&format!("/queues?cursor={cursor}")).0, 200);
    assert_eq!(site.get("/queues?cursor=x").0, 400);
}

/// A message is not lost with a connection that closes while it waits.
#[test]
fn a_closed_long_poll_takes_nothing() {
    let mut site = Site::new(&[]);
    let waiting = site.connect();
    site.send(waiting, "GET /queues/a?wait=10 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    site.close(waiting);
    site.post("/queues/a", "x");
    assert_eq!(site.get("/queues/a"), (200, "x".into()));
}

#[test]
fn messages_of_at_least_once_queues_have_receipts() {
    let mut site = with_leases();
    site.post("/queues/q", "x");
    let at = site.connect();
    let got = site.send(at, "GET /queues/q?lease=30 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(got.ends_with("\r\n\r\nx"), "{got}");
    assert_eq!(header(&got, "Tidegate-Deliveries"), Some("1"));
    let receipt = header(&got, "Tidegate-Receipt").expect("a receipt").to_owned();
    // It belongs to the lease, not to the connection.
    site.close(at);
    assert_eq!(site.get("/queues/q").0, 204);
    let path = format!("/queues/q/inflight/{receipt}");
    let with = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    };
    site.pass_us(29_000_000);
    assert_eq!(site.ask(&with("PATCH", &format!("{path}?lease=30"))).0, 204);
    site.pass_us(29_000_000);
    assert_eq!(site.get("/queues/q").0, 204);
    assert_eq!(site.ask(&with("DELETE", &path)).0, 204);
    assert_eq!(site.ask(&with("DELETE", &path)).0, 404);
    site.pass_us(100_000_000);
    assert_eq!(site.get("/queues/q").0, 204);
}

#[test]
fn a_message_returns_at_once_later_or_by_itself() {
    let mut site = with_leases();
    site.post("/queues/q", "x");
    let receipt_of =
        |body: &str| json(body)["messages"][0]["receipt"].as_str().expect("one").to_owned();
    let receipt = receipt_of(&site.get("/queues/q?count=1").1);
    assert_eq!(site.post(&format!("/queues/q/inflight/{receipt}/return"), "").0, 204);
    let receipt = receipt_of(&site.get("/queues/q?count=1").1);
    assert_eq!(site.post(&format!("/queues/q/inflight/{receipt}/return?delay=10"), "").0, 204);
    assert_eq!(site.get("/queues/q").0, 204);
    site.pass_us(10_001_000);
    let (_, body) = site.get("/queues/q?count=1&lease=5");
    assert_eq!(json(&body)["messages"][0]["deliveries"], 3);
    site.pass_us(5_001_000);
    assert_eq!(site.get("/queues/q"), (200, "x".into()));
}

#[test]
fn a_refused_message_can_be_tried_again() {
    let mut site = Site::new(&[("queue-policy", "p q* max-length 1 overflow reject-publish")]);
    site.post("/queues/q", "x");
    let at = site.connect();
    let got = site.send(at, post("/queues/q", "", "y"));
    assert!(got.starts_with("HTTP/1.1 429 "), "{got}");
    assert_eq!(header(&got, "Retry-After"), Some("1"));
    assert!(got.contains("\"code\":\"QUEUEFULL\""), "{got}");
    assert!(site.is_open(at));
}

#[test]
fn a_blocked_producer_waits_for_its_response() {
    let mut site = Site::new(&[("queue-policy", "p q* max-length 1 overflow block")]);
    site.post("/queues/q", "x");
    let at = site.connect();
    assert_eq!(site.send(at, post("/queues/q", "", "y")), "");
    assert_eq!(site.get("/queues/q"), (200, "x".into()));
    assert!(site.turns(at).starts_with("HTTP/1.1 202 "));
}

#[test]
fn responses_come_in_the_order_of_the_requests() {
    let mut site = Site::new(&[]);
    let at = site.connect();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let all = [
        post("/queues/a", "", "1"),
        get("/nothing"),
        get("/healthz"),
        get("/queues/b?wait=1"),
        get("/nothing"),
        get("/queues/a"),
    ];
    let got = site.send(at, all.concat());
    let statuses = |got: &str| -> Vec<String> {
        got.lines()
            .filter_map(|line| line.strip_prefix("HTTP/1.1 "))
            .map(|s| s[..3].to_owned())
            .collect()
    };
    assert_eq!(statuses(&got), ["202", "404", "200"], "{got}");
    site.pass_us(1_001_000);
    let got = site.turns(at);
    assert_eq!(statuses(&got), ["204", "404", "200"]);
    assert!(got.ends_with("\r\n\r\n1"), "{got}");
}

#[test]
fn a_request_is_the_same_however_it_is_split() {
    let chunked = "POST /queues/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let both = [post("/queues/a", "", "first"), chunked.to_owned()].concat();
    let expected = "[{\"message\":\"first\"},{\"message\":\"abcde\"}]";
    for piece in 1..both.len() {
        let mut site = Site::new(&[]);
        let at = site.connect();
        let parts = both.as_bytes().chunks(piece);
        let got: String = parts.map(|part| site.send(at, part)).collect();
        assert_eq!(got.matches("HTTP/1.1 202 ").count(), 2, "pieces of {piece}: {got}");
        let (_, body) = site.get("/queues/a?count=5");
        assert!(body.contains(expected), "pieces of {piece}: {body}");
    }
}

#[test]
fn a_body_may_wait_for_permission() {
    let mut site = Site::new(&[]);
    let at = site.connect();
    let head = "POST /queues/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(site.send(at, head), "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(site.send(at, "abc").starts_with("HTTP/1.1 202 "));
}

#[test]
fn limits_have_their_statuses_and_end_the_connection() {
    let limits = [
        ("http-header-bytes-max", "1024"),
        ("http-headers-max", "8"),
        ("http-body-bytes-max", "1024"),
    ];
    let long = "a".repeat(2000);
    let head = |headers: &str| format!("GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    let chunk =
        "POST /queues/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n";
    for (request, status) in [
        (format!("GET /{long}"), "431"),
        (head(&format!("a: {long}\r\n")), "431"),
        (head(&"a: b\r\n".repeat(9)), "431"),
        (post("/queues/a", "", &long), "413"),
        (chunk.to_owned(), "413"),
        ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "501"),
        ("*1\r\n$4\r\nPING\r\n\r\n".to_owned(), "400"),
    ] {
        let mut site = Site::new(&limits);
        let at = site.connect();
        let got = site.send(at, &request);
        assert_eq!(got.get(9..12), Some(status), "{request:.60}: {got}");
        assert_eq!(header(&got, "Connection"), Some("close"));
        assert!(!site.is_open(at), "{request:.60}");
        assert_eq!(site.get("/queues/a").0, 204, "nothing was stored: {request:.60}");
    }
}

#[test]
fn slow_and_idle_connections_end() {
    let mut site = Site::new(&[("http-request-timeout", "5"), ("http-idle-timeout", "60")]);
    let at = site.connect();
    site.send(at, "POST /queues/a HTTP/1.1\r\n");
    for _ in 0..4 {
        site.pass_us(1_000_000);
        assert_eq!(site.send(at, "a: b\r\n"), "");
    }
    site.pass_us(1_000_000);
    assert!(site.turns(at).starts_with("HTTP/1.1 408 "));
    assert!(!site.is_open(at));

    let at = site.connect();
    site.send(at, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    site.pass_us(59_000_000);
    site.turns(at);
    assert!(site.is_open(at));
    site.pass_us(1_000_000);
    assert_eq!(site.turns(at), "");
    assert!(!site.is_open(at));

    // A long poll is not idle.
    let at = site.connect();
    site.send(at, "GET /queues/a?wait=600 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    site.pass_us(599_000_000);
    site.turns(at);
    assert!(site.is_open(at));
}

#[test]
fn the_user_is_the_one_of_each_request() {
    let mut site =
        Site::new(&[("user", "default on >p ~* &* +@all"), ("user", "reader on >r ~a* &* +lpop")]);
    let get = |authorization: &str| {
        format!("GET /queues/a HTTP/1.1\r\nHost: broker\r\n{authorization}\r\n")
    };
    // default:p, reader:r, reader:wrong
    let own = "Authorization: Basic ZGVmYXVsdDpw\r\n";
    let reader = "Authorization: Basic cmVhZGVyOnI=\r\n";
    let wrong = "Authorization: Basic cmVhZGVyOndyb25n\r\n";
    let at = site.connect();
    for (authorization, status) in [
        ("", "401"),
        (own, "204"),
        (own, "204"),
        (reader, "204"),
        (wrong, "401"),
        // Not as the user before.
        ("", "401"),
        ("Authorization: Bearer x\r\n", "401"),
        (reader, "204"),
    ] {
        let got = site.send(at, get(authorization));
        assert_eq!(got.get(9..12), Some(status), "{authorization}: {got}");
        assert_eq!(header(&got, "WWW-Authenticate").is_some(), status == "401");
    }
    // Rights are those of the user: no such key, no such command.
    let other = get(reader).replace("/queues/a", "/queues/b");
    assert!(site.send(at, other).starts_with("HTTP/1.1 403 "));
    let push = post("/queues/a", reader, "x");
    assert!(site.send(at, push).starts_with("HTTP/1.1 403 "));
    // A pipeline of two users, each with its own rights.
    let both = [get(own), post("/queues/a", reader, "x"), post("/queues/a", own, "x"), get(reader)];
    let got = site.send(at, both.concat());
    let statuses: Vec<&str> = got
        .lines()
        .filter_map(|line| line.strip_prefix("HTTP/1.1 "))
        .map(|line| &line[..3])
        .collect();
    assert_eq!(statuses, ["204", "403", "202", "200"], "{got}");
    // A probe needs no password.
    assert!(
        site.get("/healthz").0 == 200 && site.get("/").0 == 401 && site.get("/events").0 == 401
    );
}

/// Otherwise strangers could have the broker keep any number of long bodies.
#[test]
fn a_stranger_sends_no_body() {
    let mut site = Site::new(&[("requirepass", "p")]);
    let head = |authorization: &str| {
        format!("POST /queues/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n{authorization}\r\n")
    };
    let wrong = "Authorization: Basic ZGVmYXVsdDp4\r\n";
    for (authorization, rest) in [("", "x"), (wrong, ""), (wrong, "x")] {
        let at = site.connect();
        let got = site.send(at, head(authorization))
            + &if rest.is_empty() || !site.is_open(at) {
                String::new()
            } else {
                site.send(at, rest)
            };
        assert!(got.starts_with("HTTP/1.1 401 "), "{authorization}: {got}");
        assert!(!site.is_open(at), "{authorization}");
    }
    let right = "Authorization: Basic ZGVmYXVsdDpw\r\nExpect: 100-continue\r\n";
    let at = site.connect();
    assert_eq!(site.send(at, head(right)), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(site.send(at, "x".repeat(999)), "");
    assert!(site.send(at, "x").starts_with("HTTP/1.1 202 "));
}

/// What a connection holds counts for `maxmemory`.
#[test]
fn memory_is_counted_and_given_back() {
    let mut site = Site::new(&[]);
    let at = site.connect();
    let used = |site: &mut Site| -> u64 {
        let info = site.run(&["INFO", "memory"]);
        let text = info["reply"].as_str().expect("text").to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("used_memory:"));
        line.expect("a figure").parse().expect("a number")
    };
    let before = used(&mut site);
    site.send(at, "POST /queues/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n");
    site.send(at, "x".repeat(150_000));
    let held = used(&mut site);
    assert!(held > before + 150_000, "{before} -> {held}");
    site.send(at, "x".repeat(50_000));
    site.get("/queues/a");
    let after = used(&mut site);
    assert!(after < before + 10_000, "{before} -> {after}");
}

#[test]
fn commands_are_run_and_shown_as_json() {
    let mut site = Site::new(&[]);
    assert_eq!(site.run(&["RPUSH", "a", "x"])["reply"], 1);
    assert_eq!(site.run(&["LRANGE", "a", "0", "-1"])["reply"], serde_json::json!(["x"]));
    let error = site.run(&["GET", "a"]);
    assert_eq!(error["error"]["code"], "WRONGTYPE");
    let body = "[\"SET\",\"b\",{\"base64\":\"/w==\"},\"EX\",10]";
    let typed = post("/command", "Content-Type: application/json\r\n", body);
    assert_eq!(json(&site.ask(&typed).1)["reply"], "OK");
    assert_eq!(site.run(&["GET", "b"])["reply"]["base64"], "/w==");
    for words in
        [&["SUBSCRIBE", "a"][..], &["MULTI"], &["SELECT", "1"], &["CLIENT", "REPLY", "OFF"]]
    {
        assert!(site.run(words)["error"]["message"].as_str().expect("text").contains("connection"));
    }
    for body in ["", "{}", "[]", "[[]]", "[null]", "[\"GET\"", "[{\"base64\":\"!\"}]"] {
        let request = post("/command", "Content-Type: application/json\r\n", body);
        assert_eq!(site.ask(&request).0, 400, "{body}");
    }
    assert_eq!(site.post("/command", "[\"PING\"]").0, 400, "a form could be read as this");
}

#[test]
fn a_path_can_be_mapped_to_a_queue() {
    let mut site = Site::new(&[("http-push-paths", "/queue jobs /v1/orders orders")]);
    assert_eq!(site.post("/queue", "x"), (202, "{\"length\":1}\n".into()));
    assert_eq!(site.post("/v1/orders", "y").0, 202);
    assert_eq!(site.get("/queue").0, 405);
    assert_eq!(site.get("/queues/jobs"), (200, "x".into()));
}

#[test]
fn unknown_paths_methods_and_parameters_say_what_was_expected() {
    let mut site = Site::new(&[]);
    for path in ["/nothing", "/queue", "/queues/a/b", "/queues/a/inflight", "/1/2/3/4/5/6/7/8"] {
        assert_eq!(site.get(path).0, 404, "{path}");
    }
    for path in
        ["/queues/", "/queues/%zz", "/queues/a?x=1", "/queues/a?wait=x", "/queues/a?count=0"]
    {
        assert_eq!(site.get(path).0, 400, "{path}");
    }
    let delete = "DELETE /queues/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let at = site.connect();
    let got = site.send(at, delete);
    assert!(got.starts_with("HTTP/1.1 405 "));
    assert_eq!(header(&got, "Allow"), Some("GET, POST"));
    // The head of the page, without the page.
    let got = site.send(at, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(got.starts_with("HTTP/1.1 200 ") && got.ends_with("\r\n\r\n"), "{got}");
    assert!(site.send(at, "HEAD /queues/a HTTP/1.1\r\nHost: localhost\r\n\r\n").contains(" 405 "));
}
