//! An outbox compared with a naive one.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

/// A piece of output.
#[derive(Clone, Debug, Default)]
struct Piece {
    lane: Option<u64>,
    bytes: Vec<u8>,
    is_begun: bool,
    /// Whether a reply ends with it.
    ends_answer: bool,
    /// The sync that covers it; 0 if it may be sent. `None` if nothing is held, or it waits.
    sync: Option<u64>,
}

/// A naive outbox: pieces in order, each with its own state.
#[derive(Default)]
struct Model {
    pieces: VecDeque<Piece>,
    /// Output added while the rest was lent.
    behind: VecDeque<Piece>,
    is_held: bool,
    waits: bool,
    last_sync: u64,
}

impl Model {
    fn waiting(&self, lane: u64) -> usize {
        let all = self.pieces.iter().chain(&self.behind);
        all.filter(|piece| piece.lane == Some(lane)).count()
    }

    fn drop_oldest(&mut self, lane: u64) -> bool {
        let is_it = |piece: &Piece| piece.lane == Some(lane) && !piece.is_begun;
        if let Some(at) = self.pieces.iter().position(is_it) {
            let piece = self.pieces.remove(at).expect("it was found");
            if piece.ends_answer && at > 0 {
                self.pieces[at - 1].ends_answer = true;
            }
            return true;
        }
        let at = self.behind.iter().position(is_it);
        at.and_then(|at| self.behind.remove(at)).is_some()
    }

    fn send(&mut self, mut count: usize) {
        while let Some(piece) = self.pieces.front_mut().filter(|_| count > 0) {
            let sent = piece.bytes.len().min(count);
            piece.bytes.drain(..sent);
            piece.is_begun = true;
            count -= sent;
            if piece.bytes.is_empty() {
                self.pieces.pop_front();
            }
        }
    }

    fn sendable(&self) -> usize {
        let may_leave = |piece: &&Piece| !self.is_held || piece.sync == Some(0);
        self.pieces.iter().take_while(may_leave).map(|piece| piece.bytes.len()).sum()
    }

    fn unanswered(&self) -> usize {
        let count = self.pieces.iter().rposition(|piece| piece.ends_answer).map_or(0, |at| at + 1);
        self.pieces.iter().take(count).map(|piece| piece.bytes.len()).sum()
    }

    fn end_answer(&mut self) {
        self.pieces.iter_mut().for_each(|piece| piece.ends_answer = false);
        self.pieces.back_mut().into_iter().for_each(|piece| piece.ends_answer = true);
    }

    fn hold(&mut self) {
        if !self.is_held {
            self.pieces.iter_mut().for_each(|piece| piece.sync = None);
        }
        (self.is_held, self.waits) = (true, true);
    }

    fn begin_sync(&mut self) {
        self.last_sync += 1;
        let waiting = self.pieces.iter_mut().filter(|piece| piece.sync.is_none());
        waiting.for_each(|piece| piece.sync = Some(self.last_sync));
        self.waits = false;
    }
}

/// Both, and the lent output.
#[derive(Default)]
struct World {
    outbox: Outbox,
    lent: Option<Output>,
    model: Model,
}

impl World {
    /// Output from other clients.
    fn add(&mut self, lane: Option<u64>, bytes: &[u8]) {
        let piece = Piece { lane, bytes: bytes.to_vec(), ..Piece::default() };
        let is_lent = self.lent.is_some();
        let pieces = if is_lent { &mut self.model.behind } else { &mut self.model.pieces };
        pieces.push_back(piece);
    }

    fn drop_oldest(&mut self, lane: u64) {
        let is_dropped = self.model.drop_oldest(lane);
        assert_eq!(self.outbox.drop_oldest(lane, 1), u64::from(is_dropped));
    }

    fn step(&mut self, step: u8, piece: &[u8]) {
        let lane = u64::from(step % 2);
        match (step, &self.lent) {
            (0..=4, _) => {
                self.outbox.write_in(lane, piece.to_vec().into());
                self.add(Some(lane), piece);
            }
            (5..=7, _) => self.drop_oldest(lane),
            (8, _) => {
                self.outbox.write(|output| output.share(piece.to_vec().into()));
                self.add(None, piece);
            }
            (9, _) => {
                self.outbox.write(|output| output.raw(piece));
                self.add(None, piece);
            }
            (10 | 11, None) => {
                let count = piece.len().min(self.model.sendable());
                self.outbox.advance(count);
                self.model.send(count);
            }
            (10..=14, Some(_)) => self.answer(step, piece),
            (15..=18, Some(_)) => self.take_back(step.is_multiple_of(2)),
            (12..=14, None) => self.lent = Some(self.outbox.lend()),
            (15, None) => {
                self.outbox.mark_change();
                assert_eq!(self.outbox.hold_change(), !self.model.waits);
                self.model.hold();
            }
            (16, None) if self.model.waits => {
                self.model.begin_sync();
                self.outbox.begin_sync(self.model.last_sync);
            }
            (17, None) => self.finish_sync(piece.len() as u64 % 3),
            (18, None) if self.model.is_held => {
                assert_eq!(self.outbox.fail_syncs(), !self.model.waits);
                self.model.waits = true;
                let under_way = |piece: &&mut Piece| piece.sync.is_some_and(|sync| sync > 0);
                self.model.pieces.iter_mut().filter(under_way).for_each(|piece| piece.sync = None);
            }
            _ => {}
        }
    }

