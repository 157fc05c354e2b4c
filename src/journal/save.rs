//! Writes all data of one moment to an RDB file, while the broker continues: SAVE, BGSAVE, `save` lines, and the
//! end of a server.
//!
//! The loop passes the parts of a snapshot to jobs, which run elsewhere, one after another. Until the file is
//! complete it has a temporary name; a file from before stays as it was.

use super::files::Directory;
use super::rdb_file::RdbWriter;
use super::rewrite::PIECE_BYTES;
use crate::broker::Broker;
use crate::clock::Now;
use crate::keyspace::SavedPart;
use crate::persistence::SnapshotUse;
use crate::snapshot::RdbHeader;
use log::{info, warn};
use std::io;

/// A save in progress. Its snapshot was claimed for it.
pub struct Save {
    name: String,
    stage: Stage,
    /// The next job, if it is not for a part.
    job: Option<SaveJob>,
}

enum Stage {
    /// A job has the file.
    Writing,
    /// The file waits for more keys.
    Waiting(Box<RdbWriter>),
    /// It has ended.
    Over,
}

/// Work outside the loop.
pub enum SaveJob {
    /// Begins the file.
    Begin {
        /// Its name.
        name: String,
        /// Its start.
        header: RdbHeader,
    },
    /// Adds a part to it.
    Add {
        /// The file.
        writer: Box<RdbWriter>,
        /// The part.
        part: SavedPart,
    },
    /// Completes it.
    Finish(Box<RdbWriter>),
    /// Removes it.
    Abandon(Box<RdbWriter>),
}

/// The result of a job.
pub enum SaveDone {
    /// The file takes more.
    Writer(io::Result<Box<RdbWriter>>),
    /// It is complete, and has this many bytes.
    Finished(io::Result<u64>),
    /// It was removed.
    Abandoned,
}

impl SaveJob {
    /// Runs it. After an error nothing of the file is left, if it can be removed.
    pub fn run(self, directory: &dyn Directory) -> SaveDone {
        match self {
            SaveJob::Begin { name, header } => {
                SaveDone::Writer(RdbWriter::begin(directory, &name, &header).map(Box::new))
            }
            SaveJob::Add { mut writer, part } => {
                let added = writer.add(&part);
                SaveDone::Writer(match added {
                    Ok(()) => Ok(writer),
                    Err(error) => {
                        remove(directory, &writer.temporary_name());
                        Err(error)
                    }
                })
            }
            SaveJob::Finish(writer) => {
                let temporary = writer.temporary_name();
                let finished = writer.finish(directory);
                SaveDone::Finished(finished.inspect_err(|_| remove(directory, &temporary)))
            }
            SaveJob::Abandon(writer) => {
                remove(directory, &writer.temporary_name());
                SaveDone::Abandoned
            }
        }
    }
}

/// Removes a temporary file. If that fails, the next save does it.
fn remove(directory: &dyn Directory, temporary: &str) {
    let _ = directory.remove(temporary);
}

impl Save {
    /// Begins with the present data. The snapshot must have been claimed for `SnapshotUse::Save`.
    pub fn begin(name: &str, broker: &mut Broker, now: Now) -> Save {
        info!("{name}: writing all data");
        broker.begin_save(now);
        let header = RdbHeader {
            unix_s: now.unix_us / 1_000_000,
            used_bytes: broker.used_bytes(),
            stream: None,
            is_base: false,
            is_compressed: broker.settings().rdb_compression,
        };
        let job = Some(SaveJob::Begin { name: name.to_string(), header });
        Save { name: name.to_string(), stage: Stage::Writing, job }
    }

    /// The next job; pass its result to `finish`. `None` while one runs.
    pub fn next_job(&mut self, broker: &mut Broker) -> Option<SaveJob> {
        if let Some(job) = self.job.take() {
            return Some(job);
        }
        let writer = match std::mem::replace(&mut self.stage, Stage::Writing) {
            Stage::Waiting(writer) => writer,
            other => {
                self.stage = other;
                return None;
            }
        };
        if !broker.persistence().snapshot.is(SnapshotUse::Save) {
            return Some(SaveJob::Abandon(writer));
        }
        match broker.next_saved(PIECE_BYTES) {
            Some(part) if part.is_empty() => {
                self.stage = Stage::Waiting(writer);
                None
            }
            Some(part) => Some(SaveJob::Add { writer, part }),
            None => Some(SaveJob::Finish(writer)),
        }
    }

    /// Handles the result of a job.
    pub fn finish(&mut self, done: SaveDone, broker: &mut Broker, now: Now) {
        match done {
            SaveDone::Writer(Ok(writer)) => self.stage = Stage::Waiting(writer),
            SaveDone::Finished(Ok(bytes)) => {
                self.stage = Stage::Over;
                let took_us = broker.end_save(Ok(()), now);
                let seconds = took_us as f64 / 1e6;
                info!("{}: written, {bytes} bytes in {seconds:.1} s", self.name);
            }
            SaveDone::Writer(Err(error)) | SaveDone::Finished(Err(error)) => {
                self.fail(&error, broker, now);
            }
            SaveDone::Abandoned => {
                self.fail(&"append files needed the snapshot", broker, now);
            }
        }
    }

    fn fail(&mut self, reason: &dyn std::fmt::Display, broker: &mut Broker, now: Now) {
        self.stage = Stage::Over;
        warn!("{} could not be written: {reason}", self.name);
        broker.end_save(Err(format!("{}: {reason}", self.name)), now);
    }

    /// Whether it has ended, successfully or not.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether it waits for more keys, or for its first job to be taken.
    pub fn wants_turn(&self) -> bool {
        self.job.is_some() || matches!(self.stage, Stage::Waiting(_))
    }

    /// Abandons it, when no job is in progress.
    pub fn give_up(self, broker: &mut Broker, directory: &dyn Directory, now: Now) {
        if let Stage::Waiting(writer) = &self.stage {
            remove(directory, &writer.temporary_name());
        }
        if !self.is_over() {
            broker.end_save(Err(format!("{}: the server stops", self.name)), now);
        }
    }

    /// Writes the file now, on this thread.
    ///
    /// # Errors
    /// The reason why there is none. A file from before stays as it was.
    pub fn at_once(
        name: &str,
        broker: &mut Broker,
        directory: &dyn Directory,
        now: Now,
    ) -> Result<(), String> {
        let mut save = Save::begin(name, broker, now);
        while !save.is_over() {
            // Each job has run before the next is asked for, so there is one, or only a part without content.
            if let Some(job) = save.next_job(broker) {
                save.finish(job.run(directory), broker, now);
            }
        }
        match broker.persistence().saves.has_failed {
            false => Ok(()),
            true => Err(format!("{name} could not be written")),
        }
    }
}
