//! The list commands.

use super::client::{Side, Take, Wait};
use super::keys::{NOT_AN_INTEGER, integer};
use super::reply::Reply;
use super::{Key, Message, Model, Who, Words};

pub(super) const SYNTAX: &str = "ERR syntax error";

fn side(word: &[u8]) -> Result<Side, String> {
    match word.to_ascii_uppercase().as_slice() {
        b"LEFT" => Ok(Side::Left),
        b"RIGHT" => Ok(Side::Right),
        _ => Err(SYNTAX.into()),
    }
}

/// A number of seconds as microseconds; 0 is for ever.
pub(super) fn timeout_us(word: &[u8]) -> Result<u64, String> {
    let seconds = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
    match seconds {
        None => Err("ERR timeout is not a float or out of range".into()),
        Some(seconds) if seconds < 0.0 => Err("ERR timeout is negative".into()),
        Some(seconds) => Ok((seconds * 1000.0).ceil() as u64 * 1000),
    }
}

/// The positions from `start` to `stop`; negative ones count from the end.
pub(super) fn positions(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = len as i64;
    let start = if start < 0 { (len + start).max(0) } else { start };
    let stop = if stop < 0 { len + stop } else { stop.min(len - 1) };
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index + len as i64 } else { index };
    (0..len as i64).contains(&index).then_some(index as usize)
}

impl Model {
    /// Runs a list command; false for other commands. An error is the reply.
    pub(super) fn run_list_command(
        &mut self,
        who: Who,
        words: &Words,
        in_exec: bool,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let db = self.clients[who].db;
        let key = words.get(1).cloned().unwrap_or_default();
        let exists = self.dbs[db].contains_key(&key);
        match words[0].to_ascii_uppercase().as_slice() {
            b"RPUSHX" | b"LPUSHX" if !exists => reply.integer(0),
            b"RPUSH" | b"RPUSHX" | b"LPUSH" | b"LPUSHX" => {
                self.push_command(who, words, in_exec, reply)?
            }
            b"QUEUE" if words[1].eq_ignore_ascii_case(b"PUSH") => {
                self.queue_push_command(who, words, in_exec, reply)?
            }
            b"LPOP" => self.pop_command(who, words, Side::Left, reply)?,
            b"RPOP" => self.pop_command(who, words, Side::Right, reply)?,
            b"LMOVE" => {
                let (from, to) = (side(&words[3])?, side(&words[4])?);
                self.move_or_null(who, words, from, to, reply)?;
            }
            b"RPOPLPUSH" => self.move_or_null(who, words, Side::Right, Side::Left, reply)?,
            b"LMPOP" => {
                let (keys, take) = many(words, 1)?;
                self.acknowledge_by_pop(who, db, &keys, false);
                if !self.take_first(who, &keys, &take, reply)? {
                    reply.null_array();
                }
            }
            b"BLPOP" | b"BRPOP" | b"BLMOVE" | b"BRPOPLPUSH" | b"BLMPOP" => {
                self.take_or_wait(who, words, in_exec, reply)?;
            }
            _ => return self.run_list_edit(db, words, reply),
        }
        Ok(true)
    }

