//! Ranges of members, returned or stored.

use super::bounds::{member_cuts, ranks, score_cuts};
use super::{PER_RANGE, look_up, store, write_header, write_member};
use crate::engine::Arg::{self, Named, One, OptionalBlock, OptionalChoice, OptionalWord};
use crate::engine::Group::SortedSet as Group;
use crate::engine::uses::{OVERWRITE, READ_VALUE};
use crate::engine::{Arguments, Command, CommandError, Context, integer};
use crate::resp::Request;
use crate::tree::Cut;
use crate::value::SortedSet;
use std::ops::Range;

const LIMIT: Arg = OptionalBlock("offset_count", &[Named("LIMIT", "offset"), One("count")]);

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("zrange", -4, zrange).group(Group).since("1.2.0").read_only().key(1, READ_VALUE)
        .args(&[One("key"), One("start"), One("stop"), OptionalChoice(&["BYSCORE", "BYLEX"]),
            OptionalWord("REV"), LIMIT, OptionalWord("WITHSCORES")]).cost(PER_RANGE)
        .says("Returns the members between two ranks, scores or texts."),
    Command::new("zrangestore", -5, zrangestore).group(Group).since("6.2.0").write().deny_oom()
        .key(1, OVERWRITE).key(2, READ_VALUE)
        .args(&[One("destination"), One("source"), One("min"), One("max"),
            OptionalChoice(&["BYSCORE", "BYLEX"]), OptionalWord("REV"), LIMIT]).cost(PER_RANGE)
        .says("Stores the members between two ranks, scores or texts at another key."),
    Command::new("zrevrange", -4, zrevrange).group(Group).since("1.2.0").read_only()
        .key(1, READ_VALUE)
        .args(&[One("key"), One("start"), One("stop"), OptionalWord("WITHSCORES")]).cost(PER_RANGE)
        .says("Returns the members between two ranks, the highest score first."),
    Command::new("zrangebyscore", -4, zrangebyscore).group(Group).since("1.0.5").read_only()
        .key(1, READ_VALUE)
        .args(&[One("key"), One("min"), One("max"), OptionalWord("WITHSCORES"), LIMIT])
        .cost(PER_RANGE).says("Returns the members between two scores."),
    Command::new("zrevrangebyscore", -4, zrevrangebyscore).group(Group).since("2.2.0").read_only()
        .key(1, READ_VALUE)
        .args(&[One("key"), One("max"), One("min"), OptionalWord("WITHSCORES"), LIMIT])
        .cost(PER_RANGE).says("Returns the members between two scores, the highest first."),
    Command::new("zrangebylex", -4, zrangebylex).group(Group).since("2.8.9").read_only()
        .key(1, READ_VALUE).args(&[One("key"), One("min"), One("max"), LIMIT]).cost(PER_RANGE)
        .says("Returns the members between two texts, if all have the same score."),
    Command::new("zrevrangebylex", -4, zrevrangebylex).group(Group).since("2.8.9").read_only()
        .key(1, READ_VALUE).args(&[One("key"), One("max"), One("min"), LIMIT]).cost(PER_RANGE)
        .says("Returns the members between two texts, the last first, if all have the same score."),
];

const NO_LIMIT: CommandError = CommandError::text(
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const NO_SCORES: CommandError =
    CommandError::text("ERR syntax error, WITHSCORES not supported in combination with BYLEX");

/// What bounds a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// The form of a command: what is fixed by its name.
#[derive(Clone, Copy, Debug, Default)]
struct Form {
    by: Option<By>,
    is_reverse: Option<bool>,
    stores: bool,
}

/// A range as it is wanted.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    bounds: Bounds<'a>,
    is_reverse: bool,
    /// Members passed over, and how many are returned at most; a negative number means none or all.
    limit: Option<(i64, i64)>,
    has_scores: bool,
}

#[derive(Clone, Copy, Debug)]
enum Bounds<'a> {
    Ranks(i64, i64),
    Cuts(Cut<'a>, Cut<'a>),
}

impl<'a> Wanted<'a> {
    fn parse(mut args: Arguments<'a>, form: Form) -> Result<Wanted<'a>, CommandError> {
        let (first, second) = (args.required()?, args.required()?);
        let Form { mut by, mut is_reverse, stores } = form;
        let (mut limit, mut has_scores) = (None, false);
        while args.left() > 0 {
            if !stores && args.takes("withscores") {
                has_scores = true;
            } else if args.left() > 2 && args.takes("limit") {
                limit = Some((args.integer()?, args.integer()?));
            } else if form.is_reverse.is_none() && args.takes("rev") {
                is_reverse = Some(true);
            } else if form.by.is_none() && args.takes("bylex") {
                by = Some(By::Member);
            } else if form.by.is_none() && args.takes("byscore") {
                by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let (by, is_reverse) = (by.unwrap_or(By::Rank), is_reverse.unwrap_or(false));
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            return Err(NO_LIMIT);
        }
        if by == By::Member && has_scores {
            return Err(NO_SCORES);
        }
        let (min, max) = if is_reverse { (second, first) } else { (first, second) };
        let bounds = match by {
            By::Rank => Bounds::Ranks(integer(first)?, integer(second)?),
            By::Score => score_cuts(min, max).map(|(min, max)| Bounds::Cuts(min, max))?,
            By::Member => member_cuts(min, max).map(|(min, max)| Bounds::Cuts(min, max))?,
        };
        Ok(Wanted { bounds, is_reverse, limit, has_scores })
    }

    /// Returns the ranks of the range in a sorted set.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        match self.bounds {
            Bounds::Ranks(start, stop) => {
                let ranks = ranks_between(start, stop, set.len());
                let len = set.len();
                if self.is_reverse { len - ranks.end..len - ranks.start } else { ranks }
            }
            Bounds::Cuts(min, max) => limited(ranks(set, &(min, max)), self.limit, self.is_reverse),
        }
    }
}

