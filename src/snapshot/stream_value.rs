//! A stream as a value of RDB files, in pieces. It has the type that Redis 5 has, too; the counts that came later are
//! in notes behind it.

use super::place::{ELEMENTS_AT_ONCE, ElementPlace, GroupPlace, Part};
use crate::note::{Note, StreamNote};
use crate::rdb::format::TYPE_STREAM;
use crate::rdb::write::{write_length, write_number_length, write_string};
use crate::value::{Stream, StreamId};

/// The type of a stream in RDB files.
pub(super) const TYPE: u8 = TYPE_STREAM;

/// Blocks that are written at once.
const BLOCKS_AT_ONCE: usize = 4;

/// Writes blocks from the one with this index on. Returns the next place; behind the last are the groups.
pub(super) fn write_blocks(out: &mut Vec<u8>, stream: &Stream, index: u64) -> Option<ElementPlace> {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let mut listpack = Vec::new();
    for (first, write) in stream.blocks_from(index).take(BLOCKS_AT_ONCE) {
        write_string(out, &first.to_bytes());
        listpack.clear();
        write(&mut listpack);
        write_string(out, &listpack);
    }
    let next = index.saturating_add(BLOCKS_AT_ONCE);
    if next < stream.block_count() {
        return Some(ElementPlace::At(next as u64));
    }
    write_number_length(out, stream.len());
    write_id(out, stream.last_id());
    write_length(out, stream.groups().len());
    stream.groups().next().map(|(name, _)| before(name, Part::Start))
}

/// Writes a part of a group. Returns the next place, if there is more.
pub(super) fn write_group(
    out: &mut Vec<u8>,
    stream: &Stream,
    place: GroupPlace,
) -> Option<ElementPlace> {
    let GroupPlace { group: name, part } = place;
    let group = stream.group(&name)?;
    let last = match part {
        Part::Start => {
            write_string(out, &name);
            write_id(out, group.last_id);
            write_length(out, group.pending().len());
            return Some(before(&name, Part::Pending(StreamId::MIN)));
        }
        Part::Pending(from) => {
            let mut rest = group.pending().range_from(from);
            for (id, delivery) in rest.by_ref().take(ELEMENTS_AT_ONCE) {
                out.extend_from_slice(&id.to_bytes());
                out.extend_from_slice(&delivery.ms.to_le_bytes());
                write_number_length(out, delivery.count);
            }
            if let Some((next, _)) = rest.next() {
                return Some(before(&name, Part::Pending(next)));
            }
            write_length(out, group.consumers().len());
            None
        }
        Part::Consumer(consumer) => {
            let found = group.consumer(group.find_consumer(&consumer)?);
            write_string(out, &consumer);
            out.extend_from_slice(&found.seen_ms.to_le_bytes());
            write_length(out, found.pending.len());
            return Some(before(&name, Part::Owned(consumer, StreamId::MIN)));
        }
        Part::Owned(consumer, from) => {
            let found = group.consumer(group.find_consumer(&consumer)?);
            let mut rest = found.pending.range_from(from);
            for (id, ()) in rest.by_ref().take(ELEMENTS_AT_ONCE) {
                out.extend_from_slice(&id.to_bytes());
            }
            if let Some((next, ())) = rest.next() {
                return Some(before(&name, Part::Owned(consumer, next)));
            }
            Some(consumer)
        }
    };
    // The next consumer, or the next group.
    let consumer = group.consumer_behind(last.as_deref()).map(|consumer| &*consumer.name);
    match consumer {
        Some(consumer) => Some(before(&name, Part::Consumer(consumer.into()))),
        None => stream.group_behind(&name).map(|name| before(name, Part::Start)),
    }
}

fn before(group: &[u8], part: Part) -> ElementPlace {
    ElementPlace::InGroup(GroupPlace { group: group.into(), part })
}

fn write_id(out: &mut Vec<u8>, id: StreamId) {
    write_number_length(out, id.ms);
    write_number_length(out, id.seq);
}

/// Returns the notes with what the value in RDB files lacks.
pub(super) fn notes<'a>(key: &'a [u8], stream: &'a Stream) -> impl Iterator<Item = Note> + 'a {
    let deleted = stream.max_deleted_id();
    let counts =
        StreamNote::Counts { added: stream.entries_added(), deleted: (deleted.ms, deleted.seq) };
    let has_counts = stream.entries_added() != stream.len() || deleted != StreamId::MIN;
    let groups = stream.groups().map(|(name, group)| StreamNote::Read {
        group: name.to_vec(),
        entries: group.entries_read,
    });
    let all = has_counts.then_some(counts).into_iter().chain(groups);
    all.map(|about| Note::OfStream { key: key.to_vec(), about })
}
