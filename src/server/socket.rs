//! The socket of one peer: bytes in and out of the kernel.

use crate::resp::Output;
use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
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
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Reads what is there. An interruption is no result.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = match self {
                Socket::Tcp(stream) => stream.read(bytes),
                Socket::Unix(stream) => stream.read(bytes),
            };
            if !is_interruption(&result) {
                return result;
            }
        }
    }

    /// Writes as much of the first `bytes_max` bytes of `output` as the socket takes at once.
    pub(super) fn write(&mut self, output: &Output, bytes_max: usize) -> io::Result<usize> {
        let socket: &mut dyn Write = match self {
            Socket::Tcp(stream) => stream,
            Socket::Unix(stream) => stream,
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
        let Socket::Tcp(stream) = self else { return };
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

    /// Sends a last word. It fits the empty buffer of a new socket; if the peer has gone already, nobody
    /// misses it.
    pub(super) fn say(&mut self, text: &str) {
        let _ = match self {
            Socket::Tcp(stream) => stream.write(text.as_bytes()),
            Socket::Unix(stream) => stream.write(text.as_bytes()),
        };
    }

    /// Reads once what the peer sent and nobody will run: closing a socket that holds unread
    /// bytes resets the connection, and the peer would lose the last reply.
    pub(super) fn discard_input(&mut self, buffer: &mut [u8]) {
        let _ = self.read(buffer);
    }

    /// What events are asked for.
    pub(super) fn source(&mut self) -> &mut dyn Source {
        match self {
            Socket::Tcp(stream) => stream,
            Socket::Unix(stream) => stream,
        }
    }
}

fn is_interruption(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::Interrupted)
}
