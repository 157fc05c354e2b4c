//! Dead letters keep their stamps in queues without others.

use super::stamps_tests::{origin, ready, runs, stamped};
use super::*;

const FRONT: End = End::Front;
const BACK: End = End::Back;

fn dead(ready_ms: i64, from: &[u8]) -> Stamp {
    Stamp { ready_ms, hops: 1, dead_letter: Some(origin(from)), ..Stamp::default() }
}

#[test]
fn a_queue_without_stamps_keeps_those_of_dead_letters() {
    let mut queue = Queue::new();
    queue.push(BACK, b"a");
    queue.push_stamped(BACK, b"b", Stamp { order: 3, deliveries: 2, ..dead(7, b"q") });
    queue.set_push_ms(9);
    queue.push(BACK, b"c");
    queue.check_invariants();
    assert!(queue.is_stamped() && !queue.is_fully_stamped());
    let kept = [Stamp::default(), dead(7, b"q"), Stamp::default()];
    assert!((0..3).map(|index| queue.stamp_at(index)).eq(kept));
    assert_eq!((queue.oldest_ms(), queue.message_bytes()), (Some(0), 0));
    let mut copy = queue.clone();
    assert_eq!(copy.remove(FRONT, b"b", 1), 1);
    assert!(!copy.is_stamped(), "the last dead letter has gone");
    queue.begin_stamps(20);
    assert_eq!(runs(&queue), [(20, 1), (7, 1), (20, 1)]);
    assert_eq!(queue.message_bytes(), 3);
    queue.end_stamps();
    assert_eq!(runs(&queue), [(0, 1), (7, 1), (0, 1)]);
    queue.trim(2, 1);
    assert!(!queue.is_stamped());
    queue.check_invariants();
}

#[test]
fn an_origin_that_neighbours_share_takes_memory_once() {
    let shared = origin(&[b'q'; 1000]);
    let stamp = |ready_ms| Stamp { ready_ms, dead_letter: Some(shared.clone()), ..ready(0) };
    let mut queue = stamped(&[1, 2, 3, 4].map(stamp));
    let bytes = queue.allocated_bytes();
    assert!((1000..2000).contains(&bytes), "{bytes}");
    queue.insert_stamped(2, b"m", ready(9));
    assert!(queue.allocated_bytes() > 2000, "no longer neighbours");
    queue.check_invariants();
    queue.trim_out(2, 1);
    queue.pop(FRONT, |_| ());
    queue.pop(BACK, |_| ());
    queue.check_invariants();
    queue.trim(0, 0);
    assert!(queue.allocated_bytes() < 1000);
}

/// `restamp_from` is the same as `restamp_at` for each message.
#[test]
fn stamps_from_an_index_on() {
    let new = [(dead(1, b"q"), 2), (ready(5), 0), (Stamp::default(), 1), (dead(2, b"r"), 3)];
    let singly = |queue: &mut Queue, index: usize, runs: &[(Stamp, usize)]| {
        let all =
            runs.iter().flat_map(|(stamp, count)| std::iter::repeat_n(stamp, (*count).min(99)));
        all.enumerate().for_each(|(at, stamp)| queue.restamp_at(index + at, stamp.clone()));
    };
    for is_stamped in [false, true] {
        let mut queue = stamped(&[1, 1, 2, 3, 3, 4, 4].map(ready));
        if !is_stamped {
            queue.end_stamps();
        }
        for index in [0, 1, 3, 6, 7, 99] {
            for taken in 0..=new.len() {
                let mut runs = new[..taken].to_vec();
                // More than there are.
                runs.iter_mut().skip(3).for_each(|(_, count)| *count = usize::MAX);
                let (mut found, mut expected) = (queue.clone(), queue.clone());
                found.restamp_from(index, &runs);
                singly(&mut expected, index, &runs);
                found.check_invariants();
                assert!(found.stamp_runs().eq(expected.stamp_runs()), "{index} {taken}");
            }
        }
    }
}
