//! The record of one client.

use super::close_reason::CloseReason;
use super::consuming::Consuming;
use super::holds::LastChange;
use super::outbox::Outbox;
use super::wait::{Blocked, Wait};
use crate::acl::{UserId, Users};
use crate::client_id::ClientId;
use crate::flags::Flags;
use crate::keyspace::{DbIndex, Key};
use crate::resp::{OwnedRequest, RequestParser};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// From this size on, the input buffer is allocated for the whole argument.
const LARGE_ARGUMENT_BYTES: usize = 256 * 1024;
/// Limit on the allocated input buffer, as a multiple of the received bytes: announcing a large argument
/// must not reserve more address space.
const PROMISED_INPUT_MAX: usize = 64;
/// Extra capacity for what follows a large argument.
const BEHIND_ARGUMENT_BYTES: usize = 64 * 1024;

/// The process that connected to a Unix socket, as it was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// Its process id.
    pub pid: i32,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

/// How a client is connected.
#[derive(Clone, Debug)]
pub enum Peer {
    /// Over TCP.
    Tcp {
        /// The peer's address.
        addr: SocketAddr,
        /// Our own address.
        laddr: SocketAddr,
        /// The descriptor, as CLIENT LIST shows it.
        fd: i32,
    },
    /// Over a Unix socket.
    Unix {
        /// The path on which we listen.
        path: Arc<Path>,
        /// The descriptor, as CLIENT LIST shows it.
        fd: i32,
        /// The process behind it, if the operating system says so.
        credentials: Option<PeerCredentials>,
    },
    /// Within this program, without a socket.
    InProcess,
}

impl Peer {
    /// A client within this program.
    pub fn in_process() -> Peer {
        Peer::InProcess
    }

    /// The peer's address as CLIENT LIST shows it.
    pub fn addr(&self) -> String {
        match self {
            Peer::Tcp { addr, .. } => show_address(addr),
            Peer::Unix { path, .. } => format!("{}:0", path.display()),
            Peer::InProcess => "in-process:0".into(),
        }
    }

    /// The peer's address without its port.
    pub fn host(&self) -> String {
        match self {
            Peer::Tcp { addr, .. } => addr.ip().to_canonical().to_string(),
            Peer::Unix { path, .. } => path.display().to_string(),
            Peer::InProcess => "in-process".into(),
        }
    }

    /// Our own address as CLIENT LIST shows it.
    pub fn laddr(&self) -> String {
        match self {
            Peer::Tcp { laddr, .. } => show_address(laddr),
            _ => self.addr(),
        }
    }

    /// The descriptor; -1 without one.
    pub fn fd(&self) -> i32 {
        match self {
            Peer::Tcp { fd, .. } | Peer::Unix { fd, .. } => *fd,
            Peer::InProcess => -1,
        }
    }

    /// Whether the client is on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Peer::Tcp { addr, .. } => addr.ip().to_canonical().is_loopback(),
            Peer::Unix { .. } | Peer::InProcess => true,
        }
    }
}

/// Redis writes IPv6 addresses without a zone and without shortening.
fn show_address(addr: &SocketAddr) -> String {
    match addr.ip() {
        std::net::IpAddr::V4(ip) => format!("{ip}:{}", addr.port()),
        std::net::IpAddr::V6(ip) => format!("[{ip}]:{}", addr.port()),
    }
}

/// Which replies a client wants (CLIENT REPLY).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    #[default]
    On,
    Off,
    /// Skips the reply of the next command.
    SkipNext,
    /// Skips the reply of the current command.
    Skip,
}

/// The part that a connection has in replication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ClientRole {
    /// None: it is a client.
    #[default]
    Client,
    /// A replica is at its other end.
    Replica,
    /// Our primary is.
    Primary,
    /// The target of MIGRATE is.
    Target,
}

/// What a client reports about itself.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    /// CLIENT SETNAME
    pub name: Vec<u8>,
    /// CLIENT SETINFO lib-name
    pub library_name: Vec<u8>,
    /// CLIENT SETINFO lib-ver
    pub library_version: Vec<u8>,
}

/// MULTI and WATCH.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// Whether there was a MULTI.
    pub is_open: bool,
    /// The commands queued since.
    pub queued: Vec<OwnedRequest>,
    /// The union of their properties.
    pub(crate) flags: Flags,
    /// Memory of `queued`.
    pub queued_bytes: usize,
    /// A command could not be queued: EXEC will fail.
    pub is_aborted: bool,
    /// The watched keys.
    pub watched: Vec<(DbIndex, Key)>,
    /// A watched key changed: EXEC will do nothing.
    pub is_watch_broken: bool,
}

/// The subscriptions of a client.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    pub channels: BTreeSet<Key>,
    pub patterns: BTreeSet<Key>,
    pub shard_channels: BTreeSet<Key>,
}

impl Subscriptions {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }
}

