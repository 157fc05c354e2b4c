//! QUEUE PUSH: a push with a delay or an id.

use crate::commands::push::push_or_wait;
use crate::engine::{Arguments, CommandError, Context, integer_within};
use crate::keyspace::{Plain, Slot};
use crate::policy::{MILLIS_MAX, QueuePolicy};
use crate::queue::{End, Queue};
use crate::queueing::{PushRules, Target};
use crate::resp::{Args, Request};

const DELAY_RANGE: &str = "ERR DELAY takes a whole number of milliseconds from 0 to 315360000000";
const COUNT_DIFFERS: &str =
    "ERR the number after MESSAGES must be that of the messages, which follow it";

/// The arguments after the key.
struct Push<'a> {
    end: End,
    /// `Some(0)`: not delayed, whatever the policy says.
    delay_ms: Option<i64>,
    id: Option<&'a [u8]>,
    messages: Args<'a>,
}

/// Parses `[LEFT] [DELAY ms] [ID id] MESSAGES n message …`, the options in any order.
fn parse(mut args: Arguments<'_>) -> Result<Push<'_>, CommandError> {
    let (mut end, mut delay_ms, mut id) = (None, None, None);
    while !args.takes("messages") {
        if end.is_none() && args.takes("left") {
            end = Some(End::Front);
        } else if delay_ms.is_none() && args.takes("delay") {
            delay_ms = Some(delay_of(&mut args)?);
        } else if id.is_none() && args.takes("id") {
            id = Some(args.required()?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let count = integer_within(args.required()?, 1, i64::MAX, COUNT_DIFFERS)?;
    let messages = args.rest();
    if usize::try_from(count) != Ok(messages.len()) {
        return Err(CommandError::text(COUNT_DIFFERS));
    }
    Ok(Push { end: end.unwrap_or(End::Back), delay_ms, id, messages })
}

/// Takes a delay in milliseconds.
pub(super) fn delay_of(args: &mut Arguments<'_>) -> Result<i64, CommandError> {
    args.integer_within(0, MILLIS_MAX, DELAY_RANGE)
}

/// Checks that the policy of a queue has what the options need.
fn check_options(
    push: &Push<'_>,
    policy: Option<&QueuePolicy>,
    key: &[u8],
) -> Result<(), CommandError> {
    let is_delayed = push.delay_ms.is_some_and(|delay_ms| delay_ms > 0);
    let has_window = |policy: &QueuePolicy| policy.dedup_window_ms.is_some();
    let lacking = if is_delayed && !policy.is_some_and(QueuePolicy::provides_delays) {
        "DELAY needs a policy with delay-ms or delivery at-least-once"
    } else if push.id.is_some() && !policy.is_some_and(has_window) {
        "ID needs a policy with dedup-window-ms"
    } else {
        return Ok(());
    };
    let text = [b"ERR QUEUE PUSH with ", lacking.as_bytes(), b" for '", key, b"'"];
    Err(CommandError::Bytes(text.concat()))
}

pub(super) fn push(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = args.required()?;
    let push = parse(args)?;
    let keyspace = &mut ctx.state.keyspace;
    keyspace.list(ctx.db, key)?;
    let policy = keyspace.policy_for(ctx.db, key);
    check_options(&push, policy.as_deref(), key)?;
    let messages = push.messages.clone();
    let room = || messages.clone().map(|message| Queue::bytes_for(message.len())).sum();
    let pushed = keyspace.change_or_create_plain_list(ctx.db, key, room, |queue| {
        messages.clone().for_each(|message| queue.push(push.end, message));
    })?;
    if let Plain::UnderPolicy(at) = pushed {
        return push_under_policy(ctx, request, (at, key), &push);
    }
    keyspace.effects.record_push(ctx.db, push.end, key, messages.clone());
    ctx.reply.count(messages.len());
    Ok(())
}

fn push_under_policy(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    (at, key): (Slot, &[u8]),
    push: &Push<'_>,
) -> Result<(), CommandError> {
    let mut rules = PushRules::of(&ctx.state.keyspace, at);
    if let Some(delay_ms) = push.delay_ms {
        rules.delay_ms = Some(delay_ms).filter(|delay_ms| *delay_ms > 0);
    }
    let to = Target { at, key, end: push.end, rules, id: push.id };
    if let Some(pushed) = push_or_wait(ctx, request, &to, push.messages.clone())? {
        ctx.reply.count(pushed.stored);
    }
    Ok(())
}
