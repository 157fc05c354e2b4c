//! Commits: the ends of turns in which commands changed something, and whose replies wait.
//!
//! Commits are numbered in order. What a commit waits for is a sync of the append files, or that enough replicas
//! have its offset of the stream, or both. The commits that still need equally many replicas are in one line: in it,
//! none is ready before those in front of it.

use crate::client_id::ClientId;
use crate::replication::Acknowledged;
use std::collections::VecDeque;

/// The latest change by a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastChange {
    /// The commit of its turn.
    pub commit: u64,
    /// The end of the stream in that turn.
    pub offset: u64,
}

/// The end of a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnEnd {
    /// The end of the stream.
    pub(super) offset: u64,
    /// Microseconds of the monotonic clock.
    pub(super) now_us: u64,
}

/// The clients whose replies wait for the same.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) number: u64,
    /// Each once. Those that have left are skipped.
    pub(super) clients: Vec<ClientId>,
    /// Whether it needs no sync.
    is_durable: bool,
    /// What of the stream replicas must have.
    offset: u64,
    /// When it began, in microseconds of the monotonic clock.
    since_us: u64,
}

/// All pending commits.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// Clients whose commands changed data in this turn, each once.
    pub(super) changed: Vec<ClientId>,
    /// The end of this turn; `None` until then.
    turn: Option<TurnEnd>,
    /// Whether a change of this turn needs replicas.
    needs_replicas: bool,
    /// Whether no replica will have what has been changed in this turn.
    is_abandoned: bool,
    /// The number of the latest commit.
    last: u64,
    /// The pending commits, by the number of replicas that they still need: 0 if they wait only for a sync.
    lines: Vec<VecDeque<Commit>>,
    /// The syncs in progress, each with the last commit that it covers. Both numbers increase.
    syncs: VecDeque<(u64, u64)>,
    /// All commits up to this one are durable.
    durable: u64,
    /// All commits up to this one need no sync, whether they are durable or not.
    released: u64,
}

// A turn.
impl Holds {
    /// A client's command has changed data, for the first time in this turn.
    #[inline]
    pub(super) fn add_changed(&mut self, id: ClientId) {
        if self.changed.is_empty() {
            self.turn = None;
        }
        self.changed.push(id);
    }

    /// A change of this turn needs replicas.
    pub(super) fn mark_replicas_needed(&mut self) {
        self.needs_replicas = true;
    }

    /// Whether a change of this turn needs replicas.
    pub(super) fn needs_replicas(&self) -> bool {
        self.needs_replicas
    }

    /// No replica will have what has been changed in this turn.
    pub(super) fn abandon_turn(&mut self) {
        self.is_abandoned = true;
    }

    /// Everything of the turn has run.
    pub(super) fn end_turn(&mut self, end: TurnEnd) {
        let is_abandoned = std::mem::take(&mut self.is_abandoned);
        self.turn = (!is_abandoned).then_some(end);
    }

    /// Begins the commit of this turn. If it waits only for a sync that has not begun, and so does the latest one,
    /// they are the same.
    pub(super) fn begin_commit(&mut self, is_durable: bool) -> LastChange {
        let needs_replicas = std::mem::take(&mut self.needs_replicas);
        let is_same = !is_durable && !needs_replicas && self.last_waits_for_sync_alone();
        self.last += u64::from(!is_same);
        LastChange { commit: self.last, offset: self.turn_end().offset }
    }

    fn last_waits_for_sync_alone(&self) -> bool {
        let [line, others @ ..] = &self.lines[..] else { return false };
        others.iter().all(VecDeque::is_empty)
            && line.back().is_some_and(|back| back.number == self.last && !back.is_durable)
            && self.last > self.covered()
    }

    /// An end of which nothing is known comes too late for any replica, so that nothing is promised; and what waits
    /// for it is late at once.
    fn turn_end(&self) -> TurnEnd {
        self.turn.unwrap_or(TurnEnd { offset: u64::MAX, now_us: 0 })
    }

    /// A client waits for the latest commit.
    pub(super) fn add(&mut self, id: ClientId, replicas: u8, is_durable: bool) {
        let TurnEnd { offset, now_us } = self.turn_end();
        let number = self.last;
        let line = usize::from(replicas);
        if self.lines.len() <= line {
            self.lines.resize_with(line + 1, VecDeque::new);
        }
        let line = &mut self.lines[line];
        match line.back_mut().filter(|back| back.number == number) {
            Some(commit) => commit.clients.push(id),
            None => {
                let clients = vec![id];
                line.push_back(Commit { number, clients, is_durable, offset, since_us: now_us });
            }
        }
    }
}

