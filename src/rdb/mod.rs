//! Redis' binary format of data, RDB, in its parts: as bytes, without a keyspace or files.
//!
//! | module | responsibility |
//! |---|---|
//! | [`format`] | the numbers of the format |
//! | [`value_type`] | its types of values |
//! | [`crc64`] | its checksum |
//! | [`write`] | its parts, written |
//! | [`read`] | a file as its bytes arrive, or one value; [`sink`] is what receives the content |
//! | `items` | the items that the input consists of, each taken whole |
//! | `length`, `text` | lengths and strings in all their forms |
//! | [`lzf`], [`lzf_compress`] | compressed strings, read and written |
//! | [`listpack`], [`ziplist`], [`zipmap`], [`intset`], [`packed`] | compact forms of values, and what they have in common |
//! | `unordered` | sets and hashes, read |
//! | `sorted_set` | members of sorted sets in all their forms |
//! | `stream`, `stream_part` | streams, item by item |
//! | `skip` | passing over values that are not supported |
//! | [`payload`] | the value of RESTORE |
//! | [`list`] | lists, written |
//! | [`error`] | what can be wrong, and where |
//!
//! What a whole file or payload consists of is defined in `snapshot/rdb.rs`.

pub mod crc64;
pub mod error;
pub mod format;
pub mod intset;
mod items;
mod length;
pub mod list;
pub mod listpack;
pub mod lzf;
pub mod lzf_compress;
pub mod packed;
pub mod payload;
pub mod read;
pub mod sink;
mod skip;
mod sorted_set;
mod stream;
mod stream_part;
mod text;
mod unordered;
pub mod value_type;
pub mod write;
pub mod ziplist;
pub mod zipmap;

#[cfg(test)]
mod tests;

pub use error::{Problem, RdbError};
pub use items::is_start;
pub use read::Reader;
pub use sink::{Place, Sink};
pub use stream_part::{StreamGroup, StreamIds, StreamPart};
pub use value_type::ValueType;
