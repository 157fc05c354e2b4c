//! Stamps stay with their messages: by example, and compared with a plain deque of both.

use super::stamps::Stamps;
use super::tests::deque;
use super::*;
use std::collections::VecDeque;
use std::sync::Arc;

const FRONT: End = End::Front;
const BACK: End = End::Back;

pub(super) fn ready(ready_ms: i64) -> Stamp {
    Stamp { ready_ms, ..Stamp::default() }
}

fn returned(end: End, order: u64) -> Stamp {
    Stamp { ready_ms: 1, order, taken_from: end, deliveries: 1, ..Stamp::default() }
}

pub(super) fn origin(from: &[u8]) -> Arc<DeadLetter> {
    Arc::new(DeadLetter { from: from.into(), reason: Reason::Expired })
}

/// What a queue without a policy keeps of a stamp.
fn of_dead_letter(stamp: &Stamp) -> Stamp {
    let Stamp { ready_ms, hops, ref dead_letter, .. } = *stamp;
    match dead_letter {
        Some(_) => Stamp { ready_ms, hops, dead_letter: dead_letter.clone(), ..Stamp::default() },
        None => Stamp::default(),
    }
}

/// A stamped queue of messages "0", "1", ... with these stamps.
pub(super) fn stamped(stamps: &[Stamp]) -> Queue {
    let mut queue = Queue::new();
    queue.begin_stamps(0);
    for (number, stamp) in stamps.iter().enumerate() {
        queue.push_stamped(BACK, number.to_string().as_bytes(), stamp.clone());
    }
    queue.check_invariants();
    queue
}

pub(super) fn runs(queue: &Queue) -> Vec<(i64, usize)> {
    queue.stamp_runs().map(|(stamp, count)| (stamp.ready_ms, count)).collect()
}

fn texts(queue: &Queue) -> Vec<String> {
    queue.iter().map(|message| String::from_utf8_lossy(message).into_owned()).collect()
}

#[test]
fn a_queue_without_stamps_ignores_them() {
    let mut queue = Queue::new();
    queue.push_stamped(BACK, b"b", returned(FRONT, 7));
    queue.insert_stamped(0, b"a", returned(FRONT, 7));
    queue.set_push_ms(5);
    queue.restamp_end(BACK, 1, ready(5));
    queue.replace_ready_ms(0, 5);
    assert!(!queue.is_stamped());
    assert!(!queue.restamp(&[(ready(5), 2)]));
    assert_eq!(queue.stamp_runs().count(), 0);
    assert_eq!((queue.oldest_ms(), queue.next_older_than(i64::MAX)), (None, None));
    assert_eq!((queue.place_of(FRONT, 9), queue.place_of(BACK, 9)), (0, 2));
    assert_eq!(queue.stamp_at(0), Stamp::default());
    let popped = queue.pop_stamped(FRONT, <[u8]>::to_vec);
    assert_eq!(popped, Some((b"a".to_vec(), Stamp::default())));
    queue.check_invariants();
}

#[test]
fn stamps_begin_once_and_end() {
    let mut queue = Queue::new();
    queue.push(BACK, b"a");
    queue.push(BACK, b"b");
    queue.begin_stamps(10);
    assert_eq!(runs(&queue), [(10, 2)]);
    queue.begin_stamps(20);
    assert_eq!(runs(&queue), [(10, 2)], "what is there keeps its stamp");
    queue.push(BACK, b"c");
    queue.set_push_ms(30);
    queue.push(FRONT, b"d");
    assert_eq!(runs(&queue), [(30, 1), (10, 2), (20, 1)]);
    assert_eq!(queue.oldest_ms(), Some(10));
    let with_stamps = queue.allocated_bytes();
    queue.end_stamps();
    assert!(!queue.is_stamped() && queue.allocated_bytes() < with_stamps);
    assert_eq!(queue.len(), 4);
    queue.check_invariants();
}

