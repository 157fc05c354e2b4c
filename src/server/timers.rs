//! What may be due in a server, and how long the loop sleeps.

use super::Server;
use crate::deadlines::timers;
use std::time::Duration;

timers! {
    /// What may be due in a server.
    enum Timer {
        /// Something in the broker.
        Broker,
        /// Something with the append files.
        Durability,
        /// Accepting resumes after a failure.
        Accept,
        /// A closing connection has accepted none of its last bytes for too long.
        Linger,
        /// A TLS handshake takes too long.
        Handshake,
        /// A stopping server gives up on clients that do not read.
        Stop,
        /// The allocator is asked to return memory.
        GiveBack,
    }
}

impl Server {
    /// Time until something is due; `None` if nothing ever is.
    pub(super) fn wait_max(&self) -> Option<Duration> {
        let has_to_read = !self.to_read.is_empty() || !self.handshakes_to_read.is_empty();
        let may_read = has_to_read && !self.durability.is_full(&self.broker);
        if may_read || !self.to_write.is_empty() || self.listeners.is_ready() {
            return Some(Duration::ZERO);
        }
        let wait = Timer::ALL.iter().filter_map(|timer| self.due_in(*timer)).min()?;
        // Subtracts the time spent in the turn. The poll rounds up to a millisecond, so it ends after
        // the deadline instead of in a series of short waits before it.
        let spent_us = self.clock.monotonic_us().saturating_sub(self.now.monotonic_us);
        Some(wait.saturating_sub(Duration::from_micros(spent_us)))
    }

    /// Time from the start of the turn until this is due; `None` if it never is.
    fn due_in(&self, timer: Timer) -> Option<Duration> {
        let at = match timer {
            Timer::Broker => return self.broker.next_deadline(self.now),
            Timer::Durability => return self.durability.next_deadline(&self.broker, self.now),
            Timer::Accept => self.listeners.deadline_us(),
            Timer::Handshake => self.handshake_deadlines.next(),
            Timer::Linger => self.lingering.next(),
            Timer::Stop => self.stop_by_us,
            Timer::GiveBack => self.give_back_us,
        };
        at.map(|at| Duration::from_micros(at.saturating_sub(self.now.monotonic_us)))
    }
}