/// A client that must authenticate and has not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stranger {
    /// Since when, in microseconds of the monotonic clock.
    pub(super) since_us: u64,
    /// Error replies since then.
    pub(super) errors: u64,
}

/// The record of one connected client. Parts that only some clients need are behind a pointer: an idle
/// connection costs a few hundred bytes.
#[derive(Debug)]
pub(crate) struct Client {
    pub id: ClientId,
    pub peer: Peer,
    pub db: DbIndex,
    /// The user whose rights it has.
    pub user: UserId,
    pub is_authenticated: bool,
    pub role: ClientRole,
    /// Whether its output is a snapshot for a replica.
    pub(super) receives_snapshot: bool,
    /// Bytes of the stream that a replica has not got, besides its output.
    pub(super) unsent_stream_bytes: u64,
    /// Its AUTH has waited for long enough, and runs next.
    pub is_auth_delay_over: bool,
    pub is_monitor: bool,
    /// CLIENT NO-EVICT: shown by CLIENT LIST; no client is ever evicted.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH: its commands do not update the last use of keys.
    pub no_touch: bool,
    pub reply_mode: ReplyMode,
    pub identity: Option<Box<Identity>>,
    /// The common name in the client's TLS certificate, if it gave one.
    pub certificate_name: Option<Box<str>>,
    pub blocked: Option<Blocked>,
    pub transaction: Option<Box<Transaction>>,
    pub subscriptions: Option<Box<Subscriptions>>,
    /// Why the connection is closing; no more of its input is run.
    pub closing: Option<CloseReason>,
    /// Input not yet run: the start of a request, or requests that must wait.
    pub input: Vec<u8>,
    /// The parser's progress in the first request of `input`.
    pub parser: Option<Box<RequestParser>>,
    /// Microseconds of the monotonic clock.
    pub connected_us: u64,
    pub last_active_us: u64,
    /// The full name of the last command, such as `client|list`.
    pub last_command: Option<&'static str>,
    /// The number of the latest input: see `inputs.rs`.
    pub input_number: u64,
    /// Its latest change that was recorded.
    pub(super) last_change: LastChange,
    /// Whether bytes arrived while the client waited, and were not read yet.
    pub(super) has_early_input: bool,
    /// State for at-least-once delivery, if the client takes such messages.
    pub(super) consuming: Option<Box<Consuming>>,
    /// While it must authenticate: see `strangers.rs`.
    pub(super) stranger: Option<Box<Stranger>>,
    pub(super) outbox: Outbox,
    /// When the client is closed if its output stays above the soft limit.
    pub(super) soft_limit_due_us: Option<u64>,
    /// Memory that another protocol's interface holds for it.
    pub(super) interface_bytes: usize,
    pub(super) counted_bytes: usize,
    pub(super) is_dirty: bool,
    pub(super) is_in_backlog: bool,
    pub(super) is_resumed: bool,
}

impl Client {
    pub(super) fn new(id: ClientId, peer: Peer, now_us: u64) -> Client {
        Client {
            id,
            peer,
            db: 0,
            user: UserId::DEFAULT,
            is_authenticated: false,
            role: ClientRole::Client,
            receives_snapshot: false,
            unsent_stream_bytes: 0,
            is_auth_delay_over: false,
            is_monitor: false,
            no_evict: false,
            no_touch: false,
            reply_mode: ReplyMode::On,
            identity: None,
            certificate_name: None,
            blocked: None,
            transaction: None,
            subscriptions: None,
            closing: None,
            input: Vec::new(),
            parser: None,
            connected_us: now_us,
            last_active_us: now_us,
            last_command: None,
            input_number: 0,
            last_change: LastChange::default(),
            has_early_input: false,
            consuming: None,
            stranger: None,
            outbox: Outbox::default(),
            soft_limit_due_us: None,
            interface_bytes: 0,
            counted_bytes: 0,
            is_dirty: false,
            is_in_backlog: false,
            is_resumed: false,
        }
    }

    /// Number, address and name, for the log. A name has only printable characters.
    pub(crate) fn described(&self) -> String {
        let (id, addr) = (self.id.number(), self.peer.addr());
        let mut text = format!("client {id} from {addr}");
        if let Some(name) = &self.certificate_name {
            text.push_str(&format!(" with the certificate of {name}"));
        }
        if let Some(identity) = self.identity.as_deref().filter(|one| !one.name.is_empty()) {
            text.push_str(&format!(", named {}", String::from_utf8_lossy(&identity.name)));
        }
        text
    }

    /// Whether the client has any subscription.
    #[inline]
    pub(crate) fn is_subscriber(&self) -> bool {
        self.subscriptions.as_ref().is_some_and(|subscriptions| !subscriptions.is_empty())
    }

    /// Whether the client must first authenticate. No longer true if the default user needs no password
    /// any more.
    #[inline]
    pub(crate) fn must_authenticate(&self, users: &Users) -> bool {
        !self.is_authenticated && !users.is_open()
    }

