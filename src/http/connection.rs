//! One connection: requests come in and become commands of its client of the broker; the client's replies
//! become responses, in the order of the requests.
//!
//! Requests are read in the stage of a turn in which commands run, and replies are taken in the stage in
//! which clients are written to: by then the changes that they report are recorded.

use super::answer::Answer;
use super::asked::Asked;
use super::body::Body;
use super::browser;
use super::events::sign_of_life;
use super::feed::Feed;
use super::head::{BadRequest, Framing, Head, end_of_head};
use super::response::{Envelope, Response, Status, of_error};
use super::routes::{is_for_everybody, route};
use super::session::{Change, Needs, Session};
use super::step::Step;
use crate::broker::Broker;
use crate::client_id::ClientId;
use crate::clients::{CloseReason, Peer};
use crate::clock::Now;
use crate::resp::{Output, Protocol, Reply, ReplyParser};
use std::collections::VecDeque;

/// No more replies are taken while there is so much to send: the rest stays with the broker, whose limits on
/// unread output apply.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// No more requests are read in a turn once their commands have so many bytes.
const COMMAND_BYTES_MAX: usize = 1024 * 1024;
/// Replies are taken in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;

/// An HTTP connection.
#[derive(Debug)]
pub(crate) struct Http {
    client: ClientId,
    /// The beginning of a request.
    input: Vec<u8>,
    /// How many bytes of `input` were searched for the end of a head.
    searched: usize,
    /// Whether `input` was read and waits for more.
    is_partial: bool,
    /// When the request in `input` or `open` began.
    began_us: Option<u64>,
    /// A request whose body is arriving, or that waits for its user.
    open: Option<Box<Open>>,
    session: Session,
    /// The user that `open` names was refused for this reason.
    refusal: Option<Vec<u8>>,
    /// Requests whose response has not been written.
    in_progress: VecDeque<Exchange>,
    /// No more requests are read.
    is_last: bool,
    replies: ReplyParser,
    output: Output,
    /// When something was last read or written.
    active_us: u64,
}

/// A request that has not become commands.
#[derive(Debug)]
struct Open {
    head: Vec<u8>,
    body: Body,
}

/// A request whose commands are with the broker.
#[derive(Debug)]
struct Exchange {
    answer: Answer,
    envelope: Envelope,
}

/// What became of the next bytes.
enum Read {
    /// This many were used.
    Used(usize),
    /// This many were used. More have to arrive.
    Partial(usize),
}

/// What became of a request.
enum Handled {
    Done,
    /// It comes again once the user has changed.
    Postponed,
}

impl Http {
    /// Begins with a peer. `slot` is the slot of its connection. `None` only in a build without HTTP.
    pub(crate) fn begin(broker: &mut Broker, slot: usize, peer: Peer, now: Now) -> Option<Http> {
        let client = broker.connect(slot, peer, now);
        broker.set_protocol(client, Protocol::Resp3);
        Some(Http {
            client,
            input: Vec::new(),
            searched: 0,
            is_partial: false,
            began_us: None,
            open: None,
            session: Session::default(),
            refusal: None,
            in_progress: VecDeque::new(),
            is_last: false,
            replies: ReplyParser::default(),
            output: Output::default(),
            active_us: now.monotonic_us,
        })
    }

    /// The connection's client of the broker.
    pub(crate) fn client(&self) -> ClientId {
        self.client
    }

    /// Whether the connection should be read: for requests, or to see its end during a stream.
    pub(crate) fn wants_input(&self, broker: &Broker) -> bool {
        self.is_streaming() || self.takes_requests(broker)
    }

    fn is_streaming(&self) -> bool {
        let first = self.in_progress.front().map(|exchange| &exchange.answer);
        matches!(first, Some(Answer::Events(_) | Answer::Feed(_)))
    }

    /// The page's stream, while there is one.
    fn feed(&self) -> Option<&Feed> {
        match self.in_progress.front() {
            Some(Exchange { answer: Answer::Feed(feed), .. }) => Some(feed),
            _ => None,
        }
    }

    fn feed_mut(&mut self) -> Option<&mut Feed> {
        match self.in_progress.front_mut() {
            Some(Exchange { answer: Answer::Feed(feed), .. }) => Some(feed),
            _ => None,
        }
    }

    fn takes_requests(&self, broker: &Broker) -> bool {
        let max = broker.settings().http.pipeline_max as usize;
        !self.is_last
            && self.in_progress.len() < max
            && self.output.len() < OUTPUT_BYTES_MAX
            && !self.in_progress.back().is_some_and(|last| last.answer.is_exclusive())
            && broker.wants_input(self.client)
    }

