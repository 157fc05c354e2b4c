//! The broker behind sockets. Only this code touches them, and only this code reads the clock.
//! Everything else gets the bytes and the time.
//!
//! `turn.rs` is the body of the loop, readable from top to bottom; `timers.rs` decides how long it
//! sleeps. `listeners.rs` and `unix_socket.rs` accept, `admission.rs` decides which connections are
//! kept, and `client.rs` has the in-process clients. `connection.rs` reads and writes one connection,
//! which has two sides: `transport.rs` moves bytes in and out of a socket (`socket.rs`; `transfer.rs` has
//! the buffers and the results), and
//! `speaker.rs` interprets them for the broker. `tls/` encrypts, and `handshakes.rs` limits what that
//! costs at the beginning of a connection. `durability.rs` handles the append files and
//! `saving.rs` the RDB file with the threads in `workers.rs`, `descriptors.rs` provides enough descriptors, and `process.rs` answers what
//! only the operating system knows. `lifecycle.rs` reports to the program around the server.

mod admission;
mod check;
mod client;
mod clock;
mod connection;
mod descriptors;
mod durability;
mod error;
mod handshakes;
mod lifecycle;
mod link;
mod listeners;
mod migrations;
mod process;
mod resolver;
mod saving;
mod socket;
mod speaker;
mod timers;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_absent.rs"]
mod tls;
mod transfer;
mod transport;
mod turn;
mod unix_socket;
mod workers;

pub use check::check;
pub use client::{Client, Connector, Subscription};
pub use clock::SystemClock;
pub use error::ServerError;
pub use lifecycle::LifeEvent;
pub use process::log_filter;
#[cfg(feature = "tls")]
#[doc(hidden)]
pub use tls::{TlsProbe, TlsProbes};

use crate::broker::Broker;
use crate::broker::turn::Stages;
use crate::broker::turn::TurnTime;
use crate::client_id::ClientId;
use crate::clients::CloseReason;
use crate::clock::Now;
use crate::deadlines::Deadlines;
use crate::host::{Allocator, SystemAllocator};
use crate::in_process::ClientError;
use crate::settings::Settings;
use crate::state::ShutdownRequest;
use connection::Connection;
use durability::Durability;
use lifecycle::Lifecycle;
use listeners::Listeners;
use mio::net::UnixStream;
use mio::{Events, Poll, Token, Waker};
use process::Process;
use resolver::Resolver;
use saving::Saving;
use slab::Slab;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tls::Configuration;
use transfer::Buffers;

/// Maximum number of events taken from the operating system at once.
const EVENTS_PER_TURN_MAX: usize = 1024;
/// How long a stopping server continues to send its last replies.
const STOP_US_MAX: u64 = 5_000_000;

const WAKER: Token = Token(0);
const FIRST_LISTENER: usize = 1;

/// A broker that listens on sockets.
///
/// Dropping it closes its sockets. Clients may connect already, but are served only once
/// [`run`](Server::run) or [`spawn`](Server::spawn) is called.
pub struct Server {
    broker: Broker,
    durability: Durability,
    saving: Saving,
    poll: Poll,
    listeners: Listeners,
    /// New in-process clients; `None` once no more are accepted.
    entrance: Option<Receiver<UnixStream>>,
    connector: Connector,
    /// The token of the connection in slot 0. Below it are the waker and the listeners.
    first_connection: usize,
    connections: Slab<Connection>,
    /// Connections to be read in this turn or, after their share of it, in the next: no further event
    /// will mention the bytes they hold.
    to_read: Vec<usize>,
    /// Connections to be written, besides those whose client has new output.
    to_write: Vec<usize>,
    /// Connections whose client is gone. Their slots are freed at the end of the turn.
    gone: Vec<usize>,
    /// Connections to be closed after they were written to.
    to_close: Vec<(usize, CloseReason)>,
    /// Time limits of connections that close after their last bytes.
    lingering: Deadlines<usize>,
    /// When the allocator is asked to return memory, in microseconds of the monotonic clock.
    give_back_us: Option<u64>,
    /// When a stopping server gives up on clients that do not read.
    stop_by_us: Option<u64>,
    buffers: Buffers,
    /// Connections to be read whose TLS handshake is not finished, in the order in which their bytes came.
    handshakes_to_read: VecDeque<usize>,
    /// When unfinished handshakes are given up.
    handshake_deadlines: Deadlines<usize>,
    /// When the protocols of connections have something to do.
    due: Deadlines<usize>,
    /// The number of HTTP connections.
    http_count: usize,
    /// Finds the address of the primary.
    resolver: Resolver,
    /// The look-ups of targets of MIGRATE, each with the client that waits for it.
    look_ups: Vec<(ClientId, Resolver)>,
    /// Certificates and keys.
    tls: Configuration,
    clock: SystemClock,
    /// The time of the turn.
    now: Now,
    /// Whether there was any input in this turn.
    is_busy: bool,
    /// How the turn spends its time.
    turn_time: TurnTime,
    handle: StopHandle,
    /// Who is told how it goes.
    lifecycle: Lifecycle,
}

