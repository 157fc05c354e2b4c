//! The request parser: resumable at any byte, without copying arguments.
//!
//! A request is an array of bulk strings (`*2\r\n$4\r\nLLEN\r\n$1\r\nq\r\n`) or a typed line. The parser
//! keeps positions in the caller's buffer. If the buffer ends in the middle of a request, the parser
//! remembers its position, so that no byte is read twice however the bytes arrive. Limits and error
//! texts are those of Redis 7.
//!
//! In a pipeline, most requests differ from the previous one only in their last argument. Those are
//! compared, not parsed.

use super::{parse_integer, split_quoted};
use std::slice;
use thiserror::Error;

/// Maximum length of a line: an inline request, or the digits of a length. As in Redis.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Limits on a client that has not authenticated, as in Redis: they keep strangers from filling the
/// memory.
const STRANGER_ARGS_MAX: i64 = 10;
const STRANGER_BULK_BYTES_MAX: i64 = 16 * 1024;

/// Capacity for this many arguments is kept between requests.
const KEPT_ARGS_MAX: usize = 1024;

/// Limits from the settings and the client's state.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum length of an argument (`proto-max-bulk-len`).
    pub bulk_bytes_max: u64,
    /// Whether the client must still authenticate.
    pub is_unauthenticated: bool,
}

impl Limits {
    /// For input from a file: no limits.
    pub const NONE: Limits = Limits { bulk_bytes_max: i64::MAX as u64, is_unauthenticated: false };
}

/// Why a byte stream is not a request. The text is Redis', without `Protocol error: `.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProtocolError {
    /// A line of more than 64 KiB.
    #[error("too big inline request")]
    InlineTooLong,
    /// A quote that is not closed, or closed within a word.
    #[error("unbalanced quotes in request")]
    UnbalancedQuotes,
    /// The line of an array's count has no end within 64 KiB.
    #[error("too big mbulk count string")]
    ArgCountTooLong,
    /// The count of an array is not a number, or above 2147483647.
    #[error("invalid multibulk length")]
    ArgCount,
    /// More than 10 arguments from a client that must authenticate.
    #[error("unauthenticated multibulk length")]
    StrangerArgCount,
    /// The line of an argument's length has no end within 64 KiB.
    #[error("too big bulk count string")]
    BulkLengthTooLong,
    /// An argument that does not begin with `$`; its first byte.
    #[error("expected '$', got '{}'", *.0 as char)]
    ExpectedBulk(u8),
    /// The length of an argument is not a number, negative, or above the limit.
    #[error("invalid bulk length")]
    BulkLength,
    /// More than 16 KiB in an argument from a client that must authenticate.
    #[error("unauthenticated bulk length")]
    StrangerBulkLength,
}

impl ProtocolError {
    /// The text as the bytes of a reply; a byte of the request is shown unchanged.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            ProtocolError::ExpectedBulk(byte) => {
                [&b"expected '$', got '"[..], &[*byte], b"'"].concat()
            }
            other => other.to_string().into_bytes(),
        }
    }
}

/// The position of an argument in its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    start: usize,
    end: usize,
}

/// A complete request: the command's name and its arguments, as slices of a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    buffer: &'a [u8],
    args: &'a [Arg],
}

impl Arg {
    pub(super) fn new(start: usize, end: usize) -> Arg {
        Arg { start, end }
    }
}

impl<'a> Request<'a> {
    /// The request whose arguments are at these places of the buffer.
    pub(super) fn new(buffer: &'a [u8], args: &'a [Arg]) -> Request<'a> {
        Request { buffer, args }
    }

    /// The number of arguments, including the command's name.
    #[expect(clippy::len_without_is_empty, reason = "a request has at least its name")]
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Argument `index`; 0 is the command's name.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let arg = self.args.get(index)?;
        Some(&self.buffer[arg.start..arg.end])
    }

    /// The command's name.
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.get(0).unwrap_or_default()
    }

    /// Whether its first word is this one, in any case.
    #[inline]
    pub fn is_named(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// The arguments from `index` on.
    #[inline]
    pub fn args_from(&self, index: usize) -> Args<'a> {
        let args = self.args.get(index..).unwrap_or_default();
        Args { buffer: self.buffer, args: args.iter() }
    }

    /// All arguments, the command's name first.
    #[inline]
    pub fn args(&self) -> Args<'a> {
        self.args_from(0)
    }

    /// A request that owns its bytes, to be run later.
    pub fn to_owned(&self) -> OwnedRequest {
        let mut buffer = Vec::with_capacity(self.args_from(0).map(<[u8]>::len).sum());
        let mut args = Vec::with_capacity(self.args.len());
        for arg in self.args_from(0) {
            let start = buffer.len();
            buffer.extend_from_slice(arg);
            args.push(Arg { start, end: buffer.len() });
        }
        OwnedRequest { buffer: buffer.into_boxed_slice(), args: args.into_boxed_slice() }
    }
}

