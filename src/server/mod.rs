//! The broker behind sockets. Only this code touches them, and only this code reads the clock.
//! Everything else gets the bytes and the time.
//!
//! `turn.rs` is the body of the loop, readable from top to bottom; `timers.rs` decides how long it
//! sleeps. `sockets.rs` has all connections, and what a turn does with them; `busy.rs` does some of it while a script
//! runs. `listeners.rs` and `unix_socket.rs` accept, `admission.rs` decides which connections are
//! kept, and `client.rs` has the in-process clients. `connection.rs` reads and writes one connection,
//! which has two sides: `transport.rs` moves bytes in and out of a socket (`socket.rs`; `transfer.rs` has
//! the buffers and the results), and
//! `speaker.rs` interprets them for the broker. `tls/` encrypts, and `handshakes.rs` limits what that
//! costs at the beginning of a connection. `durability.rs` handles the append files and
//! `saving.rs` the RDB file with the threads in `workers.rs`, `descriptors.rs` provides enough descriptors, and `process.rs` answers what
//! only the operating system knows. `lifecycle.rs` reports to the program around the server, and
//! `stop_handle.rs` stops it.

mod admission;
mod busy;
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
mod sockets;
mod speaker;
mod stop_handle;
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
pub use stop_handle::StopHandle;
#[cfg(feature = "tls")]
#[doc(hidden)]
pub use tls::{TlsProbe, TlsProbes};

use crate::broker::Broker;
use crate::broker::turn::TurnTime;
use crate::client_id::ClientId;
use crate::clients::CloseReason;
use crate::host::{Allocator, SystemAllocator};
use crate::in_process::ClientError;
use crate::settings::Settings;
use crate::state::ShutdownRequest;
use durability::Durability;
use lifecycle::Lifecycle;
use listeners::Listeners;
use mio::{Events, Poll, Waker};
use process::Process;
use resolver::Resolver;
use saving::Saving;
use sockets::{EVENTS_PER_TURN_MAX, FIRST_LISTENER, Sockets, WAKER};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tls::Configuration;

/// How long a stopping server continues to send its last replies.
const STOP_US_MAX: u64 = 5_000_000;

/// A broker that listens on sockets.
///
/// Dropping it closes its sockets. Clients may connect already, but are served only once
/// [`run`](Server::run) or [`spawn`](Server::spawn) is called.
pub struct Server {
    broker: Broker,
    durability: Durability,
    saving: Saving,
    sockets: Sockets,
    connector: Connector,
    /// When the allocator is asked to return memory, in microseconds of the monotonic clock.
    give_back_us: Option<u64>,
    /// When a stopping server gives up on clients that do not read.
    stop_by_us: Option<u64>,
    /// Finds the address of the primary.
    resolver: Resolver,
    /// The look-ups of targets of MIGRATE, each with the client that waits for it.
    look_ups: Vec<(ClientId, Resolver)>,
    /// Certificates and keys.
    tls: Configuration,
    /// Whether there was any input in this turn.
    is_busy: bool,
    /// How the turn spends its time.
    turn_time: TurnTime,
    handle: StopHandle,
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
        let first = FIRST_LISTENER + count;
        let handle = StopHandle::new(Arc::clone(&waker));
        Ok(Server {
            broker,
            durability,
            saving: Saving::default(),
            sockets: Sockets::new(poll, listeners, entrance, first, (clock, now), handle.clone()),
            connector: Connector::new(enter, waker),
            give_back_us: None,
            stop_by_us: None,
            resolver: Resolver::default(),
            look_ups: Vec::new(),
            tls,
            is_busy: false,
            turn_time: TurnTime::default(),
            handle,
        })
    }

    /// The TCP addresses on which it listens without TLS, with the actual ports.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.sockets.listeners.local_addrs()
    }

    /// The TCP addresses on which it listens with TLS.
    pub fn tls_addrs(&self) -> &[SocketAddr] {
        self.sockets.listeners.tls_addrs()
    }

    /// The TCP addresses on which it listens for HTTP.
    pub fn http_addrs(&self) -> &[SocketAddr] {
        self.sockets.listeners.http_addrs()
    }

    /// The TCP addresses on which it listens for HTTP with TLS.
    pub fn http_tls_addrs(&self) -> &[SocketAddr] {
        self.sockets.listeners.http_tls_addrs()
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
        self.sockets.lifecycle = Lifecycle::new(beat, call);
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
        self.sockets.lifecycle.stopping();
        match self.broker.shutdown_requested() {
            Some(ShutdownRequest::Now) => {}
            Some(ShutdownRequest::Abandon) => return self.abandon(),
            Some(ShutdownRequest::Stop) | None => self.finish(&mut events)?,
        }
        // Another may have begun since.
        self.saving.give_up(&mut self.broker, self.sockets.now)?;
        self.durability.close(&mut self.broker, self.sockets.now)?;
        saved.map_err(ServerError::Unsaved)
    }

    /// Stops in the middle of a script. Nothing of what came after the last commit may be written.
    fn abandon(mut self) -> Result<(), ServerError> {
        log::warn!(
            "SHUTDOWN NOSAVE has ended a running script: the changes of its turn are dropped"
        );
        self.saving.give_up(&mut self.broker, self.sockets.now)?;
        self.durability.abandon()
    }

    /// Writes the RDB file that `save` lines or SHUTDOWN ask for at the end. Nothing changes afterwards: no more
    /// input is read. The inner error is the reason why there is none.
    fn save_at_end(&mut self) -> Result<Result<(), String>, ServerError> {
        self.saving.give_up(&mut self.broker, self.sockets.now)?;
        let Some(is_forced) = self.broker.save_at_end() else { return Ok(Ok(())) };
        let saved = self.saving.at_once(&mut self.broker, self.sockets.now);
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
        self.sockets.listeners.close();
        self.sockets.entrance = None;
        for (_, open) in &mut self.sockets.connections {
            open.speaker.close(&mut self.broker, CloseReason::Shutdown);
        }
        let stop_by_us = self.sockets.now.monotonic_us + STOP_US_MAX;
        self.stop_by_us = Some(stop_by_us);
        self.sockets.close(&mut self.broker);
        // A reply that waits for a change that cannot be written would never be sent.
        let owes = |server: &Server| {
            let mut all = server.sockets.connections.iter();
            !server.durability.is_stuck()
                || all.any(|(_, open)| open.speaker.has_sendable(&server.broker))
        };
        let is_busy = |server: &Server| {
            (!server.sockets.connections.is_empty() && owes(server))
                || server.durability.is_replaced()
        };
        while is_busy(self) && self.sockets.now.monotonic_us < stop_by_us {
            self.turn(events)?;
        }
        Ok(())
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
