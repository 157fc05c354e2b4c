//! Returns of unacknowledged messages to their queue.
//!
//! Returned messages are at the end from which they were taken, in the order of their first deliveries. All
//! messages returned at once are merged with earlier returned ones in one step and recorded once.

use super::Queues;
use super::dead_letters::Exit;
use super::{inflight_key, side};
use crate::client_id::ClientId;
use crate::keyspace::{DbIndex, Delivery, Fate, Key, Keyspace, QueueEvent, Return};
use crate::note::Note;
use crate::policy::QueuePolicy;
use crate::queue::{End, Queue, Reason, Stamp};
use log::warn;

/// A message and its stamp.
type Message = (Box<[u8]>, Stamp);

/// Why messages in flight return, or become dead letters or expire instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// QUEUE NACK.
    Nacked,
    /// They were not acknowledged in time.
    TimedOut,
    /// Their connection was closed or reset.
    ConnectionLost,
    /// The broker was started again, with new counts.
    Restart,
}

/// Limit, per returned message, on the messages between its position and the end of the queue that are popped
/// and pushed again. If there are more, returned messages are inserted and recorded one by one.
const REWRITTEN_MAX: usize = 8;

impl Queues<'_> {
    /// Returns the messages in flight of disconnected clients, within the turn's budget.
    pub(crate) fn return_departed(&mut self) {
        while self.keyspace.has_disconnected() && self.keyspace.work.has_time() {
            let (how, parts) = self.keyspace.take_disconnected(self.keyspace.work.messages_left());
            for (db, key, numbers) in parts {
                self.return_part(db, &key, how, &numbers, Cause::ConnectionLost);
            }
        }
    }

    /// Returns messages in flight. They may be a part of a large number.
    pub(super) fn return_part(
        &mut self,
        db: DbIndex,
        key: &Key,
        how: Return,
        numbers: &[u64],
        cause: Cause,
    ) {
        let staying = self.begin_return(db, key, how, numbers, cause);
        self.put_in_position(db, key, &staying);
    }

    /// Begins the return of messages in flight, which may be a part of a large number: counts them, and removes
    /// those that were delivered too often or have expired. Returns the numbers of those to put back now.
    pub(super) fn begin_return(
        &mut self,
        db: DbIndex,
        key: &Key,
        how: Return,
        numbers: &[u64],
        cause: Cause,
    ) -> Vec<u64> {
        if how == Return::Undeliverable {
            // Examining costs less than moving, but not nothing.
            self.keyspace.work.keys(numbers.len());
            let staying = self.dispose_undeliverable(db, key, numbers);
            self.count_returned(db, key, cause, numbers.len() - staying.len());
            return Vec::new();
        }
        // First, as the totals of a queue end with its last message.
        self.count_returned(db, key, cause, numbers.len());
        match how {
            Return::Newest => numbers.to_vec(),
            _ => self.dispose_undeliverable(db, key, numbers),
        }
    }

    /// Counts messages that were in flight and are so no longer, whatever happens to them.
    fn count_returned(&mut self, db: DbIndex, key: &Key, cause: Cause, messages: usize) {
        let messages = messages as u64;
        self.keyspace.count(db, key, |totals| match cause {
            Cause::Nacked => totals.nacked += messages,
            Cause::TimedOut => totals.timed_out += messages,
            Cause::ConnectionLost => totals.connection_lost += messages,
            Cause::Restart => {}
        });
    }

    /// Returns all messages that a client has in flight. The client stays connected.
    pub(crate) fn give_back_held(&mut self, client: ClientId) {
        for (db, key, numbers) in self.keyspace.held_by_queue(&[client]) {
            self.return_messages(db, &key, &numbers, Cause::ConnectionLost);
        }
    }

    /// Returns the messages that answered this input of a client, which cannot have seen them. Their deliveries do
    /// not count.
    pub(crate) fn return_unseen(&mut self, client: ClientId, input: u64) {
        for (db, key, numbers) in self.keyspace.held_since_input(client, input) {
            self.return_uncounted(db, &key, &numbers);
        }
    }

    /// Returns messages in flight to their positions in the queue, except those that were delivered too often
    /// or have expired meanwhile. The numbers are ascending.
    pub(crate) fn return_messages(
        &mut self,
        db: DbIndex,
        key: &Key,
        numbers: &[u64],
        cause: Cause,
    ) {
        self.return_part(db, key, Return::All, numbers, cause);
    }

    /// As `return_messages`, but these deliveries do not count.
    pub(crate) fn return_uncounted(&mut self, db: DbIndex, key: &Key, numbers: &[u64]) {
        self.uncount(db, key, numbers);
        let staying = self.begin_return(db, key, Return::All, numbers, Cause::Nacked);
        self.put_back(db, key, &staying, true);
    }

    /// Takes back that these deliveries count.
    pub(crate) fn uncount(&mut self, db: DbIndex, key: &Key, numbers: &[u64]) {
        let Some(at) = self.keyspace.slot(db, key) else { return };
        for number in numbers {
            self.keyspace.uncount_delivery(at, *number);
        }
    }

    /// Removes those of these messages in flight that were delivered too often or have expired. Returns the
    /// numbers of the others.
    fn dispose_undeliverable(&mut self, db: DbIndex, key: &Key, numbers: &[u64]) -> Vec<u64> {
        let Some(policy) = self.keyspace.policy_of(db, key) else { return numbers.to_vec() };
        let now_ms = self.keyspace.queue_ms();
        let fate_of = |keyspace: &mut Keyspace, number| {
            let queue_state = keyspace.queue_state(db, key)?;
            fate(&policy, &queue_state.in_flight.get(number)?.stamp, now_ms)
        };
        let mut staying = Vec::new();
        for &number in numbers {
            let Some(fate) = fate_of(self.keyspace, number) else {
                staying.push(number);
                continue;
            };
            if matches!(fate, Fate::DeadLetter(_)) {
                warn_of_delivery_limit(self.keyspace, key, &policy);
            }
            self.give_up(Exit { db, key, policy: &policy, fate, first: End::Front }, number);
        }
        staying
    }

    /// Removes a message in flight, which does not return to its queue.
    fn give_up(&mut self, exit: Exit<'_>, number: u64) {
        if let Some(at) = self.keyspace.slot(exit.db, exit.key)
            && let Some(delivery) = self.take_out(at, exit.key, number)
        {
            self.dispose(exit, &delivery.message, &delivery.stamp);
        }
    }

    /// Makes messages in flight dead letters at once, since their consumer rejects them. Without a dead-letter
    /// queue they are dropped.
    pub(crate) fn reject(&mut self, db: DbIndex, key: &Key, numbers: &[u64]) {
        let Some(policy) = self.keyspace.policy_of(db, key) else { return };
        self.count_returned(db, key, Cause::Nacked, numbers.len());
        let fate = Fate::DeadLetter(Reason::Rejected);
        for &number in numbers {
            self.give_up(Exit { db, key, policy: &policy, fate, first: End::Front }, number);
        }
    }
}

