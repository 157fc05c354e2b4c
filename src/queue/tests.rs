use super::*;
use crate::queue::deque::SEGMENT_BYTES;
use crate::queue::segment::Segment;
use proptest::prelude::*;
use std::collections::VecDeque;

/// An operation on a queue; numbers are reduced to what is valid when it runs.
#[derive(Clone, Debug)]
enum Step {
    Push(bool, Vec<u8>),
    Pop(bool),
    Set(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Remove(bool, Vec<u8>, usize),
    Trim(usize, usize),
    /// Takes a snapshot, and drops the previous one.
    Share,
    /// Begins or ends filling.
    Fill(bool),
    /// Removes some messages.
    TrimOut(usize, usize),
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(0u8..3, 0..3),
        2 => prop::collection::vec(any::<u8>(), 100..200),
        1 => prop::collection::vec(Just(9u8), 3000..20_000),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<bool>(), message()).prop_map(|(end, m)| Step::Push(end, m)),
        4 => any::<bool>().prop_map(Step::Pop),
        1 => (any::<usize>(), message()).prop_map(|(i, m)| Step::Set(i, m)),
        2 => (any::<usize>(), message()).prop_map(|(i, m)| Step::Insert(i, m)),
        1 => (any::<bool>(), message(), 0usize..4).prop_map(|(e, m, n)| Step::Remove(e, m, n)),
        1 => (0usize..5, any::<usize>()).prop_map(|(a, b)| Step::Trim(a, b)),
        1 => Just(Step::Share),
        1 => any::<bool>().prop_map(Step::Fill),
        1 => (any::<usize>(), 0usize..4).prop_map(|(a, b)| Step::TrimOut(a, b)),
    ]
}

/// The deque of a queue that is not small.
pub(super) fn deque(queue: &Queue) -> &Deque {
    match &queue.messages {
        Packed::Small { .. } => panic!("a small queue"),
        Packed::Deque { deque, .. } => deque,
    }
}

fn end(front: bool) -> End {
    if front { End::Front } else { End::Back }
}

/// The same step on a plain deque; results are compared too.
fn apply(queue: &mut Queue, model: &mut VecDeque<Vec<u8>>, step: Step) {
    match step {
        Step::Push(front, m) => {
            queue.push(end(front), &m);
            if front { model.push_front(m) } else { model.push_back(m) }
        }
        Step::Pop(front) => {
            let popped = queue.pop(end(front), <[u8]>::to_vec);
            assert_eq!(popped, if front { model.pop_front() } else { model.pop_back() });
        }
        Step::Set(index, m) => {
            let index = index % (model.len() + 1);
            assert_eq!(queue.set(index, &m), index < model.len());
            if let Some(slot) = model.get_mut(index) {
                *slot = m;
            }
        }
        Step::Insert(index, m) => {
            let index = index % (model.len() + 1);
            queue.insert(index, &m);
            model.insert(index, m);
        }
        Step::Remove(front, m, limit) => {
            let mut places: Vec<usize> = (0..model.len()).filter(|&i| model[i] == m).collect();
            if !front {
                places.reverse();
            }
            places.truncate(limit);
            assert_eq!(queue.remove(end(front), &m, limit), places.len());
            places.sort_unstable();
            for place in places.into_iter().rev() {
                model.remove(place);
            }
        }
        Step::Trim(start, count) => {
            let start = start.min(model.len());
            let count = count % (model.len() - start + 1);
            queue.trim(start, count);
            *model = model.iter().skip(start).take(count).cloned().collect();
        }
        Step::TrimOut(start, count) => {
            let start = start % (model.len() + 1);
            let count = count.min(model.len() - start);
            queue.trim_out(start, count);
            model.drain(start..start + count);
        }
        Step::Fill(is_filling) => queue.set_filling(is_filling),
        Step::Share => {}
    }
}

