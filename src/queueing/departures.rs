//! Rows of consecutive messages that leave a queue without a consumer. A short row is handed over at once, a
//! long one as a chore.

use super::Queues;
use super::dead_letters::Exit;
use crate::keyspace::{DbIndex, Fate, Keyspace, Removed};
use crate::queue::{End, Gathered, Queue, TakenOut};

/// Messages taken at once. The limit is low, since each dead letter may make others leave, which is work too.
const HANDED_OVER_MAX: usize = 100;

impl Queues<'_> {
    /// Removes messages from a queue, row by row. `next` returns the index of a row's first message, and the
    /// number of messages. The messages at the exit's first end leave first.
    pub(crate) fn part_with(
        &mut self,
        exit: Exit<'_>,
        next: impl Fn(&Queue) -> Option<(usize, usize)>,
    ) {
        let Exit { db, key, policy, fate, first } = exit;
        // Messages without a dead-letter queue are only counted.
        let keeps = fate != Fate::Dropped && policy.dead_letter.is_some();
        let mut left = self.keyspace.work.messages_at_once();
        let mut gathered = Gathered::default();
        while let Ok(Some(list)) = self.keyspace.list(db, key)
            && let Some((index, count)) = next(list)
        {
            if keeps && (count > left || self.keyspace.has_departing_of(db, key)) {
                self.hand_over_gathered(exit, &mut gathered);
                let removed = self.keyspace.depart(db, key, policy, (fate, first), (index, count));
                self.record_removed(removed);
                continue;
            }
            left = if keeps { left - count } else { left };
            let Some(gone) = take_out(self.keyspace, db, key, (index, count), keeps) else { break };
            let TakenOut { index, count, behind, .. } = gone;
            let removed = Removed { db, key: key.clone(), index, count, behind, departure: None };
            self.record_removed(Some(removed));
            if !keeps {
                self.keyspace.count(db, key, |totals| totals.add_lost(fate, count as u64));
            }
            gathered.add(gone);
        }
        self.hand_over_gathered(exit, &mut gathered);
    }
}

fn take_out(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    (index, count): (usize, usize),
    keeps: bool,
) -> Option<TakenOut> {
    let taken = keyspace.change_list(db, key, |queue| {
        let messages = if keeps { queue.copy_stamped(index, count) } else { Vec::new() };
        queue.trim_out(index, count);
        TakenOut { index, count, behind: queue.len() - index, messages }
    });
    taken.ok().flatten()
}

impl Queues<'_> {
    fn record_removed(&mut self, removed: Option<Removed>) {
        if let Some(removed) = removed {
            self.keyspace.record_removed(&removed);
        }
    }

    /// Hands messages over in the same order as one by one: expired ones by their time, others from one end.
    fn hand_over_gathered(&mut self, exit: Exit<'_>, gathered: &mut Gathered) {
        let gathered = std::mem::take(gathered);
        let messages = match exit.fate {
            Fate::Expired => gathered.into_sorted(),
            _ => gathered.into_row(exit.first),
        };
        for (message, stamp) in &messages {
            self.dispose(exit, message, stamp);
        }
    }

    /// Hands over messages that have left their queues, within the turn's budget.
    pub(crate) fn hand_over(&mut self) {
        while self.keyspace.work.has_time()
            && let Some((departure, messages)) = self
                .keyspace
                .take_departing(self.keyspace.work.messages_left().min(HANDED_OVER_MAX))
        {
            let exit = Exit::of(&departure);
            for (message, stamp) in &messages {
                self.dispose(exit, message, stamp);
            }
            let mut digits = itoa::Buffer::new();
            let pop = if exit.first == End::Front { &b"LPOP"[..] } else { b"RPOP" };
            self.keyspace
                .effects
                .add(exit.db, [pop, &departure.list, digits.format(messages.len()).as_bytes()]);
        }
    }
}
