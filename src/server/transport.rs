//! Moves the bytes of a connection to its peer and back. The differences between transports are here, in
//! matches over all of them.

use super::socket::Socket;
use crate::clients::CloseReason;
use crate::resp::Output;
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind};

/// On Linux, a read from a stream socket that returns fewer bytes than requested has emptied it
/// (epoll(7)), and later bytes make a new event: so a request costs one read, not two.
const SHORT_READ_EMPTIES: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// The transport to one peer.
#[derive(Debug)]
pub(super) enum Transport {
    /// The bytes are sent as they are.
    Plain(Socket),
}

/// The result of a read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Received {
    /// This many bytes. `is_all`: there are no more, neither in the socket nor in the transport, so
    /// there is nothing to read before the next event.
    Bytes { count: usize, is_all: bool },
    /// There is nothing now.
    WouldBlock,
    /// The peer sends no more.
    End,
    /// The connection is broken.
    Failed,
}

/// The result of a write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    /// This many bytes were accepted, at least one.
    Bytes(usize),
    /// None can be accepted now.
    WouldBlock,
    /// The connection is broken.
    Failed,
}

impl Transport {
    /// Reads available bytes into `buffer`, which is not empty.
    #[inline]
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Received {
        match self {
            Transport::Plain(socket) => match socket.read(buffer) {
                Ok(0) => Received::End,
                Ok(count) => {
                    let is_all = SHORT_READ_EMPTIES && count < buffer.len();
                    Received::Bytes { count, is_all }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Received::WouldBlock,
                Err(_) => Received::Failed,
            },
        }
    }

    /// Writes as many of the first `bytes_max` bytes of `output` as are accepted at once.
    #[inline]
    pub(super) fn send(&mut self, output: &Output, bytes_max: usize) -> Sent {
        match self {
            Transport::Plain(socket) => match socket.write(output, bytes_max) {
                Ok(count) if count > 0 => Sent::Bytes(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Sent::WouldBlock,
                _ => Sent::Failed,
            },
        }
    }

    /// Whether it holds bytes that the socket has not accepted: then the connection must not be closed
    /// yet.
    #[inline]
    pub(super) fn has_unsent(&self) -> bool {
        match self {
            // Accepted bytes are in the kernel.
            Transport::Plain(_) => false,
        }
    }

    /// Requests events for a new connection.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = self.interest(false);
        registry.register(self.socket().source(), token, interest)
    }

    /// Also requests events for when bytes are accepted again.
    pub(super) fn register_full(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = self.interest(true);
        registry.reregister(self.socket().source(), token, interest)
    }

    /// The requested events, while the transport is full or not.
    fn interest(&self, is_full: bool) -> Interest {
        match (self, is_full) {
            (Transport::Plain(_), false) => Interest::READABLE,
            (Transport::Plain(_), true) => Interest::READABLE | Interest::WRITABLE,
        }
    }

    /// Sets the options of a new client's connection: see [`Socket::tune`].
    pub(super) fn tune(&mut self, keepalive_s: u32) {
        self.socket().tune(keepalive_s);
    }

    /// Refuses a new connection, with a last text.
    pub(super) fn refuse(mut self, text: &str) {
        match &mut self {
            Transport::Plain(socket) => {
                socket.say(text);
                socket.discard_input(&mut [0; 1024]);
            }
        }
    }

    /// Ends the transport; the socket is closed next.
    ///
    /// The writing half is not shut down first: the socket is not read any more, and closing it ends
    /// both halves.
    pub(super) fn end(&mut self, reason: CloseReason, buffer: &mut [u8]) {
        match self {
            Transport::Plain(socket) => {
                if reason.flushes_first() && reason != CloseReason::PeerClosed {
                    socket.discard_input(buffer);
                }
            }
        }
    }

    fn socket(&mut self) -> &mut Socket {
        match self {
            Transport::Plain(socket) => socket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::net::UnixStream;
    use std::io::{Read, Write};

    /// A transport and its peer, both non-blocking.
    fn plain() -> (Transport, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        (Transport::Plain(Socket::Unix(ours)), theirs)
    }

    #[test]
    fn bytes_silence_and_the_end_are_told_apart() {
        let (mut transport, mut peer) = plain();
        let mut buffer = [0; 4];
        assert!(matches!(transport.receive(&mut buffer), Received::WouldBlock));
        peer.write_all(b"abcdef").expect("it is taken");
        let first = transport.receive(&mut buffer);
        assert!(matches!(first, Received::Bytes { count: 4, is_all: false }), "{first:?}");
        let second = transport.receive(&mut buffer);
        let Received::Bytes { count: 2, is_all } = second else { panic!("{second:?}") };
        assert_eq!(is_all, SHORT_READ_EMPTIES);
        assert!(matches!(transport.receive(&mut buffer), Received::WouldBlock));
        drop(peer);
        assert!(matches!(transport.receive(&mut buffer), Received::End));
    }

    #[test]
    fn a_full_socket_and_a_broken_one_are_told_apart() {
        let (mut transport, mut peer) = plain();
        let mut output = Output::default();
        output.bulk(&vec![b'x'; 8 << 20]);
        let Sent::Bytes(taken) = transport.send(&output, usize::MAX) else { panic!("it is empty") };
        output.advance(taken);
        while let Sent::Bytes(more) = transport.send(&output, usize::MAX) {
            output.advance(more);
        }
        assert!(!output.is_empty(), "the socket takes it all");
        assert!(matches!(transport.send(&output, 1), Sent::WouldBlock));
        while peer.read(&mut [0; 65_536]).is_ok() {}
        assert!(matches!(transport.send(&output, 1), Sent::Bytes(1)));
        drop(peer);
        assert!(matches!(transport.send(&output, 1), Sent::Failed));
    }
}
