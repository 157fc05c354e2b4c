//! What may be due in a journal, and when.

use super::stage::Stage;
use super::writer::{Journal, Trouble};
use crate::broker::Broker;
use crate::clock::Now;
use crate::deadlines::timers;
use std::time::Duration;

timers! {
    /// The possible timers. `commit` handles them, in its own order.
    enum Timer {
        /// Check whether gathered changes have got more.
        Gathering,
        /// The next keys are written to the base, or a rewrite may begin that waited for the snapshot.
        Base,
        /// A failed write is retried, or all data is written anew.
        Retry,
        /// Disk space is looked for again.
        Space,
        /// Written changes are synced, or recorded as synced.
        Sync,
        /// Waiting changes get a second sync beside a slow one.
        Overlap,
    }
}

/// A time in the past.
const AT_ONCE: u64 = 0;

impl Journal {
    /// Time until something must be done, if no job ends and nothing changes.
    pub fn next_deadline(&self, broker: &Broker, now: Now) -> Option<Duration> {
        let due = Timer::ALL.iter().filter_map(|timer| self.due_us(*timer, broker)).min()?;
        Some(Duration::from_micros(due.saturating_sub(now.monotonic_us)))
    }

    /// When this is due, in microseconds of the monotonic clock; `None` if only the end of a job, or
    /// another change, makes it so.
    fn due_us(&self, timer: Timer, broker: &Broker) -> Option<u64> {
        match timer {
            Timer::Gathering => self.gathering.is_under_way().then_some(AT_ONCE),
            Timer::Base => {
                let persistence = broker.persistence();
                let is_wanted = persistence.is_rewrite_wanted
                    && self.is_named
                    && self.trouble.is_none()
                    && self.stage.is_idle()
                    && persistence.snapshot.current().is_none();
                let is_writing = matches!(self.stage, Stage::Writing { base: Some(_), .. });
                (is_writing || is_wanted).then_some(AT_ONCE)
            }
            Timer::Retry => match self.trouble {
                Some(Trouble::Unwritten { retry_us }) => Some(retry_us),
                // Jobs in progress wake the loop when they end.
                Some(Trouble::Distrust { retry_us }) => {
                    (self.stage.is_idle() && !self.is_syncing()).then_some(retry_us)
                }
                None => None,
            },
            Timer::Space => self.shortage_us,
            Timer::Sync => {
                let is_wanted = self.wants_sync(self.policy(broker)) || self.wants_vouching();
                let is_possible = !self.is_syncing() && self.trouble.is_none();
                (is_wanted && is_possible).then_some(self.sync_us)
            }
            Timer::Overlap => {
                let is_wanted = !self.pending.is_empty() && self.has_free_sync();
                let is_possible = !matches!(self.stage, Stage::Closing { .. });
                self.overlap_us().filter(|_| is_wanted && is_possible)
            }
        }
    }
}
