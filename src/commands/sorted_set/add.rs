//! Adding members, and changing their scores.

use super::NOT_A_FLOAT;
use crate::engine::Arg::{One, OptionalChoice, OptionalWord, Pairs};
use crate::engine::Group::SortedSet as Group;
use crate::engine::uses::{READ_AND_UPDATE, UPDATE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::queueing::check_no_queue;
use crate::resp::{DoubleBuffer, Request, parse_double};
use crate::value::{Growth, Set, SortedSet};

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("zadd", -4, zadd).group(Group).since("1.2.0").write().deny_oom().fast()
        .key(1, UPDATE)
        .args(&[One("key"), OptionalChoice(&["NX", "XX"]), OptionalChoice(&["GT", "LT"]),
            OptionalWord("CH"), OptionalWord("INCR"), Pairs("score", "member")])
        .cost("O(log(N)) for each member added, where N is the number of members")
        .says("Adds members to a sorted set, or changes their scores."),
    Command::new("zincrby", 4, zincrby).group(Group).since("1.2.0").write().deny_oom().fast()
        .key(1, READ_AND_UPDATE).args(&[One("key"), One("increment"), One("member")])
        .cost("O(log(N)) where N is the number of members")
        .says("Adds to the score of a member."),
];

const NOT_COMPATIBLE: CommandError =
    CommandError::text("ERR XX and NX options at the same time are not compatible");
const NOT_COMPARABLE: CommandError =
    CommandError::text("ERR GT, LT, and/or NX options at the same time are not compatible");
const ONE_PAIR: CommandError =
    CommandError::text("ERR INCR option supports a single increment-element pair");
const NO_SUM: CommandError = CommandError::text("ERR resulting score is not a number (NaN)");

/// ZADD's options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    /// NX: only new members.
    if_absent: bool,
    /// XX: only existing members.
    if_present: bool,
    /// GT: existing members only if the score grows.
    if_greater: bool,
    /// LT: existing members only if the score falls.
    if_less: bool,
    /// CH: the reply counts changed scores, too.
    counts_changes: bool,
    /// INCR: the score is added to the previous one.
    adds: bool,
}

impl Options {
    fn take(args: &mut Arguments<'_>) -> Options {
        let mut options = Options::default();
        loop {
            let option = if args.takes("nx") {
                &mut options.if_absent
            } else if args.takes("xx") {
                &mut options.if_present
            } else if args.takes("gt") {
                &mut options.if_greater
            } else if args.takes("lt") {
                &mut options.if_less
            } else if args.takes("ch") {
                &mut options.counts_changes
            } else if args.takes("incr") {
                &mut options.adds
            } else {
                return options;
            };
            *option = true;
        }
    }

    fn check(self, pairs: usize) -> Result<(), CommandError> {
        let Options { if_absent, if_present, if_greater, if_less, adds, .. } = self;
        if if_absent && if_present {
            return Err(NOT_COMPATIBLE);
        }
        if (if_absent && (if_greater || if_less)) || (if_greater && if_less) {
            return Err(NOT_COMPARABLE);
        }
        if adds && pairs > 1 { Err(ONE_PAIR) } else { Ok(()) }
    }

    /// Whether a score is set whatever the member had.
    fn are_unconditional(self) -> bool {
        Options { counts_changes: false, ..self } == Options::default()
    }
}

/// What a command has done.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    added: usize,
    updated: usize,
    /// The score of the last member; none if a condition did not hold.
    score: Option<f64>,
    /// A sum was not a number.
    has_failed: bool,
}

fn zadd(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    // Hardly a score begins with a letter, so most requests need no comparison with the options.
    let has_options =
        request.get(2).is_some_and(|first| first.first().is_some_and(u8::is_ascii_alphabetic));
    let options = if has_options { Options::take(&mut args) } else { Options::default() };
    if args.left() == 0 || !args.left().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    options.check(args.left() / 2)?;
    add(ctx, key, options, args)
}

fn zincrby(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    add(ctx, key, Options { adds: true, ..Options::default() }, args)
}

fn add(
    ctx: &mut Context<'_>,
    key: &[u8],
    options: Options,
    pairs: Arguments<'_>,
) -> Result<(), CommandError> {
    let count = pairs.left() / 2;
    let mut scores = pairs.clone().rest().step_by(2);
    if !scores.all(|score| parse_double(score).is_some()) {
        return Err(NOT_A_FLOAT);
    }
    let growth = ctx.state.sorted_set_growth();
    let keyspace = &mut ctx.state.keyspace;
    let is_missing = keyspace.read::<SortedSet>(ctx.db, key)?.is_none();
    if is_missing && !options.if_present {
        check_no_queue(keyspace, ctx.db, key)?;
    }
    let done = if is_missing && options.if_present {
        Done::default()
    } else {
        keyspace.work.moved(count);
        keyspace.change_or_create(ctx.db, key, |set| {
            let done = add_all(set, options, pairs.clone(), &growth);
            (done, done.added + done.updated > 0)
        })?
    };
    if done.has_failed {
        return Err(NO_SUM);
    }
    if !options.adds {
        let changes = if options.counts_changes { done.updated } else { 0 };
        ctx.reply.count(done.added + changes);
        return Ok(());
    }
    let Some(score) = done.score else {
        ctx.reply.null();
        return Ok(());
    };
    if done.added + done.updated > 0 {
        // Record the sum: how numbers are added may change.
        let (mut buffer, member) = (DoubleBuffer::default(), pairs.rest().nth(1));
        let args = [&b"ZADD"[..], key, buffer.format(score), member.unwrap_or_default()];
        keyspace.effects.record(ctx.db, args);
    }
    ctx.reply.double(score);
    Ok(())
}

fn add_all(
    set: &mut SortedSet,
    options: Options,
    mut pairs: Arguments<'_>,
    growth: &Growth,
) -> Done {
    let mut done = Done::default();
    while let (Some(score), Some(member)) = (pairs.optional(), pairs.optional()) {
        // The scores are checked already.
        let score = parse_double(score).unwrap_or_default();
        let wanted = if options.are_unconditional() {
            Some(score)
        } else {
            wanted_score(set.score(member), score, options)
        };
        done.score = wanted;
        let Some(score) = wanted else { continue };
        if score.is_nan() {
            done.has_failed = true;
            continue;
        }
        match set.set(member, score, growth) {
            Set::Added => done.added += 1,
            Set::Updated => done.updated += 1,
            Set::Same => {}
        }
    }
    done
}

/// Returns the score that a member gets; none if the options do not allow it.
fn wanted_score(before: Option<f64>, given: f64, options: Options) -> Option<f64> {
    let Some(before) = before else {
        return if options.if_present { None } else { Some(given) };
    };
    // Adding zero makes a negative zero positive.
    let score = if options.adds { before + given + 0.0 } else { given };
    let is_kept = options.if_absent
        || options.if_less && score >= before
        || options.if_greater && score <= before;
    if is_kept { None } else { Some(score) }
}
