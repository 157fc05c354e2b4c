//! Files that get their name only once they are complete and durable.

use super::files::{AppendFile, Directory};
use std::io;
use std::sync::Arc;

/// Prefix of their names until then.
pub(super) const PREFIX: &str = "temp-";

/// Bytes between syncs of a large file. One sync of everything at the end would block the disk for others for
/// as long as it takes.
pub(super) const SYNC_BYTES: u64 = 32 << 20;

/// The name of a file that is not complete.
pub(super) fn temporary_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Creates a file under its temporary name.
///
/// # Errors
/// It cannot be created, or the one that an earlier process left cannot be removed.
pub(super) fn create(directory: &dyn Directory, name: &str) -> io::Result<Arc<dyn AppendFile>> {
    let temporary = temporary_name(name);
    match directory.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    directory.create(&temporary)
}

/// Gives a complete and synced file its name, and makes the name durable.
///
/// # Errors
/// It cannot be renamed, or the directory cannot be synced.
pub(super) fn complete(directory: &dyn Directory, name: &str) -> io::Result<()> {
    directory.rename(&temporary_name(name), name)?;
    directory.sync()
}
