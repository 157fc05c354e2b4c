//! Which request asks for what.

use super::answer::Answer;
use super::asked::Asked;
use super::events::Events;
use super::feed::Feed;
use super::head::Method::{self, Delete, Get, Head, Patch, Post};
use super::parameters::{self, bad, flag, name};
use super::response::{Envelope, Response, Status};
use super::scrape::Scrape;
use super::{command, page, queues};

/// Turns a request into commands and what becomes of their replies, or answers it at once.
///
/// # Errors
/// The response, if nothing is asked of the broker for it.
pub(super) fn route(asked: &mut Asked<'_>, envelope: &Envelope) -> Result<Answer, Response> {
    let target = asked.head.target;
    if let Some(queue) = mapped_queue(asked, target.path) {
        return match asked.head.method {
            Post => queues::push(asked, queue.as_bytes()),
            _ => Err(not_allowed("POST")),
        };
    }
    match (asked.head.method, target.segments()) {
        (Get | Head, []) => page::get(asked),
        (Get | Head, ["healthz"]) => Err(health(None)),
        (Get | Head, ["readyz"]) => Err(health(asked.broker.unreadiness())),
        (Get, ["metrics"]) => metrics(asked),
        (Get, ["events"]) => feed(asked, envelope),
        (Post, ["command"]) => command::run(asked),
        (Get, ["queues"]) => queues::list(asked),
        (Post, ["queues", queue]) => queues::push(asked, &name(queue)?),
        (Get, ["queues", queue]) => queues::pop(asked, &name(queue)?),
        (Get, ["queues", queue, "info"]) => queues::info(asked, &name(queue)?),
        (Delete, ["queues", queue, "inflight", receipt]) => {
            queues::acknowledge(asked, &name(queue)?, &name(receipt)?)
        }
        (Patch, ["queues", queue, "inflight", receipt]) => {
            queues::extend(asked, &name(queue)?, &name(receipt)?)
        }
        (Post, ["queues", queue, "inflight", receipt, "return"]) => {
            queues::give_back(asked, &name(queue)?, &name(receipt)?)
        }
        (Post, ["channels", channel]) => publish(asked, &name(channel)?),
        (Get, ["channels", channel]) => subscribe(asked, &name(channel)?, envelope),
        (_, segments) => Err(match methods(segments) {
            Some(allowed) => not_allowed(allowed),
            None => Response::error(Status::NotFound, "there is nothing at this path"),
        }),
    }
}

/// The methods of the paths above.
fn methods(segments: &[&str]) -> Option<&'static str> {
    Some(match segments {
        [] | ["healthz" | "readyz"] => "GET, HEAD",
        ["events" | "metrics" | "queues"] | ["queues", _, "info"] => "GET",
        ["command"] | ["queues", _, "inflight", _, "return"] => "POST",
        ["queues" | "channels", _] => "GET, POST",
        ["queues", _, "inflight", _] => "DELETE, PATCH",
        _ => return None,
    })
}

fn not_allowed(methods: &'static str) -> Response {
    let text = format!("expected one of these methods: {methods}");
    Response::error(Status::MethodNotAllowed, &text).with("Allow", methods)
}

/// The queue to which a path of `http-push-paths` belongs.
fn mapped_queue(asked: &Asked<'_>, path: &str) -> Option<String> {
    let (pairs, _) = asked.broker.settings().http.push_paths.as_chunks::<2>();
    pairs.iter().find(|[own, _]| own == path).map(|[_, queue]| queue.clone())
}

fn health(trouble: Option<String>) -> Response {
    match trouble {
        None => Response::json(Status::Ok, b"{\"status\":\"ok\"}\n".to_vec()),
        Some(text) => Response::error(Status::Unavailable, &text).with("Retry-After", "1"),
    }
}

/// What the page shows.
fn feed(asked: &mut Asked<'_>, envelope: &Envelope) -> Result<Answer, Response> {
    let [] = parameters::take(&asked.head.target, [])?;
    Ok(Answer::Feed(Box::new(Feed::new(asked.broker, asked.client, envelope))))
}

fn metrics(asked: &mut Asked<'_>) -> Result<Answer, Response> {
    let [] = parameters::take(&asked.head.target, [])?;
    let queues_max = asked.broker.settings().metrics_queues_max as usize;
    Ok(Answer::Scrape(Box::new(Scrape::new(asked.head.accept, queues_max))))
}

fn publish(asked: &mut Asked<'_>, channel: &[u8]) -> Result<Answer, Response> {
    let [] = parameters::take(&asked.head.target, [])?;
    let message = asked.body;
    asked.words(&[b"PUBLISH", channel, message]);
    Ok(Answer::Published)
}

fn subscribe(
    asked: &mut Asked<'_>,
    channel: &[u8],
    envelope: &Envelope,
) -> Result<Answer, Response> {
    let [pattern] = parameters::take(&asked.head.target, ["pattern"])?;
    let is_pattern = flag("pattern", pattern)?;
    if !asked.body.is_empty() {
        return Err(bad("expected no body"));
    }
    let name: &[u8] = if is_pattern { b"PSUBSCRIBE" } else { b"SUBSCRIBE" };
    asked.words(&[name, channel]);
    Ok(Answer::Events(Box::new(Events::new(envelope.clone()))))
}

/// Whether a request is answered whoever asks: a probe has no password.
pub(super) fn is_for_everybody(method: Method, segments: &[&str]) -> bool {
    matches!((method, segments), (Get | Head, ["healthz" | "readyz"]))
}
