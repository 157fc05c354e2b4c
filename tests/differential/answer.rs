//! A server's output as tokens rather than nested replies: under CLIENT REPLY an EXEC announces more
//! than follows, which no tree can represent.

use std::fmt;

/// A scalar, or the head of an aggregate with its length as the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    pub kind: u8,
    pub text: Vec<u8>,
}

impl Token {
    pub fn is_aggregate(&self) -> bool {
        matches!(self.kind, b'*' | b'~' | b'>' | b'%')
    }

    pub fn is_blob(&self) -> bool {
        matches!(self.kind, b'$' | b'=')
    }

    pub fn number(&self) -> Option<i64> {
        std::str::from_utf8(&self.text).ok()?.parse().ok()
    }
}

/// All tokens. An incomplete one at the end has the kind `?`.
pub fn tokens(mut bytes: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    while !bytes.is_empty() {
        let Some((token, rest)) = first_token(bytes) else {
            tokens.push(Token { kind: b'?', text: bytes.to_vec() });
            break;
        };
        tokens.push(token);
        bytes = rest;
    }
    tokens
}

/// The length of the first reply, once it is complete.
pub fn length_of_first(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let mut missing = 1;
    while missing > 0 {
        let (token, after) = first_token(rest)?;
        let children = token.number().unwrap_or(0).max(0);
        missing += match token.kind {
            b'%' => 2 * children - 1,
            _ if token.is_aggregate() => children - 1,
            _ => -1,
        };
        rest = after;
    }
    Some(bytes.len() - rest.len())
}

fn first_token(bytes: &[u8]) -> Option<(Token, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (kind, line) = bytes[..end].split_first()?;
    let rest = &bytes[end + 2..];
    let mut token = Token { kind: *kind, text: line.to_vec() };
    if !token.is_blob() || line == b"-1" {
        // Null differs from a bulk string with the text `-1`.
        token.kind = if token.is_blob() { b'N' } else { *kind };
        return Some((token, rest));
    }
    let length = usize::try_from(token.number()?).ok()?;
    token.text = rest.get(..length)?.to_vec();
    Some((token, rest.get(length + 2..)?))
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            b'$' if self.text.len() > 200 && !self.text.starts_with(b"id=") => {
                write!(f, "\"{}\"…{}", self.text[..1].escape_ascii(), self.text.len())
            }
            b'$' => write!(f, "\"{}\"", self.text.escape_ascii()),
            b'N' => f.write_str("(nil)"),
            kind => write!(f, "{}{}", kind as char, self.text.escape_ascii()),
        }
    }
}

pub fn show(bytes: &[u8]) -> String {
    let shown: Vec<String> = tokens(bytes).iter().map(Token::to_string).collect();
    shown.join(" ")
}
