//! The hash commands.

use super::keys::integer;
use super::reply::Reply;
use super::values::Hash;
use super::{Model, Who, Words};

/// The number that a value is: only the shortest form of a number is one.
fn number(value: &[u8]) -> Result<i64, String> {
    let number = integer(value).ok().filter(|number| number.to_string().as_bytes() == value);
    number.ok_or("ERR hash value is not an integer".into())
}

impl Model {
    /// Runs a hash command; false for other commands. An error is the reply.
    pub(super) fn run_hash_command(
        &mut self,
        who: Who,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let db = self.clients[who].db;
        let name = words[0].to_ascii_uppercase();
        let key = words.get(1).cloned().unwrap_or_default();
        let hash = || self.read::<Hash>(db, &key);
        match name.as_slice() {
            b"HGET" => reply.bulk_or_null(hash()?.get(&words[2])),
            b"HMGET" => {
                let hash = hash()?;
                reply.array(words.len() - 2);
                words[2..].iter().for_each(|field| reply.bulk_or_null(hash.get(field)));
            }
            b"HLEN" => reply.count(hash()?.len()),
            b"HEXISTS" => reply.integer(hash()?.contains_key(&words[2]).into()),
            b"HSTRLEN" => reply.count(hash()?.get(&words[2]).map_or(0, Vec::len)),
            b"HGETALL" => {
                let hash = hash()?;
                let pair = |(field, value)| vec![field, value];
                reply.map(hash.len());
                reply.in_any_order(hash.into_iter().map(pair).collect());
            }
            b"HKEYS" | b"HVALS" => {
                let hash = hash()?;
                let of_pair = |(field, value)| if name == b"HKEYS" { field } else { value };
                reply.array(hash.len());
                reply.in_any_order(hash.into_iter().map(|pair| vec![of_pair(pair)]).collect());
            }
            b"HSET" | b"HMSET" | b"HSETNX" | b"HDEL" | b"HINCRBY" => {
                self.change_hash(db, &name, words, reply)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn change_hash(
        &mut self,
        db: usize,
        name: &[u8],
        words: &Words,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let key = &words[1];
        match name {
            b"HDEL" => {
                let mut hash: Hash = self.read(db, key)?;
                let before = hash.len();
                hash.retain(|field, _| !words[2..].contains(field));
                reply.count(before - hash.len());
                if hash.len() < before {
                    self.write_back(db, key, hash);
                }
            }
            b"HINCRBY" => {
                let added = integer(&words[3])?;
                let mut hash: Hash = self.read_to_add(db, key)?;
                let before = hash.get(&words[2]).map_or(Ok(0), |value| number(value))?;
                let sum = before.checked_add(added);
                let sum = sum.ok_or("ERR increment or decrement would overflow")?;
                hash.insert(words[2].clone(), sum.to_string().into_bytes());
                reply.integer(sum);
                self.write_back(db, key, hash);
            }
            b"HSETNX" => {
                let mut hash: Hash = self.read_to_add(db, key)?;
                let is_new = !hash.contains_key(&words[2]);
                reply.integer(is_new.into());
                if is_new {
                    hash.insert(words[2].clone(), words[3].clone());
                    self.write_back(db, key, hash);
                }
            }
            _ => {
                if !words.len().is_multiple_of(2) {
                    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                    return Err(format!("ERR wrong number of arguments for '{name}' command"));
                }
                let mut hash: Hash = self.read_to_add(db, key)?;
                let before = hash.len();
                let pairs = words[2..].chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
                hash.extend(pairs);
                let added = hash.len() - before;
                self.write_back(db, key, hash);
                if name == b"HMSET" { reply.ok() } else { reply.count(added) }
            }
        }
        Ok(())
    }
}
