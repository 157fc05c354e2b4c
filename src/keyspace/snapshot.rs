//! All keys and values as they were at one moment, while they continue to change.
//!
//! A snapshot begins almost at once, and then walks over a few keys at a time. A key that is about
//! to change before the walk has reached it is saved first, so every key is saved once, as it was.
//! Values are shared, not copied (see `Queue::share`).
//!
//! An entry stores in which snapshot it was last saved. The walk goes from the end to the start,
//! like SCAN: an entry that moves during the walk moves to an index that is still to be reached, or
//! was already saved.

use super::entries::Entries;
use super::running_snapshot::Snapshot;
use super::saved::{KEY_COST, SavedKey, SavedPart};
use super::trash::Trash;
use super::walk::Walk;
use super::{Db, DbIndex, Keyspace};
use crate::policy::Policies;

impl Keyspace {
    /// Begins a snapshot of the current content. Replaces a running one.
    pub(crate) fn begin_snapshot(&mut self) {
        // Wraps after four billion snapshots; that an entry is untouched for exactly so many is no
        // concern.
        self.epoch = self.epoch.wrapping_add(1);
        for (number, db) in self.dbs.iter_mut().enumerate() {
            db.walk = Walk { number, left: db.entries.len() };
        }
        self.forget_walks_of_trash();
        let policies = self.policies().runtime();
        let policies = policies.map(|(name, policy)| (name.to_vec(), policy.cloned())).collect();
        let last_delivery = Some(self.registry.last_delivery).filter(|number| *number > 0);
        let calendar_ahead_ms = Some(self.calendar_ahead_ms()).filter(|ahead_ms| *ahead_ms != 0);
        let libraries = self.libraries().iter().cloned().collect();
        let saved = SavedPart {
            policies,
            last_delivery,
            calendar_ahead_ms,
            libraries,
            ..SavedPart::default()
        };
        let (policies, departing) = (self.policies().clone(), 0..self.registry.departing_end);
        self.snapshot = Some(Snapshot { saved, policies, departing });
    }

    /// Whether a snapshot is running.
    pub(crate) fn has_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Ends the snapshot early. Returns what was saved before it changed, and is not needed now.
    pub(crate) fn end_snapshot(&mut self) -> SavedPart {
        self.forget_walks_of_trash();
        self.snapshot.take().map(|snapshot| snapshot.saved).unwrap_or_default()
    }

    /// Data moved aside earlier is not part of this snapshot, or is no longer needed by any.
    fn forget_walks_of_trash(&mut self) {
        for trash in &mut self.trash {
            if let Trash::Entries(_, walk) = trash {
                walk.take();
            }
        }
    }

    /// Returns the next keys of the snapshot: about `bytes_max` bytes, and all keys that had to be
    /// saved before they changed. `None` after the last; the snapshot has then ended.
    pub(crate) fn next_saved(&mut self, bytes_max: usize) -> Option<SavedPart> {
        let snapshot = self.snapshot.as_mut()?;
        let mut saved = std::mem::take(&mut snapshot.saved);
        if saved.is_large(bytes_max) {
            return Some(saved);
        }
        let mut bytes = saved.cost();
        // In the order in which they left.
        let departing = &mut self.registry.departing;
        let first = departing.partition_point(|one| one.number < snapshot.departing.start);
        let mut left = departing.range_mut(first..);
        while bytes < bytes_max && !snapshot.departing.is_empty() {
            match left.next() {
                Some(one) => {
                    let number = self.dbs[one.db()].walk.number;
                    bytes += snapshot.save_first_departing(one, number);
                }
                None => snapshot.departing.start = snapshot.departing.end,
            }
        }
        saved.departing.append(&mut snapshot.saved.departing);
        let dbs = self.dbs.iter_mut().map(|db| (&mut db.entries, &mut db.walk));
        let trash = self.trash.iter_mut().filter_map(|trash| match trash {
            Trash::Entries(entries, walk) => Some((entries, walk)),
            _ => None,
        });
        let mut is_complete = snapshot.departing.is_empty();
        for (entries, walk) in dbs.chain(trash) {
            // Removed entries were saved before, and the entries below the walk are all that is
            // left of it.
            walk.left = walk.left.min(entries.len());
            while bytes < bytes_max
                && let Some(index) = walk.left.checked_sub(1)
            {
                walk.left = index;
                let key = save(entries, walk.number, index, self.epoch, &snapshot.policies);
                bytes += key.as_ref().map_or(KEY_COST, SavedKey::cost);
                saved.keys.extend(key);
            }
            is_complete &= walk.left == 0;
        }
        // Entries without a value may use up a step without a result.
        if saved.is_empty() && is_complete {
            self.snapshot = None;
            return None;
        }
        Some(saved)
    }

