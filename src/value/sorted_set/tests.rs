//! Sorted sets against a map.

use super::*;
use std::collections::BTreeMap;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

fn growth(count_max: usize, bytes_max: usize) -> Growth {
    let hasher = RandomState::with_seeds(1, 2, 3, 4);
    Growth { count_max, bytes_max, hasher }
}

type Model = BTreeMap<Vec<u8>, f64>;

fn in_order(model: &Model) -> Vec<(f64, Vec<u8>)> {
    let mut all: Vec<_> = model.iter().map(|(member, score)| (*score, member.clone())).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    all
}

fn check_same(set: &SortedSet, model: &Model) {
    let expected = in_order(model);
    assert!(set.iter().eq(expected.iter().map(|(score, member)| (*score, &member[..]))));
    assert_eq!(set.len(), model.len());
    let mut seen = Model::new();
    let mut cursor = 0;
    loop {
        cursor = set.scan(cursor, 10, |member, score| {
            seen.insert(member.to_vec(), score);
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, *model);
    for (rank, (score, member)) in expected.iter().enumerate() {
        assert_eq!(set.find(member), Some((rank, *score)));
        assert_eq!(set.score(member), Some(*score));
    }
}

#[test]
fn they_agree_with_a_map() {
    for seed in 1..12_u64 {
        println!("seed {seed}");
        let mut random = Random(seed * 7919);
        let growth = growth(random.below(40), 8);
        let (mut set, mut model) = (SortedSet::default(), Model::new());
        let mut shared = Vec::new();
        for step in 0..1500 {
            let mut member = random.below(300).to_string().into_bytes();
            if random.below(100) == 0 {
                member.resize(9, b'x');
            }
            let score = random.below(50) as f64 / 4.0;
            match random.below(8) {
                0..5 => {
                    let expected = match model.insert(member.clone(), score) {
                        None => Set::Added,
                        Some(before) if before == score => Set::Same,
                        Some(_) => Set::Updated,
                    };
                    assert_eq!(set.set(&member, score, &growth), expected);
                }
                5 | 6 => assert_eq!(set.remove(&member), model.remove(&member).is_some()),
                _ => {
                    let from = random.below(model.len() + 1);
                    let to = from + random.below(5);
                    let removed = in_order(&model).into_iter().skip(from).take(to - from);
                    let removed = removed.filter(|(_, member)| model.remove(member).is_some());
                    assert_eq!(set.remove_range(from..to), removed.count());
                }
            }
            if step % 50 == 0 {
                check_same(&set, &model);
                shared.push((set.share(), model.clone()));
            }
            if step % 333 == 0 {
                set.make_small(&growth);
            }
        }
        shared.iter().for_each(|(set, model)| check_same(set, model));
    }
}

#[test]
fn a_small_one_becomes_large_and_stays_so() {
    let growth = growth(2, 3);
    let mut set = SortedSet::default();
    set.set(b"a", 1.0, &growth);
    set.set(b"b", 1.0, &growth);
    assert!(set.is_small());
    set.set(b"c", 1.0, &growth);
    assert!(!set.is_small());
    set.remove(b"c");
    assert!(!set.is_small());
    set.make_small(&growth);
    assert!(set.is_small());
    set.remove(b"a");
    set.set(b"long", 1.0, &growth);
    assert!(!set.is_small());
    set.make_small(&growth);
    assert!(!set.is_small());
}

/// redis-server 8 takes 15 bytes for each of 100 such members, and 7 for their listpack. Its allocator makes that
/// 1,536.
#[test]
fn a_small_one_takes_no_more_than_a_listpack() {
    let (mut set, growth) = (SortedSet::default(), growth(128, 64));
    for n in 0..100 {
        set.set(format!("member:{n:03}").as_bytes(), f64::from(n * 10), &growth);
    }
    let bytes = set.allocated_bytes();
    assert!(bytes <= 1536, "{bytes}");
}

/// redis-server takes more than 100 bytes for each.
#[test]
fn a_large_one_takes_few_bytes_for_each_member() {
    let (mut set, growth) = (SortedSet::default(), growth(128, 64));
    let mut random = Random(4711);
    for n in 0..100_000 {
        let member = format!("user:{:05}", n * 7919 % 100_000);
        set.set(member.as_bytes(), random.below(1 << 40) as f64 / 8.0, &growth);
    }
    let each = set.allocated_bytes() / set.len();
    println!("{each} bytes each");
    assert!(each < 60, "{each} bytes each");
}

#[test]
fn a_large_one_is_freed_in_parts() {
    let (mut set, growth) = (SortedSet::default(), growth(128, 64));
    for n in 0..10_000 {
        set.set(n.to_string().as_bytes(), f64::from(n), &growth);
    }
    let mut shared = set.share();
    let mut parts = 0;
    while shared.len() > 0 {
        assert!((1..2_000).contains(&shared.free_part()));
        parts += 1;
    }
    assert!(parts > 10, "{parts}");
    let expected = (0..10_000).map(|n| (f64::from(n), n.to_string().into_bytes()));
    assert!(set.iter().map(|(score, member)| (score, member.to_vec())).eq(expected));
}
