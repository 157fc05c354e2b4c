//! A message broker that any Redis client can use: queues, publish/subscribe, transactions.
//!
//! The binary `tidegate` is a thin `main` around this library; any other program can do the same
//! and have the broker inside itself:
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
//! [`LocalBroker`] is a broker with clients and without a server: it has no thread, and append files if
//! they are wanted.
//!
//! # The broker is a plain value
//!
//! [`Broker`] has no socket, file, clock or thread. Request bytes and the time go in; reply bytes,
//! the next deadline and the clients to close come out. [`Server`] drives it from sockets; tests
//! and simulations drive it from memory and decide themselves what time it is:
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
//! let reply = broker.output(worker).map(|output| output.take_all());
//! assert_eq!(reply.as_deref(), Some(&b"*2\r\n$4\r\njobs\r\n$5\r\npaint\r\n"[..]));
//! assert_eq!(broker.next_deadline(now.plus_us(1_000_000)), None);
//! ```
//!
//! # The rooms
//!
//! Imports go one way, from the top of this table to its bottom.
//!
//! | room | what it is responsible for |
//! |---|---|
//! | `main.rs` | arguments, the log, signals, exit codes |
//! | [`server`] | sockets, descriptors, the clock; the turn; connections: how bytes get there, what is spoken; clients of the same program |
//! | `in_process` | typed calls; a broker without a server, and its clients |
//! | [`journal`] | append files: what is promised, loading, rewriting; batches that are checked |
//! | [`broker`] | connect, receive, settle, close, the next deadline; what a journal needs |
//! | `commands` | one table of commands, made of the families' rows; dispatch; waiting for keys |
//! | `engine` | what a command is: its row, the table made of rows; look-up, gates, call, and what it runs with |
//! | `queueing` | what policies do to queues: pushes, deliveries, acknowledgements, delays, dead letters |
//! | `flags`, `command_error` | properties of commands; their errors, arguments as numbers and words |
//! | `figures` | tables of all that is counted and measured, which INFO and MEMORY STATS show |
//! | `state`, `stats`, `histogram`, `slowlog`, `persistence` | what commands read and change; counters, times |
//! | `keyspace` | key → value, waiters and expiry in one entry, so that one look-up answers what is here and who waits |
//! | `clients` | who is connected, what they are in the middle of; the outbox: what each is owed, and how much of it may be sent |
//! | `channels`, [`glob`] | channels and patterns → subscribers |
//! | `effects` | what changed, as commands that change another broker in the same way |
//! | `note` | what append files say beside plain commands |
//! | `deadlines` | what is due when; the enums of what may be due in a broker, a journal, a server |
//! | `work` | how much is done in a turn, counted in steps |
//! | `value` | the types of values, each of which says the same few things |
//! | [`queue`] | messages packed in one block or in a deque of segments; knows nothing of Redis or of clients |
//! | [`resp`] | requests in, replies out, in both protocols; a reply is a plain value, whoever gets it |
//! | [`settings`] | one table of directives: command line, file, CONFIG, documentation |
//! | [`policy`] | what operators decide about the queues and channels whose names match a pattern |
//! | [`clock`], `host` | what time it is, as a value; what only the process around can do |
//! | `line_limit` | how often the log tells of what strangers can cause |
//! | `quotes` | what stands in quotes, in inline requests and in settings |
//! | `slack` | when a table that has become much too large shrinks |
//!
//! # The life of one command
//!
//! `RPUSH q a` arrives at a socket. The poll wakes; the turn (`server/turn.rs`) has the connection read
//! into the turn's one buffer. Its transport takes the bytes from the socket, and its speaker calls
//! [`Broker::receive`] with them. The parser finds the request's arguments
//! as slices of that buffer: only an incomplete tail would be copied, to be put before what comes
//! next. `commands` looks the name up in the table and asks the gates: arity, password, a pause,
//! the memory limit, an open transaction. `commands/list.rs` looks the key up in the keyspace,
//! once, and the queue there takes the message: its only copy. The reply is written into the client's
//! outbox (`clients/outbox`), and that puts the client on the list of those to be written. When all sockets
//! have been read and the broker has settled, the journal, if there is one, writes what the turn
//! has changed as one batch; then each client on the list gets one write with all it is owed, but
//! for replies that wait until that batch is durable.
//!
//! `BLPOP q 5` finds nothing. It leaves the client in line in the key's entry, with a deadline
//! which shortens the next poll's wait; whatever else the client sends is left unread. A later push
//! marks `q` as ready. After the command that pushed, the broker serves the one who has waited
//! longest, with the same function that would have answered at once. No command wakes anyone
//! itself. If the deadline comes first, `settle` answers that there was nothing.
//!
//! If a policy governs `q`, its entry has more than the list: what is in flight and to whom, what is
//! delayed, counts. `RPUSH` and `LPOP` see that when they have found the entry and go to
//! `queueing`, which does what the policy says and states it as plain list commands for the
//! journal. When something is due in a queue - a life is over, a delay, an acknowledgement is missing -
//! the poll's wait ends, and the same room sees to it. A client that leaves takes nothing with it.
//!
//! What nobody waits for is a chore (`queueing/chores.rs`): what is due, what a lost connection
//! held, dead letters on their way, a policy that has to reach all keys, what a flush leaves to be freed.
//! A turn does as much of it as `turn-work-max` says, counted in steps (`work.rs`), and the next turn comes
//! at once. Until then a look-up sees to its own key, so that no command can tell.

#![warn(missing_docs, unreachable_pub)]
#![deny(unsafe_code)]

mod client_id;
mod host;
mod in_process;
mod persistence;

mod channels;
mod clients;
mod command_error;
mod commands;
mod deadlines;
mod effects;
mod engine;
mod flags;
mod histogram;
mod keyspace;
mod line_limit;
mod note;
mod quotes;
mod slack;
mod slowlog;
mod state;
mod stats;
mod value;
mod work;

// For the program, tests, benches and the fuzzer. Nothing is promised of what is only here.
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
pub mod resp;
#[doc(hidden)]
pub mod server;
#[doc(hidden)]
pub mod settings;
#[doc(hidden)]
pub use commands::{command_names, commands_markdown};

// A server, and clients of it within the same program.
pub use in_process::{Calls, ClientError, Message};
pub use resp::{Reply, ReplyError, ReplyParser};
pub use server::{
    Client, Connector, RunningServer, Server, ServerError, StopHandle, Subscription, SystemClock,
};

// Settings.
pub use policy::{Acknowledge, ChannelPolicy, Delivery, Overflow, QueuePolicy, SlowSubscriber};
pub use settings::{
    FsyncPolicy, LocalAccess, LogLevel, OutputLimit, SetError, Settings, SettingsError, Supervision,
};

// A broker without a server.
pub use broker::Broker;
pub use client_id::ClientId;
pub use clients::{CloseReason, Outbox, Peer};
pub use clock::Now;
pub use host::{Allocator, Host, NoHost, SystemAllocator};
pub use in_process::{LocalBroker, LocalClient};
pub use resp::Protocol;
pub use state::ShutdownRequest;

// Append files.
pub use journal::files::{AppendFile, Directory, DiskDirectory, OpenError};
pub use journal::{JournalError, LoadError};
