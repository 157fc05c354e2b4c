//! The append files: what changed, on disk, so that it is there after a restart.
//!
//! The directory has Redis' layout, and Redis loads it: a manifest that names one base file and
//! the increments after it, and files that hold commands as clients would send them.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`batch`] | commands in batches, each with a checksum; where a file stops being whole, and why |
//! | [`manifest`] | which files there are, in which order; the change from one set to the next |
//! | [`files`] | a directory and its files as a trait, and the real ones |
//! | [`memory`] | their twin that loses power, runs out of space and breaks on demand |
//!
//! The lowest layers stand; nothing in the server uses them yet.

pub mod batch;
pub mod files;
pub mod manifest;
pub mod memory;
