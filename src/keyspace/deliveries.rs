//! Messages in flight of all queues, by queue and by client.

use super::delivery::{Claim, Delivery};
use super::holdings::Holder;
use super::in_flight::InFlight;
use super::{DbIndex, Key, Keyspace, NEVER, Position, QueueState, Slot};
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::queue::Stamp;

/// More deliveries than a broker makes in a millisecond.
const NUMBERS_PER_MS: u64 = 1 << 20;

/// How a part of the messages in flight is returned. The numbers are in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    /// All of them at once, except those that must not be returned.
    All,
    /// There are too many for one part. First, those that must not be returned are removed, the
    /// oldest first.
    Undeliverable,
    /// Then the others are returned, the newest first, since each part goes to the end of its
    /// queue.
    Newest,
}

/// Groups sorted deliveries by queue; each group has their numbers.
fn by_queue(all: &[(DbIndex, Key, u64)]) -> Vec<(DbIndex, Key, Vec<u64>)> {
    let is_same = |a: &(DbIndex, Key, u64), b: &(DbIndex, Key, u64)| (a.0, &a.1) == (b.0, &b.1);
    let by_queue = all.chunk_by(is_same).filter_map(|chunk| {
        let (db, key, _) = chunk.first()?;
        Some((*db, key.clone(), chunk.iter().map(|(.., number)| *number).collect()))
    });
    by_queue.collect()
}

impl QueueState {
    /// Returns the expiry of a list that became empty while its messages are in flight; `None` if
    /// it did not, or has no expiry.
    pub(crate) fn expiry_of_emptied(&self) -> Option<i64> {
        Some(self.expires_ms).filter(|expires_ms| *expires_ms != NEVER)
    }
}

impl Keyspace {
    /// Returns the number of messages in flight of all queues.
    #[inline]
    pub(crate) fn in_flight_len(&self) -> usize {
        self.registry.holdings.len()
    }

    /// Returns the number of the next delivery.
    pub(crate) fn next_delivery(&mut self) -> u64 {
        self.registry.last_delivery += 1;
        self.registry.last_delivery
    }

    /// Makes the numbers of later deliveries larger than this.
    pub(crate) fn raise_delivery(&mut self, number: u64) {
        self.registry.last_delivery = self.registry.last_delivery.max(number);
    }

    /// Makes the numbers of later deliveries larger than those that an earlier process can have given out,
    /// even if its append files have lost their end: it made fewer than `NUMBERS_PER_MS` per
    /// millisecond. Until `take_raised`, append files do not say so.
    pub(crate) fn raise_delivery_to_time(&mut self, now: Now) {
        let unix_ms = now.unix_us / 1000;
        self.raise_delivery(unix_ms.saturating_mul(NUMBERS_PER_MS).min(i64::MAX.unsigned_abs()));
        self.registry.is_raise_recorded = false;
    }

    /// Returns the number of the last delivery, once after `raise_delivery_to_time`.
    pub(crate) fn take_raised(&mut self) -> Option<u64> {
        let was_recorded = std::mem::replace(&mut self.registry.is_raise_recorded, true);
        (!was_recorded).then_some(self.registry.last_delivery)
    }

    /// Adds a message in flight that nobody holds, under this number, which `next_delivery` returned.
    pub(crate) fn add_delivery(
        &mut self,
        db: DbIndex,
        key: &[u8],
        number: u64,
        message: Box<[u8]>,
        stamp: Stamp,
    ) {
        let Some(index) = self.find(db, key) else { return };
        let key = self.dbs[db].entries[index].shared_key();
        let claim = Claim::of_nobody();
        let delivery = Delivery::new(message, stamp, claim, 0);
        self.registry.holdings.add(delivery.holder(db), &key, number, claim.input);
        let hasher = self.hasher.clone();
        self.change_queue_state(db, &key, |queue_state| {
            queue_state.in_flight.add(number, delivery, &hasher);
        });
    }

    /// Removes and returns a message in flight.
    pub(crate) fn remove_delivery(
        &mut self,
        db: DbIndex,
        key: &[u8],
        number: u64,
    ) -> Option<Delivery> {
        let at = self.slot(db, key)?;
        self.remove_delivery_in(at, number)
    }

    /// Returns what distinguishes a message in flight from the others of its queue.
    pub(crate) fn position_of_delivery(&mut self, at: Slot, number: u64) -> Option<Position> {
        self.change_in_flight(at, |in_flight, _| in_flight.place(number))
    }

