//! A queue's messages with their stamps, for queues that keep stamps.
//!
//! The stamps always match the messages, however the queue changes. A queue without stamps behaves as if
//! each message had the default one, and ignores those it is given.
//!
//! Dead letters keep a stamp in any queue: with the first one a queue begins to keep stamps, and with the
//! last one it ends. All its other messages have the default stamp.

use super::stamp::Stamp;
use super::stamps::{Kept, Stamps};
use super::{End, Packed, Queue};

/// Consecutive messages removed from a queue.
#[derive(Debug)]
pub struct TakenOut {
    /// The index of the first.
    pub index: usize,
    /// Their number.
    pub count: usize,
    /// The number of messages behind them.
    pub behind: usize,
    /// The messages with their stamps, if requested.
    pub messages: Vec<(Box<[u8]>, Stamp)>,
}

/// Messages removed in several rows, one after another.
#[derive(Debug, Default)]
pub struct Gathered {
    messages: Vec<(Box<[u8]>, Stamp)>,
    /// The row at the back, which is removed before others in front of it.
    at_back: Vec<(Box<[u8]>, Stamp)>,
}

impl Gathered {
    /// Adds the next result of `Queue::take_older_than`.
    pub fn add(&mut self, taken: TakenOut) {
        let is_at_back = taken.index > 0 && taken.behind == 0;
        if is_at_back { &mut self.at_back } else { &mut self.messages }.extend(taken.messages);
    }

    /// All of them, from one end of the queue to the other.
    pub fn into_row(mut self, end: End) -> Vec<(Box<[u8]>, Stamp)> {
        self.messages.append(&mut self.at_back);
        if end == End::Back {
            self.messages.reverse();
        }
        self.messages
    }

    /// All of them, in the order in which they became ready; of the same time, in the order of the
    /// queue.
    pub fn into_sorted(mut self) -> Vec<(Box<[u8]>, Stamp)> {
        self.messages.append(&mut self.at_back);
        self.messages.sort_by_key(|(_, stamp)| stamp.ready_ms);
        self.messages
    }
}

impl Queue {
    /// Keeps a stamp for each message from now on. Existing messages without one are ready since
    /// `push_ms`, and so are later ones pushed without a stamp. In a queue that already has stamps, this
    /// only affects later messages.
    pub fn begin_stamps(&mut self, push_ms: i64) {
        if !self.is_fully_stamped() {
            let bytes = self.iter().map(<[u8]>::len).sum();
            self.stamps_for_dead_letters().keep_always(push_ms, bytes);
        }
        self.set_push_ms(push_ms);
    }

    /// Drops all stamps but those of dead letters, and keeps none from now on but those. Of a dead letter
    /// remains since when it is ready, and its origin.
    pub fn end_stamps(&mut self) {
        if self.is_fully_stamped()
            && let Some(stamps) = self.stamps_mut()
        {
            stamps.keep_for_dead_letters();
            self.drop_needless_stamps();
        }
    }

    /// The stamps; a queue without any begins to keep them for dead letters.
    fn stamps_for_dead_letters(&mut self) -> &mut Stamps {
        let len = self.len();
        let stamps = &mut self.deque_mut().stamps;
        stamps.get_or_insert_with(|| Box::new(Stamps::for_dead_letters(len)))
    }

    /// Begins to keep stamps, if there are none and this is a dead letter's.
    fn begin_for(&mut self, stamp: &Stamp) {
        if stamp.dead_letter.is_some() && !self.is_stamped() {
            self.stamps_for_dead_letters();
        }
    }

    /// Drops the stamps if they were kept for dead letters, and none is left.
    #[inline]
    pub(super) fn drop_needless_stamps(&mut self) {
        if self.stamps().is_some_and(Stamps::are_needless) {
            self.deque_mut().stamps = None;
            self.pack();
        }
    }

    /// Whether it keeps any stamps.
    #[inline]
    pub fn is_stamped(&self) -> bool {
        self.stamps().is_some()
    }

    /// Whether it keeps a stamp for each message, whether or not there are dead letters.
    #[inline]
    pub fn is_fully_stamped(&self) -> bool {
        self.stamps().is_some_and(|stamps| stamps.kept() == Kept::Always)
    }

    #[inline]
    pub(super) fn stamps(&self) -> Option<&Stamps> {
        match &self.messages {
            Packed::Small { .. } => None,
            Packed::Deque { deque, .. } => deque.stamps.as_deref(),
        }
    }

