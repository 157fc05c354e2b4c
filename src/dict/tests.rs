//! Tables against a naive model.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn text(&mut self, kinds: usize) -> Vec<u8> {
        let number = self.below(kinds);
        match self.below(50) {
            0 => format!("{number}{}", "x".repeat(number % 1_000)).into_bytes(),
            1..20 => number.to_string().into_bytes(),
            20..25 => format!("-{}", number * 1_000_000_007).into_bytes(),
            _ => format!("field:{number}").into_bytes(),
        }
    }
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

impl<const VALUES: bool> Dict<VALUES> {
    fn insert(&mut self, key: &[u8], value: &[u8], hasher: &RandomState) -> bool {
        self.insert_item(Item::of(key), Item::of(value), hasher)
    }
}

fn hasher() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

fn content<const VALUES: bool>(dict: &Dict<VALUES>) -> Model {
    let content: Model = dict.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
    assert_eq!(content.len(), dict.iter().count(), "a key twice");
    assert_eq!(content.len(), dict.len());
    content
}

fn check<const VALUES: bool>(dict: &Dict<VALUES>) {
    let (segments, places) = match &dict.0 {
        Form::Small(small) => (small.allocated_bytes(), 0),
        Form::Large(large) => {
            large.check_invariants();
            (large.segment_bytes(), large.allocated_bytes() - large.segment_bytes())
        }
    };
    assert_eq!(dict.allocated_bytes(), segments + places);
}

fn play<const VALUES: bool>(seed: u64) {
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let mut dict = Dict::<VALUES>::default();
    let mut model = Model::new();
    let mut shared = Vec::new();
    let kinds = [20, 200, 3_000][dice.below(3)];
    let kinds = 1 + dice.below(kinds);
    for step in 0..6_000 {
        // Grows for a while, then shrinks, and so on.
        let removes = dice.below(10) < if step / 1_000 % 2 == 0 { 2 } else { 8 };
        let key = dice.text(kinds);
        if removes {
            assert_eq!(dict.remove(&key), model.remove(&key).is_some(), "seed {seed}");
        } else {
            let value = if VALUES { dice.text(5_000) } else { Vec::new() };
            let is_new = dict.insert(&key, &value, &hasher());
            assert_eq!(is_new, model.insert(key, value).is_none(), "seed {seed}");
        }
        let key = dice.text(kinds);
        let found = dict.get(&key).map(Item::to_vec);
        assert_eq!(found, model.get(&key).cloned(), "seed {seed}");
        if dice.below(300) == 0 {
            check(&dict);
            assert_eq!(content(&dict), model, "seed {seed}");
            shared.push((dict.share(), model.clone()));
        }
        if dice.below(500) == 0 {
            shared.pop();
        }
    }
    for (mut dict, model) in shared {
        assert_eq!(content(&dict), model, "seed {seed}: a shared one");
        check(&dict);
        let mut freed = 0;
        while !dict.is_empty() {
            let part = dict.take_part();
            assert!(part > 0 || !dict.is_empty());
            freed += part;
            check(&dict);
        }
        assert_eq!(freed, model.len(), "seed {seed}");
        dict.insert(b"again", b"", &hasher());
        assert_eq!(dict.len(), 1);
    }
}

#[test]
fn tables_are_like_maps() {
    (0..25).for_each(play::<true>);
}

#[test]
fn sets_are_like_sets() {
    (0..25).for_each(play::<false>);
}

#[test]
fn few_entries_keep_their_order() {
    let mut dict = Dict::<true>::default();
    let key = |number: usize| format!("{}", number * 37 % 101).into_bytes();
    (0..100).for_each(|number| assert!(dict.insert(&key(number), b"old", &hasher())));
    assert!(dict.remove(&key(50)));
    assert!(!dict.insert(&key(20), b"a new value", &hasher()));
    let keys: Vec<_> = dict.iter().map(|(key, _)| key.to_vec()).collect();
    let expected: Vec<_> = (0..100).filter(|number| *number != 50).map(key).collect();
    assert_eq!(keys, expected);
}

