//! Unions, intersections and differences.

use super::{store, write_header, write_member};
use crate::engine::Arg::{
    self, Choice, Many, One, OptionalBlock, OptionalNamed, OptionalNamedMany, OptionalWord, Word,
};
use crate::engine::Group::SortedSet as Group;
use crate::engine::uses::{OVERWRITE, READ_VALUE};
use crate::engine::{Arguments, Command, CommandError, Context, integer_within};
use crate::keyspace::{Value, WrongType};
use crate::resp::{Request, parse_double};
use crate::state::State;
use crate::value::{Growth, Kind, SetValue, SortedSet};

const AGGREGATE: Arg =
    OptionalBlock("aggregate", &[Word("AGGREGATE"), Choice(&["SUM", "MIN", "MAX"])]);
const WEIGHTS: Arg = OptionalNamedMany("WEIGHTS", "weight");
const SCORES: Arg = OptionalWord("WITHSCORES");

const UNION_COST: &str =
    "O(N)+O(M*log(M)) with N the number of members of all, and M of the result";
const INTER_COST: &str = "O(N*K)+O(M*log(M)) with N the number of members of the smallest, K the number of \
     sorted sets, and M the number of members of the result";
const DIFF_COST: &str = "O(L+(N-K)*log(N)) with L the number of members of all, N of the first, and K of \
     the result";

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("zunion", -3, zunion).group(Group).since("6.2.0").read_only()
        .numkeys(1, READ_VALUE)
        .args(&[One("numkeys"), Many("key"), WEIGHTS, AGGREGATE, SCORES]).cost(UNION_COST)
        .says("Returns the members of several sorted sets."),
    Command::new("zinter", -3, zinter).group(Group).since("6.2.0").read_only()
        .numkeys(1, READ_VALUE)
        .args(&[One("numkeys"), Many("key"), WEIGHTS, AGGREGATE, SCORES]).cost(INTER_COST)
        .says("Returns the members that all of several sorted sets have."),
    Command::new("zdiff", -3, zdiff).group(Group).since("6.2.0").read_only().numkeys(1, READ_VALUE)
        .args(&[One("numkeys"), Many("key"), SCORES]).cost(DIFF_COST)
        .says("Returns the members of a sorted set that others do not have."),
    Command::new("zunionstore", -4, zunionstore).group(Group).since("2.0.0").write().deny_oom()
        .key(1, OVERWRITE).numkeys(2, READ_VALUE)
        .args(&[One("destination"), One("numkeys"), Many("key"), WEIGHTS, AGGREGATE]).cost(UNION_COST)
        .says("Stores the members of several sorted sets at a key."),
    Command::new("zinterstore", -4, zinterstore).group(Group).since("2.0.0").write().deny_oom()
        .key(1, OVERWRITE).numkeys(2, READ_VALUE)
        .args(&[One("destination"), One("numkeys"), Many("key"), WEIGHTS, AGGREGATE]).cost(INTER_COST)
        .says("Stores the members that all of several sorted sets have at a key."),
    Command::new("zdiffstore", -4, zdiffstore).group(Group).since("6.2.0").write().deny_oom()
        .key(1, OVERWRITE).numkeys(2, READ_VALUE)
        .args(&[One("destination"), One("numkeys"), Many("key")]).cost(DIFF_COST)
        .says("Stores the members of a sorted set that others do not have at a key."),
    Command::new("zintercard", -3, zintercard).group(Group).since("7.0.0").read_only()
        .numkeys(1, READ_VALUE).args(&[One("numkeys"), Many("key"), OptionalNamed("LIMIT", "limit")])
        .cost("O(N*K) with N the number of members of the smallest, and K the number of sorted sets")
        .says("Counts the members that all of several sorted sets have."),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// How several scores of a member become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            // The sum of both infinities is zero, by convention.
            Aggregate::Sum => number_or_zero(a + b),
            Aggregate::Min if b < a => b,
            Aggregate::Max if b > a => b,
            Aggregate::Min | Aggregate::Max => a,
        }
    }
}