    /// Whether there is something to do without further input.
    pub(crate) fn has_work(&self, broker: &Broker) -> bool {
        let is_open = self.open.as_ref().is_some_and(|open| open.body.is_complete());
        let has_input = !self.input.is_empty() && !self.is_partial;
        let has_question = self.feed().is_some_and(Feed::has_question)
            && self.output.len() < OUTPUT_BYTES_MAX
            && broker.wants_input(self.client);
        has_question || (is_open || has_input) && self.takes_requests(broker)
    }
}

// Requests.
impl Http {
    /// Takes bytes of the peer.
    pub(crate) fn receive(&mut self, broker: &mut Broker, bytes: &[u8], now: Now) {
        self.active_us = now.monotonic_us;
        if self.is_last || self.is_streaming() {
            return;
        }
        self.is_partial = false;
        if self.input.is_empty() {
            let used = self.read(broker, bytes, now);
            self.input.extend_from_slice(&bytes[used..]);
        } else {
            self.input.extend_from_slice(bytes);
            self.go_on(broker, now);
        }
    }

    /// Reads what has arrived, as far as that is possible now.
    pub(crate) fn go_on(&mut self, broker: &mut Broker, now: Now) {
        if let Some(feed) = self.feed_mut() {
            let mut commands = Vec::new();
            feed.ask(&mut commands);
            broker.receive(self.client, &commands, now);
            return;
        }
        let mut input = std::mem::take(&mut self.input);
        let used = self.read(broker, &input, now);
        if used < input.len() {
            input.drain(..used);
            self.input = input;
        }
    }

    /// Reads requests and has the broker run their commands. Returns how many bytes were used.
    fn read(&mut self, broker: &mut Broker, bytes: &[u8], now: Now) -> usize {
        let (mut used, mut commands) = (0, Vec::new());
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
        if self.is_last {
            // Nothing of what follows is read.
            used = bytes.len();
        }
        if !commands.is_empty() {
            broker.receive(self.client, &commands, now);
        }
        used
    }

    /// Reads the next request, or a part of its body.
    fn read_next(&mut self, broker: &mut Broker, input: &[u8], commands: &mut Vec<u8>) -> Read {
        if let Some(mut open) = self.open.take() {
            let used = match open.body.take(input) {
                Ok(used) => used,
                Err((status, text)) => return self.refuse(broker, input, status, text),
            };
            if !open.body.is_complete() {
                self.open = Some(open);
                return Read::Partial(used);
            }
            return match Head::parse(&open.head, &broker.settings().http) {
                Ok(head) => {
                    let handled = self.handle(broker, head, open.body.bytes(), commands);
                    self.postpone(handled, || open);
                    Read::Used(used)
                }
                Err(BadRequest(status, text)) => self.refuse(broker, input, status, &text),
            };
        }
        // Line ends between requests mean nothing (RFC 9112).
        let blank = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > 0 {
            self.searched = 0;
            return Read::Used(blank);
        }
        let settings = &broker.settings().http;
        let (head_max, body_max) = (settings.head_bytes_max, settings.body_bytes_max);
        let Some(end) = end_of_head(input, self.searched).filter(|end| *end as u64 <= head_max)
        else {
            self.searched = input.len();
            if input.len() as u64 <= head_max {
                return Read::Partial(0);
            }
            let text =
                format!("expected a head of at most {head_max} bytes (http-header-bytes-max)");
            return self.refuse(broker, input, Status::HeadTooLarge, &text);
        };
        self.searched = 0;
        let (head_bytes, rest) = input.split_at(end);
        let head = match Head::parse(head_bytes, settings) {
            Ok(head) => head,
            Err(BadRequest(status, text)) => return self.refuse(broker, input, status, &text),
        };
        let body_max = usize::try_from(body_max).unwrap_or(usize::MAX);
        match head.framing {
            Framing::Length(length) if length > body_max => {
                let text =
                    format!("expected a body of at most {body_max} bytes (http-body-bytes-max)");
                self.refuse(broker, input, Status::BodyTooLarge, &text)
            }
            Framing::Length(length) if length <= rest.len() => {
                let body = &rest[..length];
                let handled = self.handle(broker, head, body, commands);
                self.postpone(handled, || Box::new(Open::complete(head_bytes, body)));
                Read::Used(end + length)
            }
            framing => {
                if head.expects_continue && rest.is_empty() {
                    self.go_ahead();
                }
                let body = Body::new(framing, body_max);
                self.open = Some(Box::new(Open { head: head_bytes.to_vec(), body }));
                Read::Used(end)
            }
        }
    }

