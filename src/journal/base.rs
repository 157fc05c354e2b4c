//! The base file: all data as it was at one moment, as commands.

use super::batch::Sealer;
use super::files::{AppendFile, Directory, write_all};
use super::manifest::Entry;
use crate::keyspace::{DbIndex, Delivery, InFlight, SavedPart, Value};
use crate::note::Note;
use crate::policy::{DELAYED, IN_FLIGHT, QueuePolicy};
use crate::queue::{End, Queue, Stamp};
use crate::resp::{write_arg, write_command, write_header};
use crate::value::StringValue;
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
    /// To be noted at the end: who loads the file numbers the deliveries in it from 1, of which there
    /// were as many at least.
    last_delivery: Option<u64>,
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
        write_all(&*file, &opening, 0).inspect_err(|_| drop(directory.remove(&temporary)))?;
        Ok(BaseWriter {
            entry,
            file,
            sealer,
            batch: Vec::new(),
            db: None,
            last_delivery: None,
            synced: 0,
        })
    }

    /// Adds a part of a snapshot.
    pub fn add(&mut self, part: &SavedPart) -> io::Result<()> {
        for (name, policy) in &part.policies {
            let note = match policy {
                // No message is there yet that came under it.
                Some(policy) => Note::PolicySet { at_ms: 0, policy: policy.clone() },
                None => Note::PolicyDeleted { name: name.clone() },
            };
            note.write(&mut self.batch);
        }
        if let Some(ahead_ms) = part.calendar_ahead_ms {
            Note::Calendar { ahead_ms }.write(&mut self.batch);
        }
        self.last_delivery = self.last_delivery.or(part.last_delivery);
        for (departure, messages) in &part.departing {
            self.select(departure.db);
            self.add_list(&departure.list, messages)?;
            Note::Departing { departure: departure.clone() }.write(&mut self.batch);
        }
        for saved in &part.keys {
            self.select(saved.db);
            if let Some(policy) = &saved.former_policy {
                let (key, policy) = (saved.key.to_vec(), QueuePolicy::clone(policy));
                Note::FormerPolicy { key, policy }.write(&mut self.batch);
            }
            match &saved.value {
                Some(Value::List(queue)) => self.add_list(&saved.key, queue)?,
                Some(Value::String(string)) => self.add_string(&saved.key, string)?,
                None => {}
            }
            self.add_list(&[&saved.key[..], DELAYED].concat(), &saved.delayed)?;
            self.add_in_flight(&saved.key, &saved.in_flight)?;
            if let Some(expires_ms) = saved.expires_ms {
                let mut digits = itoa::Buffer::new();
                let at = digits.format(expires_ms).as_bytes();
                let emptied = if saved.value.is_some() { &[][..] } else { IN_FLIGHT };
                let key = [&saved.key[..], emptied].concat();
                write_command(&mut self.batch, [&b"PEXPIREAT"[..], &key, at]);
            }
        }
        Ok(())
    }

    fn select(&mut self, db: DbIndex) {
        if self.db.replace(db) != Some(db) {
            let mut digits = itoa::Buffer::new();
            write_command(&mut self.batch, [&b"select"[..], digits.format(db).as_bytes()]);
        }
    }

    fn add_list(&mut self, key: &[u8], queue: &Queue) -> io::Result<()> {
        let mut messages = queue.iter();
        let mut stamps = Runs::new(queue.stamp_runs());
        let mut left = queue.len();
        while left > 0 {
            let count = left.min(MESSAGES_PER_COMMAND);
            self.add_push(key, messages.by_ref().take(count), count);
            if queue.is_stamped() {
                let (key, end, runs) = (key.to_vec(), End::Back, stamps.take(count));
                Note::Stamped { key, end, runs }.write(&mut self.batch);
            }
            left -= count;
            self.write_if_full()?;
        }
        Ok(())
    }

    fn add_string(&mut self, key: &[u8], string: &StringValue) -> io::Result<()> {
        string.with(|bytes| write_command(&mut self.batch, [&b"SET"[..], key, bytes]));
        self.write_if_full()
    }

    /// Adds what is in flight as a list of its own, so that any server has it.
    fn add_in_flight(&mut self, key: &[u8], in_flight: &InFlight) -> io::Result<()> {
        let list = [key, IN_FLIGHT].concat();
        let mut deliveries = in_flight.iter().map(|(_, delivery)| delivery);
        let mut left = in_flight.len();
        while left > 0 {
            let count = left.min(MESSAGES_PER_COMMAND);
            let some: Vec<&Delivery> = deliveries.by_ref().take(count).collect();
            self.add_push(&list, some.iter().map(|delivery| &*delivery.message), count);
            let stamps = some.iter().map(|delivery| delivery.stamp).collect();
            Note::InFlight { key: key.to_vec(), stamps }.write(&mut self.batch);
            left -= count;
            self.write_if_full()?;
        }
        Ok(())
    }

    fn add_push<'a>(&mut self, key: &[u8], messages: impl Iterator<Item = &'a [u8]>, count: usize) {
        write_header(&mut self.batch, b'*', 2 + count);
        write_arg(&mut self.batch, b"RPUSH");
        write_arg(&mut self.batch, key);
        for message in messages {
            write_arg(&mut self.batch, message);
        }
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
        if let Some(number) = self.last_delivery {
            Note::LastDelivery { number }.write(&mut self.batch);
        }
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

/// Stamps of neighbours, to be taken a few messages at a time.
struct Runs<I> {
    rest: I,
    begun: Option<(Stamp, usize)>,
}

impl<I: Iterator<Item = (Stamp, usize)>> Runs<I> {
    fn new(rest: I) -> Runs<I> {
        Runs { rest, begun: None }
    }

    /// The stamps of the next `count` messages.
    fn take(&mut self, mut count: usize) -> Vec<(Stamp, usize)> {
        let mut taken = Vec::new();
        while count > 0
            && let Some((stamp, len)) = self.begun.take().or_else(|| self.rest.next())
        {
            let part = len.min(count);
            taken.push((stamp, part));
            count -= part;
            self.begun = (len > part).then_some((stamp, len - part));
        }
        taken
    }
}
