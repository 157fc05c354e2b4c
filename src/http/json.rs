//! Replies as JSON.

use crate::resp::Reply;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Writes a reply: texts as strings, or `{"base64":…}` if they are not UTF-8; maps as objects.
pub(super) fn write(out: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::Simple(bytes) | Reply::Bulk(bytes) | Reply::Verbatim(bytes) => {
            write_bytes(out, bytes);
        }
        Reply::Error(text) => {
            let (code, message) = code_and_message(text);
            out.extend_from_slice(b"{\"error\":");
            write_error(out, code, message);
            out.push(b'}');
        }
        Reply::Integer(number) => {
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
        }
        Reply::Null => out.extend_from_slice(b"null"),
        Reply::Boolean(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        // JSON has no infinities.
        Reply::Double(number) if number.is_finite() => {
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Reply::Double(number) => write_bytes(out, number.to_string().as_bytes()),
        Reply::BigNumber(digits) => write_bytes(out, digits),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            write_list(out, items.iter(), write);
        }
        Reply::Map(pairs) => {
            out.push(b'{');
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_key(out, key);
                out.push(b':');
                write(out, value);
            }
            out.push(b'}');
        }
    }
}

/// Writes an array.
pub(super) fn write_list<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Keys of an object are strings, whatever they are in a map.
fn write_key(out: &mut Vec<u8>, key: &Reply) {
    match key {
        Reply::Simple(bytes) | Reply::Bulk(bytes) | Reply::Verbatim(bytes) => {
            write_text(out, &String::from_utf8_lossy(bytes));
        }
        other => {
            let mut text = Vec::new();
            write(&mut text, other);
            write_text(out, &String::from_utf8_lossy(&text));
        }
    }
}

/// Writes bytes as a string, or as `{"base64":…}` if they are not UTF-8.
pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match str::from_utf8(bytes) {
        Ok(text) => write_text(out, text),
        Err(_) => {
            out.extend_from_slice(b"{\"base64\":\"");
            write_base64(out, bytes);
            out.extend_from_slice(b"\"}");
        }
    }
}

/// Writes bytes in base64.
pub(super) fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
}

/// Writes a string.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    // Writing to memory does not fail, and a string has no part that JSON cannot show.
    if serde_json::to_writer(&mut *out, text).is_err() {
        debug_assert!(false, "a string that is no JSON");
    }
}

/// Writes `{"code":…,"message":…}`.
pub(super) fn write_error(out: &mut Vec<u8>, code: &[u8], message: &[u8]) {
    out.extend_from_slice(b"{\"code\":");
    write_text(out, &String::from_utf8_lossy(code));
    out.extend_from_slice(b",\"message\":");
    write_text(out, &String::from_utf8_lossy(message));
    out.push(b'}');
}

/// The two parts of an error reply.
pub(super) fn code_and_message(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_reply_is_valid_json() {
        let bulk = |text: &[u8]| Reply::Bulk(text.to_vec());
        let map = Reply::Map(vec![
            (bulk(b"a\"\n"), Reply::Integer(-7)),
            (Reply::Integer(2), Reply::Array(vec![Reply::Null, Reply::Boolean(true)])),
        ]);
        let all = Reply::Array(vec![
            bulk("h\u{e9}\u{2028}".as_bytes()),
            bulk(b"\xff\x00"),
            Reply::Error(b"ERR no such key".to_vec()),
            Reply::Double(0.5),
            Reply::Double(f64::INFINITY),
            Reply::BigNumber(b"12345678901234567890123".to_vec()),
            Reply::Set(vec![]),
            map,
        ]);
        let mut out = Vec::new();
        write(&mut out, &all);
        let value: serde_json::Value = serde_json::from_slice(&out).expect("valid JSON");
        assert_eq!(value[0], "h\u{e9}\u{2028}");
        assert_eq!(value[1]["base64"], "/wA=");
        assert_eq!(value[2]["error"]["code"], "ERR");
        assert_eq!(value[2]["error"]["message"], "no such key");
        assert_eq!(value[3], 0.5);
        assert_eq!(value[4], "inf");
        assert_eq!(value[7]["a\"\n"], -7);
        assert_eq!(value[7]["2"][1], true);
    }
}
