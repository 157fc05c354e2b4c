//! RESTORE: a value from the binary form of Redis, as DUMP returns it.
//! <https://redis.io/docs/latest/commands/restore/>

use crate::engine::Arg::{One, OptionalNamed, OptionalWord};
use crate::engine::Group::Generic;
use crate::engine::uses::OVERWRITE;
use crate::engine::{Arguments, Command, CommandError, Context, integer};
use crate::keyspace::{DbIndex, Keyspace, Value};
use crate::queue::{End, Queue};
use crate::queueing::{self, PushRules, Queues, Target};
use crate::rdb::{Place, Problem, RdbError, Sink, payload, read};
use crate::resp::Request;
use crate::value::{Kind, StringValue};

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("restore", -4, restore).group(Generic).since("2.6.0").write().deny_oom().dangerous()
        .key(1, OVERWRITE)
        .args(&[One("key"), One("ttl"), One("serialized-value"), OptionalWord("REPLACE"), OptionalWord("ABSTTL"),
            OptionalNamed("IDLETIME", "seconds"), OptionalNamed("FREQ", "frequency")])
        .cost("O(N) where N is the size of the value")
        .says("Creates a key from the binary form that DUMP returns."),
];

const BUSY: CommandError = CommandError::text("BUSYKEY Target key name already exists.");
const WRONG_PAYLOAD: CommandError =
    CommandError::text("ERR DUMP payload version or checksum are wrong");
const BAD_DATA: CommandError = CommandError::text("ERR Bad data format");

/// Elements in one recorded push.
const ELEMENTS_PER_COMMAND: usize = 64;

#[derive(Default)]
struct Options {
    /// REPLACE: any value at the key is removed first.
    replaces: bool,
    /// ABSTTL: the expiry is a Unix time instead of a duration.
    is_absolute: bool,
    /// IDLETIME: how long the key was not used, in seconds.
    idle_s: Option<i64>,
    /// FREQ is accepted without effect, since nothing is evicted.
    has_frequency: bool,
}

