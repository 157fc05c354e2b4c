//! Queues: the list commands that wait.
//!
//! A command first tries to take a message, like its non-blocking form. If there is none, it waits in
//! the line of each of its keys, and the client's further input waits too. A change that adds messages
//! to such a key puts the key on the keyspace's ready list. After the command that made the change, the
//! waiting calls run again, the longest wait first (see `engine/wake.rs`).

use super::take::{Take, end_of, many_arguments, take_first};
use crate::clients::Wants;
use crate::clock::Now;
use crate::engine::Arg::{Many, One, OptionalNamed};
use crate::engine::Group::List;
use crate::engine::syntax::{ENDS, PER_KEY, TAKE_MANY};
use crate::engine::uses::{INSERT, TAKE};
use crate::engine::wait;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::queue::End;
use crate::queueing;
use crate::resp::Request;
use std::iter;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("blpop", -3, blpop).group(List).since("2.0.0").write().blocking()
        .keys(1, -2, TAKE).args(&[Many("key"), One("timeout")]).cost(PER_KEY)
        .says("Takes a message from the left end of the first list that is not empty, or waits for one."),
    Command::new("brpop", -3, brpop).group(List).since("2.0.0").write().blocking()
        .keys(1, -2, TAKE).args(&[Many("key"), One("timeout")]).cost(PER_KEY)
        .says("Takes a message from the right end of the first list that is not empty, or waits for one."),
    Command::new("blmove", 6, blmove).group(List).since("6.2.0").write().deny_oom().blocking()
        .key(1, TAKE).key(2, INSERT)
        .args(&[One("source"), One("destination"), ENDS, ENDS, One("timeout")])
        .says("Moves a message from one list to another, or waits for one."),
    Command::new("brpoplpush", 4, brpoplpush).group(List).since("2.2.0").write().deny_oom()
        .blocking().key(1, TAKE).key(2, INSERT)
        .args(&[One("source"), One("destination"), One("timeout")])
        .says("Moves a message from the right end of a list to the left end of another, or waits for one."),
    Command::new("blmpop", -5, blmpop).group(List).since("7.0.0").write().blocking()
        .numkeys(2, TAKE)
        .args(&[One("timeout"), One("numkeys"), Many("key"), ENDS, OptionalNamed("COUNT", "count")])
        .cost(TAKE_MANY).says("Takes messages from the first list that is not empty, or waits for one."),
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
    take_or_wait(ctx, request, args.rest(), Take::Pop { end }, deadline_us)
}

pub(super) fn blmpop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let timeout = args.required()?;
    let (keys, end, count) = many_arguments(args)?;
    let deadline_us = deadline(timeout, ctx.now)?;
    take_or_wait(ctx, request, keys, Take::PopMany { end, count }, deadline_us)
}

pub(super) fn blmove(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (source, destination) = (args.required()?, args.required()?);
    let (from, to) = (end_of(&mut args)?, end_of(&mut args)?);
    let deadline_us = deadline(args.required()?, ctx.now)?;
    let wanted = Take::Move { from, to, destination };
    take_or_wait(ctx, request, iter::once(source), wanted, deadline_us)
}

pub(super) fn brpoplpush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (source, destination) = (args.required()?, args.required()?);
    let deadline_us = deadline(args.required()?, ctx.now)?;
    let wanted = Take::Move { from: End::Back, to: End::Front, destination };
    take_or_wait(ctx, request, iter::once(source), wanted, deadline_us)
}

/// Returns the deadline of a wait whose length is given in seconds, as a decimal fraction; none for 0.
pub(super) fn deadline(arg: &[u8], now: Now) -> Result<Option<u64>, CommandError> {
    let seconds = std::str::from_utf8(arg).ok().and_then(parse_seconds);
    let seconds = seconds.ok_or(CommandError::TimeoutNotAFloat)?;
    let millis = (seconds * 1000.0).ceil();
    // A negative number above -1 ms rounds to zero.
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

/// Parses a number as C's strtold does, but refuses spaces and NaN. It may be infinite. A number too
/// small for an f64 does not become zero, which would mean to wait forever.
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

/// Parses `1f.8p-3`: hexadecimal digits, and a decimal exponent of two.
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
    // A request is too short for more digits than an i32 can count.
    let places = i32::try_from(fraction.len()).unwrap_or(i32::MAX).saturating_mul(4);
    let number = mantissa * 2.0_f64.powi(exponent.saturating_sub(places));
    let is_tiny = mantissa > 0.0 && number == 0.0;
    Some(if is_tiny { f64::MIN_POSITIVE } else { number })
}

fn take_or_wait<'a>(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    keys: impl Iterator<Item = &'a [u8]> + Clone,
    wanted: Take<'_>,
    deadline_us: Option<u64>,
) -> Result<(), CommandError> {
    let is_move = matches!(wanted, Take::Move { .. });
    let wants = if is_move { Wants::Move } else { Wants::Message };
    // A call that runs again looks only at the ready key. It acknowledged when it first ran.
    if let Some(key) = ctx.ready_key {
        if !take_first(ctx, iter::once(key), &wanted)? {
            wait::begin(ctx, request, wants, keys, deadline_us);
        }
        return Ok(());
    }
    let may_wait = ctx.origin.may_wait();
    let acknowledges = !is_move;
    if acknowledges {
        queueing::acknowledge_by_pop(ctx.state, ctx.db, keys.clone(), ctx.client, may_wait);
    }
    if take_first(ctx, keys.clone(), &wanted)? {
        return Ok(());
    }
    if may_wait {
        wait::begin(ctx, request, wants, keys.clone(), deadline_us);
        if acknowledges && is_any_acknowledged_by_pop(ctx, keys) {
            ctx.state.clients.mark_waiting(ctx.client);
        }
    } else if acknowledges {
        ctx.reply.null_array();
    } else {
        ctx.reply.null();
    }
    Ok(())
}

/// Whether a pop of any of these keys acknowledges.
fn is_any_acknowledged_by_pop<'a>(
    ctx: &mut Context<'_>,
    mut keys: impl Iterator<Item = &'a [u8]>,
) -> bool {
    keys.any(|key| {
        let policy = ctx.state.keyspace.policy_of(ctx.db, key);
        policy.is_some_and(|policy| policy.is_acknowledged_by_pop())
    })
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
