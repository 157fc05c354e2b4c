//! Responses: the broker's replies, as bytes for the peer.

use super::{Exchange, Http, OUTPUT_BYTES_MAX, Refused, refusal};
use crate::broker::Broker;
use crate::clients::CloseReason;
use crate::clock::Now;
use crate::http::answer::Answer;
use crate::http::json;
use crate::http::response::{Envelope, Response, Status, write_message};
use crate::http::step::Step;
use crate::resp::{Output, Protocol, Reply, ReplyError};

/// Replies are taken in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;
/// An idle connection keeps space for so many requests, at most 4 KB, so that a usual pipeline needs no
/// allocation.
const IDLE_REQUESTS_MAX: usize = 32;

impl Http {
    /// Turns replies that may be sent into responses. Returns the number of bytes to send.
    pub(crate) fn pull(&mut self, broker: &mut Broker, now: Now) -> usize {
        let was_empty = self.output.is_empty();
        self.take_output(broker, now);
        self.mark_output(was_empty, now);
        // An idle connection keeps no buffers.
        if let Some(buffer) = self.replies.release() {
            broker.keep_spare_buffer(buffer);
        }
        if self.in_progress.is_empty() {
            self.in_progress.shrink_to(IDLE_REQUESTS_MAX);
        }
        self.record_memory(broker, now);
        self.output.len()
    }

    fn take_output(&mut self, broker: &mut Broker, now: Now) {
        loop {
            self.write_ready(broker);
            if self.output.len() >= OUTPUT_BYTES_MAX {
                break;
            }
            if broker.sendable(self.client) == 0 {
                break;
            }
            if self.replies.is_unallocated() {
                self.replies.adopt(broker.spare_buffer());
            }
            let replies = &mut self.replies;
            broker.take_output(self.client, PIECE_BYTES, now, |bytes| replies.feed(bytes));
            if let Err(error) = self.take_replies(broker, now) {
                log::error!("HTTP: the broker's reply cannot be read: {error}");
                broker.close(self.client, CloseReason::ConnectionFailed);
                return;
            }
        }
    }

    /// Turns the replies that were taken into responses.
    fn take_replies(&mut self, broker: &mut Broker, now: Now) -> Result<(), ReplyError> {
        self.adopt_output(broker);
        loop {
            while self.take_message(broker) {}
            match self.replies.next_reply()? {
                Some(reply) => self.take_reply(broker, reply, now),
                None => return Ok(()),
            }
        }
    }

    /// A pop of one message usually has the message as its reply. It goes into the response without a copy
    /// of its own. False if that is not what comes next.
    fn take_message(&mut self, broker: &mut Broker) -> bool {
        let Some(Exchange { answer: Answer::Popped { is_many: false }, envelope }) =
            self.in_progress.front()
        else {
            return false;
        };
        let Some(message) = self.replies.next_text() else { return false };
        write_message(&mut self.output, envelope, message);
        let is_keep_alive = envelope.is_keep_alive;
        self.in_progress.pop_front();
        if !is_keep_alive {
            self.end(broker);
        }
        self.write_ready(broker);
        true
    }

    /// Gives the output a buffer, which it will need.
    fn adopt_output(&mut self, broker: &mut Broker) {
        if self.output.is_unallocated() {
            self.output.adopt(broker.spare_buffer());
        }
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

    fn take_reply(&mut self, broker: &mut Broker, reply: Reply, now: Now) {
        let Some(exchange) = self.in_progress.front_mut() else {
            return self.take_unasked(broker, &reply);
        };
        match exchange.answer.take(reply, &mut self.output) {
            Step::More => {}
            Step::Respond(response) => {
                if let Some(Exchange { envelope, .. }) = self.in_progress.pop_front() {
                    self.write(broker, &response, &envelope);
                }
                self.write_ready(broker);
            }
            Step::Session(wanted, result) => {
                self.in_progress.pop_front();
                self.session.changed(wanted, result.is_ok());
                // RESET has set it to the default, and the user too.
                broker.set_protocol(self.client, Protocol::Resp3);
                if !wanted.has_credentials() {
                    broker.log_in_by_certificate(self.client, now);
                }
                self.refusal = result.err();
            }
            Step::End => self.end(broker),
        }
    }

    /// Takes a reply to nothing: why the broker closes the connection.
    fn take_unasked(&mut self, broker: &mut Broker, reply: &Reply) {
        match reply {
            _ if self.is_last => {}
            Reply::Error(text) => {
                let (_, text) = json::code_and_message(text);
                let text = String::from_utf8_lossy(text);
                self.write(broker, &Response::error(Status::Unavailable, &text), &Envelope::LAST);
            }
            _ => debug_assert!(false, "a reply that nothing asked for: {reply:?}"),
        }
    }

    pub(super) fn write(&mut self, broker: &mut Broker, response: &Response, envelope: &Envelope) {
        self.adopt_output(broker);
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
        (self.active_us, self.sent_us) = (now.monotonic_us, now.monotonic_us);
        broker.count_sent(bytes);
        // An idle connection keeps no buffer.
        if let Some(buffer) = self.output.release() {
            broker.keep_spare_buffer(buffer);
        }
        self.record_memory(broker, now);
    }

    /// The peer is not served.
    pub(crate) fn deny(&mut self, broker: &mut Broker, why: Refused) {
        broker.count_rejected_connection();
        self.is_last = true;
        self.output.raw(&refusal(why));
        broker.close(self.client, CloseReason::Denied);
    }
}
