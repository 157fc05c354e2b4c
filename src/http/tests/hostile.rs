//! Peers that mean no good, and several users behind one connection.

use super::{Site, header, json, post};
use crate::clients::Peer;
use crate::commands::command_names;

const ALICE: &str = "Authorization: Basic YWxpY2U6YQ==\r\n"; // alice:a
const ALICE_B: &str = "Authorization: Basic YWxpY2U6Yg==\r\n"; // alice:b
const BOB: &str = "Authorization: Basic Ym9iOmI=\r\n"; // bob:b
const JSON: &str = "Content-Type: application/json\r\n";

fn site() -> Site {
    Site::new(&[
        ("user", "default on >p ~* &* +@all"),
        ("user", "alice on >a ~* &* +@all"),
        ("user", "bob on >b ~* &* +@all"),
    ])
}

fn stranger(site: &mut Site) -> usize {
    let addr = ([127, 0, 0, 1], 1).into();
    site.connect_from(Peer::Tcp { addr, laddr: addr, fd: 7 })
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

fn command(headers: &str, words: &[&str]) -> String {
    post("/command", &format!("{JSON}{headers}"), &serde_json::to_string(words).expect("JSON"))
}

fn body(got: &str) -> &str {
    got.split_once("\r\n\r\n").unwrap_or_else(|| panic!("a response, not {got:?}")).1
}

fn statuses(got: &str) -> Vec<&str> {
    got.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).map(|line| &line[..3]).collect()
}

/// Who somebody is was found out with the first request of a connection, and may be wrong by now.
#[test]
fn an_old_password_is_refused_on_an_old_connection() {
    let mut site = site();
    let (old, admin) = (site.connect(), site.connect());
    assert_eq!(statuses(&site.send(old, get("/queues/q", ALICE))), ["204"]);
    let change = command(BOB, &["ACL", "SETUSER", "alice", "resetpass", ">b"]);
    assert_eq!(statuses(&site.send(admin, change)), ["200"]);
    assert_eq!(statuses(&site.send(old, get("/queues/q", ALICE))), ["401"]);
    assert_eq!(statuses(&site.send(old, get("/queues/q", ALICE_B))), ["204"]);
    site.send(admin, command(BOB, &["ACL", "SETUSER", "alice", "off"]));
    assert_eq!(statuses(&site.send(old, get("/queues/q", ALICE_B))), ["401"]);

    // Nobody needed a password, and now everybody does.
    let mut site = Site::new(&[]);
    let old = site.connect();
    assert_eq!(statuses(&site.send(old, get("/queues/q", ""))), ["204"]);
    site.run(&["CONFIG", "SET", "requirepass", "p"]);
    assert_eq!(statuses(&site.send(old, get("/queues/q", ""))), ["401"]);
}

#[test]
fn a_certificate_is_the_user_of_requests_without_another() {
    let mut site = Site::new(&[
        ("tls-auth-clients-user", "CN"),
        ("user", "default on >p ~* &* +@all"),
        ("user", "alice on >a ~* &* +@all"),
        ("user", "bob on >b ~* &* +@all"),
    ]);
    let at = stranger(&mut site);
    let client = site.connections[at].as_ref().expect("open").client();
    site.broker.set_certificate_name(client, Some("bob".into()), site.now);
    let who = |site: &mut Site, headers: &str| {
        let got = site.send(at, command(headers, &["ACL", "WHOAMI"]));
        json(body(&got))["reply"].as_str().map(str::to_owned)
    };
    assert_eq!(who(&mut site, "").as_deref(), Some("bob"));
    assert_eq!(who(&mut site, ALICE).as_deref(), Some("alice"));
    assert_eq!(who(&mut site, "").as_deref(), Some("bob"));
    assert_eq!(statuses(&site.send(at, get("/queues/q", ALICE_B))), ["401"]);
    assert_eq!(who(&mut site, "").as_deref(), Some("bob"));
}

