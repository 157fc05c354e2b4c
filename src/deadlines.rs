//! Things that are due at a moment, in the order of their moments.

use std::collections::BTreeSet;

/// An ordered set of deadlines. The unit and the clock are the caller's.
#[derive(Debug)]
pub struct Deadlines<T: Ord> {
    ordered: BTreeSet<(u64, T)>,
}

impl<T: Ord> Default for Deadlines<T> {
    fn default() -> Self {
        Deadlines { ordered: BTreeSet::new() }
    }
}

impl<T: Ord> Deadlines<T> {
    /// Makes `what` due at `at`. The same thing may be due at several moments.
    pub fn insert(&mut self, at: u64, what: T) {
        self.ordered.insert((at, what));
    }

    /// Takes back what `insert` was given.
    pub fn remove(&mut self, at: u64, what: T) {
        self.ordered.remove(&(at, what));
    }

    /// The earliest moment at which something is due.
    #[inline]
    pub fn next(&self) -> Option<u64> {
        self.ordered.first().map(|(at, _)| *at)
    }

    /// What is due first, and when.
    pub fn first(&self) -> Option<(u64, &T)> {
        self.ordered.first().map(|(at, what)| (*at, what))
    }

    /// Takes out the earliest thing that is due at `now`.
    pub fn pop_due(&mut self, now: u64) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.ordered.pop_first().map(|(_, what)| what)
    }

    /// How many deadlines there are.
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// All deadlines, earliest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.ordered.iter().map(|(at, what)| (*at, what))
    }

    /// Forgets all deadlines.
    pub fn clear(&mut self) {
        self.ordered.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_in_order_and_not_before() {
        let mut deadlines = Deadlines::default();
        for (at, what) in [(30, 'c'), (10, 'a'), (20, 'b'), (20, 'x')] {
            deadlines.insert(at, what);
        }
        deadlines.remove(20, 'x');
        assert_eq!(deadlines.next(), Some(10));
        assert_eq!(deadlines.pop_due(9), None);
        assert_eq!(deadlines.pop_due(20), Some('a'));
        assert_eq!(deadlines.pop_due(20), Some('b'));
        assert_eq!(deadlines.pop_due(29), None);
        assert_eq!(deadlines.len(), 1);
    }
}
