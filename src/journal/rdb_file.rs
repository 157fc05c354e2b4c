//! Writes an RDB file: under a temporary name until it is complete and durable.

use super::files::{AppendFile, Directory, write_all};
use super::temporary::{self, SYNC_BYTES, temporary_name};
use crate::keyspace::SavedPart;
use crate::snapshot::{RdbEncoder, RdbHeader};
use std::io;
use std::sync::Arc;

/// Bytes that are written at once.
const WRITE_BYTES: usize = 256 << 10;

/// An RDB file that is being written.
pub struct RdbWriter {
    name: String,
    encoder: RdbEncoder,
    /// Bytes not yet written.
    pending: Vec<u8>,
    written: Written,
}

/// The written part of a file.
struct Written {
    file: Arc<dyn AppendFile>,
    /// Its length, and the synced part of it.
    length: u64,
    synced: u64,
}

impl RdbWriter {
    /// Begins a file.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn begin(
        directory: &dyn Directory,
        name: &str,
        header: &RdbHeader,
    ) -> io::Result<RdbWriter> {
        let file = temporary::create(directory, name)?;
        let mut pending = Vec::new();
        let encoder = RdbEncoder::begin(header, &mut pending);
        let written = Written { file, length: 0, synced: 0 };
        Ok(RdbWriter { name: name.to_string(), encoder, pending, written })
    }

    /// Adds a part of a snapshot.
    ///
    /// # Errors
    /// It cannot be written. The file is useless then.
    pub fn add(&mut self, part: &SavedPart) -> io::Result<()> {
        let RdbWriter { encoder, pending, written, .. } = self;
        encoder.add(part, pending, |pending| written.take_if_enough(pending))
    }

    /// Completes the file, and makes it and its name durable. Returns its length.
    ///
    /// # Errors
    /// It cannot be written, synced or renamed. A file with its name stays as it was, unless only the sync of
    /// the directory failed.
    pub fn finish(self, directory: &dyn Directory) -> io::Result<u64> {
        let RdbWriter { name, encoder, mut pending, mut written } = self;
        encoder.finish(&mut pending);
        written.take(&mut pending)?;
        written.file.sync()?;
        temporary::complete(directory, &name)?;
        Ok(written.length)
    }

    /// The temporary name of the file.
    pub fn temporary_name(&self) -> String {
        temporary_name(&self.name)
    }
}

impl Written {
    fn take_if_enough(&mut self, pending: &mut Vec<u8>) -> io::Result<()> {
        if pending.len() < WRITE_BYTES { Ok(()) } else { self.take(pending) }
    }

    /// Writes and empties `pending`.
    fn take(&mut self, pending: &mut Vec<u8>) -> io::Result<()> {
        write_all(&*self.file, pending, self.length)?;
        self.length += pending.len() as u64;
        pending.clear();
        // If the loop shares the core, it goes first.
        std::thread::yield_now();
        if self.length - self.synced >= SYNC_BYTES {
            self.file.sync()?;
            self.synced = self.length;
        }
        Ok(())
    }
}
