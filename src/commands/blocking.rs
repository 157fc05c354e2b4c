//! Queues: the list commands that wait, and how waiting clients are served.
//!
//! A command first tries to take, as its non-blocking form does. If nothing is there, the client
//! is put in line at each of its keys and its further input waits. A change that gives such a key
//! a value puts the key on the keyspace's ready list; after the command the broker serves the
//! clients in line, the longest-waiting first, with the same `take`.

use super::producers;
use super::take::{Taker, end_of, has_messages, many_arguments, take, take_first};
use crate::client_id::ClientId;
use crate::clients::{Blocked, BlockedOn, Take};
use crate::clock::Now;
use crate::engine::Arg::{Many, One, OptionalNamed};
use crate::engine::Group::List;
use crate::engine::syntax::{ENDS, PER_KEY, TAKE_MANY};
use crate::engine::timing;
use crate::engine::uses::{INSERT, TAKE};
use crate::engine::waits::stop_waiting;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::keyspace::Key;
use crate::queue::End;
use crate::queueing::{self, Taken};
use crate::resp::{Output, Request};
use crate::state::State;
use std::iter;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("blpop", -3, blpop).group(List).since("2.0.0").write().blocking()
        .keys(1, -2, TAKE).args(&[Many("key"), One("timeout")]).cost(PER_KEY)
        .says("Takes a message from the left end of the first list that has any, or waits for one."),
    Command::new("brpop", -3, brpop).group(List).since("2.0.0").write().blocking()
        .keys(1, -2, TAKE).args(&[Many("key"), One("timeout")]).cost(PER_KEY)
        .says("Takes a message from the right end of the first list that has any, or waits for one."),
    Command::new("blmove", 6, blmove).group(List).since("6.2.0").write().deny_oom().blocking()
        .key(1, TAKE).key(2, INSERT)
        .args(&[One("source"), One("destination"), ENDS, ENDS, One("timeout")])
        .says("Moves a message from one list to another, or waits for one."),
    Command::new("brpoplpush", 4, brpoplpush).group(List).since("2.2.0").write().deny_oom()
        .blocking().key(1, TAKE).key(2, INSERT)
        .args(&[One("source"), One("destination"), One("timeout")])
        .says("Moves a message from the right end to the left end of another list, or waits for one."),
    Command::new("blmpop", -5, blmpop).group(List).since("7.0.0").write().blocking()
        .numkeys(2, TAKE)
        .args(&[One("timeout"), One("numkeys"), Many("key"), ENDS, OptionalNamed("COUNT", "count")])
        .cost(TAKE_MANY).says("Takes messages from the first list that has any, or waits for one."),
];

pub(super) fn blpop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    blocking_pop(ctx, request, End::Front)
}

pub(super) fn brpop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    blocking_pop(ctx, request, End::Back)
}

fn blocking_pop(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    end: End,
) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let deadline_us = deadline(args.last()?, ctx.now)?;
    take_or_wait(ctx, args.rest(), Take::Pop { end }, deadline_us)
}

pub(super) fn blmpop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let timeout = args.required()?;
    let (keys, end, count) = many_arguments(args)?;
    let deadline_us = deadline(timeout, ctx.now)?;
    take_or_wait(ctx, keys, Take::PopMany { end, count }, deadline_us)
}

pub(super) fn blmove(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (source, destination) = (args.required()?, args.required()?);
    let (from, to) = (end_of(&mut args)?, end_of(&mut args)?);
    let deadline_us = deadline(args.required()?, ctx.now)?;
    let destination = Key::from(destination);
    take_or_wait(ctx, iter::once(source), Take::Move { from, to, destination }, deadline_us)
}

pub(super) fn brpoplpush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (source, destination) = (args.required()?, args.required()?);
    let deadline_us = deadline(args.required()?, ctx.now)?;
    let (from, to, destination) = (End::Back, End::Front, Key::from(destination));
    take_or_wait(ctx, iter::once(source), Take::Move { from, to, destination }, deadline_us)
}

