//! What append files are told of the messages in a governed queue: since when they are ready.

use crate::effects::Effects;
use crate::keyspace::{DbIndex, Keyspace, NewlyStamped, Slot};
use crate::note::Note;
use crate::queue::End;

/// Notes since when the messages are ready that are about to be stated as pushed to a governed queue, if
/// the stream does not say so yet.
pub fn note_ready(keyspace: &mut Keyspace, effects: &mut Effects, db: DbIndex, key: &[u8]) {
    note_ready_since(keyspace, effects, db, key, keyspace.queue_ms());
}

/// As `note_ready`, of messages that are ready since `ms`.
pub fn note_ready_since(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    ms: i64,
) {
    if effects.is_on()
        && let Some(at) = keyspace.slot(db, key)
    {
        note_ready_in(keyspace, effects, at, ms);
    }
}

/// As `note_ready_since`, of a queue that was found.
#[inline]
pub fn note_ready_in(keyspace: &mut Keyspace, effects: &mut Effects, at: Slot, ms: i64) {
    if effects.is_on() && keyspace.note_ready_ms(at, effects.file(), ms) == Some(false) {
        let key = keyspace.key_in(at).to_vec();
        effects.note(at.db(), &Note::Ready { key, ms });
    }
}

/// Notes since when the messages are ready that came under a policy in another way than by a push: a
/// list was renamed or copied, the policies changed.
pub fn note_stamped(keyspace: &mut Keyspace, effects: &mut Effects) {
    for NewlyStamped { db, key, ms, is_corrected } in keyspace.take_newly_stamped() {
        // Also if the same was noted before these came.
        let noted = keyspace.slot(db, &key);
        if noted.and_then(|at| keyspace.note_ready_ms(at, effects.file(), ms)).is_none() {
            continue;
        }
        let key = key.to_vec();
        if is_corrected && let Some(list) = keyspace.peek_list(db, &key) {
            let runs = list.stamp_runs().collect();
            effects.note(db, &Note::Stamped { key: key.clone(), end: End::Back, runs });
        }
        effects.note(db, &Note::Ready { key, ms });
    }
}
