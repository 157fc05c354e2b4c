//! Messages that can only be taken some time after they were pushed.

use super::delayed_key;
use super::push::note_ready;
use super::side;
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Keyspace, Ripe};
use crate::note::Note;
use crate::queue::{End, Stamp};
use crate::state::add_expired;

/// Keeps messages back that are pushed at an end of a queue.
pub fn delay<'a>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    delay_ms: i64,
) {
    let ready_ms = keyspace.now_ms().saturating_add(delay_ms);
    keyspace.delay(db, key, end, messages.clone(), ready_ms);
    add_expired(keyspace, effects);
    if effects.is_on() && !keyspace.note_delay(db, key, (effects.file(), ready_ms, end)) {
        effects.note(db, &Note::Delayed { key: key.to_vec(), ms: ready_ms, end });
    }
    effects.state_push(db, End::Back, &delayed_key(key), messages);
}

/// Makes messages ready that are by `now_ms`; those that wait for the queue get them.
pub fn release(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    now_ms: i64,
) {
    while let Some(ripe) = keyspace.take_ripe(db, key, now_ms) {
        let ready =
            |stamp: Stamp| Stamp { ready_ms: stamp.ready_ms.min(now_ms), ..Stamp::default() };
        let pushed = keyspace.change_or_create_list(db, key, |queue| {
            for (message, stamp) in &ripe.messages {
                queue.push_stamped(stamp.taken_from, message, ready(*stamp));
            }
        });
        debug_assert!(pushed.is_ok());
        add_expired(keyspace, effects);
        if effects.is_on() {
            state_release(keyspace, effects, db, key, &ripe);
        }
    }
}

/// Forgets what is delayed of a queue that is deleted; whether there was anything.
pub fn clear_delayed(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
) -> bool {
    let is_cleared = keyspace.clear_delayed(db, key);
    if is_cleared {
        effects.add(db, [b"DEL", &delayed_key(key)[..]]);
    }
    is_cleared
}

/// States that messages have become ready: as moves from the list of delayed ones, if they were its
/// first; else as what is left of that list, and pushes.
fn state_release(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    ripe: &Ripe,
) {
    let list = delayed_key(key);
    if ripe.index == 0 {
        for (_, stamp) in &ripe.messages {
            effects.state(db, [b"LMOVE", &list[..], key, b"LEFT", side(stamp.taken_from)]);
        }
        return;
    }
    let at = (ripe.index, ripe.messages.len(), ripe.behind);
    super::due::state_gone(keyspace, effects, db, &list, at);
    note_ready(keyspace, effects, db, key);
    for (message, stamp) in &ripe.messages {
        effects.state_push(db, stamp.taken_from, key, [&message[..]]);
    }
}