    pub(super) fn stamps_mut(&mut self) -> Option<&mut Stamps> {
        match &mut self.messages {
            Packed::Small { .. } => None,
            Packed::Deque { deque, .. } => deque.stamps.as_deref_mut(),
        }
    }

    /// From now on, messages pushed without a stamp are ready since `ms`. No effect without stamps.
    pub fn set_push_ms(&mut self, ms: i64) {
        if let Some(stamps) = self.stamps_mut() {
            stamps.set_push_ms(ms);
        }
    }

    /// Adds a message with its stamp at one end.
    pub fn push_stamped(&mut self, end: End, message: &[u8], stamp: Stamp) {
        self.begin_for(&stamp);
        self.push_message(end, message);
        if let Some(stamps) = self.stamps_mut() {
            stamps.push(end, stamp, 1);
            stamps.add_bytes(message.len());
        }
    }

    /// Adds a message at one end if it has the same stamp as its neighbour there, and the segment has
    /// slack for it: then neither the memory of the queue changes nor `oldest_ms`. False, and no change,
    /// otherwise.
    #[inline]
    pub fn push_alike(&mut self, end: End, message: &[u8]) -> bool {
        match &mut self.messages {
            Packed::Small { .. } => false,
            Packed::Deque { deque, .. } => deque.push_alike(end, message),
        }
    }

    /// Pops the message at one end with its stamp, after passing it to `read`, if its neighbour there has the
    /// same stamp, and the segment has others: then neither the memory of the queue changes nor `oldest_ms`.
    /// `None`, and no change, otherwise.
    #[inline(always)]
    pub fn pop_alike<R>(&mut self, end: End, read: impl FnOnce(&[u8]) -> R) -> Option<(R, &Stamp)> {
        match &mut self.messages {
            Packed::Small { .. } => None,
            Packed::Deque { deque, .. } => deque.pop_alike(end, read),
        }
    }

    /// As `pop_alike`, with a copy of the message.
    #[inline(never)]
    pub fn take_alike(&mut self, end: End) -> Option<(Box<[u8]>, &Stamp)> {
        self.pop_alike(end, |message| Box::from(message))
    }

    /// Inserts `message` with its stamp before the one at `index`; from `len` on it becomes the last
    /// one.
    pub fn insert_stamped(&mut self, index: usize, message: &[u8], stamp: Stamp) {
        if index >= self.len() {
            return self.push_stamped(End::Back, message, stamp);
        }
        self.begin_for(&stamp);
        let len = self.len();
        if let Some(stamps) = self.stamps_mut() {
            stamps.insert(index, len, stamp);
            stamps.add_bytes(message.len());
        }
        self.insert_message(index, message);
    }

