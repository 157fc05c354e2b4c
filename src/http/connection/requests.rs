//! Requests: the bytes of the peer, as commands to the broker.

use super::{Exchange, Http, Open};
use crate::broker::{Broker, BusyServer};
use crate::clock::Now;
use crate::http::answer::Answer;
use crate::http::asked::Asked;
use crate::http::body::Body;
use crate::http::browser;
use crate::http::head::{BadRequest, Framing, Head, Method, end_of_head};
use crate::http::response::{Envelope, Response, Status, of_error};
use crate::http::routes::{is_for_everybody, route};
use crate::http::session::Needs;

/// No more requests are read in a turn once their commands have so many bytes.
const COMMAND_BYTES_MAX: usize = 1024 * 1024;
/// What a stranger is told.
const NO_AUTH: &[u8] = b"NOAUTH Authentication required.";

/// What became of the next bytes.
pub(super) enum Read {
    /// This many were used.
    Used(usize),
    /// This many were used. More have to arrive.
    Partial(usize),
}

/// Whether a request may run now.
enum Admitted {
    Now(Envelope),
    /// Once the user has changed.
    Later,
}

impl Http {
    /// Takes bytes of the peer.
    pub(crate) fn receive(
        &mut self,
        broker: &mut Broker,
        bytes: &[u8],
        now: Now,
        server: &mut dyn BusyServer,
    ) {
        self.active_us = now.monotonic_us;
        if self.is_last || self.is_streaming() {
            return;
        }
        self.is_partial = false;
        if self.input.is_empty() {
            let used = self.read(broker, bytes, now, server);
            self.input.extend_from_slice(&bytes[used..]);
        } else {
            self.input.extend_from_slice(bytes);
            self.go_on(broker, now, server);
        }
        self.record_memory(broker, now);
    }

    /// Reads what has arrived, as far as that is possible now.
    pub(crate) fn go_on(&mut self, broker: &mut Broker, now: Now, server: &mut dyn BusyServer) {
        if let Some(Exchange { answer, .. }) = self.in_progress.front_mut()
            && answer.has_question()
        {
            let mut commands = broker.spare_buffer();
            answer.ask(&mut commands);
            self.run(broker, &commands, now, server);
            broker.keep_spare_buffer(commands);
            return;
        }
        let mut input = std::mem::take(&mut self.input);
        let used = self.read(broker, &input, now, server);
        if used < input.len() {
            input.drain(..used);
            self.input = input;
        }
    }

    /// Reads requests and has the broker run their commands. Returns how many bytes were used.
    fn read(
        &mut self,
        broker: &mut Broker,
        bytes: &[u8],
        now: Now,
        server: &mut dyn BusyServer,
    ) -> usize {
        let (mut used, mut commands) = (0, broker.spare_buffer());
        let was_empty = self.output.is_empty();
        while self.takes_requests(broker) && commands.len() < COMMAND_BYTES_MAX {
            match self.read_next(broker, &bytes[used..], &mut commands) {
                Read::Used(count) => {
                    used += count;
                    if self.open.is_none() {
                        self.began_us = None;
                    }
                    if used == bytes.len() && self.open.is_none() {
                        break;
                    }
                }
                Read::Partial(count) => {
                    used += count;
                    self.is_partial = true;
                    if used < bytes.len() || self.open.is_some() {
                        self.began_us.get_or_insert(now.monotonic_us);
                    }
                    break;
                }
            }
        }
        self.mark_output(was_empty, now);
        if self.is_last {
            // Nothing of what follows is read.
            used = bytes.len();
        }
        if !commands.is_empty() {
            self.run(broker, &commands, now, server);
        }
        broker.keep_spare_buffer(commands);
        used
    }

    /// Has the broker run commands. Not inlined, unlike for Redis' protocol: there are two callers.
    #[inline(never)]
    fn run(&self, broker: &mut Broker, commands: &[u8], now: Now, server: &mut dyn BusyServer) {
        broker.receive_while(self.client, commands, now, server);
    }

