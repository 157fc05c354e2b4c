//! The clients that wait for a message of a key, in the order of their waiting.

use super::Value;
use crate::client_id::ClientId;
use crate::value::Type;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// A line of clients that wait for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Clients that wait for the delivery of a message.
    Waiters,
    /// Clients that wait for the lease of a message, in line with `Waiters`. It belongs to no client, so the
    /// limit of each client does not apply.
    Leases,
    /// Clients that wait for a message to move, which is no delivery. They are served in one order
    /// with those that wait for a delivery.
    Movers,
    /// Producers that wait for capacity.
    Producers,
    /// Clients that wait for a value that is not a list.
    Values(Awaited),
}

/// A value that is not a list, as clients wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// A sorted set with members.
    SortedSet,
    /// New entries of a stream. Whether there are, only the client's call can say.
    Stream,
    /// New entries of a stream, for the group whose name has this hash. The call also ends when the stream or
    /// its group is gone.
    Group(u64),
}

impl Awaited {
    /// Whether a client that waits for this should look at a key that has this value now.
    fn may_be_in(self, value: &Value) -> bool {
        match self {
            Awaited::SortedSet => value.type_of() == Type::SortedSet,
            Awaited::Stream => value.type_of() == Type::Stream,
            Awaited::Group(_) => true,
        }
    }
}

/// What decides whether a waiting client may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// Of `Line::Waiters` and `Line::Leases`; by ticket.
    Consumers,
    /// Of `Line::Movers`; by ticket.
    Movers,
    /// Of `Line::Values`, but for groups; by ticket.
    Values,
    /// Of `Line::Values`, for one group, by the hash of its name; by ticket. When one of them finds nothing,
    /// the others will not either.
    Group(u64),
    /// Consumers with as many messages in flight as a client may have; by the number of the client. They
    /// are not in line, so that nothing walks past them.
    AtLimit,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    client: ClientId,
    /// Whom the message will belong to.
    owner: ClientId,
    /// The lowest has waited longest.
    ticket: u64,
    /// In `Lane::Values`, what it waits for.
    awaited: Option<Awaited>,
}

/// The place of a client that waits for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValuePlace(Lane, u64);

impl ValuePlace {
    /// Returns the place to continue from after the client there was looked at, and `was_served` or not.
    pub(crate) fn after(self, was_served: bool) -> ValuePlace {
        match self.0 {
            Lane::Group(_) if !was_served => ValuePlace(self.0, u64::MAX),
            _ => self,
        }
    }
}

impl Awaited {
    fn lane(self) -> Lane {
        match self {
            Awaited::Group(hash) => Lane::Group(hash),
            Awaited::SortedSet | Awaited::Stream => Lane::Values,
        }
    }
}

/// A waiting client that may be served next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) ticket: u64,
    pub(super) client: ClientId,
    /// Whom the message will belong to.
    pub(super) owner: ClientId,
    /// Whether it waits for a delivery.
    pub(super) is_consumer: bool,
}

/// The clients that wait for a message or a value of one key, each once.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    places: BTreeMap<(Lane, u64), Waiter>,
    /// How many of them are movers.
    mover_count: usize,
    /// How many of them wait for a value that is not a list.
    value_count: usize,
}

impl Waiters {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn join(&mut self, line: Line, ticket: u64, client: ClientId) {
        let mut awaited = None;
        let (lane, owner) = match line {
            Line::Values(value) => {
                awaited = Some(value);
                (value.lane(), client)
            }
            Line::Movers => (Lane::Movers, client),
            Line::Leases => (Lane::Consumers, ClientId::nobody()),
            Line::Waiters | Line::Producers => (Lane::Consumers, client),
        };
        let waiter = Waiter { client, owner, ticket, awaited };
        let before = self.places.insert((lane, ticket), waiter);
        // A client may name a key twice.
        self.mover_count += usize::from(lane == Lane::Movers && before.is_none());
        self.value_count += usize::from(awaited.is_some() && before.is_none());
    }

    pub(super) fn leave(&mut self, line: Line, ticket: u64, client: ClientId) {
        if line == Line::Movers {
            let left = self.places.remove(&(Lane::Movers, ticket));
            self.mover_count -= usize::from(left.is_some());
        } else if let Line::Values(value) = line {
            let left = self.places.remove(&(value.lane(), ticket));
            self.value_count -= usize::from(left.is_some());
        } else if self.places.remove(&(Lane::Consumers, ticket)).is_none() {
            self.places.remove(&(Lane::AtLimit, client.number()));
        }
    }

    /// Returns the number of movers.
    pub(super) fn mover_count(&self) -> usize {
        self.mover_count
    }

    /// Returns the number of those that wait for a value that is not a list.
    pub(super) fn value_count(&self) -> usize {
        self.value_count
    }

    /// Returns the number of consumers, including those at their limit.
    pub(super) fn consumer_count(&self) -> usize {
        self.places.len() - self.mover_count - self.value_count
    }

    /// Returns the first one after ticket `after` (exclusive), of all or of the movers.
    pub(super) fn next(&self, after: Option<u64>, has_consumers: bool) -> Option<Next> {
        let in_lane = |lane| {
            let from = after.map_or(Included((lane, 0)), |ticket| Excluded((lane, ticket)));
            let place = self.places.range((from, Unbounded)).next()?;
            let (&(found, _), &Waiter { client, owner, ticket, .. }) = place;
            let is_consumer = lane == Lane::Consumers;
            (found == lane).then_some(Next { ticket, client, owner, is_consumer })
        };
        let consumer = has_consumers.then(|| in_lane(Lane::Consumers)).flatten();
        consumer.into_iter().chain(in_lane(Lane::Movers)).min_by_key(|next| next.ticket)
    }

