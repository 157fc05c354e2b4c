//! Streams: entries with ids in ascending order, and groups of consumers that read them.
//!
//! | module | responsibility |
//! |---|---|
//! | `id` | the ids of entries |
//! | `element` | the elements of a block: integers and strings |
//! | `block` | consecutive entries in packed form |
//! | `entries` | the blocks in order: adding, reading, deleting, trimming |
//! | `id_map` | a map from ids to values whose copies cost little |
//! | `group` | a group: its progress, its consumers, their pending entries |
//! | `words` | the content as texts, for tests |
//! | `building` | a stream built from the parts of a file |
//! | `claim` | pending entries that change their consumer |
//! | `progress` | how many entries a group has read, and how far it lags behind |

mod block;
mod building;
mod claim;
mod element;
mod entries;
mod group;
mod id;
mod id_map;
mod progress;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use block::Entry;
pub(crate) use building::StreamBuilder;
pub(crate) use claim::{Claim, Claimed};
pub(crate) use element::Element;
pub(crate) use entries::{BlockLimits, Keep, Range};
pub(crate) use group::{Consumer, ConsumerNumber, Delivery, Group};
pub(crate) use id::NewId;
pub(crate) use id::StreamId;

use super::{ARC_BYTES, Kind, Type, Value};
use entries::{Entries, RangeBack};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// A stream. It stays when it has no entries. Blocks and groups are shared with snapshots, and copied one by
/// one as they change.
#[derive(Clone, Debug, Default)]
pub struct Stream(Box<Content>);

#[derive(Clone, Debug, Default)]
struct Content {
    entries: Entries,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    groups: Arc<BTreeMap<Arc<[u8]>, Arc<Group>>>,
    /// The bytes of memory of the groups.
    group_bytes: usize,
}

/// Whom entries are delivered to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipient<'a> {
    pub(crate) group: &'a [u8],
    pub(crate) consumer: &'a [u8],
    /// In Unix milliseconds.
    pub(crate) now_ms: i64,
    /// Whether the entries are pending until they are acknowledged.
    pub(crate) is_pending: bool,
}

/// Why an entry is not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppendError {
    /// Its id would not be above the last one.
    Low,
    /// It is too large.
    Large,
}

/// What a group takes besides its content: its name, and its place in a tree.
fn group_bytes(name: &[u8], group: &Group) -> usize {
    2 * ARC_BYTES + name.len() + 32 + group.allocated_bytes()
}

impl Stream {
    /// Returns the number of entries.
    pub(crate) fn len(&self) -> u64 {
        self.0.entries.len()
    }

    /// Returns the number of blocks.
    pub(crate) fn block_count(&self) -> usize {
        self.0.entries.block_count()
    }

    /// Returns the id of the last entry that was added, even if it was deleted; or what was set instead.
    #[inline]
    pub(crate) fn last_id(&self) -> StreamId {
        self.0.last_id
    }

    /// Returns the id of the last entry; the lowest id if there are none.
    #[inline]
    pub(crate) fn last_entry_id(&self) -> StreamId {
        self.0.entries.last_id().unwrap_or_default()
    }

    /// Returns the id of the first entry; the lowest id if there are none.
    pub(crate) fn first_entry_id(&self) -> StreamId {
        self.0.entries.first_id().unwrap_or_default()
    }

    /// Returns the highest id that was deleted by itself.
    pub(crate) fn max_deleted_id(&self) -> StreamId {
        self.0.max_deleted_id
    }

    /// Returns how many entries were ever added.
    pub(crate) fn entries_added(&self) -> u64 {
        self.0.entries_added
    }

    /// Sets what `last_id`, `entries_added` and `max_deleted_id` return.
    pub(crate) fn set_ids(&mut self, last_id: StreamId, added: Option<u64>, deleted: StreamId) {
        self.0.last_id = last_id;
        self.0.entries_added = added.unwrap_or(self.0.entries_added);
        if deleted != StreamId::MIN {
            self.0.max_deleted_id = deleted;
        }
    }

    /// Returns the id that a new entry gets; none if it would not be above the last one.
    pub(crate) fn new_id(&self, wanted: NewId, now_ms: u64) -> Option<StreamId> {
        let last = self.0.last_id;
        let id = match wanted {
            NewId::Now if now_ms > last.ms => StreamId { ms: now_ms, seq: 0 },
            NewId::Now => last.next()?,
            NewId::In(ms) if ms == last.ms => StreamId { ms, seq: last.seq.checked_add(1)? },
            NewId::In(ms) => StreamId { ms, seq: 0 },
            NewId::Exactly(id) => id,
        };
        (id > last).then_some(id)
    }

