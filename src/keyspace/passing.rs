//! The fast path of queues under a policy: pushes, deliveries and acknowledgements by slot, in as
//! few steps as for a plain queue. `change_list_in` and related functions can do the same in more
//! steps, as for other changes. `simple_push.rs` and `simple_pop.rs` have the usual push and pop, which take
//! still fewer.

use super::delivery::{Claim, Delivery};
use super::entry::Full;
use super::holdings::Holder;
use super::queues::waited_ms;
use super::{Attachments, Keyspace, Position, QueueState, Slot, WrongType};
use crate::client_id::ClientId;
use crate::queue::{End, Queue};
use crate::value::Kind;

impl QueueState {
    /// Whether something that is due in `wait_ms` from now may be the next thing due for the queue.
    /// The scheduled time is never later than anything due before.
    #[inline]
    pub(super) fn may_be_due_first(&self, queue_ms: i64, wait_ms: Option<i64>) -> bool {
        wait_ms.is_some_and(|wait_ms| {
            self.due_ms.is_none_or(|recorded_ready_ms| {
                recorded_ready_ms > queue_ms.saturating_add(wait_ms)
            })
        })
    }

    /// Returns after how many milliseconds a message returns that is delivered now; `None` if time does not
    /// return it.
    #[inline]
    pub(super) fn timeout_ms(&self, claim: Claim) -> Option<i64> {
        match claim.lease_ms {
            0 => self.policy.as_ref().and_then(|policy| policy.ack_timeout_ms),
            lease_ms => Some(lease_ms),
        }
    }
}

impl Attachments {
    /// True if no client waits for the key or watches it.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        self.waiters.is_empty() && self.producers.is_empty() && self.watchers.is_empty()
    }
}

/// The consequences of a change.
struct Change {
    /// Bytes of memory before and after.
    bytes: Option<(usize, usize)>,
    is_empty: bool,
    /// Whether no client must be notified.
    is_quiet: bool,
    is_due_first: bool,
}

impl Keyspace {
    /// Adds messages at one end of a queue under a policy, and counts them. Returns the number and
    /// bytes of ready messages afterwards.
    ///
    /// # Errors
    /// The key has a value of another type.
    #[inline]
    pub(crate) fn push_in<'a>(
        &mut self,
        at: Slot,
        end: End,
        messages: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Result<(usize, usize), WrongType> {
        let count = messages.len() as u64;
        let entry = &mut self.dbs[at.db].entries[at.index];
        let is_usual = self.snapshot.is_none() && entry.has_value();
        if let Some(full) = entry.full_mut().filter(|_| is_usual)
            && let Full { value, attachments: Some(attachments), .. } = full
            && let (Some(queue), Some(queue_state)) =
                (Queue::of_mut(value), &mut attachments.queue_state)
        {
            queue.prepare(self.queue_ms);
            let mark = queue.memory_mark();
            messages.for_each(|message| queue.push(end, message));
            let (mark_now, ready) = (queue.memory_mark(), (queue.len(), queue.message_bytes()));
            self.changes += 1;
            queue_state.totals.pushed += count;
            self.registry.sums.pushed += count;
            let ttl_ms = queue_state.policy.as_ref().and_then(|policy| policy.message_ttl_ms);
            let change = Change {
                bytes: (mark != mark_now)
                    .then(|| (queue.allocated_at(mark), queue.allocated_bytes())),
                is_empty: false,
                is_due_first: queue_state.may_be_due_first(self.queue_ms, ttl_ms),
                is_quiet: attachments.is_quiet(),
            };
            full.mark_used(self.now_s, self.marks_use);
            self.follow(at, change);
            return Ok(ready);
        }
        let ready = self.change_list_in(at, |queue| {
            messages.for_each(|message| queue.push(end, message));
            (queue.len(), queue.message_bytes())
        })?;
        self.count_in(at, |totals| totals.pushed += count);
        Ok(ready)
    }