/// Arguments of a request, in their order.
#[derive(Clone, Debug)]
pub struct Args<'a> {
    buffer: &'a [u8],
    args: slice::Iter<'a, Arg>,
}

impl<'a> Args<'a> {
    #[inline]
    fn bytes(buffer: &'a [u8], arg: &Arg) -> &'a [u8] {
        &buffer[arg.start..arg.end]
    }
}

impl<'a> Iterator for Args<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.args.next().map(|arg| Args::bytes(self.buffer, arg))
    }

    #[inline]
    fn nth(&mut self, n: usize) -> Option<&'a [u8]> {
        self.args.nth(n).map(|arg| Args::bytes(self.buffer, arg))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.args.size_hint()
    }
}

impl DoubleEndedIterator for Args<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.args.next_back().map(|arg| Args::bytes(self.buffer, arg))
    }
}

impl ExactSizeIterator for Args<'_> {}

/// A request with its own copy of the bytes.
#[derive(Clone, Debug)]
pub struct OwnedRequest {
    buffer: Box<[u8]>,
    args: Box<[Arg]>,
}

impl OwnedRequest {
    /// The request made of these arguments.
    pub fn from_args<'a>(args: impl IntoIterator<Item = &'a [u8]>) -> OwnedRequest {
        let mut buffer = Vec::new();
        let mut ranges = Vec::new();
        for arg in args {
            let start = buffer.len();
            buffer.extend_from_slice(arg);
            ranges.push(Arg { start, end: buffer.len() });
        }
        OwnedRequest { buffer: buffer.into(), args: ranges.into() }
    }

    /// The request, borrowed.
    pub fn as_request(&self) -> Request<'_> {
        Request { buffer: &self.buffer, args: &self.args }
    }

    /// Bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        self.buffer.len() + self.args.len() * size_of::<Arg>()
    }
}

/// The result of `RequestParser::parse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A complete request that ends at this position of the buffer; `request` returns it.
    Request {
        /// Where it ends.
        end: usize,
    },
    /// Nothing to run (an empty line or array) up to this position.
    Nothing {
        /// Where that ends.
        end: usize,
    },
    /// The buffer ends in the middle of a request.
    Incomplete,
}

/// Finds requests in a buffer whose first byte is the first byte of a request.
#[derive(Debug, Default)]
pub struct RequestParser {
    args: Vec<Arg>,
    /// The next byte to read.
    position: usize,
    /// Missing arguments; 0 before the request's first line was read.
    args_left: usize,
    /// The length of the next argument, once its line was read.
    bulk_length: Option<usize>,
    /// Up to here the current line has no end.
    searched: usize,
    /// Arguments of an inline request, without its quoting.
    inline: Option<OwnedRequest>,
    /// The beginning of the previous request.
    template: Template,
}

/// The bytes of a request before its last argument. In a pipeline the next request usually begins with
/// the same bytes (`RPUSH`, a queue), and then its arguments except the last have the same positions.
#[derive(Debug)]
struct Template {
    bytes: [u8; Template::BYTES_MAX],
    /// Their number; 0 if there is no template.
    len: usize,
    /// Whether the current request began with it.
    is_used: bool,
}

impl Default for Template {
    fn default() -> Template {
        Template { bytes: [0; Template::BYTES_MAX], len: 0, is_used: false }
    }
}

impl Template {
    /// Enough for a command and a key.
    const BYTES_MAX: usize = 64;

    /// Whether `buffer` begins with the template.
    #[inline]
    fn begins(&self, buffer: &[u8]) -> bool {
        self.len > 0 && buffer.get(..self.len) == Some(&self.bytes[..self.len])
    }

    fn forget(&mut self) {
        self.len = 0;
        self.is_used = false;
    }

    /// Makes the first bytes of `buffer` the template, unless there are too many.
    fn learn(&mut self, buffer: &[u8], len: usize) {
        if len <= Template::BYTES_MAX {
            self.bytes[..len].copy_from_slice(&buffer[..len]);
            self.len = len;
        }
    }
}

impl RequestParser {
    /// Looks for a complete request at the start of `buffer`.
    ///
    /// After `Incomplete`, call again with the same bytes and more; otherwise, with the bytes from `end`
    /// on.
    #[inline]
    pub fn parse(&mut self, buffer: &[u8], limits: Limits) -> Result<Parsed, ProtocolError> {
        if !limits.is_unauthenticated
            && let Some(end) = self.repeated(buffer)
        {
            return Ok(Parsed::Request { end });
        }
        self.parse_any(buffer, limits)
    }

