//! The string commands, and the check for keys with lists.

use super::keys::{NOT_AN_INTEGER, integer};
use super::reply::Reply;
use super::values::{Value, WRONG_TYPE};
use super::{Item, Model, Who, Words};

const SYNTAX: &str = "ERR syntax error";

/// The expiry of a written string.
#[derive(Clone, Copy)]
enum Expiry {
    Never,
    /// Unchanged.
    Stays,
    At(i64),
}

/// The options of SET and GETEX.
#[derive(Default)]
struct Options {
    if_absent: bool,
    if_present: bool,
    gives: bool,
    /// KEEPTTL of SET, PERSIST of GETEX.
    has_word: bool,
    /// EX, PX, EXAT or PXAT, and its number.
    at: Option<(Vec<u8>, Vec<u8>)>,
}

impl Options {
    /// Forms of the expiry exclude each other. An error is the reply.
    fn parse(words: &[Vec<u8>], is_set: bool) -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let word = word.to_ascii_uppercase();
            let is_other_form = options.at.as_ref().is_some_and(|(form, _)| *form != word);
            match word.as_slice() {
                b"NX" if is_set && !options.if_present => options.if_absent = true,
                b"XX" if is_set && !options.if_absent => options.if_present = true,
                b"GET" if is_set => options.gives = true,
                b"KEEPTTL" if is_set && options.at.is_none() => options.has_word = true,
                b"PERSIST" if !is_set && options.at.is_none() => options.has_word = true,
                b"EX" | b"PX" | b"EXAT" | b"PXAT" if !options.has_word && !is_other_form => {
                    options.at = Some((word, words.next().ok_or(SYNTAX)?.clone()));
                }
                _ => return Err(SYNTAX.into()),
            }
        }
        Ok(options)
    }

    /// The given expiry, for the command of this name.
    fn expires_ms(&self, now_ms: i64, command: &str) -> Result<Option<i64>, String> {
        let Some((form, number)) = &self.at else { return Ok(None) };
        let number = integer(number)?;
        if number <= 0 {
            return Err(format!("ERR invalid expire time in '{command}' command"));
        }
        Ok(Some(match form.as_slice() {
            b"EX" => now_ms + number * 1000,
            b"PX" => now_ms + number,
            b"EXAT" => number * 1000,
            _ => number,
        }))
    }
}

impl Model {
    pub(super) fn is_list(&self, db: usize, key: &[u8]) -> bool {
        self.dbs[db].get(key).is_some_and(|item| item.other.is_none())
    }

    /// An error, which is the reply, if a key has something other than a list.
    pub(super) fn check_list(&self, db: usize, key: &[u8]) -> Result<(), String> {
        let is_other = self.dbs[db].contains_key(key) && !self.is_list(db, key);
        if is_other { Err(WRONG_TYPE.into()) } else { Ok(()) }
    }

    /// The string at a key, if there is one. An error is the reply.
    fn string(&self, db: usize, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        match self.dbs[db].get(key).map(|item| &item.other) {
            None => Ok(None),
            Some(Some(Value::String(string))) => Ok(Some(string.clone())),
            Some(_) => Err(WRONG_TYPE.into()),
        }
    }

    /// The string at a key that will be changed or created. A queue with only delayed messages or
    /// messages in flight counts as existing.
    fn string_to_change(&self, db: usize, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let string = self.string(db, key)?;
        let may_be = string.is_some() || !self.exists(db, key);
        if may_be { Ok(string) } else { Err(WRONG_TYPE.into()) }
    }

    /// Whether a key exists, even as a queue with only delayed messages or messages in flight.
    pub(super) fn exists(&self, db: usize, key: &[u8]) -> bool {
        let record = self.queues.get(&(db, key.to_vec()));
        let has_hidden =
            record.is_some_and(|record| !record.in_flight.is_empty() || !record.delayed.is_empty());
        has_hidden || self.dbs[db].contains_key(key)
    }

    fn write_string(&mut self, db: usize, key: &[u8], string: Vec<u8>, expiry: Expiry) {
        let before = self.dbs[db].get(key).and_then(|item| item.expires_ms);
        let expires_ms = match expiry {
            Expiry::Never => None,
            Expiry::Stays => before,
            Expiry::At(at_ms) => Some(at_ms),
        };
        let other = Some(Value::String(string));
        self.put(db, key, Item { other, expires_ms, ..Item::default() });
    }

