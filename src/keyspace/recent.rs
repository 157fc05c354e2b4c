//! The recently stored messages of a queue, for deduplication.
//!
//! A message is identified by 128 bits made with two secret seeds: nobody can construct another
//! message with the same bits, and at a million messages a day no two collide within the age of the
//! earth. So the memory per message does not depend on its size.

use std::collections::{HashMap, VecDeque};

/// The fingerprint of a message.
pub(crate) type Fingerprint = (u64, u64);

/// The recently stored messages of a queue.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// When each was stored, by the queue clock.
    stored_ms: HashMap<Fingerprint, i64, ahash::RandomState>,
    /// The same, in the order of storage.
    ordered: VecDeque<(i64, Fingerprint)>,
}

/// Bytes of memory per remembered message: its position in the map, with the map's spare capacity,
/// and in the order.
const ENTRY_BYTES: usize = 72;

impl Recent {
    pub(super) fn allocated_bytes(&self) -> usize {
        self.ordered.len() * ENTRY_BYTES
    }

    /// Returns when the last one was stored.
    pub(super) fn last_ms(&self) -> Option<i64> {
        self.ordered.back().map(|(ms, _)| *ms)
    }

    pub(super) fn clear(&mut self) {
        *self = Recent::default();
    }

    pub(super) fn has(&self, fingerprint: Fingerprint, since_ms: i64) -> bool {
        self.stored_ms.get(&fingerprint).is_some_and(|&ms| ms > since_ms)
    }

    /// Adds a message. Removes the oldest while there are more than `count_max`, and those stored
    /// at `since_ms` or before.
    pub(super) fn add(
        &mut self,
        fingerprint: Fingerprint,
        now_ms: i64,
        since_ms: i64,
        count_max: usize,
    ) {
        self.stored_ms.insert(fingerprint, now_ms);
        self.ordered.push_back((now_ms, fingerprint));
        while let Some(&(ms, oldest)) = self.ordered.front()
            && (self.ordered.len() > count_max || ms <= since_ms)
        {
            self.ordered.pop_front();
            // It may have been stored again since.
            if self.stored_ms.get(&oldest) == Some(&ms) {
                self.stored_ms.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_for_the_window() {
        let mut recent = Recent::default();
        recent.add((1, 1), 100, 0, 10);
        assert!(recent.has((1, 1), 99) && !recent.has((1, 1), 100) && !recent.has((1, 2), 0));
        recent.add((1, 1), 200, 100, 10);
        assert!(recent.has((1, 1), 199), "stored again");
        assert_eq!((recent.ordered.len(), recent.stored_ms.len()), (1, 1));
    }

    #[test]
    fn there_is_a_limit_and_the_oldest_go_first() {
        let mut recent = Recent::default();
        for number in 0..100 {
            recent.add((number, 0), 1, 0, 10);
        }
        assert_eq!(recent.ordered.len(), 10);
        assert_eq!(recent.stored_ms.len(), 10);
        assert!(recent.has((90, 0), 0) && !recent.has((89, 0), 0));
    }
}
