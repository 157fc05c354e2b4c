//! The body of a request, as far as it has arrived.

use super::head::Framing;
use super::response::Status;
use memchr::memchr;

/// Space allocated for a body before it has arrived.
const RESERVED_BYTES_MAX: usize = 64 * 1024;
/// Maximum length of the line before a chunk, and of one behind the last, with its end.
const LINE_BYTES_MAX: usize = 256;
/// Maximum number of lines behind the last chunk, which nobody reads.
const TRAILERS_MAX: u32 = 32;

/// A body that arrives in parts.
#[derive(Debug)]
pub(super) struct Body {
    bytes: Vec<u8>,
    bytes_max: usize,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// This many more bytes.
    Length(usize),
    /// The line with the length of the next chunk.
    ChunkLine,
    /// This many more bytes of a chunk.
    Chunk(usize),
    /// The line end behind a chunk.
    ChunkEnd,
    /// Lines behind the last chunk, after this many.
    Trailers(u32),
    Complete,
}

/// Why a body is refused.
pub(super) type BodyError = (Status, &'static str);

impl Body {
    pub(super) fn new(framing: Framing, bytes_max: usize) -> Body {
        let (reserved, state) = match framing {
            Framing::Length(0) => (0, State::Complete),
            Framing::Length(length) => (length.min(RESERVED_BYTES_MAX), State::Length(length)),
            Framing::Chunked => (0, State::ChunkLine),
        };
        Body { bytes: Vec::with_capacity(reserved), bytes_max, state }
    }

    /// A body that has arrived.
    pub(super) fn complete(bytes: Vec<u8>) -> Body {
        Body { bytes_max: bytes.len(), bytes, state: State::Complete }
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes bytes from the beginning of `input`; returns how many. Fewer than all are taken if the body
    /// is complete, or if the rest is the beginning of a line whose end has not arrived.
    pub(super) fn take(&mut self, input: &[u8]) -> Result<usize, BodyError> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            match self.state {
                State::Complete => return Ok(used),
                State::Length(left) | State::Chunk(left) => {
                    let count = left.min(rest.len());
                    self.bytes.extend_from_slice(&rest[..count]);
                    used += count;
                    self.state = match (self.state, left - count) {
                        (State::Length(_), 0) => State::Complete,
                        (State::Length(_), left) => State::Length(left),
                        (_, 0) => State::ChunkEnd,
                        (_, left) => State::Chunk(left),
                    };
                    if count < left {
                        return Ok(used);
                    }
                }
                State::ChunkLine | State::ChunkEnd | State::Trailers(_) => {
                    let searched = &rest[..rest.len().min(LINE_BYTES_MAX)];
                    let Some(end) = memchr(b'\n', searched) else {
                        return match searched.len() == LINE_BYTES_MAX {
                            true => {
                                Err((Status::BadRequest, "a line of the chunked body is too long"))
                            }
                            false => Ok(used),
                        };
                    };
                    self.take_line(line_before(&rest[..end])?)?;
                    used += end + 1;
                }
            }
        }
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), BodyError> {
        self.state = match self.state {
            State::ChunkLine => {
                let length = chunk_length(line)?;
                if length > self.bytes_max - self.bytes.len().min(self.bytes_max) {
                    return Err((Status::BodyTooLarge, "the body exceeds http-body-bytes-max"));
                }
                if length == 0 { State::Trailers(0) } else { State::Chunk(length) }
            }
            State::ChunkEnd if line.is_empty() => State::ChunkLine,
            State::ChunkEnd => {
                return Err((Status::BadRequest, "expected a line end after a chunk"));
            }
            State::Trailers(_) if line.is_empty() => State::Complete,
            State::Trailers(count) if count < TRAILERS_MAX => State::Trailers(count + 1),
            State::Trailers(_) => return Err((Status::BadRequest, "too many trailers")),
            state => state,
        };
        Ok(())
    }
}

/// A line without its end. Only CR and LF together are one: a server in front of us may see another end in
/// one of them alone, and so another next request.
fn line_before(line_feed: &[u8]) -> Result<&[u8], BodyError> {
    let line = line_feed.strip_suffix(b"\r").filter(|line| !line.contains(&b'\r'));
    line.ok_or((Status::BadRequest, "expected lines of the chunked body that end with CR and LF"))
}

