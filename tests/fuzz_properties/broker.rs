//! The whole broker, driven as by a server: several clients, time, slow sockets, disconnects.
//!
//! The first byte selects settings. Each line after it is an event; its first byte selects which:
//!
//! | byte | event |
//! |---|---|
//! | `a`–`d` | this client sends the rest as a line, and a turn follows |
//! | `e`–`h` | the same with the last byte many times over |
//! | `A`–`D` | the client sends the rest, `\|` standing for CRLF; no turn follows |
//! | `i`–`l` | the client disconnects and another replaces it |
//! | `m`–`p` | the client's socket accepts this many bytes per turn from now on |
//! | `+` | this many milliseconds pass |
//! | `>` | time passes until the next deadline |
//! | `=` | the system time is set to this many seconds |
//! | `.` | a turn |

#[path = "replies.rs"]
mod replies;

use std::time::Duration;
use tidegate::clock::Now;
use tidegate::resp::{Limits, Parsed, RequestParser};
use tidegate::settings::{LocalAccess, OutputLimit, Settings};
use tidegate::{Broker, ClientId, CloseReason, EffectsReader, NoHost, Peer};

const CLIENTS: usize = 4;
/// More events show nothing new and take long.
const EVENTS_MAX: usize = 300;
/// Size above which a published message is shared instead of copied.
const LARGE: usize = 3_000;
/// A broker that still has work after this many turns never ends.
const TURNS_MAX: usize = 10_000;

pub fn check(data: &[u8]) {
    let [flags, events @ ..] = data else { return };
    let mut world = World::new(*flags);
    // Without this digit no client asks for RESP3.
    world.may_be_resp3 = events.contains(&b'3');
    for event in events.split(|&byte| byte == b'\n').take(EVENTS_MAX) {
        if let [kind, rest @ ..] = event {
            world.event(*kind, rest);
            world.broker.check_invariants();
        }
    }
    world.finish();
}

struct World {
    broker: Broker,
    /// Who reads the effects, if they are recorded.
    reader: Option<EffectsReader>,
    now: Now,
    clients: [Client; CLIENTS],
    may_be_resp3: bool,
}

struct Client {
    id: ClientId,
    /// Bytes that the socket accepts per turn.
    takes: usize,
    /// The start of an incomplete reply.
    received: Vec<u8>,
    /// Why it will be closed after its last output.
    closing: Option<CloseReason>,
}

impl World {
    fn new(flags: u8) -> World {
        let now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
        let mut broker = Broker::new(settings(flags), 42, Box::new(NoHost), now);
        let reader = (flags & 0x80 != 0).then(|| broker.read_effects());
        let clients = std::array::from_fn(|slot| Client::connect(&mut broker, slot, now));
        World { broker, reader, now, clients, may_be_resp3: false }
    }

    fn event(&mut self, kind: u8, rest: &[u8]) {
        let client = usize::from(kind.wrapping_sub(1)) % CLIENTS;
        match kind {
            b'a'..=b'd' => {
                self.send(client, &[rest, b"\r\n"].concat());
                self.turn();
            }
            b'e'..=b'h' => {
                let last = rest.last().copied().unwrap_or(b'x');
                self.send(client, &[rest, &[last; LARGE], b"\r\n"].concat());
                self.turn();
            }
            b'A'..=b'D' => {
                let pieces: Vec<&[u8]> = rest.split(|&byte| byte == b'|').collect();
                self.send(client, &pieces.join(&b"\r\n"[..]));
            }
            b'i'..=b'l' => self.replace(client, CloseReason::PeerClosed),
            b'm'..=b'p' => {
                self.clients[client].takes = number(rest) as usize;
                self.write(self.clients[client].id);
            }
            b'+' => self.pass(number(rest) * 1000),
            b'>' => {
                let wait = self.broker.next_deadline(self.now).unwrap_or_default();
                self.pass(wait.as_micros().min(u128::from(NUMBER_MAX)) as u64);
            }
            b'=' => {
                self.now.unix_us = number(rest) * 1_000_000;
                self.turn();
            }
            b'.' => self.turn(),
            _ => {}
        }
    }

    fn send(&mut self, client: usize, bytes: &[u8]) {
        self.broker.receive(self.clients[client].id, bytes, self.now);
    }

    fn pass(&mut self, us: u64) {
        self.now = self.now.plus_us(us);
        self.turn();
    }

    /// The server's actions after reading, until the broker lets it wait.
    fn turn(&mut self) {
        for _ in 0..TURNS_MAX {
            self.broker.settle(self.now);
            self.check_effects();
            self.broker.end_turn(self.now);
            self.broker.release_changed();
            while let Some(id) = self.broker.next_dirty(self.now) {
                self.write(id);
            }
            while let Some((id, reason)) = self.broker.next_closing() {
                self.close(id, reason);
            }
            while self.broker.next_resumed().is_some() {}
            if self.broker.next_deadline(self.now) != Some(Duration::ZERO) {
                self.check_flushed();
                return;
            }
        }
        panic!("the broker never comes to rest");
    }

