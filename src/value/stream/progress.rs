//! How many entries a group has read, and how far it lags behind. Deleted entries make both uncertain.
//! The rules are Redis'.

use super::entries::Entries;
use super::id::StreamId;
use super::{Group, Stream};

/// What the numbers depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    len: u64,
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
    added: u64,
}

impl Progress {
    fn of(entries: &Entries, last_id: StreamId, max_deleted_id: StreamId, added: u64) -> Progress {
        let first_id = entries.first_id().unwrap_or_default();
        Progress { len: entries.len(), first_id, last_id, max_deleted_id, added }
    }

    /// Whether entries from this id on may have been deleted.
    fn has_gaps_from(&self, id: StreamId) -> bool {
        self.len > 0 && self.max_deleted_id != StreamId::MIN && id <= self.max_deleted_id
    }

    /// Returns how many entries a group has read after that with this id.
    pub(super) fn after(&self, before: Option<u64>, id: StreamId) -> Option<u64> {
        match before {
            Some(before) if !self.has_gaps_from(id) => Some(before.saturating_add(1)),
            _ if self.added > 0 => self.count_up_to(id),
            _ => before,
        }
    }

    /// Returns how many entries were added up to this id, as far as that can be known.
    fn count_up_to(&self, id: StreamId) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id || id == self.last_id {
            return Some(self.added);
        }
        if id > self.last_id {
            return None;
        }
        let has_no_gaps =
            self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        let before_first = self.added.saturating_sub(self.len);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less if has_no_gaps => Some(before_first),
            std::cmp::Ordering::Equal if has_no_gaps => Some(before_first + 1),
            _ => None,
        }
    }

    /// Returns how many entries a group has not read.
    fn lag(&self, group: &Group) -> Option<i64> {
        if self.added == 0 {
            return Some(0);
        }
        let read = match group.entries_read {
            Some(read) if !self.has_gaps_from(group.last_id) => Some(read),
            _ => self.count_up_to(group.last_id),
        };
        // As in Redis, a number that a client set may be too large.
        read.map(|read| self.added.wrapping_sub(read) as i64)
    }
}

impl Stream {
    pub(super) fn progress(&self) -> Progress {
        Progress::of(&self.0.entries, self.last_id(), self.max_deleted_id(), self.entries_added())
    }

    /// Returns how many entries a group has not read, as far as that can be known.
    pub(crate) fn lag_of(&self, group: &Group) -> Option<i64> {
        self.progress().lag(group)
    }

    /// Returns how many entries were added up to this id, as far as that can be known.
    pub(crate) fn count_up_to(&self, id: StreamId) -> Option<u64> {
        self.progress().count_up_to(id)
    }
}