/// The number before any extension, in hexadecimal digits.
fn chunk_length(line: &[u8]) -> Result<usize, BodyError> {
    const ERROR: BodyError = (Status::BadRequest, "expected the length of a chunk, in hexadecimal");
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(ERROR);
    }
    let text = str::from_utf8(digits).map_err(|_| ERROR)?;
    usize::from_str_radix(text, 16).map_err(|_| ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the input in pieces of this size; what is not taken comes again with more.
    fn read(
        framing: Framing,
        max: usize,
        input: &[u8],
        piece: usize,
    ) -> Result<(Vec<u8>, usize), BodyError> {
        let mut body = Body::new(framing, max);
        let (mut used, mut arrived) = (0, 0);
        while !body.is_complete() && arrived < input.len() {
            arrived = (arrived + piece).min(input.len());
            used += body.take(&input[used..arrived])?;
        }
        assert!(body.is_complete(), "it ends");
        Ok((body.bytes, used))
    }

    #[test]
    fn a_body_is_the_same_however_it_is_split() {
        let chunked = b"4\r\nwiki\r\n5;x=y\r\npedia\r\n00\r\nTrailer: a\r\n\r\nGET";
        for piece in 1..chunked.len() {
            let (bytes, used) = read(Framing::Chunked, 100, chunked, piece).expect("it is a body");
            assert_eq!(bytes, b"wikipedia");
            assert_eq!(&chunked[used..], b"GET");
            let (bytes, used) =
                read(Framing::Length(3), 100, b"abcd", piece).expect("it is a body");
            assert_eq!((&bytes[..], used), (&b"abc"[..], 3));
        }
        assert_eq!(read(Framing::Length(0), 0, b"x", 1).map(|read| read.1), Ok(0));
    }

    #[test]
    fn a_broken_chunk_is_refused() {
        let broken: &[(&[u8], Status)] = &[
            (b"5\r\nabcdeX\r\n", Status::BadRequest),
            (b"-1\r\n", Status::BadRequest),
            (b"0x5\r\n", Status::BadRequest),
            (b"\r\n", Status::BadRequest),
            (b"ffffffffffffffffff\r\n", Status::BadRequest),
            (b"1\na\n0\n\n", Status::BadRequest),
            (b"1;x=\ra\r\n", Status::BadRequest),
            (b"1;x=\na\r\n", Status::BadRequest),
            (b"1\r\na\n0\r\n\r\n", Status::BadRequest),
            (b"0\r\nx: a\n\r\n", Status::BadRequest),
            (b"7\r\n", Status::BodyTooLarge),
            (b"3\r\nabc\r\n4\r\n", Status::BodyTooLarge),
        ];
        for (input, status) in broken {
            let error = read(Framing::Chunked, 6, input, input.len()).expect_err("it is refused");
            assert_eq!(error.0, *status, "{}", input.escape_ascii());
        }
        // The same in one piece and in several.
        for length in [LINE_BYTES_MAX - 2, LINE_BYTES_MAX - 1] {
            let line = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(length - 2));
            for piece in [1, 7, line.len()] {
                let mut body = Body::new(Framing::Chunked, 6);
                let (mut used, mut is_refused) = (0, false);
                for end in (piece..=line.len()).step_by(piece).chain([line.len()]) {
                    match body.take(&line.as_bytes()[used..end]) {
                        Ok(count) if !is_refused => used += count,
                        _ => is_refused = true,
                    }
                }
                assert_eq!(
                    is_refused,
                    length > LINE_BYTES_MAX - 2,
                    "{length} in pieces of {piece}"
                );
            }
        }
        let long = [b'1'; 300];
        assert!(Body::new(Framing::Chunked, 6).take(&long).is_err());
        let trailers = format!("0\r\n{}", "a: b\r\n".repeat(40));
        assert!(Body::new(Framing::Chunked, 6).take(trailers.as_bytes()).is_err());
    }
}
