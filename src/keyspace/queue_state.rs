//! Queues under a policy: what belongs to one beside its messages, and which queues those are.
//!
//! A key is matched against the policies when its entry is made, and all keys are when the policies
//! change; an entry without a policy has nothing of this, and costs one comparison. What belongs to a
//! queue's name - deliveries, delayed messages, totals - stays when the list itself is renamed away.
//!
//! Here is what there is; what happens to it is in `commands/queue_state`.

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

/// What belongs to a queue under a policy, beside its messages.
#[derive(Debug)]
pub(crate) struct QueueState {
    /// None for a queue that is only paused, or that has just lost its policy.
    pub policy: Option<Arc<QueuePolicy>>,
    pub totals: Totals,
    pub in_flight: InFlight,
    /// Messages that are not ready yet, in the order in which they were pushed.
    pub delayed: Queue,
    /// What it has had lately, if its policy asks for that.
    pub(super) recent: Recent,
    /// The newest delivery of those that are returned in parts, since they are overdue.
    pub(super) overdue_to: Option<u64>,
    /// The newest of those that was looked at, whether it may come back.
    pub(super) overdue_seen: u64,
    /// When the list expires that has become empty while its messages are in flight, in Unix
    /// milliseconds; `NEVER` if it is not empty, or would stay.
    pub(super) expires_ms: i64,
    /// Whether pops find nothing.
    pub is_read_paused: bool,
    /// Whether pushes are refused.
    pub is_write_paused: bool,
    /// When something is to be done, at the earliest, by the clock of queues, as `Db::dues` has it.
    pub(super) due_ms: Option<i64>,
    /// Since when new messages are ready, as the append files have it, and in which file.
    pub(super) noted: (u32, i64),
    /// The same of delayed messages, and where they belong.
    pub(super) noted_delay: (u32, i64, End),
    /// Whether it is in line to be forgotten.
    pub(super) is_listed: bool,
}

/// All that is known of queues under policies besides their own entries.
#[derive(Debug, Default)]
pub(super) struct QueueRegistry {
    pub(super) policies: Policies,
    /// Whether a command must look for policies at all.
    pub(super) is_on: bool,
    /// Whether it must look for names of lists that no client may make.
    pub(super) reserves_names: bool,
    /// Whether a policy that holds needs such names.
    pub(super) policies_reserve_names: bool,
    /// Queues that are paused.
    pub(super) paused: BTreeSet<(DbIndex, Key)>,
    /// When each database has a queue with something to do, by the clock of queues.
    pub(super) due_dbs: Deadlines<DbIndex, i64>,
    /// What each client has in flight.
    pub(super) holdings: Holdings,
    /// Clients that have left, and whose messages are still to be returned.
    pub(super) departed: VecDeque<ClientId>,
    /// The last of what the first of them has in flight that was looked at, whether it may come back.
    pub(super) departed_seen: Option<(DbIndex, Key, u64)>,
    /// The number of the last delivery.
    pub(super) last_delivery: u64,
    /// Queues that had nothing left when they were added, the longest ago first; each once.
    pub(super) idle: VecDeque<(DbIndex, Key)>,
    pub(super) sums: Totals,
    /// Messages that each queue remembers so as not to store them again.
    pub(super) dedup_max: usize,
    /// Queues without messages that are remembered.
    pub(super) idle_max: usize,
    /// Messages on their way to dead letters, those first that left first.
    pub(super) departing: VecDeque<Departing>,
    /// Above the numbers of all that ever were.
    pub(super) departing_end: u64,
    /// How many of those each queue has.
    pub(super) departing_counts: BTreeMap<(DbIndex, Key), usize>,
    /// What append files say of lists of such messages, while they are loaded.
    pub(super) noted_departures: Vec<Departure>,
    /// Lists of append files that were given names.
    pub(super) lists_named: u64,
    /// Whether queues were left although they are due, since there was no time.
    pub(super) has_left_due: bool,
    /// Whether a look-up has to see to its key: queues were left, or a pass is under way.
    pub(super) is_behind: bool,
    /// Whether append files are being loaded.
    pub(super) is_replaying: bool,
    /// Lists that came under a policy in another way than by pushes.
    pub(super) newly_stamped: Vec<NewlyStamped>,
    /// The pass over all keys that follows a change of the policies.
    pub(super) pass: Option<Pass>,
    /// Queues that it has found to have something in flight or delayed that must not be any more.
    pub(super) orphaned: BTreeSet<(DbIndex, Key)>,
    /// Keys that end as names do which append files need; some may have no value any more.
    pub(super) suffixed: BTreeSet<Key>,
    /// How many of those there may be before the ones without a value are forgotten.
    pub(super) suffixed_max: usize,
}

