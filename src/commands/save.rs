//! RDB files: SAVE, BGSAVE, LASTSAVE. <https://redis.io/docs/latest/commands/bgsave/>
//!
//! The broker only asks for a save. Whoever drives it writes the file while it goes on, so SAVE waits for that.

use super::audit::log_action;
use crate::clients::Wants;
use crate::engine::Arg::OptionalWord;
use crate::engine::Group::Server;
use crate::engine::tips::VARIES;
use crate::engine::wait;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::persistence::SnapshotUse;
use crate::resp::Request;
use crate::state::State;
use std::iter;

const IN_PROGRESS: CommandError = CommandError::text("ERR Background save already in progress");

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("save", 1, save).group(Server).since("1.0.0").admin().no_script()
        .no_async_loading().no_multi().cost("O(N) where N is the total number of keys in all databases")
        .says("Writes all data to an RDB file, and replies when it is durable."),
    Command::new("bgsave", -1, bgsave).group(Server).since("1.0.0").admin().no_script()
        .no_async_loading().args(&[OptionalWord("SCHEDULE")])
        .says("Begins to write all data to an RDB file."),
    Command::new("lastsave", 1, lastsave).group(Server).since("1.0.0").anytime().fast().dangerous()
        .counts_as_admin().tips(VARIES)
        .says("Returns the time of the last complete RDB file, or of the start."),
];

fn save(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    if ctx.state.persistence.saves.began().is_some() {
        return Err(IN_PROGRESS);
    }
    if !ctx.origin.may_wait() {
        return Err(CommandError::text("ERR SAVE is not allowed where a client cannot wait"));
    }
    check_file(ctx)?;
    log_action(ctx, request);
    let State { persistence, clients, .. } = &mut *ctx.state;
    let saves = &mut persistence.saves;
    saves.is_wanted = true;
    if saves.waiting.len() > clients.len() {
        saves.waiting.retain(|id| clients.get(*id).is_some());
    }
    saves.waiting.push(ctx.client);
    wait::begin(ctx, request, Wants::Save, iter::empty(), None);
    Ok(())
}

fn bgsave(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let schedules = args.left() == 1 && args.takes("schedule");
    if args.left() > 0 {
        return Err(CommandError::Syntax);
    }
    let persistence = &ctx.state.persistence;
    if persistence.saves.began().is_some() {
        return Err(IN_PROGRESS);
    }
    let other = persistence.snapshot.current().filter(|current| *current != SnapshotUse::Save);
    let is_later = other.is_some() || ctx.origin.is_exec();
    if other.is_some() && !schedules && !ctx.origin.is_exec() {
        return Err(CommandError::text(
            "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order \
             to schedule a BGSAVE whenever possible.",
        ));
    }
    check_file(ctx)?;
    log_action(ctx, request);
    ctx.state.persistence.saves.is_wanted = true;
    ctx.reply.simple(if is_later {
        "Background saving scheduled"
    } else {
        "Background saving started"
    });
    Ok(())
}

/// Checks that an RDB file can be written.
pub(super) fn check_file(ctx: &mut Context<'_>) -> Result<(), CommandError> {
    let state = &mut *ctx.state;
    let checked = state.host.check_rdb_file(&state.settings);
    checked
        .map_err(|reason| CommandError::from(format!("ERR No RDB file can be written: {reason}")))
}

fn lastsave(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let last = ctx.state.persistence.saves.last().unwrap_or(ctx.state.started);
    // Seconds stay far below i64.
    ctx.reply.integer((last.unix_us / 1_000_000).cast_signed());
    Ok(())
}