    /// Sockets that accept everything were offered everything.
    fn check_flushed(&mut self) {
        for client in self.clients.iter().filter(|client| client.takes == usize::MAX) {
            let output = self.broker.outbox(client.id).expect("a client that is connected");
            assert_eq!(output.sendable(), 0, "output that nobody was told to flush");
        }
    }

    /// Lets a client's socket take its bytes for a turn.
    fn write(&mut self, id: ClientId) {
        let Some(slot) = self.slot(id) else { return };
        // There is no journal that a reply could wait for, but it may wait for replicas.
        self.broker.release_changed();
        let sendable = self.broker.sendable(id);
        let client = &mut self.clients[slot];
        let output = self.broker.outbox(id).expect("a client that is connected");
        let takes = client.takes.min(sendable);
        let mut room = takes;
        while room > 0 {
            let mut slices = [std::io::IoSlice::new(&[]); 2];
            let filled = output.io_slices(&mut slices, usize::MAX);
            assert!(filled > 0, "what is owed has bytes");
            let taken = slices[0].len().min(room);
            client.received.extend_from_slice(&slices[0][..taken]);
            output.advance(taken);
            room -= taken;
        }
        let is_owed = !output.is_empty();
        self.broker.flushed(id, takes - room, self.now);
        client.received.drain(..replies::whole_replies(&client.received, self.may_be_resp3));
        if !is_owed && let Some(reason) = client.closing {
            assert!(client.received.is_empty(), "all replies are whole");
            self.replace(slot, reason);
        }
    }

    fn close(&mut self, id: ClientId, reason: CloseReason) {
        let slot = self.slot(id).expect("only who is connected is to be closed");
        let is_owed = self.broker.outbox(id).is_some_and(|output| !output.is_empty());
        if is_owed && reason.flushes_first() {
            self.clients[slot].closing = Some(reason);
        } else {
            self.replace(slot, reason);
        }
    }

    fn replace(&mut self, slot: usize, reason: CloseReason) {
        let id = self.clients[slot].id;
        self.broker.disconnect(id, reason, self.now);
        assert!(self.broker.outbox(id).is_none(), "a client that is gone is owed nothing");
        self.broker.check_invariants();
        self.clients[slot] = Client::connect(&mut self.broker, slot, self.now);
    }

    fn slot(&self, id: ClientId) -> Option<usize> {
        self.clients.iter().position(|client| client.id == id)
    }

    /// Effects are complete requests.
    fn check_effects(&mut self) {
        let mut effects = Vec::new();
        if let Some(reader) = &self.reader {
            self.broker.take_effects(reader, &mut effects);
        }
        let limits = Limits { bulk_bytes_max: u64::MAX >> 1, is_unauthenticated: false };
        let mut parser = RequestParser::default();
        let mut rest = effects.as_slice();
        while !rest.is_empty() {
            match parser.parse(rest, limits) {
                Ok(Parsed::Request { end }) => rest = &rest[end..],
                other => panic!("{other:?} in the effects"),
            }
        }
    }

    /// Sockets accept everything: only complete replies remain.
    fn finish(mut self) {
        for slot in 0..CLIENTS {
            self.clients[slot].takes = usize::MAX;
            self.write(self.clients[slot].id);
        }
        self.turn();
        self.broker.check_invariants();
        for client in &self.clients {
            assert!(client.received.is_empty(), "all replies are whole");
        }
    }
}

impl Client {
    fn connect(broker: &mut Broker, slot: usize, now: Now) -> Client {
        let peer = if slot == 0 {
            Peer::in_process()
        } else {
            let address = |port| ([127, 0, 0, 1], port).into();
            Peer::Tcp { addr: address(1000 + slot as u16), laddr: address(6379), fd: slot as i32 }
        };
        let id = broker.connect(slot, peer, now);
        Client { id, takes: usize::MAX, received: Vec::new(), closing: None }
    }
}

/// Settings with limits that a fuzzed dialogue can reach.
fn settings(flags: u8) -> Settings {
    let mut settings = Settings::default();
    if flags & 1 != 0 {
        settings.requirepass = "p".to_string();
    }
    if flags & 2 != 0 {
        settings.turn_output_bytes_max = 100;
    }
    if flags & 4 != 0 {
        let limit = OutputLimit { hard_bytes: 50_000, soft_bytes: 10_000, soft_seconds: 1 };
        settings.output_limits = [limit; 3];
    }
    if flags & 8 != 0 {
        settings.query_buffer_bytes_max = 10_000;
        settings.timeout_s = 10;
    }
    if flags & 16 != 0 {
        settings.maxmemory_bytes = 100_000;
    }
    if flags & 32 != 0 {
        settings.slowlog_threshold_us = 0;
        settings.slowlog_len_max = 3;
    }
    if flags & 64 != 0 {
        settings.enable_debug_command = LocalAccess::Yes;
    }
    settings
}

/// A thousand years in seconds; microseconds of it are far from the end of `u64`.
const NUMBER_MAX: u64 = 31_557_600_000;

/// The digits of an event as a number, within bounds.
fn number(digits: &[u8]) -> u64 {
    let digits = digits.iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| (number * 10 + u64::from(digit - b'0')).min(NUMBER_MAX))
}
