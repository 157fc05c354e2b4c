//! Deletions, and the ids of a stream.

use super::add::TRIM;
use super::interval::id;
use super::trim::xtrim;
use crate::engine::Arg::{Block, Many, One, OptionalNamed};
use crate::engine::Group::Stream as OfStreams;
use crate::engine::tips::VARIES;
use crate::engine::uses::{DELETE, UPDATE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::value::{Stream, StreamId};

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("xdel", -3, xdel).group(OfStreams).since("5.0.0").write().fast().key(1, DELETE)
        .args(&[One("key"), Many("id")]).cost("O(1) for each entry, within its block")
        .says("Deletes entries."),
    Command::new("xtrim", -4, xtrim).group(OfStreams).since("5.0.0").write().key(1, DELETE)
        .args(&[One("key"), Block(TRIM)]).cost("O(N) where N is the number of blocks deleted")
        .tips(VARIES).says("Deletes the oldest entries of a stream."),
    Command::new("xsetid", -3, xsetid).group(OfStreams).since("5.0.0").write().deny_oom().fast()
        .key(1, UPDATE)
        .args(&[One("key"), One("last-id"), OptionalNamed("ENTRIESADDED", "entries_added"),
            OptionalNamed("MAXDELETEDID", "max_deleted_entry_id")])
        .says("Sets the last id of a stream; used by files and replicas."),
];

fn xdel(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let keyspace = &mut ctx.state.keyspace;
    if keyspace.read::<Stream>(ctx.db, key)?.is_none() {
        ctx.reply.count(0);
        return Ok(());
    }
    let ids = args.rest();
    // All or nothing: an invalid id is found before anything is deleted.
    for arg in ids.clone() {
        id(arg)?;
    }
    keyspace.work.keys(ids.len());
    let deleted = keyspace.change(ctx.db, key, |stream: &mut Stream| {
        let ids = ids.filter_map(|arg| id(arg).ok());
        let deleted = ids.filter(|id| stream.delete(*id)).count();
        (deleted, deleted > 0)
    })?;
    ctx.reply.count(deleted.unwrap_or_default());
    Ok(())
}

fn xsetid(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, last_id) = (args.required()?, id(args.required()?)?);
    let (mut added, mut deleted) = (None, StreamId::MIN);
    while args.left() > 0 {
        if args.left() > 1 && args.takes("entriesadded") {
            const NEGATIVE: CommandError = CommandError::text("ERR entries_added must be positive");
            added = Some(u64::try_from(args.integer()?).map_err(|_| NEGATIVE)?);
        } else if args.left() > 1 && args.takes("maxdeletedid") {
            deleted = id(args.required()?)?;
            if last_id < deleted {
                return Err(CommandError::text(
                    "ERR The ID specified in XSETID is smaller than the provided \
                     max_deleted_entry_id",
                ));
            }
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let keyspace = &mut ctx.state.keyspace;
    let stream = keyspace.read::<Stream>(ctx.db, key)?.ok_or(CommandError::NoSuchKey)?;
    check_ids(stream, last_id, added)?;
    keyspace.change_quietly(ctx.db, key, |stream: &mut Stream| {
        stream.set_ids(last_id, added, deleted);
        ((), true)
    })?;
    ctx.reply.ok();
    Ok(())
}

fn check_ids(stream: &Stream, last_id: StreamId, added: Option<u64>) -> Result<(), CommandError> {
    let problem = if last_id < stream.max_deleted_id() {
        "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
    } else if last_id < stream.last_entry_id() {
        "ERR The ID specified in XSETID is smaller than the target stream top item"
    } else if added.is_some_and(|added| added < stream.len()) {
        "ERR The entries_added specified in XSETID is smaller than the target stream length"
    } else {
        return Ok(());
    };
    Err(CommandError::text(problem))
}
