//! The state of queues under a policy besides their messages, and the registry of these queues.
//!
//! A key is matched against the policies when its entry is created, and all keys are when the
//! policies change; an entry without a policy has no such state, and costs one comparison. State
//! that belongs to a queue's name - deliveries, delayed messages, totals - stays when the list
//! itself is renamed.
//!
//! This file defines the state; `queueing/` applies the policies.

use super::departures::Departing;
use super::holdings::Holdings;
use super::in_flight::InFlight;
use super::policy_pass::{NewlyStamped, Pass};
use super::recent::Recent;
use super::totals::Totals;
use super::{Attachments, Db, DbIndex, Departure, Key, Keyspace, NEVER, Slot, Value};
use crate::client_id::ClientId;
use crate::deadlines::Deadlines;
use crate::policy::{Policies, QueuePolicy};
use crate::queue::{End, Queue};
use crate::value::Kind;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The state of a queue under a policy, besides its messages.
#[derive(Debug)]
pub(crate) struct QueueState {
    /// `None` for a queue that is only paused, or that just lost its policy.
    pub policy: Option<Arc<QueuePolicy>>,
    pub totals: Totals,
    pub in_flight: InFlight,
    /// Delayed messages, in the order of their pushes.
    pub delayed: Queue,
    /// Recently stored messages, if the policy asks for deduplication.
    pub(super) recent: Recent,
    /// The newest of the overdue deliveries that are being returned in parts.
    pub(super) overdue_to: Option<u64>,
    /// The newest of them that was examined, whether or not it may be returned.
    pub(super) overdue_seen: u64,
    /// The expiry of a list that became empty while its messages are in flight, in Unix
    /// milliseconds; `NEVER` if it did not, or had none.
    pub(super) expires_ms: i64,
    /// Whether pops find nothing.
    pub is_read_paused: bool,
    /// Whether pushes are refused.
    pub is_write_paused: bool,
    /// When the earliest thing is due, by the queue clock, as in `Db::dues`. It may be too early.
    pub(super) due_ms: Option<i64>,
    /// Since when new messages are ready, as recorded in append files, with the number of the file.
    pub(super) recorded: (u32, i64),
    /// When delayed messages are ready, as recorded, with the number of the file and their end of
    /// the queue.
    pub(super) recorded_delay: (u32, i64, End),
    /// Whether the queue is in `QueueRegistry::idle`.
    pub(super) is_listed: bool,
}

/// All state of queues under policies outside their own entries.
#[derive(Debug, Default)]
pub(super) struct QueueRegistry {
    pub(super) policies: Policies,
    /// Whether commands must check for policies at all.
    pub(super) is_on: bool,
    /// Whether they must check for reserved names of lists, which clients may not use.
    pub(super) reserves_names: bool,
    /// Whether a current policy reserves names.
    pub(super) policies_reserve_names: bool,
    /// Paused queues.
    pub(super) paused: BTreeSet<(DbIndex, Key)>,
    /// The earliest due time of a queue in each database, by the queue clock.
    pub(super) due_dbs: Deadlines<DbIndex, i64>,
    /// The deliveries that each client has in flight.
    pub(super) holdings: Holdings,
    /// Disconnected clients whose messages are still to be returned.
    pub(super) disconnected: VecDeque<ClientId>,
    /// The last examined message in flight of the first of these clients, whether or not it may be
    /// returned.
    pub(super) disconnected_seen: Option<(DbIndex, Key, u64)>,
    /// The number of the last delivery.
    pub(super) last_delivery: u64,
    /// Queues that had nothing left when added, the longest idle first; each once.
    pub(super) idle: VecDeque<(DbIndex, Key)>,
    pub(super) sums: Totals,
    /// Limit on the messages that each queue remembers for deduplication.
    pub(super) dedup_max: usize,
    /// Limit on the idle queues that are remembered.
    pub(super) idle_max: usize,
    /// Departing messages, in the order in which they left.
    pub(super) departing: VecDeque<Departing>,
    /// Above the numbers of all departures so far.
    pub(super) departing_end: u64,
    /// The number of departures of each queue.
    pub(super) departing_counts: BTreeMap<(DbIndex, Key), usize>,
    /// Departures noted in append files, during loading.
    pub(super) recorded_departures: Vec<Departure>,
    /// The number of names given to lists in append files.
    pub(super) lists_named: u64,
    /// Whether due queues were left for a later turn.
    pub(super) has_left_due: bool,
    /// Whether a look-up must bring its key up to date: due queues were left, or a pass is running.
    pub(super) is_behind: bool,
    /// Whether append files are being loaded.
    pub(super) is_replaying: bool,
    /// Lists that came under a policy other than by pushes.
    pub(super) newly_stamped: Vec<NewlyStamped>,
    /// The pass over all keys after a change of the policies.
    pub(super) pass: Option<Pass>,
    /// Queues with messages in flight or delayed that their current policy does not provide for.
    pub(super) orphaned: BTreeSet<(DbIndex, Key)>,
    /// Keys with a suffix of reserved names; some may no longer have a value.
    pub(super) suffixed: BTreeSet<Key>,
    /// At this many suffixed keys, those without a value are removed.
    pub(super) suffixed_max: usize,
}

