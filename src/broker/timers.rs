//! The timers of a broker: when each is due, and what it does.

use super::Broker;
use super::feeding::TICK_US;
use crate::clients::{ClientRole, CloseReason};
use crate::clock::Now;
use crate::deadlines::timers;
use crate::engine::{gates, wait, wake};
use crate::note::Note;
use crate::queueing;
use crate::state::State;
use log::info;
use std::time::Duration;

/// Limit on values that expire in one turn; the rest waits for the next turn, so that a million keys with one
/// expiry do not delay all clients.
const EXPIRED_PER_TURN_MAX: usize = 2_000;

/// Time between checks for idle clients, if `timeout` is set.
const IDLE_CHECK_US: u64 = 1_000_000;

timers! {
    /// The timers, in the order in which they run.
    enum Timer {
        /// A check for idle clients. It runs before waits end, since a waiting client is not idle.
        Idle,
        /// A value expires.
        Expiry,
        /// Something is due in a queue under a policy, such as the end of a message's TTL.
        Queue,
        /// The end of CLIENT PAUSE.
        Pause,
        /// A client's wait ends.
        Wait,
        /// Replicas have not acknowledged a change in time.
        Acknowledgement,
        /// The wait of an AUTH ends.
        AuthDelay,
        /// Refused passwords are forgotten.
        AuthForget,
        /// A client has not authenticated in time.
        Stranger,
        /// The times of replicas, and of the link to the primary.
        Replication,
        /// The target of a MIGRATE is too slow.
        Migration,
        /// A client's output has been above the soft limit for too long.
        SoftLimit,
    }
}

impl Broker {
    /// Whether `settle` has more to do, so that the next turn must not wait.
    pub fn has_backlog(&self) -> bool {
        // Ready keys may have been left because there was no disk space for the change.
        let has_ready = self.state.keyspace.has_signals() && !gates::is_serving_paused(&self.state);
        let keyspace = &self.state.keyspace;
        let has_chores = match keyspace.is_following() {
            true => keyspace.has_chores_of_replica(),
            false => self.has_due_expiries || keyspace.has_chores(),
        };
        self.state.clients.has_backlog()
            || has_chores
            || self.state.acknowledged.has_news()
            || has_ready
            || (self.state.replication.is_active() && self.has_work_for_replicas())
    }

    /// How long until something is due; `None` if nothing ever is.
    pub fn next_deadline(&self, now: Now) -> Option<Duration> {
        if self.has_backlog() {
            return Some(Duration::ZERO);
        }
        let due = Timer::ALL.iter().filter_map(|timer| self.due_in_us(*timer, now));
        due.min().map(Duration::from_micros)
    }

    /// Microseconds until a timer is due; `None` if it never is.
    fn due_in_us(&self, timer: Timer, now: Now) -> Option<u64> {
        let State { settings, clients, keyspace, pause, wait_deadlines, .. } = &self.state;
        let at = match timer {
            // A primary decides.
            Timer::Expiry | Timer::Queue if keyspace.is_following() => None,
            // These two do not use the monotonic clock alone.
            Timer::Expiry => {
                let expires_ms = keyspace.next_expiry_ms()?;
                return Some(expires_ms.saturating_mul(1000).saturating_sub(now.unix_us));
            }
            Timer::Queue => return keyspace.next_due_in_us(now),
            Timer::Idle if settings.timeout_s == 0 || clients.len() == 0 => None,
            Timer::Idle => Some(self.next_idle_check_us),
            Timer::Pause => pause.map(|pause| pause.until_us),
            Timer::Wait => wait_deadlines.next(),
            Timer::Acknowledgement => self.next_late_us(),
            Timer::AuthDelay => clients.next_auth_delay_us(),
            Timer::AuthForget => self.state.auth_failures.next_us(settings),
            Timer::Stranger => self.next_stranger_due_us(),
            Timer::Replication => self.state.replication.next_due_us(settings),
            Timer::Migration => self.state.migrations.next_due_us(),
            Timer::SoftLimit => clients.next_soft_limit_us(),
        };
        at.map(|at| at.saturating_sub(now.monotonic_us))
    }

