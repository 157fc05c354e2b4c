//! Why connections close.

use thiserror::Error;

/// Why a connection closes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer sends no more.
    #[error("the peer closed the connection")]
    PeerClosed,
    /// Reading or writing failed, or the peer took nothing for too long.
    #[error("the connection failed")]
    ConnectionFailed,
    /// The client sent QUIT.
    #[error("QUIT")]
    Quit,
    /// The connection ends with its last HTTP response.
    #[error("its last HTTP response")]
    LastResponse,
    /// The input is not valid protocol, so the start of the next request is unknown.
    #[error("the request broke the protocol")]
    ProtocolError,
    /// A web page made a browser send us a form.
    #[error("POST or Host: instead of a command: a web browser was tricked into connecting")]
    CrossProtocolScripting,
    /// CLIENT KILL by another client.
    #[error("CLIENT KILL")]
    Killed,
    /// The client's user was deleted, or may no longer use a channel to which it is subscribed.
    #[error("its user was deleted or lost a right that it uses")]
    UserChanged,
    /// CLIENT KILL by the client itself, which gets its reply first.
    #[error("CLIENT KILL by the client itself")]
    KilledItself,
    /// The unsent output exceeds `client-output-buffer-limit`.
    #[error("client-output-buffer-limit exceeded")]
    OutputLimit,
    /// More messages wait than a channel policy allows.
    #[error("too slow for its channel policy with `slow-subscriber disconnect`")]
    SlowSubscriber,
    /// The unprocessed input exceeds `client-query-buffer-limit`.
    #[error("client-query-buffer-limit exceeded")]
    QueryLimit,
    /// Not served, in protected mode; it was told so once its handshake was done.
    #[error("refused in protected mode")]
    Denied,
    /// TLS failed.
    #[error("{0}")]
    Tls(TlsFailure),
    /// No input for `timeout` seconds.
    #[error("idle for longer than `timeout`")]
    Idle,
    /// No password within `unauthenticated-timeout` seconds.
    #[error("not authenticated within `unauthenticated-timeout`")]
    AuthTimeout,
    /// Too many error replies before it authenticated.
    #[error("`unauthenticated-errors-max` reached before it authenticated")]
    AuthErrors,
    /// A newer client takes its place.
    #[error("unauthenticated for longest, when a newer client needed its place")]
    Displaced,
    /// The broker has another role in replication now.
    #[error("the role in replication changed")]
    RoleChanged,
    /// The snapshot for a replica cannot be completed.
    #[error("its snapshot cannot be completed")]
    SnapshotLost,
    /// A peer that only wanted a snapshot has it.
    #[error("it has its snapshot")]
    SnapshotSent,
    /// A replica or primary has been silent for `repl-timeout` seconds.
    #[error("silent for `repl-timeout`")]
    ReplicaTimeout,
    /// A MIGRATE has ended, well or not.
    #[error("the migration has ended")]
    MigrationEnded,
    /// What the primary sent cannot be followed.
    #[error("what the primary sent cannot be followed")]
    StreamBroken,
    /// The server stops. Messages in flight stay so.
    #[error("the server shuts down")]
    Shutdown,
}

impl CloseReason {
    /// Whether an operator should know: a rule closed the client, not the client itself.
    pub fn is_for_the_log(self) -> bool {
        matches!(
            self,
            CloseReason::CrossProtocolScripting
                | CloseReason::ProtocolError
                | CloseReason::OutputLimit
                | CloseReason::SlowSubscriber
                | CloseReason::QueryLimit
                | CloseReason::Tls(_)
                | CloseReason::AuthTimeout
                | CloseReason::AuthErrors
                | CloseReason::Displaced
                | CloseReason::SnapshotLost
                | CloseReason::ReplicaTimeout
                | CloseReason::StreamBroken
        )
    }

    /// Whether pending output is still sent before the connection closes.
    pub fn flushes_first(self) -> bool {
        matches!(
            self,
            CloseReason::Quit
                | CloseReason::LastResponse
                | CloseReason::KilledItself
                | CloseReason::ProtocolError
                | CloseReason::PeerClosed
                | CloseReason::Shutdown
                | CloseReason::Denied
                | CloseReason::SnapshotSent
                | CloseReason::AuthErrors
                | CloseReason::Displaced
        )
    }

    /// Whether the connection may stay open for a while until its socket accepts the pending output. A
    /// stranger that does not read gains no time that way.
    pub fn lingers(self) -> bool {
        self.flushes_first() && !matches!(self, CloseReason::AuthErrors | CloseReason::Displaced)
    }
}

/// Why a connection with TLS fails.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The first bytes are not TLS.
    #[error("no TLS, but something else, came from the peer")]
    NoTls,
    /// The peer gave no certificate.
    #[error("the TLS handshake failed: the peer gave no certificate, see `tls-auth-clients`")]
    NoCertificate,
    /// The certificate of the peer is not accepted.
    #[error("the TLS handshake failed: the peer's certificate is not accepted")]
    Certificate,
    /// The peer does not accept our certificate, or anything else.
    #[error("the TLS handshake failed: the peer refused it, perhaps our certificate")]
    Refused,
    /// No version or cipher is common to both.
    #[error("the TLS handshake failed: no version or cipher of TLS in common")]
    Incompatible,
    /// The handshake breaks the protocol.
    #[error("the TLS handshake failed: it broke the protocol")]
    Handshake,
    /// The handshake took too long.
    #[error("the TLS handshake took longer than `tls-handshake-timeout`")]
    Timeout,
    /// A record is damaged, or out of place.
    #[error("a TLS record broke the protocol")]
    Record,
    /// The peer began a second handshake, which only old versions have, and which is not secure.
    #[error("the peer asked for a TLS renegotiation")]
    Renegotiation,
}
