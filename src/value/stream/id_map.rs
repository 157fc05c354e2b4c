//! A map from ids to values, in chunks that copies share until one of them changes.
//!
//! Ids are mostly added at the end and removed near the front. All operations take logarithmic time, and a
//! copy takes as long as there are chunks.

use super::id::StreamId;
use crate::value::ARC_BYTES;
use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;

/// The most entries of a chunk.
const CHUNK_LEN: usize = 64;

/// A smaller chunk is joined with a neighbour, if both have space in one.
const SMALL_LEN: usize = CHUNK_LEN / 4;

/// What the directory takes for a chunk, about: a key and a pointer in a tree whose nodes are mostly half full.
const DIRECTORY_BYTES: usize = 48;

type Chunk<V> = Vec<(StreamId, V)>;

/// A map from ids to values.
#[derive(Clone, Debug)]
pub(crate) struct IdMap<V> {
    /// Each chunk under an id that is at most its first, and above all of the chunk before.
    chunks: BTreeMap<StreamId, Arc<Chunk<V>>>,
    len: usize,
    /// The bytes of memory of all chunks.
    bytes: usize,
}

impl<V> Default for IdMap<V> {
    fn default() -> IdMap<V> {
        IdMap { chunks: BTreeMap::new(), len: 0, bytes: 0 }
    }
}

fn chunk_bytes<V>(chunk: &Chunk<V>) -> usize {
    DIRECTORY_BYTES
        + ARC_BYTES
        + size_of::<Chunk<V>>()
        + chunk.capacity() * size_of::<(StreamId, V)>()
}

fn place_in<V>(chunk: &Chunk<V>, id: StreamId) -> Result<usize, usize> {
    chunk.binary_search_by(|(other, _)| other.cmp(&id))
}

impl<V: Copy> IdMap<V> {
    /// Returns the number of ids.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the bytes of memory.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the value of an id.
    #[inline]
    pub(crate) fn get(&self, id: StreamId) -> Option<&V> {
        let (_, chunk) = self.chunks.range(..=id).next_back()?;
        chunk.get(place_in(chunk, id).ok()?).map(|(_, value)| value)
    }

    /// Returns the ids from this one on, in order.
    pub(crate) fn range_from(&self, id: StreamId) -> impl Iterator<Item = (StreamId, V)> {
        let first = self.chunks.range(..=id).next_back().map_or(id, |(key, _)| *key);
        let chunks = self.chunks.range((Included(first), Unbounded));
        let all = chunks.flat_map(move |(_, chunk)| {
            let start = match chunk.first() {
                Some((first, _)) if *first < id => place_in(chunk, id).unwrap_or_else(|at| at),
                _ => 0,
            };
            chunk.get(start..).unwrap_or_default()
        });
        all.copied()
    }

    /// Returns the highest id.
    pub(crate) fn last_id(&self) -> Option<StreamId> {
        self.chunks.last_key_value()?.1.last().map(|(id, _)| *id)
    }

    /// Sets the value of an id. Returns the one it had.
    pub(crate) fn insert(&mut self, id: StreamId, value: V) -> Option<V> {
        if let Some(mut last) = self.chunks.last_entry()
            && last.get().last().is_some_and(|(last, _)| *last < id)
        {
            if last.get().len() < CHUNK_LEN {
                let before = chunk_bytes(last.get());
                let chunk = Arc::make_mut(last.get_mut());
                chunk.push((id, value));
                self.bytes = self.bytes + chunk_bytes(chunk) - before;
            } else {
                self.add_chunk(id, vec![(id, value)]);
            }
            self.len += 1;
            return None;
        }
        let key = self.chunks.range(..=id).next_back().map(|(key, _)| *key);
        let Some(key) = key.or_else(|| self.chunks.first_key_value().map(|(key, _)| *key)) else {
            self.add_chunk(id, vec![(id, value)]);
            self.len += 1;
            return None;
        };
        // Below all others: the first chunk gets it, under the lower id.
        let key = if key > id { self.rename(key, id) } else { key };
        let chunk = self.chunks.get_mut(&key)?;
        let before = chunk_bytes(chunk);
        let chunk = Arc::make_mut(chunk);
        match place_in(chunk, id) {
            Ok(at) => {
                let replaced =
                    chunk.get_mut(at).map(|entry| std::mem::replace(&mut entry.1, value));
                self.bytes = self.bytes + chunk_bytes(chunk) - before;
                replaced
            }
            Err(at) => {
                chunk.insert(at, (id, value));
                let upper = (chunk.len() > CHUNK_LEN).then(|| {
                    let upper = chunk.split_off(CHUNK_LEN / 2);
                    chunk.shrink_to(CHUNK_LEN / 2);
                    upper
                });
                self.bytes = self.bytes + chunk_bytes(chunk) - before;
                self.len += 1;
                if let Some(upper) = upper
                    && let Some((first, _)) = upper.first()
                {
                    self.add_chunk(*first, upper);
                }
                None
            }
        }
    }

    fn add_chunk(&mut self, key: StreamId, chunk: Chunk<V>) {
        self.bytes += chunk_bytes(&chunk);
        self.chunks.insert(key, Arc::new(chunk));
    }