/// The start of every mark, by any process.
const MARK: &[u8] = b"tidegate:";

/// Whether a text is a mark as returned by `Keyspace::mark`.
pub(crate) fn is_mark(text: &[u8]) -> bool {
    text.starts_with(MARK)
}

/// Bytes of memory of the state, without messages and deliveries.
const QUEUE_STATE_BYTES: usize = size_of::<QueueState>() + 64;

impl QueueState {
    fn under(policy: Option<Arc<QueuePolicy>>) -> QueueState {
        QueueState {
            policy,
            totals: Totals::default(),
            in_flight: InFlight::default(),
            delayed: Queue::new(),
            recent: Recent::default(),
            overdue_to: None,
            overdue_seen: 0,
            expires_ms: NEVER,
            is_read_paused: false,
            is_write_paused: false,
            due_ms: None,
            recorded: (0, 0),
            recorded_delay: (0, 0, End::Front),
            is_listed: false,
        }
    }

    /// Returns the bytes of memory.
    pub(crate) fn allocated_bytes(&self) -> usize {
        let hidden_bytes = self.in_flight.allocated_bytes() + self.delayed.allocated_bytes();
        QUEUE_STATE_BYTES + hidden_bytes + self.recent.allocated_bytes()
    }

    /// Drops messages in flight or delayed, and resets the totals; returns the freed bytes.
    fn flush(&mut self) -> usize {
        let bytes_before = self.allocated_bytes();
        self.in_flight.clear();
        self.delayed = Queue::new();
        self.recent.clear();
        self.totals = Totals::default();
        (self.due_ms, self.is_listed, self.expires_ms) = (None, false, NEVER);
        bytes_before - self.allocated_bytes()
    }

    /// Sets since when new messages are ready, according to the append file.
    pub(super) fn note(&mut self, ready_ms: i64) {
        self.recorded.1 = ready_ms;
    }

    /// Resets the totals after loading, and the recorded times: the next effects go to another
    /// file.
    pub(super) fn forget_loading(&mut self) {
        self.totals = Totals::default();
        (self.recorded, self.recorded_delay) = ((u32::MAX, 0), (u32::MAX, 0, End::Front));
    }

    /// True if nothing but the totals would be lost with it.
    pub(super) fn is_idle(&self) -> bool {
        self.has_nothing_hidden() && !self.is_paused()
    }

    /// True if nothing is in flight or delayed.
    pub(crate) fn has_nothing_hidden(&self) -> bool {
        self.in_flight.is_empty() && self.delayed.is_empty()
    }

    /// Whether it has messages in flight or delayed that a policy does not provide for.
    pub(super) fn is_orphaned_by(&self, policy: Option<&QueuePolicy>) -> bool {
        let provides = |has: fn(&QueuePolicy) -> bool| policy.is_some_and(has);
        (!self.in_flight.is_empty() && !provides(QueuePolicy::is_at_least_once))
            || (!self.delayed.is_empty() && !provides(|policy| policy.delay_ms.is_some()))
    }

    pub(super) fn is_paused(&self) -> bool {
        self.is_read_paused || self.is_write_paused
    }

