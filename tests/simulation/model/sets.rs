//! The set commands.

use super::keys::integer;
use super::reply::Reply;
use super::values::Set;
use super::{Model, Who, Words};

/// Combines sets: `name` contains the operation.
fn combine(name: &[u8], sets: &[Set]) -> Set {
    let (first, others) = sets.split_first().expect("at least one key");
    let in_any = |member: &&Vec<u8>| others.iter().any(|set| set.contains(*member));
    let in_all = |member: &&Vec<u8>| others.iter().all(|set| set.contains(*member));
    match &name[..4] {
        b"SINT" => first.iter().filter(in_all).cloned().collect(),
        b"SUNI" => sets.iter().flatten().cloned().collect(),
        _ => first.iter().filter(|member| !in_any(member)).cloned().collect(),
    }
}

impl Model {
    /// Runs a set command; false for other commands. An error is the reply.
    pub(super) fn run_set_command(
        &mut self,
        who: Who,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let db = self.clients[who].db;
        let name = words[0].to_ascii_uppercase();
        let key = words.get(1).cloned().unwrap_or_default();
        match name.as_slice() {
            b"SCARD" => reply.count(self.read::<Set>(db, &key)?.len()),
            b"SISMEMBER" => {
                reply.integer(self.read::<Set>(db, &key)?.contains(&words[2]).into());
            }
            b"SMISMEMBER" => {
                let set: Set = self.read(db, &key)?;
                reply.array(words.len() - 2);
                words[2..].iter().for_each(|member| reply.integer(set.contains(member).into()));
            }
            b"SMEMBERS" => reply.set(self.read(db, &key)?),
            b"SINTER" | b"SUNION" | b"SDIFF" => {
                reply.set(combine(&name, &self.sets(db, &words[1..])?));
            }
            b"SINTERSTORE" | b"SUNIONSTORE" | b"SDIFFSTORE" => {
                let result = combine(&name, &self.sets(db, &words[2..])?);
                reply.count(result.len());
                self.store(db, &key, result);
            }
            b"SINTERCARD" => {
                let end = 2 + integer(&words[1])? as usize;
                let count = combine(&name, &self.sets(db, &words[2..end])?).len();
                let limit = words.get(end + 1).map_or(Ok(0), |word| integer(word))? as usize;
                reply.count(if limit == 0 { count } else { count.min(limit) });
            }
            b"SADD" => {
                let mut set: Set = self.read_to_add(db, &key)?;
                let before = set.len();
                set.extend(words[2..].iter().cloned());
                reply.count(set.len() - before);
                if set.len() > before {
                    self.write_back(db, &key, set);
                }
            }
            b"SREM" => {
                let mut set: Set = self.read(db, &key)?;
                let before = set.len();
                set.retain(|member| !words[2..].contains(member));
                reply.count(before - set.len());
                if set.len() < before {
                    self.write_back(db, &key, set);
                }
            }
            b"SMOVE" => self.move_member(db, words, reply)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The sets at keys; an empty one for a missing key.
    fn sets(&self, db: usize, keys: &[Vec<u8>]) -> Result<Vec<Set>, String> {
        keys.iter().map(|key| self.read(db, key)).collect()
    }

    fn move_member(&mut self, db: usize, words: &Words, reply: &mut Reply) -> Result<(), String> {
        let (from, to, member) = (&words[1], &words[2], &words[3]);
        let mut source: Set = self.read(db, from)?;
        // Of a missing source the target is not looked at.
        if source.is_empty() {
            reply.integer(0);
            return Ok(());
        }
        self.read::<Set>(db, to)?;
        let is_member = source.contains(member);
        if is_member && from != to {
            let mut target: Set = self.read_to_add(db, to)?;
            source.remove(member);
            self.write_back(db, from, source);
            if target.insert(member.clone()) {
                self.write_back(db, to, target);
            }
        }
        reply.integer(is_member.into());
        Ok(())
    }
}