    /// Runs a request; its reply may be taken back.
    fn answer(&mut self, step: u8, piece: &[u8]) {
        let Some(lent) = &mut self.lent else { return };
        match step {
            10 => {
                lent.raw(piece);
                let piece = Piece { bytes: piece.to_vec(), ..Piece::default() };
                self.model.pieces.push_back(piece);
            }
            11 | 12 => {
                self.outbox.collect(lent);
                self.model.pieces.append(&mut self.model.behind);
            }
            _ => {
                let mark = lent.mark();
                lent.raw(piece);
                lent.share(piece.to_vec().into());
                self.drop_oldest(1);
                let lent = self.lent.as_mut().expect("it is lent out");
                lent.truncate(mark);
            }
        }
    }

    fn take_back(&mut self, is_answered: bool) {
        let Some(lent) = self.lent.take() else { return };
        let behind = self.outbox.take_back(lent, is_answered);
        assert!(behind.is_empty());
        if is_answered {
            self.model.end_answer();
        }
        self.model.pieces.append(&mut self.model.behind);
    }

    fn finish_sync(&mut self, ago: u64) {
        let sync = self.model.last_sync.saturating_sub(ago);
        self.outbox.finish_sync(sync);
        if !self.model.is_held {
            return;
        }
        for piece in &mut self.model.pieces {
            piece.sync = piece.sync.map(|of| if of <= sync { 0 } else { of });
        }
        self.model.is_held = self.outbox.hold.is_some();
        if self.model.is_held {
            assert!(self.model.waits || sync < self.model.last_sync, "held for ever");
        } else {
            assert!(!self.model.waits);
            let mut pieces = self.model.pieces.iter();
            assert!(pieces.all(|piece| piece.sync.is_none_or(|sync| sync == 0)));
        }
    }

    fn check(&mut self) {
        for lane in 0..2 {
            assert_eq!(self.outbox.waiting_in(lane), self.model.waiting(lane));
        }
        if self.lent.is_some() {
            return;
        }
        self.outbox.check_invariants();
        let left: Vec<u8> =
            self.model.pieces.iter().flat_map(|piece| &piece.bytes).copied().collect();
        assert_eq!(self.outbox.len(), left.len());
        let mut slices = vec![IoSlice::new(&[]); 1000];
        let filled = self.outbox.io_slices(&mut slices, usize::MAX);
        let owed: Vec<u8> =
            slices[..filled].iter().flat_map(|slice| slice.iter()).copied().collect();
        assert_eq!(owed, left);
        assert_eq!(self.outbox.sendable(), self.model.sendable());
        assert_eq!(self.outbox.unanswered, self.model.unanswered());
    }
}

proptest! {
    /// Whatever is added, sent, dropped, lent and held: the remaining output is the expected one, in
    /// order, and so is its sendable part.
    #[test]
    fn it_agrees_with_a_naive_outbox(
        steps in prop::collection::vec((0u8..19, 1usize..90), 0..300),
    ) {
        let mut world = World::default();
        for (number, (step, length)) in steps.into_iter().enumerate() {
            world.step(step, &vec![number as u8; length]);
            world.check();
        }
    }
}

#[test]
fn places_of_dropped_messages_do_not_accumulate() {
    let mut outbox = Outbox::default();
    outbox.write_in(1, b"first".to_vec().into());
    outbox.advance(1);
    for number in 0..10_000 {
        outbox.write_in(1, b"later".to_vec().into());
        assert_eq!(outbox.drop_oldest(1, 1), 1, "{number}");
        let places = outbox.output.next_place();
        assert!(places < 100, "{places} places");
    }
    assert_eq!((outbox.waiting_in(1), outbox.shared_count(), outbox.len()), (1, 1, 4));
    assert_eq!(outbox.drop_oldest(1, 1), 0, "the rest of the first has to be sent");
    assert_eq!(outbox.take_all(), b"irst");
    assert!(outbox.lanes.is_none());
}

#[test]
#[should_panic(expected = "more was sent than may be")]
fn held_output_is_not_sent() {
    let mut outbox = Outbox::default();
    outbox.write(|output| output.ok());
    outbox.mark_change();
    outbox.hold_change();
    outbox.begin_sync(1);
    outbox.advance(1);
}

#[test]
#[should_panic(expected = "a reply would be sent before its change is recorded")]
fn an_unrecorded_change_is_not_confirmed() {
    let mut outbox = Outbox::default();
    outbox.write(|output| output.ok());
    outbox.mark_change();
    outbox.advance(5);
}

/// A separately built reply is not the lent output: a client's pending output is not added to it.
#[test]
fn a_separate_reply_collects_nothing() {
    let mut outbox = Outbox::default();
    outbox.write(|output| output.raw(b"owed"));
    let mut apart = Output::default();
    apart.ok();
    outbox.collect(&mut apart);
    assert_eq!(outbox.len(), 4);
    outbox.write(|output| output.append(&mut apart));
    assert_eq!(outbox.take_all(), b"owed+OK\r\n");
}
