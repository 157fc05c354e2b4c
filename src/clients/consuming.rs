//! Who takes messages, and what is known of a client whose pops acknowledge. `inputs.rs` says what an
//! input is.

use crate::client_id::ClientId;
use crate::keyspace::{DbIndex, Key};

/// Who takes messages, in answer to which input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consumer {
    pub client: ClientId,
    /// The number of the input; it rises.
    pub input: u64,
}

impl Consumer {
    /// Nobody: append files are loaded.
    pub(crate) fn nobody() -> Consumer {
        Consumer { client: ClientId::nobody(), input: 0 }
    }
}

/// What is known of a client whose pops acknowledge.
#[derive(Clone, Debug, Default)]
pub(super) struct Consuming {
    /// The input that was last answered with a message under such a policy; 0 for none.
    pub(super) delivered_in: u64,
    /// The input in which a blocking pop last began to wait.
    pub(super) waited_in: u64,
    /// The input in which a pop last acknowledged all that it could, of which queue, and when that was.
    pub(super) acknowledged: Option<(u64, Acknowledged)>,
    /// Whether pops have overlapped: several workers use the connection.
    pub is_shared: bool,
}

/// A queue of which all was acknowledged that the client can have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) db: DbIndex,
    pub(super) key: Key,
    /// How often databases had changed places.
    pub(super) swaps: u64,
}
