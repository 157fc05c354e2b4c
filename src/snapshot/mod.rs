//! One saved part of all data, in a form that goes elsewhere: a file, or another process.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`commands`] | as commands, which a broker replays, and which a redis-server runs |
//!
//! A codec knows nothing of files or sockets: bytes come into the caller's buffer, and a sink of the caller
//! may empty it behind every few commands. What a part is, `keyspace/saved.rs` says, since the keyspace makes
//! parts and must not know their forms. So this room is above the keyspace and the notes, which a codec
//! needs, and below the broker and the journal, which use it.
//!
//! A match over the types of values is exhaustive here, so that a new type does not compile until each
//! codec knows it. `tests/snapshots.rs` writes and reads back all that a part can have.

pub mod commands;

pub use commands::CommandEncoder;