    /// Commands that read one list or change it in place.
    fn run_list_edit(
        &mut self,
        db: usize,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        match words[0].to_ascii_uppercase().as_slice() {
            b"LLEN" => {
                self.check_list(db, &words[1])?;
                reply.count(self.list(db, &words[1]).len());
            }
            b"LRANGE" => {
                let (start, stop) = (integer(&words[2])?, integer(&words[3])?);
                self.check_list(db, &words[1])?;
                let list = self.list(db, &words[1]);
                let shown = &list[positions(start, stop, list.len())];
                reply.bulks(shown.iter().map(|message| &message.bytes));
            }
            b"LINDEX" => {
                self.check_list(db, &words[1])?;
                let list = self.list(db, &words[1]);
                if list.is_empty() {
                    reply.null();
                } else {
                    match position(integer(&words[2])?, list.len()) {
                        Some(index) => reply.bulk(&list[index].bytes),
                        None => reply.null(),
                    }
                }
            }
            b"LPOS" => self.find(db, words, reply)?,
            b"LSET" => self.set(db, words, reply)?,
            b"LINSERT" => self.insert(db, words, reply)?,
            b"LREM" => self.remove_equal(db, words, reply)?,
            b"LTRIM" => {
                let (start, stop) = (integer(&words[2])?, integer(&words[3])?);
                self.check_list(db, &words[1])?;
                let list = self.list(db, &words[1]);
                let kept = list[positions(start, stop, list.len())].to_vec();
                let removed = list.len() - kept.len();
                self.tally.removed += removed;
                self.count_others(db, &words[1], -(removed as i64));
                self.replace(db, &words[1], kept);
                reply.ok();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The messages of a list; empty if there is no list.
    pub(super) fn list(&self, db: usize, key: &[u8]) -> &[Message] {
        self.dbs[db].get(key).map(|list| list.messages.as_slice()).unwrap_or_default()
    }

    /// Replaces a list's messages; an empty list is removed.
    pub(super) fn replace(&mut self, db: usize, key: &[u8], messages: Vec<Message>) {
        let Some(list) = self.dbs[db].get_mut(key) else { return };
        list.messages = messages;
        if list.messages.is_empty() {
            let expires_ms = list.expires_ms;
            self.dbs[db].remove(key);
            if self.policy(key).is_some_and(|policy| policy.is("delivery", "at-least-once"))
                && let Some(record) = self.record(db, key)
            {
                record.expires_ms = expires_ms;
            }
        }
        self.touch(db, key);
    }

    /// Adds a message at one end.
    pub(super) fn push(&mut self, db: usize, key: &[u8], side: Side, message: Message) {
        self.mark_new_list(db, key);
        let list = self.dbs[db].entry(key.to_vec()).or_default();
        match side {
            Side::Left => list.messages.insert(0, message),
            Side::Right => list.messages.push(message),
        }
        self.touch(db, key);
    }

    /// A newly created list has nothing of an earlier one.
    pub(super) fn mark_new_list(&mut self, db: usize, key: &[u8]) {
        if let Some(record) = self.queues.get_mut(&(db, key.to_vec())) {
            record.expires_ms = None;
        }
    }

    /// A client begins to wait: if its pops acknowledge, further ones overlap.
    fn mark_waiting(&mut self, who: Who, keys: &[Key], take: &Take) {
        let is_by_pop = |policy: super::Policy| {
            policy.is("delivery", "at-least-once") && !policy.is("acknowledge", "explicit")
        };
        if !matches!(take, Take::Move { .. })
            && keys.iter().any(|key| self.policy(key).is_some_and(is_by_pop))
        {
            self.clients[who].waited_in = self.clients[who].input_number;
        }
    }

    /// Takes up to `count` messages from one end of a list.
    pub(super) fn pop(
        &mut self,
        who: Who,
        db: usize,
        key: &[u8],
        side: Side,
        count: usize,
    ) -> Vec<Vec<u8>> {
        let count = count.min(self.deliverable(Some(who), db, key));
        self.use_rate(db, key, count);
        if self.policy(key).is_some_and(|policy| policy.is("delivery", "at-least-once")) {
            return (0..count).map(|_| self.deliver(who, db, key, side)).collect();
        }
        let taken = self.take_out(db, key, side, count);
        self.tally.popped += taken.len();
        self.count(db, key, |totals| {
            totals.delivered += taken.len() as i64;
            totals.acknowledged += taken.len() as i64;
        });
        taken.into_iter().map(|message| message.bytes).collect()
    }

    pub(super) fn take_out(
        &mut self,
        db: usize,
        key: &[u8],
        side: Side,
        count: usize,
    ) -> Vec<Message> {
        let mut messages = self.list(db, key).to_vec();
        let count = count.min(messages.len());
        let taken: Vec<_> = match side {
            Side::Left => messages.drain(..count).collect(),
            Side::Right => messages.drain(messages.len() - count..).rev().collect(),
        };
        if count > 0 {
            self.replace(db, key, messages);
        }
        taken
    }

    /// Moves a message from an existing list to another or the same.
    pub(super) fn move_one(
        &mut self,
        db: usize,
        source: &[u8],
        destination: &[u8],
        from: Side,
        to: Side,
    ) -> Result<Vec<u8>, String> {
        if source == destination {
            // The list stays, with its expiry, even if this is its only message.
            let mut messages = self.list(db, source).to_vec();
            let message = match from {
                Side::Left => messages.remove(0),
                Side::Right => messages.remove(messages.len() - 1),
            };
            let at = if to == Side::Left { 0 } else { messages.len() };
            // It has waited there before, but in another position.
            let mut moved = message.clone();
            if let Some(stamp) = &mut moved.stamp {
                stamp.taken = None;
            }
            messages.insert(at, moved);
            self.replace(db, source, messages);
            return Ok(message.bytes);
        }
        let list = self.list(db, source);
        let message = if from == Side::Left { list.first() } else { list.last() };
        let bytes = message.map_or(0, |message| message.bytes.len());
        self.check_push(db, destination, 1, bytes)?;
        let message = self.take_out(db, source, from, 1).remove(0);
        self.count_others(db, source, -1);
        let moved = self.new_message(destination, message.bytes.clone());
        self.push(db, destination, to, moved);
        self.finish_push(db, destination, to, 1);
        Ok(message.bytes)
    }

    fn pop_command(
        &mut self,
        who: Who,
        words: &Words,
        side: Side,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let count = match words.get(2) {
            None => None,
            Some(word) => {
                let count = integer(word).ok().and_then(|count| usize::try_from(count).ok());
                Some(count.ok_or("ERR value is out of range, must be positive")?)
            }
        };
        let db = self.clients[who].db;
        if count != Some(0) {
            self.acknowledge_by_pop(who, db, &words[1..2], false);
        }
        self.check_list(db, &words[1])?;
        let exists = self.deliverable(Some(who), db, &words[1]) > 0;
        match count {
            None if !exists => reply.null(),
            Some(_) if !exists => reply.null_array(),
            None => reply.bulk(&self.pop(who, db, &words[1], side, 1)[0]),
            Some(count) => reply.bulks(self.pop(who, db, &words[1], side, count).iter()),
        }
        Ok(())
    }

    fn move_or_null(
        &mut self,
        who: Who,
        words: &Words,
        from: Side,
        to: Side,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let take = Take::Move { from, to, destination: words[2].clone() };
        if !self.take(who, self.clients[who].db, &words[1], &take, reply)? {
            reply.null();
        }
        Ok(())
    }

    /// Takes from the first key with a list; false if there is none.
    fn take_first(
        &mut self,
        who: Who,
        keys: &[Key],
        take: &Take,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        for key in keys {
            if self.take(who, self.clients[who].db, key, take, reply)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn take_or_wait(
        &mut self,
        who: Who,
        words: &Words,
        in_exec: bool,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let last = words.len() - 1;
        let one = |side| (words[1..last].to_vec(), Take::One(side));
        let moved = |from, to| {
            (vec![words[1].clone()], Take::Move { from, to, destination: words[2].clone() })
        };
        let ((keys, take), timeout_us) = match words[0].to_ascii_uppercase().as_slice() {
            b"BLPOP" => (one(Side::Left), timeout_us(&words[last])?),
            b"BRPOP" => (one(Side::Right), timeout_us(&words[last])?),
            b"BRPOPLPUSH" => (moved(Side::Right, Side::Left), timeout_us(&words[last])?),
            b"BLMOVE" => (moved(side(&words[3])?, side(&words[4])?), timeout_us(&words[last])?),
            _ => {
                let timeout_us = timeout_us(&words[1])?;
                (many(words, 2)?, timeout_us)
            }
        };
        let db = self.clients[who].db;
        if !matches!(take, Take::Move { .. }) {
            self.acknowledge_by_pop(who, db, &keys, !in_exec);
        }
        if self.take_first(who, &keys, &take, reply)? {
        } else if !in_exec {
            let deadline_us = (timeout_us > 0).then_some(self.now.monotonic_us + timeout_us);
            self.mark_waiting(who, &keys, &take);
            self.start_waiting(who, Wait::Keys { db, keys, take, deadline_us });
        } else if matches!(take, Take::Move { .. }) {
            reply.null();
        } else {
            reply.null_array();
        }
        Ok(())
    }

    fn find(&mut self, db: usize, words: &Words, reply: &mut Reply) -> Result<(), String> {
        let (mut rank, mut count, mut len_max) = (1, None, 0);
        for option in words[3..].chunks(2) {
            let value = integer(option.get(1).ok_or(SYNTAX)?)?;
            match option[0].to_ascii_uppercase().as_slice() {
                b"RANK" => rank = value,
                b"COUNT" => count = Some(value as usize),
                _ => len_max = value as usize,
            }
        }
        self.check_list(db, &words[1])?;
        let list = self.list(db, &words[1]);
        let mut order: Vec<usize> = (0..list.len()).collect();
        if rank < 0 {
            order.reverse();
        }
        if len_max > 0 {
            order.truncate(len_max);
        }
        order.retain(|&index| list[index].bytes == words[2]);
        let mut found: Vec<usize> =
            order.into_iter().skip(rank.unsigned_abs() as usize - 1).collect();
        match count {
            None => match found.first() {
                Some(&index) => reply.count(index),
                None => reply.null(),
            },
            Some(count) => {
                found.truncate(if count == 0 { usize::MAX } else { count });
                reply.array(found.len());
                found.into_iter().for_each(|index| reply.count(index));
            }
        }
        Ok(())
    }

    fn set(&mut self, db: usize, words: &Words, reply: &mut Reply) -> Result<(), String> {
        self.check_list(db, &words[1])?;
        let mut messages = self.list(db, &words[1]).to_vec();
        if messages.is_empty() {
            return Err("ERR no such key".into());
        }
        let index =
            position(integer(&words[2])?, messages.len()).ok_or("ERR index out of range")?;
        messages[index].bytes = words[3].clone();
        self.tally.pushed += 1;
        self.tally.removed += 1;
        self.replace(db, &words[1], messages);
        reply.ok();
        Ok(())
    }

    fn insert(&mut self, db: usize, words: &Words, reply: &mut Reply) -> Result<(), String> {
        let after = match words[2].to_ascii_uppercase().as_slice() {
            b"BEFORE" => 0,
            b"AFTER" => 1,
            _ => return Err(SYNTAX.into()),
        };
        self.check_list(db, &words[1])?;
        let mut messages = self.list(db, &words[1]).to_vec();
        match messages.iter().position(|message| message.bytes == words[3]) {
            None if messages.is_empty() => reply.integer(0),
            None => reply.integer(-1),
            Some(index) => {
                self.check_push(db, &words[1], 1, words[4].len())?;
                messages.insert(index + after, self.new_message(&words[1], words[4].clone()));
                self.tally.pushed += 1;
                self.replace(db, &words[1], messages);
                // The oldest are where LPOP pops.
                reply.count(self.finish_push(db, &words[1], Side::Right, 1));
            }
        }
        Ok(())
    }

    fn remove_equal(&mut self, db: usize, words: &Words, reply: &mut Reply) -> Result<(), String> {
        let count = integer(&words[2])?;
        self.check_list(db, &words[1])?;
        let messages = self.list(db, &words[1]).to_vec();
        let mut equal: Vec<usize> = (0..messages.len()).collect();
        equal.retain(|&index| messages[index].bytes == words[3]);
        if count < 0 {
            equal.reverse();
        }
        if count != 0 {
            equal.truncate(count.unsigned_abs() as usize);
        }
        let kept = messages.into_iter().enumerate().filter(|(index, _)| !equal.contains(index));
        let kept = kept.map(|(_, message)| message).collect();
        if !equal.is_empty() {
            self.replace(db, &words[1], kept);
        }
        self.tally.removed += equal.len();
        self.count_others(db, &words[1], -(equal.len() as i64));
        reply.count(equal.len());
        Ok(())
    }
}

/// The keys of LMPOP or BLMPOP, and what to take of the first that has a list.
fn many(words: &Words, count_at: usize) -> Result<(Vec<Key>, Take), String> {
    let key_count = integer(&words[count_at]).ok().filter(|count| *count > 0);
    let key_count = key_count.ok_or("ERR numkeys should be greater than 0")? as usize;
    let end = count_at + 1 + key_count;
    let keys = words.get(count_at + 1..end).ok_or(SYNTAX)?.to_vec();
    let side = side(words.get(end).ok_or(SYNTAX)?)?;
    let count = match words.get(end + 2) {
        None => 1,
        Some(word) => integer(word).map_err(|_| NOT_AN_INTEGER)?,
    };
    Ok((keys, Take::Many(side, count as usize)))
}
