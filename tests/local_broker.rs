//! A broker without a server, and its clients: no thread and no clock.

use std::sync::Arc;
use std::time::Duration;
use tidegate::clock::Now;
use tidegate::journal::memory::{Fault, MemoryDirectory};
use tidegate::resp::Reply;
use tidegate::settings::Settings;
use tidegate::{Broker, Calls, ClientError, LocalBroker, NoHost};

const START: Now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
const AT_LEAST_ONCE: &str = r#"queue-policy safe "q" delivery at-least-once acknowledge next-pop"#;

fn settings(lines: &str) -> Settings {
    Settings::from_text(lines, "the test's settings").expect("valid settings")
}

fn local(lines: &str) -> LocalBroker {
    LocalBroker::new(Broker::new(settings(lines), 1, Box::new(NoHost), START))
}

fn open(directory: &MemoryDirectory, lines: &str) -> LocalBroker {
    let lines = format!("appendonly yes\n{lines}");
    let directory = Arc::new(directory.clone());
    LocalBroker::open(settings(&lines), 1, directory, START).expect("files that load")
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.into())
}

#[test]
fn a_wait_ends_by_a_push_or_by_its_deadline() {
    let mut local = local("");
    let worker = local.connect(START).expect("a client");
    let producer = local.connect(START).expect("a client");
    let waits = local.client(worker, START).call(&["BLPOP", "q", "2.5"]);
    assert!(matches!(waits, Err(ClientError::Unanswered)));
    assert_eq!(local.next_deadline(START), Some(Duration::from_millis(2500)));
    assert_eq!(local.client(producer, START).push("q", "a").expect("a push"), 1);
    let popped = local.receive(worker).expect("it is open");
    assert_eq!(popped, Some(Reply::Array(vec![bulk("q"), bulk("a")])));

    local.send(worker, &["BLPOP", "q", "2.5"], START).expect("it is open");
    local.turn(START).expect("a turn");
    assert_eq!(local.receive(worker).expect("it is open"), None);
    local.turn(START.plus_us(2_500_000)).expect("a turn");
    assert_eq!(local.receive(worker).expect("it is open"), Some(Reply::Null));
    local.broker().check_invariants();
}

#[test]
fn calls_of_many_parts_and_long_replies_end_at_once() {
    let mut local = local("turn-output-bytes-max 1kb");
    let id = local.connect(START).expect("a client");
    let mut client = local.client(id, START);
    let long = vec![b'm'; 300_000];
    for _ in 0..3 {
        client.push("q", &long).expect("a push");
    }
    let all = client.call(&["LRANGE", "q", "0", "-1"]).expect("all messages");
    assert_eq!(all, Reply::Array(vec![Reply::Bulk(long); 3]));
    client.call(&["MULTI"]).expect("MULTI");
    client.call(&["LLEN", "q"]).expect("it is queued");
    client.call(&["NONSENSE"]).expect_err("no such command");
    let aborted = client.call(&["EXEC"]).expect_err("it was not queued");
    assert!(aborted.to_string().starts_with("EXECABORT"), "{aborted}");
}

#[test]
fn messages_come_without_a_request() {
    let mut local = local("client-output-buffer-limit pubsub 10kb 0 0");
    let subscriber = local.connect(START).expect("a client");
    let producer = local.connect(START).expect("a client");
    local.client(subscriber, START).call(&["SUBSCRIBE", "c"]).expect("a confirmation");
    assert_eq!(local.client(producer, START).publish("c", "1").expect("PUBLISH"), 1);
    let message = Reply::Push(vec![bulk("message"), bulk("c"), bulk("1")]);
    assert_eq!(local.receive(subscriber).expect("it is open"), Some(message));
    assert_eq!(local.receive(subscriber).expect("it is open"), None);

    // A client that does not fetch them is closed by the limit.
    let message = [b'm'; 1000];
    let told = std::iter::from_fn(|| local.client(producer, START).publish("c", message).ok());
    assert_eq!(told.take_while(|&count| count > 0).count(), 10);
    assert!(matches!(local.receive(subscriber), Err(ClientError::Closed)));
    assert!(matches!(local.send(subscriber, &["PING"], START), Err(ClientError::Closed)));
    local.disconnect(subscriber, START);
    local.broker().check_invariants();
}