    /// Pops the message at one end with its stamp, after passing it to `read`.
    #[inline]
    pub fn pop_stamped<R>(
        &mut self,
        end: End,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Option<(R, Stamp)> {
        let mut bytes = 0;
        let seen = self.pop_message(end, |message| {
            bytes = message.len();
            read(message)
        })?;
        let stamp = match self.stamps_mut() {
            Some(stamps) => {
                stamps.subtract_bytes(bytes);
                let stamp = stamps.drop_many(end, 1);
                self.drop_needless_stamps();
                stamp
            }
            None => Stamp::default(),
        };
        Some((seen, stamp))
    }

    /// The stamp of the message at `index`, counted from the front; the default one without stamps.
    pub fn stamp_at(&self, index: usize) -> Stamp {
        match self.stamps() {
            Some(stamps) if index < self.len() => stamps.at(index, self.len()),
            _ => Stamp::default(),
        }
    }

    /// All stamps, front to back, each with the number of consecutive messages that have it; empty
    /// without stamps.
    pub fn stamp_runs(&self) -> impl Iterator<Item = (Stamp, usize)> {
        let runs = self.stamps().into_iter().flat_map(|stamps| stamps.runs());
        runs.map(|(stamp, count)| (stamp.clone(), count))
    }

    /// As `stamp_runs`, without the first `skipped` of them. Takes time only for the chunks of these.
    pub fn stamp_runs_from(&self, skipped: usize) -> impl Iterator<Item = (Stamp, usize)> {
        let runs = self.stamps().into_iter().flat_map(move |stamps| stamps.runs_from(skipped));
        runs.map(|(stamp, count)| (stamp.clone(), count))
    }

    /// The stamps of `count` messages from one end on, each with the number of consecutive messages that have
    /// it; empty without stamps.
    pub fn stamp_runs_at(&self, end: End, count: usize) -> impl Iterator<Item = (&Stamp, usize)> {
        let runs = self.stamps().map(Stamps::runs);
        let (front, back) = match end {
            End::Front => (runs, None),
            End::Back => (None, runs.map(Iterator::rev)),
        };
        let runs = front.into_iter().flatten().chain(back.into_iter().flatten());
        runs.scan(count, |left, (stamp, run)| {
            let taken = run.min(*left);
            *left -= taken;
            (taken > 0).then_some((stamp, taken))
        })
    }

    /// Replaces all stamps by those in `runs`, front to back, each with its number of consecutive
    /// messages; false, and no change, if the numbers do not add up to the messages, or if the queue
    /// keeps no stamps.
    pub fn restamp(&mut self, runs: &[(Stamp, usize)]) -> bool {
        let total = runs.iter().try_fold(0usize, |sum, &(_, count)| sum.checked_add(count));
        let len = self.len();
        match self.stamps_mut() {
            Some(stamps) if total == Some(len) => {
                stamps.replace(runs);
                self.drop_needless_stamps();
                true
            }
            _ => false,
        }
    }

    /// Gives the `count` outermost messages at one end this stamp; all, if there are fewer.
    pub fn restamp_end(&mut self, end: End, count: usize, stamp: Stamp) {
        let count = count.min(self.len());
        if count == 0 {
            return;
        }
        self.begin_for(&stamp);
        if let Some(stamps) = self.stamps_mut() {
            stamps.drop_many(end, count);
            stamps.push(end, stamp, count);
            self.drop_needless_stamps();
        }
    }

    /// Makes the `count` outermost messages at one end dead letters with this origin, ready since
    /// `ready_ms`, that were moved so often.
    pub fn mark_dead_letters(&mut self, end: End, count: usize, of: &Stamp) {
        let count = count.min(self.len());
        if count == 0 {
            return;
        }
        self.begin_for(of);
        let Some(stamps) = self.stamps_mut() else { return };
        let mut runs = stamps.take_runs(end, count);
        for (stamp, _) in &mut runs {
            let Stamp { ready_ms, hops, ref dead_letter, .. } = *of;
            (stamp.ready_ms, stamp.hops) = (ready_ms, hops);
            stamp.dead_letter.clone_from(dead_letter);
        }
        runs.into_iter().rev().for_each(|(stamp, count)| stamps.push(end, stamp, count));
    }

    /// Gives the message at `index` this stamp; no effect if there is none.
    pub fn restamp_at(&mut self, index: usize, stamp: Stamp) {
        let len = self.len();
        if index >= len {
            return;
        }
        self.begin_for(&stamp);
        if let Some(stamps) = self.stamps_mut() {
            stamps.remove_range(index, 1, len);
            match index + 1 == len {
                true => stamps.push(End::Back, stamp, 1),
                false => stamps.insert(index, len - 1, stamp),
            }
            self.drop_needless_stamps();
        }
    }

    /// Gives the messages from `index` on these stamps, each to its number of consecutive messages. Takes time
    /// for each run behind them as well.
    pub fn restamp_from(&mut self, index: usize, runs: &[(Stamp, usize)]) {
        let Some(behind) = self.len().checked_sub(index) else { return };
        runs.iter().for_each(|(stamp, _)| self.begin_for(stamp));
        let Some(stamps) = self.stamps_mut() else { return };
        let total = runs.iter().fold(0, |sum: usize, (_, count)| sum.saturating_add(*count));
        let mut left = total.min(behind);
        let kept = stamps.take_runs(End::Back, behind - left);
        stamps.drop_many(End::Back, left);
        for (stamp, count) in runs {
            let count = left.min(*count);
            left -= count;
            if count > 0 {
                stamps.push(End::Back, stamp.clone(), count);
            }
        }
        kept.into_iter().rev().for_each(|(stamp, count)| stamps.push(End::Back, stamp, count));
        self.drop_needless_stamps();
    }

    /// Changes the ready time `from` to `to` in all messages. Takes time for each run of equal stamps,
    /// unless no message has it.
    pub fn replace_ready_ms(&mut self, from: i64, to: i64) {
        if let Some(stamps) = self.stamps_mut() {
            stamps.replace_ready_ms(from, to);
        }
    }

    /// The earliest ready time of all messages; `None` without messages or stamps. It is zero if messages
    /// besides dead letters are in a queue that keeps stamps only for those.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.stamps()?.oldest_ms()
    }

