//! The errors of commands, and parsing of arguments as integers and words.

use crate::keyspace::WrongType;
use crate::resp::parse_integer;
use std::borrow::Cow;
use thiserror::Error;

/// An error reply. The texts are Redis'.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum CommandError {
    #[error(transparent)]
    WrongType(#[from] WrongType),
    #[error("ERR syntax error")]
    Syntax,
    #[error("ERR value is not an integer or out of range")]
    NotAnInteger,
    #[error("ERR no such key")]
    NoSuchKey,
    #[error("ERR index out of range")]
    IndexOutOfRange,
    #[error("ERR timeout is not a float or out of range")]
    TimeoutNotAFloat,
    #[error("ERR timeout is negative")]
    TimeoutNegative,
    #[error("ERR timeout is out of range")]
    TimeoutOutOfRange,
    #[error("ERR DB index is out of range")]
    DbOutOfRange,
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(String),
    /// Any other error, with its code.
    #[error("{0}")]
    Other(Cow<'static, str>),
    /// An error that quotes bytes of the request, with its code.
    #[error("{}", String::from_utf8_lossy(.0))]
    Bytes(Vec<u8>),
}

impl CommandError {
    /// Returns an error with a fixed text that begins with its code.
    pub(crate) const fn text(text: &'static str) -> CommandError {
        CommandError::Other(Cow::Borrowed(text))
    }

    /// Returns an error that quotes bytes of the request up to the first NUL: Redis' error texts are C
    /// strings.
    pub(crate) fn quoting(before: &str, quoted: &[u8], after: &str) -> CommandError {
        let end = memchr::memchr(0, quoted).unwrap_or(quoted.len());
        CommandError::Bytes([before.as_bytes(), &quoted[..end], after.as_bytes()].concat())
    }

    /// Returns the reply as text, for the log and other errors.
    pub(crate) fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.to_bytes()).into_owned()
    }

    /// Returns the bytes of the reply, without `-` and line end.
    pub(crate) fn to_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            CommandError::Other(text) => Cow::Borrowed(text.as_bytes()),
            CommandError::Bytes(bytes) => Cow::Borrowed(bytes),
            other => Cow::Owned(other.to_string().into_bytes()),
        }
    }
}

impl From<String> for CommandError {
    fn from(text: String) -> CommandError {
        CommandError::Other(Cow::Owned(text))
    }
}

/// Parses an argument as an integer.
pub(crate) fn integer(arg: &[u8]) -> Result<i64, CommandError> {
    parse_integer(arg).ok_or(CommandError::NotAnInteger)
}

/// Parses an argument as an integer between bounds, or returns this error.
pub(crate) fn integer_within(
    arg: &[u8],
    min: i64,
    max: i64,
    error: &'static str,
) -> Result<i64, CommandError> {
    let number = parse_integer(arg).filter(|number| (min..=max).contains(number));
    number.ok_or(CommandError::text(error))
}

/// Whether an argument is this word, in any case.
#[inline]
pub(crate) fn is_word(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}
