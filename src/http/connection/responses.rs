//! Responses: the broker's replies, as bytes for the peer.

use super::{Exchange, Http, OUTPUT_BYTES_MAX, Refused, refusal};
use crate::broker::Broker;
use crate::clients::CloseReason;
use crate::clock::Now;
use crate::http::answer::Answer;
use crate::http::response::{Envelope, Response};
use crate::http::session::Change;
use crate::http::step::Step;
use crate::resp::{Output, Protocol, Reply, ReplyParser};
use std::collections::VecDeque;

/// Replies are taken in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;

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
        self.record_memory(broker, now);
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

    pub(super) fn write(&mut self, broker: &mut Broker, response: &Response, envelope: &Envelope) {
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