    fn postpone(&mut self, handled: Handled, open: impl FnOnce() -> Box<Open>) {
        if matches!(handled, Handled::Postponed) {
            self.open = Some(open());
        }
    }

    /// Turns a complete request into commands, or answers it.
    fn handle(
        &mut self,
        broker: &mut Broker,
        head: Head<'_>,
        body: &[u8],
        commands: &mut Vec<u8>,
    ) -> Handled {
        let is_head = head.method == super::head::Method::Head;
        let mut envelope =
            Envelope { is_keep_alive: head.is_keep_alive, is_head, allowed_origin: None };
        match browser::check(&head, &broker.settings().http, broker.is_open_to_all()) {
            Ok(origin) => envelope.allowed_origin = origin.map(Box::from),
            Err(response) => return self.respond(broker, response, envelope),
        }
        if let Some(response) = browser::preflight(&head) {
            return self.respond(broker, response, envelope);
        }
        if !is_for_everybody(head.method, head.target.segments()) {
            if let Some(text) = self.refusal.take() {
                return self.respond(broker, of_error(&text), envelope);
            }
            match self.session.needs(&head, commands) {
                Ok(Needs::Nothing) => {}
                Ok(Needs::Change(change)) => {
                    let answer = Answer::Session(change);
                    self.in_progress.push_back(Exchange { answer, envelope });
                    return Handled::Postponed;
                }
                Err(response) => return self.respond(broker, response, envelope),
            }
        }
        let asked_before = commands.len();
        let mut asked = Asked { head, body, broker, client: self.client, commands };
        match route(&mut asked, &envelope) {
            Ok(answer) => {
                self.is_last |= !envelope.is_keep_alive;
                self.in_progress.push_back(Exchange { answer, envelope });
                Handled::Done
            }
            Err(response) => {
                commands.truncate(asked_before);
                self.respond(broker, response, envelope)
            }
        }
    }

    /// Answers a request without the broker, after those before it.
    fn respond(&mut self, broker: &mut Broker, response: Response, envelope: Envelope) -> Handled {
        self.is_last |= !envelope.is_keep_alive;
        if self.in_progress.is_empty() {
            self.write(broker, &response, &envelope);
        } else {
            let answer = Answer::Respond(response);
            self.in_progress.push_back(Exchange { answer, envelope });
        }
        Handled::Done
    }

    /// Answers bytes that are no request that could be served. Where the next one begins is not known.
    fn refuse(&mut self, broker: &mut Broker, input: &[u8], status: Status, text: &str) -> Read {
        let envelope = Envelope { is_keep_alive: false, is_head: false, allowed_origin: None };
        self.open = None;
        self.respond(broker, Response::error(status, text), envelope);
        Read::Used(input.len())
    }

