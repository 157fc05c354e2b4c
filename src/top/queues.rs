//! The queues that were read, and how fast messages come and go.

use super::reading::{Row, Sample};
use std::collections::HashMap;
use std::time::Duration;

/// Queues that are kept; of more, only some are shown.
const QUEUES_MAX: usize = 100_000;

/// A queue as it was read last.
#[derive(Clone, Debug)]
pub struct Queue {
    pub row: Row,
    pub rates: Rates,
    at: Duration,
    /// The round in which it was read last.
    round: u64,
    /// The connection on which it was read last.
    connection: u64,
}

/// Messages a second between the last two readings; `None` where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Stored. Only counted under a policy.
    pub stored: Option<f64>,
    /// Delivered. Only counted under a policy.
    pub delivered: Option<f64>,
    /// By how many messages the queue has grown.
    pub net: Option<f64>,
}

/// All queues.
#[derive(Debug, Default)]
pub struct Queues {
    by_name: HashMap<String, Queue>,
    round: u64,
    connection: u64,
    /// Whether there are more queues than are kept.
    has_more: bool,
    /// Whether all queues have been read.
    is_whole: bool,
}

impl Queues {
    /// Adds what was read.
    pub fn apply(&mut self, sample: Sample) {
        if sample.is_first {
            self.connection += 1;
            self.round += 1;
        }
        for row in sample.rows {
            self.put(row, sample.at);
        }
        if sample.ends_round {
            let round = self.round;
            self.by_name.retain(|_, queue| queue.round == round);
            self.has_more &= self.by_name.len() >= QUEUES_MAX;
            self.is_whole = true;
            self.round += 1;
        }
    }

    fn put(&mut self, row: Row, at: Duration) {
        let (round, connection) = (self.round, self.connection);
        let is_full = self.by_name.len() >= QUEUES_MAX;
        match self.by_name.get_mut(&row.name) {
            Some(queue) => {
                // A new connection may be to a new process, whose counts begin anew.
                let is_known = queue.connection == connection;
                let rates = if is_known { rates(queue, &row, at) } else { Rates::default() };
                *queue = Queue { row, rates, at, round, connection };
            }
            None if is_full => self.has_more = true,
            None => {
                let (name, rates) = (row.name.clone(), Rates::default());
                self.by_name.insert(name, Queue { row, rates, at, round, connection });
            }
        }
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Queue> {
        self.by_name.values()
    }

    /// How many there are, with a mark if there are more.
    pub fn count(&self) -> String {
        let is_all = self.is_whole && !self.has_more;
        format!("{}{}", self.by_name.len(), if is_all { "" } else { "+" })
    }
}

fn rates(before: &Queue, row: &Row, at: Duration) -> Rates {
    let seconds = at.saturating_sub(before.at).as_secs_f64();
    if seconds == 0.0 {
        return before.rates;
    }
    // A queue that was removed meanwhile has counts that begin anew.
    let rate =
        |now: Option<u64>, then: Option<u64>| Some(now?.checked_sub(then?)? as f64 / seconds);
    let old = &before.row;
    Rates {
        stored: rate(row.pushed, old.pushed),
        delivered: rate(row.delivered, old.delivered),
        net: Some((row.length as f64 - old.length as f64) / seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, length: u64, counts: Option<(u64, u64)>) -> Row {
        let (pushed, delivered) = counts.unzip();
        Row { name: name.to_owned(), length, pushed, delivered, ..Row::default() }
    }

    fn apply(queues: &mut Queues, s: u64, rows: Vec<Row>, ends_round: bool, is_first: bool) {
        let at = Duration::from_secs(s);
        queues.apply(Sample { at, rows, ends_round, is_first, ..Sample::default() });
    }

    fn rates_of(queues: &Queues, name: &str) -> Rates {
        queues.by_name[name].rates
    }

    #[test]
    fn rates_come_from_counts_and_lengths() {
        let mut queues = Queues::default();
        apply(&mut queues, 10, vec![row("a", 5, Some((100, 95))), row("b", 9, None)], true, true);
        assert_eq!(rates_of(&queues, "a"), Rates::default());
        apply(&mut queues, 12, vec![row("a", 7, Some((110, 103))), row("b", 3, None)], true, false);
        let expected = Rates { stored: Some(5.0), delivered: Some(4.0), net: Some(1.0) };
        assert_eq!(rates_of(&queues, "a"), expected);
        assert_eq!(rates_of(&queues, "b"), Rates { net: Some(-3.0), ..Rates::default() });
        // Counts that begin anew, and a second reading at the same time.
        apply(&mut queues, 13, vec![row("a", 1, Some((1, 0)))], true, false);
        let expected = Rates { net: Some(-6.0), ..Rates::default() };
        assert_eq!(rates_of(&queues, "a"), expected);
        apply(&mut queues, 13, vec![row("a", 2, Some((2, 0)))], true, false);
        assert_eq!(rates_of(&queues, "a"), expected);
        // Another process, perhaps.
        apply(&mut queues, 14, vec![row("a", 9, Some((9, 0)))], true, true);
        assert_eq!(rates_of(&queues, "a"), Rates::default());
    }

    #[test]
    fn a_queue_that_is_gone_leaves_at_the_end_of_a_round() {
        let mut queues = Queues::default();
        apply(&mut queues, 1, vec![row("a", 1, None)], false, true);
        assert_eq!(queues.count(), "1+");
        apply(&mut queues, 2, vec![row("b", 1, None)], true, false);
        assert_eq!(queues.count(), "2");
        apply(&mut queues, 3, vec![row("b", 1, None)], false, false);
        assert_eq!(queues.count(), "2");
        apply(&mut queues, 4, vec![], true, false);
        assert_eq!(queues.iter().map(|queue| queue.row.name.as_str()).collect::<Vec<_>>(), ["b"]);
        // A connection that is lost within a round.
        apply(&mut queues, 5, vec![row("c", 1, None)], false, false);
        apply(&mut queues, 6, vec![row("d", 1, None)], true, true);
        assert_eq!(queues.iter().map(|queue| queue.row.name.as_str()).collect::<Vec<_>>(), ["d"]);
    }

    #[test]
    fn not_all_of_very_many_are_kept() {
        let mut queues = Queues::default();
        let rows = (0..=QUEUES_MAX).map(|n| row(&n.to_string(), 1, None)).collect();
        apply(&mut queues, 1, rows, true, true);
        assert_eq!(queues.count(), "100000+");
        apply(&mut queues, 2, vec![row("a", 1, None)], true, false);
        assert_eq!(queues.count(), "0", "{QUEUES_MAX} others were there in that round");
        apply(&mut queues, 3, vec![row("a", 1, None)], true, false);
        assert_eq!(queues.count(), "1");
    }
}
