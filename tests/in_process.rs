//! In-process clients: their calls, their waits, and their ends.

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tidegate::resp::Reply;
use tidegate::settings::Settings;
use tidegate::{Calls, Client, ClientError, Message, ReceiptCalls, RunningServer, Server};

/// Time limit for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn serve(lines: &str) -> RunningServer {
    let settings = Settings::from_text(lines, "the test's settings").expect("valid settings");
    Server::in_process(settings).and_then(Server::spawn).expect("a server")
}

fn connect(server: &RunningServer) -> Client {
    server.connect().expect("the server is there")
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.into())
}

/// Waits until this many clients are blocked on keys.
fn wait_for_blocked(client: &mut Client, count: usize) {
    let expected = format!("blocked_clients:{count}\r\n");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let info = client.call(&["INFO", "clients"]).expect("INFO");
        if String::from_utf8_lossy(info.bytes().expect("a text")).contains(&expected) {
            return;
        }
        assert!(Instant::now() < deadline, "nobody waits");
        thread::yield_now();
    }
}

#[test]
fn calls_have_types() {
    let server = serve("");
    let mut client = connect(&server);
    assert_eq!(client.push("q", "a").expect("a push"), 1);
    assert_eq!(client.push("q", [0, 255]).expect("a push"), 2);
    assert_eq!(client.pop("q").expect("a pop"), Some(b"a".to_vec()));
    assert_eq!(client.pop("q").expect("a pop"), Some(vec![0, 255]));
    assert_eq!(client.pop("q").expect("a pop"), None);
    assert_eq!(client.publish("c", "nobody").expect("PUBLISH"), 0);
    let config = client.call(&["CONFIG", "GET", "maxclients"]).expect("CONFIG GET");
    assert_eq!(config, Reply::Map(vec![(bulk("maxclients"), bulk("10000"))]));
    let refused = client.call(&["NONSENSE"]).expect_err("no such command");
    assert!(refused.to_string().starts_with("ERR unknown command"), "{refused}");
    let no_words: &[&str] = &[];
    assert!(matches!(client.call(no_words), Err(ClientError::NoCommand)));
    let list = client.call(&["CLIENT", "LIST"]).expect("CLIENT LIST");
    let list = String::from_utf8_lossy(list.bytes().expect("a text")).into_owned();
    assert!(list.contains("addr=in-process:0") && list.contains("resp=3"), "{list}");
    // More than a socket holds.
    let long = vec![b'm'; 5_000_000];
    client.push("q", &long).expect("a push");
    assert_eq!(client.pop("q").expect("a pop"), Some(long));
    server.stop().expect("it stops");
}

#[test]
fn a_pop_that_waits_is_served_by_another_client() {
    let server = serve("");
    let (mut producer, mut worker) = (connect(&server), connect(&server));
    let worker = thread::spawn(move || {
        let popped = worker.pop_wait("q", None).expect("a pop");
        let nothing = worker.pop_wait("q", Some(Duration::from_millis(20))).expect("a pop");
        (popped, nothing, worker.pop_wait("q", Some(Duration::ZERO)).expect("a pop"))
    });
    wait_for_blocked(&mut producer, 1);
    assert_eq!(producer.push("q", "a").expect("a push"), 1);
    assert_eq!(worker.join().expect("no panic"), (Some(b"a".to_vec()), None, None));
}

#[test]
fn a_receipt_acknowledges_on_any_connection() {
    let server = serve("queue-policy p q delivery at-least-once acknowledge explicit");
    let (mut worker, mut other) = (connect(&server), connect(&server));
    let lease = Some(Duration::from_secs(60));
    assert_eq!(worker.pop_with_receipt("q", None).expect("a pop"), None);
    other.push("q", "a").expect("a push");
    let first = worker.pop_with_receipt("q", lease).expect("a pop").expect("a message");
    assert_eq!((&first.message[..], first.deliveries), (&b"a"[..], 1));
    assert!(other.touch("q", first.receipt, lease).expect("a touch"));
    assert!(other.return_message("q", first.receipt).expect("a return"));
    let again = worker.pop_wait_with_receipt("q", Some(PATIENCE), None).expect("a pop");
    let again = again.expect("a message");
    assert_eq!((&again.message[..], again.deliveries), (&b"a"[..], 2));
    assert!(again.receipt > first.receipt);
    assert!(!other.touch("q", first.receipt, None).expect("a touch"));
    assert!(!other.acknowledge("q", first.receipt).expect("an acknowledgement"));
    assert!(other.acknowledge("q", again.receipt).expect("an acknowledgement"));
    let none = worker.pop_wait_with_receipt("q", Some(Duration::from_millis(20)), lease);
    assert_eq!(none.expect("a pop"), None);
    let refused = worker.pop_with_receipt("other", None).expect_err("it has no policy");
    assert!(matches!(refused, ClientError::Refused(_)));
}

#[test]
fn transactions_are_calls() {
    let server = serve("");
    let mut client = connect(&server);
    let ok = Reply::Simple(b"OK".to_vec());
    let queued = Reply::Simple(b"QUEUED".to_vec());
    assert_eq!(client.call(&["MULTI"]).expect("MULTI"), ok);
    assert_eq!(client.call(&["RPUSH", "q", "a", "b"]).expect("a push"), queued);
    let typed = client.pop("q").expect_err("no message yet");
    assert!(matches!(typed, ClientError::Unexpected(reply) if reply == queued));
    let results = client.call(&["EXEC"]).expect("EXEC");
    assert_eq!(results, Reply::Array(vec![Reply::Integer(2), bulk("a")]));
}