    /// Replaces the bytes of the message in flight with this rank: its number of earlier
    /// deliveries.
    pub(crate) fn set_in_flight(&mut self, db: DbIndex, key: &[u8], rank: usize, message: &[u8]) {
        let hasher = self.hasher.clone();
        let Some(at) = self.slot(db, key) else { return };
        self.change_in_flight(at, |in_flight, _| {
            let number = in_flight.number_of_rank(rank);
            number.into_iter().for_each(|number| in_flight.set_message(number, message, &hasher));
        });
    }

    /// Changes data about a queue's messages in flight, but not which messages are in flight. Passes the
    /// timeout of the policy as well.
    fn change_in_flight<R>(
        &mut self,
        at: Slot,
        change: impl FnOnce(&mut InFlight, Option<i64>) -> R,
    ) -> Option<R> {
        let queue_state = self.queue_state_in_mut(at)?;
        let bytes_before = queue_state.allocated_bytes();
        let timeout_ms = queue_state.policy.as_ref().and_then(|policy| policy.ack_timeout_ms);
        let result = change(&mut queue_state.in_flight, timeout_ms);
        let bytes = queue_state.allocated_bytes();
        self.bytes = self.bytes + bytes - bytes_before;
        Some(result)
    }

    /// Marks a client as disconnected: its messages in flight are to be returned.
    pub(crate) fn disconnect_holder(&mut self, client: ClientId) {
        self.registry.disconnected.push_back(client);
    }

    /// The messages of all clients will be returned.
    pub(crate) fn disconnect_all_holders(&mut self) {
        let clients = self.registry.holdings.clients();
        self.registry.disconnected.extend(clients);
    }

    /// Whether messages of disconnected clients are still to be returned.
    pub(crate) fn has_disconnected(&self) -> bool {
        !self.registry.disconnected.is_empty()
    }

    /// Returns the next messages in flight of disconnected clients, in the order of disconnection:
    /// those of as many clients as have at most `count_max` together. If the first client alone has
    /// more, its messages come in parts.
    pub(crate) fn take_disconnected(
        &mut self,
        count_max: usize,
    ) -> (Return, Vec<(DbIndex, Key, Vec<u64>)>) {
        let mut clients = Vec::new();
        let mut left = count_max;
        while let Some(&client) = self.registry.disconnected.front() {
            let held = self.registry.holdings.of(client).take(left.saturating_add(1)).count();
            let Some(rest) = left.checked_sub(held) else { break };
            left = rest;
            clients.push(client);
            self.registry.disconnected.pop_front();
            self.registry.disconnected_seen = None;
        }
        if !clients.is_empty() {
            return (Return::All, self.held_by_queue(&clients));
        }
        let unseen = self.look_through_disconnected(count_max);
        match unseen.is_empty() {
            true => {
                (Return::Newest, self.take_newest_disconnected(count_max).into_iter().collect())
            }
            false => (Return::Undeliverable, unseen),
        }
    }

    /// Returns messages that the first disconnected client has in flight and that were not yet
    /// examined, by queue, the oldest first.
    fn look_through_disconnected(&mut self, count_max: usize) -> Vec<(DbIndex, Key, Vec<u64>)> {
        let Some(&client) = self.registry.disconnected.front() else { return Vec::new() };
        let seen = self.registry.disconnected_seen.take();
        let seen = seen.unwrap_or_else(|| (Holder::first_of(client), Key::default(), 0));
        let own = self.registry.holdings.of_behind(client, &seen).take(count_max);
        let own: Vec<_> = own.map(|(holder, key, number)| (holder, key.clone(), number)).collect();
        self.registry.disconnected_seen = Some(own.last().cloned().unwrap_or(seen));
        let own = own.into_iter().map(|(holder, key, number)| (holder.db, key, number));
        by_queue(&own.collect::<Vec<_>>())
    }

    /// Returns the deliveries that these clients have in flight, by queue, in ascending order.
    pub(crate) fn held_by_queue(&self, clients: &[ClientId]) -> Vec<(DbIndex, Key, Vec<u64>)> {
        let held = clients.iter().flat_map(|client| self.registry.holdings.of(*client));
        let held = held.map(|(holder, key, number)| (holder.db, key.clone(), number));
        let mut all: Vec<_> = held.collect();
        all.sort_unstable();
        by_queue(&all)
    }