    /// Finds a complete request at the start of `buffer` that begins like the previous one, if the
    /// length of its last argument is usual; returns its end.
    #[inline]
    fn repeated(&mut self, buffer: &[u8]) -> Option<usize> {
        let at = self.template.len;
        if self.args_left > 0 || !self.template.begins(buffer) || buffer.get(at) != Some(&b'$') {
            return None;
        }
        let (length, start) = short_number(buffer, at)?;
        let end = start + length;
        if buffer.len() < end + 2 {
            return None;
        }
        *self.args.last_mut()? = Arg { start, end };
        self.template.is_used = true;
        Some(end + 2)
    }

    fn parse_any(&mut self, buffer: &[u8], limits: Limits) -> Result<Parsed, ProtocolError> {
        if self.args_left == 0 {
            self.args.clear();
            self.inline = None;
            self.template.forget();
            match buffer.first() {
                None => return Ok(Parsed::Incomplete),
                Some(b'*') => {
                    let Some((count, end)) = self.arg_count(buffer, limits)? else {
                        return Ok(Parsed::Incomplete);
                    };
                    if count == 0 {
                        return Ok(Parsed::Nothing { end });
                    }
                    self.args_left = count;
                    self.position = end;
                }
                Some(_) => return self.parse_inline(buffer),
            }
        }
        while self.args_left > 0 {
            if self.args_left == 1 && self.template.len == 0 && self.bulk_length.is_none() {
                self.template.learn(buffer, self.position);
            }
            if !self.parse_bulk(buffer, limits)? {
                return Ok(Parsed::Incomplete);
            }
            self.args_left -= 1;
        }
        let end = std::mem::take(&mut self.position);
        Ok(Parsed::Request { end })
    }

    /// The request that `parse` just found in this `buffer`.
    pub fn request<'a>(&'a self, buffer: &'a [u8]) -> Request<'a> {
        match &self.inline {
            Some(inline) => inline.as_request(),
            None => Request { buffer, args: &self.args },
        }
    }

    /// Whether the request that `parse` just found has the same name as the previous one. False does not
    /// mean that the names differ.
    #[inline]
    pub fn repeats_name(&self) -> bool {
        // The last argument is not part of the template, and a lone one is the name.
        self.template.is_used && self.args.len() > 1
    }

    /// Whether `parse` depends on the state of this parser.
    pub fn is_partial(&self) -> bool {
        self.args_left > 0 || self.searched > 0
    }

    /// Minimum size of the buffer once the current request is complete, as far as known.
    pub fn bytes_needed(&self) -> usize {
        self.bulk_length.map_or(0, |length| self.position.saturating_add(length + 2))
    }

    /// Frees the capacity for requests with many arguments, unless one is in progress.
    pub fn release_memory(&mut self) {
        if !self.is_partial() && self.args.capacity() > KEPT_ARGS_MAX {
            *self = RequestParser::default();
        }
    }

    /// Bytes of memory for a request in progress.
    pub fn memory_bytes(&self) -> usize {
        self.args.capacity() * size_of::<Arg>()
    }

    fn arg_count(
        &mut self,
        buffer: &[u8],
        limits: Limits,
    ) -> Result<Option<(usize, usize)>, ProtocolError> {
        if let Some(count_and_end) = short_number(buffer, 0)
            && !limits.is_unauthenticated
        {
            self.searched = 0;
            return Ok(Some(count_and_end));
        }
        let Some((line, end)) = self.line_at(buffer, 0, ProtocolError::ArgCountTooLong)? else {
            return Ok(None);
        };
        match parse_integer(&line[1..]) {
            Some(count) if count > i64::from(i32::MAX) => Err(ProtocolError::ArgCount),
            Some(count) if count > STRANGER_ARGS_MAX && limits.is_unauthenticated => {
                Err(ProtocolError::StrangerArgCount)
            }
            // Bounded by i32::MAX; a negative count means no elements, as in Redis.
            Some(count) => Ok(Some((count.max(0) as usize, end))),
            None => Err(ProtocolError::ArgCount),
        }
    }

    /// Reads one argument at `position`; false if it is incomplete.
    #[inline]
    fn parse_bulk(&mut self, buffer: &[u8], limits: Limits) -> Result<bool, ProtocolError> {
        let length = match self.bulk_length {
            Some(length) => length,
            None => match self.bulk_header(buffer, limits)? {
                Some((length, end)) => {
                    self.position = end;
                    length
                }
                None => return Ok(false),
            },
        };
        // The two bytes after an argument are not checked, as in Redis.
        let data_end = self.position + length;
        if buffer.len() < data_end + 2 {
            self.bulk_length = Some(length);
            return Ok(false);
        }
        self.args.push(Arg { start: self.position, end: data_end });
        self.position = data_end + 2;
        self.bulk_length = None;
        Ok(true)
    }