    /// Called before an entry's value or expiry changes.
    #[inline]
    pub(super) fn before_change(&mut self, db: DbIndex, index: usize) {
        if self.snapshot.is_some() {
            self.save_before_change(db, index);
        }
    }

    #[cold]
    fn save_before_change(&mut self, db: DbIndex, index: usize) {
        let Some(snapshot) = &mut self.snapshot else { return };
        let Db { entries, walk, .. } = &mut self.dbs[db];
        let saved = save(entries, walk.number, index, self.epoch, &snapshot.policies);
        snapshot.saved.keys.extend(saved);
    }
}

/// Saves an entry that is not yet saved; `None` if it had no content.
fn save(
    entries: &mut Entries,
    number: DbIndex,
    index: usize,
    epoch: u32,
    policies: &Policies,
) -> Option<SavedKey> {
    entries.get_index_mut(index)?.save(epoch, number, policies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Key, Value};
    use crate::queue::{End, Queue};
    use crate::value::Kind;
    use std::collections::BTreeMap;

    type Model = BTreeMap<(DbIndex, Vec<u8>), (Vec<Vec<u8>>, Option<i64>)>;

    fn list(value: &Value) -> Vec<Vec<u8>> {
        let queue = Queue::of(value).expect("there are only lists");
        queue.iter().map(<[u8]>::to_vec).collect()
    }

    fn model(keyspace: &Keyspace) -> Model {
        let mut model = Model::new();
        for db in 0..keyspace.db_count() {
            for (key, value) in keyspace.keys(db) {
                let expiry = keyspace.expiry(db, key).flatten();
                model.insert((db, key.to_vec()), (list(value), expiry));
            }
        }
        model
    }

    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % limit
        }
    }

    fn change(keyspace: &mut Keyspace, dice: &mut Dice) {
        let db = dice.below(2) as usize;
        let key = [b'a' + dice.below(12) as u8];
        let other = [b'a' + dice.below(12) as u8];
        match dice.below(20) {
            0..8 => {
                let push = |queue: &mut Queue| queue.push(End::Back, &dice.0.to_le_bytes());
                keyspace.change_or_create_list(db, &key, push).expect("a list");
            }
            8..12 => {
                let pop = |queue: &mut Queue| queue.pop(End::Front, |_| ());
                keyspace.change_list(db, &key, pop).expect("a list");
            }
            12 => drop(keyspace.remove(db, &key)),
            13 => drop(keyspace.set_expiry(db, &key, Some(1_000_000 + dice.below(9) as i64))),
            14 => drop(keyspace.set_expiry(db, &key, None)),
            15 => {
                if let Some((value, expiry)) = keyspace.remove(db, &key) {
                    keyspace.insert(1 - db, &other, value, expiry);
                }
            }
            16 => keyspace.swap(0, 1, &[]),
            17 if dice.below(4) == 0 => keyspace.flush(db, &[]),
            18 => {
                let mut queue = Queue::new();
                queue.push(End::Back, b"new");
                keyspace.insert(db, &key, Value::List(queue), None);
            }
            _ => {}
        }
    }

    #[test]
    fn a_flush_during_a_snapshot_ends_the_walk() {
        let mut keyspace = Keyspace::new(1, 7);
        for key in [b"a", b"b"] {
            let push = |queue: &mut Queue| queue.push(End::Back, b"x");
            keyspace.change_or_create_list(0, key, push).expect("a list");
        }
        keyspace.begin_snapshot();
        keyspace.flush(0, &[]);
        assert_eq!(keyspace.next_saved(1000).map(|saved| saved.keys.len()), Some(2));
        assert!(keyspace.next_saved(1000).is_none());
    }

    /// A flush moves many keys aside, of which the walk has reached some.
    #[test]
    fn flushed_keys_are_saved_once_and_then_freed() {
        for seed in 0..20 {
            let mut dice = Dice(seed);
            let mut keyspace = Keyspace::new(2, seed);
            let put = |keyspace: &mut Keyspace, db, number: u64| {
                let push = |queue: &mut Queue| queue.push(End::Back, b"x");
                let key = number.to_string();
                keyspace.change_or_create_list(db, key.as_bytes(), push).expect("a list");
            };
            (0..3000).for_each(|number| put(&mut keyspace, 0, number));
            // Data moved aside before a snapshot is not part of it.
            keyspace.flush(0, &[]);
            (0..3000).for_each(|number| put(&mut keyspace, 0, number));
            let expected = model(&keyspace);
            keyspace.begin_snapshot();
            let mut found = Model::new();
            let mut flushes = 0;
            loop {
                keyspace.work.begin_turn(dice.below(20_000));
                keyspace.work.begin_chores();
                keyspace.free_trash();
                keyspace.check_invariants();
                match dice.below(8) {
                    0..4 => (0..300).for_each(|_| put(&mut keyspace, 0, dice.below(9000))),
                    4 => keyspace.swap(0, 1, &[]),
                    _ => {
                        let key = Key::from(dice.below(3000).to_string().as_bytes());
                        keyspace.flush(dice.below(2) as usize, &[(0, key)]);
                        flushes += 1;
                    }
                }
                let Some(saved) = keyspace.next_saved(40_000) else { break };
                for SavedKey { db, key, value, expires_ms, .. } in saved.keys {
                    let value = value.expect("nothing is in flight");
                    let twice = found.insert((db, key.to_vec()), (list(&value), expires_ms));
                    assert!(twice.is_none(), "seed {seed}: {key:?} of {db} twice");
                }
            }
            assert!(found == expected, "seed {seed}: {} of {}", found.len(), expected.len());
            while keyspace.has_trash() {
                keyspace.work.begin_turn(1000);
                keyspace.work.begin_chores();
                keyspace.free_trash();
            }
            assert!(keyspace.trash.is_empty() && flushes > 0, "seed {seed}");
            keyspace.check_invariants();
        }
    }

    #[test]
    fn every_key_is_saved_once_as_it_was() {
        for seed in 0..500 {
            let mut dice = Dice(seed);
            let mut keyspace = Keyspace::new(2, seed);
            for _ in 0..dice.below(60) {
                change(&mut keyspace, &mut dice);
            }
            for _ in 0..2 {
                let expected = model(&keyspace);
                keyspace.begin_snapshot();
                let mut found = Model::new();
                loop {
                    for _ in 0..dice.below(10) {
                        change(&mut keyspace, &mut dice);
                    }
                    let Some(saved) = keyspace.next_saved(1 + dice.below(200) as usize) else {
                        break;
                    };
                    for SavedKey { db, key, value, expires_ms, .. } in saved.keys {
                        let value = value.expect("nothing is in flight");
                        let twice = found.insert((db, key.to_vec()), (list(&value), expires_ms));
                        assert!(twice.is_none(), "seed {seed}: {key:?} of {db} twice");
                    }
                }
                assert_eq!(found, expected, "seed {seed}");
                keyspace.check_invariants();
            }
        }
    }
}
