//! The pauses of a queue: whether pops find no message and pushes are refused, and until when.

/// The end of a pause that only QUEUE RESUME ends.
pub(crate) const WITHOUT_END: i64 = i64::MAX;

/// The pauses of a queue, each with its end by the queue clock; `None` for no pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pauses {
    /// Until when pops find no message.
    pub reads_until_ms: Option<i64>,
    /// Until when pushes are refused.
    pub writes_until_ms: Option<i64>,
}

/// The directions that a command pauses or resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
    All,
}

impl Pauses {
    /// Whether there is any.
    pub(crate) fn is_paused(self) -> bool {
        self != Pauses::default()
    }

    /// Returns the first end of a pause that ends by itself.
    pub(crate) fn next_end_ms(self) -> Option<i64> {
        let ends = [self.reads_until_ms, self.writes_until_ms].into_iter().flatten();
        ends.filter(|until_ms| *until_ms != WITHOUT_END).min()
    }

    /// Returns those that have not ended by this time.
    pub(crate) fn after(self, now_ms: i64) -> Pauses {
        let is_left = |until_ms: &i64| *until_ms > now_ms;
        Pauses {
            reads_until_ms: self.reads_until_ms.filter(is_left),
            writes_until_ms: self.writes_until_ms.filter(is_left),
        }
    }

    /// Returns the pauses after a command for one direction or both.
    pub(crate) fn with(self, direction: Direction, until_ms: Option<i64>) -> Pauses {
        let Pauses { reads_until_ms, writes_until_ms } = self;
        match direction {
            Direction::Read => Pauses { reads_until_ms: until_ms, writes_until_ms },
            Direction::Write => Pauses { reads_until_ms, writes_until_ms: until_ms },
            Direction::All => Pauses { reads_until_ms: until_ms, writes_until_ms: until_ms },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_has_its_own_end() {
        let pauses = Pauses::default().with(Direction::All, Some(WITHOUT_END));
        assert_eq!((pauses.is_paused(), pauses.next_end_ms()), (true, None));
        let pauses = pauses.with(Direction::Read, Some(20)).with(Direction::Write, Some(10));
        assert_eq!(pauses.next_end_ms(), Some(10));
        assert_eq!(pauses.after(9), pauses);
        assert_eq!(pauses.after(10), pauses.with(Direction::Write, None));
        assert_eq!(pauses.after(20), Pauses::default());
        assert!(!pauses.with(Direction::All, None).is_paused());
    }
}
