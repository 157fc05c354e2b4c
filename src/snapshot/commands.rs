//! A snapshot as commands, with notes for what plain commands cannot express.
//!
//! | saved | written as | read back by |
//! |---|---|---|
//! | policies, calendar, last delivery | notes | `queueing::replay_note` |
//! | a library of functions | `FUNCTION LOAD` | `commands/scripting/functions.rs` |
//! | a list | `RPUSH`, and notes with its stamps | `commands/list.rs`, `replay_note` |
//! | a stream | `XADD`, `XGROUP`, `XCLAIM`, `XSETID`, and notes when consumers were active | `commands/stream/` |
//! | a string | `SET` | `commands/string/set.rs` |
//! | a hash | `HSET` | `commands/hash/write.rs` |
//! | a set | `SADD` | `commands/set/write.rs` |
//! | a sorted set | `ZADD` | `commands/sorted_set/add.rs` |
//! | messages in flight or delayed | `RPUSH` to a separate list, and notes | `Queues::replay`, `replay_note` |
//! | departing messages | `RPUSH` to a list of their own, and a note | `Keyspace::add_recorded_departure` |
//! | the pauses of a queue | a note | `replay_note` |
//! | an expiry | `PEXPIREAT`, of the list in flight if the queue is empty | `commands/expiry.rs`, `Queues::replay` |
//!
//! The same functions replay the changes of a running broker, which are recorded in the same form.

use super::runs::Runs;
use super::stream;
use crate::dict::Item;
use crate::keyspace::{DbIndex, Delayed, InFlight, SavedKey, SavedPart, Value};
use crate::note::Note;
use crate::policy::{DELAYED, IN_FLIGHT, QueuePolicy};
use crate::queue::{End, Queue, Stamp};
use crate::resp::{DoubleBuffer, write_arg, write_command, write_header};
use crate::value::SortedSet;
use std::io;

/// Limit on the messages in one command, as in Redis, so that a loader need not keep a whole queue as one
/// request.
const MESSAGES_PER_COMMAND: usize = 64;

/// Size limit of a command: with this many bytes of messages it gets no more.
const COMMAND_BYTES: usize = 64 << 10;

/// Small commands that are passed on together.
const COMMANDS_PER_PIECE: usize = 64;

/// Writes the parts of one snapshot as commands, one part after another.
#[derive(Debug, Default)]
pub struct CommandEncoder {
    /// The selected database.
    db: Option<DbIndex>,
    /// Written at the end: a loader numbers the deliveries from 1, and there were at least as many.
    last_delivery: Option<u64>,
}

impl CommandEncoder {
    /// Appends a part to `out`. After every few commands `sink` is called and may empty `out`: only a few
    /// commands are added between two calls, however large the part is.
    ///
    /// # Errors
    /// The error of `sink`. Then the content of `out` is useless.
    pub fn add(
        &mut self,
        part: &SavedPart,
        out: &mut Vec<u8>,
        sink: impl FnMut(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        Adding { encoder: self, out, sink }.part(part)
    }

    /// Appends what follows the last part.
    pub fn finish(self, out: &mut Vec<u8>) {
        if let Some(number) = self.last_delivery {
            Note::LastDelivery { number }.write(out);
        }
    }
}

/// The writing of one part.
struct Adding<'a, S> {
    encoder: &'a mut CommandEncoder,
    out: &'a mut Vec<u8>,
    sink: S,
}

