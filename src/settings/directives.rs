//! The rows that have an effect, each limit with its reason.

use super::field::field;
use super::row::{Directive, used};
use super::value::{Kind, LENGTH_MAX};

const INT_MAX: i64 = i32::MAX as i64;
const LEVELS: Kind = Kind::Choice(&["debug", "verbose", "notice", "warning"]);
const SUPERVISION: Kind = Kind::Choice(&["no", "systemd", "auto"]);
const ACCESS: Kind = Kind::Choice(&["no", "yes", "local"]);
const SECONDS: Kind = Kind::Number { min: 0, max: INT_MAX };
const CERTIFICATES: Kind = Kind::Choice(&["no", "yes", "optional"]);
const FSYNC: Kind = Kind::Choice(&["everysec", "always", "no"]);
const PERCENTAGE: Kind = Kind::Number { min: 0, max: INT_MAX };
const COUNT: Kind = Kind::Number { min: 0, max: i64::MAX };

/// A length that fits a signed integer. The minimum is Redis': below it, ordinary requests would fail.
const LENGTH: Kind = Kind::Memory { min: 1 << 20, max: LENGTH_MAX };

/// The rows that have an effect, in the order of the documentation.
#[rustfmt::skip]
pub(super) static USED: &[Directive] = &[
    used("port", Kind::Number { min: 0, max: 65_535 }, "6379", field!(port),
        "TCP port to listen on; 0 for a free port, or for none if there is a Unix socket or `tls-port`.").immutable(),
    used("bind", Kind::Addresses, "127.0.0.1 -::1", field!(bind),
        "Addresses to listen on; an address with a leading `-` may fail. At most 16, as in Redis: each \
         needs a listener.").immutable(),
    used("unixsocket", Kind::Text, "", field!(unixsocket),
        "Path of a Unix socket to listen on.").immutable(),
    used("unixsocketperm", Kind::Octal, "0", field!(unixsocketperm),
        "Permission bits of the Unix socket; 0 leaves them to the umask.").immutable(),
    used("tls-port", Kind::Number { min: 0, max: 65_535 }, "0", field!(tls.port),
        "TCP port for connections with TLS, on the addresses of `bind`; 0 for none. See docs/tls.md.").immutable(),
    used("tls-cert-file", Kind::Text, "", field!(tls.cert_file),
        "PEM file with the server's certificate, followed by those between it and the authority.").names_file(),
    used("tls-key-file", Kind::Text, "", field!(tls.key_file),
        "PEM file with the private key of `tls-cert-file`.").names_file(),
    used("tls-key-file-pass", Kind::Text, "", field!(tls.key_file_pass),
        "Password of an encrypted `tls-key-file`; empty for none.").secret().names_file(),
    used("tls-ca-cert-file", Kind::Text, "", field!(tls.ca_cert_file),
        "PEM file with the authorities whose certificates of clients, primaries and targets of MIGRATE are accepted.")
        .names_file(),
    used("tls-ca-cert-dir", Kind::Text, "", field!(tls.ca_cert_dir),
        "Directory with more PEM files of such authorities.").names_file(),
    used("tls-auth-clients", CERTIFICATES, "yes", field!(tls.auth_clients),
        "Whether clients with TLS need a certificate of these authorities; with `optional` they may give one.")
        .names_file(),
    used("tls-auth-clients-user", Kind::Choice(&["CN", "off"]), "off", field!(tls.auth_clients_user),
        "With `CN`, a client whose certificate has the name of a user is that user, without a password, as \
         in Redis 8.6. Other clients begin as `default`."),
    used("tls-replication", Kind::Flag, "no", field!(tls.replication),
        "Whether a replica connects to its primary with TLS, and tells it `tls-port` as its own port. See \
         docs/tls.md.").names_file(),
    used("tls-cluster", Kind::Flag, "no", field!(tls.cluster),
        "Whether MIGRATE connects with TLS, as in Redis; there is no cluster.").names_file(),
    used("tls-client-cert-file", Kind::Text, "", field!(tls.client_cert_file),
        "PEM file with the certificate that is shown to primaries and targets of MIGRATE; empty for that of \
         `tls-cert-file`.").names_file(),
    used("tls-client-key-file", Kind::Text, "", field!(tls.client_key_file),
        "PEM file with the private key of `tls-client-cert-file`.").names_file(),
    used("tls-client-key-file-pass", Kind::Text, "", field!(tls.client_key_file_pass),
        "Password of an encrypted `tls-client-key-file`; empty for none.").secret().names_file(),
    used("tls-protocols", Kind::Words, "", field!(tls.protocols),
        "Versions of TLS: `TLSv1.2`, `TLSv1.3` or both; empty for both.").names_file(),
    used("tls-ciphers", Kind::Text, "", field!(tls.ciphers),
        "Ciphers of TLS 1.2 by their OpenSSL names, separated by colons, the best first; empty for all.")
        .names_file(),
    used("tls-ciphersuites", Kind::Text, "", field!(tls.ciphersuites),
        "Ciphers of TLS 1.3, likewise.").names_file(),
    used("tls-prefer-server-ciphers", Kind::Flag, "no", field!(tls.prefer_server_ciphers),
        "Whether the order of ciphers is the server's instead of the client's.").names_file(),
    used("tls-session-caching", Kind::Flag, "yes", field!(tls.session_caching),
        "Whether clients may resume a session, which makes the next handshake cheaper.").names_file(),
    used("tls-session-cache-size", SECONDS, "20480", field!(tls.session_cache_size),
        "Maximum number of sessions that are remembered, at some 300 bytes each and the client's \
         certificate; 0 for no limit. The oldest is forgotten first.").names_file(),
    used("tls-session-cache-timeout", SECONDS, "300", field!(tls.session_cache_timeout_s),
        "Seconds for which a session can be resumed; 0 resumes none.").names_file(),
    used("tls-handshake-timeout", Kind::Number { min: 1, max: 3600 }, "10", field!(tls.handshake_timeout_s),
        "Seconds after which a connection is closed whose TLS handshake is not finished. It limits what \
         half-open connections occupy; a handshake takes three ways through the network."),
    used("max-new-tls-connections-per-cycle", Kind::Number { min: 1, max: 1000 }, "1",
        field!(tls.handshakes_per_turn_max),
        "Maximum number of TLS handshakes continued in a turn. A signature takes up to a millisecond, \
         so that many reconnecting clients would delay the others."),
    used("http-port", Kind::Number { min: 0, max: 65_535 }, "0", field!(http.port),
        "TCP port for HTTP, on the addresses of `http-bind`; 0 for none. See docs/http.md.").immutable(),
    used("http-tls-port", Kind::Number { min: 0, max: 65_535 }, "0", field!(http.tls_port),
        "TCP port for HTTP with TLS, with the certificates of `tls-port`; 0 for none.").immutable(),
    used("http-bind", Kind::Addresses, "127.0.0.1 -::1", field!(http.bind),
        "Addresses to listen on for HTTP, as with `bind`.").immutable(),
    used("http-push-paths", Kind::PushPaths, "", field!(http.push_paths),
        "Paths, each followed by a queue: what is posted to the path is added to the queue, such as `/queue jobs`. \
         For producers whose URL is fixed."),
    used("http-allowed-origins", Kind::Names, "", field!(http.allowed_origins),
        "Origins of web pages whose scripts may use the interface (CORS), such as `https://shop.example`; `*` for \
         all. The broker's own page needs none."),
    used("http-hosts", Kind::Names, "", field!(http.hosts),
        "Names under which a broker without a password may be addressed, besides addresses and `localhost`; `*` \
         for any. Otherwise a web page could reach it under a name of its own."),
    used("http-clients-max", SECONDS, "0", field!(http.clients_max),
        "Maximum number of HTTP connections, which count for `maxclients` too; 0 for no limit of their own."),
    used("http-header-bytes-max", Kind::Memory { min: 1024, max: 1 << 20 }, "16kb", field!(http.head_bytes_max),
        "Maximum length of a request's first line and headers; browsers send a few kilobytes."),
    used("http-headers-max", Kind::Number { min: 8, max: 256 }, "100", field!(http.headers_max),
        "Maximum number of a request's headers, each of which is looked at."),
    used("http-body-bytes-max", Kind::Memory { min: 1024, max: LENGTH_MAX }, "16mb", field!(http.body_bytes_max),
        "Maximum length of a request's body, which is kept until it is complete."),
    used("http-batch-max", Kind::Number { min: 1, max: 1_048_576 }, "100000", field!(http.batch_max),
        "Messages in one body, and words of a command in one, since all of them are pushed in one turn, which takes \
         some hundredths of a second for so many."),
    used("http-request-timeout", Kind::Number { min: 1, max: 3600 }, "30", field!(http.request_timeout_s),
        "Seconds in which a request must be complete once it has begun, so that nobody occupies a connection by \
         sending slowly."),
    used("http-idle-timeout", Kind::Number { min: 1, max: INT_MAX }, "75", field!(http.idle_timeout_s),
        "Seconds after which a connection without a request, or whose peer reads nothing of a response, is closed. \
         Waiting for a message and event streams are requests."),
    used("http-ping-interval", Kind::Number { min: 1, max: 3600 }, "15", field!(http.ping_interval_s),
        "Seconds after which a silent event stream sends a comment, since proxies drop silent connections."),
    used("http-pipeline-max", Kind::Number { min: 1, max: 10_000 }, "128", field!(http.pipeline_max),
        "Requests of a connection that may be in progress. Further ones stay unread until responses are sent."),
    used("http-wait-max", Kind::Number { min: 0, max: 86_400 }, "3600", field!(http.wait_max_s),
        "Maximum wait for a message in seconds, since proxies drop connections that are silent for too long."),
    used("http-page-queues-max", Kind::Number { min: 1, max: 1_000_000 }, "20000", field!(http.page_queues_max),
        "Queues that the page shows at most; the others are counted. The broker remembers about 100 bytes of \
         each for each open page, so that it sends only what has changed."),
    used("http-lease", Kind::Number { min: 1, max: 86_400 }, "60", field!(http.lease_s),
        "Seconds for which a message of an at-least-once queue belongs to whoever popped it, unless the request \
         says otherwise; it then returns to the queue."),
    used("tcp-backlog", SECONDS, "511", field!(tcp_backlog),
        "Connections that may wait in the kernel to be accepted; the kernel has its own limit as well.")
        .immutable(),
    used("tcp-keepalive", SECONDS, "300", field!(tcp_keepalive_s),
        "Seconds between keepalive probes, which detect dead peers; 0 for none."),
    used("timeout", SECONDS, "0", field!(timeout_s),
        "Seconds after which an idle client is closed; 0 for never."),
    used("maxclients", Kind::Number { min: 1, max: u32::MAX as i64 }, "10000", field!(maxclients),
        "Maximum number of clients. Limits descriptors and buffers; a client above it gets an error."),
    used("maxmemory", Kind::Memory { min: 0, max: u64::MAX }, "0", field!(maxmemory_bytes),
        "Memory limit in bytes; above it, commands that may grow the data are refused. 0 for no limit. \
         Nothing is ever evicted."),
    used("databases", Kind::Number { min: 1, max: 65_536 }, "16", field!(databases),
        "Number of databases. At most 65536, since each takes memory even when empty.")
        .immutable(),
    used("requirepass", Kind::Text, "", field!(requirepass),
        "Password that clients give with AUTH or HELLO; empty for none.").secret(),
    used("user", Kind::Users, "", field!(users),
        "A user: its name and rules as in ACL SETUSER; once for each user. See docs/users.md.")
        .file_only().secret(),
    used("aclfile", Kind::Text, "", field!(aclfile),
        "File with a line `user <name> <rules>` for each user, instead of `user` directives. ACL LOAD \
         reads it again, ACL SAVE writes it.").immutable(),
    used("acl-pubsub-default", Kind::Choice(&["allchannels", "resetchannels"]), "resetchannels",
        field!(acl_pubsub_default),
        "Channels that new users may use: all or none."),
    used("acllog-max-len", COUNT, "128", field!(acllog_len_max),
        "Maximum number of entries in the log of refused requests (ACL LOG). Limits memory."),
    used("unauthenticated-timeout", SECONDS, "60", field!(strangers.timeout_s),
        "Seconds after which a client is closed that must give a password and has not; 0 for never. \
         Programs do so at once, and a minute is enough for a person. Not for in-process clients."),
    used("unauthenticated-errors-max", COUNT, "100", field!(strangers.errors_max),
        "Error replies to such a client, after which it is closed; 0 for no limit. A person who \
         mistypes needs a few, and nobody a hundred."),
    used("unauthenticated-clients-max", COUNT, "2000", field!(strangers.clients_max),
        "Maximum number of such clients. A new one above it takes the place of the one that has been \
         unauthenticated longest, so that strangers keep nobody out; so does a new client above \
         `maxclients`. 0 for no limit. A pool of 1000 workers may connect twice at once before it has \
         authenticated."),
    used("auth-delay-after", COUNT, "10", field!(strangers.auth_delay_after),
        "Refused passwords from one address that have no consequence; each further one makes its later \
         AUTH wait longer, from 100 ms on and doubling. A person mistypes a few."),
    used("auth-delay-max-ms", Kind::Number { min: 0, max: 60_000 }, "1000", field!(strangers.auth_delay_max_ms),
        "Maximum of this wait in milliseconds; 0 for no wait. The right password waits as well, and some \
         client libraries give up after 2000 ms. Above a minute, `unauthenticated-timeout` would come \
         first."),
    used("auth-delay-forget", Kind::Number { min: 1, max: INT_MAX }, "60", field!(strangers.auth_delay_forget_s),
        "Seconds without a refused password after which those of an address are forgotten. At the \
         largest wait, forgetting a minute later gains a guesser next to nothing."),
    used("auth-delay-addresses-max", Kind::Number { min: 1, max: 10_000_000 }, "10000",
        field!(strangers.auth_delay_addresses_max),
        "Addresses whose refused passwords are remembered, at about 150 bytes each; the one that was \
         refused least recently is forgotten first. An IPv6 address is its first 64 bits, since a \
         network has at least so many; a client of the Unix socket is its user."),
    used("protected-mode", Kind::Flag, "yes", field!(protected_mode),
        "Whether to serve only clients of this machine while there is no password."),
    used("proto-max-bulk-len", LENGTH, "512mb", field!(proto_max_bulk_bytes),
        "Maximum length of one argument in bytes, so that one request cannot take all memory."),
    used("hash-max-listpack-entries", COUNT, "512", field!(encodings.hash_listpack_entries_max),
        "Fields up to which OBJECT ENCODING calls a hash a listpack. Its memory does not depend on it.")
        .alias("hash-max-ziplist-entries"),
    used("hash-max-listpack-value", Kind::Memory { min: 0, max: LENGTH_MAX }, "64",
        field!(encodings.hash_listpack_bytes_max),
        "Bytes of the longest field or value of a hash that OBJECT ENCODING calls a listpack.")
        .alias("hash-max-ziplist-value"),
    used("set-max-intset-entries", COUNT, "512", field!(encodings.intset_entries_max),
        "Members up to which a set of integers is stored in order, in two bytes each if they are small; at most \
         4096, since each change moves those behind."),
    used("stream-node-max-bytes", Kind::Memory { min: 0, max: LENGTH_MAX }, "4096",
        field!(encodings.stream_block_bytes_max),
        "Maximum bytes of a block of a stream, as Redis has it; 0 for no limit. A larger block takes a \
         little less memory, and reading from its middle takes longer."),
    used("stream-node-max-entries", COUNT, "100", field!(encodings.stream_block_entries_max),
        "Maximum number of entries in a block of a stream; 0 for no limit. Trimming with `~` removes \
         whole blocks."),
    used("client-query-buffer-limit", LENGTH, "1gb", field!(query_buffer_bytes_max),
        "Maximum unprocessed input of one client in bytes; above it the client is closed."),
    used("client-output-buffer-limit", Kind::OutputLimits,
        "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60", field!(output_limits),
        "Maximum unread output of a client, by class: hard bytes, soft bytes, soft seconds; above it \
         the client is closed. 0 for no limit. Subscribers need a limit, since they receive messages \
         without asking."),
    used("turn-read-bytes-max", Kind::Memory { min: 1 << 10, max: 1 << 30 }, "64kb",
        field!(turn_read_bytes_max),
        "Maximum bytes read from one client in a turn, so that a busy client does not delay others. Less \
         than 1kb would make a turn per request; more than 1gb would be no limit."),
    used("turn-output-bytes-max", Kind::Memory { min: 1 << 10, max: 1 << 30 }, "1mb",
        field!(turn_output_bytes_max),
        "Maximum bytes of replies to one client in a turn, so that others have their turn. Less than \
         1kb would make a turn per reply; more than 1gb would be no limit."),
    used("turn-work-max", Kind::Number { min: 100, max: 1_000_000_000 }, "10000",
        field!(turn_work_max),
        "Maximum steps of work, about a tenth of a microsecond each, for one client in a turn; also \
         for expired, returned and freed messages together. Less than 100 would make a turn per \
         message; more than a billion would be no limit."),
    used("appendonly", Kind::Flag, "no", field!(appendonly),
        "Whether changes are written to append files, and loaded at the start. `CONFIG SET` turns them \
         on, writing all data first, or off. See docs/append-files.md."),
    used("appendfsync", FSYNC, "everysec", field!(appendfsync),
        "When a change is durable: `always` before its reply, `everysec` at most a second later, `no` \
         when the operating system decides. In each case the system has the change before the reply \
         is sent."),
    used("appenddirname", Kind::Text, "appendonlydir", field!(appenddirname),
        "Directory of the append files within `dir`; a name without a path.").immutable(),
    used("appendfilename", Kind::Text, "appendonly.aof", field!(appendfilename),
        "First part of the names of the append files; a name without a path.").immutable(),
    used("auto-aof-rewrite-percentage", PERCENTAGE, "100", field!(rewrite_percentage),
        "Growth of the append files since the last rewrite, in percent, that starts the next rewrite \
         automatically; 0 for never."),
    used("auto-aof-rewrite-min-size", Kind::Memory { min: 0, max: LENGTH_MAX }, "64mb",
        field!(rewrite_min_bytes),
        "Bytes of append files below which no rewrite starts automatically: small files load fast."),
    used("aof-load-truncated", Kind::Flag, "yes", field!(load_truncated),
        "Whether to load files with a torn end, as after a power failure, up to that point. The rest \
         is saved in a separate file."),
    used("aof-load-unverified", Kind::Flag, "no", field!(load_unverified),
        "Whether to load commands that another program, such as redis-server, appended after our last \
         checksum. Damage in them cannot be detected.").immutable(),
    used("append-buffer-limit", Kind::Memory { min: 1 << 20, max: LENGTH_MAX }, "256mb",
        field!(append_buffer_bytes_max),
        "Maximum bytes of changes that wait for a slow disk; above it no input is read until some are \
         written, which limits memory. It is checked between requests. One request may exceed it by \
         what it records: its own size for a push, some 300 bytes and the message for each message \
         that QUEUE NACK returns."),
    used("append-room", Kind::Memory { min: 0, max: 64 << 20 }, "256kb",
        field!(append_room_bytes),
        "With `always`, preallocated bytes of the append file. Changes overwrite them, since a sync that \
         makes the file longer takes half as long again. 0 for none. Batches larger than a sixteenth \
         of it do not use it: they would be written twice for little gain."),
    used("append-reserve", Kind::Memory { min: 0, max: 1 << 30 }, "2mb",
        field!(append_reserve_bytes),
        "Bytes of disk space reserved behind the last change, if the file system can. The changes of a \
         turn always fit, so that a full disk is noticed before a change is made, and the change is \
         refused with `-MISCONF`. With 0, a change that meets a full disk waits for space."),
    used("dbfilename", Kind::FileName("dbfilename"), "dump.rdb", field!(dbfilename),
        "File in `dir` with all data in Redis' binary format; a name without a path. Without `appendonly` it \
         is loaded at the start, if there is one.").protected(),
    used("rdbcompression", Kind::Flag, "yes", field!(rdb_compression),
        "Whether lists and strings of 512 bytes or more are compressed, where that saves three quarters, in RDB files \
         and for replicas. Redis compresses more, which takes longer than it saves in a network."),
    used("replica-ignore-unsupported-keys", Kind::Flag, "no", field!(replica_ignore_unsupported_keys),
        "Whether values of types that are not supported, and function libraries, are left out and counted \
         when data in Redis' binary format is loaded; otherwise they are an error, so that nothing is lost \
         unnoticed."),
    used("save", Kind::SavePoints, "", field!(save_points),
        "When all data is written to the file `dbfilename`: after more seconds than the first number, if \
         there were as many changes as the second. Several lines add up, `\"\"` begins anew, and CONFIG SET \
         replaces all. Redis saves without such a line as well; Tidegate does not. See docs/append-files.md."),
    used("stop-writes-on-bgsave-error", Kind::Flag, "yes", field!(stop_writes_on_save_error),
        "Whether changes are refused with `-MISCONF` after the last save has failed, if there are `save` \
         lines."),
    used("queue-policy", Kind::QueuePolicies, "", field!(queue_policies),
        "Policy for the queues whose keys match a glob pattern; may be given many times. CONFIG SET \
         adds policies, separated by `;`, and replaces those with the same name; an empty value \
         removes all. See docs/policies.md."),
    used("channel-policy", Kind::ChannelPolicies, "", field!(channel_policies),
        "Policy for the channels whose names match a glob pattern: how many messages may wait for a slow \
         subscriber, and what happens above that; may be given many times. CONFIG SET adds policies \
         as with `queue-policy`. See docs/channel-policies.md."),
    used("queue-dedup-messages-max", Kind::Number { min: 1, max: 100_000_000 }, "100000",
        field!(dedup_messages_max),
        "Messages that each queue under `dedup-window-ms` remembers, at 72 bytes each, whatever their \
         size. If the window has more, the oldest are forgotten, and may be stored again."),
    used("queue-idle-max", Kind::Number { min: 1, max: 100_000_000 }, "10000",
        field!(idle_queues_max),
        "Empty queues under a policy whose counters are kept, at about 400 bytes each. It limits memory \
         when clients make a new key for each reply."),
    used("metrics-queues-max", Kind::Number { min: 0, max: 1_000_000 }, "1000", field!(metrics_queues_max),
        "Queues that have metrics of their own: the longest ones. The others are only counted. Each has 25 \
         series, which a collector stores for months, so that a queue for each reply would fill its disk."),
    used("enable-debug-command", ACCESS, "no", field!(enable_debug_command),
        "Who may use DEBUG: nobody, clients of this machine, or all.").immutable(),
    used("enable-protected-configs", ACCESS, "no", field!(enable_protected_configs),
        "Who may change `dir` and `dbfilename` with CONFIG SET: nobody, clients of this machine, or \
         all. They choose where files are written.").immutable(),
    used("slowlog-log-slower-than", Kind::Number { min: -1, max: i64::MAX }, "10000",
        field!(slowlog_threshold_us),
        "Microseconds above which a command is recorded in the slow log; 0 records all, -1 none."),
    used("slowlog-max-len", COUNT, "128", field!(slowlog_len_max),
        "Maximum number of entries in the slow log; the oldest is removed first."),
    used("latency-monitor-threshold", COUNT, "0", field!(latency_threshold_ms),
        "Milliseconds above which an event is recorded for LATENCY; 0 for none."),
    used("latency-tracking", Kind::Flag, "yes", field!(latency_tracking),
        "Whether the times of all commands are recorded for LATENCY HISTOGRAM and INFO latencystats."),
    used("latency-tracking-info-percentiles", Kind::Percentiles, "50 99 99.9",
        field!(latency_percentiles),
        "Percentiles that INFO latencystats shows."),
    used("loglevel", LEVELS, "notice", field!(loglevel),
        "The lowest severity of log lines that are written."),
    used("logfile", Kind::Text, "", field!(logfile),
        "File for log lines; empty for standard error.").immutable(),
    used("daemonize", Kind::Flag, "no", field!(daemonize),
        "Whether the program continues in the background, without a terminal, once it listens. Without \
         `logfile` its log is then lost.").immutable(),
    used("supervised", SUPERVISION, "no", field!(supervised),
        "Service manager to notify of loading, readiness, reloads, the end, and for its watchdog that the \
         loop turns: `systemd` by sd_notify(3) (Type=notify); `auto` if there is one.").immutable(),
    used("pidfile", Kind::Text, "", field!(pidfile),
        "File for the process id, while the server runs; empty for none.").immutable(),
    used("dir", Kind::Text, "./", field!(dir),
        "Directory that relative paths start from.").protected(),
];
