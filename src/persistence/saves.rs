//! The state of RDB files as the broker knows it: requested by commands, set by whoever writes them, shown by
//! INFO.

use crate::client_id::ClientId;
use crate::clock::Now;
use crate::settings::SavePoint;

/// Time from a failed save to the next automatic one, as in Redis.
const RETRY_US: u64 = 5_000_000;

/// State shared by the commands and the writer of RDB files.
#[derive(Clone, Debug, Default)]
pub struct Saves {
    /// SAVE and BGSAVE request a save; beginning one clears this.
    pub is_wanted: bool,
    /// The clients of SAVE, which wait for the end of the next save to end. Some may have left.
    pub(crate) waiting: Vec<ClientId>,
    /// Whether the last save failed.
    pub has_failed: bool,
    /// The duration of the last save in seconds, whether it succeeded or not.
    pub last_took_s: Option<u64>,
    /// Saves that succeeded.
    pub completed: u64,
    /// The last save that succeeded; none, and the number of changes when the broker began, before the first.
    last: Option<Now>,
    changes_then: u64,
    /// When the last save began.
    tried_us: Option<u64>,
    /// The save in progress: when it began, and the number of changes then.
    current: Option<(Now, u64)>,
}

impl Saves {
    /// When the save in progress began.
    pub fn began(&self) -> Option<Now> {
        self.current.map(|(began, _)| began)
    }

    /// Begins a save of the data after this number of changes.
    pub fn begin(&mut self, changes: u64, now: Now) {
        self.is_wanted = false;
        self.tried_us = Some(now.monotonic_us);
        self.current = Some((now, changes));
    }

    /// Ends the save in progress. Returns how long it took, in microseconds.
    pub fn end(&mut self, is_complete: bool, now: Now) -> u64 {
        let Some((began, changes)) = self.current.take() else { return 0 };
        let took_us = now.monotonic_us.saturating_sub(began.monotonic_us);
        self.last_took_s = Some(took_us / 1_000_000);
        self.has_failed = !is_complete;
        if is_complete {
            self.completed += 1;
            (self.last, self.changes_then) = (Some(now), changes);
        }
        took_us
    }

    /// A save in progress is abandoned without a result.
    pub fn abandon(&mut self) {
        self.current = None;
    }

    /// The last save that succeeded.
    pub fn last(&self) -> Option<Now> {
        self.last
    }

    /// The data that was loaded, with this number of changes, needs no save.
    pub fn begin_count(&mut self, changes: u64) {
        self.changes_then = changes;
    }

    /// Changes that are in no file, of `changes` in all.
    pub fn unsaved_changes(&self, changes: u64) -> u64 {
        changes.saturating_sub(self.changes_then)
    }

    /// When a `save` line asks for the next save, in microseconds of the monotonic clock; `None` before there
    /// are enough changes. Without an earlier save, the time counts from the start.
    pub fn due_us(&self, points: &[SavePoint], changes: u64, started: Now) -> Option<u64> {
        let unsaved = self.unsaved_changes(changes);
        let since_us = self.last.unwrap_or(started).monotonic_us;
        let reached = points.iter().filter(|point| unsaved >= point.changes);
        // In Redis more seconds than that have to be over.
        let due_us =
            reached.map(|point| (point.seconds.saturating_add(1)).saturating_mul(1_000_000));
        let due_us = since_us.saturating_add(due_us.min()?);
        let retry_us =
            self.tried_us.filter(|_| self.has_failed).map(|tried_us| tried_us + RETRY_US);
        Some(due_us.max(retry_us.unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Now = Now { unix_us: 5_000_000_000, monotonic_us: 1_000_000 };

    #[test]
    fn a_save_is_due_after_enough_changes_and_time() {
        let points =
            [SavePoint { seconds: 60, changes: 10 }, SavePoint { seconds: 5, changes: 100 }];
        let mut saves = Saves::default();
        let due_s = |saves: &Saves, changes| {
            saves.due_us(&points, changes, START).map(|due_us| due_us / 1_000_000)
        };
        assert_eq!(due_s(&saves, 9), None);
        assert_eq!((due_s(&saves, 10), due_s(&saves, 100)), (Some(62), Some(7)));
        saves.begin(100, START.plus_us(10_000_000));
        assert_eq!(saves.end(true, START.plus_us(14_000_000)), 4_000_000);
        assert_eq!(
            (saves.completed, saves.last_took_s, saves.unsaved_changes(105)),
            (1, Some(4), 5)
        );
        assert_eq!((due_s(&saves, 109), due_s(&saves, 110)), (None, Some(76)));
        saves.begin(210, START.plus_us(30_000_000));
        saves.end(false, START.plus_us(31_000_000));
        assert!(saves.has_failed);
        assert_eq!((saves.completed, due_s(&saves, 210)), (1, Some(36)), "not at once");
        assert_eq!(saves.due_us(&[], 1_000_000, START), None);
        saves.begin_count(210);
        assert_eq!(saves.unsaved_changes(215), 5);
    }
}