/// When a wait of so many seconds, given as a decimal fraction, is over; none for 0.
fn deadline(arg: &[u8], now: Now) -> Result<Option<u64>, CommandError> {
    let seconds = std::str::from_utf8(arg).ok().and_then(parse_seconds);
    let seconds = seconds.ok_or(CommandError::TimeoutNotAFloat)?;
    let millis = (seconds * 1000.0).ceil();
    // Less than a millisecond below zero is zero.
    if millis < 0.0 {
        return Err(CommandError::TimeoutNegative);
    }
    let now_ms = now.unix_ms();
    if millis > (i64::MAX - now_ms) as f64 {
        return Err(CommandError::TimeoutOutOfRange);
    }
    if millis == 0.0 {
        return Ok(None);
    }
    // Not negative, and within i64 milliseconds by the check above.
    Ok(Some(now.monotonic_us.saturating_add((millis as u64).saturating_mul(1000))))
}

/// A number as C's strtold reads it, without its spaces and NaNs. It may be infinite; one that is
/// too small for us is not zero, which would mean to wait for ever.
fn parse_seconds(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
        return parse_hexadecimal(digits).map(|number| number * sign);
    }
    let number = text.parse::<f64>().ok().filter(|number| !number.is_nan())?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let is_tiny = number == 0.0 && mantissa.contains(|c: char| matches!(c, '1'..='9'));
    let starts_well = !text.starts_with(|c: char| c.is_ascii_whitespace());
    let number = if is_tiny { f64::MIN_POSITIVE.copysign(number) } else { number };
    starts_well.then_some(number)
}

/// `1f.8p-3`: hexadecimal digits, and a power of two in decimal ones.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = match text.split_once(['p', 'P']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut mantissa = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        mantissa = mantissa * 16.0 + f64::from(digit.to_digit(16)?);
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // A request is not long enough for more digits than an i32 can count.
    let places = i32::try_from(fraction.len()).unwrap_or(i32::MAX).saturating_mul(4);
    let number = mantissa * 2.0_f64.powi(exponent.saturating_sub(places));
    let is_tiny = mantissa > 0.0 && number == 0.0;
    Some(if is_tiny { f64::MIN_POSITIVE } else { number })
}

fn take_or_wait<'a>(
    ctx: &mut Context<'_>,
    keys: impl Iterator<Item = &'a [u8]> + Clone,
    wanted: Take,
    deadline_us: Option<u64>,
) -> Result<(), CommandError> {
    let may_wait = ctx.origin.may_wait();
    if !matches!(wanted, Take::Move { .. }) {
        queueing::acknowledge_by_pop(ctx.state, ctx.db, keys.clone(), ctx.client, may_wait);
    }
    if take_first(ctx, keys.clone(), &wanted)? {
        return Ok(());
    }
    if !may_wait {
        match wanted {
            Take::Move { .. } => ctx.reply.null(),
            Take::Pop { .. } | Take::PopMany { .. } => ctx.reply.null_array(),
        }
        return Ok(());
    }
    wait(ctx, keys, wanted, deadline_us);
    Ok(())
}

/// Puts the client in line at each key.
fn wait<'a>(
    ctx: &mut Context<'_>,
    keys: impl Iterator<Item = &'a [u8]>,
    take: Take,
    deadline_us: Option<u64>,
) {
    let state = &mut *ctx.state;
    let ticket = state.next_ticket;
    state.next_ticket += 1;
    let mut is_acknowledged_by_pop = false;
    let in_line = |name| {
        let key = state.keyspace.add_waiter(ctx.db, name, ticket, ctx.client);
        let policy = state.keyspace.policy_of(ctx.db, &key);
        is_acknowledged_by_pop |= policy.is_some_and(|policy| policy.is_acknowledged_by_pop());
        key
    };
    let keys: Vec<Key> = keys.map(in_line).collect();
    if is_acknowledged_by_pop && !matches!(take, Take::Move { .. }) {
        state.clients.note_waiting(ctx.client);
    }
    if let Some(deadline_us) = deadline_us {
        state.wait_deadlines.insert(deadline_us, ctx.client);
    }
    let on = BlockedOn::Keys { db: ctx.db, keys, ticket, take };
    state.clients.block(ctx.client, Blocked { on, deadline_us });
}

