//! Keys and values as they are stored: text, or the binary form of a number whose text is its shortest one.

use crate::resp::parse_integer;

/// The longest text that is stored among others. A longer one is allocated apart, since the others
/// are moved and copied with their neighbours.
pub(super) const INLINE_MAX: usize = SHORT_MAX + u8::MAX as usize + 1;

/// The longest text whose length is its head.
const SHORT_MAX: usize = 0xbf;
/// Heads of other items. A second byte with the rest of the length follows.
const LONG: u8 = 0xc0;
/// The text is allocated apart.
const OUTSIDE: u8 = 0xc1;
/// A number of one to eight bytes follows; this is added to how many.
const NUMBER: u8 = 0xc8;
/// The last of them.
const NUMBER_LAST: u8 = NUMBER + 8;
/// A number from 0 to 31 is the rest of the head.
const DIGIT: u8 = 0xe0;

/// A key or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item<'a> {
    /// The number's shortest text.
    Integer(i64),
    Text(&'a [u8]),
}

impl<'a> Item<'a> {
    /// A text of at most this many bytes may be that of an `i64`.
    pub(crate) const DIGITS_MAX: usize = 20;

    /// No text.
    pub(crate) const EMPTY: Item<'static> = Item::Text(b"");

    /// Returns a text, as a number if it is one.
    #[inline]
    pub(crate) fn of(text: &'a [u8]) -> Item<'a> {
        let may_be_number = matches!(text.first(), Some(b'0'..=b'9' | b'-'));
        if may_be_number
            && text.len() <= Item::DIGITS_MAX
            && let Some(number) = parse_integer(text)
        {
            return Item::Integer(number);
        }
        Item::Text(text)
    }

    /// Passes the text to `read`; returns its result.
    #[inline]
    pub(crate) fn with<R>(self, read: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Item::Integer(number) => read(itoa::Buffer::new().format(number).as_bytes()),
            Item::Text(text) => read(text),
        }
    }

    /// Returns the length of the text.
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.with(<[u8]>::len)
    }

    pub(crate) fn to_vec(self) -> Vec<u8> {
        self.with(<[u8]>::to_vec)
    }
}

/// An item about to be stored or looked for.
pub(super) struct Stored<'a> {
    head: [u8; 9],
    head_len: usize,
    /// The text, wherever it is stored.
    pub(super) text: &'a [u8],
    pub(super) is_outside: bool,
}

