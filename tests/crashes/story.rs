//! The visible behaviour of a broker's queues over time: two brokers with the same story are in the same
//! state.

use tidegate::clock::Now;
use tidegate::{Broker, ClientId, CloseReason, Peer};

const KEYS: &[&str] = &["a", "b", "c", "dead"];

/// The reply to a request, with spaces for line ends.
pub fn ask(broker: &mut Broker, id: ClientId, request: &str, now: Now) -> String {
    broker.receive(id, format!("{request}\r\n").as_bytes(), now);
    broker.settle(now);
    let owed = broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
    broker.flushed(id, owed.len(), now);
    broker.check_invariants();
    String::from_utf8_lossy(&owed).replace("\r\n", " ")
}

/// Pushes earlier messages again: they may be remembered. Each has its own producer, which does not wait
/// for capacity.
fn push_again(broker: &mut Broker, again: &[usize], now: Now) -> String {
    let mut story = String::new();
    for key in ["a", "b", "c"] {
        for number in again {
            let id = broker.connect(8, Peer::in_process(), now);
            story += &ask(broker, id, &format!("RPUSH {key} {number}"), now);
            broker.disconnect(id, CloseReason::PeerClosed, now);
        }
    }
    story
}

/// The visible behaviour of the queues over time, and the delivery counts at the end. Messages with these
/// numbers are pushed `again`.
pub fn story(broker: &mut Broker, now: Now, again: &[usize]) -> String {
    // There is no journal any more to say how much space there is.
    broker.allow_changes(u64::MAX, None, None);
    let id = broker.connect(7, Peer::in_process(), now);
    let mut story = ask(broker, id, "QUEUE POLICY LIST", now);
    for ms in [0, 100, 300, 400, 550, 800, 2_000] {
        let now = now.plus_us(ms * 1_000);
        if !again.is_empty() {
            story += &format!("\n+{ms} pushed again: {}", push_again(broker, again, now));
        }
        for db in 0..2 {
            ask(broker, id, &format!("SELECT {db}"), now);
            for key in KEYS {
                let info = ask(broker, id, &format!("QUEUE INFO {key}"), now);
                // Earlier counts are lost with the process.
                let info = info.split("$6 pushed").next().unwrap_or_default().to_string();
                let peek = ask(broker, id, &format!("QUEUE PEEK {key} COUNT 100000"), now);
                let mut list: Vec<&str> = peek.split("$7 message ").collect();
                // The order between queues for messages due at the same time is not defined.
                if *key == "dead" {
                    list.sort_unstable();
                }
                story += &format!("\n+{ms} {db} {key}: {} | {info}", list.join("/ "));
            }
        }
    }
    for db in 0..2 {
        ask(broker, id, &format!("SELECT {db}"), now);
        for key in ["a", "b", "c"] {
            ask(broker, id, &format!("LPOP {key} 100"), now);
            let flight = ask(broker, id, &format!("QUEUE INFLIGHT {key}"), now);
            let parts = flight.split("client-id").map(|part| part.split("in-flight-ms").last());
            // Receipts are never those of another process.
            let parts = parts.flatten().map(|part| match part.split_once("$7 receipt ") {
                None => part,
                Some((_, rest)) => rest.split_once("$7 message").map_or(rest, |(_, rest)| rest),
            });
            let flight: Vec<&str> = parts.collect();
            story += &format!("\n{db} {key}: {}", flight.join(""));
        }
    }
    story
}