/// Ends a client's wait as if its time were over: a consumer gets a null array, whatever it waits for, who
/// waits for replicas their number, a producer the error that there is no room. A client that waits for the end of a pause is left alone.
pub(crate) fn time_out(state: &mut State, client: ClientId) -> bool {
    let error = producers::no_room_error(state, client);
    let blocked = state.clients.get(client).and_then(|client| client.blocked.as_deref());
    let counts_replicas = matches!(blocked, Some(Blocked { on: BlockedOn::Replicas, .. }));
    end_wait(state, client, error.is_some(), |reply| match &error {
        Some(error) => reply.error(&error.to_bytes()),
        None if counts_replicas => reply.integer(0),
        None => reply.null_array(),
    })
}

/// Ends a client's wait with an error (CLIENT UNBLOCK … ERROR).
pub(crate) fn end_wait_with_error(state: &mut State, client: ClientId) -> bool {
    const ERROR: &[u8] = b"UNBLOCKED client unblocked via CLIENT UNBLOCK";
    let is_unblocked = end_wait(state, client, true, |reply| reply.error(ERROR));
    if is_unblocked {
        state.stats.count_error(ERROR);
    }
    is_unblocked
}

fn end_wait(
    state: &mut State,
    client: ClientId,
    has_failed: bool,
    answer: impl FnOnce(&mut Output),
) -> bool {
    let waits = state.clients.get(client).and_then(|client| client.blocked.as_deref());
    if matches!(waits, None | Some(Blocked { on: BlockedOn::Pause, .. })) {
        return false;
    }
    stop_waiting(state, client);
    state.clients.answer(client, answer);
    timing::end_wait(state, client, 0, has_failed);
    true
}

/// Serves the clients in line at keys that got values, until nobody can be served. Moving a
/// message may make another key ready, which is then served too.
pub(crate) fn serve_ready_keys(state: &mut State) {
    loop {
        let ready = state.keyspace.take_ready();
        if ready.is_empty() {
            return;
        }
        for (db, key) in ready {
            serve_key(state, db, &key);
        }
    }
}

fn serve_key(state: &mut State, db: usize, key: &[u8]) {
    let mut last = None;
    while has_messages(&mut state.keyspace, db, key) == Ok(true)
        && let Some((ticket, client)) = state.keyspace.next_waiter(db, key, last)
    {
        last = Some(ticket);
        // Who is about to be closed must not be handed a message.
        let is_closing = state.clients.get(client).is_none_or(|client| client.closing.is_some());
        if is_closing {
            stop_waiting(state, client);
        } else if let Some(BlockedOn::Keys { take: wanted, .. }) = stop_waiting(state, client) {
            let begun_us = state.host.monotonic_us();
            let State { clients, keyspace, effects, stats, .. } = state;
            if effects.is_on() {
                clients.note_change(client);
            }
            let consumer = clients.consumer(client);
            let mut is_to_acknowledge = false;
            let mut has_failed = false;
            clients.answer(client, |reply| {
                let taker = Taker { db, consumer, take: &wanted };
                match take(keyspace, effects, taker, key, reply) {
                    Ok(taken) => is_to_acknowledge = taken == Taken::ToAcknowledge,
                    Err(error) => {
                        has_failed = true;
                        stats.count_error(&error.to_bytes());
                        reply.error(&error.to_bytes());
                    }
                }
            });
            if is_to_acknowledge {
                clients.note_delivered(consumer);
            }
            let took_us = state.host.monotonic_us().saturating_sub(begun_us);
            timing::end_wait(state, client, took_us, has_failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_seconds;

    #[test]
    fn seconds_are_read_as_c_does() {
        let cases: &[(&str, Option<f64>)] = &[
            ("0x10", Some(16.0)),
            ("-0XfF", Some(-255.0)),
            ("+0x.8", Some(0.5)),
            ("0x1.8p3", Some(12.0)),
            ("0x1P-2", Some(0.25)),
            ("0x1p+1", Some(2.0)),
            ("0x0", Some(0.0)),
            ("0x1p-99999", Some(f64::MIN_POSITIVE)),
            ("0x1p99999", Some(f64::INFINITY)),
            ("0x", None),
            ("0x.", None),
            ("0x1p", None),
            ("0xg", None),
            ("0x1.2.3", None),
            ("0x-1", None),
            (" 0x1", None),
            ("1.5e1", Some(15.0)),
            ("", None),
            ("nan", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_seconds(text), *expected, "{text:?}");
        }
        let long = format!("0x{}.{}", "0".repeat(3000), "0".repeat(3000));
        assert_eq!(parse_seconds(&long), Some(0.0));
    }
}