    /// Whether the queue is scheduled no later than its next due time.
    #[inline]
    pub(super) fn is_scheduled_early_enough(&self, value: &Value) -> bool {
        match (self.next_due_ms(value), self.due_ms) {
            (None, _) => true,
            (Some(due_ms), scheduled_ms) => scheduled_ms.is_some_and(|at_ms| at_ms <= due_ms),
        }
    }

    /// Returns when the queue next has something due, by the queue clock.
    pub(super) fn next_due_ms(&self, value: &Value) -> Option<i64> {
        let policy = self.policy.as_ref()?;
        let oldest_ms = Queue::of(value).and_then(Queue::oldest_ms);
        let expiry = policy.message_ttl_ms.and_then(|ttl| Some(oldest_ms?.saturating_add(ttl)));
        let overdue = policy.ack_timeout_ms.and_then(|timeout| {
            let (_, delivery) = self.in_flight.first()?;
            Some(delivery.delivered_ms.saturating_add(timeout))
        });
        let ready = self.delayed.oldest_ms();
        // Recent messages need to be dropped only when all of them are outdated: until then,
        // nothing depends on it.
        let recent = policy
            .dedup_window_ms
            .and_then(|window| Some(self.recent.last_ms()?.saturating_add(window)));
        expiry.into_iter().chain(overdue).chain(ready).chain(recent).min()
    }
}

impl Attachments {
    /// Drops messages in flight or delayed. Also drops the whole state, unless clients wait for or
    /// watch the key or the queue is paused: an entry that stays, stays under its policy. Returns
    /// the freed bytes.
    pub(super) fn flush(&mut self) -> usize {
        let Some(queue_state) = &mut self.queue_state else { return 0 };
        let mut freed = queue_state.flush();
        let is_wanted =
            !self.waiters.is_empty() || !self.producers.is_empty() || !self.watchers.is_empty();
        if !is_wanted && queue_state.is_idle() {
            freed += queue_state.allocated_bytes();
            self.queue_state = None;
        }
        freed
    }
}

impl Keyspace {
    /// Returns the policies.
    pub(crate) fn policies(&self) -> &Policies {
        &self.registry.policies
    }

    /// Changes the policies and applies them to all queues at once, during loading. Messages that
    /// must be returned because of it are returned by the following effects, or at the end of
    /// loading. Messages that come under a policy are ready since `at_ms`.
    pub(crate) fn change_policies_at<R>(
        &mut self,
        at_ms: i64,
        change: impl FnOnce(&mut Policies) -> R,
    ) -> R {
        let result = self.set_policies(change);
        for db in 0..self.dbs.len() {
            // From the end: a dropped entry is replaced by one that was already visited.
            for index in (0..self.dbs[db].entries.len()).rev() {
                let orphaned = self.update_policy(db, index, at_ms);
                self.registry.orphaned.extend(orphaned.map(|key| (db, key)));
            }
        }
        self.update_policies_in_use();
        result
    }

    /// Puts a queue under a former policy. Its messages in flight or delayed, which follow in the
    /// append files, are returned at the end of loading.
    pub(crate) fn set_former_policy(&mut self, db: DbIndex, key: &[u8], policy: QueuePolicy) {
        let index = self.find_or_create(db, key);
        self.attach(db, index, Some(Arc::new(policy)), 0);
        self.registry.orphaned.insert((db, Key::from(key)));
        self.update_policies_in_use();
    }

    /// Puts an entry under its current policy. If it has messages in flight or delayed that must be
    /// returned first, does nothing and returns the key.
    pub(super) fn update_policy(&mut self, db: DbIndex, index: usize, at_ms: i64) -> Option<Key> {
        let entry = self.dbs[db].entries.get_index(index)?;
        let policy = self.registry.policies.of(entry.key()).cloned();
        let queue_state =
            entry.attachments().and_then(|attachments| attachments.queue_state.as_ref());
        let before = queue_state.and_then(|queue_state| queue_state.policy.as_ref());
        if policy.as_ref() == before {
            return None;
        }
        if queue_state.is_some_and(|queue_state| queue_state.is_orphaned_by(policy.as_deref())) {
            return Some(entry.shared_key());
        }
        self.attach(db, index, policy, at_ms);
        self.mark_capacity_changed(db, index);
        self.drop_if_unneeded(db, index);
        None
    }