    /// Returns the first one after place `after` (exclusive) that waits for such a value.
    pub(super) fn next_for(
        &self,
        value: &Value,
        after: Option<ValuePlace>,
    ) -> Option<(ValuePlace, ClientId)> {
        if self.value_count == 0 {
            return None;
        }
        let first = Included((Lane::Values, 0));
        let from = after.map_or(first, |ValuePlace(lane, ticket)| Excluded((lane, ticket)));
        let mut places = self.places.range((from, Included((Lane::Group(u64::MAX), u64::MAX))));
        let is_for = |waiter: &Waiter| waiter.awaited.is_some_and(|it| it.may_be_in(value));
        let (&(lane, ticket), waiter) = places.find(|(_, waiter)| is_for(waiter))?;
        Some((ValuePlace(lane, ticket), waiter.client))
    }

    /// Whether a client waits for a message.
    #[inline]
    pub(super) fn are_for_messages(&self) -> bool {
        self.places.len() > self.value_count
    }

    /// Whether a consumer is in line.
    pub(super) fn has_consumers(&self) -> bool {
        self.places.first_key_value().is_some_and(|((lane, _), _)| *lane == Lane::Consumers)
    }

    /// Returns the ticket of the first one in line.
    pub(super) fn first_ticket(&self) -> Option<u64> {
        let last = (Lane::Group(u64::MAX), u64::MAX);
        let for_value = self.places.range((Lane::Values, 0)..=last).next();
        let for_value = for_value.map(|(_, waiter)| waiter.ticket);
        self.next(None, true).map(|next| next.ticket).into_iter().chain(for_value).min()
    }

    /// Takes a consumer out of the line until `bring_back`.
    pub(super) fn set_aside(&mut self, ticket: u64) {
        if let Some(waiter) = self.places.remove(&(Lane::Consumers, ticket)) {
            self.places.insert((Lane::AtLimit, waiter.client.number()), waiter);
        }
    }

    /// Puts a client that was set aside back to its place in line.
    pub(super) fn bring_back(&mut self, client: ClientId) {
        if let Some(waiter) = self.places.remove(&(Lane::AtLimit, client.number())) {
            self.places.insert((Lane::Consumers, waiter.ticket), waiter);
        }
    }

    /// As `bring_back`, for all.
    pub(super) fn bring_all_back(&mut self) {
        for waiter in self.places.split_off(&(Lane::AtLimit, 0)).into_values() {
            self.places.insert((Lane::Consumers, waiter.ticket), waiter);
        }
    }

    /// Returns whom the messages will belong to that all of them wait for.
    pub(super) fn owners(&self) -> impl Iterator<Item = ClientId> {
        let for_messages = self.places.values().filter(|waiter| waiter.awaited.is_none());
        for_messages.map(|waiter| waiter.owner)
    }

    /// Whether a client waits with this ticket.
    pub(super) fn contains(&self, ticket: u64, client: ClientId) -> bool {
        let lines = [Lane::Consumers, Lane::Movers, Lane::Values].map(|lane| (lane, ticket));
        let places = lines.into_iter().chain([(Lane::AtLimit, client.number())]);
        let found = places.filter_map(|place| self.places.get(&place));
        let for_groups = self.places.range((Lane::Group(0), 0)..=(Lane::Group(u64::MAX), u64::MAX));
        let mut all = found.chain(for_groups.map(|(_, waiter)| waiter));
        all.any(|waiter| (waiter.ticket, waiter.client) == (ticket, client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u64) -> ClientId {
        ClientId::new(number, 0)
    }

    /// The numbers of the clients as they would be served.
    fn order(waiters: &Waiters, has_consumers: bool) -> Vec<u64> {
        let next = |last: &Next| waiters.next(Some(last.ticket), has_consumers);
        let all = std::iter::successors(waiters.next(None, has_consumers), next);
        all.map(|next| next.client.number()).collect()
    }

    #[test]
    fn one_line_of_consumers_and_movers_in_the_order_of_tickets() {
        let mut waiters = Waiters::default();
        for (line, ticket, number) in [
            (Line::Waiters, 0, 50),
            (Line::Movers, 2, 40),
            (Line::Leases, 4, 30),
            (Line::Waiters, 6, 20),
            (Line::Movers, 8, 10),
        ] {
            waiters.join(line, ticket, client(number));
        }
        assert_eq!(order(&waiters, true), [50, 40, 30, 20, 10]);
        assert_eq!(order(&waiters, false), [40, 10]);
        waiters.set_aside(0);
        waiters.set_aside(6);
        assert_eq!(order(&waiters, true), [40, 30, 10]);
        assert_eq!((waiters.consumer_count(), waiters.mover_count()), (3, 2));
        waiters.bring_back(client(20));
        waiters.bring_back(client(30));
        assert_eq!(order(&waiters, true), [40, 30, 20, 10]);
        waiters.leave(Line::Leases, 4, client(30));
        waiters.leave(Line::Waiters, 0, client(50));
        waiters.set_aside(6);
        assert!(!waiters.has_consumers() && waiters.first_ticket() == Some(2));
        waiters.bring_all_back();
        assert_eq!(order(&waiters, true), [40, 20, 10]);
        assert!(waiters.has_consumers());
    }
}
