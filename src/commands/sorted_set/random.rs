//! Random members.

use super::{look_up, write_header, write_member};
use crate::commands::pick::{Wanted, check_pairs, wanted};
use crate::engine::Arg::{One, OptionalBlock, OptionalWord};
use crate::engine::Group::SortedSet as Group;
use crate::engine::tips::VARIES;
use crate::engine::uses::READ_VALUE;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::state::Random;
use crate::value::{Kind, SortedSet};
use std::collections::HashSet;

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("zrandmember", -2, zrandmember).group(Group).since("6.2.0").read_only()
        .key(1, READ_VALUE)
        .args(&[One("key"), OptionalBlock("options", &[One("count"), OptionalWord("WITHSCORES")])])
        .cost("O(N) where N is the number of members returned").tips(VARIES)
        .says("Returns random members."),
];

fn zrandmember(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, count) = (args.required()?, args.optional());
    let Some(count) = count else {
        let drawn = ctx.state.random.next();
        let set = look_up::<SortedSet>(ctx.state, ctx.db, key)?;
        match set.and_then(|set| set.get((drawn % set.len().max(1) as u64) as usize)) {
            Some((_, member)) => ctx.reply.bulk(member),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let wanted = wanted(count)?;
    let has_scores = args.takes("withscores");
    args.finish()?;
    if has_scores {
        check_pairs(count)?;
    }
    let len = look_up::<SortedSet>(ctx.state, ctx.db, key)?.map_or(0, SortedSet::len);
    let ranks = ranks(len, wanted, &mut ctx.state.random);
    let set = ctx.state.keyspace.peek(ctx.db, key).and_then(SortedSet::of);
    write_header(ctx.reply, ranks.len(), has_scores);
    for rank in &ranks {
        if let Some(member) = set.and_then(|set| set.get(*rank)) {
            write_member(ctx.reply, member, has_scores);
        }
    }
    ctx.state.keyspace.work.moved(ranks.len());
    Ok(())
}

/// Returns the ranks of random members.
fn ranks(len: usize, wanted: Wanted, random: &mut Random) -> Vec<usize> {
    let mut draw = |limit: usize| (random.next() % limit.max(1) as u64) as usize;
    let count = match wanted {
        Wanted::Repeated(count) => return (0..count).map(|_| draw(len)).collect(),
        Wanted::Different(count) if count >= len => return (0..len).collect(),
        Wanted::Different(count) => count,
    };
    // Each step draws from one more rank; a rank drawn before stands for the new one.
    let (mut drawn, mut ranks) = (HashSet::with_capacity(count), Vec::with_capacity(count));
    for last in len - count..len {
        let rank = draw(last + 1);
        let rank = if drawn.insert(rank) { rank } else { last };
        drawn.insert(rank);
        ranks.push(rank);
    }
    ranks
}
