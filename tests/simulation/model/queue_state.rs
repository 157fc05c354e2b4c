//! Queues under a policy or paused: their state besides the messages, the effects of pushes, expiry and
//! overflow, timers.

use std::collections::BTreeSet;

use super::client::Side;
use super::delayed::Delayed;
use super::deliveries::Delivery;
use super::policies::Policy;
use super::throttle::Allowance;
use super::{Key, Message, Model, Stamp};

/// The end of a pause that does not end by itself.
const ENDLESS: i64 = i64::MAX;

/// A message that was dead-lettered this often is dropped.
const HOPS_MAX: u32 = 16;

/// The counts of QUEUE INFO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub pushed: i64,
    pub delivered: i64,
    pub acknowledged: i64,
    pub redelivered: i64,
    pub nacked: i64,
    pub timed_out: i64,
    pub connection_lost: i64,
    pub expired: i64,
    pub rejected: i64,
    pub dropped: i64,
    pub drop_head: i64,
    pub dead_letter_full: i64,
    pub hop_limit: i64,
    pub purged: i64,
    pub dead_lettered: i64,
    pub deduplicated: i64,
    pub shared: i64,
}

/// The state of a queue that is under a policy or paused.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// In the order of their delivery.
    pub in_flight: Vec<Delivery>,
    /// In the order of their pushes.
    pub delayed: Vec<Delayed>,
    /// What is left of the rate; `None` for all of it.
    pub allowance: Option<Allowance>,
    /// Whether a client waits only for the rate.
    pub awaits_rate: bool,
    /// When which messages were stored, in order, for deduplication.
    pub recent: Vec<(i64, Vec<u8>)>,
    /// Until when reads are paused; `ENDLESS` without an end.
    pub reads_until_ms: Option<i64>,
    pub writes_until_ms: Option<i64>,
    pub totals: Totals,
    /// Messages added less messages removed, in ways that the totals do not count.
    pub others: i64,
    /// The expiry of a list that became empty while messages may be in flight.
    pub expires_ms: Option<i64>,
}

impl Record {
    pub fn is_paused(&self) -> bool {
        self.reads_until_ms.is_some() || self.writes_until_ms.is_some()
    }

    /// When the first pause ends by itself.
    pub fn end_of_pause_ms(&self) -> Option<i64> {
        let ends = [self.reads_until_ms, self.writes_until_ms].into_iter().flatten();
        ends.filter(|until_ms| *until_ms != ENDLESS).min()
    }
}

/// Why a message is removed from a queue without a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Dropped,
    Expired,
    /// The queue was above its limits, and the policy dead-letters what is.
    Over,
    Undeliverable,
    /// A consumer rejected it.
    Rejected,
}

/// Why a message did not become a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    NoQueue,
    Full,
    HopLimit,
}

impl Model {
    /// The state of a queue; `None` if it is neither under a policy nor paused.
    pub(super) fn record(&mut self, db: usize, key: &[u8]) -> Option<&mut Record> {
        let name = (db, key.to_vec());
        if self.policy(key).is_some() {
            return Some(self.queues.entry(name).or_default());
        }
        self.queues.get_mut(&name)
    }

    pub(super) fn is_read_paused(&self, db: usize, key: &[u8]) -> bool {
        self.queues.get(&(db, key.to_vec())).is_some_and(|record| record.reads_until_ms.is_some())
    }

    /// The keys of paused queues, in any database.
    pub fn keys_paused(&self) -> Vec<Key> {
        let paused = self.queues.iter().filter(|(_, record)| record.is_paused());
        paused.map(|((_, key), _)| key.clone()).collect()
    }

    /// Counts messages added or removed in a way that the totals do not count.
    pub(super) fn count_others(&mut self, db: usize, key: &[u8], difference: i64) {
        if let Some(record) = self.record(db, key) {
            record.others += difference;
        }
    }

    pub(super) fn count(&mut self, db: usize, key: &[u8], add: impl FnOnce(&mut Totals)) {
        if let Some(record) = self.record(db, key) {
            add(&mut record.totals);
        }
    }

    /// A message that is pushed now.
    pub(super) fn new_message(&self, key: &[u8], bytes: Vec<u8>) -> Message {
        let mut message = Message { bytes, stamp: None, origin: None };
        self.stamp(key, &mut message);
        message
    }

