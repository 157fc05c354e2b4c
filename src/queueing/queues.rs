//! The operations of policies on queues.

use crate::keyspace::Keyspace;

/// Applies policies to the queues of a keyspace, and records the effects.
pub(crate) struct Queues<'a> {
    pub(super) keyspace: &'a mut Keyspace,
}

impl<'a> Queues<'a> {
    pub(crate) fn new(keyspace: &'a mut Keyspace) -> Queues<'a> {
        Queues { keyspace }
    }
}
