//! Replays notes about streams.

use crate::keyspace::{DbIndex, Keyspace};
use crate::note::StreamNote;
use crate::value::{Stream, StreamId};

/// Adds to the stream at a key what a note says about it.
pub(super) fn replay_stream_note(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    about: &StreamNote,
) {
    let add = |stream: &mut Stream| {
        match about {
            StreamNote::Counts { added, deleted: (ms, seq) } => {
                let deleted = StreamId { ms: *ms, seq: *seq };
                stream.set_ids(stream.last_id(), Some(*added), deleted);
            }
            StreamNote::Read { group, entries } => {
                stream.change_group(group, |group| group.entries_read = *entries);
            }
            StreamNote::Seen { group, consumer, unix_ms } => {
                stream.change_group(group, |group| {
                    if let Some(number) = group.find_consumer(consumer) {
                        group.set_seen(number, *unix_ms);
                    }
                });
            }
        }
        ((), true)
    };
    // When this was recorded, the key held a stream or nothing.
    let _ = keyspace.change_quietly(db, key, add);
}