proptest! {
    #[test]
    fn behaves_like_a_plain_deque(
        steps in prop::collection::vec(step(), 1..200),
        probe: usize,
        name in prop::collection::vec(any::<u8>(), 0..300),
        capacity in 0usize..300,
    ) {
        let mut queue = Queue::named(&name, 7, [8, 9], capacity);
        let mut model = VecDeque::new();
        let (mut snapshot, mut model_then) = (queue.share(), model.clone());
        for step in steps {
            if let Step::Share = step {
                snapshot.check_invariants();
                prop_assert!(snapshot.iter().eq(model_then.iter()));
                (snapshot, model_then) = (queue.share(), model.clone());
            }
            apply(&mut queue, &mut model, step);
            queue.check_invariants();
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!((queue.name(), queue.hash(), queue.numbers()), (&name[..], 7, [8, 9]));
        }
        queue.set_number(1, 10);
        let mut queue = queue.renamed(b"other", 6, [5, 4]);
        queue.set_number(0, 3);
        queue.check_invariants();
        prop_assert_eq!((queue.name(), queue.hash(), queue.numbers()), (&b"other"[..], 6, [3, 4]));
        prop_assert!(snapshot.iter().eq(model_then.iter()));
        prop_assert!(snapshot.iter().rev().eq(model_then.iter().rev()));
        prop_assert!(queue.iter().eq(model.iter()));
        prop_assert!(queue.iter().rev().eq(model.iter().rev()));
        let from = probe % (model.len() + 1);
        prop_assert!(queue.iter_from(from).eq(model.iter().skip(from)));
        for (index, message) in model.iter().enumerate() {
            prop_assert_eq!(queue.get(index), Some(message.as_slice()));
        }
        prop_assert_eq!(queue.get(model.len()), None);
    }
}

#[test]
fn a_small_message_costs_little() {
    let mut queue = Queue::new();
    for _ in 0..100_000 {
        queue.push(End::Back, &[0; 64]);
    }
    assert!(queue.allocated_bytes() < 100_000 * 68, "{} bytes", queue.allocated_bytes());
}

#[test]
fn a_snapshot_costs_little_more_than_what_changes() {
    let mut queue = Queue::new();
    for _ in 0..100_000 {
        queue.push(End::Back, &[0; 64]);
    }
    let before = deque(&queue).segments.len();
    assert!(before < 250, "{before} segments of a long queue");
    let snapshot = queue.share();
    for _ in 0..1000 {
        queue.push(End::Back, &[1; 64]);
        queue.push(End::Front, &[2; 64]);
        queue.pop(End::Front, |_| ());
        queue.pop(End::Front, |_| ());
    }
    let copied = deque(&queue).segments.iter().filter(|segment| !segment.is_shared()).count();
    assert!(copied <= 4, "{copied} segments are not shared");
    assert_eq!(snapshot.len(), 100_000);
    drop(snapshot);
    // The slack at the end is used again.
    queue.push(End::Back, &[1; 64]);
    queue.check_invariants();
}

#[test]
fn memory_of_popped_messages_is_freed() {
    let mut queue = Queue::new();
    for _ in 0..10_000 {
        queue.push(End::Front, &[0; 64]);
    }
    for _ in 0..10_000 {
        queue.pop(End::Back, |_| ());
    }
    assert_eq!(deque(&queue).segment_bytes, 0);
}

#[test]
fn a_queue_that_stays_short_stays_small() {
    let mut queue = Queue::new();
    for _ in 0..10_000 {
        queue.push(End::Back, &[0; 64]);
        if queue.len() > 10 {
            queue.pop(End::Front, |_| ());
        }
    }
    let bytes = queue.allocated_bytes();
    assert!(bytes < 2 * SEGMENT_BYTES, "{bytes} bytes");
}

/// A queue with all its data is one allocation, no larger than needed.
#[test]
fn a_small_queue_takes_little_beside_its_messages() {
    let mut queue = Queue::named(b"queue:12345", 0, [0; 2], 0);
    let (mut messages, mut wasted) = (0, 0);
    while queue.allocated_bytes() < 4096 {
        queue.push(End::Back, &[7; 64]);
        messages += 1;
        let least = 28 + 66 * messages;
        assert!(queue.allocated_bytes() <= least + least / 4, "{messages} messages");
        wasted += queue.allocated_bytes() - least;
    }
    assert!(wasted < messages * 4096 / 16, "{wasted} bytes with {messages} messages");
    assert_eq!(size_of::<Queue>(), 16);
}

#[test]
fn slack_for_filling_is_freed() {
    for count in [3, 30, 100, 1000] {
        let mut queue = Queue::named(b"q", 0, [0; 2], 0);
        queue.set_filling(true);
        (0..count).for_each(|_| queue.push(End::Back, &[7; 64]));
        queue.set_filling(false);
        queue.check_invariants();
        let (bytes, least) = (queue.allocated_bytes(), 66 * count);
        assert!(bytes < least + least / 10 + 400, "{bytes} for {count}");
    }
}

