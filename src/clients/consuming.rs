//! The consumer of a message, and the state of a client whose pops acknowledge. `inputs.rs` explains
//! inputs.

use crate::client_id::ClientId;
use crate::keyspace::{Claim, DbIndex, Key};

/// The client that takes messages, and the input that asked for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consumer {
    pub client: ClientId,
    /// The number of the input; it increases.
    pub input: u64,
}

impl Consumer {
    /// The claim to messages that a list command takes.
    pub(crate) fn claim(self) -> Claim {
        Claim { owner: self.client, input: self.input, by_receipt: false, lease_ms: 0 }
    }
}

/// The state of a client whose pops acknowledge.
#[derive(Clone, Debug, Default)]
pub(super) struct Consuming {
    /// The latest input that received a message under such a policy; 0 for none.
    pub(super) delivered_in: u64,
    /// The latest input in which a blocking pop began to wait.
    pub(super) waited_in: u64,
    /// The latest input in which a pop acknowledged all it could, of which queue, and at which swap
    /// count.
    pub(super) acknowledged: Option<(u64, Acknowledged)>,
    /// Whether pops have overlapped: several workers use the connection.
    pub is_shared: bool,
}

/// A queue of which everything was acknowledged that the client can have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) db: DbIndex,
    pub(super) key: Key,
    /// The number of SWAPDBs before.
    pub(super) swaps: u64,
}
