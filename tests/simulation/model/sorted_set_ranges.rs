//! Ranges of sorted sets, and combinations of several.

use super::keys::integer;
use super::lists::{SYNTAX, positions};
use super::reply::Reply;
use super::sorted_sets::float;
use super::values::{Set, SortedSet, ranked};
use super::{Model, Words};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What ZRANGE and others are asked for; the bounds as they were given.
struct Range {
    by: By,
    start: Vec<u8>,
    stop: Vec<u8>,
    is_reverse: bool,
    limit: Option<(i64, i64)>,
    has_scores: bool,
}

/// A score, and whether it is excluded.
fn score_bound(word: &[u8]) -> Result<(f64, bool), String> {
    let number = word.strip_prefix(b"(");
    let score = float(number.unwrap_or(word)).ok_or("ERR min or max is not a float")?;
    Ok((score, number.is_some()))
}

/// Whether a member is above the bound that a range begins with (`is_min`), or below that of its end.
fn is_inside(member: &[u8], bound: &[u8], is_min: bool) -> bool {
    let text = &bound[1..];
    match bound[0] {
        b'-' => is_min,
        b'+' => !is_min,
        b'[' if member == text => true,
        _ if is_min => member > text,
        _ => member < text,
    }
}

fn check_member_bound(word: &[u8]) -> Result<(), String> {
    let is_right = matches!(word, [b'[' | b'(', ..] | [b'-'] | [b'+']);
    if is_right { Ok(()) } else { Err("ERR min or max not valid string range item".into()) }
}

impl Range {
    fn new(by: By, start: &[u8], stop: &[u8]) -> Range {
        let (start, stop) = (start.to_vec(), stop.to_vec());
        Range { by, start, stop, is_reverse: false, limit: None, has_scores: false }
    }

    /// The arguments of ZRANGE behind the key.
    fn parse(words: &[Vec<u8>]) -> Result<Range, String> {
        let mut range = Range::new(By::Rank, &words[0], &words[1]);
        let mut words = words[2..].iter();
        while let Some(word) = words.next() {
            match word.as_slice() {
                b"REV" => range.is_reverse = true,
                b"BYSCORE" => range.by = By::Score,
                b"BYLEX" => range.by = By::Member,
                b"WITHSCORES" => range.has_scores = true,
                _ => {
                    let mut number = || integer(words.next().ok_or(SYNTAX)?);
                    range.limit = Some((number()?, number()?));
                }
            }
        }
        if range.by == By::Rank && range.limit.is_some_and(|(_, count)| count != -1) {
            return Err("ERR syntax error, LIMIT is only supported in combination with either \
                        BYSCORE or BYLEX"
                .into());
        }
        if range.by == By::Member && range.has_scores {
            return Err(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX".into()
            );
        }
        Ok(range)
    }

    /// Errors in the bounds come before those of the key's type.
    fn check(&self) -> Result<(), String> {
        let (min, max) = self.bounds();
        for bound in [min, max] {
            match self.by {
                By::Rank => drop(integer(bound)?),
                By::Score => drop(score_bound(bound)?),
                By::Member => check_member_bound(bound)?,
            }
        }
        Ok(())
    }

    fn bounds(&self) -> (&[u8], &[u8]) {
        if self.is_reverse { (&self.stop, &self.start) } else { (&self.start, &self.stop) }
    }

    /// The members of a set in the range, in the wanted order.
    fn of(&self, set: &SortedSet) -> Result<Vec<(f64, Vec<u8>)>, String> {
        let mut all = ranked(set);
        if self.is_reverse {
            all.reverse();
        }
        let (min, max) = self.bounds();
        match self.by {
            By::Rank => {
                let (start, stop) = (integer(&self.start)?, integer(&self.stop)?);
                return Ok(all[positions(start, stop, all.len())].to_vec());
            }
            By::Score => {
                let ((min, without_min), (max, without_max)) =
                    (score_bound(min)?, score_bound(max)?);
                all.retain(|(score, _)| {
                    let is_above = if without_min { *score > min } else { *score >= min };
                    is_above && if without_max { *score < max } else { *score <= max }
                });
            }
            By::Member => {
                all.retain(|(_, member)| {
                    is_inside(member, min, true) && is_inside(member, max, false)
                });
            }
        }
        if let Some((offset, count)) = self.limit {
            all = all.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)).collect();
            all.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        }
        Ok(all)
    }
}

