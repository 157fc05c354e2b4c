//! The settings as fields, one for each directive with an effect.

use super::error::Place;
use super::groups::{
    AcknowledgementSettings, EncodingSettings, HttpSettings, ReplicationSettings, ScriptSettings,
    SortedSetSettings, StrangerSettings, TlsSettings,
};
use super::types::{FsyncPolicy, LocalAccess, LogLevel, OutputLimit, SavePoint, Supervision};
use super::value::Value;
use crate::policy::{ChannelPolicy, QueuePolicy};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The settings, each with its unit last in its name.
///
/// The modules above read the fields directly. Once the server runs, they change only through
/// [`Settings::set`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// TCP port to listen on; 0 for none.
    pub port: u16,
    /// Addresses to listen on; an address with a leading `-` may fail to bind.
    pub bind: Vec<String>,
    /// Path of the Unix socket to listen on.
    pub unixsocket: Option<PathBuf>,
    /// Permission bits of the Unix socket; `None` leaves them to the umask.
    pub unixsocketperm: Option<u32>,
    /// Encrypted connections.
    pub tls: TlsSettings,
    /// The HTTP interface.
    pub http: HttpSettings,
    /// Length of the kernel's queue of connections not yet accepted.
    pub tcp_backlog: u32,
    /// Seconds between TCP keepalive probes; 0 for none.
    pub tcp_keepalive_s: u32,
    /// Seconds after which an idle client is closed; 0 for never.
    pub timeout_s: u32,
    /// Maximum number of clients.
    pub maxclients: u32,
    /// Memory limit; above it, commands that may grow the data are refused. 0 for no limit.
    pub maxmemory_bytes: u64,
    /// Number of databases that SELECT can choose from.
    pub databases: u32,
    /// Password of the default user; empty for none.
    pub requirepass: String,
    /// Users, each with its name and rules, as `user` directives give them.
    pub users: Vec<Vec<String>>,
    /// File with the users; none if `user` directives or nobody gives them.
    pub aclfile: Option<PathBuf>,
    /// Which channels new users may use: `allchannels` or `resetchannels`.
    pub acl_pubsub_default: String,
    /// Maximum number of entries in the log of refused requests.
    pub acllog_len_max: u64,
    /// Limits on clients that must authenticate and have not.
    pub strangers: StrangerSettings,
    /// Maximum length of one argument of a request.
    pub proto_max_bulk_bytes: u64,
    /// Maximum unparsed input of one client.
    pub query_buffer_bytes_max: u64,
    /// Maximum unread output of normal clients, of replicas, of subscribers.
    pub output_limits: [OutputLimit; 3],
    /// Whether to serve only clients of this machine while there is no password.
    pub protected_mode: bool,
    /// Who may use DEBUG.
    pub enable_debug_command: LocalAccess,
    /// Who may change settings that choose where files are written.
    pub enable_protected_configs: LocalAccess,
    /// Commands that take longer are recorded in the slow log; 0 records all, negative none.
    pub slowlog_threshold_us: i64,
    /// Maximum number of entries in the slow log.
    pub slowlog_len_max: u64,
    /// Events that take longer are recorded by LATENCY; 0 for none.
    pub latency_threshold_ms: u64,
    /// Whether the times of commands are recorded.
    pub latency_tracking: bool,
    /// The percentiles of these times in INFO, separated by spaces.
    pub latency_percentiles: String,
    /// The lowest severity of log lines that are written.
    pub loglevel: LogLevel,
    /// File for log lines; empty for standard error.
    pub logfile: String,
    /// Whether the program continues in the background.
    pub daemonize: bool,
    /// Service manager to notify.
    pub supervised: Supervision,
    /// File for the process id.
    pub pidfile: Option<PathBuf>,
    /// Directory that relative paths start from.
    pub dir: PathBuf,
    /// Maximum bytes read from one client in a turn.
    pub turn_read_bytes_max: usize,
    /// Maximum bytes of replies to one client in a turn.
    pub turn_output_bytes_max: usize,
    /// Maximum steps of work for one client in a turn, and for chores.
    pub turn_work_max: u64,
    /// Whether changes are written to append files.
    pub appendonly: bool,
    /// When a change is durable.
    pub appendfsync: FsyncPolicy,
    /// Directory of the append files, in `dir`.
    pub appenddirname: String,
    /// First part of the names of the append files.
    pub appendfilename: String,
    /// Growth of the append files in percent that starts a rewrite automatically; 0 for never.
    pub rewrite_percentage: u32,
    /// Bytes of append files below which no rewrite starts automatically.
    pub rewrite_min_bytes: u64,
    /// Whether to load files that end in the middle of a batch.
    pub load_truncated: bool,
    /// Whether to load what another program appended.
    pub load_unverified: bool,
    /// Maximum bytes of changes that wait to be written.
    pub append_buffer_bytes_max: u64,
    /// Bytes preallocated at once behind the last batch, with `always`.
    pub append_room_bytes: u64,
    /// Bytes of disk space reserved behind the last change.
    pub append_reserve_bytes: u64,
    /// Replication, in both roles.
    pub replication: ReplicationSettings,
    /// File with all data in Redis' binary format, in `dir`.
    pub dbfilename: String,
    /// Whether RDB files are compressed.
    pub rdb_compression: bool,
    /// Whether values of unsupported types in that format are left out.
    pub replica_ignore_unsupported_keys: bool,
    /// When an RDB file is written automatically.
    pub save_points: Vec<SavePoint>,
    /// Whether changes are refused after an automatic save has failed.
    pub stop_writes_on_save_error: bool,
    /// Acknowledgements of replicas that changes need.
    pub acknowledgement: AcknowledgementSettings,
    /// How hashes, sets and streams are stored.
    pub encodings: EncodingSettings,
    /// How sorted sets are stored.
    pub sorted_set: SortedSetSettings,
    /// Scripts.
    pub scripting: ScriptSettings,
    /// Policies for the queues whose keys match a pattern.
    pub queue_policies: Vec<QueuePolicy>,
    /// Policies for the channels whose names match a pattern.
    pub channel_policies: Vec<ChannelPolicy>,
    /// Messages that each queue remembers for deduplication.
    pub dedup_messages_max: u64,
    /// Empty queues under a policy whose counters are kept.
    pub idle_queues_max: u64,
    /// Queues that have metrics of their own.
    pub metrics_queues_max: u64,
    /// The file that the settings came from. CONFIG REWRITE writes it.
    pub config_file: Option<PathBuf>,
    /// Values of directives without effect, kept for CONFIG GET.
    pub(super) foreign: BTreeMap<&'static str, Value>,
    /// Where each directive was given: in files, on the command line, by the program.
    pub(super) given: BTreeMap<&'static str, Vec<Place>>,
}

