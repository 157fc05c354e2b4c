//! One connection: requests come in and become commands of its client of the broker (`requests`); the
//! client's replies become responses, in the order of the requests (`responses`).
//!
//! Requests are read in the stage of a turn in which commands run, and replies are taken in the stage in
//! which clients are written to: by then the changes that they report are recorded.

mod requests;
mod responses;

use super::answer::Answer;
use super::body::Body;
use super::events::sign_of_life;
use super::response::{Envelope, Response, Status};
use super::session::Session;
use crate::broker::Broker;
use crate::client_id::ClientId;
use crate::clients::{CloseReason, Peer};
use crate::clock::Now;
use crate::resp::{Output, Protocol, ReplyParser};
use std::collections::VecDeque;

/// No more replies are taken while there is so much to send: the rest stays with the broker, whose limits on
/// unread output apply.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
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
    /// Nor is the rest of the last one.
    is_refused: bool,
    replies: ReplyParser,
    output: Output,
    /// When something was last read or written.
    active_us: u64,
    /// When output began to wait for the peer, or some of it was last sent.
    sent_us: u64,
    /// Memory that the broker was told of.
    recorded_bytes: usize,
}

/// A request that has not become commands.
#[derive(Debug)]
struct Open {
    head: Vec<u8>,
    /// Whether its response has no body.
    is_head: bool,
    body: Body,
    /// Whether the peer waits for a permission to send the body.
    expects_continue: bool,
}

/// A request whose commands are with the broker.
#[derive(Debug)]
struct Exchange {
    answer: Answer,
    envelope: Envelope,
}

impl Http {
    /// Begins with a peer. `slot` is the slot of its connection. `None` only in a build without HTTP.
    pub(crate) fn begin(broker: &mut Broker, slot: usize, peer: Peer, now: Now) -> Option<Http> {
        let session = Session::new(broker.user_changes());
        let client = broker.connect(slot, peer, now);
        broker.set_protocol(client, Protocol::Resp3);
        Some(Http {
            client,
            input: Vec::new(),
            searched: 0,
            is_partial: false,
            began_us: None,
            open: None,
            session,
            refusal: None,
            in_progress: VecDeque::new(),
            is_last: false,
            is_refused: false,
            replies: ReplyParser::default(),
            output: Output::default(),
            active_us: now.monotonic_us,
            sent_us: now.monotonic_us,
            recorded_bytes: 0,
        })
    }

    /// The connection's client of the broker.
    pub(crate) fn client(&self) -> ClientId {
        self.client
    }

    /// Whether the connection should be read: for requests, to see its end during a stream, or until the
    /// peer has read why it is refused.
    pub(crate) fn wants_input(&self, broker: &Broker) -> bool {
        self.is_streaming() || self.is_refused || self.takes_requests(broker)
    }

    /// Whether input is only read to be discarded: the last request was refused before it ended.
    pub(crate) fn discards_input(&self) -> bool {
        self.is_refused
    }

    fn is_streaming(&self) -> bool {
        self.in_progress.front().is_some_and(|first| first.answer.is_stream())
    }

    fn takes_requests(&self, broker: &Broker) -> bool {
        let max = broker.settings().http.pipeline_max as usize;
        !self.is_last
            && self.in_progress.len() < max
            && self.output.len() < OUTPUT_BYTES_MAX
            && !self.in_progress.back().is_some_and(|last| last.answer.is_exclusive())
            && broker.wants_input(self.client)
    }

    /// Whether requests wait for their responses.
    pub(super) fn is_waiting(&self) -> bool {
        !self.in_progress.is_empty() && !self.is_streaming()
    }

    /// Memory of requests that have not become commands.
    pub(super) fn request_bytes(&self) -> usize {
        let open = self.open.as_ref();
        let open_bytes = open.map_or(0, |open| open.head.capacity() + open.body.memory_bytes());
        self.input.capacity() + open_bytes
    }

