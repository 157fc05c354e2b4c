//! The broker behind sockets: the only code that touches them, and the only code that reads the
//! clock. Everything else is told what arrived and what time it is.
//!
//! `turn.rs` is the loop's body, readable from top to bottom; `timers.rs` says until when it sleeps. `listeners.rs` and `unix_socket.rs`
//! accept, `admission.rs` says who is taken in, and `client.rs` has the clients of the same program.
//! `connection.rs` reads and writes one connection, which has two sides: the bytes of `transport.rs`, in and
//! out of a socket (`socket.rs`), and what `speaker.rs` makes of them with the broker. `durability.rs` sees to
//! the append files with the threads in `workers.rs`, `descriptors.rs` sees to it that there are enough
//! descriptors, and `process.rs` answers what only the operating system knows.

mod admission;
mod client;
mod clock;
mod connection;
mod descriptors;
mod durability;
mod error;
mod listeners;
mod process;
mod socket;
mod speaker;
mod timers;
mod transport;
mod turn;
mod unix_socket;
mod workers;

pub use client::{Client, Connector, Subscription};
pub use clock::SystemClock;
pub use error::ServerError;
pub use process::log_filter;

use crate::broker::Broker;
use crate::broker::turn::Stages;
use crate::broker::turn::TurnTime;
use crate::clients::CloseReason;
use crate::clock::Now;
use crate::deadlines::Deadlines;
use crate::host::{Allocator, SystemAllocator};
use crate::in_process::ClientError;
use crate::settings::Settings;
use crate::state::ShutdownRequest;
use connection::Connection;
use durability::Durability;
use listeners::Listeners;
use mio::net::UnixStream;
use mio::{Events, Poll, Token, Waker};
use process::Process;
use slab::Slab;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

/// Events taken from the operating system at once.
const EVENTS_PER_TURN_MAX: usize = 1024;
/// One buffer for the reads of all connections. A request that is larger is put together by the
/// broker.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// How long a server that was told to stop goes on sending what it owes.
const STOP_US_MAX: u64 = 5_000_000;

const WAKER: Token = Token(0);
const FIRST_LISTENER: usize = 1;

/// A broker that listens.
///
/// Dropping it closes its sockets. Nothing is served before [`run`](Server::run) or
/// [`spawn`](Server::spawn), but clients may connect already and are served then.
pub struct Server {
    broker: Broker,
    durability: Durability,
    poll: Poll,
    listeners: Listeners,
    /// New clients of this program; none when no more are accepted.
    door: Option<Receiver<UnixStream>>,
    connector: Connector,
    /// The token of the connection in slot 0; below it are the waker and the listeners.
    first_connection: usize,
    connections: Slab<Connection>,
    /// Connections to be read in this turn or, once it read its share, the next: no event will
    /// mention again what they hold.
    to_read: Vec<usize>,
    /// Connections to be written besides those whose client has new output.
    to_write: Vec<usize>,
    /// Connections whose client is gone. Their slots become free at the end of the turn.
    gone: Vec<usize>,
    /// Connections to be closed when they have been written to.
    to_close: Vec<(usize, CloseReason)>,
    /// When those that are closed after their last bytes have waited long enough.
    lingering: Deadlines<usize>,
    /// When the allocator is asked to return memory, in microseconds of the monotonic clock.
    give_back_us: Option<u64>,
    /// When a server that stops gives up on those who do not read.
    stop_by_us: Option<u64>,
    read_buffer: Box<[u8]>,
    clock: SystemClock,
    /// The time of the turn.
    now: Now,
    /// Whether anything came in this turn.
    is_busy: bool,
    /// What the turn spends its time on.
    turn_time: TurnTime,
    handle: StopHandle,
    /// Called once what is on disk has been loaded.
    when_ready: Option<Box<dyn FnOnce() + Send>>,
}

impl Server {
    /// Listens on every address that the settings name.
    ///
    /// Port 0 is a free port that the operating system picks, the same for every address, unless
    /// there is a Unix socket: then it means no TCP, as in Redis.
    pub fn bind(settings: Settings) -> Result<Server, ServerError> {
        Server::bind_with(settings, Box::new(SystemAllocator))
    }

    /// As [`bind`](Server::bind), in a program whose allocator can be asked to return memory to the
    /// operating system.
    pub fn bind_with(
        settings: Settings,
        allocator: Box<dyn Allocator>,
    ) -> Result<Server, ServerError> {
        Server::new(settings, allocator, Listeners::bind)
    }

    /// A server that listens nowhere: only [`Client`]s of this program reach it.
    pub fn in_process(settings: Settings) -> Result<Server, ServerError> {
        Server::new(settings, Box::new(SystemAllocator), |_| Ok(Listeners::none()))
    }

