//! One connection: its socket, and what is known of it.

use crate::client_id::ClientId;
use crate::clients::CloseReason;
use crate::resp::Output;
use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, IoSlice, Read, Write};
use std::time::Duration;

/// Slices of one gathered write.
const SLICES_PER_WRITE_MAX: usize = 64;

/// A peer may stop reading for so long, however short `tcp-keepalive` is.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED_S_MIN: u64 = 20;

/// A socket that talks to one peer.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Reads what is there. An interruption is no result.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = match self {
                Stream::Tcp(stream) => stream.read(bytes),
                Stream::Unix(stream) => stream.read(bytes),
            };
            if !is_interruption(&result) {
                return result;
            }
        }
    }

    /// Writes as much of the first `bytes_max` bytes of `output` as the socket takes at once.
    pub(super) fn write(&mut self, output: &Output, bytes_max: usize) -> io::Result<usize> {
        let socket: &mut dyn Write = match self {
            Stream::Tcp(stream) => stream,
            Stream::Unix(stream) => stream,
        };
        loop {
            let result = match output.contiguous() {
                Some(bytes) => socket.write(&bytes[..bytes.len().min(bytes_max)]),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE_MAX];
                    let filled = output.io_slices(&mut slices, bytes_max);
                    socket.write_vectored(&slices[..filled])
                }
            };
            if !is_interruption(&result) {
                return result;
            }
        }
    }

    /// Sets what a TCP connection of a client is to be: small replies leave at once, and a peer
    /// that vanished without a word is noticed after twice `keepalive_s`; 0 is never. Probes find one who
    /// is owed nothing. For one that does not acknowledge what was sent there are no probes, but a time
    /// after which the kernel gives up. It holds for a peer that reads nothing as well, so it is never
    /// short.
    pub(super) fn tune(&self, keepalive_s: u32) {
        let Stream::Tcp(stream) = self else { return };
        // Neither can fail but for a peer that has gone already, which reading will tell.
        let _ = stream.set_nodelay(true);
        if keepalive_s > 0 {
            let interval_s = (keepalive_s / 3).max(1);
            let keepalive = TcpKeepalive::new()
                .with_time(Duration::from_secs(keepalive_s.into()))
                .with_interval(Duration::from_secs(interval_s.into()))
                .with_retries(3);
            let socket = SockRef::from(stream);
            let _ = socket.set_tcp_keepalive(&keepalive);
            #[cfg(any(target_os = "linux", target_os = "android"))]
            {
                let probed_s = u64::from(keepalive_s) + 3 * u64::from(interval_s);
                let timeout = Duration::from_secs(probed_s.max(UNACKNOWLEDGED_S_MIN));
                let _ = socket.set_tcp_user_timeout(Some(timeout));
            }
        }
    }

    /// Sends a last word to a peer that is not taken in. It fits the empty buffer of a new
    /// socket; if the peer has gone already, nobody misses it.
    pub(super) fn dismiss(mut self, text: &str) {
        let _ = match &mut self {
            Stream::Tcp(stream) => stream.write(text.as_bytes()),
            Stream::Unix(stream) => stream.write(text.as_bytes()),
        };
        self.discard_input(&mut [0; 1024]);
    }

    /// Reads once what the peer sent and nobody will run: closing a socket that holds unread
    /// bytes resets the connection, and the peer would lose the last reply.
    pub(super) fn discard_input(&mut self, buffer: &mut [u8]) {
        let _ = self.read(buffer);
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Stream::Tcp(stream) => stream,
            Stream::Unix(stream) => stream,
        }
    }
}

fn is_interruption(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::Interrupted)
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub id: ClientId,
    pub stream: Stream,
    /// Whether the socket may hold bytes. Events come only when bytes arrive, so this is kept
    /// while the client takes no input.
    pub is_readable: bool,
    /// Whether the connection is among those to be read.
    pub is_to_read: bool,
    /// Whether an event said that the peer sends no more.
    pub is_peer_done: bool,
    /// Whether the socket takes bytes, as far as is known.
    pub is_writable: bool,
    /// Whether events say when the socket takes bytes again.
    waits_for_writable: bool,
    /// Why the connection is closed once its last bytes are sent.
    pub closing: Option<CloseReason>,
    /// When the socket last took bytes, of a connection that is closed after them.
    pub progress_us: u64,
    /// The client is gone, and the slot about to be free.
    pub is_gone: bool,
}

impl Connection {
    pub(super) fn new(id: ClientId, stream: Stream) -> Connection {
        Connection {
            id,
            stream,
            is_readable: false,
            is_to_read: false,
            is_peer_done: false,
            is_writable: true,
            waits_for_writable: false,
            closing: None,
            progress_us: 0,
            is_gone: false,
        }
    }

    /// Notes that the socket takes no more, and asks for an event when it does.
    ///
    /// The first time costs a system call; after that the kernel goes on saying so. Asking for
    /// it from the start would cost everybody: a Unix socket mentions each time its peer reads.
    pub(super) fn wait_for_writable(
        &mut self,
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        self.is_writable = false;
        if !self.waits_for_writable {
            self.waits_for_writable = true;
            let both = Interest::READABLE | Interest::WRITABLE;
            registry.reregister(self.stream.source(), token, both)?;
        }
        Ok(())
    }
}

/// Asks for events when bytes arrive.
pub(super) fn register(stream: &mut Stream, registry: &Registry, token: Token) -> io::Result<()> {
    registry.register(stream.source(), token, Interest::READABLE)
}
