//! The head of a request: its first line and headers.

use super::response::Status;
use super::target::Target;
use crate::settings::HttpSettings;
use memchr::memchr_iter;
use std::mem::MaybeUninit;

/// Maximum number of headers that the parser has space for; `http-headers-max` is not more.
const HEADERS_MAX: usize = 256;

/// What is asked with a request, as far as we know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    fn of(name: &str) -> Option<Method> {
        Some(match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            "OPTIONS" => Method::Options,
            _ => return None,
        })
    }
}

/// How the length of the body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// This many bytes follow.
    Length(usize),
    /// Chunks follow, each with its length.
    Chunked,
}

/// A head, in the bytes of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub method: Method,
    pub target: Target<'a>,
    pub framing: Framing,
    /// Whether it is HTTP/1.1; otherwise HTTP/1.0.
    pub is_1_1: bool,
    /// Whether more requests may follow on the connection.
    pub is_keep_alive: bool,
    /// Whether the client waits for a permission to send the body.
    pub expects_continue: bool,
    pub accept: Option<&'a [u8]>,
    pub authorization: Option<&'a [u8]>,
    pub content_type: Option<&'a [u8]>,
    pub host: Option<&'a [u8]>,
    pub idempotency_key: Option<&'a [u8]>,
    pub origin: Option<&'a [u8]>,
    /// `Sec-Fetch-Site`: where the page that caused the request comes from, as the browser sees it.
    pub fetch_site: Option<&'a [u8]>,
    /// Whether a browser asks only because the answer may soon be of use.
    pub is_prefetch: bool,
    /// `Access-Control-Request-Method`, of a preflight request.
    pub preflight_method: Option<&'a [u8]>,
}

/// Why bytes are not a request that is served: the status, and the reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadRequest(pub Status, pub String);

fn bad(text: impl Into<String>) -> BadRequest {
    BadRequest(Status::BadRequest, text.into())
}

/// The length of the head at the beginning of `input`, with the empty line that ends it; `None` if its end
/// has not arrived. `searched` is how many bytes were searched before.
pub(super) fn end_of_head(input: &[u8], searched: usize) -> Option<usize> {
    // The line end before the empty line may have been searched already.
    let from = searched.saturating_sub(3);
    for at in memchr_iter(b'\n', &input[from..]) {
        match &input[from + at + 1..] {
            [b'\n', ..] => return Some(from + at + 2),
            [b'\r', b'\n', ..] => return Some(from + at + 3),
            _ => {}
        }
    }
    None
}

