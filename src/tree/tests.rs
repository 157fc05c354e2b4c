//! The tree against a sorted vector.

use super::*;

/// A small generator with a printed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

type Model = Vec<(f64, Vec<u8>)>;

fn member(random: &mut Random, kinds: usize) -> Vec<u8> {
    let length = match random.below(200) {
        0 => 70_000,
        1..5 => 1000 + random.below(4000),
        5..20 => random.below(300),
        20..32 => return Vec::new(),
        _ => random.below(12),
    };
    let mut member = random.below(kinds).to_string().into_bytes();
    member.resize(member.len().max(length), b'x');
    member
}

fn check_same(tree: &Tree, model: &Model) {
    tree.check();
    let found: Model = tree.range(0, usize::MAX).map(|(s, m)| (s, m.to_vec())).collect();
    assert!(found == *model);
}

fn count(model: &Model, is_before: impl Fn(&(f64, Vec<u8>)) -> bool) -> usize {
    model.iter().filter(|element| is_before(element)).count()
}

fn play(seed: u64, scores: usize, steps: usize, kinds: usize) {
    println!("seed {seed}");
    let mut random = Random(seed);
    let (mut tree, mut model) = (Tree::default(), Model::new());
    let mut shared: Vec<(Tree, Model)> = Vec::new();
    for step in 0..steps {
        let score = random.below(scores) as f64 / 2.0 - 3.0;
        let element = (score, member(&mut random, kinds));
        let at = model
            .partition_point(|other| compare((other.0, &other.1), (element.0, &element.1)).is_lt());
        assert_eq!(tree.rank(&Cut::Before(element.0, &element.1)), at);
        let is_there = model.get(at) == Some(&element);
        match random.below(12) {
            0..8 if !is_there => {
                tree.insert(element.0, &element.1);
                model.insert(at, element);
            }
            8 if is_there => {
                tree.remove(at, at + 1);
                model.remove(at);
            }
            9 if !model.is_empty() => {
                let rank = random.below(model.len());
                let (before, own) = model[rank].clone();
                let score = if random.below(2) == 0 { before + 0.25 } else { score };
                if model.contains(&(score, own.clone())) {
                    continue;
                }
                tree.set_score(rank, &own, score);
                model.remove(rank);
                let at = model
                    .partition_point(|other| compare((other.0, &other.1), (score, &own)).is_lt());
                model.insert(at, (score, own));
            }
            10 => {
                let most = if random.below(20) == 0 { model.len() } else { 9 };
                let from = random.below(model.len() + 1);
                let to = (from + random.below(most + 1)).min(model.len());
                tree.remove(from, to);
                model.drain(from..to);
            }
            _ => {
                assert_eq!(
                    tree.rank(&Cut::BeforeScore(score)),
                    count(&model, |other| other.0 < score)
                );
                assert_eq!(
                    tree.rank(&Cut::BehindScore(score)),
                    count(&model, |other| other.0 <= score)
                );
                let rank = random.below(model.len() + 2);
                let expected = model.get(rank).map(|(score, own)| (*score, &own[..]));
                assert_eq!(tree.get(rank), expected);
            }
        }
        if step % 97 == 0 {
            check_same(&tree, &model);
            let (from, to) = (random.below(model.len() + 1), random.below(model.len() + 9));
            let expected = model.get(from..to.clamp(from, model.len())).unwrap_or_default();
            let mut forward = tree.range(from, to.max(from));
            assert_eq!(forward.len(), expected.len());
            assert!(forward.clone().rev().eq(expected.iter().rev().map(|(s, m)| (*s, &m[..]))));
            let mut both = Vec::new();
            while let Some(one) = forward.next() {
                both.push(one);
                both.extend(forward.next_back());
            }
            assert_eq!(both.len(), expected.len());
        }
        if step % 501 == 0 {
            shared.push((tree.clone(), model.clone()));
        }
    }
    for (tree, model) in &shared {
        check_same(tree, model);
    }
    tree.remove(0, usize::MAX);
    check_same(&tree, &Model::new());
}

#[test]
fn it_agrees_with_a_sorted_vector() {
    for seed in 1..6 {
        play(seed * 7919, 40, 3_000, 1000);
        play(seed * 104_729, 1, 3_000, 100_000);
        play(seed * 15_485_863, 1_000_000, 3_000, 100_000);
    }
}

#[test]
fn members_of_one_score_are_cut_by_their_bytes() {
    let mut tree = Tree::default();
    (0..1000).for_each(|n| tree.insert(0.0, format!("{n:04}").as_bytes()));
    assert_eq!(tree.rank(&Cut::BeforeMember(b"0500")), 500);
    assert_eq!(tree.rank(&Cut::BehindMember(b"0500")), 501);
    assert_eq!((tree.rank(&Cut::Start), tree.rank(&Cut::End)), (0, 1000));
}

#[test]
fn elements_in_order_fill_the_leaves() {
    for is_rising in [true, false] {
        let mut tree = Tree::default();
        for n in 0..100_000 {
            let score = if is_rising { f64::from(n) } else { -f64::from(n) };
            tree.insert(score, format!("{n:010}").as_bytes());
        }
        tree.check();
        let each = tree.allocated_bytes() / tree.len();
        assert!(each < 26, "{each} bytes each, rising: {is_rising}");
    }
}

#[test]
fn elements_in_any_order_take_little_more() {
    let (mut tree, mut random) = (Tree::default(), Random(4711));
    for n in 0..100_000 {
        tree.insert(random.below(1 << 40) as f64, format!("{n:010}").as_bytes());
    }
    let each = tree.allocated_bytes() / tree.len();
    assert!(each < 30, "{each} bytes each");
}

#[test]
fn few_nodes_are_left_of_many() {
    let (mut tree, mut random) = (Tree::default(), Random(99));
    (0..50_000).for_each(|n| tree.insert(f64::from(n), b"member"));
    while tree.len() > 1000 {
        let at = random.below(tree.len());
        tree.remove(at, at + 1);
    }
    tree.check();
    let each = tree.allocated_bytes() / tree.len();
    assert!(each < 80, "{each} bytes each");
    let copy = tree.clone();
    while tree.len() > 0 {
        tree.remove(0, 1);
    }
    copy.check();
    assert_eq!((copy.len(), tree.len()), (1000, 0));
}