    /// Delivers up to `count` messages from one end of a queue under a policy. Passes each to `read`,
    /// with its number, and counts them. Returns how many there were. It may be the last use of the
    /// slot.
    pub(crate) fn deliver_in(
        &mut self,
        at: Slot,
        end: End,
        count: usize,
        claim: Claim,
        mut read: impl FnMut(u64, &Delivery),
    ) -> usize {
        self.before_change(at.db, at.index);
        let Some(full) = self.dbs[at.db].entries[at.index].full_mut() else { return 0 };
        full.mark_used(self.now_s, self.marks_use);
        let Full { key, value, attachments: Some(attachments), .. } = full else { return 0 };
        let (Some(queue), Some(queue_state)) = (Queue::of_mut(value), &mut attachments.queue_state)
        else {
            return 0;
        };
        queue.prepare(self.queue_ms);
        let mark = queue.memory_mark();
        let (mut delivered, mut redelivered) = (0, 0);
        while delivered < count as u64
            && let Some((message, mut stamp)) = queue.pop_stamped(end, |message| Box::from(message))
        {
            self.registry.last_delivery += 1;
            let number = self.registry.last_delivery;
            stamp.deliver(number, end);
            delivered += 1;
            if stamp.deliveries > 1 {
                redelivered += 1;
            } else {
                self.registry.waits.add(waited_ms(&stamp, self.queue_ms));
            }
            let delivery = Delivery::new(message, stamp, claim, self.queue_ms);
            read(number, &delivery);
            self.registry.holdings.add(delivery.holder(at.db), key, number, claim.input);
            self.bytes += queue_state.in_flight.add(number, delivery, &self.hasher);
        }
        if delivered == 0 {
            return 0;
        }
        self.work.looked_at(delivered as usize);
        self.changes += delivered;
        for totals in [&mut queue_state.totals, &mut self.registry.sums] {
            totals.delivered += delivered;
            totals.redelivered += redelivered;
        }
        let timeout_ms = queue_state.timeout_ms(claim);
        let change = Change {
            bytes: (mark != queue.memory_mark())
                .then(|| (queue.allocated_at(mark), queue.allocated_bytes())),
            is_empty: queue.is_empty(),
            is_due_first: queue_state.may_be_due_first(self.queue_ms, timeout_ms),
            is_quiet: attachments.is_quiet(),
        };
        self.follow(at, change);
        delivered as usize
    }

    /// Acknowledges the messages in flight that a client got from a queue in reply to an input
    /// before this one, the oldest first. If `are_wanted`, returns them, each with what
    /// distinguished it from the others. It may be the last use of the slot.
    pub(crate) fn acknowledge_seen_in(
        &mut self,
        at: Slot,
        key: &[u8],
        (client, input): (ClientId, u64),
        are_wanted: bool,
    ) -> Vec<(Position, Delivery)> {
        self.before_change(at.db, at.index);
        let mut seen = Vec::new();
        let Some(full) = self.dbs[at.db].entries[at.index].full_mut() else { return seen };
        let Some(queue_state) = full.attachments.as_mut().and_then(|i| i.queue_state.as_mut())
        else {
            return seen;
        };
        let bytes_before = queue_state.in_flight.allocated_bytes();
        let in_flight = &mut queue_state.in_flight;
        let mut count = 0;
        let holder = Holder::by_list_commands(client, at.db);
        self.registry.holdings.take_before(holder, key, input, |block| {
            count += block.count() as u64;
            if !are_wanted {
                return in_flight.remove_block(block, &self.hasher);
            }
            for number in block.numbers() {
                let place = in_flight.place(number);
                let delivery = in_flight.remove(number, &self.hasher);
                seen.extend(delivery.map(|delivery| (place, delivery)));
            }
        });
        if count > 0 {
            self.changes += count;
            queue_state.totals.acknowledged += count;
            self.registry.sums.acknowledged += count;
            self.bytes = self.bytes + queue_state.in_flight.allocated_bytes() - bytes_before;
            let is_empty = queue_state.in_flight.is_empty();
            self.delivery_ended(at.db, at.index, client);
            if is_empty {
                self.drop_if_unneeded(at.db, at.index);
            }
        }
        seen
    }

    /// Removes and returns a message in flight of a queue. It may be the last use of the slot.
    pub(crate) fn remove_delivery_in(&mut self, at: Slot, number: u64) -> Option<Delivery> {
        self.before_change(at.db, at.index);
        let Full { key, attachments, .. } = self.dbs[at.db].entries[at.index].full_mut()?;
        let queue_state = attachments.as_mut()?.queue_state.as_mut()?;
        let bytes_before = queue_state.in_flight.allocated_bytes();
        let delivery = queue_state.in_flight.remove(number, &self.hasher)?;
        self.bytes = self.bytes + queue_state.in_flight.allocated_bytes() - bytes_before;
        self.registry.holdings.remove(delivery.holder(at.db), key, number);
        self.changes += 1;
        // The remaining messages are due no earlier than before, and messages in flight take no
        // capacity.
        let is_empty = queue_state.in_flight.is_empty();
        self.delivery_ended(at.db, at.index, delivery.owner);
        if is_empty {
            self.drop_if_unneeded(at.db, at.index);
        }
        Some(delivery)
    }

    #[inline]
    fn follow(&mut self, at: Slot, change: Change) {
        if let Some((before, now)) = change.bytes {
            self.update_memory(at.db, at.index, before, now);
        }
        if change.is_empty {
            // With all consequences, including notifications.
            self.finish_change(at.db, at.index, true, true);
        } else if !change.is_quiet {
            self.signal(at.db, at.index);
        } else if change.is_due_first {
            self.schedule(at.db, at.index);
        }
    }
}
