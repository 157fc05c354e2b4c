//! A message broker for any Redis client: queues, publish/subscribe, transactions.
//!
//! The binary `tidegate` is a thin `main` around this library. Other programs can embed the broker in the
//! same way:
//!
//! ```
//! use tidegate::{Calls, Server, Settings};
//!
//! // Directives as in a configuration file. Port 0 is a free one that the operating system picks.
//! let settings = Settings::default().with("port", "0")?.with("maxmemory", "1gb")?;
//! let server = Server::bind(settings)?;
//! println!("any Redis client may connect to {:?}", server.local_addrs());
//! let running = server.spawn()?; // on a thread of its own; `server.run()` serves on this one
//!
//! // A client of this program needs no TCP.
//! let mut client = running.connect()?;
//! client.push("jobs", "paint")?;
//! assert_eq!(client.pop("jobs")?.as_deref(), Some(&b"paint"[..]));
//!
//! running.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`LocalBroker`] is a broker with clients but without a server. It has no thread; append files are
//! optional.
//!
//! # The broker is a plain value
//!
//! [`Broker`] has no socket, file, clock or thread. Request bytes and the time go in; reply bytes, the
//! next deadline and the clients to close come out. [`Server`] drives it from sockets. Tests and
//! simulations drive it from memory, and decide what time it is:
//!
//! ```
//! use tidegate::{Broker, NoHost, Now, Peer, Settings};
//!
//! let now = Now::default();
//! let mut broker = Broker::new(Settings::default(), 7, Box::new(NoHost), now);
//! let worker = broker.connect(0, Peer::in_process(), now);
//! let producer = broker.connect(1, Peer::in_process(), now);
//!
//! broker.receive(worker, b"BLPOP jobs 2.5\r\n", now);
//! assert_eq!(broker.next_deadline(now).map(|wait| wait.as_millis()), Some(2500));
//!
//! broker.receive(producer, b"RPUSH jobs paint\r\n", now.plus_us(1_000_000));
//! broker.settle(now.plus_us(1_000_000));
//! let reply = broker.outbox(worker).map(|output| output.take_all());
//! assert_eq!(reply.as_deref(), Some(&b"*2\r\n$4\r\njobs\r\n$5\r\npaint\r\n"[..]));
//! assert_eq!(broker.next_deadline(now.plus_us(1_000_000)), None);
//! ```
//!
//! # The modules
//!
//! Imports go one way, from the top of this table to its bottom.
//!
//! | module | responsibility |
//! |---|---|
//! | `main.rs`, `launch`, `allocator` | the program: arguments, the log, signals, exit codes |
//! | `offline`, `config_check`, `top` | what the program does besides serving: `check` and `repair`, `--check-config`, a view of a running broker |
//! | [`server`] | sockets, TLS, descriptors, the clock; the turn; connections: transport and protocol; in-process clients |
//! | `http` | HTTP connections, as plain as the broker: requests as commands, replies as responses |
//! | `in_process` | typed calls; a broker without a server, and its clients |
//! | [`journal`] | append files: durability, loading, rewriting; batches with checksums |
//! | [`broker`] | connect, receive, settle, close, the next deadline; the interface for a journal |
//! | `commands` | the families of commands, and one table made of their rows |
//! | `engine` | how a command is defined and run: its row, the table; dispatch, gates, call, context; waiting and waking |
//! | `queueing` | the effects of policies on queues: pushes, deliveries, acknowledgements, delays, dead letters |
//! | `scripting` | the Lua interpreter of scripts: sandbox, conversions, libraries, limits |
//! | `flags`, `command_error` | properties of commands; their errors, arguments as numbers and words |
//! | `figures` | tables of everything counted and measured, for INFO, MEMORY STATS, QUEUE INFO and the metrics |
//! | `exposition` | the text formats of metrics: Prometheus, OpenMetrics |
//! | `state`, `stats`, `histogram`, `slowlog`, `persistence` | the state of commands; counters, times |
//! | `acl` | users: their passwords, what they may do, what was refused |
//! | `busy_script` | a script that runs for too long, and what other clients are told meanwhile |
//! | `clients` | the connected clients and what they are doing; the outbox: pending output, and how much of it may be sent |
//! | `channels`, [`glob`] | channels and patterns → subscribers |
//! | [`snapshot`] | one saved part of all data as commands, the content of a base file, or as an RDB file |
//! | `replication` | the state of both roles: the stream of a primary, its replicas; the link of a replica |
//! | `keyspace` | key → value, expiry and waiting clients in one entry, found by one look-up; owns the effects, and records expiry |
//! | `effects` | changes, as commands that change another broker in the same way; written once, read by several readers |
//! | `tree` | elements with scores, in order |
//! | `rdb` | Redis' binary format of data, in its parts: read and written, without a keyspace or files |
//! | `note` | the content of append files besides plain commands |
//! | `departure`, `pauses`, `key`, `client_id` | messages that leave a queue without a consumer; the pauses of a queue; keys and database numbers; client ids |
//! | `library` | libraries of functions, which are data |
//! | `deadlines` | deadlines in order; the enums of timers of a broker, a journal, a server |
//! | `work` | the work of a turn, counted in steps |
//! | `value` | the types of values, which share one small trait |
//! | [`rdb`] | the parts of Redis' binary format of data |
//! | `dict` | a hash table of packed segments, for fields of hashes and members of sets; knows nothing of Redis |
//! | [`queue`] | messages packed in one block or in a deque of segments; knows nothing of Redis or of clients |
//! | [`resp`] | requests in, replies out, in both protocol versions; a reply is a plain value |
//! | [`settings`] | one table of directives: command line, file, CONFIG, documentation |
//! | [`policy`] | the operator's policies for queues and channels whose names match a pattern |
//! | [`clock`], `host` | the time, as a value; functions of the surrounding process |
//! | `line_limit` | limits log lines that strangers can cause |
//! | `quotes` | quoted text in inline requests and settings |
//! | `sha1` | the hash that names scripts |
//! | `slack` | when an oversized table shrinks |
//! | `block` | a small buffer behind one thin pointer, the place of all `unsafe` code |
//!
//! # The life of one command
//!
//! `RPUSH q a` arrives at a socket. The poll wakes, and the turn (`server/turn.rs`) reads the connection into
//! its one buffer: the transport takes the bytes from the socket, decrypted if it has TLS, and the speaker
//! passes them to [`Broker::receive`]. The parser finds the request's arguments as slices of that buffer;
//! only an incomplete tail is copied, to be put before the next bytes. The broker looks the name up in the
//! table of commands. `engine/dispatch.rs` asks the gates: arity, password, the user's rights, a pause,
//! the memory limit, an open transaction. Then it calls the function of the command: `commands/list.rs` looks the key up in the
//! keyspace, once, and the queue there takes the message: its only copy. The reply is written into the
//! client's outbox (`clients/outbox`), which puts the client on the list of those to be written. When all
//! sockets have been read and the broker has settled, the journal, if there is one, writes the turn's changes
//! as one batch. Then each client on the list gets one write with all its pending output, except replies that
//! wait until that batch is durable.
//!
//! `BLPOP q 5` finds nothing and begins to wait (`engine/wait.rs`). The client joins the line in the key's
//! entry, with a deadline that limits the next poll's wait, and its further input stays unread. A later
//! push marks `q` as ready. After the command that pushed, `engine/wake.rs` takes the client that has
//! waited longest and runs its request again. No command wakes clients itself. If the deadline comes first,
//! `settle` sends the empty reply.
//!
//! If `q` is under a policy, its entry has more than the list: messages in flight with their consumers,
//! delayed messages, counters. `RPUSH` and `LPOP` see that in the entry and call `queueing`, which applies
//! the policy and records its effects as plain list commands for the journal. When something is due in a
//! queue - a TTL, a delay, an acknowledgement timeout - the poll's wait ends, and the same module handles
//! it. When a client disconnects, its messages return.
//!
//! Effects go to two readers: the journal, and the stream for replicas (`broker/feeding.rs`), where they stay for
//! a while, so that a replica can continue after its link was lost. A replica's link to its primary is a client,
//! whose input is that stream: `broker/applying.rs` runs its commands as the journal's loader runs those of files,
//! and passes its bytes on.
//!
//! Work that no client waits for is a chore (`queueing/chores.rs`): what is due, messages of lost
//! connections, dead letters in transit, a policy change for all keys, memory to free after a flush. A turn
//! does as much of it as `turn-work-max` allows, counted in steps (`work.rs`), and the next turn follows at
//! once. Until then each look-up brings its own key up to date, so that no command sees a difference.

