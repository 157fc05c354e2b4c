//! Values that are not lists, and what their commands have in common.

use std::collections::{BTreeMap, BTreeSet};

use super::streams::Stream;
use super::{Item, Key, Model};

pub(super) const WRONG_TYPE: &str =
    "WRONGTYPE Operation against a key holding the wrong kind of value";

pub(super) type Hash = BTreeMap<Vec<u8>, Vec<u8>>;
pub(super) type Set = BTreeSet<Vec<u8>>;
/// Members with their scores; sorted by score on each query.
pub(super) type SortedSet = BTreeMap<Vec<u8>, f64>;

/// The elements of each key, with its expiry.
pub type Contents = BTreeMap<(usize, Key), (Vec<Vec<u8>>, Option<i64>)>;

/// A value that is not a list.
#[derive(Clone, Debug)]
pub enum Value {
    String(Vec<u8>),
    Hash(Hash),
    Set(Set),
    SortedSet(SortedSet),
    Stream(Stream),
}

impl Value {
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::Hash(_) => "hash",
            Value::Set(_) => "set",
            Value::SortedSet(_) => "zset",
            Value::Stream(_) => "stream",
        }
    }

    /// The elements, as the broker's `contents` has them.
    pub(super) fn contents(&self) -> Vec<Vec<u8>> {
        match self {
            Value::String(string) => vec![string.clone()],
            Value::Hash(hash) => {
                hash.iter().flat_map(|(field, value)| [field.clone(), value.clone()]).collect()
            }
            Value::Set(set) => set.iter().cloned().collect(),
            Value::Stream(stream) => stream.contents(),
            Value::SortedSet(set) => {
                let text = |(score, member)| [member, score_text(score).into_bytes()];
                ranked(set).into_iter().flat_map(text).collect()
            }
        }
    }
}

/// A value with elements. A key never has an empty one, except for streams.
pub(super) trait Collection: Clone + Default {
    fn of(value: &Value) -> Option<&Self>;
    fn into_value(self) -> Value;
    fn is_without_elements(&self) -> bool;
}

impl Collection for Hash {
    fn of(value: &Value) -> Option<&Hash> {
        if let Value::Hash(hash) = value { Some(hash) } else { None }
    }

    fn into_value(self) -> Value {
        Value::Hash(self)
    }

    fn is_without_elements(&self) -> bool {
        self.is_empty()
    }
}

impl Collection for Set {
    fn of(value: &Value) -> Option<&Set> {
        if let Value::Set(set) = value { Some(set) } else { None }
    }

    fn into_value(self) -> Value {
        Value::Set(self)
    }

    fn is_without_elements(&self) -> bool {
        self.is_empty()
    }
}

impl Collection for SortedSet {
    fn of(value: &Value) -> Option<&SortedSet> {
        if let Value::SortedSet(set) = value { Some(set) } else { None }
    }

    fn into_value(self) -> Value {
        Value::SortedSet(self)
    }

    fn is_without_elements(&self) -> bool {
        self.is_empty()
    }
}

/// The members with their scores, the lowest score first; among equals, the first by name.
pub(super) fn ranked(set: &SortedSet) -> Vec<(f64, Vec<u8>)> {
    let mut all: Vec<_> = set.iter().map(|(member, score)| (*score, member.clone())).collect();
    all.sort_by(|(a, _), (b, _)| a.partial_cmp(b).expect("no score is NaN"));
    all
}

/// A score as Redis shows it from 7.2 on: the shortest text, with an exponent if it would have many zeros; zero
/// has no sign. The generator's scores are multiples of a half, and sums of them.
pub(super) fn score_text(score: f64) -> String {
    const INTEGER_MAX: f64 = (i64::MAX / 2) as f64;
    if score.is_finite() && score.abs() > INTEGER_MAX {
        let text = format!("{score:e}");
        let (digits, exponent) = text.split_once('e').expect("it has an exponent");
        let count = digits.bytes().filter(u8::is_ascii_digit).count();
        if exponent.parse::<usize>().is_ok_and(|exponent| exponent >= count + 7) {
            return format!("{digits}e+{exponent}");
        }
    }
    (score + 0.0).to_string()
}

impl Model {
    /// The collection at a key, empty if there is none. An error is the reply.
    pub(super) fn read<T: Collection>(&self, db: usize, key: &[u8]) -> Result<T, String> {
        match self.dbs[db].get(key) {
            None => Ok(T::default()),
            Some(item) => item.other.as_ref().and_then(T::of).cloned().ok_or(WRONG_TYPE.into()),
        }
    }

    /// The same, if it will be created where it is missing: not at the key of a queue that has only delayed
    /// messages or messages in flight.
    pub(super) fn read_to_add<T: Collection>(&self, db: usize, key: &[u8]) -> Result<T, String> {
        let found = self.read(db, key)?;
        let is_hidden = !self.dbs[db].contains_key(key) && self.exists(db, key);
        if is_hidden { Err(WRONG_TYPE.into()) } else { Ok(found) }
    }

    /// Writes a changed collection back; it keeps its expiry. An empty one is removed.
    pub(super) fn write_back<T: Collection>(&mut self, db: usize, key: &[u8], value: T) {
        if value.is_without_elements() {
            self.delete(db, key);
            return;
        }
        let item = self.dbs[db].entry(key.to_vec()).or_default();
        item.other = Some(value.into_value());
        self.touch(db, key);
    }

    /// Puts a collection in place of whatever is at a key, without expiry. An empty one removes the key.
    pub(super) fn store<T: Collection>(&mut self, db: usize, key: &[u8], value: T) {
        if value.is_without_elements() {
            self.clear_delayed(db, key);
            self.clear_in_flight(db, key);
            self.delete(db, key);
        } else {
            let other = Some(value.into_value());
            self.put(db, key, Item { other, ..Item::default() });
        }
    }

    /// All keys with their elements and expiries, as the broker's `contents` has them.
    pub fn contents(&self) -> Contents {
        let mut all = Contents::new();
        for (db, items) in self.dbs.iter().enumerate() {
            for (key, item) in items {
                let elements = match &item.other {
                    None => item.messages.iter().map(|message| message.bytes.clone()).collect(),
                    Some(value) => value.contents(),
                };
                all.insert((db, key.clone()), (elements, item.expires_ms));
            }
        }
        all
    }
}
