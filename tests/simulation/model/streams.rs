//! The commands of streams, without groups.

use std::collections::BTreeMap;

use super::keys::integer;
use super::reply::Reply;
use super::values::{Collection, Value};
use super::{Model, Who, Words};

/// Milliseconds and a number.
type Id = (u64, u64);

const LOW: &str =
    "ERR The ID specified in XADD is equal or smaller than the target stream top item";
const ZERO: &str = "ERR The ID specified in XADD must be greater than 0-0";
const INVALID: &str = "ERR Invalid stream ID specified as stream command argument";

/// Entries with their fields and values. A stream may be empty.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    entries: BTreeMap<Id, Vec<Vec<u8>>>,
    last: Id,
    max_deleted: Id,
    added: u64,
}

fn text(id: Id) -> Vec<u8> {
    format!("{}-{}", id.0, id.1).into_bytes()
}

/// An id whose number may be missing.
fn id(word: &[u8], missing: u64) -> Result<Id, String> {
    let text = String::from_utf8_lossy(word);
    let (ms, number) = match text.split_once('-') {
        Some((ms, number)) => (ms.parse(), number.parse()),
        None => (text.parse(), Ok(missing)),
    };
    Ok((ms.map_err(|_| INVALID)?, number.map_err(|_| INVALID)?))
}

/// A bound of a range: whether it is excluded, and the id.
fn bound(word: &[u8], missing: u64) -> Result<(bool, Id), String> {
    match word {
        b"-" => Ok((false, (0, 0))),
        b"+" => Ok((false, (u64::MAX, u64::MAX))),
        [b'(', rest @ ..] => Ok((true, id(rest, missing)?)),
        _ => Ok((false, id(word, missing)?)),
    }
}

impl Stream {
    pub(super) fn contents(&self) -> Vec<Vec<u8>> {
        let added = self.added.to_string().into_bytes();
        let mut words = vec![text(self.last), text(self.max_deleted), added];
        for (id, fields) in &self.entries {
            words.push(text(*id));
            words.extend(fields.iter().cloned());
        }
        words
    }

    /// The highest id without its number, for the generator.
    pub(super) fn last_ms(&self) -> u64 {
        self.last.0
    }

    /// The id that a new entry gets.
    fn new_id(&self, word: &[u8], now_ms: u64) -> Result<Id, String> {
        let (ms, number) = self.last;
        if word == b"*" {
            return Ok(if now_ms > ms { (now_ms, 0) } else { (ms, number + 1) });
        }
        let given = match word.strip_suffix(b"-*") {
            Some(given) => match id(given, 0)?.0 {
                given if given == ms => (ms, number + 1),
                given => (given, 0),
            },
            None => id(word, 0)?,
        };
        if given > self.last { Ok(given) } else { Err(LOW.into()) }
    }

    /// Removes the first entries up to this many.
    fn keep(&mut self, count: usize) -> usize {
        let before = self.entries.len();
        while self.entries.len() > count {
            self.entries.pop_first();
        }
        before - self.entries.len()
    }
}

impl Collection for Stream {
    fn of(value: &Value) -> Option<&Stream> {
        if let Value::Stream(stream) = value { Some(stream) } else { None }
    }

    fn into_value(self) -> Value {
        Value::Stream(self)
    }

    fn is_without_elements(&self) -> bool {
        false
    }
}

