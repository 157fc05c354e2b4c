//! Why bytes in the RDB format cannot be read.

use super::value_type::ValueType;
use std::fmt::{self, Display, Formatter};
use thiserror::Error;

/// Longer keys are cut off in texts.
const KEY_BYTES_SHOWN: usize = 128;

/// Why bytes in the RDB format cannot be read, and where.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("byte {at}: {}{problem}", InKey(key))]
pub struct RdbError {
    /// The offset of the item with the problem.
    pub at: u64,
    /// The number of the database and the key, if it is part of one.
    pub key: Option<(u64, Vec<u8>)>,
    /// What is wrong.
    pub problem: Problem,
}

impl RdbError {
    /// Whether it is right for others, but of a kind that this program does not have.
    pub fn is_unsupported(&self) -> bool {
        matches!(self.problem, Problem::UnsupportedType(_) | Problem::FunctionLibrary)
    }
}

/// What is wrong with bytes in the RDB format.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Another format.
    #[error("expected 'REDIS' or 'VALKEY' and a version, got something else")]
    NoStart,
    /// A format of the past or of the future.
    #[error("expected a version from {min} to {max} of the format, got {found}")]
    Version {
        /// The oldest that is read.
        min: u16,
        /// The newest that is read.
        max: u16,
        /// That of the file.
        found: u16,
    },
    /// The bytes end before the end of the format.
    #[error("the end is missing")]
    CutOff,
    /// The checksum at the end is not that of the bytes.
    #[error("expected the checksum {expected:016x}, got {found:016x}")]
    Checksum {
        /// Of the bytes.
        expected: u64,
        /// At the end.
        found: u64,
    },
    /// No type of a value, and nothing else that may stand there.
    #[error("expected a key, a field or the end, got byte 0x{0:02x}")]
    Opcode(u8),
    /// No length.
    #[error("expected a length, got byte 0x{0:02x}")]
    NotALength(u8),
    /// An unknown form of a string.
    #[error("expected a string, got form {0}")]
    StringForm(u8),
    /// A compressed string that is damaged.
    #[error("a compressed string is damaged")]
    Compressed,
    /// A list of several parts, one of which is neither an element nor a listpack.
    #[error("expected a part of a list, got container {0}")]
    Container(u64),
    /// A listpack that is damaged.
    #[error("a listpack is damaged: {0}")]
    Listpack(&'static str),
    /// A stream that is damaged.
    #[error("a stream is damaged: {0}")]
    Stream(&'static str),
    /// A ziplist that is damaged.
    #[error("a ziplist is damaged: {0}")]
    Ziplist(&'static str),
    /// A zipmap that is damaged.
    #[error("a zipmap is damaged: {0}")]
    Zipmap(&'static str),
    /// An intset that is damaged.
    #[error("an intset is damaged: {0}")]
    Intset(&'static str),
    /// A packed hash with a field without a value.
    #[error("the last field of a hash has no value")]
    OddHash,
    /// An unknown part of a value of a module.
    #[error("expected a part of a value of a module, got opcode {0}")]
    ModulePart(u64),
    /// A type that this program does not have.
    #[error(
        "a value of type {0} is not supported; replica-ignore-unsupported-keys yes leaves it out"
    )]
    UnsupportedType(ValueType),
    /// A library of functions, which this program does not have.
    #[error(
        "a function library is not supported; replica-ignore-unsupported-keys yes leaves it out"
    )]
    FunctionLibrary,
    /// The receiver did not accept it.
    #[error("{0}")]
    Refused(String),
    /// There is more after the value.
    #[error("there are bytes behind the value")]
    Behind,
}

/// The place within a key, as the beginning of a text.
struct InKey<'a>(&'a Option<(u64, Vec<u8>)>);

impl Display for InKey<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some((db, key)) = self.0 else { return Ok(()) };
        let (shown, more) = match key.get(..KEY_BYTES_SHOWN) {
            Some(shown) => (shown, "..."),
            None => (&key[..], ""),
        };
        write!(f, "key '{}{more}' in database {db}: ", shown.escape_ascii())
    }
}
