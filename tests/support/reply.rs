//! A RESP2 and RESP3 reader for server output, separate from the broker, so that its encoder does not
//! judge itself.

use std::fmt;

#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    NilBulk,
    NilArray,
    Null,
    Boolean(bool),
    Double(String),
    BigNumber(String),
    Verbatim(Vec<u8>),
    Array(Vec<Reply>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
}

/// Takes one whole reply off the front of `bytes`, or nothing while it is incomplete.
pub fn take_reply(bytes: &mut Vec<u8>) -> Option<Reply> {
    let mut reader = Reader { bytes, at: 0 };
    let reply = reader.reply()?;
    let end = reader.at;
    bytes.drain(..end);
    Some(reply)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn reply(&mut self) -> Option<Reply> {
        let kind = *self.bytes.get(self.at)?;
        self.at += 1;
        let line = self.line()?;
        let text = || String::from_utf8_lossy(&line).into_owned();
        let number =
            || -> i64 { text().parse().unwrap_or_else(|_| panic!("not a number: {}", text())) };
        Some(match kind {
            b'+' => Reply::Simple(line),
            b'-' => Reply::Error(line),
            b':' => Reply::Integer(number()),
            b'_' => Reply::Null,
            b'#' => Reply::Boolean(text() == "t"),
            b',' => Reply::Double(text()),
            b'(' => Reply::BigNumber(text()),
            b'$' if number() == -1 => Reply::NilBulk,
            b'*' if number() == -1 => Reply::NilArray,
            b'$' => Reply::Bulk(self.blob(number())?),
            b'=' => Reply::Verbatim(self.blob(number())?),
            b'*' => Reply::Array(self.replies(number())?),
            b'~' => Reply::Set(self.replies(number())?),
            b'>' => Reply::Push(self.replies(number())?),
            b'%' => {
                let mut flat = self.replies(2 * number())?.into_iter();
                let mut pairs = Vec::new();
                while let (Some(key), Some(value)) = (flat.next(), flat.next()) {
                    pairs.push((key, value));
                }
                Reply::Map(pairs)
            }
            other => panic!("no reply begins with {:?}: {}", other as char, text()),
        })
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let rest = &self.bytes[self.at..];
        let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
        self.at += length + 2;
        Some(rest[..length].to_vec())
    }

    fn blob(&mut self, length: i64) -> Option<Vec<u8>> {
        let length = usize::try_from(length).expect("a length");
        let blob = self.bytes.get(self.at..self.at + length + 2)?;
        assert_eq!(&blob[length..], b"\r\n", "a bulk string ends with CRLF");
        self.at += length + 2;
        Some(blob[..length].to_vec())
    }

    fn replies(&mut self, count: i64) -> Option<Vec<Reply>> {
        (0..count).map(|_| self.reply()).collect()
    }
}

/// In the notation of the transcripts, for comparison with the expected reply.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(text) => write!(f, "+{}", text.escape_ascii()),
            Reply::Error(text) => write!(f, "-{}", text.escape_ascii()),
            Reply::Integer(number) => write!(f, "{number}"),
            Reply::Bulk(text) => write!(f, "\"{}\"", text.escape_ascii()),
            Reply::NilBulk => f.write_str("(nil)"),
            Reply::NilArray => f.write_str("(nil array)"),
            Reply::Null => f.write_str("(null)"),
            Reply::Boolean(value) => write!(f, "({value})"),
            Reply::Double(text) => write!(f, "(double {text})"),
            Reply::BigNumber(text) => write!(f, "(big {text})"),
            Reply::Verbatim(text) => write!(f, "(verbatim \"{}\")", text.escape_ascii()),
            Reply::Array(items) => write_items(f, "[", items),
            Reply::Set(items) => write_items(f, "~[", items),
            Reply::Push(items) => write_items(f, ">[", items),
            Reply::Map(pairs) => {
                f.write_str("{")?;
                for (i, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

fn write_items(f: &mut fmt::Formatter<'_>, open: &str, items: &[Reply]) -> fmt::Result {
    f.write_str(open)?;
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
    }
    f.write_str("]")
}