    /// Puts an entry under a policy, or none. Its messages are ready since `at_ms`.
    pub(super) fn attach(
        &mut self,
        db: DbIndex,
        index: usize,
        policy: Option<Arc<QueuePolicy>>,
        at_ms: i64,
    ) {
        // Its messages may get or lose stamps.
        self.before_change(db, index);
        let is_under_policy = policy.is_some();
        let entry = &mut self.dbs[db].entries[index];
        let attachments = entry.attachments_or_default();
        match &mut attachments.queue_state {
            Some(queue_state) => queue_state.policy = policy,
            None => {
                attachments.queue_state = Some(Box::new(QueueState::under(policy)));
                self.bytes += QUEUE_STATE_BYTES;
            }
        }
        let recorded_ready_ms =
            attachments.queue_state.as_ref().map_or(0, |queue_state| queue_state.recorded.1);
        let push_ms = if self.registry.is_replaying { recorded_ready_ms } else { self.queue_ms };
        if let Some(queue) = entry.value_mut().and_then(Queue::of_mut) {
            self.bytes -= queue.allocated_bytes();
            let is_new = stamp(queue, is_under_policy, at_ms, push_ms);
            self.bytes += queue.allocated_bytes();
            if is_new {
                self.mark_newly_stamped(db, index);
            }
        }
        self.schedule(db, index);
    }

    /// Puts a new entry under the policy for its key, if there is one.
    pub(super) fn apply_policy(&mut self, db: DbIndex, index: usize) {
        if self.registry.policies.is_empty() {
            return;
        }
        let Some(entry) = self.dbs[db].entries.get_index(index) else { return };
        self.work.matched(self.registry.policies.comparisons_max());
        if let Some(policy) = self.registry.policies.of(entry.key()).cloned() {
            self.attach(db, index, Some(policy), self.queue_ms);
        }
    }

    /// Updates whether commands must check for policies and reserved names, after a change of the
    /// policies or of loading: see `update_policies_in_use`.
    pub(super) fn update_policy_use(&mut self) {
        self.registry.policies_reserve_names = self.registry.policies.reserve_names();
        self.update_policies_in_use();
    }

    /// Updates whether commands must check for policies and reserved names. A former policy is in
    /// use until its messages have been returned.
    pub(super) fn update_policies_in_use(&mut self) {
        let is_in_use = self.has_policies();
        let has_pass = self.has_pass();
        let registry = &mut self.registry;
        let is_replaying = registry.is_replaying;
        registry.is_on = (is_in_use || !registry.paused.is_empty()) && !is_replaying;
        let needs_names = registry.policies_reserve_names || has_pass;
        registry.reserves_names = needs_names && !is_replaying;
    }

    /// Whether any queue may be under a policy, including a former one.
    pub(crate) fn has_policies(&self) -> bool {
        !self.registry.policies.is_empty() || self.has_pass()
    }

    #[inline]
    pub(super) fn queue_state_at(&self, db: DbIndex, index: usize) -> Option<&QueueState> {
        self.dbs[db].entries[index].attachments()?.queue_state.as_deref()
    }

    /// Whether a key's queue is under a policy, or paused.
    #[inline]
    pub(crate) fn is_under_policy(&mut self, db: DbIndex, key: &[u8]) -> bool {
        self.registry.is_on && self.queue_state(db, key).is_some()
    }

    /// Returns the slot of a key whose queue is under a policy, or paused.
    #[inline]
    pub(crate) fn slot_under_policy(&mut self, db: DbIndex, key: &[u8]) -> Option<Slot> {
        if !self.registry.is_on {
            return None;
        }
        let at = self.slot(db, key)?;
        self.queue_state_in(at).map(|_| at)
    }

    /// As `slot_under_policy`, for a key that is about to get a message: creates an entry if there
    /// is none, to match it against the policies.
    #[inline]
    pub(crate) fn slot_for_push(&mut self, db: DbIndex, key: &[u8]) -> Option<Slot> {
        if !self.registry.is_on {
            return None;
        }
        let at = self.slot_or_create(db, key);
        self.queue_state_in(at).map(|_| at)
    }

    /// Returns the state of a queue under a policy.
    pub(crate) fn queue_state(&mut self, db: DbIndex, key: &[u8]) -> Option<&QueueState> {
        let index = self.find(db, key)?;
        self.queue_state_at(db, index)
    }

