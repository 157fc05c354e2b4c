//! Who does what policies say.

use crate::keyspace::Keyspace;

/// The queues, to do with them what policies say, and to state it.
pub(crate) struct Queues<'a> {
    pub(super) keyspace: &'a mut Keyspace,
}

impl<'a> Queues<'a> {
    pub(crate) fn new(keyspace: &'a mut Keyspace) -> Queues<'a> {
        Queues { keyspace }
    }
}
