//! Requests about queues, as commands.

use super::answer::Answer;
use super::asked::Asked;
use super::batch;
use super::parameters::{self, bad, count, flag, millis};
use super::response::Response;

/// Maximum number of messages in one response.
const COUNT_MAX: u32 = 10_000;
/// Queues that a page of the list visits, unless `count` says otherwise.
const LIST_COUNT: u32 = 100;
/// Maximum delay and lease in seconds: ten years, as for the commands.
const SECONDS_MAX: u32 = 315_360_000;

/// Adds the message in the body, or several.
pub(super) fn push(asked: &mut Asked<'_>, queue: &[u8]) -> Result<Answer, Response> {
    let [delay, id] = parameters::take(&asked.head.target, ["delay", "id"])?;
    let id = match (id, asked.head.idempotency_key) {
        (Some(id), _) => Some(parameters::name(id)?),
        (None, key) => key.map(Into::into),
    };
    let delay_ms = delay.map(|delay| millis("delay", delay, SECONDS_MAX)).transpose()?;
    let batch_max = asked.broker.settings().http.batch_max as usize;
    let one = [asked.body];
    let several = batch::messages(&asked.head, asked.body, batch_max)?;
    let messages = several.as_deref().unwrap_or(&one);
    if delay_ms.is_none() && id.is_none() {
        asked.command(2 + messages.len(), |add| {
            add(b"RPUSH");
            add(queue);
            messages.iter().for_each(|message| add(message));
        });
        return Ok(Answer::Pushed { counts: "length" });
    }
    let options = 2 * (usize::from(delay_ms.is_some()) + usize::from(id.is_some()));
    asked.command(5 + options + messages.len(), |add| {
        for word in [b"QUEUE", &b"PUSH"[..], queue] {
            add(word);
        }
        if let Some(delay_ms) = delay_ms {
            add(b"DELAY");
            add(delay_ms.to_string().as_bytes());
        }
        if let Some(id) = &id {
            add(b"ID");
            add(id);
        }
        add(b"MESSAGES");
        add(messages.len().to_string().as_bytes());
        messages.iter().for_each(|message| add(message));
    });
    Ok(Answer::Pushed { counts: "stored" })
}

/// Takes messages, and waits for them if that is asked for.
pub(super) fn pop(asked: &mut Asked<'_>, queue: &[u8]) -> Result<Answer, Response> {
    let [wait, wanted, lease] = parameters::take(&asked.head.target, ["wait", "count", "lease"])?;
    let settings = &asked.broker.settings().http;
    let wait_ms = wait.map(|wait| millis("wait", wait, settings.wait_max_s)).transpose()?;
    let wait_ms = wait_ms.filter(|ms| *ms > 0);
    let own_lease_ms = u64::from(settings.lease_s) * 1000;
    let lease_ms = lease.map(|lease| millis("lease", lease, SECONDS_MAX)).transpose()?;
    let is_many = wanted.is_some();
    let wanted = wanted.map_or(Ok(1), |wanted| count("count", wanted, COUNT_MAX))?;
    let mut digits = itoa::Buffer::new();
    let wanted = digits.format(wanted).as_bytes();
    // Without a lease, messages of such a queue would belong to the connection, which may close at once.
    if lease_ms.is_some() || asked.broker.is_at_least_once(queue) {
        let lease_ms = lease_ms.unwrap_or(own_lease_ms).max(1).to_string();
        let block_ms = wait_ms.map(|ms| ms.to_string());
        asked.command(8 + 2 * usize::from(block_ms.is_some()), |add| {
            for word in [&b"QUEUE"[..], b"POP", b"1", queue, b"COUNT", wanted, b"LEASE"] {
                add(word);
            }
            add(lease_ms.as_bytes());
            if let Some(block_ms) = &block_ms {
                add(b"BLOCK");
                add(block_ms.as_bytes());
            }
        });
        return Ok(Answer::Popped { is_many });
    }
    match wait_ms {
        None if is_many => asked.words(&[b"LPOP", queue, wanted]),
        None => asked.words(&[b"LPOP", queue]),
        Some(ms) => {
            let seconds = format!("{}.{:03}", ms / 1000, ms % 1000);
            asked.words(&[b"BLMPOP", seconds.as_bytes(), b"1", queue, b"LEFT", b"COUNT", wanted]);
        }
    }
    Ok(Answer::Popped { is_many })
}