    /// Returns the deliveries in flight that answered this input of a client, by queue, in ascending order.
    pub(crate) fn held_since_input(
        &self,
        client: ClientId,
        input: u64,
    ) -> Vec<(DbIndex, Key, Vec<u64>)> {
        let held = self.registry.holdings.of_input(client, input);
        let held = held.map(|(holder, key, number)| (holder.db, key.clone(), number));
        let mut all: Vec<_> = held.collect();
        all.sort_unstable();
        by_queue(&all)
    }

    fn take_newest_disconnected(&mut self, count_max: usize) -> Option<(DbIndex, Key, Vec<u64>)> {
        while let Some(&client) = self.registry.disconnected.front() {
            if let Some((holder, key, _)) = self.registry.holdings.of(client).next_back() {
                let others = self.registry.holdings.of(client).rev();
                let same = others.take_while(|other| (other.0, other.1) == (holder, key));
                let mut numbers: Vec<u64> = same.take(count_max).map(|(.., n)| n).collect();
                numbers.reverse();
                return Some((holder.db, key.clone(), numbers));
            }
            self.registry.disconnected.pop_front();
            self.registry.disconnected_seen = None;
        }
        None
    }

    /// Returns the next overdue deliveries of a queue: those made at `since_ms` or before. More
    /// than `count_max` come in parts.
    pub(crate) fn overdue(
        &mut self,
        db: DbIndex,
        key: &[u8],
        since_ms: i64,
        count_max: usize,
    ) -> (Return, Vec<u64>) {
        let nothing = (Return::All, Vec::new());
        let Some(index) = self.find(db, key) else { return nothing };
        let Some(attachments) = self.dbs[db].entries[index].attachments_mut() else {
            return nothing;
        };
        let Some(queue_state) = &mut attachments.queue_state else { return nothing };
        let in_flight = &queue_state.in_flight;
        if queue_state.overdue_to.is_none() {
            let is_overdue = |(_, delivery): &(u64, &Delivery)| delivery.delivered_ms <= since_ms;
            let overdue = in_flight.timed().take_while(is_overdue);
            let (count, last) = overdue.fold((0, None), |(count, _), (n, _)| (count + 1, Some(n)));
            self.work.looked_at(count);
            (queue_state.overdue_to, queue_state.overdue_seen) = (last, 0);
        }
        let Some(last) = queue_state.overdue_to else { return nothing };
        let is_timed = |number: &u64| in_flight.get(*number).is_some_and(Delivery::is_timed);
        let newest = in_flight.newest_to(last).filter(is_timed);
        let mut numbers: Vec<u64> = newest.take(count_max).collect();
        numbers.reverse();
        if numbers.len() < count_max {
            queue_state.overdue_to = None;
            return (Return::All, numbers);
        }
        let unseen = in_flight.numbers_between(queue_state.overdue_seen, last).filter(is_timed);
        let unseen: Vec<u64> = unseen.take(count_max).collect();
        match unseen.last() {
            Some(newest) => queue_state.overdue_seen = *newest,
            None => {
                // What has a time of its own behind these need not be passed again.
                queue_state.overdue_to = numbers.first().map(|first| first - 1);
                return (Return::Newest, numbers);
            }
        }
        (Return::Undeliverable, unseen)
    }

    /// Returns the next deliveries of a queue whose own time is over, at most `count_max`, in ascending
    /// order.
    pub(crate) fn own_due(&mut self, db: DbIndex, key: &[u8], count_max: usize) -> Vec<u64> {
        let now_ms = self.queue_ms;
        let Some(queue_state) = self.queue_state(db, key) else { return Vec::new() };
        let due = queue_state.in_flight.own_due_until(now_ms);
        let mut numbers: Vec<u64> = due.take(count_max).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Takes back that a delivery counts as one.
    pub(crate) fn uncount_delivery(&mut self, at: Slot, number: u64) {
        self.change_in_flight(at, |in_flight, _| in_flight.uncount(number));
    }

    /// Begins the time of a delivery anew: `lease_ms`, or else its lease, or the timeout of the policy.
    /// Without any, only the end of its connection returns it.
    pub(crate) fn touch(&mut self, at: Slot, number: u64, lease_ms: Option<i64>) {
        let now_ms = self.queue_ms;
        self.change_in_flight(at, |in_flight, timeout_ms| {
            let own_ms = in_flight.get(number).map(|delivery| delivery.lease_ms);
            let own_ms = own_ms.filter(|own_ms| *own_ms > 0);
            if let Some(ms) = lease_ms.or(own_ms).or(timeout_ms) {
                in_flight.set_own_due(number, now_ms.saturating_add(ms), lease_ms);
            }
        });
        self.schedule(at.db, at.index);
    }

    /// Returns up to `count` of the oldest deliveries that a client has in flight from one queue, except
    /// those that only a receipt acknowledges.
    pub(crate) fn held_of(
        &self,
        client: ClientId,
        db: DbIndex,
        key: &Key,
        count: usize,
    ) -> Vec<u64> {
        let holder = Holder::by_list_commands(client, db);
        self.registry.holdings.of_queue(holder, key).take(count).collect()
    }

    /// Returns how often databases were swapped, with their queues' messages in flight.
    #[inline]
    pub(crate) fn in_flight_swaps(&self) -> u64 {
        self.registry.holdings.swaps()
    }

    /// Returns for each message the number of its oldest delivery in one queue, whichever client
    /// has it; equal messages get one each. The numbers are in ascending order.
    pub(crate) fn find_deliveries<'a>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        messages: impl Iterator<Item = &'a [u8]>,
    ) -> Vec<u64> {
        let hasher = self.hasher.clone();
        let Some(at) = self.slot(db, key) else { return Vec::new() };
        let found = self.change_in_flight(at, |in_flight, _| in_flight.find(messages, &hasher));
        found.unwrap_or_default()
    }

