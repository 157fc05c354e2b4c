//! The interface of the broker for whoever writes RDB files.

use super::Broker;
use crate::clock::Now;
use crate::engine::wait;
use crate::persistence::SnapshotUse;
use crate::state::State;
use std::time::Duration;

impl Broker {
    /// Whether a save is asked for: by a command, or by a `save` line and what has changed.
    pub fn is_save_due(&self, now: Now) -> bool {
        self.next_save(now).is_some_and(|wait| wait.is_zero())
    }

    /// Time until a save is asked for, if nothing changes; `None` if none is, or one is in progress.
    pub fn next_save(&self, now: Now) -> Option<Duration> {
        let State { settings, persistence, keyspace, started, .. } = &self.state;
        let saves = &persistence.saves;
        if saves.began().is_some() || persistence.loading.is_some() {
            return None;
        }
        if saves.is_wanted {
            return Some(Duration::ZERO);
        }
        let due_us = saves.due_us(&settings.save_points, keyspace.changes(), *started)?;
        Some(Duration::from_micros(due_us.saturating_sub(now.monotonic_us)))
    }

    /// Begins the snapshot of a save, which was claimed for it.
    pub(crate) fn begin_save(&mut self, now: Now) {
        let State { persistence, keyspace, .. } = &mut self.state;
        debug_assert!(persistence.snapshot.is(SnapshotUse::Save));
        persistence.saves.begin(keyspace.changes(), now);
        keyspace.begin_snapshot();
    }

    /// Ends a save, and answers the clients that wait for it. Returns how long it took, in microseconds.
    pub(crate) fn end_save(&mut self, result: Result<(), String>, now: Now) -> u64 {
        let State { persistence, keyspace, .. } = &mut self.state;
        if persistence.snapshot.release(SnapshotUse::Save) {
            keyspace.end_snapshot();
        }
        let took_us = persistence.saves.end(result.is_ok(), now);
        for client in std::mem::take(&mut persistence.saves.waiting) {
            wait::end_save(&mut self.state, client, &result);
        }
        took_us
    }

    /// Whether the data is to be saved before the server ends, and if so, whether it ends without that as well.
    pub(crate) fn save_at_end(&self) -> Option<bool> {
        let State { settings, persistence, last_save, .. } = &self.state;
        let has_points = !settings.save_points.is_empty();
        let is_wanted = last_save.is_wanted.unwrap_or(has_points);
        // What is only partly loaded must not replace what is in the file.
        (is_wanted && persistence.loading.is_none()).then_some(last_save.is_forced)
    }

    /// The server cannot end: the client of SHUTDOWN gets an error.
    pub(crate) fn refuse_shutdown(&mut self) {
        self.state.shutdown = None;
        if let Some(client) = std::mem::take(&mut self.state.last_save).client {
            let error = b"ERR Errors trying to SHUTDOWN. Check logs.";
            self.state.clients.answer(client, |reply| reply.error(error));
            self.state.stats.count_error(error);
        }
    }

    /// A save that was claimed could not begin.
    pub(crate) fn fail_save(&mut self, reason: String, now: Now) {
        self.state.persistence.saves.begin(self.state.keyspace.changes(), now);
        self.end_save(Err(reason), now);
    }

    /// Bytes of memory in use, as INFO shows them.
    pub(crate) fn used_bytes(&self) -> usize {
        self.state.used_bytes()
    }
}
