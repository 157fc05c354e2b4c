//! The arguments of XREAD and XREADGROUP.

use crate::clock::Now;
use crate::engine::{Arguments, CommandError, Context};
use crate::resp::{Args, Request};
use std::iter::{Take, Zip};

const UNBALANCED: CommandError = CommandError::text(
    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
);

/// What to read, and how.
#[derive(Clone, Debug)]
pub(super) struct Sources<'a> {
    /// The most entries of each stream; 0 for all.
    pub(super) count: u64,
    /// BLOCK: whether to wait for entries.
    pub(super) waits: bool,
    /// Until when, in microseconds of the monotonic clock; none to wait forever.
    pub(super) deadline_us: Option<u64>,
    /// GROUP: the names of the group and the consumer.
    pub(super) group: Option<(&'a [u8], &'a [u8])>,
    /// NOACK: entries are not pending until they are acknowledged.
    pub(super) needs_no_ack: bool,
    pub(super) keys: Take<Args<'a>>,
    pub(super) ids: Args<'a>,
    /// The position of the first id in the request.
    pub(super) ids_at: usize,
}

impl<'a> Sources<'a> {
    /// Reads the arguments of XREAD or, if `is_group`, XREADGROUP.
    pub(super) fn parse(
        ctx: &Context<'_>,
        request: &Request<'a>,
        is_group: bool,
    ) -> Result<Sources<'a>, CommandError> {
        let mut args = Arguments::of(request);
        let (mut count, mut block, mut group, mut needs_no_ack) = (0, None, None, false);
        while let Some(word) = args.optional() {
            let more = args.left();
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if more > 0 && is("block") {
                block = Some(deadline(args.required()?, ctx.now)?);
            } else if more > 0 && is("count") {
                count = u64::try_from(args.integer()?).unwrap_or_default();
            } else if more > 0 && is("streams") {
                if more % 2 == 1 {
                    return Err(UNBALANCED);
                }
                if is_group && group.is_none() {
                    return Err(CommandError::text("ERR Missing GROUP option for XREADGROUP"));
                }
                let keys = args.several(more / 2)?;
                let (waits, deadline_us) = (block.is_some(), block.flatten());
                let (ids_at, ids) = (request.len() - more / 2, args.rest());
                let sources =
                    Sources { count, waits, deadline_us, group, needs_no_ack, keys, ids, ids_at };
                return Ok(sources);
            } else if more > 1 && is("group") {
                if !is_group {
                    return Err(only_for_groups("GROUP"));
                }
                group = Some((args.required()?, args.required()?));
            } else if is("noack") {
                if !is_group {
                    return Err(only_for_groups("NOACK"));
                }
                needs_no_ack = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Err(CommandError::Syntax)
    }

    /// Each key with its id.
    pub(super) fn pairs(&self) -> Zip<Take<Args<'a>>, Args<'a>> {
        self.keys.clone().zip(self.ids.clone())
    }

    /// Returns the id of a key.
    pub(super) fn id_of(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.pairs().find(|(own, _)| *own == key).map(|(_, id)| id)
    }
}

#[cold]
fn only_for_groups(option: &str) -> CommandError {
    let text = format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    );
    text.into()
}

/// Returns the deadline of a wait of so many milliseconds; none for 0.
fn deadline(arg: &[u8], now: Now) -> Result<Option<u64>, CommandError> {
    const NO_INTEGER: CommandError =
        CommandError::text("ERR timeout is not an integer or out of range");
    let millis = crate::resp::parse_integer(arg).ok_or(NO_INTEGER)?;
    let millis = u64::try_from(millis).map_err(|_| CommandError::TimeoutNegative)?;
    let latest = u64::try_from(i64::MAX - now.unix_ms()).unwrap_or_default();
    if millis > latest {
        return Err(CommandError::TimeoutOutOfRange);
    }
    let deadline_us = now.monotonic_us.saturating_add(millis.saturating_mul(1000));
    Ok((millis > 0).then_some(deadline_us))
}