impl Server {
    /// Listens on all addresses of the settings.
    ///
    /// Port 0 is a free port that the operating system chooses, the same for all addresses. With a Unix
    /// socket or a `tls-port` it means none, as in Redis.
    pub fn bind(settings: Settings) -> Result<Server, ServerError> {
        Server::bind_with(settings, Box::new(SystemAllocator))
    }

    /// Like [`bind`](Server::bind), in a program whose allocator can be asked to return memory to the
    /// operating system.
    pub fn bind_with(
        settings: Settings,
        allocator: Box<dyn Allocator>,
    ) -> Result<Server, ServerError> {
        Server::new(settings, allocator, Listeners::bind)
    }

    /// A server without listening sockets: only in-process [`Client`]s reach it.
    pub fn in_process(settings: Settings) -> Result<Server, ServerError> {
        Server::new(settings, Box::new(SystemAllocator), |settings, tls| {
            if settings.connects_with_tls() {
                tls.load(settings).map_err(|reason| ServerError::Tls { reason })?;
            }
            Ok(Listeners::none())
        })
    }

    fn new(
        mut settings: Settings,
        allocator: Box<dyn Allocator>,
        listen: impl FnOnce(&Settings, &Configuration) -> Result<Listeners, ServerError>,
    ) -> Result<Server, ServerError> {
        settings.maxclients = descriptors::raise_limit(settings.maxclients)?;
        let poll = Poll::new().map_err(ServerError::Poll)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(ServerError::Poll)?;
        let waker = Arc::new(waker);
        let tls = Configuration::default();
        let mut listeners = listen(&settings, &tls)?;
        let count = listeners.register(poll.registry(), FIRST_LISTENER);
        let count = count.map_err(ServerError::Poll)?;
        let clock = SystemClock::start();
        let now = clock.now();
        let host = Process::new(clock, allocator, tls.clone(), &settings);
        // The standard library's keys for hash maps are random, so clients cannot guess them.
        let seed = RandomState::new().hash_one(now.unix_us);
        let mut broker = Broker::new(settings, seed, Box::new(host), now);
        let reasons: Vec<&str> = broker.user_faults().iter().map(|f| f.reason.as_str()).collect();
        if !reasons.is_empty() {
            return Err(ServerError::Users(reasons.join("; ")));
        }
        let durability = Durability::open(&mut broker, now)?;
        let (enter, entrance) = mpsc::channel();
        Ok(Server {
            broker,
            durability,
            saving: Saving::default(),
            poll,
            listeners,
            entrance: Some(entrance),
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
            buffers: Buffers::new(),
            handshakes_to_read: VecDeque::new(),
            handshake_deadlines: Deadlines::default(),
            due: Deadlines::default(),
            http_count: 0,
            resolver: Resolver::default(),
            look_ups: Vec::new(),
            tls,
            clock,
            now,
            is_busy: false,
            turn_time: TurnTime::default(),
            handle: StopHandle { is_stopped: Arc::default(), is_to_reload: Arc::default(), waker },
            lifecycle: Lifecycle::default(),
        })
    }

