//! A queue of messages, packed in one allocation or in a deque of segments.
//!
//! Messages are stored back to back, so a small message costs two bytes besides its own and no
//! allocation. A small queue is one block that includes its name; a larger one has segments of a few
//! kilobytes. Pushing and popping at both ends is O(1); reading at an index skips whole segments;
//! changing the middle rewrites one segment. A large message has its own segment. A drained segment is
//! freed at once.
//!
//! On request, a queue keeps a stamp for each message: its state besides its bytes. It also stores a
//! name, a hash and two numbers for its owner, which have no meaning here: an owner of very many small
//! queues has no better place for them.
//!
//! This module knows nothing of Redis or of clients.

mod dead_letter;
mod deque;
mod end;
mod large;
mod runs;
mod segment;
mod sizes;
mod small;
mod stamp;
mod stamped;
mod stamps;
mod stored;

pub use dead_letter::{DeadLetter, Reason};
pub use end::End;
pub use stamp::Stamp;
pub use stamped::{Gathered, TakenOut};

pub(crate) use sizes::fitting;

use deque::Deque;
use sizes::Growth;
use small::{SMALL_BYTES_MAX, Small};
use stored::{Messages, stored_bytes};

/// Set in the memory mark of a queue that is not small. No buffer is this large.
const DEQUE_MARK: usize = 1 << (usize::BITS - 1);

/// A deque of messages.
#[derive(Debug)]
pub struct Queue {
    messages: Packed,
}

/// The storage of the messages. The hash is beside the tag, where it takes no extra memory.
#[derive(Debug)]
enum Packed {
    /// Without stamps.
    Small {
        hash: u32,
        growth: Growth,
        small: Small,
    },
    Deque {
        hash: u32,
        growth: Growth,
        deque: Box<Deque>,
    },
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            messages: Packed::Small { hash: 0, growth: Growth::Fitting, small: Small::default() },
        }
    }
}

impl Clone for Queue {
    /// A newly packed copy: without the original's slack, memory mark and name.
    fn clone(&self) -> Queue {
        let mut copy = Queue::new();
        for message in self.iter() {
            copy.push_message(End::Back, message);
        }
        if let Some(stamps) = self.stamps() {
            copy.deque_mut().stamps = Some(Box::new(stamps.clone()));
        }
        copy
    }
}

impl Queue {
    /// An empty queue; it allocates nothing.
    pub fn new() -> Queue {
        Queue::default()
    }

    /// An empty queue with its owner's data, and with capacity for a few messages that take this many
    /// bytes (`bytes_for`).
    pub fn named(name: &[u8], hash: u32, numbers: [u32; 2], capacity: usize) -> Queue {
        let messages = match Small::named(name, numbers, capacity) {
            Some(small) => Packed::Small { hash, growth: Growth::Fitting, small },
            None => {
                let deque = Deque { name: name.into(), numbers, ..Deque::default() };
                Packed::Deque { hash, growth: Growth::Fitting, deque: Box::new(deque) }
            }
        };
        Queue { messages }
    }

    /// Bytes that a message of this length takes in a queue.
    #[inline]
    pub fn bytes_for(length: usize) -> usize {
        stored_bytes(length)
    }

    /// The same messages and stamps, with another owner's data.
    pub fn renamed(mut self, name: &[u8], hash: u32, numbers: [u32; 2]) -> Queue {
        if let Packed::Small { small, .. } = &self.messages {
            let run = std::iter::once((small.stored(), small.len()));
            if let Some(small) = Small::of(name, numbers, run) {
                return Queue { messages: Packed::Small { hash, growth: Growth::Fitting, small } };
            }
        }
        let deque = self.deque_mut();
        (deque.name, deque.numbers) = (name.into(), numbers);
        if let Packed::Deque { hash: own, .. } = &mut self.messages {
            *own = hash;
        }
        self
    }

    /// The name set by the owner.
    #[inline]
    pub fn name(&self) -> &[u8] {
        match &self.messages {
            Packed::Small { small, .. } => small.name(),
            Packed::Deque { deque, .. } => &deque.name,
        }
    }