#[test]
fn subscribers_get_messages() {
    let server = serve("");
    let mut producer = connect(&server);
    let mut all = connect(&server).subscribe(&["a", "b"]).expect("SUBSCRIBE");
    let mut matching = connect(&server).subscribe_patterns(&["b*"]).expect("PSUBSCRIBE");
    assert_eq!(producer.publish("a", "1").expect("PUBLISH"), 1);
    assert_eq!(producer.publish("b", "2").expect("PUBLISH"), 2);
    let message = |channel: &str, pattern: Option<&str>, payload: &str| Message {
        channel: channel.into(),
        pattern: pattern.map(Into::into),
        payload: payload.into(),
    };
    for expected in [message("a", None, "1"), message("b", None, "2")] {
        assert_eq!(all.next_message(Some(PATIENCE)).expect("a message"), Some(expected));
    }
    let expected = message("b", Some("b*"), "2");
    assert_eq!(matching.next_message(None).expect("a message"), Some(expected));
    assert_eq!(matching.next_message(Some(Duration::ZERO)).expect("it is there"), None);
    let none: &[&str] = &[];
    let refused = connect(&server).subscribe(none).expect_err("no channel");
    assert!(refused.to_string().contains("wrong number of arguments"), "{refused}");
    drop(all);
    server.stop().expect("it stops");
    assert!(matches!(matching.next_message(None), Err(ClientError::Closed)));
}

/// Dropping a client closes its connection.
#[test]
fn messages_in_flight_of_a_dropped_client_return() {
    let policy = r#"queue-policy safe "q" delivery at-least-once acknowledge next-pop"#;
    let server = serve(policy);
    let (mut first, mut second) = (connect(&server), connect(&server));
    for message in ["a", "b"] {
        first.push("q", message).expect("a push");
    }
    assert_eq!(first.pop("q").expect("a pop"), Some(b"a".to_vec()));
    assert_eq!(second.pop("q").expect("a pop"), Some(b"b".to_vec()));
    drop(first);
    // The next pop acknowledges the previous message.
    assert_eq!(second.pop_wait("q", Some(PATIENCE)).expect("a pop"), Some(b"a".to_vec()));
    assert_eq!(second.pop("q").expect("a pop"), None);
}

#[test]
fn a_stopping_server_ends_waits() {
    let server = serve("");
    let (mut observer, mut worker) = (connect(&server), connect(&server));
    let connector = server.connector();
    let (tell, told) = mpsc::channel();
    let waiting = thread::spawn(move || {
        tell.send(worker.pop_wait("q", None)).expect("the test waits");
        worker.push("q", "a").expect_err("there is no server")
    });
    wait_for_blocked(&mut observer, 1);
    server.stop().expect("it stops");
    let result = told.recv_timeout(PATIENCE).expect("it does not hang");
    assert!(matches!(result, Err(ClientError::Closed)), "{result:?}");
    assert!(matches!(waiting.join().expect("no panic"), ClientError::Closed));
    assert!(matches!(connector.connect(), Err(ClientError::Closed)));
    // Likewise for a server that never ran.
    let server = Server::in_process(Settings::default()).expect("a server");
    let mut client = server.connector().connect().expect("it may run yet");
    drop(server);
    assert!(matches!(client.pop("q"), Err(ClientError::Closed)));
}

#[test]
fn limits_hold() {
    let server = serve(
        "maxclients 3\nrequirepass secret\nclient-query-buffer-limit 1mb\n\
         client-output-buffer-limit pubsub 10kb 0 0",
    );
    let mut client = connect(&server);
    let refused = client.push("q", "a").expect_err("no password");
    assert_eq!(refused.to_string(), "NOAUTH Authentication required.");
    client.call(&["AUTH", "secret"]).expect("AUTH");
    client.push("q", "a").expect("a push");

    let mut other = connect(&server);
    other.call(&["AUTH", "secret"]).expect("AUTH");
    let mut third = connect(&server);
    third.call(&["AUTH", "secret"]).expect("AUTH");
    let refused = connect(&server).pop("q").expect_err("one too many");
    assert_eq!(refused.to_string(), "ERR max number of clients reached");

    let closed = other.push("q", vec![b'm'; 2_000_000]).expect_err("too long");
    assert!(matches!(closed, ClientError::Closed), "{closed}");

    let mut slow = third.subscribe(&["c"]).expect("SUBSCRIBE");
    let message = vec![b'm'; 20_000];
    while client.publish("c", &message).expect("PUBLISH") > 0 {}
    let end =
        std::iter::from_fn(|| slow.next_message(Some(PATIENCE)).transpose()).find_map(Result::err);
    assert!(matches!(end, Some(ClientError::Closed)), "{end:?}");
}

/// No client is refused because append files are still being loaded.
#[test]
fn clients_wait_until_append_files_are_loaded() {
    let path = std::env::temp_dir().join(format!("tidegate-in-process-{}", std::process::id()));
    fs::create_dir(&path).expect("a directory");
    let lines = format!("appendonly yes\ndir {}", path.display());
    let server = serve(&lines);
    let mut client = connect(&server);
    for _ in 0..100 {
        client.push("q", vec![b'm'; 100_000]).expect("a push");
    }
    server.stop().expect("it stops");
    let server = serve(&lines);
    let count = connect(&server).call(&["LLEN", "q"]).expect("it is loaded");
    assert_eq!(count, Reply::Integer(100));
    server.stop().expect("it stops");
    fs::remove_dir_all(&path).expect("an end");
}