    /// Returns the policy that a key has, or would have.
    pub(crate) fn policy_for(&mut self, db: DbIndex, key: &[u8]) -> Option<Arc<QueuePolicy>> {
        self.policy_of(db, key).or_else(|| self.registry.policies.of(key).cloned())
    }

    /// Returns the policy of a queue.
    pub(crate) fn policy_of(&mut self, db: DbIndex, key: &[u8]) -> Option<Arc<QueuePolicy>> {
        self.queue_state(db, key)?.policy.clone()
    }

    /// Changes the state of a queue under a policy, with all consequences.
    pub(super) fn change_queue_state<R>(
        &mut self,
        db: DbIndex,
        key: &[u8],
        change: impl FnOnce(&mut QueueState) -> R,
    ) -> Option<R> {
        let index = self.find(db, key)?;
        self.before_change(db, index);
        let attachments = self.dbs[db].entries[index].attachments_mut()?;
        let queue_state = attachments.queue_state.as_deref_mut()?;
        let bytes_before = queue_state.allocated_bytes();
        let result = change(queue_state);
        self.bytes = self.bytes + queue_state.allocated_bytes() - bytes_before;
        self.changes += 1;
        self.schedule(db, index);
        self.mark_capacity_changed(db, index);
        self.drop_if_unneeded(db, index);
        Some(result)
    }

    /// Adds to the totals of a queue under a policy, and to the totals of all queues.
    pub(crate) fn count(&mut self, db: DbIndex, key: &[u8], add: impl Fn(&mut Totals)) {
        match self.slot(db, key) {
            Some(at) => self.count_in(at, add),
            None => add(&mut self.registry.sums),
        }
    }

    /// As `count`, for a slot.
    #[inline]
    pub(crate) fn count_in(&mut self, at: Slot, add: impl Fn(&mut Totals)) {
        add(&mut self.registry.sums);
        if let Some(queue_state) = self.queue_state_in_mut(at) {
            add(&mut queue_state.totals);
        }
    }

    /// Returns a mark: a text that no message can be expected to equal, derived from the keyspace's
    /// secret seed.
    pub(crate) fn mark(&self) -> Vec<u8> {
        mark(&self.dbs)
    }

    /// Returns the totals of all queues.
    pub(crate) fn queue_sums(&self) -> &Totals {
        &self.registry.sums
    }

    /// Resets the totals of all queues; those of each queue stay.
    pub(crate) fn reset_queue_sums(&mut self) {
        self.registry.sums = Totals::default();
    }

    /// Gives a new value stamps if its entry is under a policy, and removes them if not.
    pub(super) fn stamp_value(&mut self, db: DbIndex, index: usize) {
        let entry = &self.dbs[db].entries[index];
        if entry.is_plain() && !entry.list().is_some_and(Queue::is_stamped) {
            return;
        }
        let queue_state = self.queue_state_at(db, index);
        let is_under_policy = queue_state.is_some_and(|queue_state| queue_state.policy.is_some());
        let recorded_ready_ms = queue_state.map_or(0, |queue_state| queue_state.recorded.1);
        // During loading, the time since when these messages are ready follows the command that
        // adds them.
        let (at_ms, push_ms) = match self.registry.is_replaying {
            true => (0, recorded_ready_ms),
            false => (self.queue_ms, self.queue_ms),
        };
        let Some(queue) = self.dbs[db].entries[index].list_mut() else { return };
        let bytes_before = queue.allocated_bytes();
        let is_new = stamp(queue, is_under_policy, at_ms, push_ms);
        self.bytes = self.bytes + queue.allocated_bytes() - bytes_before;
        if is_new {
            self.mark_newly_stamped(db, index);
        }
    }

    /// Records that the messages pushed next are ready since `ms`. True if the append file already
    /// said so; `None` without a policy.
    pub(crate) fn set_recorded_ready(&mut self, at: Slot, ms: i64) -> Option<bool> {
        let recorded = (self.effects.file(), ms);
        let queue_state = self.queue_state_in_mut(at)?;
        queue_state.policy.as_ref()?;
        Some(std::mem::replace(&mut queue_state.recorded, recorded) == recorded)
    }