    /// Reads the next request, or a part of its body.
    fn read_next(&mut self, broker: &mut Broker, input: &[u8], commands: &mut Vec<u8>) -> Read {
        if let Some(open) = self.open.take() {
            return self.read_body(broker, open, input, commands);
        }
        // Line ends between requests mean nothing (RFC 9112).
        let blank = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > 0 {
            self.searched = 0;
            return Read::Used(blank);
        }
        let settings = &broker.settings().http;
        let head_max = settings.head_bytes_max;
        let Some(end) = end_of_head(input, self.searched).filter(|end| *end as u64 <= head_max)
        else {
            self.searched = input.len();
            if input.len() as u64 <= head_max {
                return Read::Partial(0);
            }
            let text =
                format!("expected a head of at most {head_max} bytes (http-header-bytes-max)");
            return self.refuse(broker, Response::error(Status::HeadTooLarge, &text), false);
        };
        self.searched = 0;
        let (head_bytes, rest) = input.split_at(end);
        let head = match Head::parse(head_bytes, settings) {
            Ok(head) => head,
            Err(BadRequest(status, text)) => {
                return self.refuse(broker, Response::error(status, &text), false);
            }
        };
        let body_max = usize::try_from(broker.settings().http.body_bytes_max).unwrap_or(usize::MAX);
        match head.framing {
            Framing::Length(length) if length > body_max => {
                let text =
                    format!("expected a body of at most {body_max} bytes (http-body-bytes-max)");
                let is_head = head.method == Method::Head;
                self.refuse(broker, Response::error(Status::BodyTooLarge, &text), is_head)
            }
            Framing::Length(length) if length <= rest.len() => {
                let body = &rest[..length];
                if self.handle(broker, head, body, commands) {
                    let is_head = head.method == Method::Head;
                    self.open = Some(Box::new(Open::complete(head_bytes, body, is_head)));
                }
                Read::Used(end + length)
            }
            _ => self.begin_body(broker, (head, head_bytes), body_max, commands),
        }
    }