#[test]
fn a_returned_message_goes_behind_those_taken_before_it() {
    let (front, back) = (|order| returned(FRONT, order), |order| returned(BACK, order));
    let mut queue = stamped(&[front(2), front(5), ready(1), back(3)]);
    assert_eq!(queue.place_of(FRONT, 1), 0);
    assert_eq!(queue.place_of(FRONT, 4), 1);
    assert_eq!(queue.place_of(FRONT, 5), 1, "an equal order is not below");
    assert_eq!(queue.place_of(FRONT, 9), 2, "not behind one that was never taken");
    assert_eq!(queue.place_of(BACK, 3), 4);
    assert_eq!(queue.place_of(BACK, 4), 3);
    queue.insert_stamped(queue.place_of(BACK, 4), b"4th", back(4));
    assert_eq!(texts(&queue), ["0", "1", "2", "4th", "3"]);
    assert_eq!(queue.place_of(BACK, 9), 3);
    let queue = stamped(&[back(2), front(1)]);
    let places = (queue.place_of(FRONT, 9), queue.place_of(BACK, 9));
    assert_eq!(places, (0, 2), "not behind those from the other end");
    assert_eq!((Queue::new().place_of(FRONT, 9), Queue::new().place_of(BACK, 9)), (0, 0));
}

#[test]
fn returned_messages_keep_their_order() {
    for end in [FRONT, BACK] {
        for shuffled in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            let mut queue = stamped(&[0; 4].map(ready));
            let taken: Vec<Vec<u8>> =
                (0..3).filter_map(|_| queue.pop(end, <[u8]>::to_vec)).collect();
            for order in shuffled {
                let place = queue.place_of(end, order);
                queue.insert_stamped(place, &taken[order as usize - 1], returned(end, order));
            }
            assert_eq!(texts(&queue), ["0", "1", "2", "3"], "{shuffled:?} at {end:?}");
            queue.check_invariants();
        }
    }
}

#[test]
fn old_messages_are_found_at_the_front_then_at_the_back_then_between() {
    let queue = stamped(&[3, 3, 1, 9, 2, 9, 4].map(ready));
    assert_eq!(queue.next_older_than(0), None);
    assert_eq!(queue.next_older_than(1), Some((2, 1)), "only one in the middle");
    assert_eq!(queue.next_older_than(2), Some((2, 1)), "that nearest to the front");
    assert_eq!(queue.next_older_than(3), Some((0, 3)), "the front with all that follow");
    assert_eq!(queue.next_older_than(9), Some((0, 7)));
    let queue = stamped(&[9, 1, 9, 2, 1].map(ready));
    assert_eq!(queue.next_older_than(2), Some((3, 2)), "the back before the middle");
    assert_eq!(stamped(&[]).next_older_than(i64::MAX), None);
}

#[test]
fn trimming_out_the_middle_keeps_both_sides() {
    let mut queue = stamped(&[1, 1, 2, 3, 1, 1].map(ready));
    queue.trim_out(1, 0);
    assert_eq!(queue.len(), 6);
    queue.trim_out(2, 2);
    assert_eq!(texts(&queue), ["0", "1", "4", "5"]);
    assert_eq!(runs(&queue), [(1, 4)], "what meets and is equal is one run");
    queue.trim_out(1, 1);
    assert_eq!(texts(&queue), ["0", "4", "5"]);
    queue.trim_out(1, usize::MAX);
    assert_eq!(texts(&queue), ["0"]);
    queue.trim_out(7, 1);
    queue.check_invariants();
}

#[test]
fn trimming_out_drops_whole_segments_and_shared_bytes_stay_as_they_are() {
    let mut queue = Queue::new();
    queue.begin_stamps(0);
    for number in 0..10_000u32 {
        queue.set_push_ms(i64::from(number / 100));
        queue.push(BACK, &number.to_be_bytes());
    }
    let all = queue.clone();
    let snapshot = queue.share();
    let before = deque(&queue).segments.len();
    queue.trim_out(5, 9_990);
    queue.check_invariants();
    assert!(
        before > 4 && deque(&queue).segments.len() == 2,
        "{} of {before}",
        deque(&queue).segments.len()
    );
    assert!(deque(&queue).segments.iter().all(|segment| segment.is_shared()), "nothing was copied");
    let kept = (0..5u32).chain(9_995..10_000).map(u32::to_be_bytes);
    assert!(queue.iter().eq(kept));
    assert_eq!(runs(&queue), [(0, 5), (99, 5)]);
    queue.trim_out(1, 3);
    queue.check_invariants();
    snapshot.check_invariants();
    assert!(snapshot.iter().eq(all.iter()) && snapshot.stamp_runs().eq(all.stamp_runs()));
}

