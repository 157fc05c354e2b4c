//! Typed lines: words, quoted if they contain spaces or odd bytes.

use crate::quotes::read_quoted;
use thiserror::Error;

/// A quote was not closed, or not followed by a space.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("unbalanced quotes")]
pub struct UnbalancedQuotes;

/// Splits a line into words and passes each to `word`.
///
/// Quoted text is read by `read_quoted`. A closing quote must be followed by a space or the end, as in
/// Redis.
pub fn split_quoted(line: &[u8], mut word: impl FnMut(Vec<u8>)) -> Result<(), UnbalancedQuotes> {
    // In Redis, C string functions end a line at a NUL.
    let mut rest = memchr::memchr(0, line).map_or(line, |end| &line[..end]);
    loop {
        rest = skip_spaces(rest);
        if rest.is_empty() {
            return Ok(());
        }
        let mut current = Vec::new();
        rest = read_word(rest, &mut current)?;
        word(current);
    }
}

fn skip_spaces(line: &[u8]) -> &[u8] {
    let spaces = line.iter().take_while(|&&byte| is_space(byte)).count();
    &line[spaces..]
}

/// As C's `isspace`, which includes the vertical tab.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// Reads one word from the start of `rest`; returns what follows it.
fn read_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        match rest {
            // In Redis, vertical tabs and form feeds count as space between words, but not within one.
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok(rest),
            [quote @ (b'"' | b'\''), tail @ ..] => {
                return closed(read_quoted(*quote, tail, word).ok_or(UnbalancedQuotes)?);
            }
            [byte, tail @ ..] => {
                word.push(*byte);
                rest = tail;
            }
        }
    }
}

/// A closing quote must be followed by a space or the end.
fn closed(rest: &[u8]) -> Result<&[u8], UnbalancedQuotes> {
    match rest {
        [byte, ..] if !is_space(*byte) => Err(UnbalancedQuotes),
        _ => Ok(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
        let mut words = Vec::new();
        split_quoted(line.as_bytes(), |word| words.push(word)).map(|()| words)
    }

    #[test]
    fn words_and_quotes() {
        assert_eq!(words("  a  bc ").unwrap(), [b"a".to_vec(), b"bc".to_vec()]);
        assert_eq!(words(r#""a b" 'c "d' e"f""#).unwrap(), [&b"a b"[..], b"c \"d", b"ef"]);
        assert_eq!(words(r#""\x41\n\q" '\''"#).unwrap(), [&b"A\nq"[..], b"'"]);
        assert_eq!(words(r#""""#).unwrap(), [b""]);
        assert!(words("").unwrap().is_empty());
        for bad in [r#""a"#, "'a", r#""a"b"#, r#"'a'b"#, r#""a\"#] {
            assert_eq!(words(bad), Err(UnbalancedQuotes), "{bad}");
        }
    }

    #[test]
    fn odd_spaces_part_words_only_beside_another_space() {
        assert_eq!(words("\x0b\x0ca\x0b\x0cb \x0bc").unwrap(), [&b"a\x0b\x0cb"[..], b"c"]);
        assert_eq!(words("'a'\x0bb").unwrap(), [b"a", b"b"]);
    }

    #[test]
    fn a_line_ends_at_its_first_nul() {
        assert_eq!(words("a b\0c").unwrap(), [b"a", b"b"]);
        assert_eq!(words("'a'\0'").unwrap(), [b"a"]);
        assert_eq!(words("'a\0'"), Err(UnbalancedQuotes));
        assert!(words("\0a").unwrap().is_empty());
    }
}