#![warn(missing_docs, unreachable_pub)]
#![deny(unsafe_code)]
#![cfg_attr(not(feature = "lua"), allow(dead_code, reason = "scripts alone use some functions"))]

mod acl;
#[allow(unsafe_code)]
mod block;
mod busy_script;
mod client_id;
mod host;
#[cfg(feature = "http")]
mod http;
#[cfg(not(feature = "http"))]
#[path = "http_absent.rs"]
mod http;
mod in_process;
mod key;
mod persistence;

mod channels;
mod clients;
mod command_error;
mod commands;
mod deadlines;
mod departure;
mod dict;
mod effects;
mod engine;
mod exposition;
mod flags;
mod histogram;
mod keyspace;
mod library;
mod line_limit;
mod note;
mod pauses;
mod quotes;
#[cfg(feature = "lua")]
mod scripting;
#[cfg(not(feature = "lua"))]
#[path = "scripting_absent.rs"]
mod scripting;
mod sha1;
mod slack;
mod slowlog;
mod state;
mod stats;
mod tree;
mod value;
mod work;

// For the program, tests, benches and the fuzzer. Not a stable interface.
#[doc(hidden)]
pub mod broker;
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod figures;
#[doc(hidden)]
pub mod glob;
#[doc(hidden)]
pub mod journal;
#[doc(hidden)]
pub mod policy;
#[doc(hidden)]
pub mod queue;
mod queueing;
#[doc(hidden)]
pub mod rdb;
mod replication;
#[doc(hidden)]
pub mod resp;
#[doc(hidden)]
pub mod server;
#[doc(hidden)]
pub mod settings;
#[doc(hidden)]
pub mod snapshot;
#[doc(hidden)]
pub use commands::{command_names, command_summaries, commands_markdown};
#[doc(hidden)]
pub use figures::metrics_markdown;
#[cfg(feature = "http")]
#[doc(hidden)]
pub use http::HttpProbe;