/// What a mark begins with, whichever process made it.
const MARK: &[u8] = b"tidegate:";

/// Whether a text is a mark as `Keyspace::mark` makes them.
pub(crate) fn is_mark(text: &[u8]) -> bool {
    text.starts_with(MARK)
}

/// Bytes of memory that a queue under a policy takes beside its messages and deliveries.
const GOVERNED_BYTES: usize = size_of::<QueueState>() + 64;

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
            noted: (0, 0),
            noted_delay: (0, 0, End::Front),
            is_listed: false,
        }
    }

    /// Bytes of memory.
    pub(crate) fn allocated_bytes(&self) -> usize {
        let hidden_bytes = self.in_flight.allocated_bytes() + self.delayed.allocated_bytes();
        GOVERNED_BYTES + hidden_bytes + self.recent.allocated_bytes()
    }

    /// Forgets what is in flight or delayed, and what was counted; the bytes that frees.
    fn flush(&mut self) -> usize {
        let bytes_before = self.allocated_bytes();
        self.in_flight.clear();
        self.delayed = Queue::new();
        self.recent.clear();
        self.totals = Totals::default();
        (self.due_ms, self.is_listed, self.expires_ms) = (None, false, NEVER);
        bytes_before - self.allocated_bytes()
    }

    /// Notes what a file says of new messages.
    pub(super) fn note(&mut self, ready_ms: i64) {
        self.noted.1 = ready_ms;
    }

    /// Forgets what loading has counted, and what a file said: the next is another one.
    pub(super) fn forget_loading(&mut self) {
        self.totals = Totals::default();
        (self.noted, self.noted_delay) = ((u32::MAX, 0), (u32::MAX, 0, End::Front));
    }

    /// Whether nothing but its totals would be lost with it.
    pub(super) fn is_idle(&self) -> bool {
        self.has_nothing_hidden() && !self.is_paused()
    }

    /// Whether nothing is in flight or delayed.
    pub(crate) fn has_nothing_hidden(&self) -> bool {
        self.in_flight.is_empty() && self.delayed.is_empty()
    }

    /// Whether it has messages in flight or delayed for which a policy does not provide.
    pub(super) fn is_orphaned_by(&self, policy: Option<&QueuePolicy>) -> bool {
        let provides = |has: fn(&QueuePolicy) -> bool| policy.is_some_and(has);
        (!self.in_flight.is_empty() && !provides(QueuePolicy::is_at_least_once))
            || (!self.delayed.is_empty() && !provides(|policy| policy.delay_ms.is_some()))
    }

    pub(super) fn is_paused(&self) -> bool {
        self.is_read_paused || self.is_write_paused
    }

    /// Whether what is to be done for the queue next is noted, or something before it.
    #[inline]
    pub(super) fn is_noted_early_enough(&self, value: &Value) -> bool {
        match (self.next_due_ms(value), self.due_ms) {
            (None, _) => true,
            (Some(due_ms), noted_ms) => noted_ms.is_some_and(|noted_ms| noted_ms <= due_ms),
        }
    }

    /// When something is to be done for the queue next, by the clock of queues.
    pub(super) fn next_due_ms(&self, value: &Value) -> Option<i64> {
        let policy = self.policy.as_ref()?;
        let oldest_ms = Queue::of(value).and_then(Queue::oldest_ms);
        let expiry = policy.message_ttl_ms.and_then(|ttl| Some(oldest_ms?.saturating_add(ttl)));
        let overdue = policy.ack_timeout_ms.and_then(|timeout| {
            let (_, delivery) = self.in_flight.first()?;
            Some(delivery.delivered_ms.saturating_add(timeout))
        });
        let ripe = self.delayed.oldest_ms();
        // Early enough to be forgotten: until then nothing depends on it.
        let recent = policy
            .dedup_window_ms
            .and_then(|window| Some(self.recent.last_ms()?.saturating_add(window)));
        expiry.into_iter().chain(overdue).chain(ripe).chain(recent).min()
    }
}

impl Attachments {
    /// Forgets what a queue has in flight or delayed, and all that belongs to it if nobody waits for it or
    /// watches it: an entry that stays, stays under its policy. The bytes that frees.
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
    /// The policies.
    pub(crate) fn policies(&self) -> &Policies {
        &self.registry.policies
    }

    /// Changes the policies, and at once which queues they govern, while append files are loaded. What has to
    /// be returned for that is in them, or is done when all is loaded. Messages that come under a policy are ready since `at_ms`.
    pub(crate) fn change_policies_at<R>(
        &mut self,
        at_ms: i64,
        change: impl FnOnce(&mut Policies) -> R,
    ) -> R {
        let result = self.set_policies(change);
        for db in 0..self.dbs.len() {
            // From the end: an entry that is dropped is replaced by one that has been looked at.
            for index in (0..self.dbs[db].entries.len()).rev() {
                let orphaned = self.update_policy(db, index, at_ms);
                self.registry.orphaned.extend(orphaned.map(|key| (db, key)));
            }
        }
        self.update_policies_in_use();
        result
    }

