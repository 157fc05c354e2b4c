//! Passes over values that are not read, without holding them.
//!
//! What a value of each type consists of is a table; a walk over it has one frame for each level.

use super::error::Problem;
use super::length::{Cursor, Stop};
use super::text::bytes_of_string;
use super::value_type::ValueType;

/// A part of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// A number, written as a length.
    Length,
    /// A string in any form.
    String,
    /// This many bytes.
    Bytes(u64),
    /// The score of an old sorted set: a length of one byte and as many digits, or a byte with a meaning.
    Score,
    /// A number, and as many times these parts.
    Times(&'static [Part]),
    /// The parts of a module's data, each with its kind, and the end.
    ModuleParts,
}

use Part::{Bytes, Length, ModuleParts, Score, String, Times};

/// A string, a library of functions, or a value packed into one string.
pub(super) const ONE_STRING: &[Part] = &[String];
/// The number of a module, its version with it, and its data.
pub(super) const MODULE: &[Part] = &[Length, ModuleParts];

/// Messages of a stream's group that wait for an acknowledgement: id, time, number of deliveries.
const PENDING: Part = Times(&[Bytes(16), Bytes(8), Length]);
/// The messages of a stream: listpacks, each with its first id.
const MESSAGES: Part = Times(&[String, String]);

/// The messages, their number, the last id; groups, each with its name, last id, pending messages, and
/// consumers, each with its name, time and pending messages.
const STREAM: &[Part] = &[
    MESSAGES,
    Length,
    Length,
    Length,
    Times(&[String, Length, Length, PENDING, Times(&[String, Bytes(8), Times(&[Bytes(16)])])]),
];
/// Also the first id, the highest deleted one, and how many there ever were; that also for each group.
const STREAM_2: &[Part] = &[
    MESSAGES,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Times(&[
        String,
        Length,
        Length,
        Length,
        PENDING,
        Times(&[String, Bytes(8), Times(&[Bytes(16)])]),
    ]),
];
/// A consumer also has the time of its last message.
const STREAM_3: &[Part] = &[
    MESSAGES,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Times(&[
        String,
        Length,
        Length,
        Length,
        PENDING,
        Times(&[String, Bytes(8), Bytes(8), Times(&[Bytes(16)])]),
    ]),
];

/// The parts of a value.
fn parts_of(value_type: ValueType) -> &'static [Part] {
    match value_type {
        ValueType::String
        | ValueType::ListZiplist
        | ValueType::SetIntset
        | ValueType::SetListpack
        | ValueType::ZsetZiplist
        | ValueType::ZsetListpack
        | ValueType::HashZipmap
        | ValueType::HashZiplist
        | ValueType::HashListpack
        | ValueType::HashListpackExPreGa => ONE_STRING,
        ValueType::List | ValueType::ListQuicklist | ValueType::Set => &[Times(&[String])],
        ValueType::ListQuicklist2 => &[Times(&[Length, String])],
        ValueType::Zset => &[Times(&[String, Score])],
        ValueType::Zset2 => &[Times(&[String, Bytes(8)])],
        ValueType::Hash => &[Times(&[String, String])],
        ValueType::HashMetadataPreGa => &[Times(&[Length, String, String])],
        ValueType::HashMetadata => &[Bytes(8), Times(&[Length, String, String])],
        ValueType::HashListpackEx => &[Bytes(8), String],
        ValueType::ValkeyHash => &[Times(&[String, String, Bytes(8)])],
        ValueType::Stream => STREAM,
        ValueType::Stream2 => STREAM_2,
        ValueType::Stream3 => STREAM_3,
        ValueType::Module => MODULE,
    }
}

/// The kinds of a module's parts.
mod module {
    pub(super) const END: u64 = 0;
    pub(super) const SIGNED: u64 = 1;
    pub(super) const UNSIGNED: u64 = 2;
    pub(super) const FLOAT: u64 = 3;
    pub(super) const DOUBLE: u64 = 4;
    pub(super) const STRING: u64 = 5;
}

/// Passes over one value.
#[derive(Debug)]
pub(super) struct Skip {
    /// The walks that have begun, the innermost last.
    frames: Vec<Frame>,
    /// Bytes to pass over before the next part.
    bytes: u64,
}

/// A walk over parts.
#[derive(Debug)]
struct Frame {
    parts: &'static [Part],
    at: usize,
    /// How many times the parts follow after this time.
    times_left: u64,
}

impl Skip {
    /// Begins to pass over a value.
    pub(super) fn value(value_type: ValueType) -> Skip {
        Skip::parts(parts_of(value_type))
    }

    /// Begins to pass over these parts.
    pub(super) fn parts(parts: &'static [Part]) -> Skip {
        Skip { frames: vec![Frame { parts, at: 0, times_left: 0 }], bytes: 0 }
    }

    /// Takes the next item. Returns true if it was the last.
    pub(super) fn step(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
        if self.bytes > 0 {
            let here = self.bytes.min(cursor.left() as u64);
            if here == 0 {
                return Err(Stop::Needs(1));
            }
            cursor.take(here)?;
            self.bytes -= here;
        } else {
            self.part(cursor)?;
        }
        Ok(self.bytes == 0 && self.is_over())
    }

    /// Drops the walks that are over.
    fn is_over(&mut self) -> bool {
        while let Some(frame) = self.frames.last_mut() {
            if frame.at < frame.parts.len() {
                return false;
            }
            match frame.times_left.checked_sub(1) {
                Some(left) => (frame.times_left, frame.at) = (left, 0),
                None => drop(self.frames.pop()),
            }
        }
        true
    }

    fn part(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        let Some(part) = frame.parts.get(frame.at).copied() else { return Ok(()) };
        let mut is_done = true;
        let mut inner = None;
        match part {
            Length => drop(cursor.length()?),
            String => self.bytes = bytes_of_string(cursor)?,
            Bytes(bytes) => self.bytes = bytes,
            Score => {
                // The three highest are infinite, or no number.
                let length = cursor.byte()?;
                self.bytes = if length >= 253 { 0 } else { length.into() };
            }
            Times(parts) => {
                let times_left = cursor.length()?.checked_sub(1);
                inner = times_left.map(|times_left| Frame { parts, at: 0, times_left });
            }
            ModuleParts => match cursor.length()? {
                module::END => {}
                kind => {
                    is_done = false;
                    self.bytes = module_part(kind, cursor)?;
                }
            },
        }
        frame.at += usize::from(is_done);
        self.frames.extend(inner);
        Ok(())
    }
}

/// Takes the beginning of a part of a module's data, and returns how many bytes of it follow.
fn module_part(kind: u64, cursor: &mut Cursor<'_>) -> Result<u64, Stop> {
    match kind {
        module::SIGNED | module::UNSIGNED => cursor.length().map(|_| 0),
        module::FLOAT => Ok(4),
        module::DOUBLE => Ok(8),
        module::STRING => bytes_of_string(cursor),
        other => Err(Problem::ModulePart(other).into()),
    }
}
