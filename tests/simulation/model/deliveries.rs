//! Messages in flight: delivered, but not yet acknowledged.

use super::client::Side;
use super::policies::Policy;
use super::queue_state::{Fate, Totals};
use super::{Item, Key, Message, Model, Who};

/// A message in flight.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The number of the delivery.
    pub number: u64,
    pub message: Message,
    /// `None` for a lease, which belongs to nobody.
    pub owner: Option<Who>,
    /// The input of its owner to which it was a reply.
    input: usize,
    /// Whether only its receipt acknowledges it.
    pub by_receipt: bool,
    /// When it returns, if it has a time of its own.
    pub own_due_ms: Option<i64>,
    pub lease_ms: Option<i64>,
    /// The side from which it was popped.
    pub side: Side,
    pub delivered_ms: i64,
}

/// Counts messages that return, by the cause.
type Cause = fn(&mut Totals) -> &mut i64;
pub const NACKED: Cause = |totals| &mut totals.nacked;
const TIMED_OUT: Cause = |totals| &mut totals.timed_out;
const CONNECTION_LOST: Cause = |totals| &mut totals.connection_lost;
/// How long a message waits for its next delivery, after this many.
fn retry_delay_ms(policy: &Policy, deliveries: u32) -> Option<i64> {
    let first_ms = policy.number("retry-delay-ms")?;
    let max_ms = policy.number("retry-delay-max-ms").unwrap_or(3_600_000);
    Some((1..deliveries).fold(first_ms, |delay_ms, _| max_ms.min(2 * delay_ms)))
}

impl Model {
    /// Delivers the message at one side of a list to a client, which must acknowledge it.
    pub(super) fn deliver(&mut self, who: Who, db: usize, key: &[u8], side: Side) -> Vec<u8> {
        if self.policy(key).is_some_and(|policy| !policy.is("acknowledge", "explicit")) {
            self.clients[who].delivered_in = self.clients[who].input_number;
        }
        self.deliver_to(Some(who), db, key, side).message.bytes.clone()
    }

    /// As `deliver`, to a client or to nobody.
    pub(super) fn deliver_to(
        &mut self,
        owner: Option<Who>,
        db: usize,
        key: &[u8],
        side: Side,
    ) -> &mut Delivery {
        let mut message = self.take_out(db, key, side, 1).remove(0);
        self.last_delivery += 1;
        let number = self.last_delivery;
        let mut stamp = message.stamp.expect("its queue is under a policy");
        if stamp.taken.is_none_or(|(other, _)| other != side) {
            stamp.taken = Some((side, number));
        }
        stamp.deliveries += 1;
        stamp.hops = 0;
        message.stamp = Some(stamp);
        let delivered_ms = self.queue_ms();
        let input = owner.map_or(0, |who| self.clients[who].input_number);
        self.mark_capacity(db, key);
        let record = self.record(db, key).expect("its queue is under a policy");
        record.totals.delivered += 1;
        record.totals.redelivered += i64::from(stamp.deliveries > 1);
        record.in_flight.push(Delivery {
            number,
            message,
            owner,
            input,
            by_receipt: false,
            own_due_ms: None,
            lease_ms: None,
            side,
            delivered_ms,
        });
        record.in_flight.last_mut().expect("it was pushed")
    }

    /// The queues with messages in flight.
    pub(super) fn keys_in_flight(&self) -> Vec<(usize, Key)> {
        let busy = self.queues.iter().filter(|(_, record)| !record.in_flight.is_empty());
        busy.map(|(name, _)| name.clone()).collect()
    }

    /// The keys of queues with messages in flight to a client, or to any, in any database.
    pub fn keys_held(&self, who: Option<Who>) -> Vec<Key> {
        let mut names = self.keys_in_flight();
        names.retain(|name| {
            let mut deliveries = self.queues[name].in_flight.iter();
            who.is_none() || deliveries.any(|delivery| delivery.owner == who)
        });
        names.into_iter().map(|(_, key)| key).collect()
    }

    /// The numbers of a client's messages in flight of a queue, the oldest first, except those that only a
    /// receipt acknowledges.
    fn held(&self, who: Who, db: usize, key: &[u8]) -> Vec<u64> {
        let record = self.queues.get(&(db, key.to_vec()));
        let all = record.map(|record| record.in_flight.as_slice()).unwrap_or_default();
        all.iter()
            .filter(|delivery| delivery.owner == Some(who) && !delivery.by_receipt)
            .map(|delivery| delivery.number)
            .collect()
    }

    fn remove_delivery(&mut self, db: usize, key: &[u8], number: u64) -> Delivery {
        let record = self.queues.get_mut(&(db, key.to_vec())).expect("it has something in flight");
        let place = record.in_flight.iter().position(|delivery| delivery.number == number);
        let removed = record.in_flight.remove(place.expect("it is in flight"));
        self.mark_capacity(db, key);
        self.mark_place(db, key);
        removed
    }

    /// Acknowledges a client's oldest messages in flight of a queue; returns their number.
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

