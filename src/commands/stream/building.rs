//! Streams from files and payloads.

use crate::rdb::{StreamGroup, StreamIds, StreamPart};
use crate::value::{Stream, StreamBuilder, StreamId};

/// Adds a part of a stream to those before. Returns the stream after the last one.
///
/// # Errors
/// The parts are no stream. The text says why.
pub(in crate::commands) fn build_stream(
    builder: &mut StreamBuilder,
    part: StreamPart<'_>,
) -> Result<Option<Stream>, &'static str> {
    let id = |(ms, seq): (u64, u64)| StreamId { ms, seq };
    match part {
        StreamPart::Begin => *builder = StreamBuilder::default(),
        StreamPart::Block(first) => builder.begin_block(StreamId::from_bytes(first)),
        StreamPart::Element(element) => builder.element(element)?,
        StreamPart::BlockEnd => builder.end_block()?,
        StreamPart::Ids(StreamIds { len, last, counts }) => {
            let counts = counts.map(|(deleted, added)| (id(deleted), added));
            builder.set_ids(len, id(last), counts)?;
        }
        StreamPart::Group(StreamGroup { name, last, read }) => {
            builder.begin_group(name, id(last), read)?;
        }
        StreamPart::Pending(id, ms, count) => {
            builder.pending(StreamId::from_bytes(id), ms, count)?;
        }
        StreamPart::Consumer(name, seen_ms) => builder.consumer(name, seen_ms)?,
        StreamPart::Owned(id) => builder.owned(StreamId::from_bytes(id))?,
        StreamPart::End => return builder.finish().map(Some),
    }
    Ok(None)
}