/// Its capacity stays the same, and it is not copied for each push.
#[test]
fn a_small_queue_that_stays_as_long_is_seldom_copied() {
    let mut queue = Queue::named(b"q", 0, [0; 2], 0);
    (0..30).for_each(|_| queue.push(End::Back, &[7; 64]));
    let mut copies = 0;
    for _ in 0..10_000 {
        let before = queue.get(1).map(<[u8]>::as_ptr);
        queue.pop(End::Front, |_| ());
        queue.push(End::Back, &[7; 64]);
        copies += u32::from(queue.get(0).map(<[u8]>::as_ptr) != before);
    }
    assert!(copies < 1000, "{copies} copies");
    assert!(queue.allocated_bytes() <= 4096, "{} bytes", queue.allocated_bytes());
}

#[test]
fn rows_of_the_same_time_are_gathered_in_queue_order() {
    let mut queue = Queue::new();
    queue.begin_stamps(0);
    for (message, ready_ms) in [(b"a", 1), (b"b", 9), (b"c", 1), (b"d", 9), (b"e", 1)] {
        queue.push_stamped(End::Back, message, Stamp { ready_ms, ..Stamp::default() });
    }
    let mut gathered = Gathered::default();
    let mut places = Vec::new();
    while let Some(taken) = queue.take_older_than(1, true) {
        places.push((taken.index, taken.count, taken.behind));
        gathered.add(taken);
    }
    assert_eq!(places, [(0, 1, 4), (3, 1, 0), (1, 1, 1)]);
    let messages = gathered.into_sorted().into_iter().map(|(message, _)| message);
    assert_eq!(messages.collect::<Vec<_>>(), [&b"a"[..], b"c", b"e"].map(Box::from));
}

/// The segments of a queue that is not small.
fn segments(queue: &Queue) -> &VecDeque<Segment> {
    match &queue.messages {
        Packed::Deque { deque, .. } => &deque.segments,
        Packed::Small { .. } => panic!("it is small"),
    }
}

#[test]
fn insertions_do_not_make_a_segment_larger_and_larger() {
    let mut queue = Queue::new();
    queue.push(End::Back, b"first");
    queue.push(End::Back, b"last");
    for number in 0..2_000 {
        queue.insert(1 + number / 2, &[b'm'; 100]);
    }
    queue.check_invariants();
    let largest = segments(&queue).iter().map(Segment::live_bytes).max();
    assert!(largest.is_some_and(|bytes| bytes <= 2 * SEGMENT_BYTES), "{largest:?}");
}

#[test]
fn a_drained_queue_frees_its_list_of_segments() {
    let mut queue = Queue::new();
    queue.push(End::Back, &[b'm'; SEGMENT_BYTES]);
    while segments(&queue).capacity() < 1_000 {
        queue.push(End::Back, &[b'm'; SEGMENT_BYTES]);
    }
    while queue.len() > 1 {
        queue.pop(End::Front, |_| ());
    }
    let left = segments(&queue).capacity();
    assert!(left < 500, "{left}");
}

#[test]
fn a_push_beside_a_large_shared_segment_copies_nothing_of_it() {
    for end in [End::Front, End::Back] {
        let mut queue = Queue::new();
        for _ in 0..50 {
            queue.push(End::Back, &[b'm'; 100]);
        }
        let before = segments(&queue).len();
        let snapshot = queue.share();
        queue.push(end, b"x");
        assert_eq!(segments(&queue).len(), before + 1, "{end:?}");
        assert_eq!((snapshot.len(), queue.len()), (50, 51));
    }
}

/// The empty key is like any other: its entry's data must not be lost with its last message.
#[test]
fn a_queue_with_an_empty_name_keeps_its_numbers() {
    for messages in 0..3 {
        let mut queue = Queue::named(b"", 7, [8, 9], 0);
        (0..messages).for_each(|_| queue.push(End::Back, b"m"));
        queue.remove(End::Front, b"m", usize::MAX);
        assert_eq!((queue.len(), queue.hash(), queue.numbers()), (0, 7, [8, 9]));
    }
}
