//! How often the log says what strangers can cause as often as they like: once a minute for each
//! kind of event, with the number of those that were left out.

use std::fmt;

/// How long a kind is silent after a line.
const SILENCE_US: u64 = 60_000_000;

/// Which kinds of events were told of in the last minute. There are few kinds.
#[derive(Debug)]
pub(crate) struct LineLimit<K> {
    told: Vec<Told<K>>,
    /// When the first silence is over.
    next_us: Option<u64>,
}

#[derive(Debug)]
struct Told<K> {
    kind: K,
    /// When the silence is over.
    until_us: u64,
    left_out: u64,
}

/// How many events of a kind had no line of their own. Shown behind the line of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut(pub u64);

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, "; and {count} more like it before, within a minute"),
        }
    }
}

impl<K> Default for LineLimit<K> {
    fn default() -> LineLimit<K> {
        LineLimit { told: Vec::new(), next_us: None }
    }
}

impl<K: Copy + PartialEq> LineLimit<K> {
    /// Whether an event of this kind may have a line now, at a time in microseconds; if not, it is
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

    /// Kinds whose silence is over, with the number of events that had no line: to be called now
    /// and then, so that the last ones are told of as well.
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
    fn a_kind_has_a_line_a_minute_and_nothing_is_forgotten() {
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
    fn what_was_left_out_is_said_in_words() {
        assert_eq!(LeftOut(0).to_string(), "");
        assert_eq!(LeftOut(7).to_string(), "; and 7 more like it before, within a minute");
    }
}
