//! Reply encoders: one method for each type of the protocol, in the client's version.

use super::double::DoubleBuffer;
use super::output::Output;
use super::output::{BULK_FRAME_BYTES, NEXT_BUFFER_BYTES};
use super::protocol::Protocol;
use bytes::Bytes;

impl Output {
    fn is_resp3(&self) -> bool {
        self.protocol() == Protocol::Resp3
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A simple string; line ends in it become spaces.
    pub fn simple(&mut self, text: &str) {
        self.raw(b"+");
        self.line(text.as_bytes());
    }

    /// An error with its code, such as `ERR no such key`; line ends in it become spaces.
    pub fn error(&mut self, text: &[u8]) {
        self.raw(b"-");
        self.line(text);
    }

    fn line(&mut self, text: &[u8]) {
        let start = self.buffer.len();
        self.raw(text);
        for byte in &mut self.buffer[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.raw(b"\r\n");
    }

    /// A line with a type and a number.
    #[inline(always)]
    fn header(&mut self, kind: u8, number: i64) {
        // The length of a short message, or a small count.
        match number {
            0..10 => self.raw(&[kind, b'0' + number as u8, b'\r', b'\n']),
            10..100 => {
                let (tens, units) = (number as u8 / 10, number as u8 % 10);
                self.raw(&[kind, b'0' + tens, b'0' + units, b'\r', b'\n']);
            }
            _ => self.long_header(kind, number),
        }
    }

    fn long_header(&mut self, kind: u8, number: i64) {
        let mut digits = itoa::Buffer::new();
        self.buffer.push(kind);
        self.raw(digits.format(number).as_bytes());
        self.raw(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, number: i64) {
        self.header(b':', number);
    }

    /// A count of things in memory, as an integer.
    #[inline]
    pub fn count(&mut self, count: usize) {
        // No allocation exceeds isize::MAX bytes, so no count exceeds i64.
        self.integer(count as i64);
    }

    /// 1 or 0.
    pub fn flag(&mut self, yes: bool) {
        self.raw(if yes { b":1\r\n" } else { b":0\r\n" });
    }

    /// A bulk string: any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        let needed = bytes.len() + BULK_FRAME_BYTES;
        if self.buffer.capacity() - self.buffer.len() < needed {
            return self.bulk_in_next(bytes);
        }
        // Also tells the compiler that the capacity suffices.
        self.buffer.reserve(needed);
        self.header(b'$', bytes.len() as i64);
        self.raw(bytes);
        self.raw(b"\r\n");
    }

    /// As `bulk`, if the buffer lacks capacity. A large message gets no buffer, which would grow for the
    /// following bytes.
    #[cold]
    fn bulk_in_next(&mut self, bytes: &[u8]) {
        if bytes.len() > NEXT_BUFFER_BYTES {
            return self.bulk_shared(Bytes::copy_from_slice(bytes));
        }
        self.begin_next();
        self.buffer.reserve(bytes.len() + BULK_FRAME_BYTES);
        self.header(b'$', bytes.len() as i64);
        self.raw(bytes);
        self.raw(b"\r\n");
    }

    /// As `bulk`, without a copy.
    pub fn bulk_shared(&mut self, bytes: Bytes) {
        self.header(b'$', bytes.len() as i64);
        self.share(bytes);
        self.raw(b"\r\n");
    }

    /// The null for a missing string.
    #[inline]
    pub fn null(&mut self) {
        self.raw(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// The null for a missing array.
    pub fn null_array(&mut self) {
        self.raw(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// The header of an array; its elements follow.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as i64);
    }

    /// The header of a map of `len` pairs; keys and values follow in turn. In RESP2 an array of twice
    /// the length.
    pub fn map(&mut self, len: usize) {
        if self.is_resp3() { self.header(b'%', len as i64) } else { self.array(2 * len) }
    }

    /// The header of a set. In RESP2 an array.
    pub fn set(&mut self, len: usize) {
        self.header(if self.is_resp3() { b'~' } else { b'*' }, len as i64);
    }

    /// The header of an out-of-band message. In RESP2 an array.
    pub fn push(&mut self, len: usize) {
        self.header(if self.is_resp3() { b'>' } else { b'*' }, len as i64);
    }

    /// Text for people. In RESP2 a bulk string.
    pub fn verbatim(&mut self, text: &[u8]) {
        if !self.is_resp3() {
            return self.bulk(text);
        }
        self.header(b'=', text.len() as i64 + 4);
        self.raw(b"txt:");
        self.raw(text);
        self.raw(b"\r\n");
    }

    /// A floating-point number. In RESP2 a bulk string.
    pub fn double(&mut self, number: f64) {
        let mut buffer = DoubleBuffer::default();
        let text = buffer.format(number);
        if !self.is_resp3() {
            return self.bulk(text);
        }
        self.raw(b",");
        self.raw(text);
        self.raw(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(protocol: Protocol, write: impl FnOnce(&mut Output)) -> String {
        let mut output = Output::new(protocol);
        write(&mut output);
        String::from_utf8_lossy(&output.take_all()).into_owned()
    }

    #[test]
    fn both_versions() {
        type Write = fn(&mut Output);
        let cases: &[(Write, &str, &str)] = &[
            (|o| o.ok(), "+OK\r\n", "+OK\r\n"),
            (|o| o.integer(-7), ":-7\r\n", ":-7\r\n"),
            (|o| o.bulk(b"ab"), "$2\r\nab\r\n", "$2\r\nab\r\n"),
            (|o| o.null(), "$-1\r\n", "_\r\n"),
            (|o| o.null_array(), "*-1\r\n", "_\r\n"),
            (|o| o.map(2), "*4\r\n", "%2\r\n"),
            (|o| o.push(3), "*3\r\n", ">3\r\n"),
            (|o| o.set(3), "*3\r\n", "~3\r\n"),
            (|o| o.verbatim(b"x"), "$1\r\nx\r\n", "=5\r\ntxt:x\r\n"),
            (|o| o.double(0.5), "$3\r\n0.5\r\n", ",0.5\r\n"),
        ];
        for (write, resp2, resp3) in cases {
            assert_eq!(encoded(Protocol::Resp2, write), *resp2);
            assert_eq!(encoded(Protocol::Resp3, write), *resp3);
        }
    }

    #[test]
    fn line_ends_never_enter_an_error_or_a_simple_string() {
        let error = encoded(Protocol::Resp2, |o| o.error(b"ERR a\r\n+OK"));
        assert_eq!(error, "-ERR a  +OK\r\n");
        assert_eq!(encoded(Protocol::Resp2, |o| o.simple("a\nb")), "+a b\r\n");
    }
}
