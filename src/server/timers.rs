//! What may be due in a server, and how long the loop sleeps.

use super::Server;
use super::connection::open;
use super::sockets::Sockets;
use crate::broker::Broker;
use crate::deadlines::timers;
use std::time::Duration;

timers! {
    /// What may be due in a server.
    enum Timer {
        /// Something in the broker.
        Broker,
        /// Something with the append files.
        Durability,
        /// Something with the RDB file.
        Saving,
        /// Accepting resumes after a failure.
        Accept,
        /// A closing connection has accepted none of its last bytes for too long.
        Linger,
        /// A TLS handshake takes too long.
        Handshake,
        /// Something of a connection's protocol.
        Speaker,
        /// A stopping server gives up on clients that do not read.
        Stop,
        /// The allocator is asked to return memory.
        GiveBack,
        /// A report on the life of the server.
        Lifecycle,
    }
}

impl Server {
    /// Time until something is due; `None` if nothing ever is.
    pub(super) fn wait_max(&self) -> Option<Duration> {
        let sockets = &self.sockets;
        let has_to_read = !sockets.to_read.is_empty() || !sockets.handshakes_to_read.is_empty();
        let may_read = has_to_read && !self.durability.is_full(&self.broker);
        if may_read
            || !sockets.to_write.is_empty()
            || sockets.was_woken
            || sockets.listeners.is_ready()
        {
            return Some(Duration::ZERO);
        }
        let wait = Timer::ALL.iter().filter_map(|timer| self.due_in(*timer)).min()?;
        // Subtracts the time spent in the turn. The poll rounds up to a millisecond, so it ends after
        // the deadline instead of in a series of short waits before it.
        let spent_us =
            self.sockets.clock.monotonic_us().saturating_sub(self.sockets.now.monotonic_us);
        Some(wait.saturating_sub(Duration::from_micros(spent_us)))
    }

    /// Time from the start of the turn until this is due; `None` if it never is.
    #[inline(always)]
    fn due_in(&self, timer: Timer) -> Option<Duration> {
        let at = match timer {
            Timer::Broker => return self.broker.next_deadline(self.sockets.now),
            Timer::Durability => {
                return self.durability.next_deadline(&self.broker, self.sockets.now);
            }
            Timer::Saving => return self.saving.next_deadline(&self.broker, self.sockets.now),
            Timer::Accept => self.sockets.listeners.deadline_us(),
            Timer::Handshake => self.sockets.handshake_deadlines.next(),
            Timer::Speaker => self.sockets.due.next(),
            Timer::Linger => self.sockets.lingering.next(),
            Timer::Stop => self.stop_by_us,
            Timer::GiveBack => self.give_back_us,
            Timer::Lifecycle => self.sockets.lifecycle.due_us(),
        };
        at.map(|at| Duration::from_micros(at.saturating_sub(self.sockets.now.monotonic_us)))
    }
}

// What is due in the protocols of connections.
impl Sockets {
    /// Records when the speaker of a connection has something to do, after anything that may change it. If
    /// that is later than before, nothing changes until then: most of these times are never reached.
    #[inline]
    pub(super) fn update_due(&mut self, broker: &Broker, slot: usize) {
        if let Some(connection) = open(&mut self.connections, slot)
            && let Some(due_us) = connection.speaker.due_us(broker)
            && connection.due_us.is_none_or(|before_us| due_us < before_us)
        {
            self.due.shift(connection.due_us, Some(due_us), slot);
            connection.due_us = Some(due_us);
        }
    }

    /// The connection is gone.
    pub(super) fn end_due(&mut self, slot: usize) {
        let connection = self.connections.get_mut(slot);
        if let Some(due_us) = connection.and_then(|connection| connection.due_us.take()) {
            self.due.remove(due_us, slot);
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, broker: &mut Broker) {
        while let Some(slot) = self.due.pop_due(self.now.monotonic_us) {
            let Some(connection) = open(&mut self.connections, slot) else { continue };
            connection.due_us = None;
            connection.speaker.tick(broker, self.now);
            if connection.speaker.has_own_output() && connection.is_writable {
                self.to_write.push(slot);
            }
            if connection.speaker.has_work(broker) {
                self.list_to_read(slot);
            }
            self.update_due(broker, slot);
        }
    }
}
