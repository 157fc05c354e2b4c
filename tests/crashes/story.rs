//! All that clients can see of the queues of a broker as time goes on. Two brokers with the same story are the
//! same.

use tidegate::clock::Now;
use tidegate::{Broker, ClientId, CloseReason, Peer};

const KEYS: &[&str] = &["a", "b", "c", "dead"];

/// What a request is answered; line ends are spaces.
pub fn ask(broker: &mut Broker, id: ClientId, request: &str, now: Now) -> String {
    broker.receive(id, format!("{request}\r\n").as_bytes(), now);
    broker.settle(now);
    let owed = broker.output(id).map(|output| output.take_all()).unwrap_or_default();
    broker.flushed(id, owed.len(), now);
    broker.check_invariants();
    String::from_utf8_lossy(&owed).replace("\r\n", " ")
}

/// What becomes of messages that were pushed before: they may be remembered. Each has a producer of
/// its own, which does not wait for room.
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

/// All that can be seen of the queues as time goes on, and in the end who was delivered how often. Messages
/// with these numbers are pushed `again`.
pub fn story(broker: &mut Broker, now: Now, again: &[usize]) -> String {
    // No journal says any more for how much there is space.
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
                // What was counted before is forgotten with the process.
                let info = info.split("$6 pushed").next().unwrap_or_default().to_string();
                // In which order several queues hand over what is due at once is not promised.
                let until = if *key == "dead" { -1000 } else { -1 };
                let list = ask(broker, id, &format!("LRANGE {key} 0 {until}"), now);
                story += &format!("\n+{ms} {db} {key}: {list} | {info}");
            }
        }
    }
    for db in 0..2 {
        ask(broker, id, &format!("SELECT {db}"), now);
        for key in ["a", "b", "c"] {
            ask(broker, id, &format!("LPOP {key} 100"), now);
            let flight = ask(broker, id, &format!("QUEUE INFLIGHT {key}"), now);
            let parts = flight.split("client-id").map(|part| part.split("in-flight-ms").last());
            let flight: Vec<&str> = parts.flatten().collect();
            story += &format!("\n{db} {key}: {}", flight.join(""));
        }
    }
    story
}