impl Settings {
    /// All fields empty, before the table's defaults are applied.
    pub(super) fn blank() -> Self {
        Self {
            port: 0,
            bind: Vec::new(),
            unixsocket: None,
            unixsocketperm: None,
            tls: TlsSettings::default(),
            http: HttpSettings::default(),
            tcp_backlog: 0,
            tcp_keepalive_s: 0,
            timeout_s: 0,
            maxclients: 0,
            maxmemory_bytes: 0,
            databases: 0,
            requirepass: String::new(),
            users: Vec::new(),
            aclfile: None,
            acl_pubsub_default: String::new(),
            acllog_len_max: 0,
            strangers: StrangerSettings::default(),
            proto_max_bulk_bytes: 0,
            query_buffer_bytes_max: 0,
            output_limits: [OutputLimit::default(); 3],
            protected_mode: false,
            enable_debug_command: LocalAccess::No,
            enable_protected_configs: LocalAccess::No,
            slowlog_threshold_us: 0,
            slowlog_len_max: 0,
            latency_threshold_ms: 0,
            latency_tracking: false,
            latency_percentiles: String::new(),
            loglevel: LogLevel::Notice,
            logfile: String::new(),
            daemonize: false,
            supervised: Supervision::No,
            pidfile: None,
            dir: PathBuf::new(),
            turn_read_bytes_max: 0,
            turn_output_bytes_max: 0,
            turn_work_max: 0,
            appendonly: false,
            appendfsync: FsyncPolicy::EverySecond,
            appenddirname: String::new(),
            appendfilename: String::new(),
            rewrite_percentage: 0,
            rewrite_min_bytes: 0,
            load_truncated: false,
            load_unverified: false,
            append_buffer_bytes_max: 0,
            append_room_bytes: 0,
            append_reserve_bytes: 0,
            replication: ReplicationSettings::default(),
            dbfilename: String::new(),
            rdb_compression: true,
            replica_ignore_unsupported_keys: false,
            save_points: Vec::new(),
            stop_writes_on_save_error: false,
            acknowledgement: AcknowledgementSettings::default(),
            encodings: EncodingSettings::default(),
            sorted_set: SortedSetSettings::default(),
            scripting: ScriptSettings::default(),
            queue_policies: Vec::new(),
            channel_policies: Vec::new(),
            dedup_messages_max: 0,
            idle_queues_max: 0,
            metrics_queues_max: 0,
            config_file: None,
            foreign: BTreeMap::new(),
            given: BTreeMap::new(),
        }
    }
}
