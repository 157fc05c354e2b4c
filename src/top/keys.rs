//! Keys from the bytes that a terminal sends.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character, also a space.
    Char(char),
    /// A letter with Ctrl, in lower case.
    Ctrl(char),
    Enter,
    Escape,
    Backspace,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// Bytes of one key at most; longer sequences are none that we know.
const SEQUENCE_BYTES_MAX: usize = 16;

/// Finds keys in bytes, which may end within one.
#[derive(Debug, Default)]
pub struct Keys {
    pending: Vec<u8>,
}

impl Keys {
    /// The keys in the bytes that have arrived. What is no key is left out.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.pending);
        let mut rest = bytes.as_slice();
        let mut keys = Vec::new();
        while !rest.is_empty() {
            match next(rest) {
                Some((key, length)) => {
                    keys.extend(key);
                    rest = &rest[length..];
                }
                None if rest.len() < SEQUENCE_BYTES_MAX => {
                    self.pending = rest.to_vec();
                    break;
                }
                None => rest = &rest[1..],
            }
        }
        keys
    }
}

/// The first key, if it is one, and its length; `None` if more bytes are needed.
fn next(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let (first, rest) = bytes.split_first()?;
    let key = match *first {
        b'\r' | b'\n' => Key::Enter,
        0x7f | 0x08 => Key::Backspace,
        0x1b => return escape(rest),
        byte @ 1..=26 => Key::Ctrl(char::from(b'a' + byte - 1)),
        byte @ 0x20..0x7f => Key::Char(char::from(byte)),
        0x80.. => return wide(bytes),
        _ => return Some((None, 1)),
    };
    Some((Some(key), 1))
}

/// What follows an escape. Alone it is the key itself: a terminal sends a sequence at once.
fn escape(rest: &[u8]) -> Option<(Option<Key>, usize)> {
    match rest {
        [] => Some((Some(Key::Escape), 1)),
        [b'[' | b'O', sequence @ ..] => {
            let end = sequence.iter().position(|byte| (0x40..0x7f).contains(byte))?;
            let key = match &sequence[..=end] {
                b"A" => Some(Key::Up),
                b"B" => Some(Key::Down),
                b"H" | b"1~" | b"7~" => Some(Key::Home),
                b"F" | b"4~" | b"8~" => Some(Key::End),
                b"5~" => Some(Key::PageUp),
                b"6~" => Some(Key::PageDown),
                _ => None,
            };
            Some((key, end + 3))
        }
        _ => Some((Some(Key::Escape), 1)),
    }
}

/// A character of several bytes.
fn wide(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let chunk = bytes.utf8_chunks().next()?;
    match chunk.valid().chars().next() {
        Some(c) => Some((Some(Key::Char(c)).filter(|_| !c.is_control()), c.len_utf8())),
        // The beginning of a character, or no character.
        None if bytes.len() < 4 && chunk.invalid().len() == bytes.len() && bytes[0] >= 0xc2 => None,
        None => Some((None, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_however_the_bytes_are_split() {
        let bytes = "q\u{3}日\x1b[A\x1b[5~\x1bOH\x1b[1;5Cä\r\x7f ".as_bytes();
        let expected = [
            Key::Char('q'),
            Key::Ctrl('c'),
            Key::Char('日'),
            Key::Up,
            Key::PageUp,
            Key::Home,
            Key::Char('ä'),
            Key::Enter,
            Key::Backspace,
            Key::Char(' '),
        ];
        assert_eq!(Keys::default().read(bytes), expected);
        for at in 0..bytes.len() {
            // An escape alone is a key.
            if at > 0 && bytes[at - 1] == 0x1b {
                continue;
            }
            let mut keys = Keys::default();
            let found = [keys.read(&bytes[..at]), keys.read(&bytes[at..])].concat();
            assert_eq!(found, expected, "{at}");
        }
    }

    #[test]
    fn any_bytes_come_to_an_end() {
        let mut keys = Keys::default();
        assert_eq!(keys.read(b"\x1b"), [Key::Escape]);
        assert_eq!(keys.read(b"\x1bx"), [Key::Escape, Key::Char('x')]);
        assert_eq!(keys.read(b"\xff\xc2"), []);
        assert_eq!(keys.read(b"\xffq"), [Key::Char('q')]);
        // A sequence that never ends.
        let found = keys.read(&[&b"\x1b["[..], &[b'1'; 40], b"q"].concat());
        assert!(found.len() < 45, "{found:?}");
        assert!(keys.pending.len() < SEQUENCE_BYTES_MAX);
    }
}
