//! An outbox compared with a naive one.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

/// A piece of output.
#[derive(Clone, Debug, Default)]
struct Piece {
    lane: Option<u64>,
    bytes: Vec<u8>,
    is_begun: bool,
    /// Whether a reply ends with it.
    ends_answer: bool,
    /// Whether it is a reply that reports a change.
    is_report: bool,
    /// The commit that it waits for; 0 if it may be sent. `None` if nothing is held, or no commit covers it.
    commit: Option<u64>,
}

/// A naive outbox: pieces in order, each with its own state.
#[derive(Default)]
struct Model {
    pieces: VecDeque<Piece>,
    /// Output added while the rest was lent.
    behind: VecDeque<Piece>,
    is_held: bool,
    has_new_change: bool,
    /// The pending commits, and which have finished.
    pending: BTreeMap<u64, bool>,
    last_commit: u64,
}

const ERROR: &[u8] = b"-NOREPLICAS\r\n";

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
        let may_leave = |piece: &&Piece| !self.is_held || piece.commit == Some(0);
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
            self.pieces.iter_mut().for_each(|piece| piece.commit = None);
        }
        self.is_held = true;
        self.has_new_change = false;
        self.pending.insert(self.last_commit, false);
        let waiting = self.pieces.iter_mut().filter(|piece| piece.commit.is_none());
        waiting.for_each(|piece| piece.commit = Some(self.last_commit));
    }

    fn fail(&mut self, commit: u64) -> usize {
        let is_it = |piece: &&mut Piece| piece.commit == Some(commit) && piece.is_report;
        let replies = self.pieces.iter_mut().filter(is_it);
        let replaced = replies.map(|piece| {
            piece.bytes = ERROR.to_vec();
            piece.is_report = false;
        });
        replaced.count()
    }

    fn finish(&mut self, commit: u64) {
        self.pending.insert(commit, true);
        while let Some(first) = self.pending.first_entry().filter(|first| *first.get()) {
            let commit = first.remove_entry().0;
            let released = self.pieces.iter_mut().filter(|piece| piece.commit == Some(commit));
            released.for_each(|piece| (piece.commit, piece.is_report) = (Some(0), false));
        }
        self.is_held = self.has_new_change || !self.pending.is_empty();
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
            (10 | 11, None) if !self.model.has_new_change => {
                let count = piece.len().min(self.model.sendable());
                self.outbox.advance(count);
                self.model.send(count);
            }
            (10..=14, Some(_)) => self.answer(step, piece),
            (15..=18, Some(_)) => self.take_back(step.is_multiple_of(2)),
            (12..=14, None) => self.lent = Some(self.outbox.lend()),
            (15, None) => {
                self.outbox.mark_change(1);
                self.outbox.take_change();
                self.model.last_commit += 1;
                assert!(self.outbox.hold(self.model.last_commit));
                self.model.hold();
            }
            (16, None) if !self.model.pending.is_empty() => {
                // The same commit, in a later turn.
                let last = self.model.last_commit;
                if self.model.pending.get(&last) == Some(&false) {
                    self.outbox.mark_change(0);
                    self.outbox.take_change();
                    assert!(!self.outbox.hold(last));
                    self.model.hold();
                }
            }
            (17 | 18, None) if !self.model.pending.is_empty() => {
                let at = piece.len() % self.model.pending.len();
                let commit = *self.model.pending.keys().nth(at).expect("a pending commit");
                if step == 18 {
                    assert_eq!(self.outbox.fail(commit, ERROR), self.model.fail(commit));
                }
                self.outbox.finish(commit);
                self.model.finish(commit);
                assert_eq!(self.outbox.hold.is_some(), self.model.is_held);
            }
            _ => {}
        }
    }

    /// Runs a request; its reply may be taken back.
    fn answer(&mut self, step: u8, piece: &[u8]) {
        let Some(lent) = &mut self.lent else { return };
        match step {
            10 => {
                let mark = lent.mark();
                lent.raw(piece);
                let is_report = piece.len().is_multiple_of(2);
                if is_report {
                    self.outbox.mark_change(1);
                    assert!(self.outbox.report(lent, mark));
                    self.model.has_new_change = true;
                }
                let piece = Piece { bytes: piece.to_vec(), is_report, ..Piece::default() };
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
        if !self.model.has_new_change {
            assert_eq!(self.outbox.sendable(), self.model.sendable());
        }
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
    outbox.mark_change(0);
    outbox.take_change();
    outbox.hold(1);
    outbox.advance(1);
}

#[test]
#[should_panic(expected = "a reply would be sent before its change is recorded")]
fn an_unrecorded_change_is_not_confirmed() {
    let mut outbox = Outbox::default();
    outbox.write(|output| output.ok());
    outbox.mark_change(0);
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

/// What has finished is sent, although the client has changed something again meanwhile.
#[test]
fn a_new_change_holds_only_what_follows() {
    let mut outbox = Outbox::default();
    let reply = |outbox: &mut Outbox, text: &[u8]| {
        let mut lent = outbox.lend();
        let mark = lent.mark();
        lent.raw(text);
        assert!(outbox.mark_change(1));
        assert!(outbox.report(&lent, mark));
        outbox.take_back(lent, true);
    };
    reply(&mut outbox, b"+one\r\n");
    assert_eq!(outbox.take_change(), 1);
    assert!(outbox.hold(1));
    reply(&mut outbox, b"+two\r\n");
    outbox.finish(1);
    assert_eq!(outbox.take_change(), 1);
    assert!(outbox.hold(2));
    assert_eq!(outbox.sendable(), 6);
    assert_eq!(outbox.fail(2, ERROR), 1, "the first was confirmed");
    outbox.finish(2);
    outbox.check_invariants();
    assert_eq!(outbox.take_all(), b"+one\r\n-NOREPLICAS\r\n");

    // The same, if that change waits for nothing.
    reply(&mut outbox, b"+one\r\n");
    outbox.take_change();
    outbox.hold(3);
    outbox.mark_change(0);
    outbox.finish(3);
    outbox.take_change();
    outbox.release_change();
    outbox.check_invariants();
    assert!(outbox.hold.is_none());
}

/// A reply that is added while the output is lent is found behind it.
#[test]
fn a_reply_behind_lent_output_is_replaced() {
    let mut outbox = Outbox::default();
    let mut lent = outbox.lend();
    lent.raw(b"+first\r\n");
    outbox.write_in(1, b"dropped".to_vec().into());
    outbox.write(|output| output.raw(b"+second\r\n"));
    outbox.mark_change(1);
    outbox.report_from(7);
    assert_eq!(outbox.drop_oldest(1, 1), 1);
    outbox.take_back(lent, true);
    outbox.take_change();
    outbox.hold(1);
    outbox.write(|output| output.raw(b"+third\r\n"));
    assert_eq!(outbox.fail(1, ERROR), 1);
    outbox.check_invariants();
    assert_eq!(outbox.sendable(), 0);
    outbox.finish(1);
    assert_eq!(outbox.take_all(), b"+first\r\n-NOREPLICAS\r\n+third\r\n");
}
