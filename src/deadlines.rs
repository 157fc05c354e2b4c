//! Deadlines in order; and a macro for enums of timers.

use std::collections::BTreeSet;

/// An ordered set of deadlines. The unit and the clock are the caller's.
#[derive(Debug)]
pub(crate) struct Deadlines<T: Ord, At: Ord = u64> {
    ordered: BTreeSet<(At, T)>,
}

impl<T: Ord, At: Ord> Default for Deadlines<T, At> {
    fn default() -> Self {
        Deadlines { ordered: BTreeSet::new() }
    }
}

impl<T: Ord, At: Ord + Copy> Deadlines<T, At> {
    /// Adds a deadline `at` for `what`. The same thing may have several deadlines.
    pub(crate) fn insert(&mut self, at: At, what: T) {
        self.ordered.insert((at, what));
    }

    /// Removes a deadline that `insert` added.
    pub(crate) fn remove(&mut self, at: At, what: T) {
        self.ordered.remove(&(at, what));
    }

    /// The earliest deadline.
    #[inline]
    pub(crate) fn next(&self) -> Option<At> {
        self.ordered.first().map(|(at, _)| *at)
    }

    /// The earliest deadline, and what is due then.
    pub(crate) fn first(&self) -> Option<(At, &T)> {
        self.ordered.first().map(|(at, what)| (*at, what))
    }

    /// Removes and returns the earliest thing that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: At) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.ordered.pop_first().map(|(_, what)| what)
    }

    /// Whether this is due at `at`.
    pub(crate) fn contains(&self, at: At, what: &T) -> bool
    where
        T: Clone,
    {
        self.ordered.contains(&(at, what.clone()))
    }

    /// Removes and returns the earliest deadline.
    pub(crate) fn pop_first(&mut self) -> Option<(At, T)> {
        self.ordered.pop_first()
    }

    /// Moves the deadline of `what` from `before`, if it has one, to `after`.
    pub(crate) fn shift(&mut self, before: Option<At>, after: Option<At>, what: T)
    where
        T: Copy,
    {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.remove(before, what);
        }
        if let Some(after) = after {
            self.insert(after, what);
        }
    }

    /// The number of deadlines.
    pub(crate) fn len(&self) -> usize {
        self.ordered.len()
    }

    /// All deadlines, earliest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (At, &T)> {
        self.ordered.iter().map(|(at, what)| (*at, what))
    }

    /// Removes all deadlines.
    pub(crate) fn clear(&mut self) {
        self.ordered.clear();
    }
}

/// Makes an enum of the timers of a module, with the list `ALL`: code that iterates over it forgets
/// none, and code that matches on it must handle a new one.
macro_rules! timers {
    ($(#[$about:meta])* enum $Timer:ident { $($(#[$says:meta])* $timer:ident,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug)]
        enum $Timer { $($(#[$says])* $timer,)+ }

        impl $Timer {
            const ALL: &[$Timer] = &[$($Timer::$timer),+];
        }
    };
}
pub(crate) use timers;

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
