//! XTRIM, and its options, which XADD shares.

use super::block_limits;
use super::interval::id;
use crate::engine::{Arguments, CommandError, Context};
use crate::resp::{Request, write_arg};
use crate::value::{Keep, NewId, Stream};

/// Without a LIMIT, a rough trim stops after the entries of this many blocks.
const BLOCKS_MAX: u64 = 100;
/// The same, if blocks have no limit.
const ENTRIES_MAX_DEFAULT: u64 = 10_000;
const ENTRIES_MAX: u64 = 1_000_000;

const SECOND: CommandError = CommandError::text(
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
);
const LIMIT_ALONE: CommandError = CommandError::text(
    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
);
const LIMIT_EXACT: CommandError =
    CommandError::text("ERR syntax error, LIMIT cannot be used without the special ~ option");
const NO_STRATEGY: CommandError =
    CommandError::text("ERR syntax error, XTRIM must be called with a trimming strategy");

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trim {
    keep: Keep,
    /// `~`: only whole blocks.
    pub(super) is_rough: bool,
    /// The most entries to delete; 0 for all.
    limit: u64,
}

impl Trim {
    pub(super) fn run(&self, stream: &mut Stream) -> u64 {
        stream.trim(self.keep, self.is_rough, self.limit)
    }

    /// Appends the arguments of an exact trim with the same result as this one, which has just run.
    pub(super) fn write_exact(&self, stream: &Stream, out: &mut Vec<u8>) {
        let exact = match self.keep {
            Keep::From(_) if stream.len() > 0 => (&b"MINID"[..], stream.first_entry_id().to_text()),
            _ => (&b"MAXLEN"[..], stream.len().to_string().into_bytes()),
        };
        [exact.0, b"=", &exact.1].into_iter().for_each(|arg| write_arg(out, arg));
    }
}

/// The options before the id of XADD, or all of XTRIM.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    /// NOMKSTREAM: no stream is created.
    pub(super) only_existing: bool,
    pub(super) trim: Option<Trim>,
    /// The id of a new entry.
    pub(super) id: Option<NewId>,
}

impl Options {
    /// Reads the options. `is_add`: of XADD, up to its id.
    pub(super) fn parse(
        ctx: &Context<'_>,
        args: &mut Arguments<'_>,
        is_add: bool,
    ) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut limit = None;
        while let Some(word) = args.optional() {
            if is_add && word == b"*" {
                options.id = Some(NewId::Now);
                break;
            }
            let has_more = args.left() > 0;
            if has_more && word.eq_ignore_ascii_case(b"maxlen") {
                options.begin_trim(args, |arg| {
                    let count = crate::engine::integer(arg)?;
                    const NEGATIVE: CommandError =
                        CommandError::text("ERR The MAXLEN argument must be >= 0.");
                    u64::try_from(count).map(Keep::Latest).map_err(|_| NEGATIVE)
                })?;
            } else if has_more && word.eq_ignore_ascii_case(b"minid") {
                options.begin_trim(args, |arg| id(arg).map(Keep::From))?;
            } else if has_more && word.eq_ignore_ascii_case(b"limit") {
                const NEGATIVE: CommandError =
                    CommandError::text("ERR The LIMIT argument must be >= 0.");
                limit = Some(u64::try_from(args.integer()?).map_err(|_| NEGATIVE)?);
            } else if is_add && word.eq_ignore_ascii_case(b"nomkstream") {
                options.only_existing = true;
            } else if is_add {
                options.id = Some(NewId::parse(word).ok_or(super::interval::INVALID_ID)?);
                break;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        options.set_limit(ctx, limit, is_add)?;
        Ok(options)
    }

    fn begin_trim(
        &mut self,
        args: &mut Arguments<'_>,
        keep: impl Fn(&[u8]) -> Result<Keep, CommandError>,
    ) -> Result<(), CommandError> {
        if self.trim.is_some() {
            return Err(SECOND);
        }
        let is_rough = args.left() > 1 && args.takes("~");
        if !is_rough && args.left() > 1 {
            args.takes("=");
        }
        self.trim = Some(Trim { keep: keep(args.required()?)?, is_rough, limit: 0 });
        Ok(())
    }

    fn set_limit(
        &mut self,
        ctx: &Context<'_>,
        limit: Option<u64>,
        is_add: bool,
    ) -> Result<(), CommandError> {
        let Some(trim) = &mut self.trim else {
            let is_limited = limit.is_some_and(|limit| limit > 0);
            return match (is_limited, is_add) {
                (true, _) => Err(LIMIT_ALONE),
                (false, false) => Err(NO_STRATEGY),
                (false, true) if limit.is_some() && !ctx.origin.repeats() => Err(LIMIT_EXACT),
                (false, true) => Ok(()),
            };
        };
        // What was limited once must not be limited otherwise when it is repeated.
        if ctx.origin.repeats() {
            return Ok(());
        }
        trim.limit = match limit {
            Some(_) if !trim.is_rough => return Err(LIMIT_EXACT),
            Some(limit) => limit,
            None if !trim.is_rough => 0,
            None => match block_limits(&ctx.state.settings).entries.saturating_mul(BLOCKS_MAX) {
                0 => ENTRIES_MAX_DEFAULT,
                entries => entries.min(ENTRIES_MAX),
            },
        };
        Ok(())
    }
}

pub(super) fn xtrim(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let Some(trim) = Options::parse(ctx, &mut args, false)?.trim else {
        return Err(NO_STRATEGY);
    };
    let keyspace = &mut ctx.state.keyspace;
    let deleted = keyspace.change(ctx.db, key, |stream: &mut Stream| {
        let deleted = trim.run(stream);
        (deleted, deleted > 0)
    })?;
    let deleted = usize::try_from(deleted.unwrap_or_default()).unwrap_or(usize::MAX);
    keyspace.work.looked_at(deleted);
    ctx.reply.count(deleted);
    if deleted > 0 && trim.is_rough && keyspace.effects.is_on() {
        let mut exact = Vec::new();
        if let Some(stream) = keyspace.read::<Stream>(ctx.db, key)? {
            trim.write_exact(stream, &mut exact);
        }
        keyspace.effects.record_written(ctx.db, 5, |out| {
            [b"XTRIM", key].into_iter().for_each(|arg| write_arg(out, arg));
            out.append(&mut exact);
        });
    }
    Ok(())
}
