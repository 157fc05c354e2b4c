//! Publish/subscribe: the subscribers of each channel.

use crate::client_id::ClientId;
use crate::glob::glob_matches;
use crate::keyspace::Key;
use crate::slack;
use ahash::RandomState;
use indexmap::{IndexMap, IndexSet};

/// The three kinds of subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SUBSCRIBE: one channel.
    Channel,
    /// PSUBSCRIBE: all channels whose names match a glob pattern.
    Pattern,
    /// SSUBSCRIBE: one shard channel; their names are separate.
    Shard,
}

/// The subscribers of one channel or pattern, in order of subscription. Removing one moves the last
/// to its position.
pub(crate) type Subscribers = IndexSet<ClientId, RandomState>;

type Topics = IndexMap<Key, Subscribers, RandomState>;

/// All channels and patterns that have subscribers.
#[derive(Debug)]
pub(crate) struct Channels {
    channels: Topics,
    patterns: Topics,
    shard_channels: Topics,
    /// The number of all subscribers of all of these.
    subscription_count: usize,
    hasher: RandomState,
}

impl Channels {
    /// Returns an empty table that hashes with `seed`.
    pub(crate) fn new(seed: u64) -> Channels {
        let hasher = RandomState::with_seeds(seed, seed.rotate_left(16), !seed, 0x6761_7465);
        let topics = || IndexMap::with_hasher(hasher.clone());
        let (channels, patterns, shard_channels) = (topics(), topics(), topics());
        Channels { channels, patterns, shard_channels, subscription_count: 0, hasher }
    }

    fn topics(&self, kind: Kind) -> &Topics {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shard_channels,
        }
    }

    fn topics_mut(&mut self, kind: Kind) -> &mut Topics {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// Adds a subscriber; returns the shared name.
    pub(crate) fn subscribe(&mut self, kind: Kind, name: &[u8], client: ClientId) -> Key {
        let hasher = self.hasher.clone();
        let topics = self.topics_mut(kind);
        if let Some((_, key, subscribers)) = topics.get_full_mut(name) {
            let (key, is_new) = (key.clone(), subscribers.insert(client));
            self.subscription_count += usize::from(is_new);
            return key;
        }
        let key = Key::from(name);
        let mut subscribers = Subscribers::with_hasher(hasher);
        subscribers.insert(client);
        topics.insert(key.clone(), subscribers);
        self.subscription_count += 1;
        key
    }

    /// Removes a subscriber, and a channel that has none left.
    pub(crate) fn unsubscribe(&mut self, kind: Kind, name: &[u8], client: ClientId) {
        let topics = self.topics_mut(kind);
        if let Some((index, _, subscribers)) = topics.get_full_mut(name) {
            let was_there = subscribers.swap_remove(&client);
            if let Some(capacity) = slack::smaller(subscribers.len(), subscribers.capacity()) {
                subscribers.shrink_to(capacity);
            }
            if subscribers.is_empty() {
                topics.swap_remove_index(index);
                if let Some(capacity) = slack::smaller(topics.len(), topics.capacity()) {
                    topics.shrink_to(capacity);
                }
            }
            self.subscription_count -= usize::from(was_there);
        }
    }

    /// Returns the subscribers of exactly this name.
    #[inline]
    pub(crate) fn subscribers(&self, kind: Kind, name: &[u8]) -> Option<&Subscribers> {
        self.topics(kind).get(name)
    }

    /// Returns the patterns that match a channel, with their subscribers.
    pub(crate) fn matching_patterns(
        &self,
        channel: &[u8],
    ) -> impl Iterator<Item = (&Key, &Subscribers)> {
        self.patterns.iter().filter(move |(pattern, _)| glob_matches(pattern, channel))
    }

    /// Returns all names of one kind that have subscribers.
    pub(crate) fn names(&self, kind: Kind) -> impl Iterator<Item = &Key> {
        self.topics(kind).keys()
    }

    /// Returns the number of names of one kind that have subscribers.
    pub(crate) fn len(&self, kind: Kind) -> usize {
        self.topics(kind).len()
    }

    /// Returns the number of subscriptions of all kinds.
    pub(crate) fn subscription_count(&self) -> usize {
        self.subscription_count
    }

    /// True if no name of one kind has subscribers.
    pub(crate) fn is_empty(&self, kind: Kind) -> bool {
        self.topics(kind).is_empty()
    }

    /// Panics if there is a name without subscribers.
    pub(crate) fn check_invariants(&self) {
        let mut count = 0;
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            assert!(self.topics(kind).values().all(|subscribers| !subscribers.is_empty()));
            count += self.topics(kind).values().map(Subscribers::len).sum::<usize>();
        }
        assert_eq!(count, self.subscription_count, "subscriptions");
    }
}