#[test]
fn the_last_reply_is_read_after_the_end() {
    let mut local = local("maxclients 1");
    let id = local.connect(START).expect("a client");
    let refused = local.connect(START).expect_err("one too many");
    assert_eq!(refused.to_string(), "ERR max number of clients reached");
    let ok = local.client(id, START).call(&["QUIT"]).expect("QUIT");
    assert_eq!(ok, Reply::Simple(b"OK".to_vec()));
    assert!(matches!(local.receive(id), Err(ClientError::Closed)));
    // The slot is freed when the client is dropped, and its old id finds no client.
    local.disconnect(id, START);
    let next = local.connect(START).expect("room");
    assert!(matches!(local.client(id, START).pop("q"), Err(ClientError::Closed)));
    assert_eq!(local.client(next, START).pop("q").expect("a pop"), None);
}

#[test]
fn idle_clients_are_closed() {
    let mut local = local("timeout 10");
    let idle = local.connect(START).expect("a client");
    let busy = local.connect(START).expect("a client");
    let mut now = START;
    for _ in 0..11 {
        assert!(local.next_deadline(now).is_some_and(|wait| wait <= Duration::from_secs(1)));
        now = now.plus_us(1_000_000);
        local.client(busy, now).call(&["PING"]).expect("PONG");
    }
    assert!(matches!(local.receive(idle), Err(ClientError::Closed)));
    local.disconnect(idle, now);
    local.disconnect(busy, now);
    assert_eq!(local.next_deadline(now), None);
}

#[test]
fn messages_in_flight_return_when_the_client_ends() {
    let mut local = local(AT_LEAST_ONCE);
    let first = local.connect(START).expect("a client");
    let second = local.connect(START).expect("a client");
    local.client(first, START).push("q", "a").expect("a push");
    assert_eq!(local.client(first, START).pop("q").expect("a pop"), Some(b"a".to_vec()));
    assert_eq!(local.client(second, START).pop("q").expect("a pop"), None);
    local.disconnect(first, START);
    assert_eq!(local.client(second, START).pop("q").expect("a pop"), Some(b"a".to_vec()));
}

/// With `always`, confirmed changes are there after a crash; with the others, after an orderly end.
#[test]
fn confirmed_changes_are_in_the_append_files() {
    let directory = MemoryDirectory::new();
    let lines = format!("appendfsync always\n{AT_LEAST_ONCE}");
    let mut local = open(&directory, &lines);
    let id = local.connect(START).expect("a client");
    for message in ["a", "b", "c"] {
        local.client(id, START).push("q", message).expect("a push");
    }
    assert_eq!(local.client(id, START).pop("q").expect("a pop"), Some(b"a".to_vec()));
    assert_eq!(local.client(id, START).pop("q").expect("a pop"), Some(b"b".to_vec()));
    let crashed = directory.crash(5);
    drop(local);

    let mut local = open(&crashed, &lines);
    let id = local.connect(START).expect("a client");
    // The second pop acknowledged the first message, and the second was not acknowledged.
    let mut client = local.client(id, START);
    let left = client.call(&["LRANGE", "q", "0", "-1"]).expect("all messages");
    assert_eq!(left, Reply::Array(vec![bulk("b"), bulk("c")]));
    client.call(&["BGREWRITEAOF"]).expect("a rewrite begins");
    while let Some(wait) = local.next_deadline(START).filter(Duration::is_zero) {
        local.turn(START.plus_us(wait.as_micros() as u64)).expect("a turn");
    }
    assert!(!local.broker().persistence().is_rewriting);
    local.close().expect("the end is written");

    let mut local = open(&crashed.after_kill(), "appendfsync no");
    let id = local.connect(START).expect("a client");
    assert_eq!(local.client(id, START).pop("q").expect("a pop"), Some(b"b".to_vec()));
    local.close().expect("the end is written");
}

/// A reply is not visible before the turn that makes its change durable.
#[test]
fn a_promise_that_cannot_be_kept_is_an_error() {
    let directory = MemoryDirectory::new();
    let mut local = open(&directory, "appendfsync always");
    let id = local.connect(START).expect("a client");
    local.send(id, &["RPUSH", "q", "a"], START).expect("it is open");
    assert_eq!(local.receive(id).expect("it is open"), None);
    let operations = directory.operations();
    directory.inject(operations..operations + 100, Fault::SyncError);
    let error = local.turn(START).expect_err("the sync fails");
    assert!(error.to_string().contains("nothing more can be promised"), "{error}");
}