fn warn_of_delivery_limit(keyspace: &mut Keyspace, key: &[u8], policy: &QueuePolicy) {
    if let Some(left_out) = keyspace.admit_line(QueueEvent::DeliveredTooOften) {
        let (key, name) = (key.escape_ascii(), policy.name.escape_ascii());
        let limit = policy.delivery_limit.unwrap_or_default();
        warn!(
            "a message of '{key}' was not acknowledged in {limit} deliveries: policy '{name}' \
             removes it from the queue{left_out}"
        );
    }
}

/// The fate of a message in flight that must not return to its queue; `None` if it may.
fn fate(policy: &QueuePolicy, stamp: &Stamp, now_ms: i64) -> Option<Fate> {
    let is_undeliverable = policy.delivery_limit.is_some_and(|limit| stamp.deliveries >= limit);
    let is_too_old =
        policy.message_ttl_ms.is_some_and(|ttl| stamp.ready_ms.saturating_add(ttl) <= now_ms);
    match (is_undeliverable, is_too_old) {
        (true, _) => Some(Fate::DeadLetter(Reason::DeliveryLimit)),
        (false, true) => Some(Fate::Expired),
        (false, false) => None,
    }
}

impl Queues<'_> {
    /// Returns messages in flight to their positions in the queue unconditionally. The numbers are ascending.
    pub(super) fn put_in_position(&mut self, db: DbIndex, key: &Key, numbers: &[u64]) {
        self.put_back(db, key, numbers, false);
    }

    /// As `put_in_position`. `has_new_stamps`: a loader cannot know the stamps of these messages, so they are
    /// recorded.
    fn put_back(&mut self, db: DbIndex, key: &Key, numbers: &[u64], has_new_stamps: bool) {
        if numbers.is_empty() {
            return;
        }
        self.keyspace.work.moved(numbers.len());
        let expires_ms = self.keyspace.expiry_of_emptied(db, key);
        let are_moves = !has_new_stamps
            && is_tail(self.keyspace, db, key, numbers)
            && go_to_the_end(self.keyspace, db, key, numbers);
        let mut returned = Vec::with_capacity(numbers.len());
        for &number in numbers.iter().rev() {
            returned.extend(match are_moves {
                true => self.keyspace.remove_delivery(db, key, number),
                false => {
                    let at = self.keyspace.slot(db, key);
                    at.and_then(|at| self.take_out(at, key, number))
                }
            });
        }
        if are_moves {
            self.move_to_end(db, key, &returned);
        } else {
            let messages = returned.into_iter().map(|delivery| (delivery.message, delivery.stamp));
            self.insert_in_position(db, key, messages.collect());
        }
        if let Some(expires_ms) = expires_ms {
            self.set_expiry(db, key, expires_ms);
        }
    }

    /// Inserts messages that were delivered before at their positions.
    pub(super) fn insert_in_position(
        &mut self,
        db: DbIndex,
        key: &[u8],
        mut messages: Vec<Message>,
    ) {
        messages.sort_by_key(|(_, stamp)| stamp.order);
        let is_front = |(_, stamp): &Message| stamp.taken_from == End::Front;
        let (front, back): (Vec<_>, Vec<_>) = messages.into_iter().partition(is_front);
        self.insert_all(db, key, End::Front, front);
        self.insert_all(db, key, End::Back, back);
    }

    /// Sets the expiry of a list that was empty for a while, as it was before.
    pub(super) fn set_expiry(&mut self, db: DbIndex, key: &[u8], expires_ms: i64) {
        self.keyspace.set_expiry(db, key, Some(expires_ms));
        let mut digits = itoa::Buffer::new();
        let at = digits.format(expires_ms).as_bytes();
        self.keyspace.effects.record(db, [&b"PEXPIREAT"[..], key, at]);
    }
}

