//! Listening sockets, and failures to accept.

use super::descriptors::Spare;
use super::error::ServerError;
use super::socket;
use super::speaker::Service;
use super::tls::{Configuration, Tls};
use super::transport::Transport;
use super::unix_socket::{self, SocketFile};
use crate::clients::Peer;
use crate::settings::Settings;
use log::warn;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;

/// How long no connections are accepted after a failure that would repeat at once.
const BACK_OFF_US: u64 = 100_000;
/// A repeated failure is logged once in this time.
const LOG_EVERY_US: u64 = 1_000_000;
/// Failures in a row after which the turn continues without new clients.
const FAILURES_PER_CALL_MAX: usize = 16;
/// Tries to find a port that is free on all addresses.
const FREE_PORT_TRIES: usize = 16;

/// `errno` values without a name in the standard library; the same on every Unix.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

/// All listening sockets.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    open: Vec<Listener>,
    local_addrs: Vec<SocketAddr>,
    tls_addrs: Vec<SocketAddr>,
    http_addrs: Vec<SocketAddr>,
    http_tls_addrs: Vec<SocketAddr>,
    /// For new connections with TLS.
    tls: Configuration,
    /// The next listener to accept from, so that no listener starves.
    next: usize,
    spare: Spare,
    /// After a failure: when to accept again.
    retry_at_us: Option<u64>,
    next_log_us: u64,
}

#[derive(Debug)]
struct Listener {
    socket: Listening,
    /// Whether connections may be waiting: the event comes only once.
    is_ready: bool,
}

#[derive(Debug)]
enum Listening {
    Tcp(Service, TcpListener),
    Tls(Service, TcpListener),
    Unix { listener: UnixListener, path: Arc<Path>, _file: SocketFile },
}

/// A new connection.
#[derive(Debug)]
pub(super) struct Accepted {
    pub service: Service,
    pub transport: Transport,
    pub peer: Peer,
    /// Whether it uses the reserve descriptor: then it can only be refused.
    pub is_on_spare: bool,
}

impl Listeners {
    /// Listens on every address of the settings.
    pub(super) fn bind(settings: &Settings, tls: &Configuration) -> Result<Listeners, ServerError> {
        tls.load(settings).map_err(|reason| ServerError::Tls { reason })?;
        if cfg!(not(feature = "http")) && (settings.http.port, settings.http.tls_port) != (0, 0) {
            return Err(ServerError::NoHttp);
        }
        let backlog = i32::try_from(settings.tcp_backlog).unwrap_or(i32::MAX);
        let has_others = settings.unixsocket.is_some()
            || settings.tls.port != 0
            || settings.http.port != 0
            || settings.http.tls_port != 0;
        let plain = match settings.port {
            0 if has_others => Vec::new(),
            0 => bind_free_port(&settings.bind, backlog)?,
            port => bind_all(&settings.bind, port, backlog)?,
        };
        let bind = |addresses: &[String], port| match port {
            0 => Ok(Vec::new()),
            port => bind_all(addresses, port, backlog),
        };
        let encrypted = bind(&settings.bind, settings.tls.port)?;
        let http = bind(&settings.http.bind, settings.http.port)?;
        let http_encrypted = bind(&settings.http.bind, settings.http.tls_port)?;
        let mut sockets = Vec::new();
        let mut add = |bound: Vec<Bound>, listening: &dyn Fn(TcpListener) -> Listening| {
            let addresses = bound.iter().map(|(_, address)| *address).collect::<Vec<_>>();
            sockets.extend(bound.into_iter().map(|(listener, _)| listening(listener)));
            addresses
        };
        let local_addrs = add(plain, &|listener| Listening::Tcp(Service::Resp, listener));
        let tls_addrs = add(encrypted, &|listener| Listening::Tls(Service::Resp, listener));
        let http_addrs = add(http, &|listener| Listening::Tcp(Service::Http, listener));
        let http_tls_addrs =
            add(http_encrypted, &|listener| Listening::Tls(Service::Http, listener));
        if let Some(path) = &settings.unixsocket {
            let (listener, file) = unix_socket::listen(path, settings.unixsocketperm, backlog)?;
            let path = Arc::from(path.as_path());
            sockets.push(Listening::Unix { listener, path, _file: file });
        }
        if sockets.is_empty() {
            return Err(ServerError::NothingToListenOn);
        }
        let open = sockets.into_iter().map(|socket| Listener { socket, is_ready: false });
        let mut listeners = Listeners {
            open: open.collect(),
            local_addrs,
            tls_addrs,
            http_addrs,
            http_tls_addrs,
            tls: tls.clone(),
            ..Listeners::default()
        };
        listeners.spare.refill();
        Ok(listeners)
    }

