//! Work done, counted in steps.
//!
//! A turn is bounded by its work, not only by its input, so that one client, or one moment at which much
//! is due, does not delay all others. The broker reads no clock, so it counts: a step is about a tenth
//! of a microsecond on a machine of 2026. What is left when the steps of a turn are used up is done in
//! the next one.

/// Messages compared or skipped per step.
const LOOKED_AT_PER_STEP: usize = 32;
/// Steps for a message that is moved and recorded.
const MOVED_STEPS: u64 = 5;
/// Steps for a key that is created, freed or examined.
const KEY_STEPS: u64 = 2;
/// Bytes copied per step.
const COPIED_PER_STEP: usize = 1024;

/// Work since the start, and the rest of this turn's budget for chores: what is due, what lost
/// connections held, the rest of a policy change or a flush.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    spent: u64,
    /// Steps left for chores, while none is running.
    chores_left: u64,
    /// The count at which the running chores must stop.
    chores_end: u64,
    /// Steps for chores in a turn.
    chores_max: u64,
}

impl Work {
    /// Steps since the start.
    #[inline]
    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }

    /// Counts messages compared or skipped.
    #[inline]
    pub(crate) fn looked_at(&mut self, messages: usize) {
        self.spent += (messages / LOOKED_AT_PER_STEP) as u64;
    }

    /// Counts messages moved.
    #[inline]
    pub(crate) fn moved(&mut self, messages: usize) {
        self.spent += messages as u64 * MOVED_STEPS;
    }

    /// Counts keys created, freed or examined.
    #[inline]
    pub(crate) fn keys(&mut self, keys: usize) {
        self.spent += keys as u64 * KEY_STEPS;
    }

    /// Counts elements of hashes and sets that are looked up, added or removed.
    #[inline]
    pub(crate) fn elements(&mut self, elements: usize) {
        self.spent += elements as u64;
    }

    /// Counts patterns compared with a key.
    #[inline]
    pub(crate) fn matched(&mut self, patterns: usize) {
        self.spent += patterns as u64;
    }

    /// Counts bytes copied.
    #[inline]
    pub(crate) fn copied(&mut self, bytes: usize) {
        self.spent += (bytes / COPIED_PER_STEP) as u64;
    }

    /// Sets the budget for chores of a new turn.
    pub(crate) fn begin_turn(&mut self, chores_max: u64) {
        (self.chores_max, self.chores_left) = (chores_max, chores_max);
    }

    /// Chores begin. Work of commands meanwhile does not count against them.
    pub(crate) fn begin_chores(&mut self) {
        self.chores_end = self.spent.saturating_add(self.chores_left);
    }

    /// Chores end for now.
    pub(crate) fn end_chores(&mut self) {
        self.chores_left = self.chores_end.saturating_sub(self.spent);
    }

    /// Whether chores may continue.
    #[inline]
    pub(crate) fn has_time(&self) -> bool {
        self.spent < self.chores_end
    }

    /// How many messages a chore may move now; at least one, so that it makes progress.
    pub(crate) fn messages_left(&self) -> usize {
        messages(self.chores_end.saturating_sub(self.spent))
    }

    /// Whether the work since then, when `spent` was this, is at most a turn's budget for chores.
    pub(crate) fn is_little_since(&self, spent_before: u64) -> bool {
        self.spent - spent_before < self.chores_max
    }

    /// How many messages may be moved at once as a consequence of a command; the rest is a chore.
    pub(crate) fn messages_at_once(&self) -> usize {
        messages(self.chores_max)
    }
}

fn messages(steps: u64) -> usize {
    usize::try_from(steps / MOVED_STEPS).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chores_have_steps_of_their_own() {
        let mut work = Work::default();
        work.begin_turn(100);
        work.moved(1_000);
        work.begin_chores();
        assert_eq!(work.messages_left(), 20);
        work.moved(19);
        assert!(work.has_time());
        work.end_chores();
        work.keys(1_000);
        work.begin_chores();
        assert!(work.has_time());
        work.moved(1);
        assert!(!work.has_time());
        assert_eq!((work.messages_left(), work.messages_at_once()), (1, 20));
        work.end_chores();
        work.begin_chores();
        assert!(!work.has_time(), "until the next turn");
        work.begin_turn(100);
        work.begin_chores();
        assert!(work.has_time());
    }
}
