//! The entries that were delivered to a consumer and are not acknowledged, delivered to it once more.

use super::read::begin_stream;
use super::{record, write_entry, write_id};
use crate::engine::{CommandError, Context};
use crate::value::{Recipient, Stream, StreamId};

/// Writes the part of a stream in the reply: up to `max` pending entries of a consumer after an id. An entry
/// that was deleted meanwhile is a null behind its id.
pub(super) fn write_history(
    ctx: &mut Context<'_>,
    (key, after): (&[u8], StreamId),
    to: &Recipient<'_>,
    max: usize,
) -> Result<(), CommandError> {
    let Context { state, reply, db, .. } = ctx;
    begin_stream(reply, key);
    let keyspace = &mut state.keyspace;
    let mut redelivered = Vec::new();
    let is_new = keyspace.change_quietly(*db, key, |stream: &mut Stream| {
        let mut is_new = false;
        stream.change_group(to.group, |group| {
            is_new = group.see_consumer(to.consumer, to.now_ms).1;
        });
        let group = stream.group(to.group);
        let found = group.and_then(|group| Some((group, group.find_consumer(to.consumer)?)));
        let Some((group, number)) = found else { return (false, false) };
        let pending = || {
            let from = after.next();
            let ids = from.map(|from| group.consumer(number).pending.range_from(from));
            ids.into_iter().flatten().map(|(id, ())| id).take(max)
        };
        reply.array(pending().count());
        for id in pending() {
            match stream.get(id) {
                Some(entry) => {
                    write_entry(reply, entry);
                    let count = group.pending().get(id).map_or(0, |delivery| delivery.count);
                    redelivered.push((id, count.saturating_add(1)));
                }
                None => {
                    reply.array(2);
                    write_id(reply, id);
                    reply.null_array();
                }
            }
        }
        stream.change_group(to.group, |group| {
            for (id, count) in &redelivered {
                group.redeliver(*id, to.now_ms, *count);
            }
        });
        (is_new, is_new || !redelivered.is_empty())
    })?;
    keyspace.work.looked_at(redelivered.len());
    record::redelivered(keyspace, (*db, key), to, &redelivered, is_new.unwrap_or_default());
    Ok(())
}