    /// No listening sockets.
    pub(super) fn none() -> Listeners {
        Listeners::default()
    }

    /// Requests events, with tokens from `first` on. Returns how many.
    pub(super) fn register(&mut self, registry: &Registry, first: usize) -> io::Result<usize> {
        for (index, listener) in self.open.iter_mut().enumerate() {
            let token = Token(first + index);
            match &mut listener.socket {
                Listening::Tcp(_, socket) | Listening::Tls(_, socket) => {
                    registry.register(socket, token, Interest::READABLE)?;
                }
                Listening::Unix { listener, .. } => {
                    registry.register(listener, token, Interest::READABLE)?;
                }
            }
        }
        Ok(self.open.len())
    }

    /// The TCP addresses without TLS, with the actual ports.
    pub(super) fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// The TCP addresses with TLS.
    pub(super) fn tls_addrs(&self) -> &[SocketAddr] {
        &self.tls_addrs
    }

    /// The TCP addresses for HTTP.
    pub(super) fn http_addrs(&self) -> &[SocketAddr] {
        &self.http_addrs
    }

    /// The TCP addresses for HTTP with TLS.
    pub(super) fn http_tls_addrs(&self) -> &[SocketAddr] {
        &self.http_tls_addrs
    }

    /// Stops listening.
    pub(super) fn close(&mut self) {
        self.open.clear();
    }

    /// Marks the listener at `index` as ready after an event.
    pub(super) fn set_ready(&mut self, index: usize) {
        if let Some(listener) = self.open.get_mut(index) {
            listener.is_ready = true;
        }
    }

    /// Whether `accept` may return a connection at once.
    pub(super) fn is_ready(&self) -> bool {
        self.retry_at_us.is_none() && self.open.iter().any(|listener| listener.is_ready)
    }

    /// When to accept again after a failure.
    pub(super) fn deadline_us(&self) -> Option<u64> {
        self.retry_at_us
    }

    /// The next waiting connection. No failure ends the listening.
    pub(super) fn accept(&mut self, now_us: u64) -> Option<Accepted> {
        if self.retry_at_us.is_some_and(|at| now_us < at) {
            return None;
        }
        self.retry_at_us = None;
        self.spare.refill();
        for _ in 0..FAILURES_PER_CALL_MAX {
            let index = self.next_ready()?;
            let mut result = self.open[index].accept(&self.tls);
            let mut is_on_spare = false;
            if matches!(&result, Err(error) if is_shortage(error)) && self.spare.release() {
                // The shortage is reported even if no connection waits, so this may be WouldBlock.
                result = self.open[index].accept(&self.tls);
                is_on_spare = true;
            }
            match result {
                Ok((service, transport, peer)) => {
                    if is_on_spare {
                        self.log(now_us, "no descriptors left: raise `ulimit -n`");
                    }
                    self.next = index + 1;
                    return Some(Accepted { service, transport, peer, is_on_spare });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.open[index].is_ready = false;
                }
                Err(error) => {
                    self.log(now_us, &error.to_string());
                    if !concerns_one_connection(&error) {
                        self.back_off(now_us);
                        return None;
                    }
                }
            }
        }
        None
    }

    /// Pauses accepting for a while.
    pub(super) fn back_off(&mut self, now_us: u64) {
        self.retry_at_us = Some(now_us + BACK_OFF_US);
    }

    fn next_ready(&self) -> Option<usize> {
        let count = self.open.len();
        (self.next..self.next + count)
            .map(|index| index % count)
            .find(|&index| self.open[index].is_ready)
    }

    fn log(&mut self, now_us: u64, text: &str) {
        if now_us >= self.next_log_us {
            self.next_log_us = now_us + LOG_EVERY_US;
            warn!("cannot accept a connection: {text}");
        }
    }
}

impl Listener {
    fn accept(&self, tls: &Configuration) -> io::Result<(Service, Transport, Peer)> {
        match &self.socket {
            Listening::Tcp(service, listener) => {
                let (socket, peer) = accept_tcp(listener)?;
                Ok((*service, Transport::Plain(socket), peer))
            }
            Listening::Tls(service, listener) => {
                let (socket, peer) = accept_tcp(listener)?;
                Ok((*service, Transport::Tls(Box::new(Tls::accept(socket, tls)?)), peer))
            }
            Listening::Unix { listener, path, .. } => {
                let (stream, _) = listener.accept()?;
                let credentials = unix_socket::credentials(&stream);
                let peer = Peer::Unix { path: path.clone(), fd: stream.as_raw_fd(), credentials };
                Ok((Service::Resp, Transport::Plain(socket::Socket::Unix(stream)), peer))
            }
        }
    }
}