    fn rename(&mut self, key: StreamId, to: StreamId) -> StreamId {
        if let Some(chunk) = self.chunks.remove(&key) {
            self.chunks.insert(to, chunk);
        }
        to
    }

    /// Removes an id. Returns its value.
    pub(crate) fn remove(&mut self, id: StreamId) -> Option<V> {
        let (key, chunk) = self.chunks.range_mut(..=id).next_back()?;
        let key = *key;
        let at = place_in(chunk, id).ok()?;
        let before = chunk_bytes(chunk);
        let chunk = Arc::make_mut(chunk);
        let (_, value) = chunk.remove(at);
        let len = chunk.len();
        self.bytes = self.bytes + chunk_bytes(chunk) - before;
        self.len -= 1;
        if len == 0 {
            self.drop_chunk(key);
        } else if len < SMALL_LEN {
            self.join_next(key, len);
        }
        Some(value)
    }

    fn drop_chunk(&mut self, key: StreamId) -> Option<Arc<Chunk<V>>> {
        let chunk = self.chunks.remove(&key)?;
        self.bytes -= chunk_bytes(&chunk);
        Some(chunk)
    }

    /// Joins a small chunk with the next one, if both together leave space for more.
    fn join_next(&mut self, key: StreamId, len: usize) {
        let next = self.chunks.range(key..).nth(1).map(|(key, chunk)| (*key, chunk.len()));
        let Some((next, next_len)) = next else { return };
        if len + next_len > CHUNK_LEN / 2 {
            return;
        }
        let Some(next) = self.drop_chunk(next) else { return };
        let Some(chunk) = self.chunks.get_mut(&key) else { return };
        let before = chunk_bytes(chunk);
        let chunk = Arc::make_mut(chunk);
        chunk.extend_from_slice(&next);
        self.bytes = self.bytes + chunk_bytes(chunk) - before;
    }

    /// Changes the value of an id. Returns whether it is there.
    pub(crate) fn update(&mut self, id: StreamId, change: impl FnOnce(&mut V)) -> bool {
        let Some((_, chunk)) = self.chunks.range_mut(..=id).next_back() else { return false };
        let Ok(at) = place_in(chunk, id) else { return false };
        let before = chunk_bytes(chunk);
        let chunk = Arc::make_mut(chunk);
        if let Some((_, value)) = chunk.get_mut(at) {
            change(value);
        }
        self.bytes = self.bytes + chunk_bytes(chunk) - before;
        true
    }

    /// Drops a chunk. Returns the number of its ids.
    pub(super) fn drop_some(&mut self) -> usize {
        let Some(key) = self.chunks.first_key_value().map(|(key, _)| *key) else { return 0 };
        let dropped = self.drop_chunk(key).map_or(0, |chunk| chunk.len());
        self.len -= dropped;
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u16) -> StreamId {
        StreamId { ms: u64::from(number >> 4), seq: u64::from(number & 15) }
    }

    fn check(map: &IdMap<u32>, model: &BTreeMap<StreamId, u32>) {
        assert_eq!(map.len(), model.len());
        let all: Vec<_> = map.range_from(StreamId::MIN).collect();
        assert_eq!(all, model.iter().map(|(id, value)| (*id, *value)).collect::<Vec<_>>());
        let bytes: usize = map.chunks.values().map(|chunk| chunk_bytes(chunk)).sum();
        assert_eq!(bytes, map.bytes);
        assert!(map.chunks.values().all(|chunk| (1..=CHUNK_LEN).contains(&chunk.len())));
        let keys = map.chunks.iter();
        assert!(keys.clone().all(|(key, chunk)| chunk.first().is_some_and(|(id, _)| key <= id)));
        let lasts = keys.clone().filter_map(|(_, chunk)| chunk.last());
        assert!(lasts.zip(keys.skip(1)).all(|((last, _), (key, _))| last < key));
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0u8..8, 0u16..600, 0u32..100), 0..1500)) {
            let (mut map, mut model) = (IdMap::default(), BTreeMap::new());
            let mut shared: Option<(IdMap<u32>, BTreeMap<StreamId, u32>)> = None;
            for (number, (kind, at, value)) in steps.into_iter().enumerate() {
                let at = id(at);
                match kind {
                    0 => {
                        let next = StreamId { ms: 1000 + number as u64, seq: 0 };
                        prop_assert_eq!(map.insert(next, value), model.insert(next, value));
                    }
                    1..=3 => prop_assert_eq!(map.insert(at, value), model.insert(at, value)),
                    4..=5 => prop_assert_eq!(map.remove(at), model.remove(&at)),
                    6 => {
                        let changed = model.get_mut(&at).map(|own| *own = value).is_some();
                        prop_assert_eq!(map.update(at, |own| *own = value), changed);
                    }
                    _ => shared = Some((map.clone(), model.clone())),
                }
                prop_assert_eq!(map.get(at), model.get(&at));
                let range: Vec<_> = map.range_from(at).take(3).collect();
                let expected: Vec<_> = model.range(at..).take(3).map(|(id, v)| (*id, *v)).collect();
                prop_assert_eq!(range, expected);
                prop_assert_eq!(map.last_id(), model.keys().next_back().copied());
            }
            check(&map, &model);
            if let Some((map, model)) = shared {
                check(&map, &model);
            }
        }
    }
}
