//! Expiry of keys. Times are stored as Unix milliseconds, whatever unit they are given in.

use crate::engine::Arg::{One, OptionalChoice};
use crate::engine::Group::Generic;
use crate::engine::tips::VARIES;
use crate::engine::uses::{READ_VALUE, UPDATE};
use crate::engine::{Arg, Arguments, Command, CommandError, Context, integer, is_word};
use crate::queueing::Queues;
use crate::resp::Request;

const CONDITIONS: Arg = OptionalChoice(&["NX", "XX", "GT", "LT"]);

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("expire", -3, expire).group(Generic).since("1.0.0").write().fast().key(1, UPDATE)
        .args(&[One("key"), One("seconds"), CONDITIONS])
        .says("Sets a key's expiry to a number of seconds from now."),
    Command::new("pexpire", -3, pexpire).group(Generic).since("2.6.0").write().fast()
        .key(1, UPDATE).args(&[One("key"), One("milliseconds"), CONDITIONS])
        .says("Sets a key's expiry to a number of milliseconds from now."),
    Command::new("expireat", -3, expireat).group(Generic).since("1.2.0").write().fast()
        .key(1, UPDATE).args(&[One("key"), One("unix-time-seconds"), CONDITIONS])
        .says("Sets a key's expiry to a Unix time in seconds."),
    Command::new("pexpireat", -3, pexpireat).group(Generic).since("2.6.0").write().fast()
        .key(1, UPDATE).args(&[One("key"), One("unix-time-milliseconds"), CONDITIONS])
        .says("Sets a key's expiry to a Unix time in milliseconds."),
    Command::new("ttl", 2, ttl).group(Generic).since("1.0.0").read_only().fast().key(1, READ_VALUE)
        .args(&[One("key")]).tips(VARIES).says("Returns the seconds until a key expires."),
    Command::new("pttl", 2, pttl).group(Generic).since("2.6.0").read_only().fast()
        .key(1, READ_VALUE).args(&[One("key")]).tips(VARIES)
        .says("Returns the milliseconds until a key expires."),
    Command::new("expiretime", 2, expiretime).group(Generic).since("7.0.0").read_only().fast()
        .key(1, READ_VALUE).args(&[One("key")])
        .says("Returns a key's expiry as a Unix time in seconds."),
    Command::new("pexpiretime", 2, pexpiretime).group(Generic).since("7.0.0").read_only().fast()
        .key(1, READ_VALUE).args(&[One("key")])
        .says("Returns a key's expiry as a Unix time in milliseconds."),
    Command::new("persist", 2, persist).group(Generic).since("2.2.0").write().fast().key(1, UPDATE)
        .args(&[One("key")]).says("Removes a key's expiry."),
];

/// The unit of a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
}

fn expire(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let base_ms = ctx.now.unix_ms();
    set(ctx, request, Unit::Seconds, base_ms)
}

fn pexpire(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let base_ms = ctx.now.unix_ms();
    set(ctx, request, Unit::Milliseconds, base_ms)
}

fn expireat(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    set(ctx, request, Unit::Seconds, 0)
}

fn pexpireat(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    set(ctx, request, Unit::Milliseconds, 0)
}

/// The conditions for setting an expiry.
#[derive(Default)]
struct Conditions {
    /// NX: the key has no expiry.
    if_none: bool,
    /// XX: the key has an expiry.
    if_any: bool,
    /// GT: the new expiry is later. A key without expiry counts as the latest.
    if_later: bool,
    /// LT: the new expiry is earlier.
    if_earlier: bool,
}