/// Acknowledges a message in flight.
pub(super) fn acknowledge(
    asked: &mut Asked<'_>,
    queue: &[u8],
    receipt: &[u8],
) -> Result<Answer, Response> {
    let [] = parameters::take(&asked.head.target, [])?;
    asked.words(&[b"QUEUE", b"ACK", queue, b"IDS", b"1", receipt]);
    Ok(Answer::InFlight)
}

/// Returns a message in flight to its queue, or makes it a dead letter.
pub(super) fn give_back(
    asked: &mut Asked<'_>,
    queue: &[u8],
    receipt: &[u8],
) -> Result<Answer, Response> {
    let [delay, reject] = parameters::take(&asked.head.target, ["delay", "reject"])?;
    let delay_ms = delay.map(|delay| millis("delay", delay, SECONDS_MAX)).transpose()?;
    let delay_ms = delay_ms.map(|ms| ms.to_string());
    let is_rejected = flag("reject", reject)?;
    let start = [&b"QUEUE"[..], b"NACK", queue, b"IDS", b"1", receipt];
    match (&delay_ms, is_rejected) {
        (None, false) => asked.words(&start),
        (None, true) => asked.words(&[&start[..], &[b"FATAL"]].concat()),
        (Some(ms), false) => asked.words(&[&start[..], &[b"DELAY", ms.as_bytes()]].concat()),
        (Some(_), true) => return Err(bad("expected delay or reject, not both")),
    }
    Ok(Answer::InFlight)
}

/// Begins the time of a message in flight anew.
pub(super) fn extend(
    asked: &mut Asked<'_>,
    queue: &[u8],
    receipt: &[u8],
) -> Result<Answer, Response> {
    let [lease] = parameters::take(&asked.head.target, ["lease"])?;
    let own_lease_ms = u64::from(asked.broker.settings().http.lease_s) * 1000;
    let lease_ms = lease.map(|lease| millis("lease", lease, SECONDS_MAX)).transpose()?;
    let lease_ms = lease_ms.unwrap_or(own_lease_ms).max(1).to_string();
    let words = [b"QUEUE", &b"TOUCH"[..], queue, b"IDS", b"1", receipt, b"LEASE"];
    asked.words(&[&words[..], &[lease_ms.as_bytes()]].concat());
    Ok(Answer::InFlight)
}

/// What is known about the queues, a page at a time.
pub(super) fn list(asked: &mut Asked<'_>) -> Result<Answer, Response> {
    let names = ["cursor", "count", "match"];
    let [cursor, wanted, pattern] = parameters::take(&asked.head.target, names)?;
    let wanted = wanted.map_or(Ok(LIST_COUNT), |wanted| count("count", wanted, COUNT_MAX))?;
    let wanted = wanted.to_string();
    let pattern = pattern.map(parameters::name).transpose()?;
    let cursor = cursor.unwrap_or("0").as_bytes();
    let mut words = vec![&b"QUEUE"[..], b"STATS", cursor, b"COUNT", wanted.as_bytes()];
    if let Some(pattern) = &pattern {
        words.extend([&b"MATCH"[..], pattern]);
    }
    asked.words(&words);
    Ok(Answer::Listed)
}

/// What is known about a queue.
pub(super) fn info(asked: &mut Asked<'_>, queue: &[u8]) -> Result<Answer, Response> {
    let [] = parameters::take(&asked.head.target, [])?;
    asked.words(&[b"QUEUE", b"INFO", queue]);
    Ok(Answer::Json { field: None })
}
