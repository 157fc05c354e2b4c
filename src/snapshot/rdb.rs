//! A snapshot as an RDB file, which every Redis from version 5 on loads, and every Valkey.
//!
//! Each list is whole, with one head, so what plain data cannot express stands beside it: notes, as fields
//! named `tidegate`. Redis passes over fields whose names it does not know.
//!
//! | saved | written as |
//! |---|---|
//! | policies, calendar, last delivery, pauses | notes |
//! | a library of functions | its code |
//! | a list | a list, and then notes with the stamps of its messages |
//! | a stream | a stream, and then notes with the counts that came after Redis 5 |
//! | a string | a string |
//! | a hash, a set | its fields and values, or its members, as strings |
//! | a sorted set | a sorted set, its last member first, which a redis-server loads fastest |
//! | messages in flight or delayed | a list of their own before that of the queue, named as in append files, and notes |
//! | departing messages | a list of their own, and a note |
//! | an expiry | that of the key; of the list in flight if the queue is empty |
//!
//! `queueing::replay_note` reads the notes back, in the database in which they stand.

use super::elements::Elements;
use super::place::ElementPlace;
use super::runs::Runs;
use super::stream_value;
use crate::keyspace::{DbIndex, Departure, SavedKey, SavedPart, Value};
use crate::note::{Note, StreamPlace};
use crate::policy::{DELAYED, IN_FLIGHT, QueuePolicy};
use crate::queue::{Queue, Stamp};
use crate::rdb::crc64::Crc64;
use crate::rdb::format::OP_FUNCTION;
use crate::rdb::format::TYPE_STRING;
use crate::rdb::list::ListForm;
use crate::rdb::lzf_compress::Compressor;
use crate::rdb::write::{
    write_aux, write_end, write_expiry, write_length, write_payload_end, write_select, write_start,
    write_string, write_value,
};
use crate::resp::REDIS_VERSION;
use crate::value::{Kind, Stream};
use std::convert::Infallible;
use std::io;

/// The name of the fields with notes.
pub const NOTE_FIELD: &[u8] = b"tidegate";

/// With this many bytes the sink is called, unless one message is larger.
const PIECE_BYTES: usize = 64 << 10;

/// Limit on the runs of equal stamps in one note, so that its size does not grow with the list.
const RUNS_PER_NOTE: usize = 64;

/// What a file says of itself at its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RdbHeader {
    /// The time of its data, in seconds since 1970.
    pub unix_s: u64,
    /// Bytes of memory in use then.
    pub used_bytes: usize,
    /// Its place in a stream of changes, for a replica that continues from there.
    pub stream: Option<StreamPlace>,
    /// Whether it is the base of append files.
    pub is_base: bool,
    /// Whether lists and strings are compressed. This is said nowhere in the file.
    pub is_compressed: bool,
}

/// Writes the parts of one snapshot as an RDB file, one part after another.
#[derive(Debug)]
pub struct RdbEncoder {
    /// The selected database.
    db: Option<DbIndex>,
    /// Written at the end, as by `CommandEncoder`.
    last_delivery: Option<u64>,
    /// The checksum of all bytes so far.
    checksum: Crc64,
    compressor: Option<Compressor>,
}

impl RdbEncoder {
    /// Begins a file; appends its start to `out`.
    pub fn begin(header: &RdbHeader, out: &mut Vec<u8>) -> RdbEncoder {
        let mut start = Vec::new();
        write_start(&mut start);
        let mut aux = |name: &str, value: &[u8]| {
            write_aux(&mut start, name.as_bytes(), value);
        };
        aux("redis-ver", REDIS_VERSION.as_bytes());
        aux("redis-bits", b"64");
        aux("ctime", header.unix_s.to_string().as_bytes());
        aux("used-mem", header.used_bytes.to_string().as_bytes());
        if let Some(StreamPlace { id, offset, db }) = &header.stream {
            if let Some(db) = db {
                aux("repl-stream-db", db.to_string().as_bytes());
            }
            aux("repl-id", id);
            aux("repl-offset", offset.to_string().as_bytes());
        }
        aux("aof-base", if header.is_base { b"1" } else { b"0" });
        let mut checksum = Crc64::default();
        checksum.add(&start);
        out.append(&mut start);
        let compressor = header.is_compressed.then(Compressor::default);
        RdbEncoder { db: None, last_delivery: None, checksum, compressor }
    }

