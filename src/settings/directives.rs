//! The rows that have an effect, each limit with its reason.

use super::field::field;
use super::row::{Directive, used};
use super::value::{Kind, LENGTH_MAX};

const INT_MAX: i64 = i32::MAX as i64;
const LEVELS: Kind = Kind::Choice(&["debug", "verbose", "notice", "warning"]);
const SUPERVISION: Kind = Kind::Choice(&["no", "systemd", "auto"]);
const ACCESS: Kind = Kind::Choice(&["no", "yes", "local"]);
const SECONDS: Kind = Kind::Number { min: 0, max: INT_MAX };
const FSYNC: Kind = Kind::Choice(&["everysec", "always", "no"]);
const PERCENTAGE: Kind = Kind::Number { min: 0, max: INT_MAX };
const COUNT: Kind = Kind::Number { min: 0, max: i64::MAX };

/// A length that also fits a signed integer, and no less than Redis' least: below it, ordinary
/// requests would fail.
const LENGTH: Kind = Kind::Memory { min: 1 << 20, max: LENGTH_MAX };

/// The rows that have an effect, in the order of the documentation.
#[rustfmt::skip]
pub(super) static USED: &[Directive] = &[
    used("port", Kind::Number { min: 0, max: 65_535 }, "6379", field!(port),
        "TCP port to listen on; 0 for a free one, or for none beside a Unix socket.").immutable(),
    used("bind", Kind::Addresses, "127.0.0.1 -::1", field!(bind),
        "Addresses to listen on; one with a leading `-` may fail. At most 16, as in Redis: each \
         costs a listener.").immutable(),
    used("unixsocket", Kind::Text, "", field!(unixsocket),
        "Path of a Unix socket to listen on.").immutable(),
    used("unixsocketperm", Kind::Octal, "0", field!(unixsocketperm),
        "Permission bits of the Unix socket; 0 leaves them to the umask.").immutable(),
    used("tcp-backlog", SECONDS, "511", field!(tcp_backlog),
        "Connections that wait in the kernel to be accepted; the kernel has a limit of its own.")
        .immutable(),
    used("tcp-keepalive", SECONDS, "300", field!(tcp_keepalive_s),
        "Seconds between keepalive probes, so that dead peers are noticed; 0 for none."),
    used("timeout", SECONDS, "0", field!(timeout_s),
        "Seconds after which an idle client is closed; 0 for never."),
    used("maxclients", Kind::Number { min: 1, max: u32::MAX as i64 }, "10000", field!(maxclients),
        "Clients at once. Bounds descriptors and buffers; the one beyond gets an error."),
    used("maxmemory", Kind::Memory { min: 0, max: u64::MAX }, "0", field!(maxmemory_bytes),
        "Bytes above which commands that may grow the data are refused; 0 for no limit. Nothing \
         is ever evicted."),
    used("databases", Kind::Number { min: 1, max: 65_536 }, "16", field!(databases),
        "Number of databases. At most 65536, since each costs memory even when empty.")
        .immutable(),
    used("requirepass", Kind::Text, "", field!(requirepass),
        "Password that clients give with AUTH or HELLO; empty for none.").secret(),
    used("protected-mode", Kind::Flag, "yes", field!(protected_mode),
        "Serve only clients of this machine while there is no password."),
    used("proto-max-bulk-len", LENGTH, "512mb", field!(proto_max_bulk_bytes),
        "Bytes of the longest argument of a request, so that one request cannot take all memory."),
    used("client-query-buffer-limit", LENGTH, "1gb", field!(query_buffer_bytes_max),
        "Bytes of input that one client may have waiting; above it the client is closed."),
    used("client-output-buffer-limit", Kind::OutputLimits,
        "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60", field!(output_limits),
        "Unread output at which a client is closed, by class: hard bytes, soft bytes, soft \
         seconds; 0 for no limit. Subscribers are bounded since they do not ask for what they \
         get."),
    used("turn-read-bytes-max", Kind::Memory { min: 1 << 10, max: 1 << 30 }, "64kb",
        field!(turn_read_bytes_max),
        "Bytes read from one client in a turn, so that a busy one does not delay the others. Less \
         than 1kb would make a turn per request, more than 1gb would be no limit."),
    used("turn-output-bytes-max", Kind::Memory { min: 1 << 10, max: 1 << 30 }, "1mb",
        field!(turn_output_bytes_max),
        "Bytes of replies made for one client in a turn before the others have theirs. Less than \
         1kb would make a turn per reply, more than 1gb would be no limit."),
    used("turn-work-max", Kind::Number { min: 100, max: 1_000_000_000 }, "10000",
        field!(turn_work_max),
        "Steps of work, about a tenth of a microsecond each, that are done for one client in a turn \
         before the others have theirs, and in a turn for what is due, given back or freed. Less than \
         100 would make a turn per message, more than a billion would be no limit."),
    used("appendonly", Kind::Flag, "no", field!(appendonly),
        "Whether changes are written to append files, and loaded from them at the start. `CONFIG SET` \
         turns them on, which writes everything down first, or off. See *Durability*."),
    used("appendfsync", FSYNC, "everysec", field!(appendfsync),
        "When a change is durable: `always` before it is answered, `everysec` a second later at \
         the most, `no` when the system likes. In any case it is with the system before it is \
         answered."),
    used("appenddirname", Kind::Text, "appendonlydir", field!(appenddirname),
        "Directory of the append files, in `dir`; a name without a path.").immutable(),
    used("appendfilename", Kind::Text, "appendonly.aof", field!(appendfilename),
        "What the names of the append files begin with; a name without a path.").immutable(),
    used("auto-aof-rewrite-percentage", PERCENTAGE, "100", field!(rewrite_percentage),
        "Growth of the append files since the last rewrite, in per cent, at which the next begins \
         by itself; 0 for never."),
    used("auto-aof-rewrite-min-size", Kind::Memory { min: 0, max: LENGTH_MAX }, "64mb",
        field!(rewrite_min_bytes),
        "Bytes of append files below which no rewrite begins by itself: small files load fast."),
    used("aof-load-truncated", Kind::Flag, "yes", field!(load_truncated),
        "Whether files whose end was lost with the power are loaded up to there; the rest is \
         kept in a file beside."),
    used("aof-load-unverified", Kind::Flag, "no", field!(load_unverified),
        "Whether to load what another program, such as redis-server, appended behind our last \
         checksum. Nothing can tell whether it is whole.").immutable(),
    used("append-buffer-limit", Kind::Memory { min: 1 << 20, max: LENGTH_MAX }, "256mb",
        field!(append_buffer_bytes_max),
        "Bytes of changes that may wait for a slow disk; above it no input is read until some are \
         written, so that memory does not fill. It is looked at between requests: one may go beyond \
         it by what it records, its own size for a push, some 300 bytes and the message for each \
         that QUEUE NACK returns."),
    used("append-room", Kind::Memory { min: 0, max: 64 << 20 }, "256kb",
        field!(append_room_bytes),
        "With `always`, bytes of the append file that are written beforehand and then overwritten, \
         since a sync that makes a file longer takes half as long again; 0 makes no room. Batches \
         above a sixteenth of it do without: they would be written twice for little."),
    used("append-reserve", Kind::Memory { min: 0, max: 1 << 30 }, "2mb",
        field!(append_reserve_bytes),
        "Bytes of disk space kept behind the last change, where the file system can. What a turn \
         changes always fits, so that a full disk is met before a change is made: it is refused \
         with `-MISCONF`. 0 keeps none: then a change that meets a full disk waits for space."),
    used("queue-policy", Kind::QueuePolicies, "", field!(queue_policies),
        "What holds for the queues whose keys match a glob pattern; may be given many times. CONFIG \
         SET adds policies, `;` between two of them, each in the place of the one with its name; an \
         empty value takes all away. See *Queue policies*."),
    used("channel-policy", Kind::ChannelPolicies, "", field!(channel_policies),
        "How many messages may wait for one slow subscriber of the channels whose names match a \
         glob pattern, and what happens beyond; may be given many times. CONFIG SET adds policies \
         as with `queue-policy`. See *Channel policies*."),
    used("queue-dedup-messages-max", Kind::Number { min: 1, max: 100_000_000 }, "100000",
        field!(dedup_messages_max),
        "Messages that each queue under `dedup-window-ms` remembers, at 72 bytes each whatever their \
         size; of more within the window the oldest are forgotten, and may be stored again."),
    used("queue-idle-max", Kind::Number { min: 1, max: 100_000_000 }, "10000",
        field!(idle_queues_max),
        "Queues under a policy and without messages that are remembered, with their counts, at about \
         400 bytes each; who makes a key for each answer must not fill the memory."),
    used("enable-debug-command", ACCESS, "no", field!(enable_debug_command),
        "Who may use DEBUG: nobody, clients of this machine, or all.").immutable(),
    used("slowlog-log-slower-than", Kind::Number { min: -1, max: i64::MAX }, "10000",
        field!(slowlog_threshold_us),
        "Microseconds above which a command is kept in the slow log; 0 keeps all, -1 none."),
    used("slowlog-max-len", COUNT, "128", field!(slowlog_len_max),
        "Entries in the slow log; the oldest goes first."),
    used("latency-monitor-threshold", COUNT, "0", field!(latency_threshold_ms),
        "Milliseconds above which an event is kept for LATENCY; 0 for none."),
    used("latency-tracking", Kind::Flag, "yes", field!(latency_tracking),
        "Whether the times of all commands are kept for LATENCY HISTOGRAM and INFO latencystats."),
    used("latency-tracking-info-percentiles", Kind::Percentiles, "50 99 99.9",
        field!(latency_percentiles),
        "Which percentiles INFO latencystats shows."),
    used("loglevel", LEVELS, "notice", field!(loglevel),
        "The least severe log lines that are written."),
    used("logfile", Kind::Text, "", field!(logfile),
        "File for log lines; empty for standard error.").immutable(),
    used("daemonize", Kind::Flag, "no", field!(daemonize),
        "Whether the program goes into the background, away from its terminal, as soon as it \
         listens. Without `logfile` its log is lost then.").immutable(),
    used("supervised", SUPERVISION, "no", field!(supervised),
        "Whom to tell when clients are served, and when they are no more: `systemd` by sd_notify(3) \
         (Type=notify), `auto` if there is one to tell.").immutable(),
    used("pidfile", Kind::Text, "", field!(pidfile),
        "File for the number of the process, as long as it serves; empty for none.").immutable(),
    used("dir", Kind::Text, "./", field!(dir),
        "Directory that relative paths start from.").protected(),
];