impl<'a> Stored<'a> {
    #[inline]
    pub(super) fn new(item: Item<'a>) -> Stored<'a> {
        match item {
            Item::Integer(number) => Stored::number(number),
            Item::Text(text) => Stored::of_text(text),
        }
    }

    #[inline]
    fn of_text(text: &'a [u8]) -> Stored<'a> {
        let mut head = [0; 9];
        let is_outside = text.len() > INLINE_MAX;
        let head_len = if is_outside {
            head[0] = OUTSIDE;
            1
        } else if text.len() > SHORT_MAX {
            // The rest fits, since the text is not outside.
            (head[0], head[1]) = (LONG, (text.len() - SHORT_MAX - 1) as u8);
            2
        } else {
            head[0] = text.len() as u8;
            1
        };
        Stored { head, head_len, text, is_outside }
    }

    #[inline]
    fn number(number: i64) -> Stored<'a> {
        let mut head = [0; 9];
        let head_len = if (0..32).contains(&number) {
            head[0] = DIGIT + number as u8;
            1
        } else {
            // One bit is the sign.
            let unused = if number < 0 { number.leading_ones() } else { number.leading_zeros() };
            let bytes = (72 - unused as usize) / 8;
            head[0] = NUMBER + bytes as u8;
            // The lowest byte last, where numbers differ most: see `resembles`.
            head[1..].copy_from_slice(&(number << (64 - 8 * bytes)).to_be_bytes());
            1 + bytes
        };
        Stored { head, head_len, text: b"", is_outside: false }
    }

    /// Returns what is stored among the others, in two pieces.
    #[inline]
    pub(super) fn pieces(&self) -> [&[u8]; 2] {
        [&self.head[..self.head_len], if self.is_outside { b"" } else { self.text }]
    }

    /// Returns the number of bytes stored among the others.
    #[inline]
    pub(super) fn size(&self) -> usize {
        self.head_len + if self.is_outside { 0 } else { self.text.len() }
    }

    /// Writes what is stored among the others to bytes of this size.
    #[inline]
    pub(super) fn write(&self, place: &mut [u8]) {
        let [head, text] = self.pieces();
        if let Some((first, second)) = place.split_at_mut_checked(head.len()) {
            first.copy_from_slice(head);
            second.copy_from_slice(text);
        }
    }

    /// Whether the bytes begin with what is stored among the others.
    #[inline]
    pub(super) fn is_at(&self, bytes: &[u8]) -> bool {
        let [head, text] = self.pieces();
        bytes.strip_prefix(head).is_some_and(|behind| behind.starts_with(text))
    }

    /// Returns what tells it from most other items.
    #[inline]
    pub(super) fn looks(&self) -> Looks {
        let [head, text] = self.pieces();
        match (text, head) {
            ([.., a, b], _) | ([b], [.., a]) | ([], [.., a, b]) => Looks::Ending([*a, *b]),
            _ => Looks::One(self.head[0]),
        }
    }
}

/// What an item looks like. Comparing this first saves most comparisons.
#[derive(Clone, Copy, Debug)]
pub(super) enum Looks {
    /// The last bytes of what is stored among the others.
    Ending([u8; 2]),
    /// The only one.
    One(u8),
}

impl Looks {
    /// Whether the item may be the one between these positions. It may be another one.
    #[inline]
    pub(super) fn are_at(self, bytes: &[u8], start: usize, end: usize) -> bool {
        match self {
            Looks::Ending(ending) => bytes[..end].last_chunk() == Some(&ending),
            Looks::One(byte) => bytes[start] == byte,
        }
    }
}

/// Returns the size of the item that begins at a byte, and whether its text is outside.
#[inline]
pub(super) fn measure(bytes: &[u8], at: usize) -> (usize, bool) {
    let head = bytes[at];
    match head {
        0..LONG => (1 + usize::from(head), false),
        LONG => (2 + SHORT_MAX + 1 + usize::from(bytes[at + 1]), false),
        OUTSIDE => (1, true),
        NUMBER..=NUMBER_LAST => (1 + usize::from(head - NUMBER), false),
        _ => (1, false),
    }
}

/// Returns the size of the item that begins at a byte.
#[inline]
pub(super) fn size_at(bytes: &[u8], at: usize) -> usize {
    let head = bytes[at];
    // Nearly all are short.
    if head < LONG { 1 + usize::from(head) } else { measure(bytes, at).0 }
}

/// Returns the item in these bytes, which are all that is stored of it; `None` if it is outside.
#[inline]
pub(super) fn read(stored: &[u8]) -> Option<Item<'_>> {
    let (head, rest) = stored.split_first()?;
    Some(match *head {
        0..LONG => Item::Text(rest),
        LONG => Item::Text(rest.get(1..)?),
        OUTSIDE => return None,
        DIGIT.. => Item::Integer((head - DIGIT).into()),
        _ => {
            // The number at the upper end: shifting it down fills in the sign.
            let mut wide = [0; 8];
            wide.get_mut(..rest.len())?.copy_from_slice(rest);
            Item::Integer(i64::from_be_bytes(wide) >> (64 - 8 * rest.len()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(item: Item<'_>) -> Vec<u8> {
        Stored::new(item).pieces().concat()
    }

    #[test]
    fn items_are_read_as_they_were_stored() {
        let numbers = (0..64).flat_map(|bit| {
            let power = 1_i64 << bit;
            [power, power.wrapping_sub(1), power.wrapping_neg(), power.wrapping_add(1)]
        });
        for number in numbers {
            let bytes = stored(Item::Integer(number));
            assert_eq!(read(&bytes), Some(Item::Integer(number)));
            assert_eq!(measure(&bytes, 0), (bytes.len(), false), "{number}");
        }
        for length in [0, 1, 190, 191, 192, 193, 446, INLINE_MAX] {
            let text = vec![b'x'; length];
            let bytes = stored(Item::Text(&text));
            assert_eq!(read(&bytes), Some(Item::Text(&text)));
            assert_eq!(measure(&bytes, 0), (bytes.len(), false), "{length}");
        }
        let text = [b'x'; INLINE_MAX + 1];
        assert_eq!(stored(Item::Text(&text)), [OUTSIDE]);
        assert_eq!((read(&[OUTSIDE]), measure(&[OUTSIDE], 0)), (None, (1, true)));
    }

    #[test]
    fn an_item_looks_like_itself() {
        let text = [b'x'; 300];
        let texts = [0, 1, 2, 3, 191, 192, 300].map(|length| Item::Text(&text[..length]));
        let numbers = [0, 31, 32, -1, 70_000, 70_001, i64::MIN].map(Item::Integer);
        for item in texts.into_iter().chain(numbers) {
            let bytes = [&b"before"[..], &stored(item), b"behind"].concat();
            let (start, end) = (6, bytes.len() - 6);
            assert!(Stored::new(item).looks().are_at(&bytes, start, end), "{item:?}");
            assert!(Stored::new(item).looks().are_at(&bytes[6..], 0, end - 6), "{item:?}");
        }
        let bytes = stored(Item::Text(b"field41"));
        for other in [Item::Text(b"field42"), Item::Integer(41), Item::EMPTY] {
            assert!(!Stored::new(other).looks().are_at(&bytes, 0, bytes.len()), "{other:?}");
        }
    }

    #[test]
    fn only_the_shortest_text_is_a_number() {
        for (text, size) in [
            ("0", 1),
            ("31", 1),
            ("32", 2),
            ("-1", 2),
            ("-128", 2),
            ("128", 3),
            ("65535", 4),
            ("9223372036854775807", 9),
            ("-9223372036854775808", 9),
        ] {
            let item = Item::of(text.as_bytes());
            assert!(matches!(item, Item::Integer(_)), "{text}");
            assert_eq!((item.to_vec(), item.len()), (text.into(), text.len()));
            assert_eq!(stored(item).len(), size, "{text}");
        }
        for text in ["", "-", "-0", "01", "+1", " 1", "1 ", "9223372036854775808", "a"] {
            assert_eq!(Item::of(text.as_bytes()), Item::Text(text.as_bytes()));
        }
    }
}