    /// Lets the client send its body. If earlier responses are due it sends it anyway, a little later.
    fn go_ahead(&mut self) {
        if self.in_progress.is_empty() {
            self.output.raw(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }
}

// Responses.
impl Http {
    /// Turns replies that may be sent into responses. Returns the number of bytes to send.
    pub(crate) fn pull(&mut self, broker: &mut Broker, now: Now) -> usize {
        loop {
            self.write_ready(broker);
            if self.output.len() >= OUTPUT_BYTES_MAX {
                break;
            }
            let replies = &mut self.replies;
            let taken =
                broker.take_output(self.client, PIECE_BYTES, now, |bytes| replies.feed(bytes));
            if taken == 0 {
                break;
            }
            loop {
                match self.replies.next_reply() {
                    Ok(Some(reply)) => self.take_reply(broker, reply),
                    Ok(None) => break,
                    Err(error) => {
                        log::error!("HTTP: the broker's reply cannot be read: {error}");
                        broker.close(self.client, CloseReason::ConnectionFailed);
                        return self.output.len();
                    }
                }
            }
        }
        if self.in_progress.is_empty() && self.replies.is_empty() {
            // An idle connection keeps no buffers.
            self.replies = ReplyParser::default();
            self.in_progress = VecDeque::new();
        }
        self.output.len()
    }

    /// Whether the broker has more replies than were taken.
    pub(crate) fn has_more(&self, broker: &Broker) -> bool {
        broker.sendable(self.client) > 0
    }

    /// Writes the responses that need no reply and are next.
    fn write_ready(&mut self, broker: &mut Broker) {
        while let Some(Exchange { answer: Answer::Respond(_), .. }) = self.in_progress.front()
            && let Some(Exchange { answer: Answer::Respond(response), envelope }) =
                self.in_progress.pop_front()
        {
            self.write(broker, &response, &envelope);
        }
    }

    fn take_reply(&mut self, broker: &mut Broker, reply: Reply) {
        let Some(exchange) = self.in_progress.front_mut() else {
            debug_assert!(false, "a reply that nothing asked for: {reply:?}");
            return;
        };
        match exchange.answer.take(reply, &mut self.output) {
            Step::More => {}
            Step::Respond(response) => {
                if let Some(Exchange { envelope, .. }) = self.in_progress.pop_front() {
                    self.write(broker, &response, &envelope);
                }
                self.write_ready(broker);
            }
            Step::Session(change, result) => {
                self.in_progress.pop_front();
                self.session.changed(change, result.is_ok());
                // RESET has set it to the default.
                if change == Change::Logout {
                    broker.set_protocol(self.client, Protocol::Resp3);
                }
                self.refusal = result.err();
            }
            Step::End => self.end(broker),
        }
    }

    fn write(&mut self, broker: &mut Broker, response: &Response, envelope: &Envelope) {
        response.write(&mut self.output, envelope);
        if !envelope.is_keep_alive {
            self.end(broker);
        }
    }

    /// Closes the connection once all is sent.
    fn end(&mut self, broker: &mut Broker) {
        self.is_last = true;
        self.in_progress.clear();
        broker.close(self.client, CloseReason::LastResponse);
    }

    /// The bytes for the peer.
    pub(crate) fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Whether there are bytes for the peer.
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// That many bytes were sent; no more could be.
    pub(crate) fn sent(&mut self, broker: &mut Broker, bytes: usize, now: Now) {
        self.active_us = now.monotonic_us;
        broker.count_sent(bytes);
        // An idle connection keeps no buffer.
        self.output.release();
    }

    /// The peer is not served.
    pub(crate) fn deny(&mut self, broker: &mut Broker, why: Refused) {
        broker.count_rejected_connection();
        self.is_last = true;
        self.output.raw(&refusal(why));
        broker.close(self.client, CloseReason::Denied);
    }
}

// Time.
impl Http {
    /// When something is due: the end of a request that does not arrive, of an idle connection, or a sign
    /// of life of a stream. `None` while a request waits for its response.
    pub(crate) fn due_us(&self, broker: &Broker) -> Option<u64> {
        let settings = &broker.settings().http;
        let seconds = |count: u32| u64::from(count) * 1_000_000;
        if self.is_last {
            return None;
        }
        if let Some(feed) = self.feed() {
            return feed.due_us(self.active_us);
        }
        if self.is_streaming() {
            return Some(self.active_us + seconds(settings.ping_interval_s));
        }
        if let Some(began_us) = self.began_us {
            return Some(began_us + seconds(settings.request_timeout_s));
        }
        let is_idle = self.in_progress.is_empty() && self.output.is_empty();
        is_idle.then(|| self.active_us + seconds(settings.idle_timeout_s))
    }

    /// Does what is due, if it is.
    pub(crate) fn tick(&mut self, broker: &mut Broker, now: Now) {
        if self.due_us(broker).is_none_or(|due_us| due_us > now.monotonic_us) {
            return;
        }
        if let Some(feed) = self.feed_mut() {
            feed.wake();
        } else if self.is_streaming() {
            // A peer that reads nothing needs none.
            if self.output.is_empty() {
                sign_of_life(&mut self.output);
            }
            self.active_us = now.monotonic_us;
        } else if self.began_us.is_some() {
            let text = "the request did not arrive within http-request-timeout";
            self.refuse(broker, &[], Status::RequestTimeout, text);
            self.began_us = None;
        } else {
            broker.close(self.client, CloseReason::Idle);
            self.is_last = true;
        }
    }
}

impl Open {
    fn complete(head: &[u8], body: &[u8]) -> Open {
        Open { head: head.to_vec(), body: Body::complete(body.to_vec()) }
    }
}

/// Why a peer does not become a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There are too many.
    Full,
    /// It is not on this machine, and there is no password.
    Protected,
}

/// What such a peer is told.
pub(crate) fn refusal(why: Refused) -> Vec<u8> {
    let response = match why {
        Refused::Full => Response::error(Status::Unavailable, "there are too many clients"),
        Refused::Protected => {
            let text = "protected mode: only clients of this machine are served while there is no password";
            Response::error(Status::Forbidden, text)
        }
    };
    let mut output = Output::default();
    let envelope = Envelope { is_keep_alive: false, is_head: false, allowed_origin: None };
    response.write(&mut output, &envelope);
    output.take_all()
}
