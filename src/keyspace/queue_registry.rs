//! What is known about queues under policies outside their own entries.

use super::announced::Announced;
use super::departing::Departing;
use super::holdings::{Holder, Holdings};
use super::totals::Totals;
use super::{DbIndex, Departure, Key};
use crate::client_id::ClientId;
use crate::deadlines::Deadlines;
use crate::histogram::CoarseHistogram;
use crate::note::DeadLetterRow;
use crate::policy::Policies;
use crate::queue::DeadLetter;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

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
    pub(super) disconnected_seen: Option<(Holder, Key, u64)>,
    /// The number of the last delivery.
    pub(super) last_delivery: u64,
    /// Whether append files say that it was raised at the start.
    pub(super) is_raise_recorded: bool,
    /// Queues that had nothing left when added, the longest idle first; each once.
    pub(super) idle: VecDeque<(DbIndex, Key)>,
    pub(super) sums: Totals,
    /// The milliseconds from when a message was ready to its first delivery, under policies.
    pub(super) waits: CoarseHistogram,
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
    /// What a note says of the next push, during loading.
    pub(super) announced: Option<(DbIndex, Key, Announced)>,
    /// The origin of the last dead letter.
    pub(super) last_dead_letter: Option<Arc<DeadLetter>>,
    /// What the last note about dead letters said, during loading.
    pub(super) replayed_dead_letters: Option<DeadLetterRow>,
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

/// A running pass over all keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    /// Since when messages of queues newly under a policy are ready, if append files say so for all
    /// of them; otherwise it is the time when a key is reached, and they say so for each.
    pub(super) at_ms: Option<i64>,
}

/// A list that came under a policy other than by pushes.
#[derive(Debug)]
pub(crate) struct NewlyStamped {
    pub db: DbIndex,
    pub key: Key,
    /// Since when its messages are ready.
    pub ms: i64,
    /// Whether append files may already give another time for them.
    pub is_corrected: bool,
}
