//! RDB files in the turn: the loop passes the parts of a snapshot to a thread, which writes them.

use super::error::ServerError;
use super::workers::SaveWorker;
use crate::broker::Broker;
use crate::clock::Now;
use crate::journal::Save;
use crate::journal::files::{Directory, DiskDirectory, is_file_name};
use crate::persistence::SnapshotUse;
use crate::settings::Settings;
use mio::Waker;
use std::sync::Arc;
use std::time::Duration;

/// The RDB file of a server, while one is written.
#[derive(Default)]
pub(super) struct Saving(Option<Current>);

/// A save in progress.
struct Current {
    directory: Arc<dyn Directory>,
    save: Save,
    worker: SaveWorker,
}

/// The directory of the RDB file. It is not locked: the names of files distinguish servers there.
///
/// # Errors
/// The reason why no file can be written.
pub(super) fn open_directory(settings: &Settings) -> Result<Arc<dyn Directory>, String> {
    if !is_file_name(&settings.dbfilename) {
        return Err(format!("dbfilename '{}' is no name of a file", settings.dbfilename));
    }
    let path =
        if settings.dir.as_os_str().is_empty() { ".".as_ref() } else { settings.dir.as_path() };
    let opened = DiskDirectory::open_shared(path).map_err(|error| error.to_string())?;
    Ok(Arc::new(opened))
}

impl Saving {
    /// Handles the results of finished jobs; false if there were none.
    ///
    /// # Errors
    /// The thread has panicked.
    pub(super) fn finish_jobs(
        &mut self,
        broker: &mut Broker,
        now: Now,
    ) -> Result<bool, ServerError> {
        let Some(Current { save, worker, .. }) = &mut self.0 else { return Ok(false) };
        let mut has_ended = false;
        while let Some(done) = worker.next_done()? {
            save.finish(done, broker, now);
            has_ended = true;
        }
        if save.is_over()
            && let Some(Current { worker, .. }) = self.0.take()
        {
            worker.join()?;
        }
        Ok(has_ended)
    }

    /// Begins a save that is due, or gives the thread its next job.
    pub(super) fn turn(&mut self, broker: &mut Broker, waker: &Arc<Waker>, now: Now) {
        if let Some(Current { save, worker, .. }) = &mut self.0 {
            if let Some(job) = save.next_job(broker) {
                worker.give(job);
            }
        } else if broker.is_save_due(now)
            && broker.persistence_mut().snapshot.claim(SnapshotUse::Save)
        {
            self.begin(broker, waker, now);
        }
    }

    fn begin(&mut self, broker: &mut Broker, waker: &Arc<Waker>, now: Now) {
        let directory = open_directory(broker.settings());
        let started = directory.and_then(|directory| {
            let worker = SaveWorker::start(&directory, waker).map_err(|error| error.to_string())?;
            Ok((directory, worker))
        });
        match started {
            Ok((directory, worker)) => {
                let name = broker.settings().dbfilename.clone();
                let mut save = Save::begin(&name, broker, now);
                if let Some(job) = save.next_job(broker) {
                    worker.give(job);
                }
                self.0 = Some(Current { directory, save, worker });
            }
            Err(reason) => {
                log::warn!("no RDB file can be written: {reason}");
                broker.fail_save(reason, now);
            }
        }
    }

    /// Time until the next work on an RDB file; `None` if only the end of a job makes some.
    pub(super) fn next_deadline(&self, broker: &Broker, now: Now) -> Option<Duration> {
        match &self.0 {
            Some(Current { save, .. }) => save.wants_turn().then_some(Duration::ZERO),
            // Whoever has the snapshot wakes the loop when it ends.
            None if broker.persistence().snapshot.current().is_some() => None,
            None => broker.next_save(now),
        }
    }

    /// Abandons a save in progress.
    ///
    /// # Errors
    /// The thread has panicked.
    pub(super) fn give_up(&mut self, broker: &mut Broker, now: Now) -> Result<(), ServerError> {
        let Some(Current { directory, mut save, worker }) = self.0.take() else { return Ok(()) };
        for done in worker.join()? {
            save.finish(done, broker, now);
        }
        save.give_up(broker, &*directory, now);
        Ok(())
    }

    /// Writes the RDB file now, as the server ends. Nobody else is served meanwhile.
    ///
    /// # Errors
    /// The reason why there is none. A file from before stays as it was.
    pub(super) fn at_once(&mut self, broker: &mut Broker, now: Now) -> Result<(), String> {
        let directory = open_directory(broker.settings())?;
        broker.persistence_mut().snapshot.seize(SnapshotUse::Save);
        let name = broker.settings().dbfilename.clone();
        Save::at_once(&name, broker, &*directory, now)
    }
}