impl<S: FnMut(&mut Vec<u8>) -> io::Result<()>> Adding<'_, S> {
    fn part(&mut self, part: &SavedPart) -> io::Result<()> {
        let SavedPart { policies, last_delivery, calendar_ahead_ms, libraries, departing, keys } =
            part;
        for (name, policy) in policies {
            let note = match policy {
                // No message has come under it yet.
                Some(policy) => Note::PolicySet { at_ms: 0, policy: policy.clone() },
                None => Note::PolicyDeleted { name: name.clone() },
            };
            note.write(self.out);
        }
        if let Some(ahead_ms) = *calendar_ahead_ms {
            Note::Calendar { ahead_ms }.write(self.out);
        }
        for library in libraries {
            write_command(self.out, [&b"FUNCTION"[..], b"LOAD", b"REPLACE", &library.code]);
            self.empty()?;
        }
        self.encoder.last_delivery = self.encoder.last_delivery.or(*last_delivery);
        for (departure, messages) in departing {
            self.select(departure.db);
            self.list(&departure.list, messages)?;
            Note::Departing { departure: departure.clone() }.write(self.out);
            self.empty()?;
        }
        keys.iter().try_for_each(|saved| self.key(saved))
    }

    fn key(&mut self, saved: &SavedKey) -> io::Result<()> {
        let SavedKey { db, key, value, in_flight, delayed, former_policy, .. } = saved;
        self.select(*db);
        if let Some(policy) = former_policy {
            let (key, policy) = (key.to_vec(), QueuePolicy::clone(policy));
            Note::FormerPolicy { key, policy }.write(self.out);
        }
        // Before the list: when the list is read, a former policy ends unless it still has such messages.
        self.delayed(key, delayed)?;
        self.in_flight(key, in_flight)?;
        match value {
            None => {}
            Some(Value::List(queue)) => self.list(key, queue)?,
            Some(Value::String(string)) => {
                string.with(|bytes| write_command(self.out, [&b"SET"[..], key, bytes]));
            }
            Some(Value::Hash(hash)) => {
                let pairs = hash.iter().flat_map(|(field, value)| [field, value]);
                self.elements(b"HSET", key, pairs)?;
            }
            Some(Value::Set(set)) => self.elements(b"SADD", key, set.iter())?,
            Some(Value::SortedSet(set)) => self.sorted_set(key, set)?,
            Some(Value::Stream(stream)) => {
                let Adding { out, sink, .. } = self;
                let mut written = 0;
                stream::write_commands(out, key, stream, |out| {
                    written += 1;
                    let is_piece = written % COMMANDS_PER_PIECE == 0 || out.len() >= COMMAND_BYTES;
                    if is_piece { sink(out) } else { Ok(()) }
                })?;
            }
        }
        if let Some(expires_ms) = saved.expires_ms {
            let mut digits = itoa::Buffer::new();
            let at = digits.format(expires_ms).as_bytes();
            let emptied = if value.is_some() { &[][..] } else { IN_FLIGHT };
            write_command(self.out, [&b"PEXPIREAT"[..], &[key, emptied].concat(), at]);
        }
        if saved.pauses.is_paused() {
            Note::Paused { key: key.to_vec(), pauses: saved.pauses }.write(self.out);
        }
        self.empty()
    }

    fn select(&mut self, db: DbIndex) {
        if self.encoder.db.replace(db) != Some(db) {
            let mut digits = itoa::Buffer::new();
            write_command(self.out, [&b"select"[..], digits.format(db).as_bytes()]);
        }
    }

    fn list(&mut self, key: &[u8], queue: &Queue) -> io::Result<()> {
        let mut messages = queue.iter();
        let mut stamps = Runs::new(queue.stamp_runs());
        loop {
            let some = next_few(&mut messages, |message| *message);
            if some.is_empty() {
                return Ok(());
            }
            self.push(key, some.iter().copied());
            let runs = stamps.take_messages(some.len());
            let is_dead_letter = |(stamp, _): &(Stamp, usize)| stamp.dead_letter.is_some();
            if queue.is_fully_stamped() || runs.iter().any(is_dead_letter) {
                let (key, end) = (key.to_vec(), End::Back);
                Note::Stamped { key, end, runs }.write(self.out);
            }
            self.empty()?;
        }
    }

    /// Adds the members of a set, or the fields of a hash, each followed by its value.
    fn elements<'a>(
        &mut self,
        command: &[u8],
        key: &[u8],
        mut elements: impl Iterator<Item = Item<'a>>,
    ) -> io::Result<()> {
        loop {
            // An even number: a field is in one command with its value.
            let mut some = Vec::with_capacity(MESSAGES_PER_COMMAND);
            let mut bytes = 0;
            while some.len() < MESSAGES_PER_COMMAND && bytes < COMMAND_BYTES {
                let two = elements.by_ref().take(2);
                let before = some.len();
                some.extend(two.inspect(|element| bytes += element.len()));
                if some.len() == before {
                    break;
                }
            }
            if some.is_empty() {
                return Ok(());
            }
            write_header(self.out, b'*', 2 + some.len());
            write_arg(self.out, command);
            write_arg(self.out, key);
            some.iter().for_each(|element| element.with(|element| write_arg(self.out, element)));
            self.empty()?;
        }
    }

    fn sorted_set(&mut self, key: &[u8], set: &SortedSet) -> io::Result<()> {
        let mut members = set.iter();
        let mut score_text = DoubleBuffer::default();
        loop {
            let some = next_few(&mut members, |(_, member)| *member);
            if some.is_empty() {
                return Ok(());
            }
            write_header(self.out, b'*', 2 + 2 * some.len());
            write_arg(self.out, b"ZADD");
            write_arg(self.out, key);
            for (score, member) in some {
                write_arg(self.out, score_text.format(score));
                write_arg(self.out, member);
            }
            self.empty()?;
        }
    }

    /// Adds the messages in flight as a list of their own, so that any server gets them.
    fn in_flight(&mut self, key: &[u8], in_flight: &InFlight) -> io::Result<()> {
        let list = [key, IN_FLIGHT].concat();
        let mut deliveries = in_flight.iter().map(|(_, delivery)| delivery);
        loop {
            let some = next_few(&mut deliveries, |delivery| &delivery.message);
            if some.is_empty() {
                return Ok(());
            }
            self.push(&list, some.iter().map(|delivery| &*delivery.message));
            let stamps = some.iter().map(|delivery| delivery.stamp.clone()).collect();
            Note::InFlight { key: key.to_vec(), stamps }.write(self.out);
            self.empty()?;
        }
    }

    /// Adds the delayed messages as a list of their own, with a note of when they are due.
    fn delayed(&mut self, key: &[u8], delayed: &Delayed) -> io::Result<()> {
        let list = [key, DELAYED].concat();
        let mut messages = delayed.iter();
        loop {
            let some = next_few(&mut messages, |delayed| &delayed.message);
            if some.is_empty() {
                return Ok(());
            }
            self.push(&list, some.iter().map(|delayed| &*delayed.message));
            let same = some.chunk_by(|a, b| a.stamp == b.stamp);
            let runs =
                same.filter_map(|same| Some((same.first()?.stamp.clone(), same.len()))).collect();
            Note::Stamped { key: list.clone(), end: End::Back, runs }.write(self.out);
            self.empty()?;
        }
    }

    fn push<'a>(&mut self, key: &[u8], messages: impl ExactSizeIterator<Item = &'a [u8]>) {
        write_header(self.out, b'*', 2 + messages.len());
        write_arg(self.out, b"RPUSH");
        write_arg(self.out, key);
        for message in messages {
            write_arg(self.out, message);
        }
    }

    fn empty(&mut self) -> io::Result<()> {
        (self.sink)(self.out)
    }
}

/// As many of the next messages as fit in one command.
fn next_few<T>(from: &mut impl Iterator<Item = T>, message: impl Fn(&T) -> &[u8]) -> Vec<T> {
    let mut few = Vec::new();
    let mut bytes = 0;
    while few.len() < MESSAGES_PER_COMMAND
        && bytes < COMMAND_BYTES
        && let Some(one) = from.next()
    {
        bytes += message(&one).len();
        few.push(one);
    }
    few
}
