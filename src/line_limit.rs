//! Limits log lines that strangers could cause as often as they like: one a minute for each kind of
//! event, with the number of suppressed ones.

use std::fmt;

/// How long a kind is suppressed after a line.
const SILENCE_US: u64 = 60_000_000;

/// The kinds of events logged in the last minute. There are few kinds.
#[derive(Debug)]
pub(crate) struct LineLimit<K> {
    told: Vec<Told<K>>,
    /// When the first suppression ends.
    next_us: Option<u64>,
}

#[derive(Debug)]
struct Told<K> {
    kind: K,
    /// When the suppression ends.
    until_us: u64,
    left_out: u64,
}

/// How many events of a kind were suppressed. Shown at the end of the next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut(pub u64);

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, "; {count} more like it were suppressed in the last minute"),
        }
    }
}

impl<K> Default for LineLimit<K> {
    fn default() -> LineLimit<K> {
        LineLimit { told: Vec::new(), next_us: None }
    }
}

impl<K: Copy + PartialEq> LineLimit<K> {
    /// Whether an event of this kind may be logged now, at a time in microseconds. If not, it is
    /// counted.
    pub(crate) fn admit(&mut self, kind: K, now_us: u64) -> Option<LeftOut> {
        let until_us = now_us.saturating_add(SILENCE_US);
        let Some(told) = self.told.iter_mut().find(|told| told.kind == kind) else {
            self.told.push(Told { kind, until_us, left_out: 0 });
            self.next_us = Some(self.next_us.unwrap_or(u64::MAX).min(until_us));
            return Some(LeftOut(0));
        };
        if now_us < told.until_us {
            told.left_out += 1;
            return None;
        }
        told.until_us = until_us;
        Some(LeftOut(std::mem::take(&mut told.left_out)))
    }

    /// The kinds whose suppression has ended, with their numbers of suppressed events. Call it now and
    /// then, so that the last ones are logged as well.
    pub(crate) fn take_left_out(&mut self, now_us: u64) -> Vec<(K, u64)> {
        if self.next_us.is_none_or(|next_us| now_us < next_us) {
            return Vec::new();
        }
        let is_over = |told: &Told<K>| told.until_us <= now_us;
        let over = self.told.iter().filter(|told| is_over(told) && told.left_out > 0);
        let found = over.map(|told| (told.kind, told.left_out)).collect();
        self.told.retain(|told| !is_over(told));
        self.next_us = self.told.iter().map(|told| told.until_us).min();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    #[test]
    fn a_kind_has_one_line_a_minute_and_the_rest_is_counted() {
        let mut limit = LineLimit::default();
        assert_eq!(limit.admit('a', 5), Some(LeftOut(0)));
        for _ in 0..1000 {
            assert_eq!(limit.admit('a', 5 + 59 * SECOND_US), None);
        }
        assert_eq!(limit.admit('b', 6), Some(LeftOut(0)));
        assert_eq!(limit.take_left_out(59 * SECOND_US), []);
        assert_eq!(limit.admit('a', 5 + 60 * SECOND_US), Some(LeftOut(1000)));
        assert_eq!(limit.admit('a', 5 + 61 * SECOND_US), None);
        assert_eq!(limit.take_left_out(5 + 119 * SECOND_US), []);
        assert_eq!(limit.take_left_out(5 + 120 * SECOND_US), [('a', 1)]);
        assert_eq!(limit.take_left_out(5 + 999 * SECOND_US), []);
        assert_eq!(limit.admit('a', 5 + 999 * SECOND_US), Some(LeftOut(0)));
    }

    #[test]
    fn the_number_of_suppressed_events_is_shown() {
        assert_eq!(LeftOut(0).to_string(), "");
        assert_eq!(LeftOut(7).to_string(), "; 7 more like it were suppressed in the last minute");
    }
}
