//! One saved part of all data, encoded for a file or another process.
//!
//! | module | responsibility |
//! |---|---|
//! | [`commands`] | as commands, which a broker replays and a redis-server can run |
//! | [`rdb`] | as an RDB file, which a redis-server loads; a value as the payload of DUMP |
//! | `stream` | streams as commands |
//! | `stream_value` | streams in RDB files, in pieces |
//! | `elements` | values in RDB files that are not lists, in pieces |
//! | `place` | places within them |
//! | `runs` | runs of equal stamps |
//!
//! A codec knows nothing of files or sockets: it appends bytes to the caller's buffer, and the caller's sink
//! may empty the buffer after every few commands. `keyspace/saved.rs` defines a part, since the keyspace
//! makes parts and must not know their encodings. So this module is above the keyspace and the notes, which a
//! codec needs, and below the broker and the journal, which use it.
//!
//! Matches over the types of values are exhaustive here, so that a new type does not compile until each codec
//! knows it. `tests/snapshots.rs` writes and reads back everything a part can contain.

pub mod commands;
mod elements;
mod place;
pub mod rdb;
mod runs;
mod stream;
mod stream_value;

pub use crate::note::StreamPlace;
pub use commands::CommandEncoder;
pub(crate) use elements::Elements;
pub(crate) use place::ElementPlace;
pub(crate) use rdb::dump;
pub use rdb::{RdbEncoder, RdbHeader};
pub(crate) use stream::write_commands as write_stream_commands;
