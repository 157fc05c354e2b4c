//! All that a stream contains, as texts: for tests and tools that compare streams.

use super::{Stream, StreamId};

impl Stream {
    /// Returns the ids and fields of the entries, the counts, and the groups with their consumers and pending
    /// entries. When consumers were last active is not part of it.
    pub(crate) fn to_words(&self) -> Vec<Vec<u8>> {
        let added = self.entries_added().to_string().into_bytes();
        let mut words = vec![self.last_id().to_text(), self.max_deleted_id().to_text(), added];
        for entry in self.range(StreamId::MIN, StreamId::MAX) {
            words.push(entry.id.to_text());
            let parts = entry.fields.flat_map(|(name, value)| [name, value]);
            words.extend(parts.map(|part| part.with(<[u8]>::to_vec)));
        }
        for (name, group) in self.groups() {
            let read = group.entries_read.map_or(-1, |read| read as i64);
            words.extend([b"group".to_vec(), name.to_vec(), group.last_id.to_text()]);
            words.push(read.to_string().into_bytes());
            words.extend(group.consumers().map(|(_, consumer)| consumer.name.to_vec()));
            for (id, delivery) in group.pending().range_from(StreamId::MIN) {
                words.push(id.to_text());
                words.push(format!("{} {}", delivery.ms, delivery.count).into_bytes());
                words.push(group.consumer(delivery.consumer).name.to_vec());
            }
        }
        words
    }
}