    /// Begins to read a body that has not arrived. A peer must be allowed to send one: nothing is kept for
    /// a stranger.
    fn begin_body(
        &mut self,
        broker: &mut Broker,
        (head, head_bytes): (Head<'_>, &[u8]),
        body_max: usize,
        commands: &mut Vec<u8>,
    ) -> Read {
        let is_head = head.method == Method::Head;
        if let Err(response) = self.admit(broker, &head, commands) {
            return self.refuse(broker, response, is_head);
        }
        let body = Body::new(head.framing, body_max);
        let expects_continue = head.expects_continue;
        let head = head_bytes.to_vec();
        self.open = Some(Box::new(Open { head, is_head, body, expects_continue }));
        Read::Used(head_bytes.len())
    }

    /// Goes on reading a body, or with a request that waited for its user.
    fn read_body(
        &mut self,
        broker: &mut Broker,
        mut open: Box<Open>,
        input: &[u8],
        commands: &mut Vec<u8>,
    ) -> Read {
        if !open.body.is_complete() {
            if let Some(text) = self.refusal.take() {
                return self.refuse(broker, of_error(&text), open.is_head);
            }
            if broker.must_authenticate(self.client) {
                return self.refuse(broker, of_error(NO_AUTH), open.is_head);
            }
        }
        if std::mem::take(&mut open.expects_continue) && input.is_empty() {
            self.go_ahead();
        }
        let used = match open.body.take(input) {
            Ok(used) => used,
            Err((status, text)) => {
                return self.refuse(broker, Response::error(status, text), open.is_head);
            }
        };
        if !open.body.is_complete() {
            self.open = Some(open);
            return Read::Partial(used);
        }
        match Head::parse(&open.head, &broker.settings().http) {
            Ok(head) => {
                if self.handle(broker, head, open.body.bytes(), commands) {
                    self.open = Some(open);
                }
                Read::Used(used)
            }
            Err(BadRequest(status, text)) => {
                self.refuse(broker, Response::error(status, &text), open.is_head)
            }
        }
    }

    /// Decides whether a request may run, given its head. A change of the user is asked for if it needs one.
    ///
    /// # Errors
    /// The response, if it may not.
    fn admit(
        &mut self,
        broker: &Broker,
        head: &Head<'_>,
        commands: &mut Vec<u8>,
    ) -> Result<Admitted, Response> {
        let refusal = self.refusal.take();
        let origin = browser::check(head, &broker.settings().http, broker.is_open_to_all())?;
        let envelope = Envelope { allowed_origin: origin.map(Box::from), ..envelope_of(head) };
        let is_preflight = head.method == Method::Options;
        if is_preflight || is_for_everybody(head.method, head.target.segments()) {
            return Ok(Admitted::Now(envelope));
        }
        if let Some(text) = refusal {
            return Err(of_error(&text));
        }
        match self.session.needs(head, broker.user_changes(), commands)? {
            // The broker's limits on requests of strangers would make another error of a large one.
            Needs::Nothing if broker.must_authenticate(self.client) => Err(of_error(NO_AUTH)),
            Needs::Nothing => Ok(Admitted::Now(envelope)),
            Needs::Change(wanted) => {
                let answer = Answer::Session(wanted);
                self.in_progress.push_back(Exchange { answer, envelope });
                Ok(Admitted::Later)
            }
        }
    }

    /// Turns a complete request into commands, or answers it. Returns whether it must come again, once the
    /// user has changed.
    fn handle(
        &mut self,
        broker: &mut Broker,
        head: Head<'_>,
        body: &[u8],
        commands: &mut Vec<u8>,
    ) -> bool {
        let envelope = match self.admit(broker, &head, commands) {
            Ok(Admitted::Now(envelope)) => envelope,
            Ok(Admitted::Later) => return true,
            Err(response) => {
                let mut envelope = envelope_of(&head);
                // As if the body had not arrived yet.
                envelope.is_keep_alive &= head.framing == Framing::Length(0);
                self.respond(broker, response, envelope);
                return false;
            }
        };
        if let Some(response) = browser::preflight(&head) {
            self.respond(broker, response, envelope);
            return false;
        }
        let asked_before = commands.len();
        let mut asked = Asked { head, body, broker, client: self.client, commands };
        match route(&mut asked, &envelope) {
            Ok(answer) => {
                self.is_last |= !envelope.is_keep_alive;
                self.in_progress.push_back(Exchange { answer, envelope });
            }
            Err(response) => {
                commands.truncate(asked_before);
                self.respond(broker, response, envelope);
            }
        }
        false
    }

    /// Answers a request without the broker, after those before it.
    fn respond(&mut self, broker: &mut Broker, response: Response, envelope: Envelope) {
        self.is_last |= !envelope.is_keep_alive;
        if self.in_progress.is_empty() {
            self.write(broker, &response, &envelope);
        } else {
            let answer = Answer::Respond(response);
            self.in_progress.push_back(Exchange { answer, envelope });
        }
    }

    /// Answers bytes that are no request that could be served. Where the next one begins is not known.
    pub(super) fn refuse(
        &mut self,
        broker: &mut Broker,
        response: Response,
        is_head: bool,
    ) -> Read {
        self.open = None;
        self.is_refused = true;
        self.respond(broker, response, Envelope { is_head, ..Envelope::LAST });
        Read::Used(0)
    }

    /// Lets the peer send its body. If earlier responses are due it sends it anyway, a little later.
    fn go_ahead(&mut self) {
        if self.in_progress.is_empty() {
            self.output.raw(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }
}

fn envelope_of(head: &Head<'_>) -> Envelope {
    Envelope {
        is_keep_alive: head.is_keep_alive,
        says_keep_alive: head.is_keep_alive && !head.is_1_1,
        is_head: head.method == Method::Head,
        allowed_origin: None,
    }
}

impl Open {
    fn complete(head: &[u8], body: &[u8], is_head: bool) -> Open {
        let body = Body::complete(body.to_vec());
        Open { head: head.to_vec(), is_head, body, expects_continue: false }
    }
}
