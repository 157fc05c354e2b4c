//! The syntax of words: spaces between them, quotes, escapes. And back.

use crate::quotes::read_quoted;

/// The error for bytes that are not text.
pub(super) const NOT_TEXT: &str = "this is not UTF-8 text";

/// Splits a text into words: "…" with escapes, '…' with only `\'`, or up to the next space. `None` if a
/// quote is not closed or not followed by a space.
pub(super) fn split(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(words);
        }
        let (word, after) = next_word(rest)?;
        words.push(word);
        rest = after;
    }
}

/// Like [`split`], for text. Escaped bytes that are not valid UTF-8 become the replacement character.
pub(super) fn split_words(line: &str) -> Option<Vec<String>> {
    let words = split(line.as_bytes())?.into_iter();
    Some(words.map(|word| String::from_utf8_lossy(&word).into_owned()).collect())
}

/// The first word of a text that does not begin with a space, and the rest.
fn next_word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut rest = text;
    loop {
        match rest {
            [] => return Some((word, rest)),
            [byte, ..] if byte.is_ascii_whitespace() => return Some((word, rest)),
            [quote @ (b'"' | b'\''), after @ ..] => {
                rest = read_quoted(*quote, after, &mut word)?;
                if rest.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                    return None;
                }
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

/// A text in double quotes, so that [`split`] reads it back.
pub(super) fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// Any bytes in double quotes, as text that [`split`] reads back.
pub(super) fn quote_bytes(bytes: &[u8]) -> String {
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for chunk in bytes.utf8_chunks() {
        quote_chars(chunk.valid(), &mut quoted);
        chunk.invalid().iter().for_each(|byte| quoted.push_str(&format!("\\x{byte:02x}")));
    }
    quoted.push('"');
    quoted
}

fn quote_chars(text: &str, quoted: &mut String) {
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{7}' => quoted.push_str("\\a"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            // Escaped: otherwise it would be taken for bytes that were not text.
            char::REPLACEMENT_CHARACTER => quoted.push_str("\\xef\\xbf\\xbd"),
            c => quoted.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        split_words(line)
    }

    fn list(items: &[&str]) -> Option<Vec<String>> {
        Some(items.iter().map(|i| (*i).to_owned()).collect())
    }

    #[test]
    fn words_are_split_at_spaces_and_quotes() {
        assert_eq!(words("  a\tb  c "), list(&["a", "b", "c"]));
        assert_eq!(words(r#"a "b c" ''"#), list(&["a", "b c", ""]));
        assert_eq!(words(r#""\n\r\t\b\a\\\"\x41\xe9\q""#).map(|w| w.len()), Some(1));
        assert_eq!(words(r#""\x41\x0a\"\\""#), list(&["A\n\"\\"]));
        assert_eq!(words(r"'it\'s \n'"), list(&[r"it's \n"]));
        assert_eq!(words(r#"x"y""#), list(&["xy"]));
    }

    #[test]
    fn a_quote_must_close_and_end_the_word() {
        for line in [r#"port "a"#, "port 'a", r#""a"b"#, r#""a\"#, "'a'b"] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    #[test]
    fn a_quoted_text_reads_back() {
        for text in ["", "a b", "\"\\'", "\n\r\t\u{8}\u{7}\u{1}\u{7f}", "é", "\u{fffd}"] {
            assert_eq!(words(&quote(text)), list(&[text]), "{text:?}");
        }
        let bytes = b"\xe9 \xff\"".to_vec();
        assert_eq!(split(quote_bytes(&bytes).as_bytes()), Some(vec![bytes]));
    }
}