    /// Gives a message a stamp if its queue is under a policy. Elsewhere only a dead letter has one.
    pub(super) fn stamp(&self, key: &[u8], message: &mut Message) {
        if self.policy(key).is_none() {
            let kept = message.stamp.filter(|_| message.origin.is_some());
            message.stamp = kept.map(|Stamp { ready_ms, hops, .. }| Stamp {
                ready_ms,
                hops,
                ..Stamp::default()
            });
        } else if message.stamp.is_none() {
            message.stamp = Some(Stamp { ready_ms: self.queue_ms(), ..Stamp::default() });
        }
    }

    /// Updates all queues after a change of policies.
    pub(super) fn apply_policies(&mut self) {
        for db in 0..self.dbs.len() {
            for (key, mut list) in self.dbs[db].clone() {
                list.messages.iter_mut().for_each(|message| self.stamp(&key, message));
                let len = list.messages.len();
                self.dbs[db].insert(key.clone(), list);
                if !self.queues.contains_key(&(db, key.clone())) {
                    self.count_others(db, &key, len as i64);
                }
            }
        }
        let policies = self.policies.clone();
        self.queues.retain(|(_, key), record| {
            record.is_paused() || policies.iter().any(|policy| policy.applies_to(key))
        });
    }

    /// QUEUE PAUSE for this long or without an end, and QUEUE RESUME.
    pub(super) fn pause(
        &mut self,
        db: usize,
        key: &[u8],
        directions: (bool, bool),
        span_ms: Option<i64>,
    ) {
        let until_ms = span_ms.map_or(ENDLESS, |ms| self.queue_ms() + ms);
        self.has_had_timers |= span_ms.is_some();
        self.set_pauses(db, key, directions, Some(until_ms));
    }

    pub(super) fn set_pauses(
        &mut self,
        db: usize,
        key: &[u8],
        directions: (bool, bool),
        until_ms: Option<i64>,
    ) {
        let (reads, writes) = directions;
        let name = (db, key.to_vec());
        let before = self.queues.get(&name).cloned().unwrap_or_default();
        let before = (before.reads_until_ms, before.writes_until_ms);
        let reads_until_ms = if reads { until_ms } else { before.0 };
        let writes_until_ms = if writes { until_ms } else { before.1 };
        if before == (reads_until_ms, writes_until_ms) {
            return;
        }
        if !self.queues.contains_key(&name) {
            let others = self.list(db, key).len() as i64;
            self.queues.insert(name, Record { others, ..Record::default() });
        }
        if let Some(record) = self.record(db, key) {
            (record.reads_until_ms, record.writes_until_ms) = (reads_until_ms, writes_until_ms);
            if !record.is_paused() && self.policy(key).is_none() {
                self.queues.remove(&(db, key.to_vec()));
            }
        }
        self.mark_ready(db, key);
        self.mark_capacity(db, key);
    }

    /// Whether this many messages with this many bytes in total may be pushed. An error is the reply.
    pub(super) fn check_push(
        &mut self,
        db: usize,
        key: &[u8],
        count: usize,
        bytes: usize,
    ) -> Result<(), String> {
        let policy = self.policy(key);
        let Some(record) = self.record(db, key) else { return Ok(()) };
        let shown = String::from_utf8_lossy(key);
        let error = if record.writes_until_ms.is_some() {
            Some(format!("QUEUEPAUSED queue '{shown}' takes no messages now"))
        } else {
            policy.filter(rejects).and_then(|policy| {
                let limit = self.limit_passed(db, key, &policy, count, bytes)?;
                let name = String::from_utf8_lossy(&policy.name).into_owned();
                Some(format!("QUEUEFULL queue '{shown}' has reached {limit} of policy '{name}'"))
            })
        };
        match error {
            None => Ok(()),
            Some(error) => {
                self.count(db, key, |totals| totals.rejected += count as i64);
                Err(error)
            }
        }
    }

    /// The limit that a queue would exceed with this much more in it.
    pub(super) fn limit_passed(
        &self,
        db: usize,
        key: &[u8],
        policy: &Policy,
        count: usize,
        bytes: usize,
    ) -> Option<String> {
        let ready = self.list(db, key).iter().map(|message| message.bytes.len());
        let delayed = self.delayed(db, key).iter().map(|delayed| delayed.message.bytes.len());
        let len = (ready.len() + delayed.len() + count) as i64;
        let all_bytes = ready.chain(delayed).sum::<usize>() + bytes;
        for (name, value) in [("max-length", len), ("max-length-bytes", all_bytes as i64)] {
            if let Some(limit) = policy.number(name)
                && value > limit
            {
                return Some(format!("{name} {limit}"));
            }
        }
        None
    }

