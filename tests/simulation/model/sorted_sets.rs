//! The commands of sorted sets, but for ranges and combinations.

use super::client::Wait;
use super::keys::integer;
use super::lists::{SYNTAX, timeout_us};
use super::reply::Reply;
use super::values::{SortedSet, ranked};
use super::{Key, Model, Who, Words};

/// A finite number or an infinity.
pub(super) fn float(word: &[u8]) -> Option<f64> {
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
    number.filter(|number| !number.is_nan())
}

/// The options of ZADD.
#[derive(Default)]
struct Options {
    if_absent: bool,
    if_present: bool,
    if_greater: bool,
    if_less: bool,
    counts_changes: bool,
    adds: bool,
}

impl Options {
    /// Splits the options off. An error is the reply.
    fn split(mut words: &[Vec<u8>]) -> Result<(Options, &[Vec<u8>]), String> {
        let mut options = Options::default();
        while let Some((word, rest)) = words.split_first() {
            *match word.to_ascii_uppercase().as_slice() {
                b"NX" => &mut options.if_absent,
                b"XX" => &mut options.if_present,
                b"GT" => &mut options.if_greater,
                b"LT" => &mut options.if_less,
                b"CH" => &mut options.counts_changes,
                b"INCR" => &mut options.adds,
                _ => break,
            } = true;
            words = rest;
        }
        if words.is_empty() || !words.len().is_multiple_of(2) {
            return Err(SYNTAX.into());
        }
        if options.if_absent && options.if_present {
            return Err("ERR XX and NX options at the same time are not compatible".into());
        }
        let exclusive = [options.if_absent, options.if_greater, options.if_less];
        if exclusive.into_iter().filter(|is_given| *is_given).count() > 1 {
            return Err("ERR GT, LT, and/or NX options at the same time are not compatible".into());
        }
        if options.adds && words.len() > 2 {
            return Err("ERR INCR option supports a single increment-element pair".into());
        }
        Ok((options, words))
    }

    /// The score that a member gets; `None` if it keeps what it has.
    fn score(&self, before: Option<f64>, given: f64) -> Option<f64> {
        let Some(before) = before else { return (!self.if_present).then_some(given) };
        let score = if self.adds { before + given } else { given };
        let is_kept =
            self.if_absent || self.if_greater && score <= before || self.if_less && score >= before;
        (!is_kept).then_some(score)
    }
}

impl Model {
    /// Runs a command of sorted sets; false for other commands. An error is the reply.
    pub(super) fn run_sorted_set_command(
        &mut self,
        who: Who,
        words: &Words,
        in_exec: bool,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let db = self.clients[who].db;
        let key = words.get(1).cloned().unwrap_or_default();
        match words[0].to_ascii_uppercase().as_slice() {
            b"ZADD" => {
                let (options, pairs) = Options::split(&words[2..])?;
                self.add_members(db, &key, &options, pairs, reply)?;
            }
            b"ZINCRBY" => {
                let options = Options { adds: true, ..Options::default() };
                self.add_members(db, &key, &options, &words[2..], reply)?;
            }
            b"ZREM" => {
                let mut set: SortedSet = self.read(db, &key)?;
                let before = set.len();
                set.retain(|member, _| !words[2..].contains(member));
                self.write_what_is_left(db, &key, before, set, reply);
            }
            b"ZPOPMIN" => self.pop_members(db, words, false, reply)?,
            b"ZPOPMAX" => self.pop_members(db, words, true, reply)?,
            b"BZPOPMIN" => self.pop_member_or_wait(who, words, false, in_exec, reply)?,
            b"BZPOPMAX" => self.pop_member_or_wait(who, words, true, in_exec, reply)?,
            _ => return self.run_sorted_set_query(db, words, reply),
        }
        Ok(true)
    }

    fn run_sorted_set_query(
        &mut self,
        db: usize,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let name = words[0].to_ascii_uppercase();
        let set = || self.read::<SortedSet>(db, &words[1]);
        match name.as_slice() {
            b"ZCARD" => reply.count(set()?.len()),
            b"ZSCORE" => reply.double_or_null(set()?.get(&words[2])),
            b"ZMSCORE" => {
                let set = set()?;
                reply.array(words.len() - 2);
                words[2..].iter().for_each(|member| reply.double_or_null(set.get(member)));
            }
            b"ZRANK" | b"ZREVRANK" => {
                let mut ranked = ranked(&set()?);
                if name == b"ZREVRANK" {
                    ranked.reverse();
                }
                match ranked.into_iter().position(|(_, member)| member == words[2]) {
                    Some(rank) => reply.count(rank),
                    None => reply.null(),
                }
            }
            _ => return self.run_range_command(db, words, reply),
        }
        Ok(true)
    }