fn accept_tcp(listener: &TcpListener) -> io::Result<(socket::Socket, Peer)> {
    let (stream, addr) = listener.accept()?;
    // This fails only if the peer has gone, which a read will report.
    let laddr = stream.local_addr().unwrap_or(addr);
    let peer = Peer::Tcp { addr, laddr, fd: stream.as_raw_fd() };
    Ok((socket::Socket::Tcp(stream), peer))
}

/// Whether the process, or the system, has no more descriptors.
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// Whether an error of `accept` concerns only that connection, so that the next one may be fine:
/// accept(2) reports errors that are pending on the new socket.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::PermissionDenied
    )
}

type Bound = (TcpListener, SocketAddr);

/// Listens on one port that is free on all addresses.
fn bind_free_port(addresses: &[String], backlog: i32) -> Result<Vec<Bound>, ServerError> {
    for _ in 1..FREE_PORT_TRIES {
        match bind_all(addresses, 0, backlog) {
            Err(ServerError::Listen { source, .. }) if source.kind() == ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
    bind_all(addresses, 0, backlog)
}

/// Listens on all addresses. A port that was chosen for the first one is used for the others.
fn bind_all(addresses: &[String], port: u16, backlog: i32) -> Result<Vec<Bound>, ServerError> {
    let mut bound: Vec<Bound> = Vec::new();
    for (name, is_optional) in hosts(addresses) {
        let port = bound.first().map_or(port, |(_, address)| address.port());
        match resolve(name, port).and_then(|address| bind_one(address, backlog)) {
            Ok(listener) => bound.push(listener),
            // An optional address may not exist on this machine. But an address in use is an error.
            Err(error) if is_optional && error.kind() != ErrorKind::AddrInUse => {
                log::debug!("not listening on {name}: {error}");
            }
            Err(source) => return Err(cannot_listen(name, port, source)),
        }
    }
    Ok(bound)
}

/// What is wrong with the addresses, as far as it shows without a socket, and the directive that has them.
pub(super) fn check_addresses(settings: &Settings) -> Vec<(&'static str, ServerError)> {
    let http = &settings.http;
    let mut errors = Vec::new();
    if cfg!(not(feature = "http")) && (http.port, http.tls_port) != (0, 0) {
        errors.push(("http-port", ServerError::NoHttp));
    }
    let has_others = settings.unixsocket.is_some() || (http.port, http.tls_port) != (0, 0);
    let ports = [
        ("bind", &settings.bind, settings.port.max(settings.tls.port)),
        ("http-bind", &http.bind, http.port.max(http.tls_port)),
    ];
    for (directive, addresses, port) in ports {
        let is_free_port = directive == "bind" && !has_others;
        let needed = hosts(addresses).filter(|_| port != 0 || is_free_port);
        let needed = needed.filter(|(_, is_optional)| !is_optional);
        errors.extend(needed.filter_map(|(name, _)| {
            Some((directive, cannot_listen(name, port, resolve(name, port).err()?)))
        }));
    }
    if hosts(&settings.bind).next().is_none() && !has_others {
        errors.push(("bind", ServerError::NothingToListenOn));
    }
    errors
}

/// The hosts of `bind`, and whether each may be missing.
fn hosts(addresses: &[String]) -> impl Iterator<Item = (&str, bool)> {
    let given = addresses.iter().filter(|name| !name.is_empty());
    given.map(|name| name.strip_prefix('-').map_or((name.as_str(), false), |name| (name, true)))
}

fn cannot_listen(name: &str, port: u16, source: io::Error) -> ServerError {
    let address =
        if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") };
    ServerError::Listen { address, source }
}

fn resolve(name: &str, port: u16) -> io::Result<SocketAddr> {
    match name {
        "*" => return Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        "::*" => return Ok((Ipv6Addr::UNSPECIFIED, port).into()),
        _ => {}
    }
    let found: Vec<SocketAddr> = (name, port).to_socket_addrs()?.collect();
    let version_4 = found.iter().find(|address| address.is_ipv4());
    version_4.or(found.first()).copied().ok_or_else(|| ErrorKind::AddrNotAvailable.into())
}

fn bind_one(address: SocketAddr, backlog: i32) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart need not wait until the system has forgotten the connections of the previous run.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `::` and `0.0.0.0` are two listeners on every system.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    let listener = TcpListener::from_std(socket.into());
    let address = listener.local_addr()?;
    Ok((listener, address))
}
