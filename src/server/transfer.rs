//! What every transport shares: the results of reads and writes, and the buffers.

use crate::clients::CloseReason;

/// On Linux, a read from a stream socket that returns fewer bytes than requested has emptied it
/// (epoll(7)), and later bytes make a new event: so a request costs one read, not two.
pub(super) const SHORT_READ_EMPTIES: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Size of the buffer for the reads of all connections. The broker assembles larger requests.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Buffers that all connections use in turn, each only during one read or write.
#[derive(Debug)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS needs all of them"))]
pub(super) struct Buffers {
    /// What the last read received.
    pub plain: Box<[u8]>,
    /// Encrypted records, read or to be written; empty before the first connection with TLS.
    pub records: Vec<u8>,
    /// The pieces of an output, to be encrypted as one.
    pub gathered: Vec<u8>,
}

impl Buffers {
    pub(super) fn new() -> Buffers {
        let plain = vec![0; READ_BYTES_MAX].into_boxed_slice();
        Buffers { plain, records: Vec::new(), gathered: Vec::new() }
    }
}

/// The result of a read.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS has all of them"))]
pub(super) enum Received {
    /// This many bytes. `is_all`: there are no more, neither in the socket nor in the transport, so
    /// there is nothing to read before the next event.
    Bytes { count: usize, is_all: bool },
    /// Bytes arrived, but none of them for the reader: `read` of them, from the socket. `is_all` as above.
    Nothing { read: usize, is_all: bool },
    /// The handshake is done: from now on requests may come. There may be more to read at once.
    Established,
    /// There is nothing now.
    WouldBlock,
    /// The peer sends no more.
    End,
    /// The connection is broken, or its peer does not keep to the protocol.
    Failed(CloseReason),
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