/// Returns the part of some ranks that a limit allows.
fn limited(ranks: Range<usize>, limit: Option<(i64, i64)>, is_reverse: bool) -> Range<usize> {
    let Some((offset, count)) = limit else { return ranks };
    // A negative offset passes over all, a negative count is no limit.
    let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(ranks.len());
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(ranks.len() - offset);
    if is_reverse {
        let end = ranks.end - offset;
        end - count..end
    } else {
        let start = ranks.start + offset;
        start..start + count
    }
}

/// Returns the ranks between two, of which negative ones count from the end.
pub(super) fn ranks_between(start: i64, stop: i64, len: usize) -> Range<usize> {
    let place = |rank: i64| match usize::try_from(rank) {
        Ok(rank) => Some(rank),
        Err(_) => len.checked_sub(usize::try_from(rank.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let start = place(start).unwrap_or(0);
    let end = place(stop).map_or(0, |stop| stop.saturating_add(1).min(len));
    if start < end { start..end } else { 0..0 }
}

fn zrange(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    range(ctx, request, Form::default())
}

fn zrevrange(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    fixed(ctx, request, By::Rank, true)
}

fn zrangebyscore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    fixed(ctx, request, By::Score, false)
}

fn zrevrangebyscore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    fixed(ctx, request, By::Score, true)
}

fn zrangebylex(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    fixed(ctx, request, By::Member, false)
}

fn zrevrangebylex(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    fixed(ctx, request, By::Member, true)
}

fn fixed(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    by: By,
    is_reverse: bool,
) -> Result<(), CommandError> {
    range(ctx, request, Form { by: Some(by), is_reverse: Some(is_reverse), stores: false })
}

fn range(ctx: &mut Context<'_>, request: &Request<'_>, form: Form) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let wanted = Wanted::parse(args, form)?;
    let Some(set) = look_up::<SortedSet>(ctx.state, ctx.db, key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let ranks = wanted.ranks(set);
    let (count, bytes_before) = (ranks.len(), ctx.reply.len());
    write_header(ctx.reply, count, wanted.has_scores);
    let members = set.range(ranks);
    let reply = &mut *ctx.reply;
    if wanted.is_reverse {
        members.rev().for_each(|member| write_member(reply, member, wanted.has_scores));
    } else {
        members.for_each(|member| write_member(reply, member, wanted.has_scores));
    }
    let copied = ctx.reply.len() - bytes_before;
    let work = &mut ctx.state.keyspace.work;
    work.looked_at(count);
    work.copied(copied);
    Ok(())
}

fn zrangestore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (destination, source) = (args.required()?, args.required()?);
    let wanted = Wanted::parse(args, Form { stores: true, ..Form::default() })?;
    let growth = ctx.state.sorted_set_growth();
    let mut stored = SortedSet::default();
    if let Some(set) = look_up::<SortedSet>(ctx.state, ctx.db, source)? {
        for (score, member) in set.range(wanted.ranks(set)) {
            stored.set(member, score, &growth);
        }
    }
    ctx.state.keyspace.work.moved(stored.len());
    store(ctx, destination, stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_counted_from_both_ends() {
        for (start, stop, expected) in [
            (0, -1, 0..5),
            (0, 0, 0..1),
            (-3, -1, 2..5),
            (-99, 1, 0..2),
            (2, 99, 2..5),
            (4, 2, 0..0),
            (5, 9, 0..0),
            (-1, -2, 0..0),
            (-99, -98, 0..0),
            (i64::MIN, i64::MAX, 0..5),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            assert_eq!(ranks_between(start, stop, 5), expected, "{start} {stop}");
        }
        assert_eq!(ranks_between(0, -1, 0), 0..0);
    }

    #[test]
    fn limits_count_from_the_end_that_is_first() {
        assert_eq!(limited(2..8, Some((1, 2)), false), 3..5);
        assert_eq!(limited(2..8, Some((1, 2)), true), 5..7);
        assert_eq!(limited(2..8, Some((0, -1)), true), 2..8);
        assert_eq!(limited(2..8, Some((5, 9)), false), 7..8);
        assert_eq!(limited(2..8, Some((6, 9)), true), 2..2);
        assert!(limited(2..8, Some((-1, 9)), false).is_empty());
    }
}