    /// Whether the client was found to be a stranger: see `strangers.rs`.
    #[inline]
    pub(crate) fn is_stranger(&self) -> bool {
        self.stranger.is_some()
    }

    /// Whether the client is between MULTI and EXEC or DISCARD.
    #[inline]
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.is_open)
    }

    /// Whether pops on the connection have overlapped, so that they acknowledge nothing.
    pub(crate) fn is_shared(&self) -> bool {
        self.consuming.as_ref().is_some_and(|consuming| consuming.is_shared)
    }

    /// Whether more input may be read: not while the client waits, closes, or has enough input.
    #[inline]
    pub(crate) fn wants_input(&self) -> bool {
        self.blocked.is_none() && self.closing.is_none() && !self.is_in_backlog
    }

    /// Stores input that cannot run yet. Once a part of a large argument has arrived, the buffer is
    /// allocated for all of it, so that it is not copied at each doubling.
    pub(crate) fn keep_input(&mut self, bytes: &[u8]) {
        let needed = self.parser.as_ref().map_or(0, |parser| parser.bytes_needed());
        let len = self.input.len() + bytes.len();
        if len > self.input.capacity() && needed >= LARGE_ARGUMENT_BYTES {
            let capacity = needed.min(len.saturating_mul(PROMISED_INPUT_MAX)).max(len);
            // Growing in place would also copy unused capacity.
            let mut larger = Vec::with_capacity(capacity + BEHIND_ARGUMENT_BYTES);
            larger.extend_from_slice(&self.input);
            self.input = larger;
        }
        self.input.extend_from_slice(bytes);
    }

    /// Whether the client is closed except for its slot: nothing more is sent to it.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(
            self.closing,
            Some(
                CloseReason::Killed
                    | CloseReason::UserChanged
                    | CloseReason::Idle
                    | CloseReason::AuthTimeout
                    | CloseReason::ConnectionFailed
                    | CloseReason::RoleChanged
                    | CloseReason::Tls(_)
            )
        )
    }

    /// Whether the client's socket did not accept all output it was offered.
    pub(crate) fn is_slow(&self) -> bool {
        !self.outbox.is_empty() && !self.is_dirty
    }

    /// The pending output, read-only.
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The waiting call, if there is one.
    pub(crate) fn wait(&self) -> Option<&Wait> {
        match &self.blocked {
            Some(Blocked::Call(wait)) => Some(wait),
            Some(Blocked::Pause(_) | Blocked::AuthDelay(_)) | None => None,
        }
    }

    /// Memory of the record and the buffers: input, output, queued commands, a waiting call. Not that of the
    /// connection, such as the keys of TLS.
    pub(crate) fn memory_bytes(&self) -> usize {
        let queued = self.transaction.as_ref().map_or(0, |transaction| transaction.queued_bytes);
        let parser = self.parser.as_ref().map_or(0, |parser| parser.memory_bytes());
        // Capacity for the part of a large argument that has not arrived takes no memory.
        let input = self.input.capacity().min(self.input.len() + LARGE_ARGUMENT_BYTES);
        let waiting = self.wait().map_or(0, Wait::memory_bytes);
        let output = self.outbox.memory_bytes();
        let buffers = input + output + self.interface_bytes;
        size_of::<Client>() + buffers + parser + queued + waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Limits;

    #[test]
    fn a_large_argument_is_not_copied_again_and_again_as_it_comes() {
        let mut client = Client::new(ClientId::new(1, 0), Peer::InProcess, 0);
        let length = 40 << 20;
        let mut bytes = format!("*2\r\n$4\r\nECHO\r\n${length}\r\n").into_bytes();
        let request_bytes = bytes.len() + length + 2;
        bytes.resize(request_bytes, b'x');
        let (mut moved, mut parser) = (0, RequestParser::default());
        for part in bytes.chunks(64 * 1024) {
            let (before, capacity) = (client.input.len(), client.input.capacity());
            client.keep_input(part);
            if client.input.capacity() != capacity {
                moved += before;
            }
            assert!(client.input.capacity() <= 65 * client.input.len(), "far more than has come");
            // As the broker does: complete requests run, and the parser's state is kept for the rest.
            let limits = Limits { bulk_bytes_max: u64::MAX, is_unauthenticated: false };
            let mut kept = client.parser.take().map_or_else(RequestParser::default, |kept| *kept);
            kept.parse(&client.input, limits).expect("no error");
            client.parser = kept.is_partial().then(|| Box::new(std::mem::take(&mut kept)));
            parser = kept;
        }
        assert!(moved < length / 4, "{moved} bytes were moved");
        assert!(client.input.capacity() <= request_bytes + BEHIND_ARGUMENT_BYTES);
        assert_eq!(parser.request(&client.input).get(1).map(<[u8]>::len), Some(length));
    }
}