impl Conditions {
    fn parse(args: Arguments<'_>) -> Result<Conditions, CommandError> {
        let mut wanted = Conditions::default();
        for option in args.rest() {
            match option {
                word if is_word(word, "nx") => wanted.if_none = true,
                word if is_word(word, "xx") => wanted.if_any = true,
                word if is_word(word, "gt") => wanted.if_later = true,
                word if is_word(word, "lt") => wanted.if_earlier = true,
                _ => return Err(CommandError::quoting("ERR Unsupported option ", option, "")),
            }
        }
        if wanted.if_none && (wanted.if_any || wanted.if_later || wanted.if_earlier) {
            return Err(CommandError::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if wanted.if_later && wanted.if_earlier {
            return Err(CommandError::text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(wanted)
    }

    /// Whether the expiry may change from `current_ms` to `wanted_ms`.
    fn hold(&self, current_ms: Option<i64>, wanted_ms: i64) -> bool {
        match current_ms {
            None => !self.if_any && !self.if_later,
            Some(current_ms) => {
                !self.if_none
                    && (!self.if_later || wanted_ms > current_ms)
                    && (!self.if_earlier || wanted_ms < current_ms)
            }
        }
    }
}

fn set(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    unit: Unit,
    base_ms: i64,
) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, given) = (args.required()?, args.required()?);
    let conditions = Conditions::parse(args)?;
    let given = integer(given)?;
    let given_ms = match unit {
        Unit::Seconds => given.checked_mul(1000),
        Unit::Milliseconds => Some(given),
    };
    let expires_ms = given_ms.and_then(|given_ms| given_ms.checked_add(base_ms));
    let expires_ms = expires_ms.ok_or_else(|| invalid_time(ctx.found.command))?;

    let is_past = ctx.is_past(expires_ms);
    let keyspace = &mut ctx.state.keyspace;
    let is_set = keyspace.get(ctx.db, key).is_some()
        && conditions.hold(keyspace.expiry(ctx.db, key).flatten(), expires_ms);
    if is_set && is_past {
        // Removes everything at the key, as if it expired now.
        Queues::new(keyspace).clear_hidden(ctx.db, key);
        keyspace.delete(ctx.db, key);
        keyspace.effects.record(ctx.db, [&b"DEL"[..], key]);
    } else if is_set {
        keyspace.set_expiry(ctx.db, key, Some(expires_ms));
        // A point in time, not a duration: it means the same whenever it is replayed.
        let mut digits = itoa::Buffer::new();
        keyspace.effects.record(ctx.db, [b"PEXPIREAT", key, digits.format(expires_ms).as_bytes()]);
    }
    ctx.reply.flag(is_set);
    Ok(())
}

fn invalid_time(command: &Command) -> CommandError {
    format!("ERR invalid expire time in '{}' command", command.name).into()
}

fn ttl(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let base_ms = ctx.now.unix_ms();
    tell(ctx, request, Unit::Seconds, base_ms)
}

fn pttl(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let base_ms = ctx.now.unix_ms();
    tell(ctx, request, Unit::Milliseconds, base_ms)
}

fn expiretime(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    tell(ctx, request, Unit::Seconds, 0)
}

fn pexpiretime(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    tell(ctx, request, Unit::Milliseconds, 0)
}

/// Replies with a key's expiry, counted from `base_ms`; -2 without the key, -1 if it has none.
fn tell(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    unit: Unit,
    base_ms: i64,
) -> Result<(), CommandError> {
    let expiry = ctx.state.keyspace.expiry(ctx.db, Arguments::of(request).required()?);
    ctx.state.stats.count_lookup(expiry.is_some());
    let answer = match expiry {
        None => -2,
        Some(None) => -1,
        Some(Some(expires_ms)) => {
            let left_ms = (expires_ms - base_ms).max(0);
            match unit {
                Unit::Milliseconds => left_ms,
                // Rounded to the nearest second. As a `u64`, the largest i64 can grow by 500, and a
                // thousandth of it fits an i64 again.
                Unit::Seconds => ((left_ms.unsigned_abs() + 500) / 1000) as i64,
            }
        }
    };
    ctx.reply.integer(answer);
    Ok(())
}

fn persist(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    let (db, keyspace) = (ctx.db, &mut ctx.state.keyspace);
    keyspace.get(db, key);
    let expires = keyspace.expiry(db, key).flatten().is_some();
    if expires {
        keyspace.set_expiry(db, key, None);
    }
    ctx.reply.flag(expires);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Conditions;

    #[test]
    fn conditions_hold_as_documented() {
        type Case = (&'static str, Conditions, Option<i64>, bool);
        let none = || Conditions { if_none: true, ..Conditions::default() };
        let any = || Conditions { if_any: true, ..Conditions::default() };
        let later = || Conditions { if_later: true, ..Conditions::default() };
        let earlier = || Conditions { if_earlier: true, ..Conditions::default() };
        let cases: [Case; 13] = [
            ("always, without", Conditions::default(), None, true),
            ("always, with", Conditions::default(), Some(5), true),
            ("NX without", none(), None, true),
            ("NX with", none(), Some(5), false),
            ("XX without", any(), None, false),
            ("XX with", any(), Some(5), true),
            ("GT without", later(), None, false),
            ("GT becoming later", later(), Some(9), true),
            ("GT as it was", later(), Some(10), false),
            ("LT without", earlier(), None, true),
            ("LT becoming earlier", earlier(), Some(11), true),
            ("LT as it was", earlier(), Some(10), false),
            ("XX LT without", Conditions { if_any: true, ..earlier() }, None, false),
        ];
        for (name, conditions, current_ms, expected) in cases {
            assert_eq!(conditions.hold(current_ms, 10), expected, "{name}");
        }
    }
}
