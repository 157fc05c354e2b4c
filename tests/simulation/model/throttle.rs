//! Limits on deliveries: messages in flight, in all and for each client, and the rate.

use super::client::{Take, Wait};
use super::policies::Policy;
use super::{Key, Model, Who};

/// Deliveries that a rate allows.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// In parts, of which a delivery takes as many as the rate's time has milliseconds.
    parts: i64,
    at_ms: i64,
}

fn rate_of(policy: &Policy) -> Option<(i64, i64)> {
    Some((policy.number("rate")?, policy.number("rate-per-ms").unwrap_or(1000)))
}

/// The client that what it takes is in flight to.
pub(super) fn owner_of(take: &Take, who: Who) -> Option<Who> {
    let is_lease = matches!(take, Take::Receipts { lease_ms: Some(_), .. });
    (!is_lease).then_some(who)
}

pub(super) fn is_throttled(policy: &Policy) -> bool {
    ["max-in-flight", "max-in-flight-per-client", "rate"]
        .iter()
        .any(|name| policy.number(name).is_some())
}

impl Model {
    /// The parts that a rate allows now.
    fn parts(&self, db: usize, key: &[u8], (count, per_ms): (i64, i64)) -> i64 {
        let record = self.queues.get(&(db, key.to_vec()));
        match record.and_then(|record| record.allowance) {
            None => count * per_ms,
            Some(Allowance { parts, at_ms }) => {
                (count * per_ms).min(parts + (self.queue_ms() - at_ms) * count)
            }
        }
    }

    /// How many messages may be delivered now, to one client or to all together. Leases are of no client.
    pub(super) fn deliverable(&self, who: Option<Who>, db: usize, key: &[u8]) -> usize {
        if !self.has_messages(db, key) {
            return 0;
        }
        let mut allowed = self.list(db, key).len();
        let Some(policy) = self.policy(key) else { return allowed };
        let record = self.queues.get(&(db, key.to_vec()));
        let in_flight = record.map_or(0, |record| record.in_flight.len());
        if let Some(max) = policy.number("max-in-flight") {
            allowed = allowed.min((max as usize).saturating_sub(in_flight));
        }
        if let (Some(max), Some(who)) = (policy.number("max-in-flight-per-client"), who) {
            let held = self.in_flight_to(who, db, key);
            allowed = allowed.min((max as usize).saturating_sub(held));
        }
        if let Some(rate) = rate_of(&policy) {
            allowed = allowed.min((self.parts(db, key, rate) / rate.1) as usize);
        }
        allowed
    }

    /// Counts deliveries for the rate.
    pub(super) fn use_rate(&mut self, db: usize, key: &[u8], count: usize) {
        let Some(rate) = self.policy(key).as_ref().and_then(rate_of) else { return };
        let parts = self.parts(db, key, rate) - count as i64 * rate.1;
        let at_ms = self.queue_ms();
        let record = self.record(db, key).expect("its queue is under a policy");
        record.allowance = Some(Allowance { parts, at_ms });
    }

    /// The rate changes: what was delivered recently counts for the new one.
    pub(super) fn change_rate(&mut self, db: usize, key: &[u8], before: Option<&Policy>) {
        let (before, after) =
            (before.and_then(rate_of), self.policy(key).as_ref().and_then(rate_of));
        let missing = before.map_or(0, |rate| {
            let parts = rate.0 * rate.1 - self.parts(db, key, rate);
            (parts + rate.1 - 1) / rate.1
        });
        let at_ms = self.queue_ms();
        let Some(record) = self.queues.get_mut(&(db, key.to_vec())) else { return };
        record.awaits_rate = false;
        if before != after {
            record.allowance = after.map(|(count, per_ms)| Allowance {
                parts: (count - missing.min(count)) * per_ms,
                at_ms,
            });
        }
    }

