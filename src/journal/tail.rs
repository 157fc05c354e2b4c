//! The file that changes are appended to.

use super::batch::{Sealer, TRAILER_BYTES};
use super::files::{AppendFile, is_full, write_all};
use super::manifest::Entry;
use super::room::{add_pad, add_room};
use std::io;
use std::sync::Arc;

/// An append file at its end.
#[derive(Clone)]
pub struct Tail {
    /// Its place in the manifest.
    pub entry: Entry,
    /// The file, opened once for each sync that may be under way: Linux tells of a failure once for
    /// each time that a file was open then, and every sync that was to cover what is lost has to
    /// hear of it.
    pub sync_files: Vec<Arc<dyn AppendFile>>,
    /// Up to here it is known to be durable.
    pub durable: u64,
    /// The file, to write to.
    file: Arc<dyn AppendFile>,
    /// Closes its batches.
    sealer: Sealer,
    /// Bytes of the file: what is behind the last batch is room.
    length: u64,
    /// Up to here there is space on the disk.
    kept: u64,
}

impl Tail {
    /// A file that ends with what the sealer closed last, and is durable.
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

    /// Writes commands as a batch, and takes them out of `commands`. If there is no room for it in
    /// the file, it gets so much behind the batch, in whole units.
    ///
    /// # Errors
    /// Whatever the system said. The commands are as they were; of the batch an unknown part is
    /// there, until `cut_off`.
    pub fn append(&mut self, commands: &mut Vec<u8>, room_bytes: usize) -> io::Result<()> {
        self.write(commands, room_bytes, Sealer::seal)
    }

    /// The same for the last batch of the file.
    pub fn append_last(&mut self, commands: &mut Vec<u8>) -> io::Result<()> {
        self.write(commands, 0, Sealer::seal_last)
    }

    fn write(
        &mut self,
        commands: &mut Vec<u8>,
        room_bytes: usize,
        seal: impl FnOnce(&mut Sealer, &mut Vec<u8>, u64),
    ) -> io::Result<()> {
        let (at, before, commands_bytes) = (self.end(), self.sealer.clone(), commands.len());
        let end = at + (commands_bytes + TRAILER_BYTES) as u64;
        if let Some(gap) = self.length.checked_sub(end) {
            // Room is far less than what an address space holds.
            add_pad(commands, gap as usize);
        }
        seal(&mut self.sealer, commands, self.durable);
        if self.length < end {
            add_room(commands, room_bytes);
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

    /// Keeps space for `bytes` behind the last batch; if it has to ask the system for that, for some
    /// more, so that it asks seldom.
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

    /// Bytes behind the last batch for which there is space.
    pub fn kept_bytes(&self) -> u64 {
        self.kept.saturating_sub(self.end())
    }

    /// Gives back the space behind the end of the file, to which nothing is written any more. If the
    /// system does not want to, that is no harm but to the space.
    pub fn give_back_space(&mut self) {
        if self.kept > self.length && self.file.truncate(self.length).is_ok() {
            self.kept = self.length;
        }
    }

    /// Cuts off what is behind the last batch.
    ///
    /// # Errors
    /// Whatever the system said: then it is unknown what the file holds.
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

    /// Has the file end with its last batch, durably, so that it says of all its batches that they
    /// are durable. May take as long as the disk does.
    pub fn close(&mut self, commands: &mut Vec<u8>) -> io::Result<()> {
        let closed = self.append(commands, 0).and_then(|()| {
            self.sync()?;
            // One more, which says that all the others are durable.
            self.append(&mut Vec::new(), 0)?;
            self.cut_off()?;
            self.sync()
        });
        closed.inspect_err(|_| {
            // What was written in part must not look like damage; if that fails, it is a torn tail.
            let _ = self.cut_off();
        })
    }

    /// Gives the file its last batch, durably.
    pub fn finish(&mut self) -> io::Result<()> {
        self.append_last(&mut Vec::new())?;
        self.sync()
    }
}
