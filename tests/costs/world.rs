//! Runs an operation on a broker, and counts what it costs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, CloseReason, EffectsReader, NoHost, Peer};

struct Counting;

thread_local! {
    /// Freed ones count too.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does all of it; counting does not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // While a thread ends, the counter may be gone.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + layout.size() as u64));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const START: Now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };

/// Of the queue `q`.
pub const EXPLICIT: &str = "QUEUE POLICY SET p q delivery at-least-once acknowledge explicit";

/// An operation, and the preparation, which depends on N.
pub struct Operation {
    pub name: &'static str,
    pub before: fn(&mut World, usize),
    pub act: fn(&mut World, usize),
}

/// A broker, and what is counted of it.
pub struct World {
    pub broker: Broker,
    pub now: Now,
    pub worker: ClientId,
    pub other: ClientId,
    reader: EffectsReader,
    /// Bytes recorded so far, and a buffer for the next ones.
    recorded: usize,
    taken: Vec<u8>,
}

/// The cost of an operation.
#[derive(Debug)]
pub struct Cost {
    pub allocations: u64,
    /// Of the allocations.
    pub bytes: u64,
    pub steps: u64,
    pub recorded: u64,
}

impl World {
    fn new() -> World {
        let settings = Settings::from_text("turn-work-max 1000000000", "the test's settings");
        let settings = settings.expect("valid settings");
        let mut broker = Broker::new(settings, 9, Box::new(NoHost), START);
        let reader = broker.read_effects();
        let worker = broker.connect(0, Peer::in_process(), START);
        let other = broker.connect(1, Peer::in_process(), START);
        World { broker, now: START, worker, other, reader, recorded: 0, taken: Vec::new() }
    }

    /// Only the request, without the turns after it.
    pub fn receive(&mut self, request: &str) {
        self.broker.receive(self.worker, format!("{request}\r\n").as_bytes(), self.now);
    }

    pub fn ask_as(&mut self, id: ClientId, request: &str) {
        self.broker.receive(id, format!("{request}\r\n").as_bytes(), self.now);
        let owed = self.broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
        assert!(!owed.starts_with(b"-"), "{request}: {}", String::from_utf8_lossy(&owed));
        self.broker.flushed(id, owed.len(), self.now);
        self.settle();
    }

    pub fn ask(&mut self, request: &str) {
        self.ask_as(self.worker, request);
    }

    /// Adds members to a sorted set.
    pub fn add_members(&mut self, n: usize) {
        let members = (0..n).map(|number| format!("{number} m{number}"));
        self.ask(&format!("ZADD z {}", members.collect::<Vec<_>>().join(" ")));
    }

    pub fn fill_hash(&mut self, n: usize) {
        let pairs = (0..n).map(|number| format!("f{number} v{number}"));
        self.ask(&format!("HSET h {}", pairs.collect::<Vec<_>>().join(" ")));
    }

    pub fn fill_set(&mut self, n: usize) {
        let members = (0..n).map(|number| format!("m{number}"));
        self.ask(&format!("SADD s {}", members.collect::<Vec<_>>().join(" ")));
    }

    pub fn fill(&mut self, n: usize) {
        let numbers = (0..n).map(|number| number.to_string());
        self.ask(&format!("RPUSH q {}", numbers.collect::<Vec<_>>().join(" ")));
    }

    /// The stream `s` has that many entries.
    pub fn fill_stream(&mut self, n: usize) {
        (1..=n).for_each(|number| self.ask(&format!("XADD s {number}-0 f v")));
    }

    /// That many entries of the stream `s` are pending.
    pub fn pend(&mut self, n: usize) {
        self.fill_stream(n);
        self.ask("XGROUP CREATE s g 0");
        self.ask("XREADGROUP GROUP g c STREAMS s >");
    }

    /// That many clients send this, and wait.
    pub fn let_wait(&mut self, n: usize, request: &str) {
        for slot in 2..2 + n {
            let id = self.broker.connect(slot, Peer::in_process(), self.now);
            self.ask_as(id, request);
            assert!(self.broker.is_blocked(id), "{request}");
        }
    }

    /// The list `dead` has n dead letters, each of another time.
    pub fn fill_dead(&mut self, n: usize) {
        self.ask("QUEUE POLICY SET p full max-length 1 overflow dead-letter dead-letter dead");
        for number in 0..=n {
            self.ask(&format!("RPUSH full {number}"));
            self.wait(1_000);
        }
    }

    /// The queue `q` has n messages, each of another time.
    pub fn fill_over_time(&mut self, n: usize) {
        self.ask("QUEUE POLICY SET p q message-ttl-ms 100000000");
        for number in 0..n {
            self.ask(&format!("RPUSH q {number}"));
            self.wait(1_000);
        }
    }

    pub fn set_policies(&mut self, n: usize) {
        for number in 0..n.min(900) {
            self.ask(&format!("QUEUE POLICY SET p{number} other{number}*"));
        }
    }

    /// That many queues, which no flush removes in place.
    pub fn fill_many(&mut self, n: usize) {
        self.ask("QUEUE POLICY SET p q* message-ttl-ms 100000");
        for number in 0..4 * n {
            self.ask(&format!("RPUSH q{number} x"));
        }
    }

    /// That many delayed messages, due from one second on, in no order.
    pub fn delay(&mut self, n: usize) {
        self.ask("QUEUE POLICY SET p q delay-ms 1000");
        for number in 0..n {
            let delay_ms = 1_000 + (number * 7_919) % 9_000;
            self.ask(&format!("QUEUE PUSH q DELAY {delay_ms} MESSAGES 1 {number}"));
        }
    }

    pub fn hold(&mut self, n: usize) {
        self.hold_under(EXPLICIT, n);
    }

    /// All messages are in flight, and return after a second.
    pub fn hold_for_a_second(&mut self, n: usize) {
        self.hold_under(&format!("{EXPLICIT} ack-timeout-ms 1000"), n);
    }

    pub fn hold_under(&mut self, policy: &str, n: usize) {
        self.ask(policy);
        self.fill(n);
        self.ask(&format!("LPOP q {n}"));
    }

    /// All messages are in flight, with receipts from 1 on, for a second.
    pub fn lease(&mut self, n: usize) {
        self.ask(EXPLICIT);
        self.fill(n);
        self.ask(&format!("QUEUE POP 1 q COUNT {n} LEASE 1000"));
    }

    /// Two workers have all messages in flight, alternately.
    pub fn take_turns(&mut self, n: usize) {
        self.ask(EXPLICIT);
        self.fill(n);
        for _ in 0..n / 2 {
            self.ask("LPOP q");
            self.ask_as(self.other, "LPOP q");
        }
    }

    /// A snapshot has begun and has all; it is not written yet.
    pub fn save(&mut self) {
        self.broker.begin_snapshot();
        // As while it is being written.
        std::mem::forget(self.broker.next_saved(usize::MAX));
    }

    pub fn leave(&mut self) {
        self.leave_as(self.worker);
    }

    pub fn leave_as(&mut self, id: ClientId) {
        self.broker.disconnect(id, CloseReason::PeerClosed, self.now);
        self.settle();
    }

    pub fn wait(&mut self, us: u64) {
        self.now = self.now.plus_us(us);
        self.settle();
    }

    pub fn settle(&mut self) {
        self.broker.settle(self.now);
        self.taken.clear();
        self.broker.take_effects(&self.reader, &mut self.taken);
        self.recorded += self.taken.len();
    }

    fn count(&self) -> Cost {
        Cost {
            allocations: ALLOCATIONS.with(Cell::get),
            bytes: BYTES.with(Cell::get),
            steps: self.broker.work(),
            recorded: self.recorded as u64,
        }
    }
}

/// Runs an operation with N.
pub fn cost(operation: &Operation, n: usize) -> Cost {
    let mut world = World::new();
    (operation.before)(&mut world, n);
    let before = world.count();
    (operation.act)(&mut world, n);
    let after = world.count();
    world.broker.check_invariants();
    Cost {
        allocations: after.allocations - before.allocations,
        bytes: after.bytes - before.bytes,
        steps: after.steps - before.steps,
        recorded: after.recorded - before.recorded,
    }
}
