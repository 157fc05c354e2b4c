//! Messages of channels as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use super::json;
use super::response::{Envelope, Status, of_error, write_head};
use super::step::Step;
use crate::resp::{Output, Reply};

/// The stream of one channel, or of all that match a pattern.
#[derive(Debug)]
pub(super) struct Events {
    envelope: Envelope,
    has_begun: bool,
}

impl Events {
    pub(super) fn new(envelope: Envelope) -> Events {
        Events { envelope: Envelope { is_keep_alive: false, ..envelope }, has_begun: false }
    }

    /// Takes a message, or the confirmation of the subscription. A message of one channel is the data of
    /// an event, whose lines are its lines; one that is not UTF-8 is an event `base64`. With a pattern the
    /// data is an object with channel and message.
    pub(super) fn take(&mut self, reply: Reply, output: &mut Output) -> Step {
        let items = match reply {
            Reply::Push(items) => items,
            Reply::Error(text) if !self.has_begun => return Step::Respond(of_error(&text)),
            _ => return Step::End,
        };
        let kind = items.first().and_then(Reply::bytes).unwrap_or_default();
        let text = |at: usize| items.get(at).and_then(Reply::bytes).unwrap_or_default();
        match kind {
            b"subscribe" | b"psubscribe" => {
                begin(output, &self.envelope);
                self.has_begun = true;
            }
            b"message" => write_message(output, text(2)),
            b"pmessage" => {
                let mut data = b"{\"channel\":".to_vec();
                json::write_bytes(&mut data, text(2));
                data.extend_from_slice(b",\"message\":");
                json::write_bytes(&mut data, text(3));
                data.push(b'}');
                write_event(output, None, &data);
            }
            // The subscription was taken away.
            _ => return Step::End,
        }
        Step::More
    }
}

/// Begins a stream. It ends with the connection.
pub(super) fn begin(output: &mut Output, envelope: &Envelope) {
    write_head(output, Status::Ok, envelope);
    // A proxy that gathers what it passes on would hold events back.
    output.raw(b"Content-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n\r\n:\n\n");
}

/// A line that keeps proxies from closing a silent stream.
pub(super) fn sign_of_life(output: &mut Output) {
    output.raw(b":\n\n");
}

fn write_message(output: &mut Output, message: &[u8]) {
    match str::from_utf8(message) {
        Ok(_) => write_event(output, None, message),
        Err(_) => {
            let mut data = Vec::new();
            json::write_base64(&mut data, message);
            write_event(output, Some("base64"), &data);
        }
    }
}

/// Writes an event of this type, or of the usual one. A line end of any kind in the data begins a new line of
/// data, since it would otherwise end the event or its field.
pub(super) fn write_event(output: &mut Output, kind: Option<&str>, data: &[u8]) {
    if let Some(kind) = kind {
        output.raw(b"event: ");
        output.raw(kind.as_bytes());
        output.raw(b"\n");
    }
    let mut rest = data;
    loop {
        let end = memchr::memchr2(b'\r', b'\n', rest);
        output.raw(b"data: ");
        output.raw(&rest[..end.unwrap_or(rest.len())]);
        output.raw(b"\n");
        let Some(end) = end else { break };
        let is_pair = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + 1 + usize::from(is_pair)..];
    }
    output.raw(b"\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: Option<&str>, data: &[u8]) -> String {
        let mut output = Output::default();
        write_event(&mut output, kind, data);
        String::from_utf8(output.take_all()).expect("UTF-8")
    }

    #[test]
    fn a_message_cannot_end_its_event() {
        assert_eq!(written(None, b"a"), "data: a\n\n");
        assert_eq!(written(None, b""), "data: \n\n");
        let text = "data: a\ndata: \ndata: id: 7\ndata: b\ndata: \n\n";
        assert_eq!(written(None, b"a\n\nid: 7\r\nb\r"), text);
        assert_eq!(written(Some("info"), b"x"), "event: info\ndata: x\n\n");
    }
}
