//! Moves the bytes of a connection to its peer and back. The differences between transports are here, in
//! matches over all of them.

use super::socket::Socket;
use super::tls::Tls;
use super::transfer::{Buffers, Received, SHORT_READ_EMPTIES, Sent};
use crate::clients::CloseReason;
use crate::resp::Output;
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind};

/// The transport to one peer.
#[derive(Debug)]
pub(super) enum Transport {
    /// The bytes are sent as they are.
    Plain(Socket),
    /// The bytes are encrypted.
    Tls(Box<Tls>),
}

impl Transport {
    /// Reads at most `bytes_max` available bytes, one at least, into `buffers.plain`.
    #[inline]
    pub(super) fn receive(&mut self, buffers: &mut Buffers, bytes_max: usize) -> Received {
        let bytes_max = bytes_max.min(buffers.plain.len());
        match self {
            Transport::Plain(socket) => match socket.read(&mut buffers.plain[..bytes_max]) {
                Ok(0) => Received::End,
                Ok(count) => {
                    let is_all = SHORT_READ_EMPTIES && count < bytes_max;
                    Received::Bytes { count, is_all }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Received::WouldBlock,
                Err(_) => Received::Failed(CloseReason::ConnectionFailed),
            },
            Transport::Tls(tls) => tls.receive(buffers, bytes_max),
        }
    }

    /// Writes as many of the first `bytes_max` bytes of `output` as are accepted at once.
    #[inline]
    pub(super) fn send(
        &mut self,
        buffers: &mut Buffers,
        output: &Output,
        bytes_max: usize,
    ) -> Sent {
        match self {
            Transport::Tls(tls) => tls.send(buffers, output, bytes_max),
            Transport::Plain(socket) => match socket.write(output, bytes_max) {
                Ok(count) if count > 0 => Sent::Bytes(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Sent::WouldBlock,
                _ => Sent::Failed,
            },
        }
    }

    /// Bytes that it holds and the socket has not accepted: with some the connection must not be closed
    /// yet.
    #[inline]
    pub(super) fn unsent_bytes(&self) -> usize {
        match self {
            // Accepted bytes are in the kernel.
            Transport::Plain(_) => 0,
            Transport::Tls(tls) => tls.unsent_bytes(),
        }
    }

    /// Writes those bytes. `Bytes` says that none are left.
    pub(super) fn flush(&mut self) -> Sent {
        match self {
            Transport::Plain(_) => Sent::Bytes(0),
            Transport::Tls(tls) => tls.flush(),
        }
    }

    /// Whether a handshake is still to be finished: until then there are no requests and no replies.
    #[inline]
    pub(super) fn is_handshaking(&self) -> bool {
        match self {
            Transport::Plain(_) => false,
            Transport::Tls(tls) => tls.is_handshaking(),
        }
    }

    /// Whether the peer has said, in the bytes that arrived, that it sends no more: for a client that
    /// takes no input now. Without TLS an event says so.
    pub(super) fn finds_end(&mut self, buffers: &mut Buffers) -> bool {
        match self {
            Transport::Plain(_) => false,
            Transport::Tls(tls) => tls.finds_end(buffers),
        }
    }

    /// The common name in the peer's certificate, if it gave one.
    pub(super) fn certificate_name(&self) -> Option<Box<str>> {
        match self {
            Transport::Plain(_) => None,
            Transport::Tls(tls) => tls.certificate_name(),
        }
    }

    /// Requests events for a new connection.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Transport::interest(false);
        registry.register(self.socket().source(), token, interest)
    }

    /// Also requests events for when bytes are accepted again.
    pub(super) fn register_full(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Transport::interest(true);
        registry.reregister(self.socket().source(), token, interest)
    }

    /// The requested events, while the transport is full or not.
    fn interest(is_full: bool) -> Interest {
        // An encrypted connection needs no other events: each read and write goes on until the socket
        // has nothing or accepts nothing, whatever the session wants to do next.
        match is_full {
            false => Interest::READABLE,
            true => Interest::READABLE | Interest::WRITABLE,
        }
    }

    /// Sets the options of a new client's connection: see [`Socket::tune`].
    pub(super) fn tune(&mut self, keepalive_s: u32) {
        self.socket().tune(keepalive_s);
    }

    /// Refuses a new connection, with a last text. Before a handshake nobody could read it, so that with TLS,
    /// as in Redis, the connection just ends.
    pub(super) fn refuse(mut self, text: &[u8]) {
        match &mut self {
            Transport::Plain(socket) => {
                socket.say(text);
                socket.discard_input(&mut [0; 1024]);
            }
            Transport::Tls(_) => {}
        }
    }

    /// Tells the peer that no more is sent. With TLS the response has to say so itself.
    pub(super) fn end_writing(&mut self) {
        match self {
            Transport::Plain(socket) => socket.end_writing(),
            Transport::Tls(_) => {}
        }
    }

    /// Ends the transport; the socket is closed next.
    ///
    /// The writing half is not shut down first: the socket is not read any more, and closing it ends
    /// both halves.
    pub(super) fn end(&mut self, reason: CloseReason, buffers: &mut Buffers) {
        match self {
            Transport::Plain(socket) => {
                if reason.flushes_first() && reason != CloseReason::PeerClosed {
                    socket.discard_input(&mut buffers.plain);
                }
            }
            Transport::Tls(tls) => tls.end(reason, buffers),
        }
    }

    fn socket(&mut self) -> &mut Socket {
        match self {
            Transport::Plain(socket) => socket,
            Transport::Tls(tls) => tls.socket(),
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
        let mut buffers = Buffers::new();
        assert!(matches!(transport.receive(&mut buffers, 4), Received::WouldBlock));
        peer.write_all(b"abcdef").expect("it is taken");
        let first = transport.receive(&mut buffers, 4);
        assert!(matches!(first, Received::Bytes { count: 4, is_all: false }), "{first:?}");
        let second = transport.receive(&mut buffers, 4);
        let Received::Bytes { count: 2, is_all } = second else { panic!("{second:?}") };
        assert_eq!(is_all, SHORT_READ_EMPTIES);
        assert!(matches!(transport.receive(&mut buffers, 4), Received::WouldBlock));
        drop(peer);
        assert!(matches!(transport.receive(&mut buffers, 4), Received::End));
    }

    #[test]
    fn a_full_socket_and_a_broken_one_are_told_apart() {
        let (mut transport, mut peer) = plain();
        let mut buffers = Buffers::new();
        let mut output = Output::default();
        output.bulk(&vec![b'x'; 8 << 20]);
        let Sent::Bytes(taken) = transport.send(&mut buffers, &output, usize::MAX) else {
            panic!("it is empty")
        };
        output.advance(taken);
        while let Sent::Bytes(more) = transport.send(&mut buffers, &output, usize::MAX) {
            output.advance(more);
        }
        assert!(!output.is_empty(), "the socket takes it all");
        assert!(matches!(transport.send(&mut buffers, &output, 1), Sent::WouldBlock));
        while peer.read(&mut [0; 65_536]).is_ok() {}
        assert!(matches!(transport.send(&mut buffers, &output, 1), Sent::Bytes(1)));
        drop(peer);
        assert!(matches!(transport.send(&mut buffers, &output, 1), Sent::Failed));
    }
}