    /// Removes the queues of a flushed database from the registry.
    pub(super) fn flush_queue_state(&mut self, db: DbIndex) {
        let registry = &mut self.registry;
        registry.holdings.flush(db);
        registry.idle.retain(|(other, _)| *other != db);
    }

    /// Updates the registry after a swap of two databases.
    pub(super) fn swap_queue_states(&mut self, a: DbIndex, b: DbIndex) {
        let other = |db: DbIndex| match db {
            db if db == a => b,
            db if db == b => a,
            db => db,
        };
        let registry = &mut self.registry;
        registry.holdings.swap(other);
        // The order has changed.
        registry.disconnected_seen = None;
        for (db, _) in &mut registry.idle {
            *db = other(*db);
        }
        self.swap_departing(other);
        let registry = &mut self.registry;
        let paused = std::mem::take(&mut registry.paused).into_iter();
        registry.paused = paused.map(|(db, key)| (other(db), key)).collect();
        let orphaned = std::mem::take(&mut registry.orphaned).into_iter();
        registry.orphaned = orphaned.map(|(db, key)| (other(db), key)).collect();
        // The swap itself may have stamped them, and they are recorded after it.
        for list in &mut registry.newly_stamped {
            list.db = other(list.db);
        }
    }

    /// Panics if the registry or a queue's state disagrees with the entries.
    pub(super) fn check_queue_states(&self) {
        let (mut deliveries, mut listed) = (0, 0);
        for (db, database) in self.dbs.iter().enumerate() {
            let mut dues = 0;
            for (index, entry) in database.entries.iter().enumerate() {
                let key = &entry.shared_key();
                let queue_state = self.queue_state_at(db, index);
                let policy = queue_state.and_then(|queue_state| queue_state.policy.as_ref());
                let is_right = policy == self.registry.policies.of(key);
                assert!(is_right || self.is_unreached(db, index, key), "under another policy");
                if let Some(queue) = entry.value().and_then(Queue::of) {
                    assert_eq!(queue.is_stamped(), policy.is_some(), "stamps without a policy");
                }
                let Some(queue_state) = queue_state else { continue };
                queue_state.in_flight.check_invariants();
                for (number, delivery) in queue_state.in_flight.iter() {
                    let holdings = &self.registry.holdings;
                    let is_held = holdings.contains(delivery.owner, db, key, number);
                    assert!(is_held, "a delivery without a client");
                    deliveries += 1;
                }
                if let Some(due_ms) = queue_state.due_ms {
                    assert!(database.dues.contains(due_ms, key));
                    dues += 1;
                }
                listed += usize::from(queue_state.is_listed);
                if let Some(due_ms) = queue_state.next_due_ms(entry.content()) {
                    let scheduled_ms = queue_state.due_ms.expect("due but not scheduled");
                    assert!(scheduled_ms <= due_ms, "scheduled too late");
                }
            }
            assert_eq!(dues, database.dues.len(), "scheduled but not there");
            let first = self.registry.due_dbs.iter().find(|(_, other)| **other == db);
            assert_eq!(first.map(|(due_ms, _)| due_ms), database.dues.next());
        }
        assert_eq!(deliveries, self.registry.holdings.len());
        self.registry.holdings.check_invariants();
        // Names of removed queues stay until their turn comes.
        let idle = self.registry.idle.len();
        assert!(listed <= idle && idle <= self.registry.idle_max, "{listed} of {idle}");
    }
}

/// Returns the mark of the keyspace with these databases.
pub(super) fn mark(dbs: &[Db]) -> Vec<u8> {
    let secret: u64 = dbs[0].entries.hasher().hash_one(1_u8);
    [MARK, &secret.to_le_bytes()].concat()
}

/// Gives a list stamps, or removes them; true if messages got new ones. Those are ready since
/// `at_ms`, and later ones since `push_ms`.
fn stamp(queue: &mut Queue, is_under_policy: bool, at_ms: i64, push_ms: i64) -> bool {
    if !is_under_policy {
        queue.end_stamps();
        return false;
    }
    let is_new = !queue.is_stamped();
    if is_new {
        queue.begin_stamps(at_ms);
    }
    queue.set_push_ms(push_ms);
    is_new && !queue.is_empty()
}