    /// How many bytes were saved so far by compression, which takes time as well.
    pub(crate) fn saved_bytes(&self) -> usize {
        self.compressor.as_ref().map_or(0, Compressor::saved_bytes)
    }

    /// Appends a part to `out`. After every few kilobytes `sink` is called and may empty `out`, however large
    /// the part is.
    ///
    /// # Errors
    /// The error of `sink`. Then the content of `out` is useless.
    pub fn add(
        &mut self,
        part: &SavedPart,
        out: &mut Vec<u8>,
        sink: impl FnMut(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        let RdbEncoder { db, last_delivery, checksum, compressor } = self;
        let passing = Passing { checksum, passed: out.len(), sink };
        Adding { db, last_delivery, out, compressor: compressor.as_mut(), passing }.part(part)
    }

    /// Appends departing messages.
    pub(crate) fn add_departing(
        &mut self,
        departure: &Departure,
        messages: &Queue,
        out: &mut Vec<u8>,
    ) {
        self.append(out, |adding| adding.departing(departure, messages));
    }

    /// Appends a key.
    pub(crate) fn add_key(&mut self, saved: &SavedKey, out: &mut Vec<u8>) {
        self.append(out, |adding| adding.key(saved));
    }

    /// Appends what stands before the lists of a key.
    pub(crate) fn begin_key(&mut self, saved: &SavedKey, out: &mut Vec<u8>) {
        self.append(out, |adding| adding.begin_key(saved));
    }

    /// Appends everything about a list up to its first element.
    pub(crate) fn begin_list(
        &mut self,
        key: &[u8],
        expires_ms: Option<i64>,
        form: ListForm,
        out: &mut Vec<u8>,
    ) {
        self.append(out, |adding| {
            adding.head(form.type_number(), key, expires_ms);
            form.write_head(adding.out);
            Ok(())
        });
    }

    /// Appends the next elements of a list that has begun; returns their number.
    pub(crate) fn add_elements<'a>(
        &mut self,
        form: ListForm,
        elements: impl Iterator<Item = &'a [u8]>,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> usize {
        let start = out.len();
        let taken = form.write_some(out, elements, bytes_max, self.compressor.as_mut());
        self.checksum.add(out.get(start..).unwrap_or_default());
        taken
    }

    /// Appends the stamps of messages of a list, from the one with this index on. Returns the index after
    /// them.
    pub(crate) fn add_stamps(
        &mut self,
        list: &[u8],
        index: usize,
        stamps: impl Iterator<Item = (Stamp, usize)>,
        out: &mut Vec<u8>,
    ) -> usize {
        let mut end = index;
        self.append(out, |adding| {
            end = adding.stamps_from(list, index, stamps)?;
            Ok(())
        });
        end
    }

    /// Appends everything about a string up to its first byte.
    pub(crate) fn begin_string(&mut self, saved: &SavedKey, length: usize, out: &mut Vec<u8>) {
        self.append(out, |adding| {
            adding.head(TYPE_STRING, &saved.key, saved.expires_ms);
            write_length(adding.out, length);
            Ok(())
        });
    }

