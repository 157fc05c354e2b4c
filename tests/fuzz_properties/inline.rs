//! Lines are split into words as in Redis.

use tidegate::resp::{UnbalancedQuotes, split_quoted};

pub fn check(line: &[u8]) {
    let mut words = Vec::new();
    let result = split_quoted(line, |word| words.push(word));
    match (result, reference(line)) {
        (Ok(()), Some(expected)) => assert_eq!(words, expected),
        (Err(UnbalancedQuotes), None) => {}
        (result, expected) => panic!("{result:?} with {words:?} instead of {expected:?}"),
    }
    // Any words, quoted with their odd bytes escaped, read back.
    let quoted: Vec<u8> = line.split(|&byte| byte == b' ').flat_map(quote).collect();
    let mut again = Vec::new();
    assert_eq!(split_quoted(&quoted, |word| again.push(word)), Ok(()));
    assert!(again.iter().eq(line.split(|&byte| byte == b' ')));
}

fn quote(word: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for &byte in word {
        match byte {
            b'"' | b'\\' => quoted.extend([b'\\', byte]),
            b' '..=b'~' => quoted.push(byte),
            _ => quoted.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    quoted.extend(b"\" ");
    quoted
}

/// Redis' `sdssplitargs`, step by step. A line ends at its first NUL.
fn reference(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let at = |position: usize| line.get(position).copied().unwrap_or(0);
    let is_space = |byte: u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let mut words = Vec::new();
    let mut p = 0;
    loop {
        while is_space(at(p)) {
            p += 1;
        }
        if at(p) == 0 {
            return Some(words);
        }
        let mut word = Vec::new();
        let mut quote = None;
        loop {
            let byte = at(p);
            match (quote, byte) {
                (Some(_), 0) => return None,
                (Some(b'"'), b'\\')
                    if at(p + 1) == b'x'
                        && at(p + 2).is_ascii_hexdigit()
                        && at(p + 3).is_ascii_hexdigit() =>
                {
                    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
                    word.push(digit(at(p + 2))? * 16 + digit(at(p + 3))?);
                    p += 3;
                }
                (Some(b'"'), b'\\') if at(p + 1) != 0 => {
                    p += 1;
                    word.push(match at(p) {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'a' => 7,
                        other => other,
                    });
                }
                (Some(b'\''), b'\\') if at(p + 1) == b'\'' => {
                    p += 1;
                    word.push(b'\'');
                }
                (Some(open), _) if open == byte => {
                    p += 1;
                    if at(p) != 0 && !is_space(at(p)) {
                        return None;
                    }
                    break;
                }
                (None, b' ' | b'\n' | b'\r' | b'\t' | 0) => break,
                (None, b'"' | b'\'') => quote = Some(byte),
                _ => word.push(byte),
            }
            p += 1;
        }
        words.push(word);
    }
}
