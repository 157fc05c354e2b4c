//! Checks a client's output, RESP2 and RESP3, without the broker's own encoder.

/// How many bytes at the start of `bytes` are complete replies. Panics on anything else, and on RESP3
/// for a client that cannot have asked for it.
pub fn whole_replies(bytes: &[u8], may_be_resp3: bool) -> usize {
    let mut end = 0;
    while let Some(next) = reply_end(bytes, end) {
        let is_resp2 = b"+-:$*".contains(&bytes[end]);
        assert!(is_resp2 || may_be_resp3, "{:?} in RESP2", char::from(bytes[end]));
        end = next;
    }
    end
}

/// Where the reply at `start` ends; `None` if it is incomplete.
fn reply_end(bytes: &[u8], start: usize) -> Option<usize> {
    let kind = *bytes.get(start)?;
    let rest = &bytes[start + 1..];
    let length = rest.iter().position(|&byte| byte == b'\n')?;
    let line = rest[..length].strip_suffix(b"\r").expect("a line ends with CRLF");
    assert!(!line.contains(&b'\r'), "a line has one end");
    let line = String::from_utf8_lossy(line);
    let end = start + 1 + length + 1;
    match kind {
        b'+' => Some(end),
        b'-' => {
            assert!(line.starts_with(|first: char| first.is_ascii_uppercase()), "-{line}");
            Some(end)
        }
        b':' => {
            integer(&line);
            Some(end)
        }
        b'_' if line.is_empty() => Some(end),
        b'#' if line == "t" || line == "f" => Some(end),
        b',' if line.parse::<f64>().is_ok() => Some(end),
        b'(' if line.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) => Some(end),
        b'$' | b'*' if line == "-1" => Some(end),
        b'$' | b'=' => text_end(bytes, end, count(&line)),
        b'*' | b'~' | b'>' => replies_end(bytes, end, count(&line)),
        b'%' => replies_end(bytes, end, 2 * count(&line)),
        // Attributes come before their reply.
        b'|' => replies_end(bytes, end, 2 * count(&line) + 1),
        _ => panic!("no reply begins with {:?} {line:?}", char::from(kind)),
    }
}

fn integer(line: &str) -> i64 {
    let number: i64 = line.parse().unwrap_or_else(|_| panic!("{line:?} is no number"));
    assert_eq!(number.to_string(), line, "a number has one form");
    number
}

fn count(line: &str) -> usize {
    usize::try_from(integer(line)).expect("a count is not negative")
}

fn text_end(bytes: &[u8], start: usize, length: usize) -> Option<usize> {
    let end = bytes.get(start + length..start + length + 2)?;
    assert_eq!(end, b"\r\n", "a text ends with CRLF");
    Some(start + length + 2)
}

fn replies_end(bytes: &[u8], start: usize, count: usize) -> Option<usize> {
    (0..count).try_fold(start, |at, _| reply_end(bytes, at))
}
