//! QUEUE PAUSE and RESUME.

use super::Queues;
use crate::keyspace::DbIndex;
use crate::note::Note;
use crate::pauses::Pauses;

impl Queues<'_> {
    /// Sets the pauses of a queue, and records them. Those that end by themselves do so without a record: a
    /// loader knows when.
    pub(crate) fn pause(&mut self, db: DbIndex, key: &[u8], pauses: Pauses) {
        if self.keyspace.pauses(db, key) == pauses {
            return;
        }
        self.keyspace.set_pauses(db, key, pauses);
        self.keyspace.mark_change();
        self.keyspace.effects.note(db, &Note::Paused { key: key.to_vec(), pauses });
    }
}