#[test]
fn restamping_replaces_all_or_nothing() {
    let mut queue = stamped(&[1, 2, 3].map(ready));
    assert!(!queue.restamp(&[(ready(5), 2)]));
    assert!(!queue.restamp(&[(ready(5), usize::MAX), (ready(6), 4)]));
    assert_eq!(runs(&queue), [(1, 1), (2, 1), (3, 1)]);
    assert!(queue.restamp(&[(ready(5), 1), (ready(6), 0), (ready(5), 1), (ready(4), 1)]));
    assert_eq!(runs(&queue), [(5, 2), (4, 1)]);
    queue.check_invariants();
    queue.restamp_end(BACK, 2, ready(7));
    assert_eq!(runs(&queue), [(5, 1), (7, 2)]);
    queue.restamp_end(FRONT, 9, ready(8));
    assert_eq!((runs(&queue), queue.oldest_ms()), (vec![(8, 3)], Some(8)));
    queue.restamp_end(FRONT, 0, ready(9));
    queue.check_invariants();
}

#[test]
fn neighbours_that_become_ready_at_the_same_time_are_one_run() {
    let mut queue = stamped(&[4, 5, 4, 6, 5, 6].map(ready));
    queue.replace_ready_ms(5, 4);
    assert_eq!(runs(&queue), [(4, 3), (6, 1), (4, 1), (6, 1)]);
    queue.replace_ready_ms(7, 1);
    queue.replace_ready_ms(4, 4);
    assert_eq!(queue.oldest_ms(), Some(4));
    queue.check_invariants();
}

#[test]
fn many_messages_with_few_stamps_cost_little() {
    assert_eq!(size_of::<Option<Box<Stamps>>>(), size_of::<usize>());
    let mut queue = Queue::new();
    for _ in 0..1000 {
        queue.push(BACK, b"m");
    }
    let without = queue.allocated_bytes();
    queue.begin_stamps(1);
    for _ in 0..1000 {
        queue.push(BACK, b"m");
        queue.pop(FRONT, |_| ());
    }
    let with = queue.allocated_bytes();
    assert!(with < 2 * without + 400, "{with} bytes, {without} without stamps");
}

#[test]
fn memory_of_stamps_is_given_back() {
    let mut queue = Queue::new();
    queue.begin_stamps(0);
    for number in 0..10_000 {
        queue.push_stamped(BACK, b"m", ready(number));
    }
    while queue.pop(FRONT, |_| ()).is_some() {}
    queue.check_invariants();
    let bytes = queue.stamps().map_or(0, Stamps::allocated_bytes);
    assert!(bytes < 4096, "{bytes} bytes");
}

/// Prints the seed of a test that fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed is {}", self.0);
        }
    }
}

/// Numbers that look random (splitmix64), the same for the same seed.
struct Dice {
    state: u64,
    /// One of the origins of dead letters; others are equal to it, or not.
    shared: Option<Arc<DeadLetter>>,
}

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn end(&mut self) -> End {
        if self.below(2) == 0 { FRONT } else { BACK }
    }

    /// Mostly small, so that some are equal; occasionally as large as a segment.
    fn message(&mut self) -> Vec<u8> {
        let length = match self.below(20) {
            0 => 3000 + self.below(6000),
            1..4 => 100 + self.below(100),
            _ => self.below(3),
        };
        vec![self.below(2) as u8; length]
    }

    /// One of a few, so that neighbours are often equal.
    fn stamp(&mut self) -> Stamp {
        let order = self.below(3) as u64;
        Stamp {
            ready_ms: self.below(4) as i64 - 1,
            order,
            taken_from: self.end(),
            deliveries: self.below(2) as u32,
            hops: 0,
            dead_letter: match self.below(6) {
                0 => Some(origin(&[b'a'; 30])),
                1 => self.shared.clone(),
                _ => None,
            },
        }
    }

    /// Stamps for `len` messages, in runs of any length, none included.
    fn runs(&mut self, len: usize) -> Vec<(Stamp, usize)> {
        let mut left = len;
        let mut runs = Vec::new();
        while left > 0 {
            let count = self.below(left + 1);
            runs.push((self.stamp(), count));
            left -= count;
        }
        runs
    }
}