impl<'a> Head<'a> {
    /// Parses a whole head.
    ///
    /// # Errors
    /// It is not HTTP/1.0 or HTTP/1.1, or exceeds a limit, or the length of the body is ambiguous: then
    /// another server in front of us may see a different end, and the next request elsewhere.
    pub(super) fn parse(bytes: &'a [u8], limits: &HttpSettings) -> Result<Head<'a>, BadRequest> {
        // What is not used is not initialized: that would cost more than the parsing.
        let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let max = (limits.headers_max as usize).min(HEADERS_MAX);
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(bytes, &mut headers[..max]) {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Ok(_) => return Err(bad("the request's head is not complete")),
            Err(httparse::Error::TooManyHeaders) => {
                let text = format!("expected at most {max} headers (http-headers-max)");
                return Err(BadRequest(Status::HeadTooLarge, text));
            }
            Err(httparse::Error::Version) => {
                let text = "expected HTTP/1.1 or HTTP/1.0".to_owned();
                return Err(BadRequest(Status::VersionNotSupported, text));
            }
            Err(error) => return Err(bad(format!("not an HTTP request: {error}"))),
        }
        let (name, path) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
        let method = Method::of(name).ok_or_else(|| {
            let text = "expected GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS".to_owned();
            BadRequest(Status::NotImplemented, text)
        })?;
        let is_1_1 = parsed.version == Some(1);
        let target =
            Target::parse(path).ok_or_else(|| bad("expected a path that begins with /"))?;
        let mut head = Head {
            method,
            target,
            framing: Framing::Length(0),
            is_1_1,
            is_keep_alive: is_1_1,
            expects_continue: false,
            accept: None,
            authorization: None,
            content_type: None,
            host: None,
            idempotency_key: None,
            origin: None,
            fetch_site: None,
            is_prefetch: false,
            preflight_method: None,
        };
        head.take_headers(parsed.headers)?;
        if is_1_1 && head.host.is_none() {
            return Err(bad("expected a Host header"));
        }
        Ok(head)
    }

    fn take_headers(&mut self, headers: &[httparse::Header<'a>]) -> Result<(), BadRequest> {
        let mut length = None;
        let mut is_chunked = false;
        let mut is_last = false;
        for httparse::Header { name, value } in headers.iter().copied() {
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            match name.len() {
                4 if is("host") && self.host.replace(value).is_some() => {
                    return Err(bad("expected one Host header"));
                }
                6 if is("accept") => self.accept = Some(value),
                6 if is("origin") => self.origin = Some(value),
                6 if is("expect") => self.expects_continue = is_continue(value)? && self.is_1_1,
                7 if is("purpose") => self.is_prefetch |= value.eq_ignore_ascii_case(b"prefetch"),
                10 if is("connection") => is_last |= self.take_connection(value),
                11 if is("sec-purpose") => self.is_prefetch |= value.starts_with(b"prefetch"),
                12 if is("content-type") => self.content_type = Some(value),
                13 if is("authorization") && self.authorization.replace(value).is_some() => {
                    return Err(bad("expected one Authorization header"));
                }
                14 if is("content-length") => {
                    let new = length_of(value)?;
                    if length.is_some_and(|old| old != new) {
                        return Err(bad("expected one Content-Length"));
                    }
                    length = Some(new);
                }
                14 if is("sec-fetch-site") => self.fetch_site = Some(value),
                15 if is("idempotency-key") => self.idempotency_key = Some(value),
                17 if is("transfer-encoding") => {
                    if is_chunked || !value.eq_ignore_ascii_case(b"chunked") || !self.is_1_1 {
                        let text =
                            "expected no Transfer-Encoding but chunked, in HTTP/1.1".to_owned();
                        return Err(BadRequest(Status::NotImplemented, text));
                    }
                    is_chunked = true;
                }
                29 if is("access-control-request-method") => self.preflight_method = Some(value),
                _ => {}
            }
        }
        self.is_keep_alive &= !is_last;
        self.framing = match (length, is_chunked) {
            (Some(_), true) => {
                return Err(bad("expected a Content-Length or a Transfer-Encoding, not both"));
            }
            (Some(length), false) => Framing::Length(length),
            (None, true) => Framing::Chunked,
            (None, false) => Framing::Length(0),
        };
        Ok(())
    }

    /// Returns whether the request is the last one of its connection, whatever else the header says.
    fn take_connection(&mut self, value: &[u8]) -> bool {
        let words = || value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        self.is_keep_alive |= words().any(|word| word.eq_ignore_ascii_case(b"keep-alive"));
        words().any(|word| word.eq_ignore_ascii_case(b"close"))
    }

    /// Whether the type of the body is this one, whatever its parameters are.
    pub(super) fn has_content_type(&self, wanted: &str) -> bool {
        let given = self.content_type.unwrap_or_default();
        let given = given.split(|byte| *byte == b';').next().unwrap_or_default();
        given.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes())
    }
}

fn is_continue(value: &[u8]) -> Result<bool, BadRequest> {
    if value.eq_ignore_ascii_case(b"100-continue") {
        return Ok(true);
    }
    let text = "expected no Expect header but 100-continue".to_owned();
    Err(BadRequest(Status::ExpectationFailed, text))
}

/// Only digits: a sign or a list may mean something else to another server.
fn length_of(value: &[u8]) -> Result<usize, BadRequest> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value);
    let text = digits.and_then(|digits| str::from_utf8(digits).ok());
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| bad("expected a number as Content-Length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> HttpSettings {
        HttpSettings { headers_max: 8, ..HttpSettings::default() }
    }

    fn refused(text: &str) -> BadRequest {
        Head::parse(text.as_bytes(), &limits()).expect_err("it is refused")
    }

    #[test]
    fn the_end_is_found_however_the_bytes_arrive() {
        for text in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n"] {
            let bytes = text.as_bytes();
            let mut searched = 0;
            for end in 1..bytes.len() {
                assert_eq!(end_of_head(&bytes[..end], searched), None, "{end} bytes of {text:?}");
                searched = end;
            }
            assert_eq!(end_of_head(bytes, searched), Some(bytes.len()));
            assert_eq!(end_of_head(&[bytes, b"more"].concat(), 0), Some(bytes.len()));
        }
    }

    #[test]
    fn what_we_need_is_taken_from_the_headers() {
        let text = "POST /queues/a?wait=1 HTTP/1.1\r\nHOST: a:1\r\nContent-Length: 5\r\n\
                    Connection: x, Close\r\nContent-Type: Text/Plain; charset=x\r\n\r\n";
        let head = Head::parse(text.as_bytes(), &limits()).expect("it is a request");
        assert_eq!(head.method, Method::Post);
        assert_eq!(head.framing, Framing::Length(5));
        assert_eq!(head.host, Some(&b"a:1"[..]));
        assert!(!head.is_keep_alive);
        assert!(head.has_content_type("text/plain"));
        let text = "GET / HTTP/1.0\r\nconnection: keep-alive\r\nExpect: 100-continue\r\n\r\n";
        let head = Head::parse(text.as_bytes(), &limits()).expect("it is a request");
        assert!(head.is_keep_alive && !head.is_1_1 && head.host.is_none());
        assert!(!head.expects_continue, "HTTP/1.0 has no such response");
        let text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\n";
        assert!(!Head::parse(text.as_bytes(), &limits()).expect("it is a request").is_keep_alive);
    }

    /// What makes two servers disagree about where a request ends (request smuggling).
    #[test]
    fn an_ambiguous_length_is_refused() {
        let with = |headers: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
        for headers in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length: -1",
            "Content-Length:",
            "Content-Length: 99999999999999999999999",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: xchunked",
            "Content-Length : 5",
            "Content-Length: 5\r\n folded: 1",
            "Host: b",
        ] {
            refused(&with(headers));
        }
        let text = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(refused(text).0, Status::NotImplemented);
    }

    #[test]
    fn limits_and_versions_have_their_own_status() {
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(9));
        assert_eq!(refused(&many).0, Status::HeadTooLarge);
        assert_eq!(refused("GET / HTTP/2.0\r\n\r\n").0, Status::VersionNotSupported);
        assert_eq!(refused("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").0, Status::NotImplemented);
        assert_eq!(refused("GET a HTTP/1.1\r\nHost: a\r\n\r\n").0, Status::BadRequest);
        assert_eq!(refused("GET / HTTP/1.1\r\n\r\n").0, Status::BadRequest);
    }
}