/// Adding zero makes a negative zero positive.
fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score + 0.0 }
}

/// One of the values that are combined.
#[derive(Clone, Debug)]
struct Source {
    members: Members,
    weight: f64,
}

/// A value shared with its key, so that it costs nothing.
#[derive(Clone, Debug)]
enum Members {
    Scored(SortedSet),
    /// The members of a set have the score 1.
    Plain(SetValue),
}

impl Source {
    fn of(value: &Value) -> Result<Source, WrongType> {
        let members = match (SortedSet::of(value), SetValue::of(value)) {
            (Some(set), _) => Members::Scored(set.clone()),
            (_, Some(set)) => Members::Plain(set.clone()),
            _ => return Err(WrongType),
        };
        Ok(Source { members, weight: 1.0 })
    }

    fn len(&self) -> usize {
        match &self.members {
            Members::Scored(set) => set.len(),
            Members::Plain(set) => set.len(),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.members {
            Members::Scored(set) => set.score(member),
            Members::Plain(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Passes members with their scores to `see`, until it returns false.
    fn each(&self, mut see: impl FnMut(f64, &[u8]) -> bool) {
        match &self.members {
            Members::Scored(set) => {
                let _ = set.iter().all(|(score, member)| see(score, member));
            }
            Members::Plain(set) => {
                let _ = set.iter().all(|member| member.with(|member| see(1.0, member)));
            }
        }
    }
}

/// What is combined, and how.
#[derive(Clone, Debug)]
struct Wanted {
    sources: Vec<Source>,
    aggregate: Aggregate,
    has_scores: bool,
    /// The limit of ZINTERCARD; zero for none.
    limit: usize,
}

fn zunion(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    combine(ctx, request, Operation::Union)
}

fn zinter(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    combine(ctx, request, Operation::Inter)
}

fn zdiff(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    combine(ctx, request, Operation::Diff)
}

fn zunionstore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    combine_and_store(ctx, request, Operation::Union)
}

fn zinterstore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    combine_and_store(ctx, request, Operation::Inter)
}

fn zdiffstore(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    combine_and_store(ctx, request, Operation::Diff)
}

fn combine(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    operation: Operation,
) -> Result<(), CommandError> {
    let wanted = parse(ctx, Arguments::of(request), operation, Use::Reply)?;
    let result = result(ctx, &wanted, operation);
    write_header(ctx.reply, result.len(), wanted.has_scores);
    for member in result.iter() {
        write_member(ctx.reply, member, wanted.has_scores);
    }
    Ok(())
}

fn combine_and_store(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    operation: Operation,
) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let destination = args.required()?;
    let wanted = parse(ctx, args, operation, Use::Store)?;
    let result = result(ctx, &wanted, operation);
    // The sources are shared with their keys, one of which may be the destination.
    drop(wanted);
    store(ctx, destination, result)
}

fn zintercard(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut wanted = parse(ctx, Arguments::of(request), Operation::Inter, Use::Count)?;
    wanted.sources.sort_by_key(Source::len);
    let mut looked_at = 0;
    let mut count = 0;
    if let Some((first, others)) = wanted.sources.split_first() {
        let limit = if wanted.limit == 0 { usize::MAX } else { wanted.limit };
        first.each(|_, member| {
            looked_at += 1;
            count += usize::from(others.iter().all(|other| other.score(member).is_some()));
            count < limit
        });
    }
    ctx.state.keyspace.work.moved(looked_at);
    ctx.reply.count(count);
    Ok(())
}

/// What a result is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Reply,
    Store,
    Count,
}

