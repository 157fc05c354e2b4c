//! Messages in flight: delivered, and not acknowledged yet.

use super::client::Side;
use super::governed::Fate;
use super::{Key, Message, Model, Who};

/// A message in flight.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Of all deliveries, which one this is.
    pub number: u64,
    pub message: Message,
    pub owner: Who,
    /// From which side it was taken.
    pub side: Side,
    pub delivered_ms: i64,
}

impl Model {
    /// Gives the message at one side of a list to a client, who has to acknowledge it.
    pub(super) fn deliver(&mut self, who: Who, db: usize, key: &[u8], side: Side) -> Vec<u8> {
        let mut message = self.take_out(db, key, side, 1).remove(0);
        self.last_delivery += 1;
        let number = self.last_delivery;
        let mut stamp = message.stamp.expect("its queue is under a policy");
        if stamp.taken.is_none_or(|(other, _)| other != side) {
            stamp.taken = Some((side, number));
        }
        stamp.deliveries += 1;
        message.stamp = Some(stamp);
        let bytes = message.bytes.clone();
        let delivered_ms = self.now.unix_ms();
        let record = self.record(db, key).expect("its queue is under a policy");
        record.in_flight.push(Delivery { number, message, owner: who, side, delivered_ms });
        record.totals.delivered += 1;
        record.totals.redelivered += i64::from(stamp.deliveries > 1);
        self.note_room(db, key);
        bytes
    }

    /// The queues that have something in flight.
    pub(super) fn keys_in_flight(&self) -> Vec<(usize, Key)> {
        let busy = self.queues.iter().filter(|(_, record)| !record.in_flight.is_empty());
        busy.map(|(name, _)| name.clone()).collect()
    }

    /// The keys of queues of which a client, or anybody, has something in flight, in any database.
    pub fn keys_held(&self, who: Option<Who>) -> Vec<Key> {
        let mut names = self.keys_in_flight();
        names.retain(|(db, key)| who.is_none_or(|who| !self.held(who, *db, key).is_empty()));
        names.into_iter().map(|(_, key)| key).collect()
    }

    /// The numbers of what a client has in flight of a queue, the oldest first.
    fn held(&self, who: Who, db: usize, key: &[u8]) -> Vec<u64> {
        let record = self.queues.get(&(db, key.to_vec()));
        let all = record.map(|record| record.in_flight.as_slice()).unwrap_or_default();
        all.iter()
            .filter(|delivery| delivery.owner == who)
            .map(|delivery| delivery.number)
            .collect()
    }

    fn remove_delivery(&mut self, db: usize, key: &[u8], number: u64) -> Delivery {
        let record = self.queues.get_mut(&(db, key.to_vec())).expect("it has something in flight");
        let place = record.in_flight.iter().position(|delivery| delivery.number == number);
        let removed = record.in_flight.remove(place.expect("it is in flight"));
        self.note_room(db, key);
        removed
    }

    /// Acknowledges the oldest of what a client has in flight of a queue; how many.
    pub(super) fn acknowledge(&mut self, who: Who, db: usize, key: &[u8], count: usize) -> usize {
        let mut numbers = self.held(who, db, key);
        numbers.truncate(count);
        for &number in &numbers {
            self.remove_delivery(db, key, number);
            self.tally.acknowledged += 1;
            self.count(db, key, |totals| totals.acknowledged += 1);
        }
        numbers.len()
    }

    /// A client is about to pop from these keys: it is done with what it has of all queues under their
    /// policies.
    pub(super) fn acknowledge_by_pop(&mut self, who: Who, keys: &[Key]) {
        for key in keys {
            let Some(policy) = self.policy(key).filter(|p| !p.is("acknowledge", "explicit")) else {
                continue;
            };
            for (other_db, other) in self.keys_in_flight() {
                if self.policy(&other).is_some_and(|other| other.name == policy.name) {
                    self.acknowledge(who, other_db, &other, usize::MAX);
                }
            }
        }
    }

    /// Returns the oldest of what a client has in flight of a queue; how many.
    pub(super) fn give_back_held(
        &mut self,
        who: Who,
        db: usize,
        key: &[u8],
        count: usize,
    ) -> usize {
        let mut numbers = self.held(who, db, key);
        numbers.truncate(count);
        numbers.iter().for_each(|&number| self.give_back(db, key, number));
        numbers.len()
    }

    /// Returns all that a client has in flight; whether there was anything.
    pub(super) fn give_all_back(&mut self, who: Who) -> bool {
        let mut count = 0;
        for (db, key) in self.keys_in_flight() {
            count += self.give_back_held(who, db, &key, usize::MAX);
        }
        count > 0
    }

    /// Returns what has been in flight for too long.
    pub(super) fn return_overdue(&mut self, db: usize, key: &[u8]) {
        let Some(policy) = self.policy(key) else { return };
        let Some(timeout_ms) = policy.number("ack-timeout-ms") else { return };
        while let Some(record) = self.queues.get(&(db, key.to_vec()))
            && let Some(first) = record.in_flight.first()
            && first.delivered_ms + timeout_ms <= self.now.unix_ms()
        {
            self.give_back(db, key, first.number);
        }
    }

    /// Returns a message to its queue, unless it was delivered too often or has waited too long.
    fn give_back(&mut self, db: usize, key: &[u8], number: u64) {
        let Delivery { message, side, .. } = self.remove_delivery(db, key, number);
        let stamp = message.stamp.expect("it was in flight");
        let policy = self.policy(key).expect("what is in flight is under a policy");
        let is_over = |limit: i64| i64::from(stamp.deliveries) >= limit;
        let is_old = |ttl_ms: i64| stamp.ready_ms + ttl_ms <= self.now.unix_ms();
        if policy.number("delivery-limit").is_some_and(is_over) {
            self.part_with(db, key, &policy, message, Fate::Undeliverable);
        } else if policy.number("message-ttl-ms").is_some_and(is_old) {
            self.part_with(db, key, &policy, message, Fate::Expired);
        } else {
            self.put_back(db, key, side, message);
        }
    }

    /// Returns all that is in flight of a queue, come what may.
    pub(super) fn put_all_back(&mut self, db: usize, key: &[u8]) {
        let record = self.queues.get_mut(&(db, key.to_vec())).expect("it has something in flight");
        for delivery in std::mem::take(&mut record.in_flight) {
            self.put_back(db, key, delivery.side, delivery.message);
        }
    }

    /// Puts a message back where it was: behind those that were taken before it from the same side,
    /// and are back.
    fn put_back(&mut self, db: usize, key: &[u8], side: Side, message: Message) {
        let number_of = |message: &Message| match message.stamp?.taken? {
            (other, number) if other == side => Some(number),
            _ => None,
        };
        let own = number_of(&message);
        let is_before = |other: &&Message| number_of(other).is_some_and(|other| Some(other) < own);
        let mut messages = self.list(db, key).to_vec();
        let index = match side {
            Side::Left => messages.iter().take_while(is_before).count(),
            Side::Right => messages.len() - messages.iter().rev().take_while(is_before).count(),
        };
        messages.insert(index, message);
        self.dbs[db].entry(key.to_vec()).or_default();
        self.replace(db, key, messages);
    }
}
