//! The lists of a saved key, piece by piece: for those who must not take long at once.

use super::saved::SavedKey;
use crate::queue::{Queue, Stamp};
use crate::value::Kind;

/// Up to so many delayed messages, and as many in flight, are freed at once.
const FREED_HIDDEN: usize = 2_000;
/// Up to so many messages and bytes of a queue are freed at once: many of them share their memory.
const FREED_MESSAGES: usize = 20_000;
const FREED_BYTES: usize = 4 << 20;

/// A list of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SavedList {
    /// The delayed messages.
    Delayed,
    /// The messages in flight.
    InFlight,
    /// The messages that can be popped: the value.
    Ready,
}

impl SavedKey {
    fn queue(&self) -> Option<&Queue> {
        self.value.as_ref().and_then(Queue::of)
    }

    /// The number of messages in a list.
    pub(crate) fn len_of(&self, list: SavedList) -> usize {
        match list {
            SavedList::Delayed => self.delayed.len(),
            SavedList::InFlight => self.in_flight.len(),
            SavedList::Ready => self.queue().map_or(0, Queue::len),
        }
    }

    /// The messages of a list from a place on, each with its place. The first place is 0.
    pub(crate) fn messages_from(
        &self,
        list: SavedList,
        place: u64,
    ) -> Box<dyn Iterator<Item = (u64, &[u8])> + '_> {
        match list {
            SavedList::Delayed => {
                Box::new(self.delayed.iter_from(place).map(|(at, one)| (at, &*one.message)))
            }
            SavedList::InFlight => {
                Box::new(self.in_flight.iter_from(place).map(|(at, one)| (at, &*one.message)))
            }
            SavedList::Ready => {
                let index = usize::try_from(place).unwrap_or(usize::MAX);
                let messages = self.queue().into_iter().flat_map(move |it| it.iter_from(index));
                Box::new((place..).zip(messages))
            }
        }
    }

    /// The stamps of a list from a place on, each with the number of consecutive messages that have it, and its
    /// own place. These places are others than those of messages; the first is 0, too.
    pub(crate) fn stamps_from(
        &self,
        list: SavedList,
        place: u64,
    ) -> Box<dyn Iterator<Item = (u64, (Stamp, usize))> + '_> {
        match list {
            SavedList::Delayed => {
                let all = self.delayed.iter_from(place);
                Box::new(all.map(|(at, one)| (at, (one.stamp.clone(), 1))))
            }
            SavedList::InFlight => {
                let all = self.in_flight.iter_from(place);
                Box::new(all.map(|(at, one)| (at, (one.stamp.clone(), 1))))
            }
            SavedList::Ready => {
                let skipped = usize::try_from(place).unwrap_or(usize::MAX);
                let runs = self.queue().into_iter().flat_map(move |it| it.stamp_runs_from(skipped));
                Box::new((place..).zip(runs))
            }
        }
    }

    /// Frees some of the messages, of which the last owner may be this one. Returns whether none are left.
    pub(crate) fn free_some(&mut self) -> bool {
        self.delayed.drop_oldest(FREED_HIDDEN);
        self.in_flight.drop_oldest(FREED_HIDDEN);
        if let Some(queue) = self.value.as_mut().and_then(Queue::of_mut) {
            free_some_of(queue);
        }
        let are_lists_gone = self.delayed.is_empty()
            && self.in_flight.is_empty()
            && self.queue().is_none_or(Queue::is_empty);
        let is_value_gone = match &mut self.value {
            Some(value) if value.freeing_cost() > 1 => value.free_part() == 0,
            _ => true,
        };
        are_lists_gone && is_value_gone
    }
}

/// Frees some of the messages of a queue, at least one.
pub(crate) fn free_some_of(queue: &mut Queue) {
    let bytes_each = queue.allocated_bytes() / queue.len().max(1);
    let count = FREED_BYTES / bytes_each.max(1);
    queue.trim(count.clamp(1, FREED_MESSAGES), usize::MAX);
}
