//! How the replies to the commands of a request become its response.

use super::events::Events;
use super::feed::Feed;
use super::json;
use super::response::{BYTES, Response, Status, of_error};
use super::scrape::Scrape;
use super::session::Identity;
use super::step::Step;
use crate::resp::{Output, Reply};

/// What becomes of the replies to a request's commands.
#[derive(Debug)]
pub(super) enum Answer {
    /// There are none: this is the response.
    Respond(Response),
    /// One: how many messages the queue has, or took.
    Pushed { counts: &'static str },
    /// One: how many subscribers got a message.
    Published,
    /// One: the messages, or null.
    Popped { is_many: bool },
    /// One: how many messages in flight were found, of one.
    InFlight,
    /// One: a page of the queues.
    Listed,
    /// One, which is shown as it is, as a field of an object or alone.
    Json { field: Option<&'static str> },
    /// One to RESET, and one to AUTH if there are credentials: whether this user is now behind the connection.
    /// There is no response.
    Session(Identity),
    /// All from now on: messages of channels.
    Events(Box<Events>),
    /// All from now on: those to the commands that the page's stream asks for.
    Feed(Box<Feed>),
    /// Several: those to the commands that the metrics ask for.
    Scrape(Box<Scrape>),
}

impl Answer {
    /// Whether nothing else may be asked on the connection meanwhile.
    pub(super) fn is_exclusive(&self) -> bool {
        match self {
            Answer::Session(_) | Answer::Events(_) | Answer::Feed(_) | Answer::Scrape(_) => true,
            Answer::Respond(_)
            | Answer::Pushed { .. }
            | Answer::Published
            | Answer::Popped { .. }
            | Answer::InFlight
            | Answer::Listed
            | Answer::Json { .. } => false,
        }
    }

    /// Whether the response is a stream of events.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Answer::Events(_) | Answer::Feed(_))
    }

    /// Whether there is another command to run for the response.
    pub(super) fn has_question(&self) -> bool {
        match self {
            Answer::Feed(feed) => feed.has_question(),
            Answer::Scrape(scrape) => scrape.has_question(),
            _ => false,
        }
    }

    /// Adds that command.
    pub(super) fn ask(&mut self, commands: &mut Vec<u8>) {
        match self {
            Answer::Feed(feed) => feed.ask(commands),
            Answer::Scrape(scrape) => scrape.ask(commands),
            _ => {}
        }
    }

    /// Takes the next reply. Streams are written to `output`.
    pub(super) fn take(&mut self, reply: Reply, output: &mut Output) -> Step {
        let reply = match (self, reply) {
            (Answer::Session(wanted), Reply::Simple(text))
                if wanted.has_credentials() && text == b"RESET" =>
            {
                return Step::More;
            }
            (Answer::Session(wanted), reply) => {
                let result = match reply {
                    Reply::Error(text) => Err(text),
                    _ => Ok(()),
                };
                return Step::Session(*wanted, result);
            }
            (Answer::Events(events), reply) => return events.take(reply, output),
            (Answer::Feed(feed), reply) => return feed.take(&reply, output),
            (Answer::Scrape(scrape), reply) => return scrape.take(reply),
            (_, Reply::Error(text)) => return Step::Respond(of_error(&text)),
            (answer, reply) => answer.respond(reply),
        };
        Step::Respond(reply.unwrap_or_else(|reply| {
            log::error!("HTTP: a command has an unexpected reply: {reply:?}");
            Response::error(Status::ServerError, "a command had an unexpected reply")
        }))
    }

    /// The response to the one reply.
    ///
    /// # Errors
    /// The reply, if the command cannot have it.
    fn respond(&self, reply: Reply) -> Result<Response, Reply> {
        match (self, reply) {
            (Answer::Pushed { counts }, Reply::Integer(count)) => {
                Ok(Response::count(Status::Accepted, counts, count))
            }
            (Answer::Published, Reply::Integer(count)) => {
                Ok(Response::count(Status::Ok, "receivers", count))
            }
            (Answer::InFlight, Reply::Integer(0)) => {
                let text =
                    "no message in flight has this receipt: it was acknowledged or has returned";
                Ok(Response::error(Status::NotFound, text))
            }
            (Answer::InFlight, Reply::Integer(_)) => Ok(Response::empty(Status::NoContent)),
            (Answer::Popped { .. }, Reply::Null) => Ok(Response::empty(Status::NoContent)),
            (Answer::Popped { is_many: false }, Reply::Bulk(message)) => {
                Ok(Response::new(Status::Ok, BYTES, message))
            }
            (Answer::Popped { is_many }, Reply::Array(items)) => popped(items, *is_many),
            (Answer::Listed, Reply::Array(page)) => listed(page),
            (Answer::Json { field }, reply) => {
                Ok(Response::json(Status::Ok, shown(*field, &reply)))
            }
            (_, reply) => Err(reply),
        }
    }
}

fn shown(field: Option<&str>, reply: &Reply) -> Vec<u8> {
    let mut body = Vec::new();
    match field {
        Some(field) => {
            body.extend_from_slice(b"{\"");
            body.extend_from_slice(field.as_bytes());
            body.extend_from_slice(b"\":");
            json::write(&mut body, reply);
            body.push(b'}');
        }
        None => json::write(&mut body, reply),
    }
    body.push(b'\n');
    body
}

/// A table, with the names of its columns once, as objects.
fn listed(page: Vec<Reply>) -> Result<Response, Reply> {
    let [cursor, Reply::Array(names), Reply::Array(rows)] = &page[..] else {
        return Err(Reply::Array(page));
    };
    let mut body = b"{\"cursor\":".to_vec();
    json::write(&mut body, cursor);
    body.extend_from_slice(b",\"queues\":");
    json::write_list(&mut body, rows.iter(), |out, row| {
        let cells = row.items().unwrap_or_default().iter().cloned();
        let fields = names.iter().cloned().zip(cells).collect();
        json::write(out, &Reply::Map(fields));
    });
    body.extend_from_slice(b"}\n");
    Ok(Response::json(Status::Ok, body))
}

/// A message as a pop returns it.
struct Popped {
    message: Vec<u8>,
    /// In an at-least-once queue.
    delivery: Option<Delivery>,
}

/// What is known about a delivery.
struct Delivery {
    /// Digits.
    receipt: String,
    /// How often the message was delivered, with this time.
    deliveries: i64,
    waited_ms: i64,
}

/// The reply is that of LPOP with a count, of BLMPOP, or of QUEUE POP. (LPOP without one has a message alone.)
fn popped(items: Vec<Reply>, is_many: bool) -> Result<Response, Reply> {
    let items = match <[Reply; 2]>::try_from(items) {
        Ok([_, Reply::Array(items)]) => items,
        Ok(both) => both.into(),
        Err(items) => items,
    };
    let mut messages = items.into_iter().map(message_of).collect::<Result<Vec<_>, _>>()?;
    if is_many {
        return Ok(Response::json(Status::Ok, many(&messages)));
    }
    let Some(Popped { message, delivery }) = messages.pop() else { return Err(Reply::Null) };
    let mut response = Response::new(Status::Ok, BYTES, message);
    if let Some(Delivery { receipt, deliveries, waited_ms }) = delivery {
        response = response
            .with("Tidegate-Receipt", &receipt)
            .with("Tidegate-Deliveries", &deliveries.to_string())
            .with("Tidegate-Waited-Ms", &waited_ms.to_string());
    }
    Ok(response)
}

fn message_of(item: Reply) -> Result<Popped, Reply> {
    match item {
        Reply::Bulk(message) => Ok(Popped { message, delivery: None }),
        Reply::Array(fields) => match <[Reply; 4]>::try_from(fields) {
            Ok(
                [
                    Reply::Bulk(receipt),
                    Reply::Bulk(message),
                    Reply::Integer(deliveries),
                    Reply::Integer(waited_ms),
                ],
            ) if receipt.iter().all(u8::is_ascii_digit) => {
                let receipt = String::from_utf8_lossy(&receipt).into_owned();
                Ok(Popped { message, delivery: Some(Delivery { receipt, deliveries, waited_ms }) })
            }
            Ok(other) => Err(Reply::Array(other.into())),
            Err(fields) => Err(Reply::Array(fields)),
        },
        other => Err(other),
    }
}

fn many(messages: &[Popped]) -> Vec<u8> {
    let mut body = b"{\"messages\":".to_vec();
    json::write_list(&mut body, messages.iter(), |out, Popped { message, delivery }| {
        out.extend_from_slice(b"{\"message\":");
        json::write_bytes(out, message);
        if let Some(Delivery { receipt, deliveries, waited_ms }) = delivery {
            let text = format!(
                ",\"receipt\":\"{receipt}\",\"deliveries\":{deliveries},\"waited-ms\":{waited_ms}"
            );
            out.extend_from_slice(text.as_bytes());
        }
        out.push(b'}');
    });
    body.extend_from_slice(b"}\n");
    body
}