    fn new(
        mut settings: Settings,
        allocator: Box<dyn Allocator>,
        listen: impl FnOnce(&Settings) -> Result<Listeners, ServerError>,
    ) -> Result<Server, ServerError> {
        settings.maxclients = descriptors::make_room(settings.maxclients)?;
        let poll = Poll::new().map_err(ServerError::Poll)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(ServerError::Poll)?;
        let waker = Arc::new(waker);
        let mut listeners = listen(&settings)?;
        let count = listeners.register(poll.registry(), FIRST_LISTENER);
        let count = count.map_err(ServerError::Poll)?;
        let clock = SystemClock::start();
        let now = clock.now();
        let host = Process::new(clock, allocator, &settings);
        // The standard library's keys for hash maps are random and not to be guessed by clients.
        let seed = RandomState::new().hash_one(now.unix_us);
        let mut broker = Broker::new(settings, seed, Box::new(host), now);
        let durability = Durability::open(&mut broker, now)?;
        let (enter, door) = mpsc::channel();
        Ok(Server {
            broker,
            durability,
            poll,
            listeners,
            door: Some(door),
            connector: Connector::new(enter, Arc::clone(&waker)),
            first_connection: FIRST_LISTENER + count,
            connections: Slab::new(),
            to_read: Vec::new(),
            to_write: Vec::new(),
            gone: Vec::new(),
            to_close: Vec::new(),
            lingering: Deadlines::default(),
            give_back_us: None,
            stop_by_us: None,
            read_buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            clock,
            now,
            is_busy: false,
            turn_time: TurnTime::default(),
            handle: StopHandle { is_stopped: Arc::new(AtomicBool::new(false)), waker },
            when_ready: None,
        })
    }

    /// The TCP addresses on which it listens, with the ports that were picked.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.listeners.local_addrs()
    }

    /// The settings that hold.
    pub fn settings(&self) -> &Settings {
        self.broker.settings()
    }

    /// A way to stop it from elsewhere.
    pub fn handle(&self) -> StopHandle {
        self.handle.clone()
    }

    /// Connects clients of this program, from any thread.
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Has this called once, on the thread that serves, when all commands are served: what append
    /// files hold has been loaded by then. It holds everybody up, and so should be short.
    pub fn when_ready(&mut self, call: impl FnOnce() + Send + 'static) {
        self.when_ready = Some(Box::new(call));
    }

    /// Serves on this thread until a [`StopHandle`] or a client's SHUTDOWN stops it.
    ///
    /// What clients are owed by then is still sent, for at most five seconds.
    pub fn run(mut self) -> Result<(), ServerError> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN_MAX);
        while !self.handle.is_stopped() && self.broker.shutdown_requested().is_none() {
            if !matches!(self.durability, Durability::Loading { .. })
                && let Some(call) = self.when_ready.take()
            {
                call();
            }
            self.turn(&mut events)?;
        }
        if self.broker.shutdown_requested() != Some(ShutdownRequest::Now) {
            self.finish(&mut events)?;
        }
        self.durability.close(&mut self.broker, self.now)
    }

    /// Serves on a thread of its own.
    pub fn spawn(self) -> Result<RunningServer, ServerError> {
        let local_addrs = self.local_addrs().to_vec();
        let (handle, connector) = (self.handle(), self.connector());
        let thread = thread::Builder::new().name("tidegate".into());
        let thread = thread.spawn(move || self.run()).map_err(ServerError::Thread)?;
        Ok(RunningServer { local_addrs, handle, connector, thread: Some(thread) })
    }

    /// Accepts nobody any more and closes everybody, each after what it is owed.
    fn finish(&mut self, events: &mut Events) -> Result<(), ServerError> {
        self.listeners.close();
        self.door = None;
        for (_, open) in &mut self.connections {
            open.speaker.close(&mut self.broker, CloseReason::Shutdown);
        }
        let stop_by_us = self.now.monotonic_us + STOP_US_MAX;
        self.stop_by_us = Some(stop_by_us);
        self.close();
        // Who waits for a change that cannot be written would wait in vain.
        let owes = |server: &Server| {
            let mut all = server.connections.iter();
            !server.durability.is_stuck()
                || all.any(|(_, open)| open.speaker.sendable(&server.broker) > 0)
        };
        while !self.connections.is_empty() && owes(self) && self.now.monotonic_us < stop_by_us {
            self.turn(events)?;
        }
        Ok(())
    }
}

/// Stops a [`Server`] from any thread.
#[derive(Clone, Debug)]
pub struct StopHandle {
    is_stopped: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl StopHandle {
    /// Tells the server to stop and does not wait for it.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake the server to stop it: {error}");
        }
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }
}

/// A server on a thread of its own. Dropping it stops the server.
#[derive(Debug)]
pub struct RunningServer {
    local_addrs: Vec<SocketAddr>,
    handle: StopHandle,
    connector: Connector,
    thread: Option<JoinHandle<Result<(), ServerError>>>,
}

impl RunningServer {
    /// The TCP addresses on which it listens.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// A way to stop it from elsewhere.
    pub fn handle(&self) -> StopHandle {
        self.handle.clone()
    }

    /// Connects clients of this program, from any thread.
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// A new client of this program. It is served when append files, if there are any, are loaded.
    ///
    /// # Errors
    /// The server has stopped, or there are no descriptors left.
    pub fn connect(&self) -> Result<Client, ClientError> {
        self.connector.connect()
    }

    /// Stops it and waits for its end.
    pub fn stop(self) -> Result<(), ServerError> {
        self.handle.stop();
        self.join()
    }

    /// Waits until a handle or a client's SHUTDOWN stops it.
    pub fn join(mut self) -> Result<(), ServerError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.handle.stop();
            // Whoever wants to know how it ended calls `stop` or `join`.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
