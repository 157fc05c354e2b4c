//! RESTORE: a value from the binary form of Redis, as DUMP returns it.
//! <https://redis.io/docs/latest/commands/restore/>

use super::load_rdb::{FIELD_TWICE, MEMBER_TWICE};
use super::one_effect::as_one_effect;
use super::store_value::{BUSY, remove, store};
use super::stream::build_stream;
use crate::engine::Arg::{One, OptionalNamed, OptionalWord};
use crate::engine::Group::Generic;
use crate::engine::uses::OVERWRITE;
use crate::engine::{Arguments, Command, CommandError, Context, integer};
use crate::keyspace::Value;
use crate::queue::{End, Queue};
use crate::queueing;
use crate::rdb::{Place, Problem, RdbError, Sink, StreamPart, payload, read};
use crate::resp::Request;
use crate::state::State;
use crate::value::{Growth, HashValue, Kind, Set, SetValue, SortedSet, StreamBuilder, StringValue};

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("restore", -4, restore).group(Generic).since("2.6.0").write().deny_oom().dangerous()
        .key(1, OVERWRITE)
        .args(&[One("key"), One("ttl"), One("serialized-value"), OptionalWord("REPLACE"), OptionalWord("ABSTTL"),
            OptionalNamed("IDLETIME", "seconds"), OptionalNamed("FREQ", "frequency")])
        .cost("O(N) where N is the size of the value")
        .says("Creates a key from the binary form that DUMP returns."),
];

const WRONG_PAYLOAD: CommandError =
    CommandError::text("ERR DUMP payload version or checksum are wrong");
const BAD_DATA: CommandError = CommandError::text("ERR Bad data format");

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
    as_one_effect(ctx, |ctx| match expires_ms {
        Some(expires_ms) if expires_ms <= now_ms => {
            remove(&mut ctx.state.keyspace, ctx.db, key);
            Ok(())
        }
        _ => store(&mut ctx.state.keyspace, ctx.db, key, value, expires_ms, options.replaces),
    })?;
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
