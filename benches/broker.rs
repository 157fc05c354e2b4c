//! The cost of parsing, storing and replying without sockets: the whole broker, fed with pipelines.
//! `cargo bench --bench broker`. Each bench checks its result before it times.

use divan::Bencher;
use divan::counter::ItemsCount;
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, NoHost, Peer};

/// Requests in one pipeline.
const PIPELINE: usize = 100;

fn main() {
    divan::main();
}

fn broker() -> (Broker, ClientId, Now) {
    let now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1 };
    let mut broker = Broker::new(Settings::default(), 1, Box::new(NoHost), now);
    let client = broker.connect(0, Peer::in_process(), now);
    (broker, client, now)
}

/// A request as clients send it.
fn encode(args: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        request.extend(format!("${}\r\n", arg.len()).bytes());
        request.extend_from_slice(arg);
        request.extend_from_slice(b"\r\n");
    }
    request
}

/// One turn: the pipeline goes in, the replies come out; returns their number of bytes.
fn turn(broker: &mut Broker, client: ClientId, pipeline: &[u8], now: Now) -> usize {
    broker.receive(client, pipeline, now);
    broker.settle(now);
    let mut owed = 0;
    while let Some(id) = broker.next_dirty(now) {
        if let Some(output) = broker.outbox(id) {
            let bytes = output.len();
            output.advance(bytes);
            owed += bytes;
            broker.flushed(id, bytes, now);
        }
    }
    owed
}

#[divan::bench(args = [64, 1024])]
fn push_then_pop(bencher: Bencher, size: usize) {
    let (mut broker, client, now) = broker();
    let message = vec![b'm'; size];
    let pushes = encode(&[b"RPUSH", b"q", &message]).repeat(PIPELINE);
    let pops = encode(&[b"LPOP", b"q"]).repeat(PIPELINE);
    turn(&mut broker, client, &pushes, now);
    let reply = format!("${size}\r\n").len() + size + 2;
    assert_eq!(turn(&mut broker, client, &pops, now), PIPELINE * reply);
    bencher.counter(ItemsCount::new(2 * PIPELINE)).bench_local(|| {
        turn(&mut broker, client, &pushes, now) + turn(&mut broker, client, &pops, now)
    });
}

#[divan::bench(args = [0, 1, 100])]
fn publish(bencher: Bencher, subscribers: usize) {
    let (mut broker, client, now) = broker();
    for slot in 1..=subscribers {
        let subscriber = broker.connect(slot, Peer::in_process(), now);
        turn(&mut broker, subscriber, &encode(&[b"SUBSCRIBE", b"c"]), now);
    }
    let publish = encode(&[b"PUBLISH", b"c", &[b'm'; 64]]).repeat(PIPELINE);
    let reply = format!(":{subscribers}\r\n").len();
    let message = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$64\r\n".len() + 64 + 2;
    let expected = PIPELINE * (reply + subscribers * message);
    assert_eq!(turn(&mut broker, client, &publish, now), expected);
    bencher
        .counter(ItemsCount::new(PIPELINE * subscribers.max(1)))
        .bench_local(|| turn(&mut broker, client, &publish, now));
}

/// As `publish`, with a policy for the channel and subscribers that read.
#[divan::bench(args = [1, 100])]
fn publish_under_a_policy(bencher: Bencher, subscribers: usize) {
    let (mut broker, client, now) = broker();
    set_policy(&mut broker, client, b"p c high-water-mark 1000", now);
    for slot in 1..=subscribers {
        let subscriber = broker.connect(slot, Peer::in_process(), now);
        turn(&mut broker, subscriber, &encode(&[b"SUBSCRIBE", b"c"]), now);
    }
    let publish = encode(&[b"PUBLISH", b"c", &[b'm'; 64]]).repeat(PIPELINE);
    let reply = format!(":{subscribers}\r\n").len();
    let message = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$64\r\n".len() + 64 + 2;
    let expected = PIPELINE * (reply + subscribers * message);
    assert_eq!(turn(&mut broker, client, &publish, now), expected);
    bencher
        .counter(ItemsCount::new(PIPELINE * subscribers))
        .bench_local(|| turn(&mut broker, client, &publish, now));
}

/// A subscriber that does not read: each message replaces another.
#[divan::bench(args = [1, 1_000, 100_000])]
fn publish_to_a_slow_subscriber(bencher: Bencher, high_water_mark: usize) {
    let (mut broker, client, now) = broker();
    let policy = format!("p c high-water-mark {high_water_mark} slow-subscriber drop-oldest");
    set_policy(&mut broker, client, policy.as_bytes(), now);
    let slow = broker.connect(1, Peer::in_process(), now);
    turn(&mut broker, slow, &encode(&[b"SUBSCRIBE", b"c"]), now);
    let publish = encode(&[b"PUBLISH", b"c", &[b'm'; 64]]).repeat(PIPELINE);
    for _ in 0..=high_water_mark / PIPELINE {
        broker.receive(client, &publish, now);
    }
    let message = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$64\r\n".len() + 64 + 2;
    assert_eq!(broker.outbox(slow).map(|output| output.len()), Some(high_water_mark * message));
    let reply = PIPELINE * b":1\r\n".len();
    bencher.counter(ItemsCount::new(PIPELINE)).bench_local(|| {
        broker.receive(client, &publish, now);
        let output = broker.outbox(client).expect("the publisher");
        assert!(output.len() >= reply);
        let bytes = output.len();
        output.advance(bytes);
        broker.flushed(client, bytes, now);
    });
}

fn set_policy(broker: &mut Broker, client: ClientId, policy: &[u8], now: Now) {
    let set = encode(&[b"CONFIG", b"SET", b"channel-policy", policy]);
    assert_eq!(turn(broker, client, &set, now), b"+OK\r\n".len());
}

#[divan::bench]
fn hand_off_to_a_waiting_client(bencher: Bencher) {
    let (mut broker, client, now) = broker();
    let waiter = broker.connect(1, Peer::in_process(), now);
    let wait = encode(&[b"BLPOP", b"q", b"0"]);
    let push = encode(&[b"RPUSH", b"q", &[b'm'; 64]]);
    assert_eq!(turn(&mut broker, waiter, &wait, now), 0);
    let handed = b"*2\r\n$1\r\nq\r\n$64\r\n".len() + 64 + 2;
    assert_eq!(turn(&mut broker, client, &push, now), b":1\r\n".len() + handed);
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        turn(&mut broker, waiter, &wait, now) + turn(&mut broker, client, &push, now)
    });
}
