//! Iterating over all members.

use super::look_up;
use crate::commands::scan::{SCAN_COUNT, parse_cursor, selects};
use crate::engine::Arg::{One, OptionalNamed};
use crate::engine::Group::SortedSet as Group;
use crate::engine::tips::VARIES;
use crate::engine::uses::READ_VALUE;
use crate::engine::{Arguments, Command, CommandError, Context, integer};
use crate::resp::{DoubleBuffer, Request};
use crate::value::SortedSet;

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("zscan", -3, zscan).group(Group).since("2.8.0").read_only().key(1, READ_VALUE)
        .args(&[One("key"), One("cursor"), OptionalNamed("MATCH", "pattern"), OptionalNamed("COUNT", "count")])
        .cost("O(1) for each call").tips(VARIES)
        .says("Returns some of the members with their scores, and a cursor to continue."),
];

fn zscan(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let cursor =
        parse_cursor(args.required()?).ok_or(const { CommandError::text("ERR invalid cursor") })?;
    let Some(set) = look_up::<SortedSet>(ctx.state, ctx.db, key)? else {
        ctx.reply.array(2);
        ctx.reply.bulk(b"0");
        ctx.reply.array(0);
        return Ok(());
    };
    let (mut count, mut pattern) = (SCAN_COUNT, None);
    while args.left() > 0 {
        if args.left() > 1 && args.takes("count") {
            let wanted = integer(args.required()?)?;
            if wanted < 1 {
                return Err(CommandError::Syntax);
            }
            count = usize::try_from(wanted).unwrap_or(usize::MAX);
        } else if args.left() > 1 && args.takes("match") {
            pattern = Some(args.required()?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let mut found: Vec<(Vec<u8>, f64)> = Vec::new();
    let mut seen = 0;
    let next = set.scan(cursor, count, |member, score| {
        seen += 1;
        if pattern.is_none_or(|pattern| selects(pattern, member)) {
            found.push((member.to_vec(), score));
        }
    });
    ctx.reply.array(2);
    ctx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    ctx.reply.array(2 * found.len());
    let mut buffer = DoubleBuffer::default();
    for (member, score) in &found {
        ctx.reply.bulk(member);
        ctx.reply.bulk(buffer.format(*score));
    }
    ctx.state.keyspace.work.looked_at(seen);
    Ok(())
}
