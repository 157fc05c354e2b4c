//! Reads the RDB format as its bytes arrive, in pieces of any size.
//!
//! Only an item whose end is not here yet is copied. So memory grows with the bytes that have arrived,
//! whatever they claim, and compressed strings aside it is at most twice the longest item.

use super::error::{Problem, RdbError};
use super::items::{Items, is_supported};
use super::length::Stop;
use super::sink::{Place, Sink};
use super::value_type::ValueType;

/// A larger buffer is not kept for the next item.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Reads one file.
#[derive(Debug)]
pub struct Reader {
    items: Items,
    /// The beginning of an item whose end has not arrived.
    begun: Vec<u8>,
    /// The bytes of it that are needed to continue.
    needed: u64,
}

impl Reader {
    /// Begins with a file. `leaves_out`: values of unsupported types, and function libraries, are left out;
    /// otherwise they are errors.
    pub fn new(leaves_out: bool) -> Reader {
        Reader { items: Items::of_file(leaves_out), begun: Vec::new(), needed: 0 }
    }

    /// Whether the end of the file was read.
    pub fn is_done(&self) -> bool {
        self.items.is_at_end()
    }

    /// Reads the next bytes, and passes what is in them to `sink`. Returns their number up to the end of the
    /// file, which is all of them before that.
    ///
    /// # Errors
    /// The bytes are damaged, of an unsupported type, or refused by `sink`. Then the reader is of no use any
    /// more.
    pub fn read(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize, RdbError> {
        let mut at = 0;
        // Up to here the bytes are in the checksum.
        let mut summed = 0;
        while !self.is_done() {
            let rest = bytes.get(at..).unwrap_or_default();
            if !self.begun.is_empty() {
                let missing = self.needed.saturating_sub(self.begun.len() as u64);
                let part = rest.get(..usize::try_from(missing).unwrap_or(rest.len()));
                let part = part.unwrap_or(rest);
                self.begun.extend_from_slice(part);
                at += part.len();
                if (self.begun.len() as u64) < self.needed {
                    break;
                }
                self.continue_item(sink)?;
                continue;
            }
            if self.items.is_checksum_next() {
                self.items.sum(bytes.get(summed..at).unwrap_or_default());
                summed = at;
            }
            match self.items.next(rest, sink) {
                Ok(taken) => at += taken,
                Err(Stop::Needs(needed)) => {
                    self.needed = needed;
                    self.begun.extend_from_slice(rest);
                    at = bytes.len();
                    break;
                }
                Err(Stop::Wrong(problem)) => return Err(self.items.error(problem)),
            }
        }
        // A part of the checksum itself is not summed.
        if !self.items.is_checksum_next() {
            self.items.sum(bytes.get(summed..at).unwrap_or_default());
        }
        Ok(at)
    }

    /// Reads the item that has begun, if it is whole now.
    fn continue_item(&mut self, sink: &mut impl Sink) -> Result<(), RdbError> {
        match self.items.next(&self.begun, sink) {
            Ok(taken) => {
                debug_assert_eq!(taken, self.begun.len(), "no more than the item was taken");
                self.begun.clear();
                if self.begun.capacity() > KEPT_BYTES_MAX {
                    self.begun = Vec::new();
                }
                Ok(())
            }
            Err(Stop::Needs(needed)) => {
                self.needed = needed;
                Ok(())
            }
            Err(Stop::Wrong(problem)) => Err(self.items.error(problem)),
        }
    }

    /// Returns the error of an input that has ended before the end of the file.
    pub fn cut_off(&self) -> RdbError {
        self.items.error(Problem::CutOff)
    }
}

/// Reads a value of this key: its type, then its content, and nothing behind it.
///
/// # Errors
/// The bytes are damaged, of an unsupported type, or refused by `sink`, which may have received a part.
pub fn read_value(bytes: &[u8], place: Place, sink: &mut impl Sink) -> Result<(), RdbError> {
    let error = |problem| RdbError { at: 0, key: None, problem };
    let (&number, content) = bytes.split_first().ok_or(error(Problem::CutOff))?;
    let value_type = ValueType::of(number, false).ok_or(error(Problem::Opcode(number)))?;
    if !is_supported(value_type) {
        return Err(error(Problem::UnsupportedType(value_type)));
    }
    let mut items = Items::of_value(place, value_type);
    let mut at = 0;
    while items.is_in_value() {
        match items.next(content.get(at..).unwrap_or_default(), sink) {
            Ok(taken) => at += taken,
            Err(Stop::Needs(_)) => return Err(items.error(Problem::CutOff)),
            Err(Stop::Wrong(problem)) => return Err(items.error(problem)),
        }
    }
    if at == content.len() { Ok(()) } else { Err(items.error(Problem::Behind)) }
}