    /// Adds an entry. `fields`: names and values in turn. Returns its id.
    ///
    /// # Errors
    /// Nothing was changed.
    pub(crate) fn append<'f>(
        &mut self,
        wanted: NewId,
        now_ms: u64,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
        limits: BlockLimits,
    ) -> Result<StreamId, AppendError> {
        let id = self.new_id(wanted, now_ms).ok_or(AppendError::Low)?;
        if !self.0.entries.append(id, fields, limits) {
            return Err(AppendError::Large);
        }
        self.0.last_id = id;
        self.0.entries_added += 1;
        Ok(id)
    }

    /// Whether there is an entry with this id.
    pub(crate) fn contains(&self, id: StreamId) -> bool {
        self.0.entries.contains(id)
    }

    /// Deletes an entry. Returns whether there was one.
    pub(crate) fn delete(&mut self, id: StreamId) -> bool {
        let is_deleted = self.0.entries.delete(id);
        if is_deleted {
            self.0.max_deleted_id = self.0.max_deleted_id.max(id);
        }
        is_deleted
    }

    /// Deletes the first entries but those to keep. If `is_rough`, only whole blocks. At most `limit`
    /// entries, in whole blocks, if it is not 0. Returns the number of deleted entries.
    pub(crate) fn trim(&mut self, keep: Keep, is_rough: bool, limit: u64) -> u64 {
        self.0.entries.trim(keep, is_rough, limit)
    }

    /// Returns the entries from one id to another, in order.
    pub(crate) fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        self.0.entries.range(from, to)
    }

    /// Returns the entries after an id.
    pub(crate) fn range_after(&self, id: StreamId) -> Range<'_> {
        self.0.entries.range_after(id, None)
    }

    /// Returns the entries from one id down to another, the last first.
    pub(crate) fn range_back(&self, from: StreamId, to: StreamId) -> RangeBack<'_> {
        self.0.entries.range_back(from, to)
    }

    /// Returns the entry with this id.
    pub(crate) fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The blocks from the one with this index on, each with the id of its first entry, and a function that appends
    /// it as a listpack.
    pub(crate) fn blocks_from(
        &self,
        index: usize,
    ) -> impl ExactSizeIterator<Item = (StreamId, impl Fn(&mut Vec<u8>))> {
        self.0.entries.blocks_from(index)
    }

    /// Returns the groups in the order of their names.
    pub(crate) fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.0.groups.iter().map(|(name, group)| (&**name, &**group))
    }

    /// Returns the name of the next group in the order of names.
    pub(crate) fn group_behind(&self, name: &[u8]) -> Option<&[u8]> {
        let mut rest = self.0.groups.range::<[u8], _>((Excluded(name), Unbounded));
        rest.next().map(|(name, _)| &**name)
    }

    /// Returns a group.
    #[inline]
    pub(crate) fn group(&self, name: &[u8]) -> Option<&Group> {
        self.0.groups.get(name).map(|group| &**group)
    }

    /// Creates a group. Returns false if there is one with this name.
    pub(crate) fn create_group(
        &mut self,
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> bool {
        if self.0.groups.contains_key(name) {
            return false;
        }
        let group = Group::new(last_id, entries_read);
        self.0.group_bytes += group_bytes(name, &group);
        Arc::make_mut(&mut self.0.groups).insert(name.into(), Arc::new(group));
        true
    }

    /// Changes a group. Returns the result of `change`; `None` if there is no such group.
    #[inline]
    pub(crate) fn change_group<R>(
        &mut self,
        name: &[u8],
        change: impl FnOnce(&mut Group) -> R,
    ) -> Option<R> {
        let Content { groups, group_bytes, .. } = &mut *self.0;
        change_group(groups, group_bytes, name, change)
    }

    /// As `change_group`; `change` also gets the entries.
    fn change_group_beside_entries<R>(
        &mut self,
        name: &[u8],
        change: impl FnOnce(&Entries, &mut Group) -> R,
    ) -> Option<R> {
        let Content { groups, group_bytes, entries, .. } = &mut *self.0;
        change_group(groups, group_bytes, name, |group| change(entries, group))
    }

    /// Returns the entries that a group has not read.
    pub(crate) fn unread(&self, group: &Group) -> Range<'_> {
        self.0.entries.range_after(group.last_id, group.place)
    }

    /// Delivers up to `max` entries that a group has not read to a consumer, which is created if needed, and
    /// passes them to `write`. Returns whether the consumer is new; `None` if there is no such group.
    pub(crate) fn deliver(
        &mut self,
        to: &Recipient<'_>,
        max: usize,
        mut write: impl FnMut(Entry<'_>),
    ) -> Option<bool> {
        let progress = self.progress();
        self.change_group_beside_entries(to.group, |entries, group| {
            let (consumer, is_new) = group.see_consumer(to.consumer, to.now_ms);
            let mut range = entries.range_after(group.last_id, group.place);
            let before = group.last_id;
            for entry in range.by_ref().take(max) {
                group.entries_read = progress.after(group.entries_read, entry.id);
                group.last_id = entry.id;
                if to.is_pending {
                    group.deliver(entry.id, Delivery { ms: to.now_ms, count: 1, consumer });
                }
                write(entry);
            }
            if group.last_id != before {
                group.place = range.place(group.last_id);
            }
            is_new
        })
    }

    /// Removes a group with its consumers.
    pub(crate) fn take_group(&mut self, name: &[u8]) -> Option<Arc<Group>> {
        if !self.0.groups.contains_key(name) {
            return None;
        }
        let group = Arc::make_mut(&mut self.0.groups).remove(name)?;
        self.0.group_bytes -= group_bytes(name, &group);
        Some(group)
    }

    /// Returns a stream that has only a group that was taken, to be freed in parts.
    pub(crate) fn of_group(group: Arc<Group>) -> Stream {
        let mut stream = Stream::default();
        stream.0.group_bytes = group_bytes(b"", &group);
        stream.0.groups = Arc::new(BTreeMap::from([(Arc::from(&b""[..]), group)]));
        stream
    }

    /// Returns how many allocations freeing it takes, roughly.
    pub(crate) fn freeing_cost(&self) -> usize {
        let pending: usize = self.0.groups.values().map(|group| group.pending().len()).sum();
        self.0.entries.block_count() + pending / 64
    }

    /// Frees a part of a stream that is no longer used. Returns whether nothing is left.
    pub(crate) fn drop_some(&mut self) -> bool {
        if self.0.entries.drop_first_block() > 0 {
            return false;
        }
        let Some(name) = self.0.groups.keys().next().cloned() else { return true };
        // A group that a snapshot shares is only let go of.
        let is_own = Arc::get_mut(&mut self.0.groups)
            .and_then(|groups| groups.get_mut(&name))
            .is_some_and(|group| Arc::get_mut(group).is_some());
        let dropped = if is_own { self.change_group(&name, Group::drop_some) } else { None };
        if dropped.unwrap_or_default() == 0 {
            self.take_group(&name);
        }
        false
    }
}

