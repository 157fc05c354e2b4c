//! Commands on keys of any type, and on whole databases.

use super::queue_state::{Record, Totals};
use super::reply::Reply;
use super::values::Value;
use super::{DBS, Item, Model, Who, Words};

pub const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const SAME_OBJECT: &str = "ERR source and destination objects are the same";

pub fn integer(word: &[u8]) -> Result<i64, String> {
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    number.ok_or(NOT_AN_INTEGER.to_string())
}

fn db_number(word: &[u8]) -> Result<usize, String> {
    let number = usize::try_from(integer(word)?).ok().filter(|number| *number < DBS);
    number.ok_or("ERR DB index is out of range".to_string())
}

impl Model {
    /// Runs a command about keys; false for other commands. An error is the reply.
    pub(super) fn run_key_command(
        &mut self,
        who: Who,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let db = self.clients[who].db;
        match words[0].to_ascii_uppercase().as_slice() {
            b"DEL" | b"UNLINK" => {
                // A queue may have ready, delayed and in-flight messages.
                let is_removed = |key: &&Vec<u8>| {
                    let is_cleared = self.clear_delayed(db, key) | self.clear_in_flight(db, key);
                    is_cleared | self.delete(db, key)
                };
                reply.count(words[1..].iter().filter(is_removed).count());
            }
            b"EXISTS" => {
                let keys = words[1..].iter();
                reply.count(keys.filter(|key| self.dbs[db].contains_key(*key)).count());
            }
            b"TYPE" => {
                reply.simple(match self.dbs[db].get(&words[1]) {
                    None => "none",
                    Some(item) => item.other.as_ref().map_or("list", Value::type_name),
                });
            }
            b"RENAME" => {
                self.rename(db, words, true)?;
                reply.ok();
            }
            b"RENAMENX" => reply.integer(self.rename(db, words, false)?.into()),
            b"MOVE" => self.move_key(db, words, reply)?,
            b"COPY" => self.copy(db, words, reply)?,
            b"SELECT" => {
                self.clients[who].db = db_number(&words[1])?;
                reply.ok();
            }
            b"DBSIZE" => reply.count(self.dbs[db].len()),
            b"FLUSHDB" => {
                self.flush(db);
                reply.ok();
            }
            b"FLUSHALL" => {
                (0..DBS).for_each(|db| self.flush(db));
                reply.ok();
            }
            b"SWAPDB" => {
                self.swap(db_number(&words[1])?, db_number(&words[2])?);
                reply.ok();
            }
            _ => return self.run_expiry_command(db, words, reply),
        }
        Ok(true)
    }

