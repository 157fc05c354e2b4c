//! RESTORE: a value from the binary form of Redis, as DUMP returns it.
//! <https://redis.io/docs/latest/commands/restore/>

use super::load_rdb::{FIELD_TWICE, MEMBER_TWICE};
use super::sorted_set::record_members;
use super::stream::build_stream;
use crate::dict::Item;
use crate::engine::Arg::{One, OptionalNamed, OptionalWord};
use crate::engine::Group::Generic;
use crate::engine::uses::OVERWRITE;
use crate::engine::{Arguments, Command, CommandError, Context, integer};
use crate::keyspace::{DbIndex, Keyspace, Value};
use crate::queue::{End, Queue};
use crate::queueing::{self, PushRules, Queues, Target};
use crate::rdb::{Place, Problem, RdbError, Sink, StreamPart, payload, read};
use crate::resp::Request;
use crate::snapshot::write_stream_commands;
use crate::state::State;
use crate::value::{Growth, HashValue, Kind, Set, SetValue, SortedSet, StreamBuilder, StringValue};
use std::convert::Infallible;

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
    let value = value_in(payload, ctx.state)?;
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
fn value_in(payload: &[u8], state: &State) -> Result<Value, CommandError> {
    let bytes = payload::value_in(payload).ok_or(WRONG_PAYLOAD)?;
    let mut received = Received {
        value: None,
        list: Queue::new(),
        hash: HashValue::default(),
        set: SetValue::default(),
        sorted_set: SortedSet::default(),
        stream: StreamBuilder::default(),
        hash_growth: state.hash_growth(),
        set_growth: state.set_growth(),
        sorted_set_growth: state.sorted_set_growth(),
    };
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
    if keyspace.delete(db, key) {
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
        other => {
            // A queue with only messages in flight or delayed exists, too.
            if !replaces && queueing::has_hidden(keyspace, db, key) {
                return Err(BUSY);
            }
            remove(keyspace, db, key);
            record(keyspace, db, key, &other);
            keyspace.insert(db, key, other, None);
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

/// Records the commands that make a value.
fn record(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], value: &Value) {
    match value {
        Value::List(list) => {
            let mut messages = list.iter();
            loop {
                let some: Vec<&[u8]> = messages.by_ref().take(ELEMENTS_PER_COMMAND).collect();
                if some.is_empty() {
                    return;
                }
                keyspace.effects.record_push(db, End::Back, key, some);
            }
        }
        Value::String(string) => {
            string.with(|bytes| keyspace.effects.record(db, [&b"SET"[..], key, bytes]));
        }
        Value::Hash(hash) => {
            let pairs = hash.iter().flat_map(|(field, value)| [field, value]);
            record_elements(keyspace, db, [b"HSET", key], pairs);
        }
        Value::Set(set) => record_elements(keyspace, db, [b"SADD", key], set.iter()),
        Value::SortedSet(set) => record_members(&mut keyspace.effects, db, key, set.iter()),
        Value::Stream(stream) if keyspace.effects.is_on() => {
            let mut command = Vec::new();
            let effects = &mut keyspace.effects;
            let Ok(()) = write_stream_commands(&mut command, key, stream, |command| {
                effects.record_encoded(db, command);
                command.clear();
                Ok::<(), Infallible>(())
            });
        }
        Value::Stream(_) => {}
    }
}

/// Records elements behind a command and its key.
pub(super) fn record_elements<'a>(
    keyspace: &mut Keyspace,
    db: DbIndex,
    start: [&[u8]; 2],
    mut elements: impl Iterator<Item = Item<'a>>,
) {
    if !keyspace.effects.is_on() {
        return;
    }
    loop {
        // An even number: a field is in one command with its value.
        let some = elements.by_ref().take(ELEMENTS_PER_COMMAND);
        let some: Vec<Vec<u8>> = some.map(Item::to_vec).collect();
        if some.is_empty() {
            return;
        }
        let args: Vec<&[u8]> = start.into_iter().chain(some.iter().map(Vec::as_slice)).collect();
        keyspace.effects.record(db, args);
    }
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
    let value = list.into_value();
    record(keyspace, db, key, &value);
    keyspace.insert(db, key, value, None);
    Ok(())
}

/// Receives the value of a payload.
struct Received {
    /// The value, once it is complete; one without elements is none.
    value: Option<Value>,
    list: Queue,
    hash: HashValue,
    set: SetValue,
    sorted_set: SortedSet,
    hash_growth: Growth,
    set_growth: Growth,
    sorted_set_growth: Growth,
    stream: StreamBuilder,
}

impl Sink for Received {
    fn begin_sorted_set(&mut self, _: &Place) -> Result<(), String> {
        Ok(())
    }

    fn scored_member(&mut self, _: &Place, member: &[u8], score: f64) -> Result<(), String> {
        match self.sorted_set.set(member, score, &self.sorted_set_growth) {
            Set::Added => Ok(()),
            Set::Updated | Set::Same => Err(MEMBER_TWICE.into()),
        }
    }

    fn end_sorted_set(&mut self, _: &Place) -> Result<(), String> {
        let set = std::mem::take(&mut self.sorted_set);
        self.value = (!set.is_empty()).then(|| set.into_value());
        Ok(())
    }

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

    fn stream(&mut self, _: &Place, part: StreamPart<'_>) -> Result<(), String> {
        let built = build_stream(&mut self.stream, part).map_err(String::from)?;
        if let Some(stream) = built {
            self.value = Some(stream.into_value());
        }
        Ok(())
    }

    fn end_list(&mut self, _: &Place) -> Result<(), String> {
        let mut list = std::mem::take(&mut self.list);
        list.set_filling(false);
        self.value = (!list.is_empty()).then(|| list.into_value());
        Ok(())
    }
    fn begin_set(&mut self, _: &Place) -> Result<(), String> {
        Ok(())
    }

    fn member(&mut self, _: &Place, member: &[u8]) -> Result<(), String> {
        match self.set.insert(member, &self.set_growth) {
            true => Ok(()),
            false => Err(MEMBER_TWICE.into()),
        }
    }

    fn end_set(&mut self, _: &Place) -> Result<(), String> {
        let set = std::mem::take(&mut self.set);
        self.value = (!set.is_empty()).then(|| set.into_value());
        Ok(())
    }

    fn begin_hash(&mut self, _: &Place) -> Result<(), String> {
        Ok(())
    }

    fn field(&mut self, _: &Place, field: &[u8], value: &[u8]) -> Result<(), String> {
        match self.hash.set(field, value, &self.hash_growth) {
            true => Ok(()),
            false => Err(FIELD_TWICE.into()),
        }
    }

    fn end_hash(&mut self, _: &Place) -> Result<(), String> {
        let hash = std::mem::take(&mut self.hash);
        self.value = (!hash.is_empty()).then(|| hash.into_value());
        Ok(())
    }
}