    /// Finishes a push at one side: above the limit, the oldest, at the other side, are dropped. Returns
    /// the length afterwards.
    pub(super) fn finish_push(&mut self, db: usize, key: &[u8], side: Side, count: usize) -> usize {
        self.count(db, key, |totals| totals.pushed += count as i64);
        let oldest = if side == Side::Left { Side::Right } else { Side::Left };
        if let Some(policy) = self.policy(key)
            && !rejects(&policy)
        {
            let is_kept = policy.is("overflow", "dead-letter");
            let fate = if is_kept { Fate::Over } else { Fate::Dropped };
            while self.limit_passed(db, key, &policy, 0, 0).is_some() {
                let message = if self.list(db, key).is_empty() {
                    self.take_first_delayed(db, key)
                } else {
                    self.take_out(db, key, oldest, 1).remove(0)
                };
                self.part_with(db, key, &policy, message, fate);
            }
        }
        self.list(db, key).len() + self.delayed(db, key).len()
    }

    /// Handles a message removed from a queue without a consumer.
    pub(super) fn part_with(
        &mut self,
        db: usize,
        key: &[u8],
        policy: &Policy,
        message: Message,
        fate: Fate,
    ) {
        let moved = match fate {
            Fate::Dropped => Err(Refusal::NoQueue),
            _ => self.dead_letter(db, key, policy, message, fate),
        };
        let (tally, totals) = (&mut self.tally, &mut Totals::default());
        match (moved, fate) {
            (Ok(()), _) => {
                tally.dead_lettered += 1;
                totals.dead_lettered += 1;
            }
            (Err(_), Fate::Expired) => {
                tally.expired += 1;
                totals.expired += 1;
            }
            (Err(_), _) => {
                tally.dropped += 1;
                totals.dropped += 1;
            }
        }
        match moved {
            Err(Refusal::Full) => totals.dead_letter_full += 1,
            Err(Refusal::HopLimit) => totals.hop_limit += 1,
            Err(Refusal::NoQueue) if matches!(fate, Fate::Dropped | Fate::Over) => {
                totals.drop_head += 1;
            }
            _ => {}
        }
        let counted = totals.clone();
        self.count(db, key, |totals| {
            totals.dead_lettered += counted.dead_lettered;
            totals.expired += counted.expired;
            totals.dropped += counted.dropped;
            totals.dead_letter_full += counted.dead_letter_full;
            totals.hop_limit += counted.hop_limit;
            totals.drop_head += counted.drop_head;
        });
    }

    /// Dead-letters a message, unless no queue takes it.
    fn dead_letter(
        &mut self,
        db: usize,
        key: &[u8],
        policy: &Policy,
        message: Message,
        fate: Fate,
    ) -> Result<(), Refusal> {
        let target = policy.dead_letter_key(key).ok_or(Refusal::NoQueue)?;
        let hops = message.stamp.map_or(0, |stamp| stamp.hops);
        if hops >= HOPS_MAX {
            return Err(Refusal::HopLimit);
        }
        let is_full = self.policy(&target).filter(rejects).is_some_and(|policy| {
            self.limit_passed(db, &target, &policy, 1, message.bytes.len()).is_some()
        });
        if is_full || self.check_list(db, &target).is_err() {
            return Err(Refusal::Full);
        }
        let mut letter = self.new_message(&target, message.bytes);
        let ready_ms = self.queue_ms();
        letter.stamp = Some(Stamp { ready_ms, hops: hops + 1, ..Stamp::default() });
        let reason = match fate {
            Fate::Expired => "expired",
            Fate::Undeliverable => "delivery-limit",
            Fate::Rejected => "rejected",
            Fate::Dropped | Fate::Over => "length",
        };
        letter.origin = Some((key.to_vec(), reason));
        self.tally.pushed += 1;
        if let Some(delay_ms) = self.policy(&target).and_then(|policy| policy.number("delay-ms")) {
            self.delay(db, &target, Side::Right, letter, delay_ms);
        } else {
            self.push(db, &target, Side::Right, letter);
        }
        self.finish_push(db, &target, Side::Right, 1);
        Ok(())
    }

