//! Adding entries.

use super::trim::{Options, Trim};
use super::{block_limits, write_id};
use crate::engine::Arg::{
    self, One, OneOf, OptionalBlock, OptionalNamed, OptionalWord, Pairs, Word,
};
use crate::engine::Group::Stream as OfStreams;
use crate::engine::tips::VARIES;
use crate::engine::uses::UPDATE;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::queueing::check_no_queue;
use crate::resp::{Args, Request, write_arg};
use crate::value::{AppendError, NewId, Stream, StreamId};

pub(super) const TRIM: &[Arg] = &[
    OneOf(&[Word("MAXLEN"), Word("MINID")]),
    Arg::OptionalChoice(&["=", "~"]),
    One("threshold"),
    OptionalNamed("LIMIT", "count"),
];

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("xadd", -5, xadd).group(OfStreams).since("5.0.0").write().deny_oom().fast()
        .key(1, UPDATE)
        .args(&[One("key"), OptionalWord("NOMKSTREAM"), OptionalBlock("trim", TRIM),
            OneOf(&[Word("*"), One("id")]), Pairs("field", "value")])
        .cost("O(1) for the entry, and O(1) for each block of trimmed entries").tips(VARIES)
        .says("Adds an entry to a stream; creates it if needed."),
];

const LOW: CommandError = CommandError::text(
    "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);
const LARGE: CommandError = CommandError::text("ERR Elements are too large to be stored");
const ZERO: CommandError =
    CommandError::text("ERR The ID specified in XADD must be greater than 0-0");
const EXHAUSTED: CommandError = CommandError::text(
    "ERR The stream has exhausted the last possible ID, unable to add more items",
);

/// The most bytes of names and values, as in Redis.
const BYTES_MAX: usize = 1 << 30;

fn xadd(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let options = Options::parse(ctx, &mut args, true)?;
    let fields = args.rest();
    let (Some(wanted), true) = (options.id, fields.len() >= 2 && fields.len().is_multiple_of(2))
    else {
        return Err(CommandError::Arity("xadd".into()));
    };
    if wanted == NewId::Exactly(StreamId::MIN) {
        return Err(ZERO);
    }
    let keyspace = &mut ctx.state.keyspace;
    match keyspace.read::<Stream>(ctx.db, key)? {
        Some(stream) if stream.last_id() == StreamId::MAX => return Err(EXHAUSTED),
        Some(_) => {}
        None if options.only_existing => {
            ctx.reply.null();
            return Ok(());
        }
        None => check_no_queue(keyspace, ctx.db, key)?,
    }
    if fields.clone().map(<[u8]>::len).sum::<usize>() > BYTES_MAX {
        return Err(LARGE);
    }
    let now_ms = u64::try_from(ctx.now.unix_ms()).unwrap_or_default();
    let limits = block_limits(&ctx.state.settings);
    let (added, deleted) = keyspace.change_or_create(ctx.db, key, |stream: &mut Stream| {
        let added = stream.append(wanted, now_ms, fields.clone(), limits);
        let trim = options.trim.filter(|_| added.is_ok());
        let deleted = trim.map_or(0, |trim| trim.run(stream));
        ((added, deleted), added.is_ok())
    })?;
    let id = added.map_err(|error| match error {
        AppendError::Low => LOW,
        AppendError::Large => LARGE,
    })?;
    keyspace.work.looked_at(usize::try_from(deleted).unwrap_or(usize::MAX));
    write_id(ctx.reply, id);
    if keyspace.effects.is_on() {
        let is_exact = matches!(wanted, NewId::Exactly(_));
        let is_rough = options.trim.is_some_and(|trim| trim.is_rough);
        if !is_exact || is_rough {
            record(ctx, key, options.trim, id, fields)?;
        }
    }
    Ok(())
}

/// Records the entry with the id that it got, and the trim as what it did.
fn record(
    ctx: &mut Context<'_>,
    key: &[u8],
    trim: Option<Trim>,
    id: StreamId,
    fields: Args<'_>,
) -> Result<(), CommandError> {
    let keyspace = &mut ctx.state.keyspace;
    let mut exact = Vec::new();
    let trim_args = match trim {
        None => 0,
        Some(trim) => {
            if let Some(stream) = keyspace.read::<Stream>(ctx.db, key)? {
                trim.write_exact(stream, &mut exact);
            }
            3
        }
    };
    keyspace.effects.record_written(ctx.db, 3 + trim_args + fields.len(), |out| {
        write_arg(out, b"XADD");
        write_arg(out, key);
        out.append(&mut exact);
        id.with_text(|text| write_arg(out, text));
        fields.for_each(|field| write_arg(out, field));
    });
    Ok(())
}