    /// Output waits for the peer from now on, if there was none.
    fn mark_output(&mut self, was_empty: bool, now: Now) {
        if was_empty && !self.output.is_empty() {
            self.sent_us = now.monotonic_us;
        }
    }

    /// Has the broker count the memory of this connection with that of its client.
    fn record_memory(&mut self, broker: &mut Broker, now: Now) {
        let buffers = self.output.memory_bytes() + self.replies.memory_bytes();
        let bytes = self.request_bytes() + buffers;
        if bytes != self.recorded_bytes {
            self.recorded_bytes = bytes;
            broker.record_interface_memory(self.client, bytes, now);
        }
    }

    /// Whether there is something to do without further input.
    pub(crate) fn has_work(&self, broker: &Broker) -> bool {
        let has_more = |open: &Open| open.body.is_complete() || open.expects_continue;
        let is_open =
            self.open.as_ref().is_some_and(|open| has_more(open)) || self.refusal.is_some();
        let has_input = !self.input.is_empty() && !self.is_partial;
        let first = self.in_progress.front();
        let has_question = first.is_some_and(|first| first.answer.has_question())
            && self.output.len() < OUTPUT_BYTES_MAX
            && broker.wants_input(self.client);
        has_question || (is_open || has_input) && self.takes_requests(broker)
    }
}

impl Http {
    /// When something is due: the end of a request that does not arrive, of an idle connection, or of one
    /// whose peer does not read; or a sign of life of a stream. `None` while a request waits for its response.
    pub(crate) fn due_us(&self, broker: &Broker) -> Option<u64> {
        let settings = &broker.settings().http;
        let seconds = |count: u32| u64::from(count) * 1_000_000;
        if self.is_last {
            return None;
        }
        if let Some(Exchange { answer: Answer::Feed(feed), .. }) = self.in_progress.front() {
            return feed.due_us(self.active_us);
        }
        if self.is_streaming() {
            return Some(self.active_us + seconds(settings.ping_interval_s));
        }
        let idle_us = seconds(settings.idle_timeout_s);
        if !self.output.is_empty() {
            return Some(self.sent_us + idle_us);
        }
        if !self.in_progress.is_empty() {
            return None;
        }
        let late_us = self.late_us(broker).unwrap_or(u64::MAX);
        Some(late_us.min(self.active_us + idle_us))
    }

    /// When the request that is arriving is late. Its time passes only while it is read, from the last
    /// response on.
    fn late_us(&self, broker: &Broker) -> Option<u64> {
        let is_next = self.in_progress.is_empty() && self.output.is_empty();
        let began_us = self.began_us.filter(|_| is_next && self.takes_requests(broker))?;
        let timeout_s = broker.settings().http.request_timeout_s;
        Some(began_us.max(self.sent_us) + u64::from(timeout_s) * 1_000_000)
    }

    /// Does what is due, if it is.
    pub(crate) fn tick(&mut self, broker: &mut Broker, now: Now) {
        if self.due_us(broker).is_none_or(|due_us| due_us > now.monotonic_us) {
            return;
        }
        if let Some(Exchange { answer: Answer::Feed(feed), .. }) = self.in_progress.front_mut() {
            feed.wake();
        } else if self.is_streaming() {
            // A peer that reads nothing needs none.
            if self.output.is_empty() {
                sign_of_life(&mut self.output);
            }
            self.active_us = now.monotonic_us;
        } else if self.late_us(broker).is_some_and(|late_us| late_us <= now.monotonic_us) {
            let text = "the request did not arrive within http-request-timeout";
            let is_head = self.open.as_ref().is_some_and(|open| open.is_head);
            self.refuse(broker, Response::error(Status::RequestTimeout, text), is_head);
            self.began_us = None;
        } else {
            broker.close(self.client, CloseReason::Idle);
            self.is_last = true;
        }
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
    response.write(&mut output, &Envelope::LAST);
    output.take_all()
}
