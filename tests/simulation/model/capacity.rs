//! Producers that wait for capacity in a queue.

use super::client::{Side, Wait};
use super::policies::Policy;
use super::pushes::PushOptions;
use super::reply::Reply;
use super::{Key, Model, Who};

/// Whether a push may ever be made, however little is in the queue.
fn ever_fits(policy: &Policy, count: usize, bytes: usize) -> bool {
    policy.number("max-length").is_none_or(|max| count as i64 <= max)
        && policy.number("max-length-bytes").is_none_or(|max| bytes as i64 <= max)
}

impl Model {
    /// The producers that wait for capacity in a queue, the longest-waiting first.
    pub(super) fn producers_of(&self, db: usize, key: &[u8]) -> impl Iterator<Item = Who> {
        let line = self.line.iter().copied();
        line.filter(move |&who| self.clients[who].waits_for_capacity(db, key))
    }

    fn first_producer(&self, db: usize, key: &[u8]) -> Option<Who> {
        self.producers_of(db, key).next()
    }

    /// The policy under which a push must wait; `None` if it may run, or could never fit.
    pub(super) fn must_wait_for_capacity(
        &self,
        db: usize,
        key: &[u8],
        messages: &[Vec<u8>],
        options: &PushOptions,
    ) -> Option<Policy> {
        let policy = self.policy(key).filter(|policy| policy.is("overflow", "block"))?;
        let new = self.new_messages(db, key, messages, options.id.as_ref());
        let (count, bytes) = (new.len(), new.iter().map(Vec::len).sum::<usize>());
        let ever_fits = ever_fits(&policy, count, bytes);
        let waits = self.first_producer(db, key).is_some()
            || self.limit_passed(db, key, &policy, count, bytes).is_some();
        (count > 0 && ever_fits && waits).then_some(policy)
    }

    pub(super) fn wait_for_capacity(
        &mut self,
        who: Who,
        (db, key): (usize, &[u8]),
        side: Side,
        messages: &[Vec<u8>],
        options: &PushOptions,
        policy: Policy,
    ) {
        let timeout_ms = policy.number("block-timeout-ms").unwrap_or(5000);
        let deadline_us = self.now.monotonic_us + timeout_ms as u64 * 1000;
        let (key, messages, options) = (key.to_vec(), messages.to_vec(), options.clone());
        self.start_waiting(
            who,
            Wait::Capacity { db, key, side, messages, options, policy, deadline_us },
        );
    }

    /// A queue may have capacity for waiting producers.
    pub(super) fn mark_capacity(&mut self, db: usize, key: &[u8]) {
        let freed = (db, key.to_vec());
        if self.first_producer(db, key).is_some() && !self.freed.contains(&freed) {
            self.freed.push(freed);
        }
    }

    /// The queues in which a producer waits for capacity; some may be listed twice.
    pub fn keys_waited_for_capacity(&self) -> Vec<(usize, Key)> {
        let waits = self.line.iter().filter_map(|&who| match &self.clients[who].wait {
            Some(Wait::Capacity { db, key, .. }) => Some((*db, key.clone())),
            _ => None,
        });
        waits.collect()
    }

    /// All queues of a database may have capacity.
    pub(super) fn mark_capacity_in(&mut self, db: usize) {
        for (other, key) in self.keys_waited_for_capacity() {
            if other == db {
                self.mark_capacity(db, &key);
            }
        }
    }

    /// Serves the producers that fit: among queues, first the one with the longest-waiting producer, and
    /// in each as many as fit.
    pub(super) fn serve_producers(&mut self) {
        let mut freed = std::mem::take(&mut self.freed);
        freed.sort_by_key(|(db, key)| {
            let first = self.first_producer(*db, key);
            self.line.iter().position(|&who| Some(who) == first)
        });
        for (db, key) in freed {
            self.serve_producers_of(db, &key);
        }
    }

    fn serve_producers_of(&mut self, db: usize, key: &Key) {
        while let Some(who) = self.first_producer(db, key) {
            let is_closing = self.clients[who].closing.is_some();
            if !is_closing && !self.has_capacity_for(who) {
                return;
            }
            let Some(Wait::Capacity { side, messages, options, .. }) = self.stop_waiting(who)
            else {
                return;
            };
            // A client about to be dropped pushes nothing.
            if is_closing {
                continue;
            }
            let mut reply = Reply::new(self.clients[who].is_resp3);
            match self.push_new(db, key, side, &messages, &options) {
                Ok(pushed) => reply.count(options.counted(&pushed)),
                Err(error) => reply.error(&error),
            }
            self.answer(who, &reply.bytes);
        }
    }

    fn has_capacity_for(&self, who: Who) -> bool {
        let Some(Wait::Capacity { db, key, messages, options, .. }) = &self.clients[who].wait
        else {
            return false;
        };
        // Nobody waits under a policy that does not block, even if a pause then refuses the push.
        let Some(policy) = self.policy(key).filter(|policy| policy.is("overflow", "block")) else {
            return true;
        };
        let record = self.queues.get(&(*db, key.clone()));
        if record.is_some_and(|record| record.writes_until_ms.is_some()) {
            return false;
        }
        let new = self.new_messages(*db, key, messages, options.id.as_ref());
        let bytes = new.iter().map(Vec::len).sum();
        // One that is known to be too large by now is refused.
        new.is_empty()
            || !ever_fits(&policy, new.len(), bytes)
            || self.limit_passed(*db, key, &policy, new.len(), bytes).is_none()
    }

    /// The error for a producer that has waited too long, which is counted; `None` if the client is not
    /// one.
    pub(super) fn no_capacity_error(&mut self, who: Who) -> Option<String> {
        let Some(Wait::Capacity { db, key, messages, policy, .. }) = self.clients[who].wait.clone()
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