    /// A client waits, or was not served: it may wait for the rate only.
    pub(super) fn await_rate(&mut self, db: usize, key: &[u8]) {
        let Some(policy) = self.policy(key) else { return };
        let Some(rate) = rate_of(&policy) else { return };
        let is_waited_for = (0..self.clients.len()).any(|who| {
            let Some(Wait::Keys { take, .. }) = &self.clients[who].wait else { return false };
            let held = owner_of(take, who).map_or(0, |who| self.in_flight_to(who, db, key));
            let max = policy.number("max-in-flight-per-client");
            self.clients[who].waits_for(db, key)
                && !matches!(take, Take::Move { .. })
                && max.is_none_or(|max| (held as i64) < max)
        });
        let in_flight =
            self.queues.get(&(db, key.to_vec())).map_or(0, |record| record.in_flight.len());
        let is_free = policy.number("max-in-flight").is_none_or(|max| (in_flight as i64) < max);
        let has_any = self.has_messages(db, key);
        let is_used = self.parts(db, key, rate) < rate.1;
        if let Some(record) = self.record(db, key) {
            record.awaits_rate = is_waited_for && is_free && has_any && is_used;
        }
    }

    /// How many messages of a queue are in flight to a client, however it acknowledges them.
    fn in_flight_to(&self, who: Who, db: usize, key: &[u8]) -> usize {
        let record = self.queues.get(&(db, key.to_vec()));
        let in_flight = record.map(|record| record.in_flight.as_slice()).unwrap_or_default();
        in_flight.iter().filter(|delivery| delivery.owner == Some(who)).count()
    }

    /// When the rate allows the delivery that a client waits for.
    pub(super) fn rate_due_ms(&self, db: usize, key: &[u8]) -> Option<i64> {
        let record = self.queues.get(&(db, key.to_vec())).filter(|record| record.awaits_rate)?;
        let (count, per_ms) = self.policy(key).as_ref().and_then(rate_of)?;
        let Allowance { parts, at_ms } = record.allowance?;
        Some(at_ms + (per_ms - parts + count - 1) / count)
    }

    pub(super) fn serve_at_rate(&mut self, db: usize, key: &[u8]) {
        if self.rate_due_ms(db, key).is_some_and(|due_ms| due_ms <= self.queue_ms()) {
            self.record(db, key).expect("it is due").awaits_rate = false;
            self.mark_ready(db, key);
        }
    }

    /// A message is no longer in flight: others may be.
    pub(super) fn mark_place(&mut self, db: usize, key: &[u8]) {
        if self.policy(key).as_ref().is_some_and(is_throttled) {
            self.mark_ready(db, key);
        }
    }

    /// The first in line that can get something.
    pub(super) fn first_served(&self, db: usize, key: &[u8]) -> Option<Who> {
        let can_get = |who: Who| match &self.clients[who].wait {
            Some(Wait::Keys { take: Take::Move { .. }, .. }) => self.has_messages(db, key),
            Some(Wait::Keys { take, .. }) => self.deliverable(owner_of(take, who), db, key) > 0,
            _ => false,
        };
        let mut line = self.line.iter().copied();
        line.find(|&who| self.clients[who].waits_for(db, key) && can_get(who))
    }

    /// The keys that clients wait for; some may be listed twice.
    pub(super) fn keys_waited_for(&self) -> Vec<(usize, Key)> {
        let waits = self.line.iter().filter_map(|&who| match &self.clients[who].wait {
            Some(Wait::Keys { db, keys, .. }) => Some(keys.iter().map(|key| (*db, key.clone()))),
            _ => None,
        });
        waits.flatten().collect()
    }

    /// Sorts the keys that became ready since there were this many: the longest wait first.
    pub(super) fn sort_ready(&mut self, from: usize) {
        let mut sorted = self.ready.split_off(from);
        sorted.sort();
        sorted.sort_by_key(|(db, key)| {
            self.line.iter().position(|&who| self.clients[who].waits_for(*db, key))
        });
        self.ready.append(&mut sorted);
    }
}