/// Whether these are the last of a queue's deliveries.
fn is_tail(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], numbers: &[u64]) -> bool {
    let Some(queue_state) = keyspace.queue_state(db, key) else { return false };
    let last = queue_state.in_flight.iter().rev().take(numbers.len());
    last.map(|(number, _)| number).eq(numbers.iter().rev().copied())
}

/// Whether the deliveries reach their positions if they are moved to the end of the queue one by one,
/// beginning with the last.
fn go_to_the_end(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], numbers: &[u64]) -> bool {
    for end in [End::Front, End::Back] {
        let Some(queue_state) = keyspace.queue_state(db, key) else { return false };
        let stamps = numbers.iter().filter_map(|number| queue_state.in_flight.get(*number));
        let stamps = stamps.map(|delivery| &delivery.stamp).filter(|s| s.taken_from == end);
        let orders: Vec<u64> = stamps.map(|stamp| stamp.order).collect();
        let Some(&last) = orders.last() else { continue };
        let Ok(list) = keyspace.list(db, key) else { return false };
        let is_outermost = list.is_none_or(|list| outer_len(list, end, last) == 0);
        if !is_outermost || !orders.is_sorted() {
            return false;
        }
    }
    true
}

/// The number of messages between the position of a returned message and the end of its queue.
fn outer_len(queue: &Queue, end: End, order: u64) -> usize {
    match end {
        End::Front => queue.place_of(end, order),
        End::Back => queue.len() - queue.place_of(end, order),
    }
}

