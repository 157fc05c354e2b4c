//! Passes the pieces of the files to a broker.

use super::error::LoadError;
use super::scan::{Piece, Scanner};
use crate::broker::{Broker, RdbLoad, RdbSummary};
use crate::keyspace::DbIndex;
use log::warn;

/// Passes pieces to a broker.
#[derive(Debug)]
pub(super) struct Replay {
    /// The database of the following commands.
    db: DbIndex,
    /// The data in the RDB format that has begun.
    rdb: Option<RdbLoad>,
    /// Whether values of unsupported types in such data are left out; otherwise they are errors.
    leaves_out: bool,
    /// What was left out.
    left_out: RdbSummary,
}

impl Replay {
    pub(super) fn new(leaves_out: bool) -> Replay {
        Replay { db: 0, rdb: None, leaves_out, left_out: RdbSummary::default() }
    }

    /// Passes on the scanner's last piece.
    pub(super) fn run(
        &mut self,
        broker: &mut Broker,
        scanner: &mut Scanner,
        piece: &Piece,
    ) -> Result<(), LoadError> {
        match piece {
            Piece::FileBegins => self.db = 0,
            Piece::Commands { range, at } => {
                let replayed = broker.replay(&mut self.db, scanner.bytes(range));
                replayed.map_err(|error| LoadError::Command {
                    file: scanner.file_name().to_string(),
                    at: at + error.at as u64,
                    reason: format!("'{}': {}", error.name, error.reason),
                })?;
            }
            Piece::Rdb { range, .. } => {
                let mut load = self.rdb.take().unwrap_or_else(|| RdbLoad::new(self.leaves_out));
                let bytes = scanner.bytes(range);
                let read = match bytes.is_empty() {
                    // The file has ended.
                    true => Err(load.cut_off()),
                    false => broker.load_rdb(&mut load, bytes),
                };
                let file = scanner.file_name().to_string();
                let read = read.map_err(|error| LoadError::Rdb { file, error })?;
                scanner.rdb_read(read, load.is_done());
                match load.is_done() {
                    true => self.left_out.add(load.summary()),
                    false => self.rdb = Some(load),
                }
            }
            Piece::End => {}
        }
        Ok(())
    }

    /// Returns what was left out.
    pub(super) fn left_out(&self) -> &RdbSummary {
        &self.left_out
    }
}

/// Logs what was left out, if anything was.
pub(super) fn warn_of_left_out(name: &str, summary: &RdbSummary) {
    let &RdbSummary { left_out, left_out_functions, .. } = summary;
    if left_out > 0 || left_out_functions > 0 {
        warn!(
            "{name}: {left_out} values of types that are not supported and {left_out_functions} function \
             libraries were left out (replica-ignore-unsupported-keys yes)"
        );
    }
}