// Syncs.
impl Holds {
    /// The last commit that is durable, or that a sync in progress covers.
    fn covered(&self) -> u64 {
        self.syncs.back().map_or(self.durable, |(_, last)| self.durable.max(*last))
    }

    /// A sync begins that covers all commits so far. Its number is above all earlier ones.
    pub(super) fn begin_sync(&mut self, sync: u64) {
        if self.last > self.covered() {
            self.syncs.push_back((sync, self.last));
        }
    }

    /// A sync has succeeded, and with it all before it. Returns whether that made any commit durable.
    pub(super) fn finish_sync(&mut self, sync: u64) -> bool {
        let before = self.durable;
        while let Some((_, last)) = self.syncs.front().filter(|(number, _)| *number <= sync) {
            self.durable = self.durable.max(*last);
            self.syncs.pop_front();
        }
        self.durable > before
    }

    /// The syncs in progress have become useless.
    pub(super) fn fail_syncs(&mut self) {
        self.syncs.clear();
    }

    /// No commit so far needs a sync any more.
    pub(super) fn need_no_sync(&mut self) {
        self.released = self.last;
    }

    /// Whether a commit waits for no sync.
    fn is_written(&self, commit: &Commit) -> bool {
        commit.is_durable || commit.number <= self.durable.max(self.released)
    }

    /// Whether a sync has covered this commit.
    pub(super) fn is_durable(&self, commit: u64) -> bool {
        commit <= self.durable
    }
}

// What is ready, and what is late.
impl Holds {
    /// Removes the next commit of which its replicas have everything.
    pub(super) fn next_acknowledged(&mut self, acknowledged: &Acknowledged) -> Option<Commit> {
        let is_acknowledged = |(replicas, line): &(usize, &mut VecDeque<Commit>)| {
            let at = acknowledged.offset_of(*replicas);
            line.front().is_some_and(|front| at.is_some_and(|at| at >= front.offset))
        };
        let mut lines = self.lines.iter_mut().enumerate().skip(1);
        lines.find(is_acknowledged)?.1.pop_front()
    }

    /// Removes the next commit that has waited only for a sync, and waits no more.
    pub(super) fn next_written(&mut self) -> Option<Commit> {
        let front = self.lines.first()?.front()?;
        let is_written = self.is_written(front);
        if is_written { self.lines.first_mut()?.pop_front() } else { None }
    }

    /// Removes the next commit that has waited for replicas since this moment or longer; returns how many it
    /// needed.
    pub(super) fn next_late(&mut self, since_us: u64) -> Option<(usize, Commit)> {
        let is_late = |(_, line): &(usize, &mut VecDeque<Commit>)| {
            line.front().is_some_and(|front| front.since_us <= since_us)
        };
        let mut lines = self.lines.iter_mut().enumerate().skip(1);
        let (replicas, line) = lines.find(is_late)?;
        Some((replicas, line.pop_front()?))
    }

    /// Since when the oldest commit waits that needs replicas.
    pub(super) fn oldest_us(&self) -> Option<u64> {
        self.lines.iter().skip(1).filter_map(|line| Some(line.front()?.since_us)).min()
    }

    /// A commit needs no replicas any more. Returns it if it does not wait for a sync either.
    pub(super) fn need_no_replicas(&mut self, commit: Commit) -> Option<Commit> {
        if self.is_written(&commit) {
            return Some(commit);
        }
        let line = self.lines.first_mut()?;
        let at = line.partition_point(|other| other.number < commit.number);
        match line.get_mut(at).filter(|other| other.number == commit.number) {
            Some(same) => same.clients.extend(commit.clients),
            None => line.insert(at, commit),
        }
        None
    }

    /// The number of commits that wait for replicas.
    pub(super) fn waiting_for_replicas(&self) -> usize {
        self.lines.iter().skip(1).map(VecDeque::len).sum()
    }

    /// Whether nothing is pending.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.iter().all(VecDeque::is_empty)
    }

    /// Whether this client waits for this commit; for tests and simulations.
    pub(super) fn has(&self, id: ClientId, commit: u64) -> bool {
        let mut commits = self.lines.iter().flatten().filter(|other| other.number == commit);
        commits.any(|commit| commit.clients.contains(&id))
    }

    /// Panics if the lines are not in order.
    pub(super) fn check_invariants(&self) {
        for line in &self.lines {
            assert!(line.iter().is_sorted_by(|one, other| one.number < other.number));
        }
        assert!(self.syncs.iter().is_sorted());
        assert!(self.covered() <= self.last);
    }
}
