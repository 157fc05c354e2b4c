//! The file to which changes are appended.

use super::batch::{Sealer, TRAILER_BYTES};
use super::files::{AppendFile, is_full, write_all};
use super::manifest::Entry;
use super::preallocated::{add_pad, add_preallocated};
use std::io;
use std::sync::Arc;

/// An append file and its end.
#[derive(Clone)]
pub struct Tail {
    /// Its entry in the manifest.
    pub entry: Entry,
    /// The file, opened once for each concurrent sync: Linux reports a failure once to each opener, and
    /// every sync that covers the lost bytes must hear of it.
    pub sync_files: Vec<Arc<dyn AppendFile>>,
    /// Up to here it is known to be durable.
    pub durable: u64,
    /// The file, for writing.
    file: Arc<dyn AppendFile>,
    /// Seals its batches.
    sealer: Sealer,
    /// Bytes of the file: those after the last batch are preallocated.
    length: u64,
    /// Up to here disk space is reserved.
    kept: u64,
}

impl Tail {
    /// A file that ends with the sealer's last batch, and is durable.
    pub fn new(
        entry: Entry,
        file: Arc<dyn AppendFile>,
        sync_files: Vec<Arc<dyn AppendFile>>,
        sealer: Sealer,
    ) -> Tail {
        let end = sealer.at();
        Tail { entry, sync_files, durable: end, file, sealer, length: end, kept: end }
    }

    /// Where the last batch ends, in bytes of the file.
    pub fn end(&self) -> u64 {
        self.sealer.at()
    }

    /// Writes commands as a batch, and empties `commands`. If the file has too little preallocated space
    /// for it, preallocates this many bytes after the batch, in whole units.
    ///
    /// # Errors
    /// An error of the system. The commands are unchanged; an unknown part of the batch is written,
    /// until `cut_off`.
    pub fn append(&mut self, commands: &mut Vec<u8>, preallocate_bytes: usize) -> io::Result<()> {
        self.write(commands, preallocate_bytes, Sealer::seal)
    }

    /// The same for the last batch of the file.
    pub fn append_last(&mut self, commands: &mut Vec<u8>) -> io::Result<()> {
        self.write(commands, 0, Sealer::seal_last)
    }

    fn write(
        &mut self,
        commands: &mut Vec<u8>,
        preallocate_bytes: usize,
        seal: impl FnOnce(&mut Sealer, &mut Vec<u8>, u64),
    ) -> io::Result<()> {
        let (at, before, commands_bytes) = (self.end(), self.sealer.clone(), commands.len());
        let end = at + (commands_bytes + TRAILER_BYTES) as u64;
        if let Some(gap) = self.length.checked_sub(end) {
            // Preallocated space is far smaller than an address space.
            add_pad(commands, gap as usize);
        }
        seal(&mut self.sealer, commands, self.durable);
        if self.length < end {
            add_preallocated(commands, preallocate_bytes);
        }
        let written = write_all(&*self.file, commands, at);
        match written {
            Ok(()) => {
                self.length = self.length.max(at + commands.len() as u64);
                commands.clear();
            }
            Err(_) => {
                commands.truncate(commands_bytes);
                self.sealer = before;
            }
        }
        written
    }

    /// Reserves disk space for `bytes` after the last batch. If it must ask the system, it asks for
    /// `more` as well, to ask less often.
    ///
    /// # Errors
    /// As [`AppendFile::keep_space`].
    pub fn keep_space(&mut self, bytes: u64, more: u64) -> io::Result<()> {
        let end = self.end();
        if self.kept_bytes() >= bytes {
            return Ok(());
        }
        let asked = match self.file.keep_space(end, bytes + more) {
            Err(error) if is_full(&error) && more > 0 => {
                self.file.keep_space(end, bytes)?;
                bytes
            }
            result => result.map(|()| bytes + more)?,
        };
        self.kept = self.kept.max(end + asked);
        Ok(())
    }

    /// Bytes of reserved space after the last batch.
    pub fn kept_bytes(&self) -> u64 {
        self.kept.saturating_sub(self.end())
    }

    /// Releases the space after the end of the file, which is not written to any more. A failure only
    /// costs space.
    pub fn give_back_space(&mut self) {
        if self.kept > self.length && self.file.truncate(self.length).is_ok() {
            self.kept = self.length;
        }
    }

    /// Cuts off everything after the last batch.
    ///
    /// # Errors
    /// An error of the system: then the content of the file is unknown.
    pub fn cut_off(&mut self) -> io::Result<()> {
        self.file.truncate(self.end())?;
        self.length = self.end();
        self.kept = self.end();
        Ok(())
    }

    /// Makes the file durable. May take as long as the disk does.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        self.durable = self.end();
        Ok(())
    }

    /// Ends the file durably with a batch that records all other batches as durable. May take as long as
    /// the disk does.
    pub fn close(&mut self, commands: &mut Vec<u8>) -> io::Result<()> {
        let closed = self.append(commands, 0).and_then(|()| {
            self.sync()?;
            // One more batch, which records that all others are durable.
            self.append(&mut Vec::new(), 0)?;
            self.cut_off()?;
            self.sync()
        });
        closed.inspect_err(|_| {
            // A partly written batch must not look like damage. If the cut fails, it is a torn tail.
            let _ = self.cut_off();
        })
    }

    /// Gives the file its last batch, durably.
    pub fn finish(&mut self) -> io::Result<()> {
        self.append_last(&mut Vec::new())?;
        self.sync()
    }
}
