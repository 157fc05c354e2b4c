//! Reads streams item by item.
//!
//! The number of blocks, and each as the id of its first entry and a listpack; the number of entries and the
//! last id, in later types also the first id, the highest deleted one and how many were ever added; groups,
//! each with its name, last id, in later types how many entries it has read, its pending entries, and
//! consumers, each with its name, times and the ids that are pending for it.

use super::error::Problem;
use super::length::{Cursor, Stop};
use super::listpack;
use super::packed::problem_of;
use super::sink::{Place, Sink};
use super::stream_part::{StreamGroup, StreamIds, StreamPart};
use super::text::Buffers;
use super::value_type::ValueType;

/// The next item of a stream.
#[derive(Clone, Copy, Debug)]
enum Step {
    BlockCount,
    BlockId,
    Block,
    Ids,
    GroupCount,
    Group,
    PendingCount,
    Pending,
    ConsumerCount,
    Consumer,
    OwnedCount,
    Owned,
}

/// Reads one stream.
#[derive(Debug)]
pub(super) struct StreamItems {
    value_type: ValueType,
    step: Step,
    /// Blocks, groups, pending entries, consumers and ids of a consumer that are left.
    blocks: u64,
    groups: u64,
    pending: u64,
    consumers: u64,
    owned: u64,
}

fn id_of(cursor: &mut Cursor<'_>) -> Result<(u64, u64), Stop> {
    Ok((cursor.length()?, cursor.length()?))
}

impl StreamItems {
    pub(super) fn new(value_type: ValueType) -> StreamItems {
        let (blocks, groups, pending, consumers, owned) = (0, 0, 0, 0, 0);
        let step = Step::BlockCount;
        StreamItems { value_type, step, blocks, groups, pending, consumers, owned }
    }

    /// Takes the next item. Returns true if it was the last.
    pub(super) fn take(
        &mut self,
        cursor: &mut Cursor<'_>,
        buffers: &mut Buffers,
        place: &Place,
        sink: &mut impl Sink,
    ) -> Result<bool, Stop> {
        match self.step {
            Step::BlockCount | Step::BlockId | Step::Block | Step::Ids => {
                self.take_of_entries(cursor, buffers, place, sink)?;
                Ok(false)
            }
            _ => self.take_of_groups(cursor, buffers, |part| {
                sink.stream(place, part).map_err(|text| Stop::from(Problem::Refused(text)))
            }),
        }
    }

    fn take_of_entries(
        &mut self,
        cursor: &mut Cursor<'_>,
        buffers: &mut Buffers,
        place: &Place,
        sink: &mut impl Sink,
    ) -> Result<(), Stop> {
        let mut pass = |part: StreamPart<'_>| sink.stream(place, part).map_err(Problem::Refused);
        match self.step {
            Step::BlockCount => {
                self.blocks = cursor.length()?;
                pass(StreamPart::Begin)?;
                self.step = if self.blocks > 0 { Step::BlockId } else { Step::Ids };
            }
            Step::BlockId => {
                let id = buffers.string(cursor)?.try_into();
                let id = id.map_err(|_| Problem::Stream("the id of a block is no id"))?;
                pass(StreamPart::Block(id))?;
                self.step = Step::Block;
            }
            Step::Block => {
                let bytes = buffers.string(cursor)?;
                let element = |element: &[u8]| sink.stream(place, StreamPart::Element(element));
                let read = listpack::read(bytes, element);
                read.map_err(|error| problem_of(error, Problem::Listpack))?;
                sink.stream(place, StreamPart::BlockEnd).map_err(Problem::Refused)?;
                self.blocks = self.blocks.saturating_sub(1);
                self.step = if self.blocks > 0 { Step::BlockId } else { Step::Ids };
            }
            _ => {
                let (len, last) = (cursor.length()?, id_of(cursor)?);
                let counts = if self.has_counts() {
                    let _first = id_of(cursor)?;
                    Some((id_of(cursor)?, cursor.length()?))
                } else {
                    None
                };
                pass(StreamPart::Ids(StreamIds { len, last, counts }))?;
                self.step = Step::GroupCount;
            }
        }
        Ok(())
    }

    fn has_counts(&self) -> bool {
        self.value_type != ValueType::Stream
    }

    fn take_of_groups(
        &mut self,
        cursor: &mut Cursor<'_>,
        buffers: &mut Buffers,
        mut pass: impl FnMut(StreamPart<'_>) -> Result<(), Stop>,
    ) -> Result<bool, Stop> {
        match self.step {
            Step::GroupCount => {
                self.groups = cursor.length()?;
                return self.next_group(pass);
            }
            Step::Group => {
                let name = buffers.string(cursor)?;
                let last = id_of(cursor)?;
                let read = if self.has_counts() { Some(cursor.length()?) } else { None };
                pass(StreamPart::Group(StreamGroup { name, last, read }))?;
                self.step = Step::PendingCount;
            }
            Step::PendingCount => {
                self.pending = cursor.length()?;
                self.step = if self.pending > 0 { Step::Pending } else { Step::ConsumerCount };
            }
            Step::Pending => {
                let (id, ms) = (cursor.array()?, i64::from_le_bytes(cursor.array()?));
                pass(StreamPart::Pending(id, ms, cursor.length()?))?;
                self.pending = self.pending.saturating_sub(1);
                self.step = if self.pending > 0 { Step::Pending } else { Step::ConsumerCount };
            }
            Step::ConsumerCount => {
                self.consumers = cursor.length()?;
                return self.next_consumer(pass);
            }
            Step::Consumer => {
                let name = buffers.string(cursor)?;
                let seen_ms = i64::from_le_bytes(cursor.array()?);
                if self.value_type == ValueType::Stream3 {
                    let _active_ms: [u8; 8] = cursor.array()?;
                }
                pass(StreamPart::Consumer(name, seen_ms))?;
                self.step = Step::OwnedCount;
            }
            Step::OwnedCount => {
                self.owned = cursor.length()?;
                return self.next_owned(pass);
            }
            _ => {
                pass(StreamPart::Owned(cursor.array()?))?;
                self.owned = self.owned.saturating_sub(1);
                return self.next_owned(pass);
            }
        }
        Ok(false)
    }

    /// Continues with the next group, or ends the stream.
    fn next_group(
        &mut self,
        mut pass: impl FnMut(StreamPart<'_>) -> Result<(), Stop>,
    ) -> Result<bool, Stop> {
        let Some(left) = self.groups.checked_sub(1) else {
            pass(StreamPart::End)?;
            return Ok(true);
        };
        (self.groups, self.step) = (left, Step::Group);
        Ok(false)
    }

    fn next_consumer(
        &mut self,
        pass: impl FnMut(StreamPart<'_>) -> Result<(), Stop>,
    ) -> Result<bool, Stop> {
        let Some(left) = self.consumers.checked_sub(1) else { return self.next_group(pass) };
        (self.consumers, self.step) = (left, Step::Consumer);
        Ok(false)
    }

    fn next_owned(
        &mut self,
        pass: impl FnMut(StreamPart<'_>) -> Result<(), Stop>,
    ) -> Result<bool, Stop> {
        if self.owned == 0 {
            return self.next_consumer(pass);
        }
        self.step = Step::Owned;
        Ok(false)
    }
}