    /// The hash set by the owner.
    #[inline]
    pub fn hash(&self) -> u32 {
        match self.messages {
            Packed::Small { hash, .. } | Packed::Deque { hash, .. } => hash,
        }
    }

    /// The owner's numbers.
    #[inline]
    pub fn numbers(&self) -> [u32; 2] {
        match &self.messages {
            Packed::Small { small, .. } => small.numbers(),
            Packed::Deque { deque, .. } => deque.numbers,
        }
    }

    /// Changes one of the owner's numbers. A queue made without them has none.
    #[inline]
    pub fn set_number(&mut self, at: usize, number: u32) {
        match &mut self.messages {
            Packed::Small { small, .. } => small.set_number(at, number),
            Packed::Deque { deque, .. } => deque.numbers[at] = number,
        }
    }

    /// The number of messages.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.messages {
            Packed::Small { small, .. } => small.len(),
            Packed::Deque { deque, .. } => deque.len,
        }
    }

    /// A second queue with the same messages, without copying them: their segments are shared until one
    /// of the queues changes them, and so are the chunks of their stamps. Takes time for each of both, not
    /// for each message or stamp; a small queue is copied.
    pub fn share(&mut self) -> Queue {
        let messages = match &mut self.messages {
            Packed::Small { small, .. } => {
                let run = std::iter::once((small.stored(), small.len()));
                let small = Small::of(&[], [0; 2], run).expect("smaller than the small one");
                Packed::Small { hash: 0, growth: Growth::Fitting, small }
            }
            Packed::Deque { deque, .. } => {
                let deque = Box::new(deque.share());
                Packed::Deque { hash: 0, growth: Growth::Fitting, deque }
            }
        };
        Queue { messages }
    }

    /// Whether there are no messages.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory of the queue, with slack, stamps and name.
    #[inline]
    pub fn allocated_bytes(&self) -> usize {
        match &self.messages {
            Packed::Small { small, .. } => small.allocated_bytes(),
            Packed::Deque { deque, .. } => deque.allocated_bytes(),
        }
    }

    /// A number from which `allocated_at` computes `allocated_bytes`. It is faster to get.
    #[inline]
    pub fn memory_mark(&self) -> usize {
        match &self.messages {
            Packed::Small { small, .. } => small.allocated_bytes(),
            Packed::Deque { deque, .. } => {
                (deque.buffer_bytes() + deque.stamps_bytes()) | DEQUE_MARK
            }
        }
    }

    /// The value of `allocated_bytes` when `memory_mark` was this, if the queue still has the same name.
    pub fn allocated_at(&self, memory_mark: usize) -> usize {
        match memory_mark & DEQUE_MARK {
            0 => memory_mark,
            _ => (memory_mark ^ DEQUE_MARK) + Deque::fixed_bytes(self.name()),
        }
    }

    /// The deque; a small queue becomes one.
    fn deque_mut(&mut self) -> &mut Deque {
        if let Packed::Small { hash, growth, small } = &self.messages {
            let deque = Box::new(small.to_deque());
            self.messages = Packed::Deque { hash: *hash, growth: *growth, deque };
        }
        match &mut self.messages {
            Packed::Deque { deque, .. } => deque,
            Packed::Small { .. } => unreachable!("it was made a deque above"),
        }
    }

    /// Makes a queue small again if it fits.
    fn pack(&mut self) {
        if let Packed::Deque { hash, growth, deque } = &self.messages
            && deque.stamps.is_none()
            // More cannot fit, and need not be counted.
            && deque.len < SMALL_BYTES_MAX
        {
            let runs = deque.segments.iter().map(|segment| (segment.stored(), segment.count()));
            if let Some(small) = Small::of(&deque.name, deque.numbers, runs) {
                self.messages = Packed::Small { hash: *hash, growth: *growth, small };
            }
        }
    }

    /// Sets whether the queue is being filled: then it doubles when it grows, so that little is copied.
    /// Otherwise it grows in the smallest steps that an allocator distinguishes, and its excess is freed
    /// now.
    pub fn set_filling(&mut self, is_filling: bool) {
        let now = if is_filling { Growth::Eager } else { Growth::Fitting };
        match &mut self.messages {
            Packed::Small { growth, small, .. } => {
                if std::mem::replace(growth, now) == Growth::Eager && !is_filling {
                    small.fit();
                }
            }
            Packed::Deque { growth, deque, .. } => {
                if std::mem::replace(growth, now) == Growth::Eager && !is_filling {
                    deque.fit();
                }
            }
        }
    }

    /// Adds a message at one end.
    #[inline(always)]
    pub fn push(&mut self, end: End, message: &[u8]) {
        match &mut self.messages {
            Packed::Deque { deque, growth, .. } => {
                deque.push(end, message, *growth);
                if deque.stamps.is_some() {
                    self.push_new_stamp(end, message.len());
                }
            }
            Packed::Small { small, .. } => {
                if !small.push_into_slack(end, message) {
                    self.push_growing(end, message);
                }
            }
        }
    }

    /// As `push`, but without a stamp: the caller adds it.
    fn push_message(&mut self, end: End, message: &[u8]) {
        match &mut self.messages {
            Packed::Deque { deque, growth, .. } => deque.push(end, message, *growth),
            Packed::Small { small, .. } => {
                if !small.push_into_slack(end, message) {
                    self.push_growing(end, message);
                }
            }
        }
    }

    /// Adds a message to a small queue without enough slack.
    #[cold]
    #[inline(never)]
    fn push_growing(&mut self, end: End, message: &[u8]) {
        let growth = match &mut self.messages {
            Packed::Small { small, growth, .. } => {
                if small.push_growing(end, message, *growth) {
                    return;
                }
                *growth
            }
            Packed::Deque { growth, .. } => *growth,
        };
        self.deque_mut().push(end, message, growth);
    }

    /// Pops the message at one end, after passing it to `read`.
    #[inline]
    pub fn pop<R>(&mut self, end: End, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        match &mut self.messages {
            Packed::Small { small, .. } => small.pop(end, read),
            Packed::Deque { deque, .. } => {
                let mut bytes = 0;
                let seen = deque.pop(end, |message| {
                    bytes = message.len();
                    read(message)
                })?;
                if deque.stamps.is_some() {
                    self.drop_stamps(end, 1, bytes);
                }
                Some(seen)
            }
        }
    }

    /// As `pop`, but leaves the stamp: the caller removes it.
    #[inline]
    fn pop_message<R>(&mut self, end: End, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        match &mut self.messages {
            Packed::Small { small, .. } => small.pop(end, read),
            Packed::Deque { deque, .. } => deque.pop(end, read),
        }
    }

    /// The message at `index`, counted from the front.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        if index >= self.len() {
            return None;
        }
        match &self.messages {
            Packed::Small { small, .. } => Some(small.get(index)),
            Packed::Deque { deque, .. } => deque.get(index),
        }
    }

    /// The messages from `index` on, front to back.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = &[u8]> {
        let (runs, within) = self.runs_from(index);
        runs.flatten().skip(within)
    }

    /// All messages, from either end.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.runs_from(0).0.flatten()
    }

    /// The runs of messages from the one with message `index` on, and the index within that.
    fn runs_from(&self, index: usize) -> (impl DoubleEndedIterator<Item = Messages<'_>>, usize) {
        let (small, (runs, within)) = match &self.messages {
            Packed::Small { small, .. } => (Some(small.iter()), (None, index)),
            Packed::Deque { deque, .. } => {
                let (runs, within) = deque.runs_from(index);
                (None, (Some(runs), within))
            }
        };
        (small.into_iter().chain(runs.into_iter().flatten()), within)
    }

    /// Replaces the message at `index`, which keeps its stamp; false, and no change, if there is none.
    pub fn set(&mut self, index: usize, message: &[u8]) -> bool {
        if index >= self.len() {
            return false;
        }
        if self.is_stamped() {
            self.resize_message(index, message.len());
        }
        self.deque_mut().set(index, message);
        self.pack();
        true
    }

    /// Inserts `message` before the one at `index`; from `len` on it becomes the last one.
    pub fn insert(&mut self, index: usize, message: &[u8]) {
        self.insert_stamped(index, message, self.new_stamp());
    }

    /// As `insert`, but without a stamp: the caller adds it. `index` is below `len`.
    fn insert_message(&mut self, index: usize, message: &[u8]) {
        self.deque_mut().insert(index, message);
        self.pack();
    }

    /// Removes up to `limit` messages equal to `message`, searching from `from`; returns their number.
    pub fn remove(&mut self, from: End, message: &[u8], limit: usize) -> usize {
        let (is_stamped, len) = (self.is_stamped(), self.len());
        let mut left = limit;
        let mut seen = 0;
        // The positions of removed messages, counted from `from`, if their stamps must be removed too.
        let mut places = Vec::new();
        let keep = |other: &[u8]| {
            let matches = left > 0 && other == message;
            left -= usize::from(matches);
            if is_stamped && matches {
                places.push(seen);
            }
            seen += 1;
            !matches
        };
        let deque = self.deque_mut();
        let removed = deque.retain(from, keep);
        if let Some(stamps) = &mut deque.stamps {
            if from == End::Back {
                places.iter_mut().for_each(|place| *place = len - 1 - *place);
                places.reverse();
            }
            stamps.remove_places(&places);
            stamps.subtract_bytes(removed * message.len());
        }
        self.drop_needless_stamps();
        self.pack();
        removed
    }

    /// Keeps only `count` messages from `start` on.
    pub fn trim(&mut self, start: usize, count: usize) {
        let start = start.min(self.len());
        let end = start.saturating_add(count).min(self.len());
        let behind = self.len() - end;
        self.drop_many(End::Front, start);
        self.drop_many(End::Back, behind);
    }

    /// Removes `count` messages from `start` on, whole segments at a time where possible.
    pub fn trim_out(&mut self, start: usize, count: usize) {
        let len = self.len();
        let start = start.min(len);
        let count = count.min(len - start);
        if start == 0 {
            self.drop_many(End::Front, count);
        } else if start + count == len {
            self.drop_many(End::Back, count);
        } else if count > 0 {
            let bytes = self.stamped_bytes(start, count);
            if let Some(stamps) = self.stamps_mut() {
                stamps.remove_range(start, count, len);
                stamps.subtract_bytes(bytes);
            }
            self.deque_mut().cut_out(start, count);
            self.drop_needless_stamps();
            self.pack();
        }
    }

    /// Moves `count` messages from `start` on to a new queue, whole segments at a time where possible.
    pub fn detach(&mut self, start: usize, count: usize) -> Queue {
        let mut taken = self.share();
        taken.trim(start, count);
        self.trim_out(start, count);
        taken
    }

    /// Removes `count` messages at one end, whole segments at a time where possible.
    fn drop_many(&mut self, end: End, count: usize) {
        if self.is_stamped() {
            let start = if end == End::Front { 0 } else { self.len() - count };
            self.drop_stamps(end, count, self.stamped_bytes(start, count));
        }
        match &mut self.messages {
            Packed::Small { small, .. } => small.drop_many(end, count),
            Packed::Deque { deque, .. } => deque.drop_many(end, count),
        }
    }

    /// Panics if the counts disagree with the content.
    pub fn check_invariants(&self) {
        if !self.is_stamped() {
            assert_eq!(self.allocated_at(self.memory_mark()), self.allocated_bytes());
        }
        match &self.messages {
            Packed::Small { small, .. } => small.check_invariants(),
            Packed::Deque { deque, .. } => deque.check_invariants(),
        }
    }
}

#[cfg(test)]
mod dead_letters_tests;
#[cfg(test)]
mod stamps_tests;
#[cfg(test)]
mod tests;
