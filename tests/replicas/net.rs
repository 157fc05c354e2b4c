//! Brokers joined by simulated links: bytes in flight, delays, cuts. Each call is deterministic.

use std::collections::VecDeque;
use tidegate::broker::Contents;
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, NoHost, Peer};

/// The start of all runs.
const START: Now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };

/// The bytes in one direction of a link.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
}

/// A connection between a replica and its primary.
struct Wire {
    replica: usize,
    primary: usize,
    /// The broker's clients at both ends.
    at_replica: ClientId,
    at_primary: ClientId,
    up: Pipe,
    down: Pipe,
    /// Nothing passes.
    pub is_stalled: bool,
}

/// One broker.
pub struct Node {
    pub broker: Broker,
    next_slot: usize,
    /// Whether others can reach it.
    pub is_reachable: bool,
}

/// Several brokers and the links between them. A broker's port is its index plus 1.
pub struct Net {
    pub nodes: Vec<Node>,
    wires: Vec<Wire>,
    pub now: Now,
    /// Bytes that a link passes on in a round.
    pub window: usize,
}

impl Net {
    pub fn new(count: usize, directives: &str) -> Net {
        let nodes = (0..count).map(|index| Node::new(index, directives, START)).collect();
        Net { nodes, wires: Vec::new(), now: START, window: usize::MAX }
    }

    /// Connects a client.
    pub fn client(&mut self, node: usize) -> ClientId {
        let Node { broker, next_slot, .. } = &mut self.nodes[node];
        *next_slot += 1;
        broker.connect(*next_slot, Peer::in_process(), self.now)
    }

    /// Runs a command, and returns its reply once the turn of the broker is over.
    pub fn call(&mut self, node: usize, client: ClientId, line: &str) -> String {
        let now = self.now;
        self.nodes[node].broker.receive(client, format!("{line}\r\n").as_bytes(), now);
        self.turn(node);
        self.replies(node, client)
    }

    /// What a client was sent.
    pub fn replies(&mut self, node: usize, client: ClientId) -> String {
        let broker = &mut self.nodes[node].broker;
        let bytes = broker.outbox(client).map(|output| output.take_all()).unwrap_or_default();
        broker.flushed(client, bytes.len(), self.now);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What a client may be sent by now: not what waits for replicas.
    pub fn sent(&mut self, node: usize, client: ClientId) -> String {
        let broker = &mut self.nodes[node].broker;
        let (count, mut bytes) = (broker.sendable(client), Vec::new());
        send(broker, client, count, self.now, |more| bytes.extend(more));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// One turn of a broker.
    pub fn turn(&mut self, node: usize) {
        let now = self.now;
        let broker = &mut self.nodes[node].broker;
        broker.settle(now);
        self.connect(node);
        let broker = &mut self.nodes[node].broker;
        broker.end_turn(now);
        broker.release_changed();
        self.collect(node);
        let mut gone = Vec::new();
        let broker = &mut self.nodes[node].broker;
        while let Some((client, reason)) = broker.next_closing() {
            gone.push((client, reason));
        }
        for (client, reason) in gone {
            self.nodes[node].broker.disconnect(client, reason, now);
            let is_end = |wire: &Wire| {
                (wire.replica == node && wire.at_replica == client)
                    || (wire.primary == node && wire.at_primary == client)
            };
            if let Some(at) = self.wires.iter().position(is_end) {
                self.cut_at(at);
            }
        }
    }

    /// Connects a replica that wants it.
    fn connect(&mut self, node: usize) {
        let now = self.now;
        let Some(address) = self.nodes[node].broker.wanted_link(now) else { return };
        let primary = usize::from(address.port) - 1;
        if !self.nodes[primary].is_reachable || !self.nodes[node].is_reachable {
            self.nodes[node].broker.link_failed("unreachable", now);
            return;
        }
        let at_primary = self.client(primary);
        let Node { broker, next_slot, .. } = &mut self.nodes[node];
        *next_slot += 1;
        let at_replica = broker.link_connected(*next_slot, Peer::in_process(), now);
        self.wires.push(Wire {
            replica: node,
            primary,
            at_replica,
            at_primary,
            up: Pipe::default(),
            down: Pipe::default(),
            is_stalled: false,
        });
    }

    /// Moves what a broker sends over links into them.
    fn collect(&mut self, node: usize) {
        let now = self.now;
        let broker = &mut self.nodes[node].broker;
        while broker.next_dirty(now).is_some() {}
        for wire in &mut self.wires {
            let ends = [
                (wire.replica, wire.at_replica, &mut wire.up),
                (wire.primary, wire.at_primary, &mut wire.down),
            ];
            for (owner, client, pipe) in ends {
                // A socket takes some, and then no more.
                let place = (1_usize << 20).saturating_sub(pipe.bytes.len());
                let sendable = broker.sendable(client).min(place);
                if owner != node || sendable == 0 {
                    continue;
                }
                send(broker, client, sendable, now, |bytes| pipe.bytes.extend(bytes));
            }
        }
    }

    /// Passes on what is in the links, at most `window` bytes in each direction.
    pub fn deliver(&mut self) {
        let (now, window) = (self.now, self.window);
        for wire in &mut self.wires {
            if wire.is_stalled {
                continue;
            }
            let ends = [
                (wire.primary, wire.at_primary, &mut wire.up),
                (wire.replica, wire.at_replica, &mut wire.down),
            ];
            for (node, client, pipe) in ends {
                let count = pipe.bytes.len().min(window);
                let bytes: Vec<u8> = pipe.bytes.drain(..count).collect();
                if !bytes.is_empty() {
                    self.nodes[node].broker.receive(client, &bytes, now);
                }
            }
        }
    }

    /// Bytes in all links.
    pub fn in_flight(&self) -> usize {
        self.wires.iter().map(|wire| wire.up.bytes.len() + wire.down.bytes.len()).sum()
    }

    /// Cuts a link; bytes in it are lost.
    fn cut_at(&mut self, at: usize) {
        let wire = self.wires.swap_remove(at);
        let reason = tidegate::CloseReason::PeerClosed;
        self.nodes[wire.replica].broker.disconnect(wire.at_replica, reason, self.now);
        self.nodes[wire.primary].broker.disconnect(wire.at_primary, reason, self.now);
    }

    /// Cuts the link of a replica, if it has one.
    pub fn cut(&mut self, replica: usize) {
        if let Some(at) = self.wires.iter().position(|wire| wire.replica == replica) {
            self.cut_at(at);
        }
    }

    /// Cuts all links of a broker, and makes no new ones until `rejoin`.
    pub fn isolate(&mut self, node: usize) {
        self.nodes[node].is_reachable = false;
        let is_its = |wire: &Wire| wire.replica == node || wire.primary == node;
        while let Some(at) = self.wires.iter().position(is_its) {
            self.cut_at(at);
        }
    }

    /// Ends `isolate`.
    pub fn rejoin(&mut self, node: usize) {
        self.nodes[node].is_reachable = true;
    }

    /// Stalls the link of a replica, or lets it go on.
    pub fn stall(&mut self, replica: usize, is_stalled: bool) {
        let wires = self.wires.iter_mut().filter(|wire| wire.replica == replica);
        wires.for_each(|wire| wire.is_stalled = is_stalled);
    }

    /// One round: all links, then all brokers; takes `ms` milliseconds.
    pub fn round(&mut self, ms: u64) {
        self.now = self.now.plus_us(ms * 1000);
        self.deliver();
        (0..self.nodes.len()).for_each(|node| self.turn(node));
    }

    /// Rounds until nothing moves any more, within limits.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            self.round(100);
            let is_idle = self.wires.iter().all(|wire| {
                wire.is_stalled || (wire.up.bytes.is_empty() && wire.down.bytes.is_empty())
            });
            if is_idle
                && self.nodes.iter().all(|node| !node.broker.has_backlog())
                && self.are_linked()
            {
                return;
            }
        }
        let fields = ["role", "master_port", "master_link_status", "master_link_stopped"];
        let states: Vec<_> = (0..self.nodes.len())
            .map(|node| fields.map(|field| self.info(node, field).unwrap_or_default()))
            .collect();
        panic!("it does not come to rest: {states:?}");
    }