impl Queues<'_> {
    /// Moves messages to the ends of the queue one by one.
    fn move_to_end(&mut self, db: DbIndex, key: &[u8], returned: &[Delivery]) {
        // A key with messages in flight holds a list or nothing.
        let _ = self.keyspace.change_or_create_list(db, key, |queue| {
            for Delivery { message, stamp, .. } in returned {
                queue.push_stamped(stamp.taken_from, message, stamp.clone());
            }
        });
        if self.keyspace.effects.is_on() {
            let list = inflight_key(key);
            for Delivery { stamp, .. } in returned {
                self.keyspace
                    .effects
                    .record(db, [b"LMOVE", &list[..], key, b"RIGHT", side(stamp.taken_from)]);
            }
        }
    }

    /// Inserts messages at their positions at one end. They are in the order of their first deliveries.
    fn insert_all(&mut self, db: DbIndex, key: &[u8], end: End, messages: Vec<Message>) {
        let Some((_, last)) = messages.last() else { return };
        let Ok(list) = self.keyspace.list(db, key) else { return };
        let outer = list.map_or(0, |list| outer_len(list, end, last.order));
        if outer > REWRITTEN_MAX * messages.len() {
            for (message, stamp) in messages {
                self.insert_one(db, key, end, &message, stamp);
            }
            return;
        }
        let merged = self.keyspace.change_or_create_list(db, key, |queue| {
            let pop = || queue.pop_stamped(end, |message| Box::from(message));
            let outermost: Vec<Message> = std::iter::from_fn(pop).take(outer).collect();
            let merged = merge(outermost, messages);
            for (message, stamp) in merged.iter().rev() {
                queue.push_stamped(end, message, stamp.clone());
            }
            merged
        });
        let Ok(merged) = merged else { return };
        self.keyspace.work.moved(outer);
        if outer > 0 {
            self.keyspace.effects.record_pop(db, end, key, outer);
        }
        self.record_known(db, key, merged.len());
        self.keyspace.effects.record_push(
            db,
            end,
            key,
            merged.iter().rev().map(|(message, _)| &message[..]),
        );
        let runs = merged.iter().rev().map(|(_, stamp)| (stamp.clone(), 1)).collect();
        self.keyspace.effects.note(db, &Note::Stamped { key: key.to_vec(), end, runs });
    }
}

/// Merges the messages at the end of a queue, the outermost first, with returning ones.
fn merge(outermost: Vec<Message>, returning: Vec<Message>) -> Vec<Message> {
    let mut merged = Vec::with_capacity(outermost.len() + returning.len());
    let mut returning = returning.into_iter().peekable();
    for other in outermost {
        while let Some(message) = returning.next_if(|(_, stamp)| stamp.order <= other.1.order) {
            merged.push(message);
        }
        merged.push(other);
    }
    merged.extend(returning);
    merged
}

impl Queues<'_> {
    /// Inserts a message at its position among many others. Commands can name the next message only by its
    /// bytes, so a mark replaces it meanwhile.
    fn insert_one(&mut self, db: DbIndex, key: &[u8], end: End, message: &[u8], stamp: Stamp) {
        let inserted = self.keyspace.change_or_create_list(db, key, |queue| {
            let index = queue.place_of(end, stamp.order);
            let next = queue.get(index).map(Box::<[u8]>::from);
            queue.insert_stamped(index, message, stamp.clone());
            (index, next)
        });
        let Ok((index, next)) = inserted else { return };
        if !self.keyspace.effects.is_on() {
            return;
        }
        match next {
            Some(next) if index > 0 => {
                let mark = self.keyspace.mark();
                let (mut at, mut behind) = (itoa::Buffer::new(), itoa::Buffer::new());
                let (at, behind) =
                    (at.format(index).as_bytes(), behind.format(index + 1).as_bytes());
                self.keyspace.effects.record(db, [b"LSET", key, at, &mark]);
                self.keyspace.effects.record(db, [b"LINSERT", key, b"BEFORE", &mark, message]);
                self.keyspace.effects.record(db, [b"LSET", key, behind, &next]);
            }
            next => {
                self.record_known(db, key, 1);
                let end = if next.is_some() { End::Front } else { End::Back };
                self.keyspace.effects.record_push(db, end, key, [message]);
            }
        }
        self.keyspace.effects.note(db, &Note::StampedAt { key: key.to_vec(), index, stamp });
    }
}
