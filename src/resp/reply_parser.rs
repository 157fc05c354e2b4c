//! Parses replies for a client, in both protocol versions. It continues where it stopped, however the
//! bytes are split.

use super::parse_integer;
use thiserror::Error;

/// Maximum nesting of replies. Our own have at most three levels.
const DEPTH_MAX: usize = 32;
/// Default limit on the bytes of one reply.
const REPLY_BYTES_MAX: usize = 1 << 30;
/// Limit on items allocated before they have arrived.
const RESERVED_ITEMS_MAX: usize = 1024;
/// Parsed bytes are removed from the front of the buffer once there are this many and they are half of
/// it.
const COMPACT_BYTES: usize = 64 * 1024;

/// A reply, or an out-of-band message.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A short text such as `OK`.
    Simple(Vec<u8>),
    /// An error with its code, such as `ERR no such key`.
    Error(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// Any bytes.
    Bulk(Vec<u8>),
    /// Null: any of the three nulls of both versions.
    Null,
    /// True or false.
    Boolean(bool),
    /// A floating-point number.
    Double(f64),
    /// An integer of any length, in decimal digits.
    BigNumber(Vec<u8>),
    /// Text for people, without the three letters of its format.
    Verbatim(Vec<u8>),
    /// Replies in order.
    Array(Vec<Reply>),
    /// Replies without an order.
    Set(Vec<Reply>),
    /// Keys and values.
    Map(Vec<(Reply, Reply)>),
    /// An out-of-band message, such as a published message.
    Push(Vec<Reply>),
}

impl Reply {
    /// The bytes of a text reply.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Reply::Simple(bytes) | Reply::Bulk(bytes) | Reply::Verbatim(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The bytes of a text reply, without a copy.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Reply::Simple(bytes) | Reply::Bulk(bytes) | Reply::Verbatim(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The value of an integer.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Reply::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The items of an array, a set or a push.
    pub fn items(&self) -> Option<&[Reply]> {
        match self {
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => Some(items),
            _ => None,
        }
    }
}

/// Why bytes are not a reply. Nothing after them can be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// A byte that begins no type.
    #[error("expected the first byte of a reply, got 0x{0:02x}")]
    Type(u8),
    /// An invalid number, length or boolean.
    #[error("expected a number, a length or a truth value, got '{}'", .0.escape_ascii())]
    Line(Vec<u8>),
    /// A text whose end does not match its length.
    #[error("expected a line end after a text")]
    TextEnd,
    /// Nesting is too deep.
    #[error("expected at most {DEPTH_MAX} levels of replies, got more")]
    Depth,
    /// A reply that is too long.
    #[error("expected a reply of at most {0} bytes, got more")]
    Length(usize),
}

/// Reads replies from bytes that arrive in pieces.
#[derive(Debug)]
pub struct ReplyParser {
    buffer: Vec<u8>,
    /// How many bytes of `buffer` are parsed.
    at: usize,
    /// How many bytes after `at` contain no line end.
    searched: usize,
    /// Incomplete replies, each within the one before.
    open: Vec<Open>,
    /// Parsed bytes of the current reply.
    parsed_bytes: usize,
    bytes_max: usize,
}

/// A reply with missing items.
#[derive(Debug)]
struct Open {
    kind: Kind,
    items: Vec<Reply>,
    /// Number of missing items.
    missing: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Array,
    Set,
    Map,
    Push,
    /// Metadata about the next reply. It is dropped.
    Attribute,
}

/// One line, with the text after it.
enum Part {
    Reply(Reply),
    Open(Kind, usize),
}

impl Default for ReplyParser {
    fn default() -> ReplyParser {
        ReplyParser::new(REPLY_BYTES_MAX)
    }
}