    /// As `QueueState::expiry_of_emptied`.
    pub(crate) fn expiry_of_emptied(&mut self, db: DbIndex, key: &[u8]) -> Option<i64> {
        self.queue_state(db, key)?.expiry_of_emptied()
    }

    /// Sets the result of `expiry_of_emptied`.
    pub(crate) fn set_expiry_of_emptied(
        &mut self,
        db: DbIndex,
        key: &[u8],
        expires_ms: Option<i64>,
    ) {
        self.change_queue_state(db, key, |queue_state| {
            queue_state.expires_ms = expires_ms.unwrap_or(NEVER)
        });
    }

    /// Whether a client has any message in flight.
    #[inline]
    pub(crate) fn holds_any(&self, client: ClientId) -> bool {
        self.registry.holdings.has_any(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(slot: usize) -> ClientId {
        ClientId::new(1 + slot as u64, slot)
    }

    /// Returns each part's messages before it takes the next.
    fn take_parts(keyspace: &mut Keyspace, count_max: usize) -> Vec<(Return, Vec<u64>)> {
        let mut parts = Vec::new();
        while keyspace.has_disconnected() {
            let (how, part) = keyspace.take_disconnected(count_max);
            let numbers: Vec<u64> =
                part.iter().flat_map(|(.., numbers)| numbers).copied().collect();
            if how != Return::Undeliverable {
                for (slot, number) in numbers.iter().flat_map(|n| (0..100).map(move |s| (s, n))) {
                    keyspace.registry.holdings.remove(
                        Holder::first_of(client(slot)),
                        b"q",
                        *number,
                    );
                }
            }
            parts.push((how, numbers));
        }
        assert!(keyspace.registry.holdings.len() == 0, "a delivery without a client");
        assert_eq!(keyspace.registry.disconnected_seen, None);
        parts
    }

    fn keyspace(held: &[u64]) -> Keyspace {
        let mut keyspace = Keyspace::new(1, 9);
        let mut number = 0;
        for (slot, count) in held.iter().enumerate() {
            let client = client(slot);
            for _ in 0..*count {
                number += 1;
                keyspace.registry.holdings.add(
                    Holder::first_of(client),
                    &Key::from(&b"q"[..]),
                    number,
                    0,
                );
            }
            keyspace.disconnect_holder(client);
        }
        keyspace
    }

    /// Parts are full, so that each client is counted about once.
    #[test]
    fn many_clients_disconnect_in_few_parts() {
        let parts = take_parts(&mut keyspace(&[1; 100]), 10);
        assert_eq!(parts.len(), 10);
        assert_eq!(parts[3], (Return::All, (31..=40).collect()));
        assert_eq!(take_parts(&mut keyspace(&[1; 100]), usize::MAX).len(), 1);
    }

    #[test]
    fn a_client_with_more_than_a_part_is_examined_then_returned_newest_first() {
        let parts = take_parts(&mut keyspace(&[2, 7, 0, 1]), 3);
        let expected = [
            (Return::All, vec![1, 2]),
            (Return::Undeliverable, vec![3, 4, 5]),
            (Return::Undeliverable, vec![6, 7, 8]),
            (Return::Undeliverable, vec![9]),
            (Return::Newest, vec![7, 8, 9]),
            (Return::Newest, vec![4, 5, 6]),
            (Return::All, vec![3, 10]),
        ];
        assert_eq!(parts, expected);
    }
}