    /// Runs all timers that are due.
    pub(super) fn run_timers(&mut self, now: Now) {
        for timer in Timer::ALL {
            match timer {
                Timer::Idle => self.close_idle(now),
                Timer::Expiry => self.expire(now),
                // Done by `expire`.
                Timer::Queue => {}
                Timer::Pause => self.end_pause(now),
                Timer::Wait => self.end_waits(now),
                Timer::Acknowledgement => self.end_late_changes(now),
                Timer::AuthDelay => self.state.clients.end_auth_delays(now.monotonic_us),
                Timer::AuthForget => {
                    self.state.auth_failures.forget(&self.state.settings, now.monotonic_us);
                }
                Timer::Stranger => self.close_late_strangers(now),
                Timer::Replication => self.tick_replication(now),
                Timer::Migration => self.end_late_migrations(now),
                Timer::SoftLimit => self.state.clients.close_too_slow(now.monotonic_us),
            }
        }
    }

    /// Deletes expired values, and does what is due in queues under policies.
    pub(super) fn expire(&mut self, now: Now) {
        // Data being loaded stays unchanged until it is complete, and while a script runs nothing else changes any.
        if self.state.persistence.loading.is_some() || self.state.busy_script.is_some() {
            return;
        }
        let State { replication, acknowledged, keyspace, .. } = &mut self.state;
        if replication.is_active() && replication.has_slept(now.monotonic_us) {
            acknowledged.distrust_up_to(replication.offset());
        }
        if let Some(step_ms) = keyspace.set_time(now) {
            info!(
                "the system clock was set by {step_ms} ms; queues continue by the monotonic clock"
            );
            keyspace.effects.note(0, &Note::Calendar { ahead_ms: keyspace.calendar_ahead_ms() });
        }
        if keyspace.is_following() {
            keyspace.do_chores_of_replica();
            return;
        }
        self.has_due_expiries = !keyspace.expire(EXPIRED_PER_TURN_MAX);
        queueing::do_chores(&mut self.state);
        wake::follow_up(&mut self.state, self.table, now);
    }

    fn tick_replication(&mut self, now: Now) {
        let replication = &mut self.state.replication;
        if replication.is_active() && replication.tick_due_us <= now.monotonic_us {
            replication.tick_due_us = now.monotonic_us + TICK_US;
            self.tick_replicas(now);
            self.tick_link(now);
        }
    }

    fn end_pause(&mut self, now: Now) {
        if self.state.pause.is_some_and(|pause| pause.until_us <= now.monotonic_us) {
            wake::end_pause(&mut self.state, self.table, now);
        }
    }

    fn end_waits(&mut self, now: Now) {
        while let Some(id) = self.state.wait_deadlines.pop_due(now.monotonic_us) {
            wait::time_out(&mut self.state, id);
        }
        // A producer further back may fit when the first one's push is too large.
        wake::follow_up(&mut self.state, self.table, now);
    }

    /// Closes clients idle for longer than `timeout`. Subscribers, monitors, waiting clients and consumers
    /// with messages in flight are never idle. Looks at all clients, and therefore runs only once in a while.
    fn close_idle(&mut self, now: Now) {
        let limit_us = u64::from(self.state.settings.timeout_s) * 1_000_000;
        if limit_us == 0 || self.next_idle_check_us > now.monotonic_us {
            return;
        }
        self.next_idle_check_us = now.monotonic_us + IDLE_CHECK_US;
        for id in self.state.clients.ids() {
            let is_idle = self.state.clients.get(id).is_some_and(|client| {
                client.blocked.is_none()
                    && client.role == ClientRole::Client
                    && !client.is_subscriber()
                    && !client.is_monitor
                    && !self.state.keyspace.holds_any(id)
                    && now.monotonic_us.saturating_sub(client.last_active_us) >= limit_us
            });
            if is_idle {
                self.state.clients.close(id, CloseReason::Idle);
            }
        }
    }
}