    /// A client is about to pop from these keys: acknowledges its earlier messages from them, as far as
    /// it can have seen them.
    pub(super) fn acknowledge_by_pop(&mut self, who: Who, db: usize, keys: &[Key], may_wait: bool) {
        if self.keys_held(Some(who)).is_empty() {
            return;
        }
        for key in keys {
            let is_by_pop = |policy: super::Policy| {
                policy.is("delivery", "at-least-once") && !policy.is("acknowledge", "explicit")
            };
            if !self.policy(key).is_some_and(is_by_pop) || self.is_read_paused(db, key) {
                continue;
            }
            let client = &mut self.clients[who];
            let input = client.input_number;
            let overlaps = client.waited_in == input || (may_wait && client.delivered_in == input);
            if overlaps && !client.is_shared {
                client.is_shared = true;
                self.count(db, key, |totals| totals.shared += 1);
            }
            if self.clients[who].is_shared {
                return;
            }
            let record = self.queues.get(&(db, key.clone()));
            let in_flight = record.map(|record| record.in_flight.clone()).unwrap_or_default();
            let own = in_flight
                .iter()
                .filter(|delivery| delivery.owner == Some(who) && !delivery.by_receipt);
            let seen: Vec<u64> = own
                .take_while(|delivery| delivery.input < input)
                .map(|delivery| delivery.number)
                .collect();
            self.acknowledge_all(db, key, &seen);
        }
    }

    pub(super) fn acknowledge_all(&mut self, db: usize, key: &[u8], numbers: &[u64]) {
        for &number in numbers {
            self.remove_delivery(db, key, number);
            self.tally.acknowledged += 1;
            self.count(db, key, |totals| totals.acknowledged += 1);
        }
    }

    /// For each message the number of its oldest delivery; equal messages each have their own.
    pub(super) fn deliveries_of(&self, db: usize, key: &[u8], messages: &[Vec<u8>]) -> Vec<u64> {
        let record = self.queues.get(&(db, key.to_vec()));
        let mut left = record.map(|record| record.in_flight.clone()).unwrap_or_default();
        left.retain(|delivery| !delivery.by_receipt);
        let mut numbers = Vec::new();
        for message in messages {
            if let Some(at) = left.iter().position(|other| other.message.bytes == *message) {
                numbers.push(left.remove(at).number);
            }
        }
        numbers.sort_unstable();
        numbers
    }

    /// Removes the messages in flight of a deleted queue; false if there were none.
    pub(super) fn clear_in_flight(&mut self, db: usize, key: &[u8]) -> bool {
        let Some(record) = self.queues.get_mut(&(db, key.to_vec())) else { return false };
        let count = std::mem::take(&mut record.in_flight).len();
        self.tally.removed += count;
        if count > 0 {
            self.count_others(db, key, -(count as i64));
            self.mark_capacity(db, key);
            self.mark_place(db, key);
        }
        count > 0
    }

    /// Returns messages: those that may not return are removed first.
    pub(super) fn give_back_all(&mut self, db: usize, key: &[u8], numbers: &[u64], cause: Cause) {
        self.count(db, key, |totals| *cause(totals) += numbers.len() as i64);
        let (leaving, staying): (Vec<u64>, Vec<u64>) =
            numbers.iter().partition(|number| self.must_leave(db, key, **number));
        for number in leaving.into_iter().chain(staying) {
            self.return_messages(db, key, number);
        }
        self.expire_if_due(db, key);
    }

    /// Returns messages whose deliveries failed, after this delay, or that of the policy. Those that may not
    /// return are removed first.
    pub(super) fn retry_all(
        &mut self,
        db: usize,
        key: &[u8],
        numbers: &[u64],
        delay_ms: Option<i64>,
        cause: Cause,
    ) {
        self.count(db, key, |totals| *cause(totals) += numbers.len() as i64);
        let (leaving, staying): (Vec<u64>, Vec<u64>) =
            numbers.iter().partition(|number| self.must_leave(db, key, **number));
        for number in leaving {
            self.return_messages(db, key, number);
        }
        let policy = self.policy(key);
        for number in staying {
            let record = self.queues.get(&(db, key.to_vec())).expect("it has something in flight");
            let delivery = record.in_flight.iter().find(|delivery| delivery.number == number);
            let stamp =
                delivery.and_then(|delivery| delivery.message.stamp).expect("it is in flight");
            let of_policy = || retry_delay_ms(policy.as_ref()?, stamp.deliveries);
            match delay_ms.or_else(of_policy).filter(|delay_ms| *delay_ms > 0) {
                None => self.return_messages(db, key, number),
                Some(delay_ms) => {
                    let Delivery { message, side, .. } = self.remove_delivery(db, key, number);
                    self.delay(db, key, side, message, delay_ms);
                }
            }
        }
        self.expire_if_due(db, key);
    }

    /// Makes messages in flight dead letters.
    pub(super) fn reject_all(&mut self, db: usize, key: &[u8], numbers: &[u64]) {
        for &number in numbers {
            let message = self.remove_delivery(db, key, number).message;
            let policy = self.policy(key).expect("what is in flight is under a policy");
            self.part_with(db, key, &policy, message, Fate::Rejected);
        }
    }

