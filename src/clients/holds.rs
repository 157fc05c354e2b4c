//! The lists of clients whose output waits for a sync.

use crate::client_id::ClientId;
use std::collections::VecDeque;

/// The waiting clients, and what they wait for. Each client is at most once in each list.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// Clients whose commands changed data in this turn.
    pub(super) changed: Vec<ClientId>,
    /// Clients whose replies wait for a sync that has not begun.
    pub(super) waiting: Vec<ClientId>,
    /// Clients whose replies wait for a sync in progress, by its number, which increases.
    pub(super) in_sync: VecDeque<(u64, Vec<ClientId>)>,
}
