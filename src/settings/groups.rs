//! Settings that belong together.

use super::types::{ClientCertificates, LocalAccess};
use std::path::PathBuf;

/// Limits on clients that must authenticate and have not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrangerSettings {
    /// Seconds after which such a client is closed; 0 for never.
    pub timeout_s: u32,
    /// Error replies after which such a client is closed; 0 for no limit.
    pub errors_max: u64,
    /// Maximum number of such clients; 0 for no limit.
    pub clients_max: u64,
    /// Refused passwords from one address before its AUTH waits.
    pub auth_delay_after: u64,
    /// Maximum wait of an AUTH; 0 for none.
    pub auth_delay_max_ms: u64,
    /// Seconds after which refused passwords are forgotten.
    pub auth_delay_forget_s: u32,
    /// Maximum number of addresses whose refused passwords are remembered.
    pub auth_delay_addresses_max: u64,
}

/// The acknowledgements of replicas that changes need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcknowledgementSettings {
    /// How many replicas must have a change before its reply is sent; 0 for none.
    pub replicas: u8,
    /// Milliseconds that such a reply waits, before it becomes an error.
    pub timeout_ms: u64,
    /// Replicas without which changes are refused; 0 for none.
    pub replicas_min: u32,
    /// Seconds since the last acknowledgement of a replica that counts for this; 0 for no such limit on changes.
    pub lag_max_s: u64,
}

/// Encrypted connections: the directives `tls-…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// TCP port for connections with TLS; 0 for none.
    pub port: u16,
    /// File with the server's certificate, and those between it and the authority.
    pub cert_file: Option<PathBuf>,
    /// File with the key of the certificate.
    pub key_file: Option<PathBuf>,
    /// Password of the key; empty for none.
    pub key_file_pass: String,
    /// File with the authorities whose client certificates are accepted.
    pub ca_cert_file: Option<PathBuf>,
    /// Directory with files of such authorities.
    pub ca_cert_dir: Option<PathBuf>,
    /// Whether the connection to the primary has TLS.
    pub replication: bool,
    /// Whether the connections of MIGRATE have TLS.
    pub cluster: bool,
    /// File with the certificate that is shown to other servers; without one, `cert_file` is.
    pub client_cert_file: Option<PathBuf>,
    /// File with the key of that certificate.
    pub client_key_file: Option<PathBuf>,
    /// Password of that key; empty for none.
    pub client_key_file_pass: String,
    /// Whether clients need a certificate.
    pub auth_clients: ClientCertificates,
    /// What of a client's certificate names its user: `CN` or `off`.
    pub auth_clients_user: String,
    /// Versions of TLS, separated by spaces; empty for all.
    pub protocols: String,
    /// Ciphers of TLS 1.2, separated by colons; empty for all.
    pub ciphers: String,
    /// Ciphers of TLS 1.3, separated by colons; empty for all.
    pub ciphersuites: String,
    /// Whether the order of the ciphers is the server's instead of the client's.
    pub prefer_server_ciphers: bool,
    /// Whether clients may resume their sessions.
    pub session_caching: bool,
    /// Sessions kept at most; 0 for no limit.
    pub session_cache_size: u32,
    /// Seconds for which a session can be resumed.
    pub session_cache_timeout_s: u32,
    /// Seconds after which an unfinished handshake is given up.
    pub handshake_timeout_s: u32,
    /// Handshakes continued in a turn.
    pub handshakes_per_turn_max: u32,
}