impl Options {
    fn parse(mut args: Arguments<'_>) -> Result<Options, CommandError> {
        let mut options = Options::default();
        while args.left() > 0 {
            if args.takes("replace") {
                options.replaces = true;
            } else if args.takes("absttl") {
                options.is_absolute = true;
            } else if !options.has_frequency && args.left() > 1 && args.takes("idletime") {
                let idle_s = args.integer()?;
                if idle_s < 0 {
                    return Err(CommandError::text("ERR Invalid IDLETIME value, must be >= 0"));
                }
                options.idle_s = Some(idle_s);
            } else if options.idle_s.is_none() && args.left() > 1 && args.takes("freq") {
                if !(0..=255).contains(&args.integer()?) {
                    let text = "ERR Invalid FREQ value, must be >= 0 and <= 255";
                    return Err(CommandError::text(text));
                }
                options.has_frequency = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

fn restore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, ttl, payload) = (args.required()?, args.required()?, args.required()?);
    let options = Options::parse(args)?;
    if !options.replaces && ctx.state.keyspace.get(ctx.db, key).is_some() {
        return Err(BUSY);
    }
    let ttl = integer(ttl)?;
    if ttl < 0 {
        return Err(CommandError::text("ERR Invalid TTL value, must be >= 0"));
    }
    let value = value_in(payload)?;
    let keyspace = &mut ctx.state.keyspace;
    queueing::check_name(keyspace, key)?;
    let now_ms = ctx.now.unix_ms();
    let base_ms = if options.is_absolute { 0 } else { now_ms };
    let expires_ms = (ttl > 0).then(|| base_ms.saturating_add(ttl));
    keyspace.work.copied(value.allocated_bytes());
    // The effects of one command are one effect for whoever repeats them.
    let is_group = !ctx.origin.is_exec();
    if is_group {
        keyspace.effects.begin_group();
    }
    let stored = match expires_ms {
        Some(expires_ms) if expires_ms <= now_ms => {
            remove(keyspace, ctx.db, key);
            Ok(())
        }
        _ => store(keyspace, ctx.db, key, value, expires_ms, options.replaces),
    };
    if is_group {
        keyspace.effects.end_group();
    }
    stored?;
    if let Some(idle_s) = options.idle_s {
        let now_s = ctx.now.monotonic_us / 1_000_000;
        ctx.state.keyspace.set_last_use_s(ctx.db, key, now_s.saturating_sub(idle_s.unsigned_abs()));
    }
    ctx.reply.ok();
    Ok(())
}

/// Reads the value in a payload.
fn value_in(payload: &[u8]) -> Result<Value, CommandError> {
    let bytes = payload::value_in(payload).ok_or(WRONG_PAYLOAD)?;
    let mut received = Received::default();
    read::read_value(bytes, Place::default(), &mut received).map_err(|error| match error {
        RdbError { problem: Problem::UnsupportedType(value_type), .. } => {
            format!("ERR Bad data format: a value of type {value_type} is not supported").into()
        }
        _ => BAD_DATA,
    })?;
    received.value.ok_or(BAD_DATA)
}

/// Removes everything at a key.
fn remove(keyspace: &mut Keyspace, db: DbIndex, key: &[u8]) {
    Queues::new(keyspace).clear_hidden(db, key);
    if keyspace.remove(db, key).is_some() {
        keyspace.effects.record(db, [&b"DEL"[..], key]);
    }
}

/// Stores a value in place of any other.
fn store(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    value: Value,
    expires_ms: Option<i64>,
    replaces: bool,
) -> Result<(), CommandError> {
    match value {
        Value::List(list) => store_list(keyspace, db, key, list, replaces)?,
        Value::String(string) => {
            // A queue with only messages in flight or delayed exists, too.
            if !replaces && queueing::has_hidden(keyspace, db, key) {
                return Err(BUSY);
            }
            remove(keyspace, db, key);
            string.with(|bytes| keyspace.effects.record(db, [&b"SET"[..], key, bytes]));
            keyspace.insert(db, key, string.into_value(), None);
        }
    }
    // Without a value all messages are delayed.
    if let Some(expires_ms) = expires_ms
        && keyspace.set_expiry(db, key, Some(expires_ms))
    {
        let mut digits = itoa::Buffer::new();
        let at = digits.format(expires_ms).as_bytes();
        keyspace.effects.record(db, [&b"PEXPIREAT"[..], key, at]);
    }
    Ok(())
}

/// Stores a list. Under a policy its elements are pushed, and refused where any push would be: then nothing
/// is removed either.
fn store_list(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    list: Queue,
    replaces: bool,
) -> Result<(), CommandError> {
    if replaces && let Some(at) = keyspace.slot_for_push(db, key) {
        let bytes = || list.iter().map(<[u8]>::len).sum();
        let checked = PushRules::of(keyspace, at).check(keyspace, at, list.len(), bytes);
        if checked.is_err() {
            keyspace.drop_if_empty_in(at);
        }
        checked?;
        remove(keyspace, db, key);
    } else if replaces {
        remove(keyspace, db, key);
    }
    if let Some(at) = keyspace.slot_for_push(db, key) {
        let messages: Vec<&[u8]> = list.iter().collect();
        let rules = PushRules::of(keyspace, at);
        let to = Target { at, key, end: End::Back, rules, id: None };
        return Queues::new(keyspace).push(&to, messages.iter().copied()).map(|_| ());
    }
    let mut messages = list.iter();
    loop {
        let some: Vec<&[u8]> = messages.by_ref().take(ELEMENTS_PER_COMMAND).collect();
        if some.is_empty() {
            break;
        }
        keyspace.effects.record_push(db, End::Back, key, some);
    }
    drop(messages);
    keyspace.insert(db, key, list.into_value(), None);
    Ok(())
}

/// Receives the value of a payload.
#[derive(Default)]
struct Received {
    /// The value, once it is complete; an empty list is none.
    value: Option<Value>,
    list: Queue,
}

impl Sink for Received {
    fn string(&mut self, _: &Place, value: &[u8]) -> Result<(), String> {
        self.value = Some(StringValue::new(value).into_value());
        Ok(())
    }

    fn begin_list(&mut self, _: &Place) -> Result<(), String> {
        self.list.set_filling(true);
        Ok(())
    }

    fn element(&mut self, _: &Place, element: &[u8]) -> Result<(), String> {
        self.list.push(End::Back, element);
        Ok(())
    }

    fn end_list(&mut self, _: &Place) -> Result<(), String> {
        let mut list = std::mem::take(&mut self.list);
        list.set_filling(false);
        self.value = (!list.is_empty()).then(|| list.into_value());
        Ok(())
    }
}
