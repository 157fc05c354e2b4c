//! Additional support for clients of the Redis protocol: typed requests, and replies read in place.

use super::client::Push;
use super::tally::Message;
/// The arguments of a request without spaces in them.
pub fn words(request: &str) -> Vec<&[u8]> {
    request.split(' ').map(str::as_bytes).collect()
}

/// Reads from the front of the received bytes; each method returns `None` if they end too early.
pub struct Replies<'a> {
    incoming: &'a [u8],
    at: usize,
}

impl<'a> Replies<'a> {
    pub fn of(incoming: &'a [u8]) -> Replies<'a> {
        Replies { incoming, at: 0 }
    }

    /// Bytes read so far.
    pub fn read(&self) -> usize {
        self.at
    }

    pub fn integer(&mut self) -> Option<usize> {
        self.number(b':')
    }

    /// The number of elements that follow.
    pub fn array(&mut self) -> Option<usize> {
        self.number(b'*')
    }

    /// Checks that an array of this length begins.
    pub fn array_of(&mut self, expected: usize) -> Option<()> {
        let length = self.array()?;
        assert_eq!(length, expected, "elements");
        Some(())
    }

    pub fn bulk(&mut self) -> Option<&'a [u8]> {
        let length = self.number(b'$')?;
        let bulk = self.incoming.get(self.at..self.at + length)?;
        self.incoming.get(self.at + length..self.at + length + 2)?;
        self.at += length + 2;
        Some(bulk)
    }

    fn number(&mut self, kind: u8) -> Option<usize> {
        let rest = &self.incoming[self.at..];
        let line = &rest[..memchr::memchr(b'\n', rest)?];
        let text = std::str::from_utf8(line).expect("a line of text").trim_end();
        assert_eq!(line[0], kind, "another reply than was expected: {text}");
        self.at += line.len() + 1;
        Some(text[1..].parse().unwrap_or_else(|_| panic!("not a number: {text}")))
    }
}

/// Pushes messages with a command whose last argument is the message.
pub struct RespPush {
    /// The encoded command up to the bytes of the message.
    pub head: &'static [u8],
    /// Reads the reply to one message.
    pub confirmation: fn(&mut Replies<'_>) -> Option<()>,
}

impl Push for RespPush {
    fn push(&mut self, message: &Message, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head);
        out.extend_from_slice(message);
        out.extend_from_slice(b"\r\n");
    }

    fn confirmation(&mut self, incoming: &[u8]) -> Option<(usize, usize)> {
        let mut replies = Replies::of(incoming);
        (self.confirmation)(&mut replies)?;
        Some((replies.read(), 1))
    }
}