    /// The TCP addresses on which it listens without TLS, with the actual ports.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.listeners.local_addrs()
    }

    /// The TCP addresses on which it listens with TLS.
    pub fn tls_addrs(&self) -> &[SocketAddr] {
        self.listeners.tls_addrs()
    }

    /// The TCP addresses on which it listens for HTTP.
    pub fn http_addrs(&self) -> &[SocketAddr] {
        self.listeners.http_addrs()
    }

    /// The TCP addresses on which it listens for HTTP with TLS.
    pub fn http_tls_addrs(&self) -> &[SocketAddr] {
        self.listeners.http_tls_addrs()
    }

    /// The current settings.
    pub fn settings(&self) -> &Settings {
        self.broker.settings()
    }

    /// A handle that stops it from elsewhere.
    pub fn handle(&self) -> StopHandle {
        self.handle.clone()
    }

    /// Connects in-process clients, from any thread.
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Sets a function that is called on the server's thread when something becomes of the server. It delays
    /// all clients, so it should be short. `beat` is the time between two [`LifeEvent::Alive`]: a loop that
    /// is stuck reports none.
    pub fn follow(&mut self, beat: Option<Duration>, call: impl FnMut(LifeEvent) + Send + 'static) {
        self.lifecycle = Lifecycle::new(beat, call);
    }

    /// Serves on this thread until a [`StopHandle`] or a client's SHUTDOWN stops it.
    ///
    /// Pending replies are still sent, for at most five seconds.
    pub fn run(mut self) -> Result<(), ServerError> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN_MAX);
        let saved = loop {
            while !self.handle.is_stopped() && self.broker.shutdown_requested().is_none() {
                self.turn(&mut events)?;
            }
            let saved = self.save_at_end()?;
            if saved.is_ok() || self.handle.is_stopped() {
                break saved;
            }
            self.broker.refuse_shutdown();
        };
        self.lifecycle.stopping();
        if self.broker.shutdown_requested() != Some(ShutdownRequest::Now) {
            self.finish(&mut events)?;
        }
        // Another may have begun since.
        self.saving.give_up(&mut self.broker, self.now)?;
        self.durability.close(&mut self.broker, self.now)?;
        saved.map_err(ServerError::Unsaved)
    }

    /// Writes the RDB file that `save` lines or SHUTDOWN ask for at the end. Nothing changes afterwards: no more
    /// input is read. The inner error is the reason why there is none.
    fn save_at_end(&mut self) -> Result<Result<(), String>, ServerError> {
        self.saving.give_up(&mut self.broker, self.now)?;
        let Some(is_forced) = self.broker.save_at_end() else { return Ok(Ok(())) };
        let saved = self.saving.at_once(&mut self.broker, self.now);
        if let Err(reason) = &saved {
            log::error!("the data could not be saved at the end: {reason}");
        }
        Ok(if is_forced { Ok(()) } else { saved })
    }

    /// Serves on a thread of its own.
    pub fn spawn(self) -> Result<RunningServer, ServerError> {
        let local_addrs = self.local_addrs().to_vec();
        let (handle, connector) = (self.handle(), self.connector());
        let thread = thread::Builder::new().name("tidegate".into());
        let thread = thread.spawn(move || self.run()).map_err(ServerError::Thread)?;
        Ok(RunningServer { local_addrs, handle, connector, thread: Some(thread) })
    }

    /// Stops accepting, and closes all connections, each after its pending replies.
    fn finish(&mut self, events: &mut Events) -> Result<(), ServerError> {
        self.listeners.close();
        self.entrance = None;
        for (_, open) in &mut self.connections {
            open.speaker.close(&mut self.broker, CloseReason::Shutdown);
        }
        let stop_by_us = self.now.monotonic_us + STOP_US_MAX;
        self.stop_by_us = Some(stop_by_us);
        self.close();
        // A reply that waits for a change that cannot be written would never be sent.
        let owes = |server: &Server| {
            let mut all = server.connections.iter();
            !server.durability.is_stuck()
                || all.any(|(_, open)| open.speaker.has_sendable(&server.broker))
        };
        let is_busy = |server: &Server| {
            (!server.connections.is_empty() && owes(server)) || server.durability.is_replaced()
        };
        while is_busy(self) && self.now.monotonic_us < stop_by_us {
            self.turn(events)?;
        }
        Ok(())
    }
}

/// Stops a [`Server`] from any thread, or has it read its certificates again.
#[derive(Clone, Debug)]
pub struct StopHandle {
    is_stopped: Arc<AtomicBool>,
    is_to_reload: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl StopHandle {
    /// Tells the server to stop, without waiting.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.wake();
    }

    /// Tells the server to read the files of its TLS certificates and keys again, without waiting. Open
    /// connections stay; new ones have the new certificates. The log says how it went.
    pub fn reload_certificates(&self) {
        self.is_to_reload.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake the server: {error}");
        }
    }

    /// Whether certificates are to be read again; each call for it is answered once.
    #[inline]
    fn take_reload(&self) -> bool {
        self.is_to_reload.load(Ordering::Relaxed) && self.is_to_reload.swap(false, Ordering::AcqRel)
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

    /// A handle that stops it from elsewhere.
    pub fn handle(&self) -> StopHandle {
        self.handle.clone()
    }

    /// Connects in-process clients, from any thread.
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Connects an in-process client. It is served once the append files, if any, are loaded.
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
            // To learn how it ended, call `stop` or `join`.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