/// Parses the arguments from the number of keys on, and looks up the keys.
fn parse(
    ctx: &mut Context<'_>,
    mut args: Arguments<'_>,
    operation: Operation,
    result_use: Use,
) -> Result<Wanted, CommandError> {
    let count = args.integer()?;
    let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else {
        let name = ctx.found.command.name;
        return Err(format!("ERR at least 1 input key is needed for '{name}' command").into());
    };
    let mut sources = Vec::new();
    for key in args.several(count)? {
        sources.push(source_at(ctx, key)?);
    }
    let mut wanted = Wanted { sources, aggregate: Aggregate::Sum, has_scores: false, limit: 0 };
    let may_weigh = operation != Operation::Diff && result_use != Use::Count;
    while args.left() > 0 {
        if may_weigh && args.left() > count && args.takes("weights") {
            for (source, weight) in wanted.sources.iter_mut().zip(args.several(count)?) {
                let error = CommandError::text("ERR weight value is not a float");
                source.weight = parse_double(weight).ok_or(error)?;
            }
        } else if may_weigh && args.left() > 1 && args.takes("aggregate") {
            let words = [("sum", Aggregate::Sum), ("min", Aggregate::Min), ("max", Aggregate::Max)];
            wanted.aggregate = args.choice(&words)?;
        } else if result_use == Use::Reply && args.takes("withscores") {
            wanted.has_scores = true;
        } else if result_use == Use::Count && args.left() > 1 && args.takes("limit") {
            let error = "ERR LIMIT can't be negative";
            let limit = integer_within(args.required()?, 0, i64::MAX, error)?;
            wanted.limit = usize::try_from(limit).unwrap_or(usize::MAX);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(wanted)
}

/// Returns what is at a key; nothing is like an empty sorted set.
fn source_at(ctx: &mut Context<'_>, key: &[u8]) -> Result<Source, CommandError> {
    let State { keyspace, stats, .. } = &mut *ctx.state;
    let source = keyspace.get(ctx.db, key).map(Source::of).transpose()?;
    stats.count_lookup(source.is_some());
    Ok(source
        .unwrap_or_else(|| Source { members: Members::Scored(SortedSet::default()), weight: 1.0 }))
}

/// Combines the sources.
fn result(ctx: &mut Context<'_>, wanted: &Wanted, operation: Operation) -> SortedSet {
    let growth = ctx.state.sorted_set_growth();
    let (result, looked_at) = match operation {
        Operation::Union => union(wanted, &growth),
        Operation::Inter => intersection(wanted, &growth),
        Operation::Diff => difference(wanted, &growth),
    };
    ctx.state.keyspace.work.moved(looked_at);
    result
}

/// Returns the sources, the smallest first, as Redis combines them: the order matters for sums.
fn by_size(wanted: &Wanted) -> Vec<&Source> {
    let mut sources: Vec<&Source> = wanted.sources.iter().collect();
    sources.sort_by_key(|source| source.len());
    sources
}

fn union(wanted: &Wanted, growth: &Growth) -> (SortedSet, usize) {
    let (mut result, mut looked_at) = (SortedSet::default(), 0);
    for source in by_size(wanted) {
        looked_at += source.len();
        source.each(|score, member| {
            let score = number_or_zero(score * source.weight);
            let before = result.score(member);
            let score = before.map_or(score, |before| wanted.aggregate.of(before, score));
            result.set(member, score, growth);
            true
        });
    }
    (result, looked_at)
}

fn intersection(wanted: &Wanted, growth: &Growth) -> (SortedSet, usize) {
    let mut result = SortedSet::default();
    let sources = by_size(wanted);
    let Some((first, others)) = sources.split_first() else { return (result, 0) };
    first.each(|score, member| {
        let start = number_or_zero(score * first.weight);
        let score = others.iter().try_fold(start, |sum, other| {
            Some(wanted.aggregate.of(sum, other.score(member)? * other.weight))
        });
        if let Some(score) = score {
            result.set(member, score, growth);
        }
        true
    });
    (result, first.len() * sources.len())
}

fn difference(wanted: &Wanted, growth: &Growth) -> (SortedSet, usize) {
    let mut result = SortedSet::default();
    let Some((first, others)) = wanted.sources.split_first() else { return (result, 0) };
    first.each(|score, member| {
        if others.iter().all(|other| other.score(member).is_none()) {
            result.set(member, score, growth);
        }
        true
    });
    (result, first.len() * wanted.sources.len())
}
