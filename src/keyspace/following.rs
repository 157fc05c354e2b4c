//! The keyspace of a replica: another broker decides what changes, and when.
//!
//! Queues are as during the loading of append files: under their policies, which do not act. An expired value
//! stays until the primary removes it; commands of clients do not see it.

use super::Keyspace;
use super::flush::bytes_of;

/// The time of the turn, put aside while a stream is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeAside {
    now_ms: i64,
    queue_ms: i64,
}

impl Keyspace {
    /// From now on a primary decides.
    pub(crate) fn begin_following(&mut self) {
        self.begin_replay();
        self.is_following = true;
    }

    /// Whether a primary decides.
    #[inline]
    pub(crate) fn is_following(&self) -> bool {
        self.is_following
    }

    /// Prepares for commands of the primary: nothing expires while they run, and they record no effects of
    /// their own.
    pub(crate) fn begin_applying(&mut self) -> TimeAside {
        self.effects.set_suspended(true);
        let aside = TimeAside { now_ms: self.now_ms, queue_ms: self.queue_ms };
        (self.now_ms, self.queue_ms) = (0, 0);
        aside
    }

    /// Ends `begin_applying`.
    pub(crate) fn end_applying(&mut self, aside: TimeAside) {
        (self.now_ms, self.queue_ms) = (aside.now_ms, aside.queue_ms);
        self.effects.set_suspended(false);
    }

    /// An empty keyspace with the same databases and the policies of the settings, to load the data of a
    /// primary beside the present data.
    pub(crate) fn new_beside(&self, seed: u64) -> Keyspace {
        let mut beside = Keyspace::new(self.dbs.len(), seed);
        let configured = self.policies().as_configured();
        beside.set_policies(|policies| *policies = configured);
        beside.queue_clock = self.queue_clock.clone();
        beside.set_memory_limits(self.registry.dedup_max, self.registry.idle_max);
        beside.begin_following();
        beside
    }

    /// Takes over the data of another keyspace. The present data is freed in parts. No client may wait for
    /// a key or watch one. A running snapshot ends.
    pub(crate) fn take_over(&mut self, mut other: Keyspace) {
        self.end_snapshot();
        self.registry.paused.clear();
        for db in 0..self.dbs.len() {
            self.flush(db, &[]);
        }
        let left = self.dbs.iter().flat_map(|db| db.entries.iter()).map(bytes_of).sum::<usize>();
        // What belongs to the broker stays.
        other.effects = std::mem::take(&mut self.effects);
        other.work = std::mem::take(&mut self.work);
        other.trash.append(&mut self.trash);
        other.bytes += self.bytes.saturating_sub(left);
        (other.now_ms, other.queue_ms, other.now_s) = (self.now_ms, self.queue_ms, self.now_s);
        other.expired_count = self.expired_count;
        other.changes += self.changes;
        // An entry must not seem to have been saved in a later snapshot.
        other.epoch = self.epoch.wrapping_add(1);
        *self = other;
    }

    /// Whether there is such work as `do_chores_of_replica` does.
    pub(crate) fn has_chores_of_replica(&self) -> bool {
        self.has_trash() || self.registry.pass.is_some()
    }

    /// Does work that no command waits for, within the turn's budget: frees what was flushed, applies changed
    /// policies to the keys. What is due in queues is done by the primary.
    pub(crate) fn do_chores_of_replica(&mut self) {
        if self.has_chores_of_replica() {
            self.work.begin_chores();
            self.free_trash();
            if self.registry.pass.is_some() {
                self.continue_pass(false);
            }
            self.work.end_chores();
        }
    }
}
