//! DEBUG: what the tests of servers and clients need. Behind `enable-debug-command`.

use super::help::wrong_arguments;
use super::object::encoding_name;
use crate::command::{Command, CommandError, Context, Flags, Group, Keys, Run, integer, is_word};
use crate::glob::glob_matches;
use crate::resp::{Output, Protocol, Request};
use std::time::Duration;

pub(super) static COMMANDS: &[Command] = &[Command {
    name: "debug",
    arity: -2,
    flags: Flags::ADMIN
        .with(Flags::NOSCRIPT)
        .with(Flags::LOADING)
        .with(Flags::STALE)
        .with(Flags::PROTECTED),
    keys: Keys::None,
    group: Group::Server,
    since: "1.0.0",
    summary: "A container for commands about the insides of the server.",
    run: Some(debug),
    // Redis does not list them, and answers a wrong one in its own way.
    subcommands: &[],
}];

/// The subcommands with the number of arguments of the whole request.
const SUBCOMMANDS: &[(&str, usize, Run)] = &[
    ("sleep", 3, sleep),
    ("object", 3, object),
    ("protocol", 3, protocol),
    ("set-active-expire", 3, no_effect),
    ("quicklist-packed-threshold", 3, quicklist_packed_threshold),
    ("stringmatch-len", 4, stringmatch_len),
    ("change-repl-id", 2, no_effect),
    ("help", 2, help),
];

fn debug(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let name = &request[1];
    let matches =
        |(word, len, _): &&(&str, usize, Run)| is_word(name, word) && request.len() == *len;
    match SUBCOMMANDS.iter().find(matches) {
        Some((_, _, run)) => run(ctx, request),
        None => Err(wrong_arguments(name, "DEBUG")),
    }
}

fn sleep(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    // As with C's strtod, what is no number is 0.
    let seconds = std::str::from_utf8(&request[2]).ok().and_then(|text| text.parse::<f64>().ok());
    let duration = Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default();
    ctx.state.host.sleep(duration);
    ctx.reply.ok();
    Ok(())
}

fn object(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let (db, key) = (ctx.db, &request[2]);
    let value = ctx.state.keyspace.peek(db, key).ok_or(CommandError::NoSuchKey)?;
    let encoding = encoding_name(value);
    let used_s = u64::from(ctx.state.keyspace.last_use_s(db, key).unwrap_or_default());
    let idle_s = (ctx.now.monotonic_us / 1_000_000).saturating_sub(used_s);
    // Addresses are nobody's business; clients look at the encoding and the times.
    ctx.reply.simple(&format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{} lru:{used_s} \
         lru_seconds_idle:{idle_s}",
        value.allocated_bytes()
    ));
    Ok(())
}

/// Switches of Redis that have nothing to switch here: expiry is on time and never lazy, and there
/// are no replicas to tell of another history.
fn no_effect(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.ok();
    Ok(())
}

/// Messages have one form whatever their size; the value is checked, for what it is worth.
fn quicklist_packed_threshold(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
) -> Result<(), CommandError> {
    let bytes = memory_bytes(&request[2]).filter(|&bytes| bytes <= 1 << 32);
    bytes.ok_or(CommandError::text(
        "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
    ))?;
    ctx.reply.ok();
    Ok(())
}

/// A number of bytes with one of Redis' units.
fn memory_bytes(arg: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(arg).ok()?.to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Whether as many `a` as the argument says match a pattern, for times of hostile patterns.
fn stringmatch_len(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const LEN_MAX: i64 = 1 << 20;
    let len = integer(&request[2])?.clamp(0, LEN_MAX);
    // Within the bounds above.
    let text = vec![b'a'; len as usize];
    ctx.reply.flag(glob_matches(&request[3], &text));
    Ok(())
}

#[expect(clippy::approx_constant, reason = "the number that Redis answers, not pi")]
fn protocol(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let kind = request[2].to_ascii_lowercase();
    let reply = &mut *ctx.reply;
    let is_resp3 = reply.protocol() == Protocol::Resp3;
    match kind.as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(3.141),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.integer(number);
                boolean(reply, number == 1);
            }
        }
        b"attrib" => {
            // RESP2 has no attributes: there only the reply is sent.
            if is_resp3 {
                reply.raw(b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n");
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" if !is_resp3 => {
            return Err(CommandError::text("ERR RESP2 is not supported by this command"));
        }
        b"push" => {
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
            reply.bulk(b"Some real reply following the push reply");
        }
        b"verbatim" => reply.verbatim(b"This is a verbatim\nstring"),
        b"bignum" if is_resp3 => reply.raw(b"(1234567999999999999999999999999999999\r\n"),
        b"bignum" => reply.bulk(b"1234567999999999999999999999999999999"),
        b"true" => boolean(reply, true),
        b"false" => boolean(reply, false),
        _ => {
            return Err(CommandError::text(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

/// The protocol's own truth values, which no other command uses.
fn boolean(reply: &mut Output, yes: bool) {
    match (reply.protocol(), yes) {
        (Protocol::Resp2, _) => reply.flag(yes),
        (Protocol::Resp3, true) => reply.raw(b"#t\r\n"),
        (Protocol::Resp3, false) => reply.raw(b"#f\r\n"),
    }
}

fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    super::help::write(
        ctx.reply,
        "DEBUG",
        &[
            "CHANGE-REPL-ID",
            "    Accepted for tests of replication, of which there is none.",
            "OBJECT <key>",
            "    Show low level info about `key` and associated value.",
            "PROTOCOL <type>",
            "    Reply with a test value of the specified type. <type> can be: string,",
            "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
            "    true, false.",
            "QUICKLIST-PACKED-THRESHOLD <size>",
            "    Accepted for tests of lists; messages have one form whatever their size.",
            "SET-ACTIVE-EXPIRE <0|1>",
            "    Accepted for tests of expiry, which is always on time.",
            "SLEEP <seconds>",
            "    Stop the server for <seconds>. Decimals allowed.",
            "STRINGMATCH-LEN <length> <pattern>",
            "    Whether a string of <length> times 'a' matches <pattern>.",
        ],
    );
    Ok(())
}