    /// Puts a queue under a policy that has gone: what is in flight or delayed of it, which append files tell
    /// next, is to be returned when they are loaded.
    pub(crate) fn set_former_policy(&mut self, db: DbIndex, key: &[u8], policy: QueuePolicy) {
        let index = self.find_or_create(db, key);
        self.attach(db, index, Some(Arc::new(policy)), 0);
        self.registry.orphaned.insert((db, Key::from(key)));
        self.update_policies_in_use();
    }

    /// Puts an entry under the policy that holds now; its key, and nothing done, if something is in
    /// flight or delayed that must not be any more.
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
        // Its messages may get stamps, or lose them.
        self.before_change(db, index);
        let is_under_policy = policy.is_some();
        let entry = &mut self.dbs[db].entries[index];
        let attachments = entry.attachments_or_default();
        match &mut attachments.queue_state {
            Some(queue_state) => queue_state.policy = policy,
            None => {
                attachments.queue_state = Some(Box::new(QueueState::under(policy)));
                self.bytes += GOVERNED_BYTES;
            }
        }
        let noted_ms =
            attachments.queue_state.as_ref().map_or(0, |queue_state| queue_state.noted.1);
        let push_ms = if self.registry.is_replaying { noted_ms } else { self.queue_ms };
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

    /// Puts a new entry under the policy of its key, if there is one.
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

    /// Notes whether commands must look for policies, and for names: see `update_policies_in_use`.
    pub(super) fn update_policy_use(&mut self) {
        self.registry.policies_reserve_names = self.registry.policies.reserve_names();
        self.update_policies_in_use();
    }

    /// Notes whether commands must look for policies, or for names that one needs. A policy that has gone is
    /// in use until what it provided for is back in its queues.
    pub(super) fn update_policies_in_use(&mut self) {
        let is_in_use = self.has_policies();
        let has_pass = self.has_pass();
        let registry = &mut self.registry;
        let is_replaying = registry.is_replaying;
        registry.is_on = (is_in_use || !registry.paused.is_empty()) && !is_replaying;
        let needs_names = registry.policies_reserve_names || has_pass;
        registry.reserves_names = needs_names && !is_replaying;
    }

    /// Whether any queue may be under a policy, also under one that has gone.
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

    /// Where a key is whose queue is under a policy, or paused.
    #[inline]
    pub(crate) fn slot_under_policy(&mut self, db: DbIndex, key: &[u8]) -> Option<Slot> {
        if !self.registry.is_on {
            return None;
        }
        let at = self.slot(db, key)?;
        self.queue_state_in(at).map(|_| at)
    }

    /// As `slot_under_policy`, of a key that is about to get a message: an entry is made for it if it has none,
    /// to find out.
    #[inline]
    pub(crate) fn slot_for_push(&mut self, db: DbIndex, key: &[u8]) -> Option<Slot> {
        if !self.registry.is_on {
            return None;
        }
        let at = self.slot_or_create(db, key);
        self.queue_state_in(at).map(|_| at)
    }

    /// What belongs to a queue under a policy.
    pub(crate) fn queue_state(&mut self, db: DbIndex, key: &[u8]) -> Option<&QueueState> {
        let index = self.find(db, key)?;
        self.queue_state_at(db, index)
    }

    /// The policy that a key has, or would have.
    pub(crate) fn policy_for(&mut self, db: DbIndex, key: &[u8]) -> Option<Arc<QueuePolicy>> {
        self.policy_of(db, key).or_else(|| self.registry.policies.of(key).cloned())
    }

    /// The policy that a queue is under.
    pub(crate) fn policy_of(&mut self, db: DbIndex, key: &[u8]) -> Option<Arc<QueuePolicy>> {
        self.queue_state(db, key)?.policy.clone()
    }

    /// Changes what belongs to a queue under a policy, with all that follows from it.
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

    /// Counts for a queue under a policy and for the sum of all.
    pub(crate) fn count(&mut self, db: DbIndex, key: &[u8], add: impl Fn(&mut Totals)) {
        match self.slot(db, key) {
            Some(at) => self.count_in(at, add),
            None => add(&mut self.registry.sums),
        }
    }

    /// As `count`, of a key that was found.
    #[inline]
    pub(crate) fn count_in(&mut self, at: Slot, add: impl Fn(&mut Totals)) {
        add(&mut self.registry.sums);
        if let Some(queue_state) = self.queue_state_in_mut(at) {
            add(&mut queue_state.totals);
        }
    }

