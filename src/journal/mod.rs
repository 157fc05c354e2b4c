//! The append files: what changed, on disk, so that it is there after a restart.
//!
//! The directory has Redis' layout, and Redis loads it: a manifest that names one base file and
//! the increments after it, and files that hold commands as clients would send them.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`Journal`] | takes the changes of each turn; what is promised, and what happens if it cannot be kept |
//! | [`scan`], [`load`] | reading the files from the first to the last; loading them, and making them fit to go on |
//! | `scan_file`, [`rest`], `skim` | reading one file; what stands behind a break in it, and walking over that without holding it |
//! | [`single_file`] | the file of Redis before version 7 |
//! | [`inspect`] | checking and repairing the files of a broker that does not run |
//! | [`job`] | what is done beside the loop, since it may wait for the disk |
//! | `timers` | when the next turn has to come |
//! | `rewrite`, `stage` | the steps of a rewrite; how far it is |
//! | `lone_rewrite` | a rewrite while nothing is appended |
//! | `run_time` | append files that are turned on and off while the broker runs |
//! | [`tail`] | the file that changes are appended to |
//! | [`room`] | what stands behind the last batch, so that appending does not make the file longer |
//! | `space` | space on the disk behind it, so that a full one is met before a change |
//! | `strays` | files that no manifest names |
//! | [`base`] | the base file: all data as it was at one moment |
//! | [`batch`] | commands in batches, each with a checksum; where a file stops being whole, and why |
//! | [`manifest`] | which files there are, in which order; the change from one set to the next |
//! | [`files`] | a directory and its files as a trait, and the real ones |
//! | [`memory`] | their twin that loses power, runs out of space and breaks on demand |

pub mod base;
pub mod batch;
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
pub mod rest;
mod rewrite;
pub mod room;
mod run_time;
pub mod scan;
mod scan_file;
pub mod single_file;
mod skim;
mod space;
mod stage;
mod strays;
pub mod tail;
mod timers;
mod writer;

pub use error::LoadError;
pub use load::Loader;
pub use lone_rewrite::LoneRewrite;
pub use run_time::remove_unnamed;
pub use writer::{Journal, JournalError, Start};
