//! Blocked clients: the waiting call, and what it waits for.

use crate::keyspace::{Awaited, DbIndex, Key};
use crate::policy::QueuePolicy;
use crate::resp::OwnedRequest;
use std::sync::Arc;

/// Why a client's input is not processed.
#[derive(Debug)]
pub(crate) enum Blocked {
    /// CLIENT PAUSE holds back its next command, which is still in the input. The number is its place
    /// among those held back: the lowest runs first.
    Pause(u64),
    /// Its AUTH, which is still in the input, waits until this moment of the monotonic clock, in
    /// microseconds: too many passwords from its address were refused.
    AuthDelay(u64),
    /// A call waits, and runs again when what it wants may be available.
    Call(Box<Wait>),
}

/// A waiting call. It is counted when the wait ends.
#[derive(Debug)]
pub(crate) struct Wait {
    pub wants: Wants,
    pub db: DbIndex,
    /// The keys in whose lines the client waits.
    pub keys: Vec<Key>,
    /// The place in each line: the lowest ticket is served first.
    pub ticket: u64,
    /// When the wait ends without a result, in microseconds of the monotonic clock.
    pub deadline_us: Option<u64>,
    /// The request that runs again.
    pub request: OwnedRequest,
    /// The command's position in the table.
    pub command: usize,
    /// Microseconds that the call took before it began to wait.
    pub took_us: u64,
}

/// What a call waits for.
#[derive(Clone, Debug)]
pub(crate) enum Wants {
    /// The delivery of a message in one of its keys.
    Message,
    /// The same, under a lease, which belongs to no client.
    Lease,
    /// A message in its key, to move it.
    Move,
    /// A value in one of its keys that is not a list.
    Value(Awaited),
    /// Capacity for this many messages of a push, in a queue that was full under this policy.
    Capacity { policy: Arc<QueuePolicy>, messages: usize },
    /// The end of a save (SAVE), which `wait::end_save` reports.
    Save,
    /// The end of a migration of keys (MIGRATE), or what its target says of one of them.
    Migration,
    /// That the client's latest change is acknowledged (WAIT, WAITAOF).
    Replicas(ReplicasWanted),
}

/// The acknowledgements that a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplicasWanted {
    /// So many replicas have the change.
    Received { replicas: usize },
    /// So many replicas have it on their disks, and this broker on its own, if that is wanted too.
    OnDisk { replicas: usize, is_local: bool },
}

impl Wants {
    /// Whether the call waits for what is in its keys.
    pub(crate) fn is_for_keys(&self) -> bool {
        matches!(self, Wants::Message | Wants::Lease | Wants::Move | Wants::Value(_))
    }
}

impl Wait {
    /// Memory of the request and the names of the keys, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let keys: usize = self.keys.iter().map(|key| key.len()).sum();
        size_of::<Wait>() + keys + self.request.memory_bytes()
    }
}