fn change_group<R>(
    groups: &mut Arc<BTreeMap<Arc<[u8]>, Arc<Group>>>,
    group_bytes: &mut usize,
    name: &[u8],
    change: impl FnOnce(&mut Group) -> R,
) -> Option<R> {
    let group = Arc::make_mut(groups).get_mut(name)?;
    let before = group.allocated_bytes();
    let group = Arc::make_mut(group);
    let result = change(group);
    *group_bytes = *group_bytes + group.allocated_bytes() - before;
    Some(result)
}

impl Kind for Stream {
    const TYPE: Type = Type::Stream;

    #[inline]
    fn of(value: &Value) -> Option<&Stream> {
        match value {
            Value::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    #[inline]
    fn of_mut(value: &mut Value) -> Option<&mut Stream> {
        match value {
            Value::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Stream(self)
    }

    /// A stream without entries is a valid value.
    fn is_empty(&self) -> bool {
        false
    }

    fn allocated_bytes(&self) -> usize {
        size_of::<Content>() + self.0.entries.allocated_bytes() + self.0.group_bytes
    }

    fn share(&mut self) -> Stream {
        self.clone()
    }

    fn len(&self) -> usize {
        usize::try_from(Stream::len(self)).unwrap_or(usize::MAX)
    }

    fn free_part(&mut self) -> usize {
        usize::from(!self.drop_some())
    }
}
