//! The socket of one peer: moves bytes in and out of the kernel.

use crate::resp::Output;
use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, IoSlice, Read, Write};
use std::time::Duration;

/// Maximum number of slices of one gathered write.
const SLICES_PER_WRITE_MAX: usize = 64;

/// How long a peer may stop reading at least, however short `tcp-keepalive` is.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED_S_MIN: u64 = 20;

/// A socket connected to one peer.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Reads available bytes; retries after an interruption.
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

    /// Writes as many of the first `bytes_max` bytes of `output` as the socket accepts at once.
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

    /// Writes as many bytes as the socket accepts at once.
    pub(super) fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let result = match self {
                Socket::Tcp(stream) => stream.write(bytes),
                Socket::Unix(stream) => stream.write(bytes),
            };
            if !is_interruption(&result) {
                return result;
            }
        }
    }

    /// Sets the options of a client's TCP connection. Small replies are sent at once. A vanished peer is
    /// detected after twice `keepalive_s`; 0 is never. Probes detect an idle peer. While sent bytes are
    /// not acknowledged there are no probes, but a time after which the kernel gives up. That time also
    /// applies to a peer that reads nothing, so it is never short.
    pub(super) fn tune(&self, keepalive_s: u32) {
        let Socket::Tcp(stream) = self else { return };
        // Both fail only if the peer has gone, which a read will report.
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

    /// Sends a last text. It fits the empty buffer of a new socket. If the peer has gone, it does not
    /// matter.
    pub(super) fn say(&mut self, text: &[u8]) {
        let _ = self.write_bytes(text);
    }

    /// Reads once, and discards, what the peer sent but will not run. Closing a socket with unread bytes
    /// resets the connection, and the peer would lose the last reply.
    pub(super) fn discard_input(&mut self, buffer: &mut [u8]) {
        let _ = self.read(buffer);
    }

    /// Ends the writing half. The peer reads an end, and may still send.
    pub(super) fn end_writing(&mut self) {
        let how = std::net::Shutdown::Write;
        // If it fails, the connection is gone.
        let _ = match self {
            Socket::Tcp(stream) => stream.shutdown(how),
            Socket::Unix(stream) => stream.shutdown(how),
        };
    }

    /// The source for which events are requested.
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