impl Model {
    /// Runs a command of streams; false for other commands. An error is the reply.
    pub(super) fn run_stream_command(
        &mut self,
        who: Who,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let db = self.clients[who].db;
        let name = words[0].to_ascii_uppercase();
        match name.as_slice() {
            b"XADD" => self.add_entry(db, words, reply)?,
            b"XLEN" => reply.count(self.read::<Stream>(db, &words[1])?.entries.len()),
            b"XRANGE" => self.entries(db, words, false, reply)?,
            b"XREVRANGE" => self.entries(db, words, true, reply)?,
            b"XDEL" => {
                let mut stream: Stream = self.read(db, &words[1])?;
                let mut count = 0;
                for word in &words[2..] {
                    let id = id(word, 0)?;
                    if stream.entries.remove(&id).is_some() {
                        count += 1;
                        stream.max_deleted = stream.max_deleted.max(id);
                    }
                }
                self.write_if_changed(db, &words[1], stream, count, reply);
            }
            b"XTRIM" => {
                let threshold = &words[4];
                let mut stream: Stream = self.read(db, &words[1])?;
                let count = match words[2].as_slice() {
                    b"MAXLEN" => stream.keep(integer(threshold)? as usize),
                    _ => {
                        let min = id(threshold, 0)?;
                        let kept = stream.entries.range(min..).count();
                        stream.keep(kept)
                    }
                };
                self.write_if_changed(db, &words[1], stream, count, reply);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write_if_changed(
        &mut self,
        db: usize,
        key: &[u8],
        stream: Stream,
        count: usize,
        reply: &mut Reply,
    ) {
        reply.count(count);
        if count > 0 {
            self.write_back(db, key, stream);
        }
    }

    fn add_entry(&mut self, db: usize, words: &Words, reply: &mut Reply) -> Result<(), String> {
        let (key, mut rest) = (&words[1], &words[2..]);
        let (mut only_existing, mut max) = (false, None);
        loop {
            match rest[0].as_slice() {
                b"NOMKSTREAM" => (only_existing, rest) = (true, &rest[1..]),
                b"MAXLEN" => (max, rest) = (Some(integer(&rest[2])?), &rest[3..]),
                _ => break,
            }
        }
        if rest.len() < 3 || rest.len().is_multiple_of(2) {
            return Err("ERR wrong number of arguments for 'xadd' command".into());
        }
        if rest[0] == b"0-0" || rest[0] == b"0" {
            return Err(ZERO.into());
        }
        let mut stream: Stream = self.read(db, key)?;
        if !self.dbs[db].contains_key(key) {
            if only_existing {
                reply.null();
                return Ok(());
            }
            stream = self.read_to_add(db, key)?;
        }
        let id = stream.new_id(&rest[0], self.now.unix_ms() as u64)?;
        stream.entries.insert(id, rest[1..].to_vec());
        stream.last = id;
        stream.added += 1;
        if let Some(max) = max {
            stream.keep(max as usize);
        }
        reply.bulk(&text(id));
        self.write_back(db, key, stream);
        Ok(())
    }

    fn entries(
        &mut self,
        db: usize,
        words: &Words,
        is_back: bool,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let (from, to) = if is_back { (3, 2) } else { (2, 3) };
        let ((without_from, from), (without_to, to)) =
            (bound(&words[from], 0)?, bound(&words[to], u64::MAX)?);
        if without_to && to == (0, 0) {
            return Err("ERR invalid end ID for the interval".into());
        }
        let count = words.get(5).map_or(Ok(i64::MAX), |word| integer(word))?;
        let stream: Stream = self.read(db, &words[1])?;
        if count <= 0 && self.dbs[db].contains_key(&words[1]) {
            reply.null_array();
            return Ok(());
        }
        let is_inside = |id: Id| {
            let is_behind = if without_from { id > from } else { id >= from };
            is_behind && if without_to { id < to } else { id <= to }
        };
        let mut found: Vec<_> =
            stream.entries.into_iter().filter(|(id, _)| is_inside(*id)).collect();
        if is_back {
            found.reverse();
        }
        found.truncate(count as usize);
        reply.array(found.len());
        for (id, fields) in found {
            reply.array(2);
            reply.bulk(&text(id));
            reply.bulks(fields.iter());
        }
        Ok(())
    }

    /// The highest time in the ids of all streams.
    pub fn last_stream_ms(&self) -> u64 {
        let values = self.dbs.iter().flat_map(BTreeMap::values).filter_map(|item| {
            let value = item.other.as_ref()?;
            Stream::of(value).map(Stream::last_ms)
        });
        values.max().unwrap_or(0)
    }
}