/// The sum of both infinities is zero.
fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

impl Model {
    pub(super) fn run_range_command(
        &mut self,
        db: usize,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let name = words[0].to_ascii_uppercase();
        match name.as_slice() {
            b"ZRANGE" => {
                let range = Range::parse(&words[2..])?;
                let found = self.range(db, &words[1], &range)?;
                reply.members(&found, range.has_scores);
            }
            b"ZRANGESTORE" => {
                let range = Range::parse(&words[3..])?;
                let found = self.range(db, &words[2], &range)?;
                let stored: SortedSet =
                    found.into_iter().map(|(score, member)| (member, score)).collect();
                reply.count(stored.len());
                self.store(db, &words[1], stored);
            }
            b"ZCOUNT" | b"ZLEXCOUNT" => {
                let by = if name == b"ZCOUNT" { By::Score } else { By::Member };
                let range = Range::new(by, &words[2], &words[3]);
                reply.count(self.range(db, &words[1], &range)?.len());
            }
            b"ZREMRANGEBYRANK" => self.remove_range(db, By::Rank, words, reply)?,
            b"ZREMRANGEBYSCORE" => self.remove_range(db, By::Score, words, reply)?,
            b"ZREMRANGEBYLEX" => self.remove_range(db, By::Member, words, reply)?,
            b"ZUNIONSTORE" | b"ZINTERSTORE" | b"ZDIFFSTORE" => {
                let result = self.combine(db, &name, &words[2..])?;
                reply.count(result.len());
                self.store(db, &words[1], result);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn range(&self, db: usize, key: &[u8], range: &Range) -> Result<Vec<(f64, Vec<u8>)>, String> {
        range.check()?;
        range.of(&self.read(db, key)?)
    }

    fn remove_range(
        &mut self,
        db: usize,
        by: By,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let removed = self.range(db, &words[1], &Range::new(by, &words[2], &words[3]))?;
        let mut set: SortedSet = self.read(db, &words[1])?;
        let before = set.len();
        set.retain(|member, _| !removed.iter().any(|(_, other)| other == member));
        self.write_what_is_left(db, &words[1], before, set, reply);
        Ok(())
    }

    /// The members of a set have the score 1.
    fn scored(&self, db: usize, key: &[u8]) -> Result<SortedSet, String> {
        match self.read::<Set>(db, key) {
            Ok(set) => Ok(set.into_iter().map(|member| (member, 1.0)).collect()),
            Err(_) => self.read(db, key),
        }
    }

    /// The result of ZUNIONSTORE and others; `words` are those from the number of keys on.
    fn combine(&self, db: usize, name: &[u8], words: &[Vec<u8>]) -> Result<SortedSet, String> {
        let count = integer(&words[0])? as usize;
        let (keys, options) = words[1..].split_at(count);
        let sets: Result<Vec<SortedSet>, String> =
            keys.iter().map(|key| self.scored(db, key)).collect();
        let sets = sets?;
        if name == b"ZDIFFSTORE" {
            let (first, others) = sets.split_first().expect("at least one key");
            let mut left = first.clone();
            left.retain(|member, _| !others.iter().any(|set| set.contains_key(member)));
            return Ok(left);
        }
        let mut weights = vec![1.0; count];
        let mut aggregate: fn(f64, f64) -> f64 = |a, b| number_or_zero(a + b);
        let mut options = options.iter();
        while let Some(option) = options.next() {
            if option == b"WEIGHTS" {
                for weight in &mut weights {
                    let word = options.next().expect("a weight for each key");
                    *weight = float(word).ok_or("ERR weight value is not a float")?;
                }
            } else {
                aggregate = match options.next().map(Vec::as_slice) {
                    Some(b"MIN") => f64::min,
                    Some(b"MAX") => f64::max,
                    _ => aggregate,
                };
            }
        }
        let mut result = SortedSet::new();
        for (set, weight) in sets.iter().zip(weights) {
            for (member, score) in set {
                let score = score * weight;
                let entry = result.entry(member.clone());
                entry.and_modify(|sum| *sum = aggregate(*sum, score)).or_insert(score);
            }
        }
        if name == b"ZINTERSTORE" {
            result.retain(|member, _| sets.iter().all(|set| set.contains_key(member)));
        }
        Ok(result)
    }
}