    /// Returns a client's oldest messages in flight of a queue; gives their number.
    pub(super) fn give_back_held(
        &mut self,
        who: Who,
        db: usize,
        key: &[u8],
        count: usize,
        delay_ms: Option<i64>,
    ) -> usize {
        let mut numbers = self.held(who, db, key);
        numbers.truncate(count);
        self.retry_all(db, key, &numbers, delay_ms, NACKED);
        numbers.len()
    }

    /// Returns all messages in flight to a client.
    pub(super) fn give_all_back(&mut self, who: Who) {
        self.give_back_all_of(&[who]);
    }

    /// Returns the messages in flight to disconnected clients.
    pub(super) fn return_departed(&mut self) {
        let disconnected = std::mem::take(&mut self.disconnected);
        self.give_back_all_of(&disconnected);
    }

    fn give_back_all_of(&mut self, clients: &[Who]) {
        for (db, key) in self.keys_in_flight() {
            let record = &self.queues[&(db, key.clone())];
            let own = record
                .in_flight
                .iter()
                .filter(|one| one.owner.is_some_and(|owner| clients.contains(&owner)));
            let numbers: Vec<u64> = own.map(|delivery| delivery.number).collect();
            self.give_back_all(db, &key, &numbers, CONNECTION_LOST);
        }
    }

    /// Returns messages that have been in flight for too long: by the policy, and by a time of their own.
    pub(super) fn return_overdue(&mut self, db: usize, key: &[u8]) {
        let Some(policy) = self.policy(key) else { return };
        let now_ms = self.queue_ms();
        if let Some(timeout_ms) = policy.number("ack-timeout-ms") {
            let in_flight = self.in_flight_of(db, key).into_iter();
            let timed = in_flight.filter(|delivery| delivery.own_due_ms.is_none());
            let overdue = timed.take_while(|one| one.delivered_ms + timeout_ms <= now_ms);
            let overdue: Vec<u64> = overdue.map(|delivery| delivery.number).collect();
            self.retry_all(db, key, &overdue, None, TIMED_OUT);
        }
        // The first ones may have pushed others out of the queue's limits.
        let is_due = |one: &Delivery| one.own_due_ms.is_some_and(|due_ms| due_ms <= now_ms);
        let due = self.in_flight_of(db, key).into_iter().filter(is_due);
        let due: Vec<u64> = due.map(|delivery| delivery.number).collect();
        self.retry_all(db, key, &due, None, TIMED_OUT);
    }

    fn in_flight_of(&self, db: usize, key: &[u8]) -> Vec<Delivery> {
        let record = self.queues.get(&(db, key.to_vec()));
        record.map(|record| record.in_flight.clone()).unwrap_or_default()
    }

    /// Why a message in flight must not return: it was delivered too often, or has waited too long.
    fn fate_of(&self, key: &[u8], message: &Message) -> Option<Fate> {
        let stamp = message.stamp.expect("it was in flight");
        let policy = self.policy(key).expect("what is in flight is under a policy");
        let is_over = |limit: i64| i64::from(stamp.deliveries) >= limit;
        let is_old = |ttl_ms: i64| stamp.ready_ms + ttl_ms <= self.queue_ms();
        if policy.number("delivery-limit").is_some_and(is_over) {
            Some(Fate::Undeliverable)
        } else if policy.number("message-ttl-ms").is_some_and(is_old) {
            Some(Fate::Expired)
        } else {
            None
        }
    }

    fn must_leave(&self, db: usize, key: &[u8], number: u64) -> bool {
        let record = self.queues.get(&(db, key.to_vec())).expect("it has something in flight");
        let found = record.in_flight.iter().find(|delivery| delivery.number == number);
        self.fate_of(key, &found.expect("it is in flight").message).is_some()
    }

    /// Returns a message to its queue, unless it must not return.
    fn return_messages(&mut self, db: usize, key: &[u8], number: u64) {
        let Delivery { message, side, .. } = self.remove_delivery(db, key, number);
        let policy = self.policy(key).expect("what is in flight is under a policy");
        match self.fate_of(key, &message) {
            Some(fate) => self.part_with(db, key, &policy, message, fate),
            None => self.put_in_position(db, key, side, message),
        }
    }

    /// Returns all messages in flight of a queue unconditionally.
    pub(super) fn put_all_back(&mut self, db: usize, key: &[u8]) {
        let record = self.queues.get_mut(&(db, key.to_vec())).expect("it has something in flight");
        for delivery in std::mem::take(&mut record.in_flight) {
            self.put_in_position(db, key, delivery.side, delivery.message);
        }
        self.expire_if_due(db, key);
    }

    /// Returns a message to its position: behind returned messages that were popped before it from the
    /// same side.
    pub(super) fn put_in_position(&mut self, db: usize, key: &[u8], side: Side, message: Message) {
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
        // A list that returns expires when it would have.
        if !self.dbs[db].contains_key(key) {
            let expires_ms = self.record(db, key).and_then(|record| record.expires_ms.take());
            self.dbs[db].insert(key.to_vec(), Item { expires_ms, ..Item::default() });
        }
        self.replace(db, key, messages);
    }
}