// A server, and in-process clients of it.
pub use in_process::{Calls, ClientError, Delivered, Message, ReceiptCalls};
pub use resp::{Reply, ReplyError, ReplyParser};
pub use server::{
    Client, Connector, LifeEvent, RunningServer, Server, ServerError, StopHandle, Subscription,
    SystemClock,
};

// Settings.
pub use policy::{
    Acknowledge, ChannelPolicy, DeliveryGuarantee, Overflow, QueuePolicy, SlowSubscriber,
};
pub use settings::{
    ClientCertificates, FsyncPolicy, HttpSettings, LocalAccess, LogLevel, OutputLimit,
    ReplicationSettings, SavePoint, ScriptSettings, SetError, Settings, SettingsError,
    StrangerSettings, Supervision, TlsSettings,
};

// A broker without a server.
pub use broker::{Broker, BusyServer};
pub use client_id::ClientId;
pub use clients::{CloseReason, Outbox, Peer, PeerCredentials, TlsFailure};
pub use clock::Now;
pub use effects::EffectsReader;
pub use host::{Allocator, Host, NoHost, SystemAllocator};
pub use in_process::{LocalBroker, LocalClient};
pub use replication::PrimaryAddress;
pub use resp::Protocol;
pub use state::ShutdownRequest;

// Append files.
pub use journal::files::{AppendFile, Directory, DiskDirectory, OpenError};
pub use journal::{JournalError, LoadError};

/// The programs in documents are compiled and run as documentation tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/embedding.md")]
    struct Embedding;
}
