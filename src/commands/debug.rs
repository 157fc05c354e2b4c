//! DEBUG: for tests of servers and clients. Requires `enable-debug-command`.

mod digest;

use super::help::wrong_arguments;
use super::object::encoding_name;
use crate::engine::Group::Server;
use crate::engine::{Arguments, Command, CommandError, Context, Run, integer, is_word};
use crate::glob::glob_matches;
use crate::queue::End;
use crate::queueing::{self, PushRules, Queues};
use crate::resp::{Output, Protocol, Request, parse_integer};
use log::warn;
use std::ops::RangeInclusive;
use std::time::Duration;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("debug", -2, debug).group(Server).since("1.0.0").admin().no_script().anytime()
        .protected().says("A container for commands about the server's internals."),
];

/// The subcommands with the allowed numbers of arguments, of the whole request.
pub(super) const SUBCOMMANDS: &[(&str, RangeInclusive<usize>, Run)] = &[
    ("sleep", 3..=3, sleep),
    ("object", 3..=3, object),
    ("protocol", 3..=3, protocol),
    ("error", 3..=3, error),
    ("log", 3..=3, log_message),
    ("digest", 2..=2, digest),
    ("digest-value", 2..=usize::MAX, digest_value),
    ("populate", 3..=5, populate),
    ("reload", 2..=usize::MAX, reload),
    ("loadaof", 2..=2, loadaof),
    ("replybuffer", 4..=4, replybuffer),
    ("set-active-expire", 3..=3, no_effect),
    ("set-disable-deny-scripts", 3..=3, no_effect),
    ("set-skip-checksum-validation", 3..=3, no_effect),
    ("pause-cron", 3..=3, no_effect),
    ("dict-resizing", 3..=3, no_effect),
    ("quicklist-packed-threshold", 3..=3, quicklist_packed_threshold),
    ("stringmatch-len", 4..=4, stringmatch_len),
    ("change-repl-id", 2..=2, no_effect),
    ("help", 2..=2, help),
];

fn debug(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let name = Arguments::of(request).required()?;
    let found = SUBCOMMANDS
        .iter()
        .find(|(word, lens, _)| is_word(name, word) && lens.contains(&request.len()));
    match found {
        Some((_, _, run)) => run(ctx, request),
        None => Err(wrong_arguments(request, "DEBUG")),
    }
}

fn sleep(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    // As with C's strtod, text that is not a number is 0.
    let seconds = Arguments::from(request, 2).required()?;
    let seconds = std::str::from_utf8(seconds).ok().and_then(|text| text.parse::<f64>().ok());
    let duration = Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default();
    ctx.state.host.sleep(duration);
    ctx.reply.ok();
    Ok(())
}

fn object(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let (db, key) = (ctx.db, Arguments::from(request, 2).required()?);
    let value = ctx.state.keyspace.peek(db, key).ok_or(CommandError::NoSuchKey)?;
    let encoding = encoding_name(value);
    let used_s = u64::from(ctx.state.keyspace.last_use_s(db, key).unwrap_or_default());
    let idle_s = (ctx.now.monotonic_us / 1_000_000).saturating_sub(used_s);
    // Addresses stay private; clients look at the encoding and the times.
    ctx.reply.simple(&format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{} lru:{used_s} \
         lru_seconds_idle:{idle_s}",
        value.allocated_bytes()
    ));
    Ok(())
}

/// Replies with an error of the client's choice. As in Redis, it does not count as an error of the
/// server.
fn error(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.error(Arguments::from(request, 2).required()?);
    Ok(())
}

/// Writes a line to the log. Line ends and control characters are escaped.
fn log_message(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    warn!("DEBUG LOG: {}", Arguments::from(request, 2).required()?.escape_ascii());
    ctx.reply.ok();
    Ok(())
}

fn digest(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.simple(&digest::shown(&digest::of_all(&ctx.state.keyspace)));
    Ok(())
}

fn digest_value(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let keys = request.args_from(2);
    ctx.reply.array(keys.len());
    for key in keys {
        let digest = digest::of_value(&ctx.state.keyspace, ctx.db, key);
        ctx.reply.simple(&digest::shown(&digest));
    }
    Ok(())
}

/// Limit on the bytes that POPULATE creates, so that a typo does not fill the memory.
const POPULATE_BYTES_MAX: u64 = 1 << 30;

/// `POPULATE count [prefix [size]]`: creates lists of one message each; Redis creates strings.
fn populate(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const NOT_POSITIVE: CommandError =
        CommandError::text("ERR value is out of range, must be positive");
    let positive = |arg: &[u8]| {
        let number = parse_integer(arg).and_then(|number| u64::try_from(number).ok());
        number.ok_or(NOT_POSITIVE)
    };
    let mut args = Arguments::from(request, 2);
    let count = positive(args.required()?)?;
    let prefix = args.optional().unwrap_or(b"key");
    let size = args.optional().map(positive).transpose()?.unwrap_or(0);
    let key_bytes = (prefix.len() as u64).saturating_add(size).saturating_add(64);
    if count.saturating_mul(key_bytes) > POPULATE_BYTES_MAX {
        let text = format!("ERR expected at most {POPULATE_BYTES_MAX} bytes in all");
        return Err(CommandError::from(text));
    }
    let keyspace = &mut ctx.state.keyspace;
    for number in 0..count {
        let key = [prefix, b":", number.to_string().as_bytes()].concat();
        if !keyspace.contains(ctx.db, &key) {
            let mut message = format!("value:{number}").into_bytes();
            if size > 0 {
                // Within the limit above.
                message.resize(size as usize, 0);
            }
            let messages = std::iter::once(&message[..]);
            let at = keyspace.slot_or_create(ctx.db, &key);
            let rules = PushRules::of(keyspace, at);
            let to = queueing::Target { at, key: &key, end: End::Back, rules, id: None };
            Queues::new(keyspace).push(&to, messages)?;
        }
    }
    ctx.reply.ok();
    Ok(())
}

