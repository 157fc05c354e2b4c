//! A stream as commands: what a redis-server writes. There is an `XADD` for each entry; groups, consumers and
//! claims of what is pending; and at the end the ids. An entry that is pending although it was deleted is added
//! first and deleted again after its claim.

use crate::note::{Note, StreamNote};
use crate::resp::{write_arg, write_command, write_header};
use crate::value::{Element, Group, Stream, StreamId};
use std::collections::BTreeSet;

/// Pending entries in one claim.
const IDS_PER_COMMAND: usize = 64;

/// Writes the commands that make a stream, and calls `done` after each.
///
/// # Errors
/// That of `done`.
pub(crate) fn write_commands<E>(
    out: &mut Vec<u8>,
    key: &[u8],
    stream: &Stream,
    mut done: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let deleted = pending_without_entry(stream);
    let mut missing = deleted.iter().copied().peekable();
    let mut is_empty = true;
    for entry in stream.range(StreamId::MIN, StreamId::MAX) {
        while let Some(id) = missing.next_if(|id| *id < entry.id) {
            write_placeholder(out, key, id);
            done(out)?;
        }
        is_empty = false;
        write_header(out, b'*', 3 + 2 * entry.fields.len());
        write_arg(out, b"XADD");
        write_arg(out, key);
        entry.id.with_text(|text| write_arg(out, text));
        let parts = entry.fields.flat_map(|(name, value)| [name, value]);
        parts.for_each(|part: Element<'_>| part.with(|bytes| write_arg(out, bytes)));
        done(out)?;
    }
    for id in missing {
        is_empty = false;
        write_placeholder(out, key, id);
        done(out)?;
    }
    if is_empty {
        let id = stream.last_id().max(StreamId { ms: 0, seq: 1 }).to_text();
        write_command(out, [&b"XADD"[..], key, b"MAXLEN", b"=", b"0", &id, b"x", b"y"]);
        done(out)?;
    }
    for (name, group) in stream.groups() {
        write_group(out, (key, name), group, &mut done)?;
    }
    write_deletions(out, key, stream, &deleted, &mut done)?;
    let (last, deleted) = (stream.last_id().to_text(), stream.max_deleted_id().to_text());
    let mut digits = itoa::Buffer::new();
    let added = digits.format(stream.entries_added()).as_bytes();
    let words = [&b"XSETID"[..], key, &last, b"ENTRIESADDED", added, b"MAXDELETEDID", &deleted];
    write_command(out, words);
    done(out)
}

/// The ids of entries that were deleted while they were pending.
fn pending_without_entry(stream: &Stream) -> BTreeSet<StreamId> {
    let groups = stream.groups().map(|(_, group)| group);
    let ids = groups.flat_map(|group| group.pending().range_from(StreamId::MIN));
    ids.map(|(id, _)| id).filter(|id| !stream.contains(*id)).collect()
}

fn write_placeholder(out: &mut Vec<u8>, key: &[u8], id: StreamId) {
    id.with_text(|id| write_command(out, [&b"XADD"[..], key, id, b"x", b"y"]));
}

fn write_group<E>(
    out: &mut Vec<u8>,
    (key, name): (&[u8], &[u8]),
    group: &Group,
    done: &mut impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let last = group.last_id.to_text();
    let mut digits = itoa::Buffer::new();
    let read = group.entries_read.map_or(-1, |read| i64::try_from(read).unwrap_or(i64::MAX));
    let read = digits.format(read).as_bytes();
    write_command(out, [&b"XGROUP"[..], b"CREATE", key, name, &last, b"ENTRIESREAD", read]);
    done(out)?;
    for (_, consumer) in group.consumers() {
        write_command(out, [&b"XGROUP"[..], b"CREATECONSUMER", key, name, &consumer.name]);
        done(out)?;
        let pending = consumer.pending.range_from(StreamId::MIN);
        let mut pending = pending.filter_map(|(id, ())| {
            group.pending().get(id).map(|delivery| (id, (delivery.ms, delivery.count)))
        });
        let mut next = pending.next();
        while let Some((_, of)) = next {
            let mut ids = Vec::new();
            while let Some((id, _)) = next.filter(|(_, other)| *other == of)
                && ids.len() < IDS_PER_COMMAND
            {
                ids.push(id);
                next = pending.next();
            }
            write_claim(out, [key, name, &consumer.name], &ids, of);
            done(out)?;
        }
        // After the claims, which change it.
        let seen = StreamNote::Seen {
            group: name.to_vec(),
            consumer: consumer.name.to_vec(),
            unix_ms: consumer.seen_ms,
        };
        Note::OfStream { key: key.to_vec(), about: seen }.write(out);
        done(out)?;
    }
    Ok(())
}

fn write_claim(out: &mut Vec<u8>, place: [&[u8]; 3], ids: &[StreamId], (ms, count): (i64, u64)) {
    let (mut time, mut times) = (itoa::Buffer::new(), itoa::Buffer::new());
    let options = [
        &b"TIME"[..],
        time.format(ms).as_bytes(),
        b"RETRYCOUNT",
        times.format(count).as_bytes(),
        b"FORCE",
        b"JUSTID",
    ];
    write_header(out, b'*', 5 + ids.len() + options.len());
    write_arg(out, b"XCLAIM");
    place.into_iter().chain([&b"0"[..]]).for_each(|arg| write_arg(out, arg));
    ids.iter().for_each(|id| id.with_text(|text| write_arg(out, text)));
    options.into_iter().for_each(|arg| write_arg(out, arg));
}

/// Deletes the placeholders again. Those before the first entry are trimmed, which leaves no trace.
fn write_deletions<E>(
    out: &mut Vec<u8>,
    key: &[u8],
    stream: &Stream,
    deleted: &BTreeSet<StreamId>,
    done: &mut impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    if deleted.is_empty() {
        return Ok(());
    }
    let first = stream.first_entry_id();
    if stream.len() == 0 {
        write_command(out, [&b"XTRIM"[..], key, b"MAXLEN", b"=", b"0"]);
        return done(out);
    }
    if deleted.first().is_some_and(|id| *id < first) {
        first.with_text(|id| write_command(out, [&b"XTRIM"[..], key, b"MINID", b"=", id]));
        done(out)?;
    }
    let behind: Vec<StreamId> = deleted.range(first..).copied().collect();
    for some in behind.chunks(IDS_PER_COMMAND) {
        write_header(out, b'*', 2 + some.len());
        write_arg(out, b"XDEL");
        write_arg(out, key);
        some.iter().for_each(|id| id.with_text(|text| write_arg(out, text)));
        done(out)?;
    }
    Ok(())
}
