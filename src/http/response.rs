//! Responses: status, headers, body.

use super::json;
use crate::resp::Output;

/// The statuses that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    Accepted,
    NoContent,
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    BodyTooLarge,
    ExpectationFailed,
    Misdirected,
    TooManyRequests,
    HeadTooLarge,
    ServerError,
    NotImplemented,
    Unavailable,
    VersionNotSupported,
}

impl Status {
    /// The number and the words of RFC 9110.
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::Accepted => "202 Accepted",
            Status::NoContent => "204 No Content",
            Status::BadRequest => "400 Bad Request",
            Status::Unauthorized => "401 Unauthorized",
            Status::Forbidden => "403 Forbidden",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::RequestTimeout => "408 Request Timeout",
            Status::Conflict => "409 Conflict",
            Status::BodyTooLarge => "413 Content Too Large",
            Status::ExpectationFailed => "417 Expectation Failed",
            Status::Misdirected => "421 Misdirected Request",
            Status::TooManyRequests => "429 Too Many Requests",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::ServerError => "500 Internal Server Error",
            Status::NotImplemented => "501 Not Implemented",
            Status::Unavailable => "503 Service Unavailable",
            Status::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }

    /// The code of an error that no command caused.
    fn code(self) -> &'static str {
        match self {
            Status::Unauthorized => "NOAUTH",
            Status::Forbidden => "FORBIDDEN",
            Status::NotFound => "NOTFOUND",
            Status::Unavailable => "UNAVAILABLE",
            _ => "ERR",
        }
    }
}

/// What a response has besides its status and body.
#[derive(Debug)]
pub(super) struct Response {
    pub status: Status,
    /// Lines of further headers, each with its end.
    pub headers: Vec<u8>,
    pub content_type: &'static str,
    pub body: Body,
}

/// The body of a response.
#[derive(Debug)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    /// `{"name":count}`, which needs no allocation.
    Count(&'static str, i64),
}

pub(super) const JSON: &str = "application/json";
/// Any bytes, such as a message.
pub(super) const BYTES: &str = "application/octet-stream";

/// What of a request its response depends on, whatever the route.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    /// Whether the connection stays open.
    pub is_keep_alive: bool,
    /// Whether the response says so: HTTP/1.0 expects the opposite.
    pub says_keep_alive: bool,
    /// Whether the body is left out.
    pub is_head: bool,
    /// The origin whose scripts may read the response.
    pub allowed_origin: Option<Box<[u8]>>,
}

impl Envelope {
    /// Of a last response that belongs to no request that is understood.
    pub(super) const LAST: Envelope = Envelope {
        is_keep_alive: false,
        says_keep_alive: false,
        is_head: false,
        allowed_origin: None,
    };
}

impl Response {
    pub(super) fn new(status: Status, content_type: &'static str, body: Vec<u8>) -> Response {
        Response { status, headers: Vec::new(), content_type, body: Body::Bytes(body) }
    }

    /// `{"name":count}`
    pub(super) fn count(status: Status, name: &'static str, count: i64) -> Response {
        let body = Body::Count(name, count);
        Response { status, headers: Vec::new(), content_type: JSON, body }
    }

    pub(super) fn json(status: Status, body: Vec<u8>) -> Response {
        Response::new(status, JSON, body)
    }

    /// Without a body.
    pub(super) fn empty(status: Status) -> Response {
        Response::new(status, "", Vec::new())
    }

    /// An error that no command caused.
    pub(super) fn error(status: Status, text: &str) -> Response {
        Response::json(status, error_body(status.code().as_bytes(), text.as_bytes()))
    }

    /// Adds a header. The value must not come from outside.
    pub(super) fn with(mut self, name: &str, value: &str) -> Response {
        debug_assert!(!value.contains(['\r', '\n']), "a header ends within its value");
        for part in [name, ": ", value, "\r\n"] {
            self.headers.extend_from_slice(part.as_bytes());
        }
        self
    }

    pub(super) fn write(&self, output: &mut Output, envelope: &Envelope) {
        write_head(output, self.status, envelope);
        output.raw(&self.headers);
        match &self.body {
            Body::Bytes(_) if self.status == Status::NoContent => output.raw(b"\r\n"),
            Body::Bytes(bytes) => write_body(output, envelope, self.content_type, &[bytes]),
            Body::Count(name, count) => {
                let mut digits = itoa::Buffer::new();
                let digits = digits.format(*count).as_bytes();
                let parts = [b"{\"", name.as_bytes(), b"\":", digits, b"}\n"];
                write_body(output, envelope, self.content_type, &parts);
            }
        }
    }
}

/// Writes the response to a pop of one message, in the usual case: without copies of its parts.
pub(super) fn write_message(output: &mut Output, envelope: &Envelope, message: &[u8]) {
    write_head(output, Status::Ok, envelope);
    write_body(output, envelope, BYTES, &[message]);
}

/// The last headers and the body, which is made of these parts.
fn write_body(output: &mut Output, envelope: &Envelope, content_type: &str, parts: &[&[u8]]) {
    if !content_type.is_empty() {
        write_header(output, "Content-Type", content_type.as_bytes());
    }
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut digits = itoa::Buffer::new();
    write_header(output, "Content-Length", digits.format(length).as_bytes());
    output.raw(b"\r\n");
    if !envelope.is_head {
        parts.iter().for_each(|part| output.raw(part));
    }
}

/// The first line, and the headers that every response has. Nothing here may be stored by a cache: even
/// what looks the same is true only now.
pub(super) fn write_head(output: &mut Output, status: Status, envelope: &Envelope) {
    output.raw(b"HTTP/1.1 ");
    output.raw(status.line().as_bytes());
    output.raw(b"\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    if !envelope.is_keep_alive {
        output.raw(b"Connection: close\r\n");
    } else if envelope.says_keep_alive {
        output.raw(b"Connection: keep-alive\r\n");
    }
    if let Some(origin) = &envelope.allowed_origin {
        write_header(output, "Access-Control-Allow-Origin", origin);
        output.raw(b"Access-Control-Expose-Headers: Tidegate-Receipt, Tidegate-Deliveries, Retry-After\r\n");
        write_header(output, "Vary", b"Origin");
    }
}

fn write_header(output: &mut Output, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        output.raw(part);
    }
}

/// `{"error":{"code":…,"message":…}}`
pub(super) fn error_body(code: &[u8], message: &[u8]) -> Vec<u8> {
    let mut body = b"{\"error\":".to_vec();
    json::write_error(&mut body, code, message);
    body.extend_from_slice(b"}\n");
    body
}

/// The response to a command's error, which begins with its code.
pub(super) fn of_error(text: &[u8]) -> Response {
    let (code, message) = json::code_and_message(text);
    let body = error_body(code, message);
    let status = match code {
        b"NOAUTH" | b"WRONGPASS" => Status::Unauthorized,
        b"NOPERM" | b"DENIED" => Status::Forbidden,
        b"WRONGTYPE" => Status::Conflict,
        b"QUEUEFULL" | b"QUEUEPAUSED" => Status::TooManyRequests,
        b"OOM" | b"LOADING" | b"MISCONF" | b"BUSY" | b"UNBLOCKED" | b"READONLY" | b"MASTERDOWN"
        | b"NOREPLICAS" => Status::Unavailable,
        _ => Status::BadRequest,
    };
    let response = Response::json(status, body);
    match status {
        Status::Unauthorized => {
            response.with("WWW-Authenticate", "Basic realm=\"Tidegate\", charset=\"UTF-8\"")
        }
        Status::TooManyRequests | Status::Unavailable => response.with("Retry-After", "1"),
        _ => response,
    }
}
