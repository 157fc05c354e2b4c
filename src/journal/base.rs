//! The base file: all data as of one moment, in batches. `snapshot` defines their content.

use super::batch::Sealer;
use super::files::{AppendFile, Directory, write_all};
use super::manifest::Entry;
use super::temporary::{self, SYNC_BYTES, temporary_name};
use crate::keyspace::SavedPart;
use crate::snapshot::CommandEncoder;
use std::io;
use std::sync::Arc;

/// Size at which a batch is closed and written.
const BATCH_BYTES: usize = 1 << 20;

/// Writes a base file, under a temporary name until it is complete.
pub struct BaseWriter {
    entry: Entry,
    encoder: CommandEncoder,
    /// Commands not yet written.
    batch: Vec<u8>,
    written: Written,
}

/// The written part of a base file.
struct Written {
    file: Arc<dyn AppendFile>,
    sealer: Sealer,
    /// Synced bytes.
    synced: u64,
}

impl BaseWriter {
    /// Begins a base file.
    pub fn begin(directory: &dyn Directory, entry: Entry) -> io::Result<BaseWriter> {
        let file = temporary::create(directory, &entry.name)?;
        let (sealer, opening) = Sealer::begin(&entry.name);
        write_all(&*file, &opening, 0)
            .inspect_err(|_| drop(directory.remove(&temporary_name(&entry.name))))?;
        let written = Written { file, sealer, synced: 0 };
        Ok(BaseWriter { entry, encoder: CommandEncoder::default(), batch: Vec::new(), written })
    }

    /// Adds a part of a snapshot.
    pub fn add(&mut self, part: &SavedPart) -> io::Result<()> {
        let BaseWriter { encoder, batch, written, .. } = self;
        encoder.add(part, batch, |batch| written.add_if_full(batch))
    }

    /// Completes the file and makes it and its name durable. Returns its entry and length.
    pub fn finish(self, directory: &dyn Directory) -> io::Result<(Entry, u64)> {
        let BaseWriter { entry, encoder, mut batch, mut written } = self;
        encoder.finish(&mut batch);
        written.add_last(&mut batch)?;
        temporary::complete(directory, &entry.name)?;
        Ok((entry, written.sealer.at()))
    }

    /// The temporary and the final name of the file.
    pub fn names(&self) -> [String; 2] {
        [temporary_name(&self.entry.name), self.entry.name.clone()]
    }

    /// Deletes what was written. If this fails too, the next start or rewrite does it.
    pub fn abandon(self, directory: &dyn Directory) {
        let _ = directory.remove(&temporary_name(&self.entry.name));
    }
}

impl Written {
    /// Writes and empties the batch if it is large enough.
    fn add_if_full(&mut self, batch: &mut Vec<u8>) -> io::Result<()> {
        if batch.len() < BATCH_BYTES {
            return Ok(());
        }
        let at = self.sealer.at();
        self.sealer.seal(batch, self.synced);
        write_all(&*self.file, batch, at)?;
        batch.clear();
        // If the loop shares the core, it goes first.
        std::thread::yield_now();
        if self.sealer.at() - self.synced >= SYNC_BYTES {
            self.file.sync()?;
            self.synced = self.sealer.at();
        }
        Ok(())
    }

    /// Writes the last batch and makes all of them durable.
    fn add_last(&mut self, batch: &mut Vec<u8>) -> io::Result<()> {
        let at = self.sealer.at();
        self.sealer.seal_last(batch, self.synced);
        write_all(&*self.file, batch, at)?;
        self.file.sync()
    }
}