/// Does nothing: without snapshots there is nothing to save and load.
fn reload(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let is_option = |arg| ["merge", "noflush", "nosave"].iter().any(|word| is_word(arg, word));
    if !request.args_from(2).all(is_option) {
        return Err(CommandError::text(
            "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
        ));
    }
    if request.args_from(2).any(|arg| is_word(arg, "nosave")) {
        return Err(CommandError::text("ERR There is no snapshot to load"));
    }
    ctx.reply.ok();
    Ok(())
}

/// Does nothing: append files are loaded only at the start. They always match the memory, since a
/// change is in both or in neither.
fn loadaof(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    if !ctx.state.persistence.is_on {
        return Err(CommandError::text("ERR There are no append files: appendonly is off"));
    }
    ctx.reply.ok();
    Ok(())
}

/// Does nothing: the sizes of reply buffers follow other rules here.
fn replybuffer(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (name, value) = (args.required()?, args.required()?);
    if is_word(name, "peak-reset-time") {
        if !is_word(value, "never") && !is_word(value, "reset") {
            integer(value)?;
        }
    } else if !is_word(name, "resizing") {
        return Err(wrong_arguments(request, "DEBUG"));
    }
    ctx.reply.ok();
    Ok(())
}

/// Redis' switches without a counterpart: expiry is always on time and never lazy, and there is no
/// cron, no scripts and no replication history.
fn no_effect(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.ok();
    Ok(())
}

/// Checks the value, and has no effect: messages have one form whatever their size.
fn quicklist_packed_threshold(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
) -> Result<(), CommandError> {
    let bytes = Arguments::from(request, 2).required()?;
    let bytes = memory_bytes(bytes).filter(|&bytes| bytes <= 1 << 32);
    bytes.ok_or(CommandError::text(
        "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
    ))?;
    ctx.reply.ok();
    Ok(())
}

/// Parses a number of bytes with one of Redis' units.
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

/// Whether a text of that many `a` matches a pattern: measures the time of hostile patterns.
fn stringmatch_len(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const LEN_MAX: i64 = 1 << 20;
    let mut args = Arguments::from(request, 2);
    let (len, pattern) = (args.integer()?.clamp(0, LEN_MAX), args.required()?);
    // Within the limits above.
    let text = vec![b'a'; len as usize];
    ctx.reply.flag(glob_matches(pattern, &text));
    Ok(())
}

#[expect(clippy::approx_constant, reason = "the number that Redis answers, not pi")]
fn protocol(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let kind = Arguments::from(request, 2).required()?.to_ascii_lowercase();
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
            // RESP2 has no attributes: only the reply is sent.
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

/// Writes the protocol's boolean, which no other command uses.
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
            "    Accepted for tests of replication; there is none.",
            "DICT-RESIZING <0|1>",
            "    Accepted for tests of hash tables; they resize as needed.",
            "DIGEST",
            "    Output a hex signature representing the current DB content.",
            "DIGEST-VALUE <key> [<key> ...]",
            "    Output a hex signature of the values of all the specified keys.",
            "ERROR <string>",
            "    Return a Redis protocol error with <string> as message.",
            "LOADAOF",
            "    Accepted with append files. Nothing is loaded: they always match the memory.",
            "LOG <message>",
            "    Write <message> to the server log.",
            "OBJECT <key>",
            "    Show low level info about `key` and associated value.",
            "PAUSE-CRON <0|1>",
            "    Accepted for tests of the cron job; there is none.",
            "POPULATE <count> [<prefix>] [<size>]",
            "    Create <count> lists of one message named key:<num>. If <prefix> is specified",
            "    then it is used instead of the 'key' prefix.",
            "PROTOCOL <type>",
            "    Reply with a test value of the specified type. <type> can be: string,",
            "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
            "    true, false.",
            "QUICKLIST-PACKED-THRESHOLD <size>",
            "    Accepted for tests of lists; messages have one form whatever their size.",
            "RELOAD [option ...]",
            "    Accepted for tests of snapshots; there are none, and the data stays.",
            "REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|time>, REPLYBUFFER RESIZING <0|1>",
            "    Accepted for tests of reply buffers.",
            "SET-ACTIVE-EXPIRE <0|1>",
            "    Accepted for tests of expiry; it is always on time.",
            "SET-DISABLE-DENY-SCRIPTS <0|1>",
            "    Accepted for tests of scripts; there are none.",
            "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
            "    Accepted for tests of snapshots; there are none.",
            "SLEEP <seconds>",
            "    Stop the server for <seconds>. Decimals allowed.",
            "STRINGMATCH-LEN <length> <pattern>",
            "    Whether a string of <length> times 'a' matches <pattern>.",
        ],
    );
    Ok(())
}