    /// When a queue has something to do.
    fn due_ms(&self, db: usize, key: &[u8]) -> Option<i64> {
        let record = self.queues.get(&(db, key.to_vec()));
        let pause = record.and_then(Record::end_of_pause_ms);
        let Some(policy) = self.policy(key) else { return pause };
        let list = self.list(db, key);
        let oldest_ms = list.iter().filter_map(|message| Some(message.stamp?.ready_ms)).min();
        let expiry = policy.number("message-ttl-ms").and_then(|ttl_ms| Some(oldest_ms? + ttl_ms));
        // The next one is not checked earlier, even if the system time was set back meanwhile.
        let in_flight = record.map(|record| record.in_flight.as_slice()).unwrap_or_default();
        let first = in_flight.iter().find(|delivery| delivery.own_due_ms.is_none());
        let own_due = in_flight.iter().filter_map(|delivery| delivery.own_due_ms).min();
        let timeout = policy.number("ack-timeout-ms");
        let overdue = timeout.and_then(|timeout_ms| Some(first?.delivered_ms + timeout_ms));
        let ripe = self.delayed(db, key).iter().map(|delayed| delayed.ready_ms).min();
        let last = record.and_then(|record| record.recent.last());
        let forgotten = policy
            .number("dedup-window-ms")
            .and_then(|window_ms| last.map(|(stored_ms, _)| stored_ms + window_ms));
        let rate = self.rate_due_ms(db, key);
        let dues = expiry.into_iter().chain(overdue).chain(own_due).chain(ripe).chain(forgotten);
        dues.chain(pause).chain(rate).min()
    }

    /// The queue that has something to do first, and when.
    pub(super) fn next_due(&self) -> Option<(i64, usize, Key)> {
        let mut names: BTreeSet<(usize, Key)> = self.queues.keys().cloned().collect();
        for (db, lists) in self.dbs.iter().enumerate() {
            names.extend(lists.keys().map(|key| (db, key.clone())));
        }
        let dues = names.into_iter();
        dues.filter_map(|(db, key)| Some((self.due_ms(db, &key)?, db, key))).min()
    }

    /// Whether a queue has something to do now.
    pub(super) fn has_due(&self) -> bool {
        self.next_due().is_some_and(|(due_ms, ..)| due_ms <= self.queue_ms())
    }

    /// Does everything that is due in queues, the longest overdue first.
    pub(super) fn tend_queues(&mut self) {
        let now_ms = self.queue_ms();
        while let Some((due_ms, db, key)) = self.next_due()
            && due_ms <= now_ms
        {
            self.end_pauses(db, &key);
            self.return_overdue(db, &key);
            self.release(db, &key, now_ms);
            self.forget_old(db, &key);
            self.expire_messages(db, &key);
            self.serve_at_rate(db, &key);
        }
    }

    /// Ends the pauses of a queue whose time is over.
    fn end_pauses(&mut self, db: usize, key: &[u8]) {
        let now_ms = self.queue_ms();
        let record = self.queues.get(&(db, key.to_vec())).cloned().unwrap_or_default();
        let is_over = |until_ms: Option<i64>| until_ms.is_some_and(|until_ms| until_ms <= now_ms);
        let over = (is_over(record.reads_until_ms), is_over(record.writes_until_ms));
        self.set_pauses(db, key, over, None);
    }

    /// Expires messages, those that were ready first first.
    fn expire_messages(&mut self, db: usize, key: &[u8]) {
        let Some(policy) = self.policy(key) else { return };
        let Some(ttl_ms) = policy.number("message-ttl-ms") else { return };
        let now_ms = self.queue_ms();
        let ready_ms = |message: &Message| message.stamp.map_or(now_ms, |stamp| stamp.ready_ms);
        let (mut gone, kept): (Vec<_>, Vec<_>) = self
            .list(db, key)
            .to_vec()
            .into_iter()
            .partition(|message| ready_ms(message) + ttl_ms <= now_ms);
        if gone.is_empty() {
            return;
        }
        gone.sort_by_key(ready_ms);
        self.replace(db, key, kept);
        for message in gone {
            self.part_with(db, key, &policy, message, Fate::Expired);
        }
    }
}

/// Whether a policy refuses pushes above its limits, rather than dropping the oldest.
fn rejects(policy: &Policy) -> bool {
    !policy.is("overflow", "drop-head") && !policy.is("overflow", "dead-letter")
}
