//! The effects of deliveries: what happened, in commands that mean the same whenever they are replayed.

use crate::keyspace::{DbIndex, Keyspace};
use crate::note::{Note, StreamNote};
use crate::resp::write_arg;
use crate::value::{Recipient, Stream, StreamId};

/// Entries in one recorded claim.
const IDS_PER_COMMAND: usize = 64;

/// Records the delivery of new entries to a consumer, which `is_new` or not.
pub(super) fn delivered(
    keyspace: &mut Keyspace,
    (db, key): (DbIndex, &[u8]),
    to: &Recipient<'_>,
    ids: &[StreamId],
    is_new: bool,
) {
    if is_new && (ids.is_empty() || !to.is_pending) {
        created_consumer(keyspace, (db, key), to);
    }
    if to.is_pending {
        claimed(keyspace, (db, key), to, ids, 1);
    }
    if !ids.is_empty() {
        group_id(keyspace, (db, key), to.group);
    }
}

/// Records that entries were delivered to their consumer again, each with the number of its deliveries.
pub(super) fn redelivered(
    keyspace: &mut Keyspace,
    (db, key): (DbIndex, &[u8]),
    to: &Recipient<'_>,
    entries: &[(StreamId, u64)],
    is_new: bool,
) {
    if !keyspace.effects.is_on() {
        return;
    }
    if is_new {
        created_consumer(keyspace, (db, key), to);
    }
    for same in entries.chunk_by(|a, b| a.1 == b.1) {
        let ids: Vec<StreamId> = same.iter().map(|(id, _)| *id).collect();
        let count = same.first().map_or(0, |(_, count)| *count);
        claimed(keyspace, (db, key), to, &ids, count);
    }
}

/// Records that entries are pending for a consumer since now, after this many deliveries of each.
pub(super) fn claimed(
    keyspace: &mut Keyspace,
    (db, key): (DbIndex, &[u8]),
    to: &Recipient<'_>,
    ids: &[StreamId],
    count: u64,
) {
    let (mut time, mut times) = (itoa::Buffer::new(), itoa::Buffer::new());
    let options = [
        &b"TIME"[..],
        time.format(to.now_ms).as_bytes(),
        b"RETRYCOUNT",
        times.format(count).as_bytes(),
        b"FORCE",
        b"JUSTID",
    ];
    for some in ids.chunks(IDS_PER_COMMAND) {
        keyspace.effects.record_written(db, 5 + some.len() + options.len(), |out| {
            let words = [&b"XCLAIM"[..], key, to.group, to.consumer, b"0"];
            words.into_iter().for_each(|arg| write_arg(out, arg));
            some.iter().for_each(|id| id.with_text(|text| write_arg(out, text)));
            options.into_iter().for_each(|arg| write_arg(out, arg));
        });
    }
}

/// Records how far a group has read.
pub(super) fn group_id(keyspace: &mut Keyspace, (db, key): (DbIndex, &[u8]), name: &[u8]) {
    let stream = keyspace.read::<Stream>(db, key).ok().flatten();
    let Some(group) = stream.and_then(|stream| stream.group(name)) else { return };
    let read = group.entries_read.map_or(-1, |read| i64::try_from(read).unwrap_or(i64::MAX));
    let last_id = group.last_id.to_text();
    let mut digits = itoa::Buffer::new();
    let read = digits.format(read).as_bytes();
    let words = [&b"XGROUP"[..], b"SETID", key, name, &last_id, b"ENTRIESREAD", read];
    keyspace.effects.record(db, words);
}

/// Records the creation of a consumer, and when that was.
pub(super) fn created_consumer(
    keyspace: &mut Keyspace,
    (db, key): (DbIndex, &[u8]),
    to: &Recipient<'_>,
) {
    keyspace.effects.record(db, [&b"XGROUP"[..], b"CREATECONSUMER", key, to.group, to.consumer]);
    let [key, group, consumer] = [key, to.group, to.consumer].map(<[u8]>::to_vec);
    let about = StreamNote::Seen { group, consumer, unix_ms: to.now_ms };
    keyspace.effects.note(db, &Note::OfStream { key, about });
}

/// Records that entries are no longer pending.
pub(super) fn gone(
    keyspace: &mut Keyspace,
    (db, key): (DbIndex, &[u8]),
    group: &[u8],
    ids: &[StreamId],
) {
    for some in ids.chunks(IDS_PER_COMMAND) {
        keyspace.effects.record_written(db, 3 + some.len(), |out| {
            [&b"XACK"[..], key, group].into_iter().for_each(|arg| write_arg(out, arg));
            some.iter().for_each(|id| id.with_text(|text| write_arg(out, text)));
        });
    }
}
