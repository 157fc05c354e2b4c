//! Who does what policies say.

use crate::effects::Effects;
use crate::keyspace::Keyspace;
use crate::state::add_expired;

/// The queues, to do with them what policies say: with the record of what changes.
pub(crate) struct Queues<'a> {
    pub(super) keyspace: &'a mut Keyspace,
    pub(super) effects: &'a mut Effects,
}

impl<'a> Queues<'a> {
    pub(crate) fn new(keyspace: &'a mut Keyspace, effects: &'a mut Effects) -> Queues<'a> {
        Queues { keyspace, effects }
    }

    /// Records what has expired: before what follows from its being gone.
    #[inline]
    pub(super) fn add_expired(&mut self) {
        add_expired(self.keyspace, self.effects);
    }
}
