//! Runs of equal stamps: each with the number of consecutive messages that have it.

use crate::queue::Stamp;

/// Runs of stamps, taken as a whole or for a few messages at a time.
pub(super) struct Runs<I> {
    rest: I,
    begun: Option<(Stamp, usize)>,
}

impl<I: Iterator<Item = (Stamp, usize)>> Runs<I> {
    pub(super) fn new(rest: I) -> Runs<I> {
        Runs { rest, begun: None }
    }

    fn next_part(&mut self) -> Option<(Stamp, usize)> {
        self.begun.take().or_else(|| self.rest.next())
    }

    /// The stamps of the next `count` messages.
    pub(super) fn take_messages(&mut self, mut count: usize) -> Vec<(Stamp, usize)> {
        let mut taken = Vec::new();
        while count > 0
            && let Some((stamp, len)) = self.next_part()
        {
            let part = len.min(count);
            self.begun = (len > part).then(|| (stamp.clone(), len - part));
            taken.push((stamp, part));
            count -= part;
        }
        taken
    }
}

/// As few runs as possible: neighbours with equal stamps are one.
impl<I: Iterator<Item = (Stamp, usize)>> Iterator for Runs<I> {
    type Item = (Stamp, usize);

    fn next(&mut self) -> Option<(Stamp, usize)> {
        let (stamp, mut count) = self.next_part()?;
        for (next, more) in self.rest.by_ref() {
            if next != stamp {
                self.begun = Some((next, more));
                break;
            }
            count += more;
        }
        Some((stamp, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(counts: &[(i64, usize)]) -> Vec<(Stamp, usize)> {
        let stamp = |ready_ms| Stamp { ready_ms, ..Stamp::default() };
        counts.iter().map(|(ms, count)| (stamp(*ms), *count)).collect()
    }

    #[test]
    fn runs_are_taken_for_some_messages() {
        let mut rest = Runs::new(runs(&[(1, 5), (2, 1), (3, 4)]).into_iter());
        assert_eq!(rest.take_messages(3), runs(&[(1, 3)]));
        assert_eq!(rest.take_messages(4), runs(&[(1, 2), (2, 1), (3, 1)]));
        assert_eq!(rest.take_messages(9), runs(&[(3, 3)]));
        assert_eq!(rest.take_messages(9), []);
    }

    #[test]
    fn equal_neighbours_are_joined() {
        let rest = Runs::new(runs(&[(1, 1), (1, 2), (2, 1), (1, 1), (1, 1)]).into_iter());
        assert_eq!(rest.collect::<Vec<_>>(), runs(&[(1, 3), (2, 1), (1, 2)]));
        assert_eq!(Runs::new(runs(&[]).into_iter()).next(), None);
    }
}