    /// Whether all reachable replicas follow.
    fn are_linked(&mut self) -> bool {
        (0..self.nodes.len()).all(|node| {
            let is_reachable = self.nodes[node].is_reachable;
            !is_reachable
                || self.info(node, "master_link_status").is_none_or(|status| status == "up")
        })
    }

    /// A field of INFO.
    pub fn info(&mut self, node: usize, field: &str) -> Option<String> {
        let client = self.client(node);
        let now = self.now;
        let broker = &mut self.nodes[node].broker;
        broker.receive(client, b"INFO everything\r\n", now);
        let text = String::from_utf8(broker.outbox(client)?.take_all()).ok()?;
        broker.disconnect(client, tidegate::CloseReason::Quit, now);
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        Some(line.to_string())
    }

    /// All data of a broker: ordinary keys, and what is in flight or delayed.
    pub fn data(&self, node: usize) -> (Contents, Contents) {
        let broker = &self.nodes[node].broker;
        (broker.contents(), broker.hidden_contents())
    }

    /// Panics unless two brokers have the same data.
    pub fn assert_equal(&self, one: usize, other: usize, context: &str) {
        let (a, b) = (self.data(one), self.data(other));
        assert!(a == b, "{context}: {one} has {a:?}, {other} has {b:?}");
        self.nodes[one].broker.check_invariants();
        self.nodes[other].broker.check_invariants();
    }
}

/// Sends so many bytes of a client's output.
fn send(
    broker: &mut Broker,
    client: ClientId,
    count: usize,
    now: Now,
    mut take: impl FnMut(&[u8]),
) {
    let Some(outbox) = broker.outbox(client) else { return };
    let mut left = count;
    while left > 0 {
        let mut slices = [std::io::IoSlice::new(&[]); 16];
        let filled = outbox.io_slices(&mut slices, left);
        let taken = slices[..filled].iter().map(|slice| slice.len()).sum::<usize>();
        slices[..filled].iter().for_each(|slice| take(slice));
        outbox.advance(taken);
        left -= taken;
    }
    broker.flushed(client, count, now);
}

impl Node {
    fn new(index: usize, directives: &str, now: Now) -> Node {
        let text = format!("port {}\nrepl-diskless-sync-delay 0\n{directives}", index + 1);
        let settings = Settings::from_text(&text, "the test's settings").expect("settings");
        let broker = Broker::new(settings, 42 + index as u64, Box::new(NoHost), now);
        Node { broker, next_slot: 0, is_reachable: true }
    }
}