    /// Reads the line with an argument's length at `position`; returns the length, and where the bytes
    /// begin.
    #[inline]
    fn bulk_header(
        &mut self,
        buffer: &[u8],
        limits: Limits,
    ) -> Result<Option<(usize, usize)>, ProtocolError> {
        if buffer.get(self.position) == Some(&b'$')
            && let Some(length_and_end) = short_number(buffer, self.position)
        {
            self.searched = 0;
            return Ok(Some(length_and_end));
        }
        let line = self.line_at(buffer, self.position, ProtocolError::BulkLengthTooLong)?;
        let Some((line, end)) = line else { return Ok(None) };
        Ok(Some((bulk_length(line, limits)?, end)))
    }

    fn parse_inline(&mut self, buffer: &[u8]) -> Result<Parsed, ProtocolError> {
        let from = std::mem::take(&mut self.searched).min(buffer.len());
        let Some(newline) = memchr::memchr(b'\n', &buffer[from..]) else {
            if buffer.len() > LINE_BYTES_MAX {
                return Err(ProtocolError::InlineTooLong);
            }
            self.searched = buffer.len();
            return Ok(Parsed::Incomplete);
        };
        let newline = from + newline;
        // Even when it came in one piece: a limit must not depend on how the network splits the bytes.
        if newline > LINE_BYTES_MAX {
            return Err(ProtocolError::InlineTooLong);
        }
        let line = &buffer[..newline];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let end = newline + 1;
        let mut words = Vec::new();
        split_quoted(line, |word| words.push(word)).map_err(|_| ProtocolError::UnbalancedQuotes)?;
        if words.is_empty() {
            return Ok(Parsed::Nothing { end });
        }
        self.inline = Some(OwnedRequest::from_args(words.iter().map(Vec::as_slice)));
        Ok(Parsed::Request { end })
    }

    /// The line at `at` without its end, and where the next begins; `None` if it is incomplete.
    #[inline(never)]
    fn line_at<'a>(
        &mut self,
        buffer: &'a [u8],
        at: usize,
        too_long: ProtocolError,
    ) -> Result<Option<(&'a [u8], usize)>, ProtocolError> {
        let from = std::mem::take(&mut self.searched).max(at).min(buffer.len());
        let rest = &buffer[from..];
        let Some(found) = memchr::memchr(b'\r', rest) else {
            if buffer.len() - at > LINE_BYTES_MAX {
                return Err(too_long);
            }
            self.searched = buffer.len();
            return Ok(None);
        };
        let end = from + found;
        if end - at > LINE_BYTES_MAX {
            return Err(too_long);
        }
        // The byte after the carriage return must exist; Redis does not check its value.
        Ok((buffer.len() >= end + 2).then(|| (&buffer[at..end], end + 2)))
    }
}

/// The number in the line at `at`, after its first byte, and where the next line begins. Only for one to
/// four digits without a leading zero and at least six bytes after `at`, as in nearly every line of a
/// request. No limit is lower, except on strangers' arguments.
#[inline(always)]
fn short_number(buffer: &[u8], at: usize) -> Option<(usize, usize)> {
    // With four digits, the last byte is the one after the carriage return: it must exist, and Redis
    // does not check its value.
    let bytes: &[u8; 6] = buffer.get(at + 1..)?.first_chunk()?;
    let mut number = 0;
    for (index, &byte) in bytes[..5].iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            // The digits, the carriage return and the byte after it.
            return (byte == b'\r' && index > 0).then_some((number, at + index + 3));
        }
        if index == 0 && digit == 0 {
            return None;
        }
        number = 10 * number + usize::from(digit);
    }
    None
}

fn bulk_length(line: &[u8], limits: Limits) -> Result<usize, ProtocolError> {
    let digits = match line {
        [b'$', digits @ ..] => digits,
        [other, ..] => return Err(ProtocolError::ExpectedBulk(*other)),
        [] => return Err(ProtocolError::ExpectedBulk(b'\r')),
    };
    match parse_integer(digits) {
        Some(length) if length < 0 || length as u64 > limits.bulk_bytes_max => {
            Err(ProtocolError::BulkLength)
        }
        Some(length) if length > STRANGER_BULK_BYTES_MAX && limits.is_unauthenticated => {
            Err(ProtocolError::StrangerBulkLength)
        }
        // Not negative. 64-bit systems hold every i64 length; on others the limit fails.
        Some(length) => usize::try_from(length).map_err(|_| ProtocolError::BulkLength),
        None => Err(ProtocolError::BulkLength),
    }
}

#[cfg(test)]
mod tests;
