//! How long changes wait for more changes before they are synced together.
//!
//! A sync costs the disk and the processor about the same for one change as for a hundred. So with
//! `always` a batch stays open while each turn brings something. It is closed when a turn brought
//! nothing and the loop would have to wait anyway. A single client loses no more than one look at the
//! sockets. PostgreSQL's `commit_delay` has the same purpose, with a fixed length.

use crate::clock::Now;

/// The longest wait, about the time of a quick sync. A longer delay would be noticeable, and the sync
/// has enough to cover.
const GATHERING_US_MAX: u64 = 300;

/// The wait of changes that are not yet in a batch.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    since_us: Option<u64>,
}

impl Gathering {
    /// Whether changes continue to wait, after a turn with or without input.
    pub(super) fn goes_on(&mut self, is_busy: bool, now: Now) -> bool {
        let since_us = self.since_us.unwrap_or(now.monotonic_us);
        let goes_on = is_busy && now.monotonic_us - since_us < GATHERING_US_MAX;
        self.since_us = goes_on.then_some(since_us);
        goes_on
    }

    /// Ends the wait.
    pub(super) fn stop(&mut self) {
        self.since_us = None;
    }

    /// Whether the last turn left changes waiting: then the next must come at once, to see whether more
    /// has come.
    pub(super) fn is_under_way(&self) -> bool {
        self.since_us.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: u64) -> Now {
        Now { unix_us: 0, monotonic_us: 5_000 + us }
    }

    #[test]
    fn it_ends_with_a_turn_that_brings_nothing() {
        let mut gathering = Gathering::default();
        assert!(!gathering.goes_on(false, at(0)));
        assert!(gathering.goes_on(true, at(0)));
        assert!(gathering.goes_on(true, at(100)));
        assert!(gathering.is_under_way());
        assert!(!gathering.goes_on(false, at(101)));
        assert!(!gathering.is_under_way());
    }

    #[test]
    fn it_does_not_go_on_for_ever() {
        let mut gathering = Gathering::default();
        assert!(gathering.goes_on(true, at(0)));
        assert!(gathering.goes_on(true, at(GATHERING_US_MAX - 1)));
        assert!(!gathering.goes_on(true, at(GATHERING_US_MAX)));
        assert!(gathering.goes_on(true, at(GATHERING_US_MAX + 1)), "the next begins anew");
    }
}