/// A queue and the simplest model of it.
struct Pair {
    queue: Queue,
    model: VecDeque<(Vec<u8>, Stamp)>,
    fresh: Stamp,
    is_fully_stamped: bool,
    /// The last snapshot, and its expected content.
    snapshot: Queue,
    model_then: VecDeque<(Vec<u8>, Stamp)>,
}

impl Pair {
    /// The expected stamp for one passed to the queue.
    fn kept(&self, stamp: Stamp) -> Stamp {
        if self.is_fully_stamped { stamp } else { of_dead_letter(&stamp) }
    }

    fn is_stamped(&self) -> bool {
        let is_dead_letter = |entry: &(Vec<u8>, Stamp)| entry.1.dead_letter.is_some();
        self.is_fully_stamped || self.model.iter().any(is_dead_letter)
    }

    fn push(&mut self, dice: &mut Dice) {
        let (end, message) = (dice.end(), dice.message());
        let mut stamp = self.fresh.clone();
        if dice.below(2) == 0 {
            if !self.push_alike(end, &message) {
                self.queue.push(end, &message);
            }
        } else {
            stamp = dice.stamp();
            self.queue.push_stamped(end, &message, stamp.clone());
        }
        let entry = (message, self.kept(stamp));
        match end {
            FRONT => self.model.push_front(entry),
            BACK => self.model.push_back(entry),
        }
    }

    fn push_alike(&mut self, end: End, message: &[u8]) -> bool {
        let before = (self.queue.allocated_bytes(), self.queue.oldest_ms());
        let is_pushed = self.queue.push_alike(end, message);
        assert_eq!((self.queue.allocated_bytes(), self.queue.oldest_ms()), before);
        is_pushed
    }

    fn pop(&mut self, dice: &mut Dice) {
        let end = dice.end();
        let expected = match end {
            FRONT => self.model.pop_front(),
            BACK => self.model.pop_back(),
        };
        match dice.below(3) {
            0 => assert_eq!(self.queue.pop_stamped(end, <[u8]>::to_vec), expected),
            1 => assert_eq!(self.queue.pop(end, <[u8]>::to_vec), expected.map(|entry| entry.0)),
            _ => {
                let before = (self.queue.allocated_bytes(), self.queue.oldest_ms());
                let alike = self.queue.pop_alike(end, <[u8]>::to_vec);
                let alike = alike.map(|(message, stamp)| (message, stamp.clone()));
                assert_eq!((self.queue.allocated_bytes(), self.queue.oldest_ms()), before);
                let popped = alike.or_else(|| self.queue.pop_stamped(end, <[u8]>::to_vec));
                assert_eq!(popped, expected);
            }
        }
    }

    fn insert(&mut self, dice: &mut Dice) {
        let (index, message) = (dice.below(self.model.len() + 1), dice.message());
        let mut stamp = self.fresh.clone();
        if dice.below(2) == 0 {
            self.queue.insert(index, &message);
        } else {
            stamp = dice.stamp();
            self.queue.insert_stamped(index, &message, stamp.clone());
        }
        self.model.insert(index, (message, self.kept(stamp)));
    }

    fn set(&mut self, dice: &mut Dice) {
        let (index, message) = (dice.below(self.model.len() + 1), dice.message());
        assert_eq!(self.queue.set(index, &message), index < self.model.len());
        if let Some(entry) = self.model.get_mut(index) {
            entry.0 = message;
        }
    }

    fn remove(&mut self, dice: &mut Dice) {
        let (end, message, limit) = (dice.end(), dice.message(), dice.below(4));
        let mut places: Vec<usize> =
            (0..self.model.len()).filter(|&place| self.model[place].0 == message).collect();
        if end == BACK {
            places.reverse();
        }
        places.truncate(limit);
        assert_eq!(self.queue.remove(end, &message, limit), places.len());
        places.sort_unstable();
        for place in places.into_iter().rev() {
            self.model.remove(place);
        }
    }