impl ReplyParser {
    /// A parser of replies of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> ReplyParser {
        ReplyParser {
            buffer: Vec::new(),
            at: 0,
            searched: 0,
            open: Vec::new(),
            parsed_bytes: 0,
            bytes_max,
        }
    }

    /// Adds bytes that have arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether it holds no part of a reply.
    pub fn is_empty(&self) -> bool {
        self.at == self.buffer.len() && self.open.is_empty()
    }

    /// Whether there is no buffer yet, so that a spare one can be used.
    pub fn is_unallocated(&self) -> bool {
        self.buffer.capacity() == 0
    }

    /// Gives an empty buffer to a parser without one, to save an allocation.
    pub fn adopt(&mut self, buffer: Vec<u8>) {
        if self.is_unallocated() {
            self.buffer = buffer;
        }
    }

    /// Takes the buffer back if it holds no part of a reply.
    pub fn release(&mut self) -> Option<Vec<u8>> {
        self.is_empty().then(|| {
            self.at = 0;
            std::mem::take(&mut self.buffer)
        })
    }

    /// The next reply if it is a text that has arrived whole, without a copy. If it is anything else,
    /// `next_reply` says what.
    pub fn next_text(&mut self) -> Option<&[u8]> {
        if !self.open.is_empty() {
            return None;
        }
        let rest = self.buffer[self.at..].strip_prefix(b"$")?;
        let line_end = memchr::memchr(b'\n', rest)? + 1;
        let line = rest[..line_end].strip_suffix(b"\r\n")?;
        let end = line_end + length(line, self.bytes_max).ok()??;
        rest.get(end..end + 2).filter(|text_end| text_end == b"\r\n")?;
        let begin = self.at + 1;
        self.advance(1 + end + 2);
        Some(&self.buffer[begin + line_end..begin + end])
    }

    /// Memory in bytes of what was not read.
    pub fn memory_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// The next whole reply, or none until more bytes arrive.
    ///
    /// # Errors
    /// The bytes are not a reply. The parser cannot be used any more.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, ReplyError> {
        loop {
            let before = self.at;
            let Some(part) = self.part()? else {
                self.compact();
                let unparsed = self.buffer.len() - self.at;
                // Waiting for the rest of a text above the limit would be useless.
                return self.check_length(unparsed).map(|()| None);
            };
            self.parsed_bytes += self.at - before;
            self.check_length(0)?;
            let closed = match part {
                Part::Reply(reply) => self.close(reply),
                Part::Open(kind, missing) => self.begin(kind, missing)?,
            };
            self.compact();
            if let Some(reply) = closed {
                self.parsed_bytes = 0;
                return Ok(Some(reply));
            }
        }
    }

    fn check_length(&self, beyond: usize) -> Result<(), ReplyError> {
        match self.parsed_bytes + beyond > self.bytes_max {
            true => Err(ReplyError::Length(self.bytes_max)),
            false => Ok(()),
        }
    }

    /// Begins a reply with several items. One without items is complete at once.
    fn begin(&mut self, kind: Kind, missing: usize) -> Result<Option<Reply>, ReplyError> {
        if missing == 0 {
            return Ok(kind.close(Vec::new()).and_then(|reply| self.close(reply)));
        }
        if self.open.len() == DEPTH_MAX {
            return Err(ReplyError::Depth);
        }
        let items = Vec::with_capacity(missing.min(RESERVED_ITEMS_MAX));
        self.open.push(Open { kind, items, missing });
        Ok(None)
    }

    /// Adds a complete reply to the one that contains it, or returns it.
    fn close(&mut self, reply: Reply) -> Option<Reply> {
        let mut whole = reply;
        loop {
            let Some(open) = self.open.last_mut() else { return Some(whole) };
            open.items.push(whole);
            open.missing -= 1;
            if open.missing > 0 {
                return None;
            }
            let Open { kind, items, .. } = self.open.pop()?;
            whole = kind.close(items)?;
        }
    }

    /// The next line and the text after it, if they have arrived.
    fn part(&mut self) -> Result<Option<Part>, ReplyError> {
        let rest = &self.buffer[self.at..];
        let Some(&first) = rest.first() else { return Ok(None) };
        if !b"+-:$!=*~>%|_#,(".contains(&first) {
            return Err(ReplyError::Type(first));
        }
        let Some(found) = memchr::memchr(b'\n', &rest[self.searched..]) else {
            self.searched = rest.len();
            return Ok(None);
        };
        let line_end = self.searched + found + 1;
        let line = &rest[1..line_end];
        let Some(line) = line.strip_suffix(b"\r\n") else { return Err(line_error(line)) };
        let (part, end) = match first {
            b'$' | b'!' | b'=' => {
                let Some(length) = length(line, self.bytes_max)? else {
                    self.advance(line_end);
                    return Ok(Some(Part::Reply(Reply::Null)));
                };
                let end = line_end + length;
                let Some(text_end) = rest.get(end..end + 2) else {
                    // The line is read again when more has arrived.
                    self.searched = line_end - 1;
                    return Ok(None);
                };
                if text_end != b"\r\n" {
                    return Err(ReplyError::TextEnd);
                }
                (Part::Reply(text(first, &rest[line_end..end])?), end + 2)
            }
            _ => (line_part(first, line, self.bytes_max)?, line_end),
        };
        self.advance(end);
        Ok(Some(part))
    }

    fn advance(&mut self, bytes: usize) {
        self.at += bytes;
        self.searched = 0;
    }

    /// Removes parsed bytes, if there are many or no others.
    fn compact(&mut self) {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            // One long reply must not keep its memory.
            self.buffer.shrink_to(COMPACT_BYTES);
            self.at = 0;
        } else if self.at >= COMPACT_BYTES && self.at * 2 >= self.buffer.len() {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
    }
}