    fn add_members(
        &mut self,
        db: usize,
        key: &[u8],
        options: &Options,
        pairs: &[Vec<u8>],
        reply: &mut Reply,
    ) -> Result<(), String> {
        let given = pairs.chunks(2).map(|pair| Some((float(&pair[0])?, &pair[1])));
        let given: Option<Vec<_>> = given.collect();
        let given = given.ok_or("ERR value is not a valid float")?;
        // Nothing is created for XX.
        let mut set: SortedSet = match options.if_present {
            true => self.read(db, key)?,
            false => self.read_to_add(db, key)?,
        };
        let (mut added, mut updated, mut last) = (0, 0, None);
        for (score, member) in given {
            let before = set.get(member).copied();
            last = options.score(before, score);
            let Some(score) = last else { continue };
            if score.is_nan() {
                return Err("ERR resulting score is not a number (NaN)".into());
            }
            added += usize::from(before.is_none());
            updated += usize::from(before.is_some_and(|before| before != score));
            if before != Some(score) {
                set.insert(member.clone(), score);
            }
        }
        match options.adds {
            true => reply.double_or_null(last.as_ref()),
            false => reply.count(added + if options.counts_changes { updated } else { 0 }),
        }
        if added + updated > 0 {
            self.write_back(db, key, set);
        }
        Ok(())
    }

    /// Writes a set back from which members were removed, and replies with their number.
    pub(super) fn write_what_is_left(
        &mut self,
        db: usize,
        key: &[u8],
        before: usize,
        left: SortedSet,
        reply: &mut Reply,
    ) {
        reply.count(before - left.len());
        if left.len() < before {
            self.write_back(db, key, left);
        }
    }

    /// Takes up to `count` members with the lowest or the highest scores.
    fn take_members(
        &mut self,
        db: usize,
        key: &[u8],
        is_max: bool,
        count: usize,
    ) -> Result<Vec<(f64, Vec<u8>)>, String> {
        let mut set: SortedSet = self.read(db, key)?;
        let mut taken = ranked(&set);
        if is_max {
            taken.reverse();
        }
        taken.truncate(count);
        set.retain(|member, _| !taken.iter().any(|(_, other)| other == member));
        if !taken.is_empty() {
            self.write_back(db, key, set);
        }
        Ok(taken)
    }

    fn pop_members(
        &mut self,
        db: usize,
        words: &Words,
        is_max: bool,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let count = match words.get(2) {
            None => 1,
            Some(word) => {
                let count = integer(word).ok().and_then(|count| usize::try_from(count).ok());
                count.ok_or("ERR value is out of range, must be positive")?
            }
        };
        let taken = self.take_members(db, &words[1], is_max, count)?;
        if words.len() > 2 {
            reply.members(&taken, true);
            return Ok(());
        }
        reply.array(2 * taken.len());
        for (score, member) in taken {
            reply.bulk(&member);
            reply.double(score);
        }
        Ok(())
    }

    fn pop_member_or_wait(
        &mut self,
        who: Who,
        words: &Words,
        is_max: bool,
        in_exec: bool,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let (last, keys) = words[1..].split_last().expect("there is a timeout");
        let timeout_us = timeout_us(last)?;
        let db = self.clients[who].db;
        for key in keys {
            if self.pop_member(db, key, is_max, reply)? {
                return Ok(());
            }
        }
        if in_exec {
            reply.null_array();
            return Ok(());
        }
        let deadline_us = (timeout_us > 0).then_some(self.now.monotonic_us + timeout_us);
        self.start_waiting(who, Wait::Member { db, keys: keys.to_vec(), is_max, deadline_us });
        Ok(())
    }

    /// Takes one member; the reply includes the key. False, and no reply, if there is none.
    fn pop_member(
        &mut self,
        db: usize,
        key: &[u8],
        is_max: bool,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let taken = self.take_members(db, key, is_max, 1)?;
        let Some((score, member)) = taken.first() else { return Ok(false) };
        reply.array(3);
        reply.bulk(key);
        reply.bulk(member);
        reply.double(*score);
        Ok(true)
    }

    pub(super) fn is_sorted_set(&self, db: usize, key: &[u8]) -> bool {
        self.dbs[db].contains_key(key) && self.read::<SortedSet>(db, key).is_ok()
    }

    /// Serves those that wait for a member of a key.
    pub(super) fn serve_members(&mut self, db: usize, key: &Key) {
        while self.is_sorted_set(db, key) {
            let mut line = self.line.iter().copied();
            let first = line.find(|&who| self.clients[who].waits_for_member(db, key));
            let Some(who) = first else { return };
            let Some(Wait::Member { is_max, .. }) = self.stop_waiting(who) else { return };
            // A client about to be dropped gets nothing.
            if self.clients[who].closing.is_some() {
                continue;
            }
            let mut reply = Reply::new(self.clients[who].is_resp3);
            let popped = self.pop_member(db, key, is_max, &mut reply);
            assert_eq!(popped, Ok(true), "a sorted set has members");
            self.answer(who, &reply.bytes);
        }
    }
}