    /// The next row of messages that have been ready since `limit_ms` or longer: the index of the first,
    /// and their number. Those at the front come first, then those at the back, then the ones nearest to
    /// the front. It is fast if there are none.
    pub fn next_older_than(&self, limit_ms: i64) -> Option<(usize, usize)> {
        self.stamps()?.next_older_than(limit_ms, self.len())
    }

    /// Removes the messages found by `next_older_than`; returns their bytes if requested.
    pub fn take_older_than(&mut self, limit_ms: i64, are_wanted: bool) -> Option<TakenOut> {
        self.take_some_older_than(limit_ms, are_wanted, usize::MAX)
    }

    /// As `take_older_than`, but at most `count_max` of them.
    pub fn take_some_older_than(
        &mut self,
        limit_ms: i64,
        are_wanted: bool,
        count_max: usize,
    ) -> Option<TakenOut> {
        let (index, count) = self.next_older_than(limit_ms)?;
        let count = count.min(count_max);
        let messages = if are_wanted { self.copy_stamped(index, count) } else { Vec::new() };
        let behind = self.len() - index - count;
        self.trim_out(index, count);
        Some(TakenOut { index, count, behind, messages })
    }

    /// Bytes of all messages; 0 without a stamp for each message, since they are not counted then.
    pub fn message_bytes(&self) -> usize {
        self.stamps().map_or(0, |stamps| stamps.message_bytes())
    }

    /// Bytes of `count` messages from `start` on; 0 if bytes are not counted.
    pub(super) fn stamped_bytes(&self, start: usize, count: usize) -> usize {
        match self.is_fully_stamped() {
            true => self.iter_from(start).take(count).map(<[u8]>::len).sum(),
            false => 0,
        }
    }

    /// Updates the count of bytes for a message that is about to be replaced by one of this size.
    pub(super) fn resize_message(&mut self, index: usize, bytes: usize) {
        let before = self.get(index).map_or(0, <[u8]>::len);
        if let Some(stamps) = self.stamps_mut() {
            stamps.add_bytes(bytes);
            stamps.subtract_bytes(before);
        }
    }

    /// Copies of `count` messages from `index` on, with their stamps; empty without stamps.
    pub fn copy_stamped(&self, index: usize, count: usize) -> Vec<(Box<[u8]>, Stamp)> {
        let stamps = self.stamp_runs().flat_map(|(stamp, run)| std::iter::repeat_n(stamp, run));
        let messages = self.iter_from(index).take(count).map(Box::from);
        messages.zip(stamps.skip(index)).collect()
    }

    /// Copies of the first `count` messages, with their stamps; without stamps each has the default one.
    pub fn copy_front(&self, count: usize) -> Vec<(Box<[u8]>, Stamp)> {
        let stamps = self.stamp_runs().flat_map(|(stamp, run)| std::iter::repeat_n(stamp, run));
        let stamps = stamps.chain(std::iter::repeat(Stamp::default()));
        self.iter().take(count).map(Box::from).zip(stamps).collect()
    }

    /// The index at which a returned message with this order gets its old position: seen from this end,
    /// behind the outermost returned messages that were taken from there before it.
    pub fn place_of(&self, end: End, order: u64) -> usize {
        let is_before =
            |stamp: &Stamp| stamp.order != 0 && stamp.order < order && stamp.taken_from == end;
        let before = self.stamps().map_or(0, |stamps| stamps.count_at(end, is_before));
        match end {
            End::Front => before,
            End::Back => self.len() - before,
        }
    }

    /// The part of `push` for queues with stamps.
    #[cold]
    #[inline(never)]
    pub(super) fn push_new_stamp(&mut self, end: End, bytes: usize) {
        if let Some(stamps) = self.stamps_mut() {
            stamps.push(end, stamps.fresh(), 1);
            stamps.add_bytes(bytes);
        }
    }

    /// The part of removing `count` messages, with this many bytes in total, at one end, for queues with
    /// stamps.
    #[cold]
    #[inline(never)]
    pub(super) fn drop_stamps(&mut self, end: End, count: usize, bytes: usize) {
        if let Some(stamps) = self.stamps_mut() {
            stamps.subtract_bytes(bytes);
            stamps.drop_many(end, count);
            self.drop_needless_stamps();
        }
    }

    /// The stamp of messages pushed without one.
    pub(super) fn new_stamp(&self) -> Stamp {
        self.stamps().map_or_else(Stamp::default, |stamps| stamps.fresh())
    }
}