    /// Runs a string command; false for other commands. An error is the reply.
    pub(super) fn run_string_command(
        &mut self,
        who: Who,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let db = self.clients[who].db;
        match words[0].to_ascii_uppercase().as_slice() {
            b"GET" => self.reply_string(db, &words[1], reply)?,
            b"STRLEN" => reply.count(self.string(db, &words[1])?.unwrap_or_default().len()),
            b"MGET" => {
                reply.array(words.len() - 1);
                for key in &words[1..] {
                    match self.string(db, key) {
                        Ok(Some(string)) => reply.bulk(&string),
                        _ => reply.null(),
                    }
                }
            }
            b"SET" => self.set_string(db, words, reply)?,
            b"SETNX" => {
                let is_free = !self.exists(db, &words[1]);
                if is_free {
                    self.write_string(db, &words[1], words[2].clone(), Expiry::Never);
                }
                reply.integer(is_free.into());
            }
            b"SETEX" => self.set_for(db, words, ("setex", 1000), reply)?,
            b"PSETEX" => self.set_for(db, words, ("psetex", 1), reply)?,
            b"GETSET" => {
                self.reply_string(db, &words[1], reply)?;
                self.write_string(db, &words[1], words[2].clone(), Expiry::Never);
            }
            b"MSET" => {
                self.set_pairs(db, words, "mset")?;
                reply.ok();
            }
            b"MSETNX" => {
                let mut keys = words[1..].iter().step_by(2);
                let is_free = !keys.any(|key| self.exists(db, key));
                if is_free || words.len().is_multiple_of(2) {
                    self.set_pairs(db, words, "msetnx")?;
                }
                reply.integer(is_free.into());
            }
            b"GETDEL" => {
                self.reply_string(db, &words[1], reply)?;
                self.delete(db, &words[1]);
            }
            b"GETEX" => self.get_and_expire(db, words, reply)?,
            b"APPEND" => {
                let mut string = self.string_to_change(db, &words[1])?.unwrap_or_default();
                string.extend_from_slice(&words[2]);
                reply.count(string.len());
                self.write_string(db, &words[1], string, Expiry::Stays);
            }
            b"INCR" => self.add(db, &words[1], 1, reply)?,
            b"DECR" => self.add(db, &words[1], -1, reply)?,
            b"INCRBY" => self.add(db, &words[1], integer(&words[2])?, reply)?,
            b"DECRBY" => self.add(db, &words[1], -integer(&words[2])?, reply)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn reply_string(&self, db: usize, key: &[u8], reply: &mut Reply) -> Result<(), String> {
        match self.string(db, key)? {
            Some(string) => reply.bulk(&string),
            None => reply.null(),
        }
        Ok(())
    }

    fn set_string(&mut self, db: usize, words: &Words, reply: &mut Reply) -> Result<(), String> {
        let options = Options::parse(&words[3..], true)?;
        let expiry = match options.expires_ms(self.now.unix_ms(), "set")? {
            Some(at_ms) => Expiry::At(at_ms),
            None if options.has_word => Expiry::Stays,
            None => Expiry::Never,
        };
        if options.gives {
            self.reply_string(db, &words[1], reply)?;
        }
        let exists = self.exists(db, &words[1]);
        let is_set = !(options.if_absent && exists || options.if_present && !exists);
        if is_set {
            self.write_string(db, &words[1], words[2].clone(), expiry);
        }
        match is_set {
            _ if options.gives => {}
            true => reply.ok(),
            false => reply.null(),
        }
        Ok(())
    }

    /// SETEX and PSETEX: their names, and their unit in milliseconds.
    fn set_for(
        &mut self,
        db: usize,
        words: &Words,
        (command, unit_ms): (&str, i64),
        reply: &mut Reply,
    ) -> Result<(), String> {
        let span = integer(&words[2])?;
        if span <= 0 {
            return Err(format!("ERR invalid expire time in '{command}' command"));
        }
        let expiry = Expiry::At(self.now.unix_ms() + span * unit_ms);
        self.write_string(db, &words[1], words[3].clone(), expiry);
        reply.ok();
        Ok(())
    }

    fn set_pairs(&mut self, db: usize, words: &Words, command: &str) -> Result<(), String> {
        if words.len().is_multiple_of(2) {
            return Err(format!("ERR wrong number of arguments for '{command}' command"));
        }
        for pair in words[1..].chunks(2) {
            self.write_string(db, &pair[0], pair[1].clone(), Expiry::Never);
        }
        Ok(())
    }

    fn get_and_expire(
        &mut self,
        db: usize,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let key = &words[1];
        let options = Options::parse(&words[2..], false)?;
        if self.string(db, key)?.is_none() {
            reply.null();
            return Ok(());
        }
        let expires_ms = options.expires_ms(self.now.unix_ms(), "getex")?;
        self.reply_string(db, key, reply)?;
        let item = self.dbs[db].get_mut(key).expect("it is there");
        match expires_ms {
            Some(at_ms) if at_ms <= self.now.unix_ms() => drop(self.delete(db, key)),
            Some(_) => {
                item.expires_ms = expires_ms;
                self.touch(db, key);
            }
            None if options.has_word && item.expires_ms.take().is_some() => self.touch(db, key),
            None => {}
        }
        Ok(())
    }

    fn add(&mut self, db: usize, key: &[u8], number: i64, reply: &mut Reply) -> Result<(), String> {
        let before = match self.string_to_change(db, key)? {
            None => 0,
            // Only the shortest form of a number is valid.
            Some(string) => integer(&string)
                .ok()
                .filter(|number| number.to_string().as_bytes() == string)
                .ok_or(NOT_AN_INTEGER)?,
        };
        let sum = before.checked_add(number).ok_or("ERR increment or decrement would overflow")?;
        self.write_string(db, key, sum.to_string().into_bytes(), Expiry::Stays);
        reply.integer(sum);
        Ok(())
    }
}
