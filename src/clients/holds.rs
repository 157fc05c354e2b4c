//! Whose output waits for a sync: the lists of it.

use crate::client_id::ClientId;
use std::collections::VecDeque;

/// Whose output waits, and for what. Each client is at most once in each list.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// Clients whose commands changed data in this turn.
    pub(super) changed: Vec<ClientId>,
    /// Clients whose replies wait for a sync that has not begun.
    pub(super) waiting: Vec<ClientId>,
    /// Clients whose replies wait for a sync under way, by its number, which rises.
    pub(super) in_sync: VecDeque<(u64, Vec<ClientId>)>,
}
