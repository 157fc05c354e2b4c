//! The base file: all data as it was at one moment, as commands.

use super::batch::Sealer;
use super::files::{AppendFile, Directory, write_all};
use super::manifest::Entry;
use crate::keyspace::{DbIndex, SavedKey, Value};
use crate::resp::{write_arg, write_command, write_header};
use std::io;
use std::sync::Arc;

/// Messages in one command, as in Redis: a loader need not keep a whole queue as one request.
const MESSAGES_PER_COMMAND: usize = 64;

/// Bytes at which a batch is closed and written.
const BATCH_BYTES: usize = 1 << 20;

/// Bytes after which the file is synced. All at the end would keep the disk from everybody else
/// for as long as that takes.
const SYNC_BYTES: u64 = 32 << 20;

/// Writes a base file, under a temporary name until it is complete.
pub struct BaseWriter {
    entry: Entry,
    file: Arc<dyn AppendFile>,
    sealer: Sealer,
    /// Commands that are not written yet.
    batch: Vec<u8>,
    db: Option<DbIndex>,
    synced: u64,
}

/// The name of a file of this name that is not complete.
pub fn temporary_name(name: &str) -> String {
    format!("temp-{name}")
}

impl BaseWriter {
    /// Begins a base file.
    pub fn begin(directory: &dyn Directory, entry: Entry) -> io::Result<BaseWriter> {
        let temporary = temporary_name(&entry.name);
        // A rewrite that failed may have left one.
        match directory.remove(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = directory.create(&temporary)?;
        let (sealer, opening) = Sealer::begin(&entry.name);
        write_all(&*file, &opening, 0)?;
        Ok(BaseWriter { entry, file, sealer, batch: Vec::new(), db: None, synced: 0 })
    }

    /// Adds keys.
    pub fn add(&mut self, keys: &[SavedKey]) -> io::Result<()> {
        for saved in keys {
            if self.db != Some(saved.db) {
                self.db = Some(saved.db);
                let mut digits = itoa::Buffer::new();
                let number = digits.format(saved.db).as_bytes();
                write_command(&mut self.batch, [&b"select"[..], number]);
            }
            let Value::List(queue) = &saved.value;
            let mut messages = queue.iter();
            let mut left = queue.len();
            while left > 0 {
                let count = left.min(MESSAGES_PER_COMMAND);
                write_header(&mut self.batch, b'*', 2 + count);
                write_arg(&mut self.batch, b"RPUSH");
                write_arg(&mut self.batch, &saved.key);
                for message in messages.by_ref().take(count) {
                    write_arg(&mut self.batch, message);
                }
                left -= count;
                self.write_if_full()?;
            }
            if let Some(expires_ms) = saved.expires_ms {
                let mut digits = itoa::Buffer::new();
                let at = digits.format(expires_ms).as_bytes();
                write_command(&mut self.batch, [&b"PEXPIREAT"[..], &saved.key, at]);
            }
        }
        Ok(())
    }

    fn write_if_full(&mut self) -> io::Result<()> {
        if self.batch.len() < BATCH_BYTES {
            return Ok(());
        }
        let at = self.sealer.at();
        self.sealer.seal(&mut self.batch, self.synced);
        write_all(&*self.file, &self.batch, at)?;
        self.batch.clear();
        // Where the loop shares the core, it goes first.
        std::thread::yield_now();
        if self.sealer.at() - self.synced >= SYNC_BYTES {
            self.file.sync()?;
            self.synced = self.sealer.at();
        }
        Ok(())
    }

    /// Completes the file, makes it and its name durable, and gives its entry and length.
    pub fn finish(mut self, directory: &dyn Directory) -> io::Result<(Entry, u64)> {
        let at = self.sealer.at();
        self.sealer.seal_last(&mut self.batch, self.synced);
        write_all(&*self.file, &self.batch, at)?;
        self.file.sync()?;
        directory.rename(&temporary_name(&self.entry.name), &self.entry.name)?;
        directory.sync()?;
        Ok((self.entry, self.sealer.at()))
    }

    /// The names that the file has, or will have: the temporary one and its own.
    pub fn names(&self) -> [String; 2] {
        [temporary_name(&self.entry.name), self.entry.name.clone()]
    }

    /// Takes away what was written. If that fails as well, the next start or rewrite does it.
    pub fn abandon(self, directory: &dyn Directory) {
        let _ = directory.remove(&temporary_name(&self.entry.name));
    }
}
