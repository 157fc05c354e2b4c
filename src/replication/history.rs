//! The identity of a stream: whose changes they are, and up to where two streams are the same.

use std::fmt;

/// The length of an id: hexadecimal digits, as in Redis.
pub(crate) const ID_LEN: usize = 40;

/// The id of a stream: that of the primary that began it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StreamId([u8; ID_LEN]);

impl StreamId {
    /// Reads an id.
    pub(crate) fn parse(text: &[u8]) -> Option<StreamId> {
        let id: [u8; ID_LEN] = text.try_into().ok()?;
        id.iter().all(u8::is_ascii_hexdigit).then_some(StreamId(id))
    }

    /// Makes an id of random numbers.
    pub(crate) fn random(mut next: impl FnMut() -> u64) -> StreamId {
        let text: String = (0..5).map(|_| format!("{:08x}", next() as u32)).collect();
        let mut id = [b'0'; ID_LEN];
        id.iter_mut().zip(text.bytes()).for_each(|(digit, byte)| *digit = byte);
        StreamId(id)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        // It has only hexadecimal digits.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The ids under which the bytes of our stream are known.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// The id of the stream now.
    pub(crate) id: StreamId,
    /// The id of the former primary's stream, which is the same up to this offset.
    former: Option<(StreamId, u64)>,
}

impl History {
    pub(crate) fn new(id: StreamId) -> History {
        History { id, former: None }
    }

    /// Whether a replica with `offset` bytes of the stream `id` has the beginning of our stream.
    pub(crate) fn has(&self, id: &StreamId, offset: u64) -> bool {
        let is_former = |(former, until): &(StreamId, u64)| former == id && offset <= *until;
        self.id == *id || self.former.as_ref().is_some_and(is_former)
    }

    /// From this offset on the stream has an id of its own: a replica becomes a primary.
    pub(crate) fn branch(&mut self, id: StreamId, offset: u64) {
        let former = std::mem::replace(&mut self.id, id);
        self.former = Some((former, offset));
    }

    /// The former id, and the offset up to which it holds.
    pub(crate) fn former(&self) -> Option<(&StreamId, u64)> {
        self.former.as_ref().map(|(id, offset)| (id, *offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: u8) -> StreamId {
        StreamId::parse(&[digit; ID_LEN]).expect("an id")
    }

    #[test]
    fn a_former_id_holds_up_to_the_branch() {
        let mut history = History::new(id(b'a'));
        assert!(history.has(&id(b'a'), u64::MAX) && !history.has(&id(b'b'), 0));
        history.branch(id(b'b'), 100);
        for (digit, offset, expected) in
            [(b'a', 100, true), (b'a', 101, false), (b'b', 500, true), (b'c', 0, false)]
        {
            assert_eq!(history.has(&id(digit), offset), expected, "{digit} {offset}");
        }
    }

    #[test]
    fn ids_have_forty_digits() {
        assert_eq!(StreamId::parse(b"?"), None);
        assert_eq!(StreamId::parse(&[b'x'; ID_LEN]), None);
        let mut numbers = 1..;
        let random = StreamId::random(|| numbers.next().unwrap_or_default());
        assert_eq!(random.as_str(), "0000000100000002000000030000000400000005");
        assert_eq!(StreamId::parse(random.as_bytes()), Some(random));
    }
}
