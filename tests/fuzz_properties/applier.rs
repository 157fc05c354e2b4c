//! A replica takes whatever comes as the stream of its primary, in pieces of any size, as it takes the whole:
//! it has the same data afterwards, or refuses it at the same place and says why. Then it becomes a primary.
//!
//! The first byte selects settings and what the primary has said before, the second the size of the pieces. Commands
//! may be typed lines, as the parser takes them from anybody.

use tidegate::broker::Contents;
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, CloseReason, NoHost, Peer};

const START: Now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };

/// More than this is not needed for so little input, besides the strings that SETRANGE makes.
const MEMORY_MAX: usize = 16 << 20;
/// `proto-max-bulk-len`, the limit on such a string.
const STRING_BYTES_MAX: usize = 1 << 20;

const SETTINGS: &str = "databases 4\n\
    replicaof primary 1\n\
    proto-max-bulk-len 1mb\n\
    queue-policy safe safe* delivery at-least-once acknowledge explicit dead-letter dead\n\
    queue-policy late late* delay-ms 300 message-ttl-ms 900 max-length 3 overflow drop-head";

/// What the primary says before the input.
const BEGINNINGS: [&str; 4] = [
    "+CONTINUE\r\n",
    "",
    "+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 100\r\n\
     $EOF:0123456789abcdef0123456789abcdef01234567\r\nREDIS0011",
    "+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 100\r\n$64\r\nREDIS0011",
];

/// What became of a replica.
#[derive(Debug, PartialEq)]
struct Outcome {
    data: (Contents, Contents),
    /// Why its link was closed.
    closed: Option<CloseReason>,
    /// What INFO says of the link and the stream.
    says: Vec<Option<String>>,
}

struct Replica {
    broker: Broker,
    link: ClientId,
    closed: Option<CloseReason>,
    now: Now,
}

impl Replica {
    fn new(flags: u8) -> Replica {
        let leaves_out = if flags & 4 == 0 { "no" } else { "yes" };
        let text = format!("{SETTINGS}\nreplica-ignore-unsupported-keys {leaves_out}");
        let settings = Settings::from_text(&text, "settings").expect("valid settings");
        let mut broker = Broker::new(settings, 42, Box::new(NoHost), START);
        assert!(broker.wanted_link(START).is_some(), "it has a primary");
        let link = broker.link_connected(0, Peer::in_process(), START);
        Replica { broker, link, closed: None, now: START }
    }

    /// Bytes of the primary have come, and a turn follows.
    fn receive(&mut self, bytes: &[u8]) {
        if self.closed.is_none() {
            self.broker.receive(self.link, bytes, self.now);
        }
        self.turn();
    }

    fn turn(&mut self) {
        let broker = &mut self.broker;
        loop {
            broker.settle(self.now);
            broker.end_turn(self.now);
            broker.release_changed();
            while broker.next_dirty(self.now).is_some() {}
            while let Some((client, reason)) = broker.next_closing() {
                assert_eq!(client, self.link, "nobody else is closed");
                broker.disconnect(client, reason, self.now);
                self.closed = Some(reason);
            }
            if !broker.has_backlog() {
                break;
            }
        }
        if self.closed.is_none() {
            let sent = broker.outbox(self.link).map(|output| output.take_all()).unwrap_or_default();
            broker.flushed(self.link, sent.len(), self.now);
        }
        broker.check_invariants();
    }

    fn ask(&mut self, line: &str) -> String {
        let client = self.broker.connect(1, Peer::in_process(), self.now);
        self.broker.receive(client, format!("{line}\r\n").as_bytes(), self.now);
        self.broker.end_turn(self.now);
        self.broker.release_changed();
        let reply = self.broker.outbox(client).map(|output| output.take_all()).unwrap_or_default();
        self.broker.flushed(client, reply.len(), self.now);
        self.broker.disconnect(client, CloseReason::Quit, self.now);
        String::from_utf8_lossy(&reply).into_owned()
    }

    fn outcome(&mut self) -> Outcome {
        let info = self.ask("INFO everything");
        let field = |name: &&str| {
            let line = info.lines().find_map(|line| line.strip_prefix(*name)?.strip_prefix(':'));
            line.map(str::to_owned)
        };
        let names = ["master_repl_offset", "master_link_status", "master_link_stopped"];
        let says: Vec<_> = names.iter().map(field).collect();
        if says[2].is_some() {
            assert_eq!(self.closed, Some(CloseReason::StreamBroken), "{says:?}");
        }
        let used = field(&"used_memory").and_then(|text| text.parse::<usize>().ok());
        let strings = self.broker.contents().len() * STRING_BYTES_MAX;
        assert!(used.expect("used_memory") < MEMORY_MAX + strings, "{used:?} bytes");
        let data = (self.broker.contents(), self.broker.hidden_contents());
        Outcome { data, closed: self.closed, says }
    }

    /// It becomes a primary, with the data it has.
    fn promote(&mut self) {
        assert_eq!(self.ask("REPLICAOF NO ONE"), "+OK\r\n");
        for pause_us in [1_000, 2_000_000, 10_000_000_000] {
            self.now = self.now.plus_us(pause_us);
            self.turn();
        }
        assert_eq!(self.ask("SET own x"), "+OK\r\n");
        self.turn();
    }
}

fn play(flags: u8, bytes: &[u8], piece: usize) -> Outcome {
    let mut replica = Replica::new(flags);
    let beginning = BEGINNINGS[usize::from(flags & 3)];
    if !beginning.is_empty() {
        // To PING and three words about itself.
        replica.receive(b"+PONG\r\n+OK\r\n+OK\r\n");
        replica.receive(beginning.as_bytes());
    }
    for piece in bytes.chunks(piece) {
        replica.receive(piece);
    }
    let outcome = replica.outcome();
    replica.promote();
    outcome
}

pub fn check(data: &[u8]) {
    let [flags, piece, bytes @ ..] = data else { return };
    let whole = play(*flags, bytes, bytes.len().max(1));
    assert_eq!(play(*flags, bytes, usize::from(*piece) % 50 + 1), whole);
}
