//! Producers that wait for room in a queue.

use super::client::{Side, Wait};
use super::policies::Policy;
use super::reply::Reply;
use super::{Key, Model, Who};

impl Model {
    /// Those who wait for room in a queue, the one who has waited longest first.
    pub(super) fn producers_of(&self, db: usize, key: &[u8]) -> impl Iterator<Item = Who> {
        let line = self.line.iter().copied();
        line.filter(move |&who| self.clients[who].waits_for_room(db, key))
    }

    fn first_producer(&self, db: usize, key: &[u8]) -> Option<Who> {
        self.producers_of(db, key).next()
    }

    /// The policy under which a push has to wait; none if it may be made, or never could.
    pub(super) fn must_wait_for_room(
        &self,
        db: usize,
        key: &[u8],
        messages: &[Vec<u8>],
    ) -> Option<Policy> {
        let policy = self.policy(key).filter(|policy| policy.is("overflow", "block"))?;
        let new = self.new_messages(db, key, messages);
        let (count, bytes) = (new.len(), new.iter().map(Vec::len).sum::<usize>());
        let ever_fits = policy.number("max-length").is_none_or(|max| count as i64 <= max)
            && policy.number("max-length-bytes").is_none_or(|max| bytes as i64 <= max);
        let waits = self.first_producer(db, key).is_some()
            || self.limit_passed(db, key, &policy, count, bytes).is_some();
        (count > 0 && ever_fits && waits).then_some(policy)
    }

    pub(super) fn wait_for_room(
        &mut self,
        who: Who,
        db: usize,
        key: &[u8],
        side: Side,
        messages: &[Vec<u8>],
        policy: Policy,
    ) {
        let timeout_ms = policy.number("block-timeout-ms").unwrap_or(5000);
        let deadline_us = self.now.monotonic_us + timeout_ms as u64 * 1000;
        let (key, messages) = (key.to_vec(), messages.to_vec());
        self.start_waiting(who, Wait::Room { db, key, side, messages, policy, deadline_us });
    }

    /// There may be room in a queue for those who wait for some.
    pub(super) fn note_room(&mut self, db: usize, key: &[u8]) {
        let roomy = (db, key.to_vec());
        if self.first_producer(db, key).is_some() && !self.roomy.contains(&roomy) {
            self.roomy.push(roomy);
        }
    }

    /// The queues that somebody waits for room in; some may be there twice.
    pub fn keys_waited_for_room(&self) -> Vec<(usize, Key)> {
        let waits = self.line.iter().filter_map(|&who| match &self.clients[who].wait {
            Some(Wait::Room { db, key, .. }) => Some((*db, key.clone())),
            _ => None,
        });
        waits.collect()
    }

    /// There may be room in all queues of a database.
    pub(super) fn note_room_in(&mut self, db: usize) {
        for (other, key) in self.keys_waited_for_room() {
            if other == db {
                self.note_room(db, &key);
            }
        }
    }

    /// Lets those push for whom there is room: of several queues the one first where somebody has
    /// waited longest, and in each as many as fit.
    pub(super) fn serve_producers(&mut self) {
        let mut roomy = std::mem::take(&mut self.roomy);
        roomy.sort_by_key(|(db, key)| {
            let first = self.first_producer(*db, key);
            self.line.iter().position(|&who| Some(who) == first)
        });
        for (db, key) in roomy {
            self.serve_producers_of(db, &key);
        }
    }

    fn serve_producers_of(&mut self, db: usize, key: &Key) {
        while let Some(who) = self.first_producer(db, key) {
            let is_closing = self.clients[who].closing.is_some();
            if !is_closing && !self.has_room_for(who) {
                return;
            }
            let Some(Wait::Room { side, messages, .. }) = self.stop_waiting(who) else { return };
            // Who is about to be dropped pushes nothing.
            if is_closing {
                continue;
            }
            let mut reply = Reply::new(self.clients[who].is_resp3);
            match self.push_new(db, key, side, &messages) {
                Ok(len) => reply.count(len),
                Err(error) => reply.error(&error),
            }
            self.answer(who, &reply.bytes);
        }
    }

    fn has_room_for(&self, who: Who) -> bool {
        let Some(Wait::Room { db, key, messages, .. }) = &self.clients[who].wait else {
            return false;
        };
        let record = self.queues.get(&(*db, key.clone()));
        if record.is_some_and(|record| record.is_write_paused) {
            return false;
        }
        let Some(policy) = self.policy(key).filter(|policy| policy.is("overflow", "block")) else {
            return true;
        };
        let new = self.new_messages(*db, key, messages);
        let bytes = new.iter().map(Vec::len).sum();
        new.is_empty() || self.limit_passed(*db, key, &policy, new.len(), bytes).is_none()
    }

    /// What a producer is told that has waited too long, which is counted; none if the client is not
    /// one.
    pub(super) fn no_room_error(&mut self, who: Who) -> Option<String> {
        let Some(Wait::Room { db, key, messages, policy, .. }) = self.clients[who].wait.clone()
        else {
            return None;
        };
        self.count(db, &key, |totals| totals.rejected += messages.len() as i64);
        let limits = ["max-length", "max-length-bytes"];
        let limit = limits.iter().find_map(|name| Some((*name, policy.number(name)?)));
        let (name, max) = limit.expect("overflow needs a limit");
        let (key, policy) = (String::from_utf8_lossy(&key), String::from_utf8_lossy(&policy.name));
        Some(format!("QUEUEFULL queue '{key}' has reached {name} {max} of policy '{policy}'"))
    }
}
