//! Several messages in one body.

use super::head::Head;
use super::parameters::bad;
use super::response::Response;
use memchr::memchr;
use memchr::memmem;

/// Maximum length of the line that separates the parts of a multipart body (RFC 2046).
const BOUNDARY_BYTES_MAX: usize = 70;

/// The messages of a body whose type says that there are several; `None` if the body is one message.
///
/// # Errors
/// There is none, there are more than `max`, or the parts cannot be told apart.
pub(super) fn messages<'a>(
    head: &Head<'_>,
    body: &'a [u8],
    max: usize,
) -> Result<Option<Vec<&'a [u8]>>, Response> {
    let Some(content_type) = head.content_type else { return Ok(None) };
    let messages = if head.has_content_type("application/x-ndjson") {
        lines(body, max)
    } else if head.has_content_type("multipart/mixed") {
        parts(content_type, body, max)?
    } else {
        return Ok(None);
    };
    match messages.len() {
        0 => Err(bad("expected at least one message")),
        count if count > max => {
            Err(bad(&format!("expected at most {max} messages in one body (http-batch-max)")))
        }
        _ => Ok(Some(messages)),
    }
}

/// Each line that is not empty is a message. It is not parsed. There is one more than `max` at most.
fn lines(body: &[u8], max: usize) -> Vec<&[u8]> {
    let lines = body.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.trim_ascii().is_empty()).take(max + 1).collect()
}

/// The content of each part, without the headers of the part. There is one more than `max` at most.
fn parts<'a>(content_type: &[u8], body: &'a [u8], max: usize) -> Result<Vec<&'a [u8]>, Response> {
    let boundary = boundary_of(content_type).ok_or_else(|| {
        bad("expected a boundary of 1 to 70 characters in the Content-Type multipart/mixed")
    })?;
    let wrong =
        || bad("expected parts that begin with the boundary, and an end with the boundary and --");
    let delimiter = [b"--", boundary].concat();
    // What is before the first boundary is not for us.
    let mut rest = match body.strip_prefix(&delimiter[..]) {
        Some(rest) => rest,
        None => {
            let line = [b"\r\n", &delimiter[..]].concat();
            let at = memmem::find(body, &line).ok_or_else(wrong)?;
            &body[at + line.len()..]
        }
    };
    let separator = [b"\r\n", &delimiter[..]].concat();
    let finder = memmem::Finder::new(&separator);
    let mut found = Vec::new();
    while !rest.starts_with(b"--") && found.len() <= max {
        let line_end = memchr(b'\n', rest).ok_or_else(wrong)?;
        if !rest[..line_end].trim_ascii().is_empty() {
            return Err(wrong());
        }
        let content = content_of(&rest[line_end + 1..]).ok_or_else(wrong)?;
        let end = finder.find(content).ok_or_else(wrong)?;
        found.push(&content[..end]);
        rest = &content[end + separator.len()..];
    }
    Ok(found)
}

/// What is behind the headers of a part, if it has any.
fn content_of(part: &[u8]) -> Option<&[u8]> {
    if let Some(content) = part.strip_prefix(b"\r\n") {
        return Some(content);
    }
    memmem::find(part, b"\r\n\r\n").map(|at| &part[at + 4..])
}

fn boundary_of(content_type: &[u8]) -> Option<&[u8]> {
    let mut parameters = content_type.split(|byte| *byte == b';').skip(1);
    let value = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_at_checked(memchr(b'=', parameter)?)?;
        name.trim_ascii().eq_ignore_ascii_case(b"boundary").then(|| value[1..].trim_ascii())
    })?;
    let value =
        value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    (1..=BOUNDARY_BYTES_MAX).contains(&value.len()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<'a>(content_type: &str, body: &'a str) -> Result<Vec<&'a str>, Response> {
        let parts = parts(content_type.as_bytes(), body.as_bytes(), 100)?;
        Ok(parts.into_iter().map(|part| str::from_utf8(part).expect("UTF-8")).collect())
    }

    #[test]
    fn lines_are_messages() {
        assert_eq!(lines(b"{\"a\":1}\r\n\n {}\n  \nx", 9), [&b"{\"a\":1}"[..], b" {}", b"x"]);
        assert!(lines(b"\n\r\n", 9).is_empty());
    }

    #[test]
    fn parts_are_messages() {
        let of = "multipart/mixed; charset=x; boundary=\"b1\"";
        let body = "before\r\n--b1\r\nContent-Type: text/plain\r\n\r\none\r\n--b1 \r\n\r\ntwo\r\n\r\n--b1\r\n\r\n\
                    \r\n--b1--\r\nbehind";
        assert_eq!(split(of, body).expect("parts"), ["one", "two\r\n", ""]);
        assert_eq!(split("multipart/mixed;boundary=x", "--x--").expect("none"), [""; 0]);
    }

    #[test]
    fn wrong_parts_are_refused() {
        let of = "multipart/mixed; boundary=b";
        for body in [
            "",
            "no boundary",
            "--b",
            "--b\r\n",
            "--b\r\n\r\nno end",
            "--b\r\nno headers' end\r\n--b--",
            "--bx\r\n\r\na\r\n--b--",
            "\r\n--b\n--b",
        ] {
            assert!(split(of, body).is_err(), "{body:?}");
        }
        assert!(split("multipart/mixed", "--b--").is_err());
        assert!(split("multipart/mixed; boundary=", "----").is_err());
        assert!(split(&format!("multipart/mixed; boundary={}", "b".repeat(71)), "--b--").is_err());
    }
}