    /// Appends bytes of a string that has begun.
    pub(crate) fn add_bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.checksum.add(bytes);
        out.extend_from_slice(bytes);
    }

    /// Appends everything about a value up to its first element.
    pub(crate) fn begin_elements(
        &mut self,
        saved: &SavedKey,
        elements: Elements<'_>,
        out: &mut Vec<u8>,
    ) {
        self.append(out, |adding| {
            adding.head(elements.type_number(), &saved.key, saved.expires_ms);
            elements.write_head(adding.out);
            Ok(())
        });
    }

    /// Appends a piece of the elements of a value that has begun, from a place on. Returns the next place; `None`
    /// after the last.
    pub(crate) fn add_some_of(
        &mut self,
        elements: Elements<'_>,
        place: ElementPlace,
        out: &mut Vec<u8>,
    ) -> Option<ElementPlace> {
        let start = out.len();
        let next = elements.write_some(out, place);
        self.checksum.add(out.get(start..).unwrap_or_default());
        next
    }

    /// Appends what follows the value of a key.
    pub(crate) fn end_key(&mut self, saved: &SavedKey, out: &mut Vec<u8>) {
        self.append(out, |adding| adding.after_value(saved));
    }

    /// Appends what `add` adds.
    fn append(
        &mut self,
        out: &mut Vec<u8>,
        add: impl FnOnce(&mut Adding<'_, fn(&mut Vec<u8>) -> io::Result<()>>) -> io::Result<()>,
    ) {
        let RdbEncoder { db, last_delivery, checksum, compressor } = self;
        let sink: fn(&mut Vec<u8>) -> io::Result<()> = |_| Ok(());
        let passing = Passing { checksum, passed: out.len(), sink };
        let compressor = compressor.as_mut();
        let mut adding = Adding { db, last_delivery, out, compressor, passing };
        // The sink never fails.
        let _ = add(&mut adding);
        let Adding { out, passing, .. } = &mut adding;
        let _ = passing.pass(out);
    }

    /// Appends what follows the last part.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        let mut last = Vec::new();
        if let Some(number) = self.last_delivery {
            write_note(&mut last, &Note::LastDelivery { number });
        }
        self.checksum.add(&last);
        write_end(&mut last, self.checksum);
        out.append(&mut last);
    }
}

/// The payload of DUMP: a value by itself, in a form that RESTORE of Redis 5 and later reads.
pub(crate) fn dump(value: &Value) -> Vec<u8> {
    let mut payload = Vec::with_capacity(value.allocated_bytes());
    match value {
        Value::List(queue) => {
            let form = ListForm::of(queue.iter().map(<[u8]>::len));
            payload.push(form.type_number());
            let Ok(()) = form.write(&mut payload, queue.iter(), None, |_| Ok::<(), Infallible>(()));
        }
        Value::String(string) => {
            payload.push(TYPE_STRING);
            string.with(|bytes| write_string(&mut payload, bytes));
        }
        Value::Hash(_) | Value::Set(_) | Value::SortedSet(_) | Value::Stream(_) => {
            if let Some(elements) = Elements::of(value) {
                payload.push(elements.type_number());
                elements.write_head(&mut payload);
                let mut place = Some(ElementPlace::START);
                while let Some(from) = place {
                    place = elements.write_some(&mut payload, from);
                }
            }
        }
    }
    write_payload_end(&mut payload);
    payload
}

fn write_note(out: &mut Vec<u8>, note: &Note) {
    write_aux(out, NOTE_FIELD, &note.text());
}

/// The writing of one part.
struct Adding<'a, S> {
    db: &'a mut Option<DbIndex>,
    last_delivery: &'a mut Option<u64>,
    out: &'a mut Vec<u8>,
    compressor: Option<&'a mut Compressor>,
    passing: Passing<'a, S>,
}

/// Passes bytes on to the sink.
struct Passing<'a, S> {
    checksum: &'a mut Crc64,
    /// Bytes that the sink has left where they were.
    passed: usize,
    sink: S,
}