    /// A text that no message can be expected to be: it is made of the keyspace's secret seed.
    pub(crate) fn mark(&self) -> Vec<u8> {
        mark(&self.dbs)
    }

    /// The totals of all queues.
    pub(crate) fn queue_sums(&self) -> &Totals {
        &self.registry.sums
    }

    /// Starts the totals of all queues anew; those of each stay.
    pub(crate) fn reset_queue_sums(&mut self) {
        self.registry.sums = Totals::default();
    }

    /// Makes a value that comes to an entry have stamps if the entry is under a policy, and none if not.
    pub(super) fn stamp_value(&mut self, db: DbIndex, index: usize) {
        let entry = &self.dbs[db].entries[index];
        if entry.is_plain() && !entry.list().is_some_and(Queue::is_stamped) {
            return;
        }
        let queue_state = self.queue_state_at(db, index);
        let is_under_policy = queue_state.is_some_and(|queue_state| queue_state.policy.is_some());
        let noted_ms = queue_state.map_or(0, |queue_state| queue_state.noted.1);
        // While files are loaded, since when these messages are ready is noted behind the command that
        // brings them.
        let (at_ms, push_ms) = match self.registry.is_replaying {
            true => (0, noted_ms),
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

    /// Notes that the file says of the messages pushed next that they are ready since `ms`; whether it did
    /// so before. None without a policy.
    pub(crate) fn set_recorded_ready(&mut self, at: Slot, ms: i64) -> Option<bool> {
        let noted = (self.effects.file(), ms);
        let queue_state = self.queue_state_in_mut(at)?;
        queue_state.policy.as_ref()?;
        Some(std::mem::replace(&mut queue_state.noted, noted) == noted)
    }

    /// Forgets what is noted of the queues of a database that was flushed.
    pub(super) fn flush_queue_state(&mut self, db: DbIndex) {
        let registry = &mut self.registry;
        registry.holdings.flush(db);
        registry.idle.retain(|(other, _)| *other != db);
    }

    /// What is noted of the queues of two databases, after these have changed places.
    pub(super) fn swap_queue_states(&mut self, a: DbIndex, b: DbIndex) {
        let other = |db: DbIndex| match db {
            db if db == a => b,
            db if db == b => a,
            db => db,
        };
        let registry = &mut self.registry;
        registry.holdings.swap(other);
        // They have another order now.
        registry.departed_seen = None;
        for (db, _) in &mut registry.idle {
            *db = other(*db);
        }
        self.swap_departing(other);
        let registry = &mut self.registry;
        let paused = std::mem::take(&mut registry.paused).into_iter();
        registry.paused = paused.map(|(db, key)| (other(db), key)).collect();
        let orphaned = std::mem::take(&mut registry.orphaned).into_iter();
        registry.orphaned = orphaned.map(|(db, key)| (other(db), key)).collect();
        // The exchange itself may have reached them: they are noted behind it.
        for list in &mut registry.newly_stamped {
            list.db = other(list.db);
        }
    }

    /// Panics if what is noted of queues under policies disagrees with their entries.
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
                    assert!(is_held, "nobody holds it");
                    deliveries += 1;
                }
                if let Some(due_ms) = queue_state.due_ms {
                    assert!(database.dues.contains(due_ms, key));
                    dues += 1;
                }
                listed += usize::from(queue_state.is_listed);
                if let Some(due_ms) = queue_state.next_due_ms(entry.content()) {
                    let noted_ms =
                        queue_state.due_ms.expect("it has something to do and is not noted");
                    assert!(noted_ms <= due_ms, "it would be looked at too late");
                }
            }
            assert_eq!(dues, database.dues.len(), "something is due that is not there");
            let first = self.registry.due_dbs.iter().find(|(_, other)| **other == db);
            assert_eq!(first.map(|(due_ms, _)| due_ms), database.dues.next());
        }
        assert_eq!(deliveries, self.registry.holdings.len());
        self.registry.holdings.check_invariants();
        // Names of queues that are gone stay until it is their turn.
        let idle = self.registry.idle.len();
        assert!(listed <= idle && idle <= self.registry.idle_max, "{listed} of {idle}");
    }
}

/// The mark of the keyspace that has these databases.
pub(super) fn mark(dbs: &[Db]) -> Vec<u8> {
    let secret: u64 = dbs[0].entries.hasher().hash_one(1_u8);
    [MARK, &secret.to_le_bytes()].concat()
}

/// Gives a list stamps, or takes them away; whether messages got some. Those are ready since `at_ms`, and
/// those to come since `push_ms`.
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
