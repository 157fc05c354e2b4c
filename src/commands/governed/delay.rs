//! Messages that can only be taken some time after they were pushed.

use super::delayed_key;
use super::record::note_ready_since;
use super::side;
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Key, Keyspace, Removed};
use crate::note::Note;
use crate::queue::{End, Gathered, Stamp, TakenOut};
use crate::state::add_expired;

/// Keeps messages back that are pushed at an end of a queue, and were dead letters so often.
#[expect(clippy::too_many_arguments, reason = "messages, where they belong, and for how long not")]
pub fn delay<'a>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    end: End,
    messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    delay_ms: i64,
    hops: u16,
) {
    let ready_ms = keyspace.queue_ms().saturating_add(delay_ms);
    let stamp = Stamp { ready_ms, taken_from: end, hops, ..Stamp::default() };
    keyspace.delay(db, key, messages.clone(), stamp);
    add_expired(keyspace, effects);
    if effects.is_on() && !keyspace.note_delay(db, key, (effects.file(), ready_ms, end)) {
        effects.note(db, &Note::Delayed { key: key.to_vec(), ms: ready_ms, end });
    }
    effects.state_push(db, End::Back, &delayed_key(key), messages);
}

/// Makes messages ready that are by `until_ms`, `count_max` at the most, in the order in which they come to
/// be; those that wait for the queue get them. They are ready since then, or since now if that is
/// earlier.
pub fn release(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
    until_ms: i64,
    count_max: usize,
) {
    let list = Key::from(delayed_key(key));
    let mut gathered = Gathered::default();
    let mut rows: Vec<Removed> = Vec::new();
    let mut left = count_max;
    while left > 0
        && let Some(ripe) = keyspace.take_ripe(db, key, until_ms, left)
    {
        let TakenOut { index, count, behind, .. } = ripe;
        rows.push(Removed { db, key: list.clone(), index, count, behind, departure: None });
        left -= count;
        gathered.add(ripe);
    }
    if rows.is_empty() {
        return;
    }
    keyspace.work.moved(count_max - left);
    let now_ms = keyspace.queue_ms();
    let messages = gathered.into_sorted();
    // As nearly always: the first of the list, in its order.
    let are_moves = rows.iter().all(|row| row.index == 0)
        && messages.last().is_some_and(|(_, stamp)| stamp.ready_ms <= now_ms);
    if !are_moves {
        rows.iter().for_each(|row| effects.state_removed(row, || keyspace.mark()));
    }
    let pushed = keyspace.change_or_create_list(db, key, |queue| {
        for (message, Stamp { ready_ms, taken_from, hops, .. }) in &messages {
            let ready_ms = *ready_ms.min(&now_ms);
            let stamp = Stamp { ready_ms, hops: *hops, ..Stamp::default() };
            queue.push_stamped(*taken_from, message, stamp);
        }
    });
    debug_assert!(pushed.is_ok());
    add_expired(keyspace, effects);
    for (message, Stamp { ready_ms, taken_from, .. }) in &messages {
        if are_moves {
            effects.state(db, [b"LMOVE", &list[..], key, b"LEFT", side(*taken_from)]);
        } else {
            note_ready_since(keyspace, effects, db, key, *ready_ms.min(&now_ms));
            effects.state_push(db, *taken_from, key, [&message[..]]);
        }
    }
}