/// Redis' limits on requests of strangers do not turn a 401 into something else, and a stranger's body is not
/// kept.
#[test]
fn a_stranger_is_refused_before_its_body() {
    let large = "x".repeat(20_000);
    let lines = "x\n".repeat(20);
    let ndjson = "Content-Type: application/x-ndjson\r\n";
    let wrong = ALICE_B;
    for (headers, body) in [("", &large), (ndjson, &lines), (wrong, &large), (wrong, &lines)] {
        let mut site = site();
        let at = stranger(&mut site);
        let got = site.send(at, post("/queues/q", headers, body));
        assert_eq!(statuses(&got), ["401"], "{headers}");
        assert!(!site.is_open(at), "as if its body had not arrived yet");
        let at = stranger(&mut site);
        assert_eq!(statuses(&site.send(at, get("/queues/q", wrong))), ["401"]);
        assert_eq!(statuses(&site.send(at, post("/queues/q", ALICE, &large))), ["202"]);
    }
    let begin = |headers: &str| {
        format!(
            "POST /queues/q HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n{headers}Expect: 100-continue\r\n\r\n"
        )
    };
    for headers in ["", wrong, "Authorization: Bearer x\r\n"] {
        for more in ["", "xxx"] {
            let mut site = site();
            let at = stranger(&mut site);
            let got = site.send(at, begin(headers) + more);
            assert_eq!(statuses(&got), ["401"], "{headers}");
            assert!(!site.is_open(at), "{headers}");
        }
    }
    let mut site = site();
    let at = stranger(&mut site);
    assert_eq!(site.send(at, begin(ALICE)), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(statuses(&site.send(at, &large)), ["202"]);
    // The next user of the connection is known as well.
    assert_eq!(site.send(at, begin(ALICE)), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(statuses(&site.send(at, &large)), ["202"]);
}

#[test]
fn a_displaced_stranger_is_told_why() {
    let mut site = site();
    let at = stranger(&mut site);
    assert_eq!(statuses(&site.send(at, get("/queues/q", ""))), ["401"]);
    site.broker.displace_stranger().expect("there is one");
    let got = site.turns(at);
    assert_eq!(statuses(&got), ["503"]);
    assert!(got.contains("max number of unauthenticated clients reached"), "{got}");
    assert!(!site.is_open(at));
}

#[test]
fn a_command_leaves_nothing_on_the_connection() {
    let mut site =
        Site::new(&[("queue-policy", "p q* delivery at-least-once acknowledge next-pop")]);
    site.post("/queues/q", "one");
    site.post("/queues/plain", "one");
    site.post("/queues/plain", "two");
    for words in [
        &["BLPOP", "plain", "0"][..],
        &["brpop", "plain", "1"],
        &["BLMOVE", "plain", "r", "LEFT", "LEFT", "0"],
        &["BRPOPLPUSH", "plain", "r", "0"],
        &["BLMPOP", "0", "1", "plain", "LEFT"],
        &["WAIT", "1", "0"],
        &["QUEUE", "POP", "1", "q", "LEASE", "10", "block", "0"],
        &["QUEUE", "POP", "1", "q", "BLOCK", "0"],
        &["QUEUE", "POP", "1", "q"],
        &["QUEUE", "POP", "2", "lease", "q"],
        &["LPOP", "q"],
        &["RPOP", "q", "2"],
        &["LMPOP", "2", "plain", "q", "LEFT"],
    ] {
        let reply = site.run(words);
        assert_eq!(reply["error"]["code"], "ERR", "{words:?}: {reply}");
        let text = reply["error"]["message"].as_str().expect("text");
        assert!(text.contains("GET /queues/NAME"), "{words:?}: {text}");
    }
    assert_eq!(site.run(&["LPOP", "plain"])["reply"], "one");
    assert_eq!(site.run(&["LMPOP", "1", "plain", "LEFT"])["reply"][1][0], "two");
    let reply = site.run(&["QUEUE", "POP", "1", "q", "LEASE", "10"]);
    assert_eq!(reply["reply"][1][0][1], "one", "{reply}");
    // What is wrong anyway says so itself.
    let wrong = site.run(&["QUEUE", "POP", "block", "q"]);
    assert!(wrong["error"]["message"].as_str().expect("text").contains("numkeys"), "{wrong}");
    assert!(site.run(&["LPOP"])["error"]["message"].is_string());
}

/// A pop that became one of a plain queue too early has no receipt: the message belongs to the connection
/// until another user has it.
#[test]
fn nothing_of_one_user_is_left_for_the_next() {
    let mut site = site();
    let at = site.connect();
    let policy = [
        "QUEUE",
        "POLICY",
        "SET",
        "p",
        "q",
        "delivery",
        "at-least-once",
        "acknowledge",
        "next-pop",
    ];
    site.send(at, post("/queues/q", ALICE, "x"));
    let got = site.send(at, command(ALICE, &policy) + &get("/queues/q", ALICE));
    assert_eq!(statuses(&got), ["200", "200"], "{got}");
    assert_eq!(statuses(&site.send(at, get("/queues/none", BOB))), ["204"]);
    let got = site.send(at, get("/queues/q", ALICE));
    assert_eq!(header(&got, "Tidegate-Deliveries"), Some("2"), "{got}");
}

/// The time of a request begins when the one before it has its response: until then it is not read.
#[test]
fn a_request_behind_a_long_poll_is_not_late() {
    let mut site = Site::new(&[("http-request-timeout", "5")]);
    let at = site.connect();
    let second = post("/queues/b", "", "second");
    let (begin, end) = second.split_at(second.len() - 3);
    assert_eq!(site.send(at, get("/queues/a?wait=60", "") + begin), "");
    site.pass_us(30_000_000);
    assert_eq!(site.turns(at), "");
    site.post("/queues/a", "first");
    assert_eq!(statuses(&site.turns(at)), ["200"]);
    site.pass_us(4_000_000);
    assert_eq!(statuses(&site.send(at, end)), ["202"]);
    site.send(at, begin);
    site.pass_us(5_000_000);
    assert_eq!(statuses(&site.turns(at)), ["408"]);
}

#[test]
fn a_connection_of_http_1_0_is_kept_if_both_say_so() {
    let mut site = Site::new(&[]);
    let at = site.connect();
    let request = "GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
    let got = site.send(at, request);
    assert_eq!(header(&got, "Connection"), Some("keep-alive"));
    assert!(site.is_open(at));
    let got = site.send(at, "GET /healthz HTTP/1.0\r\n\r\n");
    assert_eq!(header(&got, "Connection"), Some("close"));
    assert!(!site.is_open(at));
}

/// However its body arrives.
#[test]
fn a_response_to_head_has_no_body() {
    let request = "HEAD / HTTP/1.1\r\nHost: evil\r\nContent-Length: 3\r\n\r\nabc";
    let large = request.replace("h: 3", "h: 99999999").replace("evil", "localhost");
    for pieces in [&[request][..], &[&request[..request.len() - 1]], &[&large]] {
        let mut site = Site::new(&[]);
        let at = site.connect();
        let got: String = pieces.iter().map(|piece| site.send(at, piece)).collect();
        assert!(["421", "413"].contains(&statuses(&got)[0]) && body(&got).is_empty(), "{got}");
    }
}

/// Whatever names are, they stay within JSON and within the data of an event.
#[test]
fn names_cannot_break_out_of_a_response() {
    let mut site = Site::new(&[("http-allowed-origins", "*")]);
    let evil = "a%0D%0AX-Evil%3A%201%0D%0A%0D%0A%22%5Cdata";
    let at = site.connect();
    let clean = |got: &str| {
        let lines = got.lines().filter(|line| line.to_lowercase().starts_with("x-evil")).count();
        assert_eq!(lines, 0, "{got}");
    };
    let origin = "Origin: https://a\tb\"><script>\r\n";
    for request in [
        post(&format!("/queues/{evil}"), "", "x"),
        get(&format!("/queues/{evil}/info"), ""),
        post(&format!("/queues/{evil}?delay=1&id={evil}"), "", "x"),
        format!(
            "DELETE /queues/q/inflight/{evil} HTTP/1.1\r\nHost: a:1\r\nContent-Length: 0\r\n\r\n"
        )
        .replace("a:1", "127.0.0.1"),
        get(&format!("/queues/q?{evil}=1"), origin),
        command("", &["LLEN", "a\r\nX-Evil: 1\r\n", "x"]),
    ] {
        let got = site.send(at, &request);
        assert_eq!(statuses(&got).len(), 1, "{got}");
        clean(&got);
    }
    let stream = site.connect();
    site.send(stream, get(&format!("/channels/{evil}"), ""));
    let pattern = site.connect();
    site.send(pattern, get("/channels/*?pattern=1", ""));
    site.post(&format!("/channels/{evil}"), "x\r\rX-Evil: 1\n\nevent: evil\nid: 1\r\n\r\nretry: 1");
    for at in [stream, pattern] {
        let got = site.turns(at);
        clean(&got);
        let fields = got.lines().filter(|line| !line.is_empty() && !line.starts_with("data: "));
        assert_eq!(fields.count(), 0, "{got:?}");
        assert!(!got.trim_end().contains("\n\n"), "one event: {got:?}");
    }
}

/// Whoever has the connection next must find it as it was. A new command that changes it needs the flag.
#[test]
fn no_command_changes_its_connection() {
    let mut site = Site::new(&[("enable-debug-command", "yes")]);
    let at = site.connect();
    let state = |site: &mut Site| {
        let got = site.send(at, command("", &["CLIENT", "INFO"]));
        let shown =
            json(body(&got))["reply"].as_str().unwrap_or_else(|| panic!("{got}")).to_owned();
        let kept =
            ["name", "flags", "db", "sub", "psub", "ssub", "multi", "user", "resp", "lib-name"];
        let is_kept = |field: &&str| kept.iter().any(|name| field.starts_with(&format!("{name}=")));
        shown.split(' ').filter(is_kept).collect::<Vec<_>>().join(" ")
    };
    let before = state(&mut site);
    assert!(before.contains("db=0") && before.contains("multi=-1"), "{before}");
    let arguments: [&[&str]; 6] =
        [&[], &["on"], &["1"], &["a", "1"], &["1", "a", "left"], &["a", "b", "1", "d"]];
    // These end or pause connections.
    let left_out = ["SHUTDOWN", "CLIENT KILL", "CLIENT PAUSE"];
    for name in command_names().filter(|name| !left_out.contains(&name.as_str())) {
        for more in arguments {
            let words: Vec<&str> = name.split(' ').chain(more.iter().copied()).collect();
            let got = site.send(at, command("", &words));
            assert_eq!(statuses(&got).len(), 1, "{words:?}: {got}");
            assert_eq!(state(&mut site), before, "{words:?}");
        }
    }
}
