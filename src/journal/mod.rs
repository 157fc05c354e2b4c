//! The append files: changes on disk, so that the data survives a restart.
//!
//! The directory has Redis' layout, and Redis loads it: a manifest that names one base file and the
//! increments after it, and files with commands as clients would send them.
//!
//! | module | responsibility |
//! |---|---|
//! | [`Journal`] | takes the changes of each turn; the durability promise, and what happens if it cannot be kept |
//! | [`scan`], [`load`] | reading the files in order; loading them, and preparing them for appending |
//! | `replay`, `progress` | passing what was read to the broker; how far it is |
//! | [`dump_file`] | a file with all data in the RDB format, without append files |
//! | `scan_file`, [`rest`], `skim` | reading one file; what is behind a break in it; walking over that without holding it |
//! | [`single_file`] | the file of Redis before version 7 |
//! | [`inspect`] | checking and repairing the files of a broker that does not run |
//! | [`job`] | work outside the loop, since it may wait for the disk |
//! | `timers` | when the next turn is due |
//! | `rewrite`, `stage` | the steps of a rewrite; its progress |
//! | `lone_rewrite` | a rewrite without appending |
//! | `run_time` | turning append files on and off while the broker runs |
//! | [`tail`] | the file that changes are appended to |
//! | [`preallocated`] | space behind the last batch, so that appending does not make the file longer |
//! | `space` | reserved disk space behind it, so that a full disk is noticed before a change |
//! | `strays` | files that no manifest names |
//! | [`base`] | the base file: all data of one moment |
//! | [`batch`] | commands in batches, each with a checksum; where a file stops being whole, and why |
//! | [`manifest`] | which files there are, in which order; replacing one set by another |
//! | [`save`], `rdb_file` | writing all data to an RDB file, beside the append files; the file |
//! | `temporary` | files that get their name only once they are complete |
//! | [`files`] | traits for a directory and its files, and their real implementation |
//! | [`memory`] | their twin in memory, which loses power, runs out of space and fails on demand |

pub mod base;
pub mod batch;
pub mod dump_file;
mod error;
pub mod files;
mod foreign;
mod gathering;
pub mod inspect;
pub mod job;
pub mod load;
mod lone_rewrite;
pub mod manifest;
pub mod memory;
pub mod preallocated;
mod progress;
mod rdb_file;
mod replay;
pub mod rest;
mod rewrite;
mod run_time;
pub mod save;
pub mod scan;
mod scan_file;
pub mod single_file;
mod skim;
mod space;
mod stage;
mod strays;
pub mod tail;
mod temporary;
mod timers;
mod writer;

pub use error::LoadError;
pub use load::Loader;
pub use lone_rewrite::LoneRewrite;
pub use run_time::remove_unnamed;
pub use save::Save;
pub use writer::{Journal, JournalError, Start};