/// The HTTP interface: the directives `http-…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpSettings {
    /// TCP port for HTTP; 0 for none.
    pub port: u16,
    /// TCP port for HTTP with TLS; 0 for none.
    pub tls_port: u16,
    /// Addresses to listen on for HTTP; an address with a leading `-` may fail to bind.
    pub bind: Vec<String>,
    /// Paths, each followed by the queue to which what is posted there is added.
    pub push_paths: Vec<String>,
    /// Origins of the web pages that may use the interface, besides our own page; `*` for all.
    pub allowed_origins: Vec<String>,
    /// Names under which a broker without a password may be addressed; `*` for all.
    pub hosts: Vec<String>,
    /// Maximum number of HTTP connections; 0 for no limit.
    pub clients_max: u32,
    /// Maximum bytes of a request's first line and headers.
    pub head_bytes_max: u64,
    /// Maximum number of headers.
    pub headers_max: u32,
    /// Maximum bytes of a body.
    pub body_bytes_max: u64,
    /// Messages in one body, and words of a command in one.
    pub batch_max: u32,
    /// Seconds in which a request must be complete once it has begun.
    pub request_timeout_s: u32,
    /// Seconds after which a connection without a request is closed.
    pub idle_timeout_s: u32,
    /// Seconds after which a silent event stream sends a sign of life.
    pub ping_interval_s: u32,
    /// Requests of a connection that may be in progress.
    pub pipeline_max: u32,
    /// Queues that a page shows at most.
    pub page_queues_max: u32,
    /// Maximum wait for a message.
    pub wait_max_s: u32,
    /// Seconds for which a message belongs to whoever popped it, unless the request says otherwise.
    pub lease_s: u32,
}

/// How hashes, sets and streams are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodingSettings {
    /// Fields up to which OBJECT ENCODING calls a hash a listpack.
    pub hash_listpack_entries_max: u64,
    /// Bytes of the longest field or value in such a hash.
    pub hash_listpack_bytes_max: u64,
    /// Members up to which a set of integers is stored in order.
    pub intset_entries_max: u64,
    /// Maximum bytes of a block of a stream.
    pub stream_block_bytes_max: u64,
    /// Maximum number of entries in a block of a stream.
    pub stream_block_entries_max: u64,
}

/// How sorted sets are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortedSetSettings {
    /// Members up to which one is a packed buffer.
    pub small_len_max: u64,
    /// Bytes of a member up to which this is so.
    pub small_member_bytes_max: u64,
}

/// Scripts and functions in Lua.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptSettings {
    /// Memory that all scripts may take together.
    pub memory_bytes_max: u64,
    /// Milliseconds after which a script that has changed nothing is stopped; 0 for never.
    pub time_limit_ms: u64,
    /// Milliseconds after which other clients are answered BUSY; 0 for never.
    pub busy_reply_threshold_ms: u64,
    /// Maximum number of scripts that SCRIPT LOAD keeps.
    pub scripts_max: u64,
}

/// Replication: the directives `repl-…`, `replica-…` and `master…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationSettings {
    /// Host and port of the primary, with a space between; empty for a primary.
    pub primary: String,
    /// Password for the primary; empty for none.
    pub password: String,
    /// User for the primary; empty for the default user.
    pub user: String,
    /// Who may use REPLICAOF.
    pub enable_command: LocalAccess,
    /// Whether a replica without its primary answers reads.
    pub serves_stale: bool,
    /// Sentinel promotes the replica with the lowest number; with 0 never.
    pub priority: u32,
    /// Whether Sentinel tells clients of this replica.
    pub is_announced: bool,
    /// Address that a replica tells its primary; empty for none.
    pub announce_ip: String,
    /// Port that a replica tells its primary; 0 for the one that it listens on.
    pub announce_port: u16,
    /// Bytes of the stream kept for replicas that come back.
    pub backlog_bytes: u64,
    /// Seconds after which a primary without replicas drops them; 0 for never.
    pub backlog_ttl_s: u64,
    /// Seconds of silence after which a link is given up.
    pub timeout_s: u32,
    /// Seconds between signs of life in an idle stream.
    pub ping_period_s: u32,
    /// Seconds that a full sync waits for further replicas.
    pub sync_delay_s: u32,
    /// Whether a primary that started without data refuses replicas that have data.
    pub is_restart_safe: bool,
    /// Bytes of a transaction of the primary that a replica keeps until its EXEC.
    pub transaction_bytes_max: u64,
}