#[test]
fn a_scan_finds_all_that_stays() {
    for seed in 0..25 {
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let mut dict = Dict::<false>::default();
        let name = |number: usize| format!("member:{number}").into_bytes();
        let staying = dice.below(600);
        for number in 0..staying {
            dict.insert(&name(number), b"", &hasher());
        }
        let mut others = 0;
        let mut found = BTreeSet::new();
        let mut cursor = 0;
        let mut calls = 0;
        loop {
            cursor = dict.scan(cursor, 1 + dice.below(30), |key, _| {
                found.insert(key.to_vec());
            });
            if cursor == 0 {
                break;
            }
            let wanted = dice.below(1_500);
            while others < wanted {
                others += 1;
                dict.insert(&name(1_000 + others), b"", &hasher());
            }
            while others > wanted {
                dict.remove(&name(1_000 + others));
                others -= 1;
            }
            calls += 1;
            assert!(calls < 10_000, "seed {seed}: a scan without end");
        }
        let missing = (0..staying).filter(|number| !found.contains(&name(*number))).count();
        assert_eq!(missing, 0, "seed {seed}");
    }
}

#[test]
fn a_scan_without_changes_finds_all_once() {
    for count in [1, 128, 129, 300, 1_000, 12_345] {
        let mut dict = Dict::<true>::default();
        for number in 0..count {
            dict.insert(format!("f{number}").as_bytes(), b"v", &hasher());
        }
        let (mut found, mut cursor, mut most) = (Vec::new(), 0, 0);
        loop {
            let before = found.len();
            cursor = dict.scan(cursor, 10, |key, _| found.push(key.to_vec()));
            most = most.max(found.len() - before);
            if cursor == 0 {
                break;
            }
            assert!(cursor < 1 << 20, "cursors are as small as in Redis");
        }
        found.sort();
        found.dedup();
        assert_eq!(found.len(), count);
        assert!(most <= 128, "{most} in one call");
    }
    // Any cursor of a client is accepted.
    let mut dict = Dict::<true>::default();
    for number in 0..1_000_u32 {
        dict.insert(&number.to_be_bytes(), b"", &hasher());
    }
    for bit in 0..64 {
        dict.scan(1 << bit, 10, |_, _| {});
        dict.scan(u64::MAX >> bit, 10, |_, _| {});
    }
}

#[test]
fn random_entries_are_about_as_likely() {
    for count in [1, 100, 1_000] {
        let mut dict = Dict::<false>::default();
        for number in 0..count {
            dict.insert(format!("m{number}").as_bytes(), b"", &hasher());
        }
        let mut dice = Dice(count as u64);
        let mut draws = 0;
        let mut drawn: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for _ in 0..count * 200 {
            let key = dict.random(|| {
                draws += 1;
                dice.next()
            });
            *drawn.entry(key.expect("there are some").0.to_vec()).or_default() += 1;
        }
        assert_eq!(drawn.len(), count);
        assert!(drawn.values().all(|times| (100..400).contains(times) || count == 1));
        assert!(draws < count * 200 * 16);
    }
    assert!(Dict::<true>::default().random(|| 7).is_none());
}

#[test]
fn memory_is_little_more_than_the_entries() {
    let fill = |count: usize| {
        let mut dict = Dict::<true>::default();
        for number in 0..count {
            let (key, value) = (format!("field:{number:06}"), format!("value:{number:06}"));
            dict.insert(key.as_bytes(), value.as_bytes(), &hasher());
        }
        dict.allocated_bytes() / count
    };
    // 24 bytes of text.
    assert!(fill(100) <= 29, "{}", fill(100));
    assert!(fill(100_000) <= 36, "{}", fill(100_000));
    let mut numbers = Dict::<false>::default();
    for number in 0..100_000 {
        numbers.insert(number.to_string().as_bytes(), b"", &hasher());
    }
    assert!(numbers.allocated_bytes() <= 9 * 100_000, "{}", numbers.allocated_bytes());
    // What is removed is freed.
    for number in 100..100_000 {
        numbers.remove(number.to_string().as_bytes());
    }
    assert!(numbers.allocated_bytes() <= 6_000, "{}", numbers.allocated_bytes());
}