impl Kind {
    /// The reply made of these items; `None` if it is dropped.
    fn close(self, items: Vec<Reply>) -> Option<Reply> {
        match self {
            Kind::Array => Some(Reply::Array(items)),
            Kind::Set => Some(Reply::Set(items)),
            Kind::Push => Some(Reply::Push(items)),
            Kind::Attribute => None,
            Kind::Map => {
                let mut pairs = Vec::with_capacity(items.len() / 2);
                let mut items = items.into_iter();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    pairs.push((key, value));
                }
                Some(Reply::Map(pairs))
            }
        }
    }
}

/// The value of a type that is only a line.
fn line_part(first: u8, line: &[u8], bytes_max: usize) -> Result<Part, ReplyError> {
    let items = |kind, each: usize| {
        // Each item has at least three bytes, even a null.
        let count = length(line, bytes_max / 3 / each)?;
        Ok(count.map_or(Part::Reply(Reply::Null), |count| Part::Open(kind, count * each)))
    };
    let reply = match first {
        b'*' => return items(Kind::Array, 1),
        b'~' => return items(Kind::Set, 1),
        b'>' => return items(Kind::Push, 1),
        b'%' => return items(Kind::Map, 2),
        b'|' => return items(Kind::Attribute, 2),
        b'+' => Reply::Simple(line.to_vec()),
        b'-' => Reply::Error(line.to_vec()),
        b':' => {
            let digits = line.strip_prefix(b"+").unwrap_or(line);
            Reply::Integer(parse_integer(digits).ok_or_else(|| line_error(line))?)
        }
        b'(' => Reply::BigNumber(line.to_vec()),
        b',' => {
            let number = str::from_utf8(line).ok().and_then(|text| text.parse().ok());
            Reply::Double(number.ok_or_else(|| line_error(line))?)
        }
        b'#' => match line {
            b"t" => Reply::Boolean(true),
            b"f" => Reply::Boolean(false),
            _ => return Err(line_error(line)),
        },
        _ if line.is_empty() => Reply::Null,
        _ => return Err(line_error(line)),
    };
    Ok(Part::Reply(reply))
}

/// A length or a count; `None` for the null of version 2.
fn length(line: &[u8], max: usize) -> Result<Option<usize>, ReplyError> {
    match parse_integer(line) {
        Some(-1) => Ok(None),
        Some(length) => match usize::try_from(length) {
            Ok(length) if length <= max => Ok(Some(length)),
            Ok(_) => Err(ReplyError::Length(max)),
            Err(_) => Err(line_error(line)),
        },
        None => Err(line_error(line)),
    }
}

/// The value of a type with text after its line.
fn text(first: u8, text: &[u8]) -> Result<Reply, ReplyError> {
    match first {
        b'!' => Ok(Reply::Error(text.to_vec())),
        b'=' => match text.get(3..) {
            Some([b':', text @ ..]) => Ok(Reply::Verbatim(text.to_vec())),
            _ => Err(line_error(text)),
        },
        _ => Ok(Reply::Bulk(text.to_vec())),
    }
}

/// The error shows the beginning of a line.
fn line_error(line: &[u8]) -> ReplyError {
    ReplyError::Line(line[..line.len().min(64)].to_vec())
}

#[cfg(test)]
mod tests;
