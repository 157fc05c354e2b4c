//! The order of a turn of a broker with a journal, for the server and the tests.

/// The stages of a turn. [`turn`] has their order.
pub trait Stages {
    /// Why there is no next turn.
    type Error;

    /// Reports the results of finished jobs to the journal. Returns whether there were any.
    ///
    /// # Errors
    /// The durability promise cannot be kept.
    fn finish_jobs(&mut self) -> Result<bool, Self::Error>;

    /// Whether a client's command changed data that the journal has not taken yet: see
    /// [`Broker::has_changed`](super::Broker::has_changed).
    fn has_changed(&self) -> bool;

    /// Passes input to the broker.
    fn read(&mut self);

    /// Lets the broker do what is due, and closes clients that are sent nothing more.
    fn settle(&mut self);

    /// Whether the turn ends here: nothing of it is committed or written.
    fn is_abandoned(&self) -> bool {
        false
    }

    /// Passes the changes to the journal.
    ///
    /// # Errors
    /// The durability promise cannot be kept.
    fn commit(&mut self) -> Result<(), Self::Error>;

    /// Writes what may be sent to each client. Changes nothing.
    fn write(&mut self);

    /// Closes clients that are done. Changes that follow belong to the next turn.
    fn close(&mut self);
}

/// Runs one turn. Nothing is written before all input is read, so that a client gets the replies to
/// everything it sent in one piece. Nothing is written before the journal has the changes, and nothing
/// changes between the two.
///
/// # Errors
/// The durability promise cannot be kept. Nothing was written after this was detected.
pub fn turn<S: Stages>(stages: &mut S) -> Result<(), S::Error> {
    // Messages of disconnected clients may already be delivered to others, which is not recorded yet: then
    // nothing may be written.
    if stages.finish_jobs()? && !stages.has_changed() {
        // Replies released by a sync are sent before a new change by the same client holds them again.
        stages.write();
    }
    stages.read();
    stages.settle();
    if stages.is_abandoned() {
        return Ok(());
    }
    stages.commit()?;
    stages.write();
    stages.close();
    Ok(())
}

/// The time spent in a turn, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct TurnTime {
    /// When the turn began, by the monotonic clock.
    pub begun_us: u64,
    /// When the stages ended: reading, settling, the commit, writing, and the whole turn.
    pub ends_us: [u64; 5],
}

/// The LATENCY events of turns, by the longest stage.
const STAGES: [&str; 5] = ["turn-read", "turn-settle", "turn-commit", "turn-write", "turn-close"];

impl TurnTime {
    /// The duration of the turn.
    pub fn total_us(&self) -> u64 {
        self.ends_us[4].saturating_sub(self.begun_us)
    }

    /// The event of the longest stage.
    pub fn longest(&self) -> &'static str {
        let mut begun_us = self.begun_us;
        let took = self.ends_us.iter().zip(STAGES).map(|(&end_us, stage)| {
            let us = end_us.saturating_sub(begun_us);
            begun_us = begun_us.max(end_us);
            (us, stage)
        });
        took.max_by_key(|(us, _)| *us).map_or(STAGES[0], |(_, stage)| stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Told {
        has_ended: bool,
        has_changed: bool,
        is_abandoned: bool,
        fails_at: &'static str,
        steps: Vec<&'static str>,
    }

    impl Told {
        fn step(&mut self, name: &'static str) -> Result<(), &'static str> {
            self.steps.push(name);
            if self.fails_at == name { Err(name) } else { Ok(()) }
        }
    }

    impl Stages for Told {
        type Error = &'static str;

        fn finish_jobs(&mut self) -> Result<bool, &'static str> {
            self.step("finish").map(|()| self.has_ended)
        }

        fn has_changed(&self) -> bool {
            self.has_changed
        }

        fn read(&mut self) {
            self.steps.push("read");
        }

        fn settle(&mut self) {
            self.steps.push("settle");
        }

        fn is_abandoned(&self) -> bool {
            self.is_abandoned
        }

        fn commit(&mut self) -> Result<(), &'static str> {
            self.step("commit")
        }

        fn write(&mut self) {
            self.steps.push("write");
        }

        fn close(&mut self) {
            self.steps.push("close");
        }
    }

    fn steps(mut told: Told) -> String {
        let result = turn(&mut told);
        assert_eq!(result.err().unwrap_or_default(), told.fails_at);
        told.steps.join(" ")
    }

    #[test]
    fn what_is_written_is_recorded_before() {
        let all = "finish read settle commit write close";
        assert_eq!(steps(Told::default()), all);
        let early = Told { has_ended: true, ..Told::default() };
        assert_eq!(steps(early), "finish write read settle commit write close");
        let changed = Told { has_ended: true, has_changed: true, ..Told::default() };
        assert_eq!(steps(changed), all);
        let abandoned = Told { is_abandoned: true, ..Told::default() };
        assert_eq!(steps(abandoned), "finish read settle");
        let broken = Told { fails_at: "finish", ..Told::default() };
        assert_eq!(steps(broken), "finish");
        let broken = Told { fails_at: "commit", ..Told::default() };
        assert_eq!(steps(broken), "finish read settle commit");
    }

    #[test]
    fn the_longest_stage_has_a_name() {
        let time = TurnTime { begun_us: 100, ends_us: [110, 115, 145, 150, 151] };
        assert_eq!((time.total_us(), time.longest()), (51, "turn-commit"));
        // A skipped stage has no end of its own.
        let time = TurnTime { begun_us: 100, ends_us: [110, 0, 0, 0, 160] };
        assert_eq!((time.total_us(), time.longest()), (60, "turn-close"));
    }
}