    fn run_expiry_command(
        &mut self,
        db: usize,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let now_ms = self.now.unix_ms();
        let expiry = words.get(1).and_then(|key| self.dbs[db].get(key)).map(|item| item.expires_ms);
        let tell = |moment: &dyn Fn(i64) -> i64| match expiry {
            None => -2,
            Some(None) => -1,
            Some(Some(at)) => moment(at),
        };
        match words[0].to_ascii_uppercase().as_slice() {
            b"EXPIRE" => self.set_expiry(db, words, now_ms, 1000, reply)?,
            b"PEXPIRE" => self.set_expiry(db, words, now_ms, 1, reply)?,
            b"PEXPIREAT" => self.set_expiry(db, words, 0, 1, reply)?,
            b"PERSIST" => {
                let expires = matches!(expiry, Some(Some(_)));
                if expires && let Some(item) = self.dbs[db].get_mut(&words[1]) {
                    item.expires_ms = None;
                    self.touch(db, &words[1]);
                }
                reply.integer(expires.into());
            }
            b"PTTL" => reply.integer(tell(&|at| at - now_ms)),
            b"TTL" => reply.integer(tell(&|at| (at - now_ms + 500) / 1000)),
            b"PEXPIRETIME" => reply.integer(tell(&|at| at)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn delete(&mut self, db: usize, key: &[u8]) -> bool {
        let Some(item) = self.dbs[db].remove(key) else { return false };
        self.tally.removed += item.messages.len();
        self.count_others(db, key, -(item.messages.len() as i64));
        self.touch(db, key);
        true
    }

    /// Replaces what is at a key; anything but a list replaces a queue with everything it has.
    pub(super) fn put(&mut self, db: usize, key: &[u8], mut item: Item) {
        if item.other.is_some() {
            self.clear_delayed(db, key);
            self.clear_in_flight(db, key);
        }
        self.delete(db, key);
        self.mark_new_list(db, key);
        item.messages.iter_mut().for_each(|message| self.stamp(key, message));
        self.count_others(db, key, item.messages.len() as i64);
        self.dbs[db].insert(key.to_vec(), item);
        self.touch(db, key);
    }

    /// Removes what moves elsewhere.
    fn take_away(&mut self, db: usize, key: &[u8]) {
        let Some(item) = self.dbs[db].remove(key) else { return };
        self.count_others(db, key, -(item.messages.len() as i64));
        self.touch(db, key);
    }

    fn rename(&mut self, db: usize, words: &Words, replaces: bool) -> Result<bool, String> {
        let (from, to) = (&words[1], &words[2]);
        let item = self.dbs[db].get(from).cloned().ok_or("ERR no such key")?;
        if from == to || (!replaces && self.is_taken(db, to, &item)) {
            return Ok(false);
        }
        self.take_away(db, from);
        self.put(db, to, item);
        Ok(true)
    }

    /// Whether something may not be put at a key that is only replaced on request: a list may be put where a
    /// queue has only messages in flight or delayed.
    fn is_taken(&self, db: usize, key: &[u8], item: &Item) -> bool {
        let record = self.queues.get(&(db, key.to_vec()));
        let is_hidden = |record: &Record| record.in_flight.len() + record.delayed.len() > 0;
        self.dbs[db].contains_key(key) || (item.other.is_some() && record.is_some_and(is_hidden))
    }

    fn move_key(&mut self, db: usize, words: &Words, reply: &mut Reply) -> Result<(), String> {
        let (key, to) = (&words[1], db_number(&words[2])?);
        if to == db {
            return Err(SAME_OBJECT.into());
        }
        let item = self.dbs[db].get(key).filter(|item| !self.is_taken(to, key, item)).cloned();
        reply.integer(item.is_some().into());
        if let Some(item) = item {
            self.take_away(db, key);
            self.put(to, key, item);
        }
        Ok(())
    }

    fn copy(&mut self, db: usize, words: &Words, reply: &mut Reply) -> Result<(), String> {
        let (mut to_db, mut replaces) = (db, false);
        let mut options = words[3..].iter();
        while let Some(option) = options.next() {
            match option.to_ascii_uppercase().as_slice() {
                b"REPLACE" => replaces = true,
                _ => to_db = db_number(options.next().ok_or("ERR syntax error")?)?,
            }
        }
        if to_db == db && words[1] == words[2] {
            return Err(SAME_OBJECT.into());
        }
        let is_free = |item: &&Item| replaces || !self.is_taken(to_db, &words[2], item);
        let item = self.dbs[db].get(&words[1]).filter(is_free).cloned();
        reply.integer(item.is_some().into());
        if let Some(item) = item {
            self.tally.copied += item.messages.len();
            self.put(to_db, &words[2], item);
        }
        Ok(())
    }

    fn flush(&mut self, db: usize) {
        for key in self.dbs[db].keys().cloned().collect::<Vec<_>>() {
            self.delete(db, &key);
        }
        // A pause survives a flush; counters do not.
        for ((other, _), record) in &mut self.queues {
            if *other == db {
                self.tally.removed += record.in_flight.len() + record.delayed.len();
                record.in_flight.clear();
                record.delayed.clear();
                record.recent.clear();
                (record.allowance, record.awaits_rate) = (None, false);
                record.expires_ms = None;
                record.totals = Totals::default();
                record.others = 0;
            }
        }
        self.mark_capacity_in(db);
    }

    /// Waiting and watching clients stay with the database number they chose.
    fn swap(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        for db in [a, b] {
            for key in self.dbs[db].keys().cloned().collect::<Vec<_>>() {
                self.break_watches(a, &key);
                self.break_watches(b, &key);
            }
        }
        self.dbs.swap(a, b);
        let other = |db| match db {
            db if db == a => b,
            db if db == b => a,
            db => db,
        };
        let queues = std::mem::take(&mut self.queues).into_iter();
        self.queues = queues.map(|((db, key), record)| ((other(db), key), record)).collect();
        self.mark_ready_after_swap();
        self.mark_capacity_in(a);
        self.mark_capacity_in(b);
    }

    fn set_expiry(
        &mut self,
        db: usize,
        words: &Words,
        base_ms: i64,
        unit_ms: i64,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let expires_ms = base_ms + integer(&words[2])? * unit_ms;
        let exists = self.dbs[db].contains_key(&words[1]);
        if expires_ms <= self.now.unix_ms() {
            if exists {
                self.clear_delayed(db, &words[1]);
                self.clear_in_flight(db, &words[1]);
            }
            self.delete(db, &words[1]);
        } else if let Some(item) = self.dbs[db].get_mut(&words[1]) {
            item.expires_ms = Some(expires_ms);
            self.touch(db, &words[1]);
        }
        reply.integer(exists.into());
        Ok(())
    }
}