    /// Trims small parts more often than large ones, so that queues grow.
    fn trim(&mut self, dice: &mut Dice) {
        let start = dice.below(self.model.len() + 1);
        let bound = if dice.below(8) == 0 { self.model.len() } else { 6 };
        let count = dice.below(bound.min(self.model.len() - start) + 1);
        if dice.below(12) == 0 {
            self.queue.trim(start, count);
            self.model = self.model.iter().skip(start).take(count).cloned().collect();
        } else {
            self.queue.trim_out(start, count);
            self.model.drain(start..start + count);
        }
    }

    fn restamp(&mut self, dice: &mut Dice) {
        match dice.below(4) {
            0 => {
                let off = usize::from(dice.below(4) == 0);
                let runs = dice.runs(self.model.len() + off);
                let is_done = self.is_stamped() && off == 0;
                assert_eq!(self.queue.restamp(&runs), is_done);
                if is_done {
                    let kept = runs.iter().map(|(stamp, n)| (self.kept(stamp.clone()), *n));
                    let kept: Vec<_> = kept.collect();
                    let all = kept.into_iter().flat_map(|(stamp, n)| std::iter::repeat_n(stamp, n));
                    self.model.iter_mut().zip(all).for_each(|(entry, stamp)| entry.1 = stamp);
                }
            }
            1 => {
                let (end, count, stamp) = (dice.end(), dice.below(5), dice.stamp());
                self.queue.restamp_end(end, count, stamp.clone());
                let stamp = self.kept(stamp);
                self.outermost(end, count).for_each(|e| e.1 = stamp.clone());
            }
            2 if dice.below(2) == 0 => {
                let (index, stamp) = (dice.below(self.model.len() + 1), dice.stamp());
                self.queue.restamp_at(index, stamp.clone());
                let stamp = self.kept(stamp);
                self.model.get_mut(index).into_iter().for_each(|e| e.1 = stamp.clone());
            }
            2 => {
                let (end, count, mut of) = (dice.end(), dice.below(5), dice.stamp());
                of.dead_letter.get_or_insert_with(|| origin(b"b"));
                self.queue.mark_dead_letters(end, count, &of);
                self.outermost(end, count).for_each(|(_, stamp)| {
                    (stamp.ready_ms, stamp.hops) = (of.ready_ms, of.hops);
                    stamp.dead_letter.clone_from(&of.dead_letter);
                });
            }
            _ => {
                let (from, to) = (dice.below(5) as i64 - 1, dice.below(5) as i64 - 1);
                self.queue.replace_ready_ms(from, to);
                let is_stamped = self.is_fully_stamped;
                let found = |e: &&mut (Vec<u8>, Stamp)| is_stamped && e.1.ready_ms == from;
                self.model.iter_mut().filter(found).for_each(|e| e.1.ready_ms = to);
            }
        }
    }

    fn outermost(&mut self, end: End, count: usize) -> impl Iterator<Item = &mut (Vec<u8>, Stamp)> {
        let len = self.model.len();
        let start = if end == FRONT { 0 } else { len - count.min(len) };
        self.model.iter_mut().skip(start).take(count)
    }

    fn begin_or_end(&mut self, dice: &mut Dice) {
        let ms = dice.below(4) as i64;
        match dice.below(12) {
            0 => {
                self.queue.end_stamps();
                self.is_fully_stamped = false;
                self.fresh = Stamp::default();
                self.model.iter_mut().for_each(|entry| entry.1 = of_dead_letter(&entry.1));
            }
            1..8 => {
                self.queue.begin_stamps(ms);
                if !self.is_fully_stamped {
                    let unknown = self.model.iter_mut().filter(|entry| entry.1.ready_ms == 0);
                    unknown.for_each(|entry| entry.1.ready_ms = ms);
                }
                self.is_fully_stamped = true;
                self.fresh = ready(ms);
            }
            _ => {
                self.queue.set_push_ms(ms);
                self.fresh = self.kept(ready(ms));
            }
        }
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(30) {
            0..10 => self.push(dice),
            10..14 => self.pop(dice),
            14..18 => self.insert(dice),
            18 => self.set(dice),
            19 => self.remove(dice),
            20..23 => self.trim(dice),
            23..26 => self.restamp(dice),
            26 => self.begin_or_end(dice),
            27 => self.queue = self.queue.clone(),
            28 => self.share(dice),
            _ => self.compare(dice),
        }
    }