impl<S: FnMut(&mut Vec<u8>) -> io::Result<()>> Passing<'_, S> {
    #[inline]
    fn pass_if_enough(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if out.len() - self.passed < PIECE_BYTES { Ok(()) } else { self.pass(out) }
    }

    /// Passes on the bytes since the last time.
    fn pass(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.checksum.add(out.get(self.passed..).unwrap_or_default());
        (self.sink)(out)?;
        self.passed = out.len();
        Ok(())
    }
}

impl<S: FnMut(&mut Vec<u8>) -> io::Result<()>> Adding<'_, S> {
    fn part(&mut self, part: &SavedPart) -> io::Result<()> {
        let SavedPart { policies, last_delivery, calendar_ahead_ms, libraries, departing, keys } =
            part;
        for (name, policy) in policies {
            self.note(&match policy {
                // No message has come under it yet.
                Some(policy) => Note::PolicySet { at_ms: 0, policy: policy.clone() },
                None => Note::PolicyDeleted { name: name.clone() },
            })?;
        }
        if let Some(ahead_ms) = *calendar_ahead_ms {
            self.note(&Note::Calendar { ahead_ms })?;
        }
        for library in libraries {
            self.out.push(OP_FUNCTION);
            write_string(self.out, &library.code);
            self.passing.pass(self.out)?;
        }
        *self.last_delivery = self.last_delivery.or(*last_delivery);
        departing
            .iter()
            .try_for_each(|(departure, messages)| self.departing(departure, messages))?;
        keys.iter().try_for_each(|saved| self.key(saved))?;
        self.passing.pass(self.out)
    }

    fn departing(&mut self, departure: &Departure, messages: &Queue) -> io::Result<()> {
        self.select(departure.db);
        self.queue(&departure.list, None, messages)?;
        self.note(&Note::Departing { departure: departure.clone() })
    }

    fn key(&mut self, saved: &SavedKey) -> io::Result<()> {
        let SavedKey { key, value, .. } = saved;
        self.before_value(saved)?;
        match value {
            None => {}
            Some(Value::List(queue)) => self.queue(key, saved.expires_ms, queue)?,
            Some(Value::String(string)) => {
                self.head(TYPE_STRING, key, saved.expires_ms);
                let compressor = self.compressor.as_deref_mut();
                string.with(|bytes| write_value(self.out, bytes, compressor));
                self.passing.pass_if_enough(self.out)?;
            }
            Some(
                value @ (Value::Hash(_) | Value::Set(_) | Value::SortedSet(_) | Value::Stream(_)),
            ) => {
                if let Some(elements) = Elements::of(value) {
                    self.elements(saved, elements)?;
                }
            }
        }
        self.after_value(saved)
    }

    /// Adds a value of several elements that is not a list.
    fn elements(&mut self, saved: &SavedKey, elements: Elements<'_>) -> io::Result<()> {
        self.head(elements.type_number(), &saved.key, saved.expires_ms);
        elements.write_head(self.out);
        let mut place = Some(ElementPlace::START);
        while let Some(from) = place {
            place = elements.write_some(self.out, from);
            self.passing.pass_if_enough(self.out)?;
        }
        Ok(())
    }

    /// Adds the database of a key, and the former policy of its messages.
    fn begin_key(&mut self, saved: &SavedKey) -> io::Result<()> {
        self.select(saved.db);
        if let Some(policy) = &saved.former_policy {
            let (key, policy) = (saved.key.to_vec(), QueuePolicy::clone(policy));
            self.note(&Note::FormerPolicy { key, policy })?;
        }
        Ok(())
    }

    /// Adds what stands before the value of a key: its database, and its messages in flight and delayed.
    fn before_value(&mut self, saved: &SavedKey) -> io::Result<()> {
        let SavedKey { key, value, in_flight, delayed, .. } = saved;
        self.begin_key(saved)?;
        // Before the list: when the list is read, a former policy ends unless it still has such messages.
        let list = [key, DELAYED].concat();
        let messages = || delayed.iter().map(|delayed| &*delayed.message);
        self.list(&list, None, messages)?;
        self.stamps(&list, delayed.iter().map(|delayed| (delayed.stamp.clone(), 1)))?;
        let list = [key, IN_FLIGHT].concat();
        let deliveries = || in_flight.iter().map(|(_, delivery)| delivery);
        let emptied_ms = saved.expires_ms.filter(|_| value.is_none());
        let messages = || deliveries().map(|delivery| &*delivery.message);
        self.list(&list, emptied_ms, messages)?;
        self.stamps(&list, deliveries().map(|delivery| (delivery.stamp.clone(), 1)))
    }

    /// Adds what follows the value of a key: counts of a stream, the expiry of a queue without messages, and
    /// pauses.
    fn after_value(&mut self, saved: &SavedKey) -> io::Result<()> {
        let key = &saved.key;
        if let Some(stream) = saved.value.as_ref().and_then(Stream::of) {
            stream_value::notes(key, stream).try_for_each(|note| self.note(&note))?;
        }
        let emptied_ms = saved.expires_ms.filter(|_| saved.value.is_none());
        if let Some(unix_ms) = emptied_ms {
            self.note(&Note::EmptiedExpiry { key: key.to_vec(), unix_ms })?;
        }
        if saved.pauses.is_paused() {
            self.note(&Note::Paused { key: key.to_vec(), pauses: saved.pauses })?;
        }
        Ok(())
    }

    fn select(&mut self, db: DbIndex) {
        if self.db.replace(db) != Some(db) {
            write_select(self.out, db);
        }
    }

    /// Adds a list with the stamps of its messages.
    fn queue(&mut self, key: &[u8], expires_ms: Option<i64>, queue: &Queue) -> io::Result<()> {
        self.list(key, expires_ms, || queue.iter())?;
        self.stamps(key, queue.stamp_runs())
    }

    /// Adds a list, unless it is empty.
    fn list<'a, I: Iterator<Item = &'a [u8]>>(
        &mut self,
        key: &[u8],
        expires_ms: Option<i64>,
        messages: impl Fn() -> I,
    ) -> io::Result<()> {
        if messages().next().is_none() {
            return Ok(());
        }
        let form = ListForm::of(messages().map(<[u8]>::len));
        self.head(form.type_number(), key, expires_ms);
        let Adding { out, compressor, passing, .. } = self;
        let compressor = compressor.as_deref_mut();
        form.write(out, messages(), compressor, |out| passing.pass_if_enough(out))
    }

    /// Adds what stands before a value.
    fn head(&mut self, type_number: u8, key: &[u8], expires_ms: Option<i64>) {
        if let Some(unix_ms) = expires_ms {
            write_expiry(self.out, unix_ms);
        }
        self.out.push(type_number);
        write_string(self.out, key);
    }

    /// Adds the stamps of the messages of a list, each with the number of consecutive messages that have it.
    fn stamps(
        &mut self,
        list: &[u8],
        stamps: impl Iterator<Item = (Stamp, usize)>,
    ) -> io::Result<()> {
        self.stamps_from(list, 0, stamps).map(drop)
    }

    /// As `stamps`, for the messages from an index on. Returns the index after them.
    fn stamps_from(
        &mut self,
        list: &[u8],
        mut index: usize,
        stamps: impl Iterator<Item = (Stamp, usize)>,
    ) -> io::Result<usize> {
        let mut rest = Runs::new(stamps);
        loop {
            let runs: Vec<_> = rest.by_ref().take(RUNS_PER_NOTE).collect();
            if runs.is_empty() {
                return Ok(index);
            }
            let count: usize = runs.iter().map(|(_, count)| count).sum();
            self.note(&Note::StampedFrom { key: list.to_vec(), index, runs })?;
            index += count;
        }
    }

    fn note(&mut self, note: &Note) -> io::Result<()> {
        write_note(self.out, note);
        self.passing.pass_if_enough(self.out)
    }
}
