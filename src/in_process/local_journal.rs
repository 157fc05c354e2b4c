//! The append files of a broker without a server: the caller's thread waits for the disk.

use crate::broker::Broker;
use crate::clock::Now;
use crate::journal::files::Directory;
use crate::journal::{Journal, JournalError, LoadError, Loader};
use std::sync::Arc;
use std::time::Duration;

pub(super) struct LocalJournal {
    directory: Arc<dyn Directory>,
    journal: Journal,
}

impl LocalJournal {
    /// Loads the directory, and begins to record.
    pub(super) fn open(
        directory: Arc<dyn Directory>,
        broker: &mut Broker,
        now: Now,
    ) -> Result<LocalJournal, LoadError> {
        let prefix = broker.settings().appendfilename.clone();
        let mut loader = Loader::begin(Arc::clone(&directory), &prefix, broker, now)?;
        let start = loop {
            if let Some(start) = loader.step(broker, now)? {
                break start;
            }
        };
        let journal = Journal::begin(&prefix, start, broker, now);
        Ok(LocalJournal { directory, journal })
    }

    /// Writes changes, and does all jobs at once for which a server has threads.
    pub(super) fn commit(&mut self, broker: &mut Broker, now: Now) -> Result<(), JournalError> {
        let mut has_run = true;
        while has_run {
            self.journal.commit(broker, false, now)?;
            has_run = false;
            while let Some(job) = self.journal.next_job() {
                self.journal.finish(job.run(&*self.directory), broker, now)?;
                has_run = true;
            }
        }
        Ok(())
    }

    /// Time until something must be written or synced.
    pub(super) fn next_deadline(&self, broker: &Broker, now: Now) -> Option<Duration> {
        self.journal.next_deadline(broker, now)
    }

    /// Writes and syncs the rest.
    pub(super) fn close(self, broker: &mut Broker) -> Result<(), JournalError> {
        self.journal.close(broker)
    }
}