    /// Takes a snapshot, after checking that the previous one is unchanged.
    fn share(&mut self, dice: &mut Dice) {
        self.snapshot.check_invariants();
        let messages = self.model_then.iter().map(|(message, _)| message.as_slice());
        assert!(self.snapshot.iter().eq(messages), "the snapshot's messages");
        if self.snapshot.is_stamped() {
            let stamps = (0..self.snapshot.len()).map(|index| self.snapshot.stamp_at(index));
            assert!(stamps.eq(self.model_then.iter().map(|(_, s)| s.clone())), "its stamps");
        }
        self.snapshot = self.queue.share();
        self.model_then = self.model.clone();
        if dice.below(2) == 0 {
            std::mem::swap(&mut self.queue, &mut self.snapshot);
        }
    }

    fn compare(&self, dice: &mut Dice) {
        let (queue, model) = (&self.queue, &self.model);
        assert_eq!(queue.is_fully_stamped(), self.is_fully_stamped);
        assert_eq!(queue.is_stamped(), self.is_stamped());
        assert!(queue.iter().eq(model.iter().map(|(message, _)| message.as_slice())));
        for (index, (_, stamp)) in model.iter().enumerate() {
            assert_eq!(queue.stamp_at(index), *stamp, "at {index}");
        }
        assert_eq!(queue.stamp_at(model.len()), Stamp::default());
        let all = queue.stamp_runs().flat_map(|(stamp, count)| std::iter::repeat_n(stamp, count));
        let expected = model.iter().map(|(_, s)| s.clone()).filter(|_| self.is_stamped());
        assert!(all.eq(expected));
        let oldest = model.iter().map(|(_, stamp)| stamp.ready_ms).min();
        assert_eq!(queue.oldest_ms(), oldest.filter(|_| self.is_stamped()));
        let limit = dice.below(5) as i64 - 2;
        let found = self.next_older_than(limit).filter(|_| self.is_stamped());
        assert_eq!(queue.next_older_than(limit), found, "limit {limit}");
        let order = dice.below(4) as u64;
        let before = |end: End| {
            move |entry: &&(Vec<u8>, Stamp)| {
                let stamp = &entry.1;
                stamp.order != 0 && stamp.order < order && stamp.taken_from == end
            }
        };
        let outer = model.iter().take_while(before(FRONT)).count();
        assert_eq!(queue.place_of(FRONT, order), outer);
        let behind = model.iter().rev().take_while(before(BACK)).count();
        assert_eq!(queue.place_of(BACK, order), model.len() - behind);
    }

    fn next_older_than(&self, limit: i64) -> Option<(usize, usize)> {
        let old: Vec<bool> = self.model.iter().map(|(_, s)| s.ready_ms <= limit).collect();
        let is_at_back = old.last() == Some(&true) && old.first() == Some(&false);
        let start = match is_at_back {
            true => old.iter().rposition(|is_old| !is_old)? + 1,
            false => old.iter().position(|is_old| *is_old)?,
        };
        Some((start, old[start..].iter().take_while(|is_old| **is_old).count()))
    }
}

#[test]
fn stamps_stay_with_their_messages_whatever_happens() {
    for seed in 0..200 {
        let seed = Seed(seed);
        let mut dice = Dice { state: seed.0, shared: Some(origin(&[b'a'; 30])) };
        let mut pair = Pair {
            queue: Queue::new(),
            model: VecDeque::new(),
            fresh: Stamp::default(),
            is_fully_stamped: false,
            snapshot: Queue::new(),
            model_then: VecDeque::new(),
        };
        for _ in 0..400 {
            pair.step(&mut dice);
            pair.queue.check_invariants();
            assert_eq!(pair.queue.len(), pair.model.len());
        }
        pair.compare(&mut dice);
        pair.share(&mut dice);
    }
}
