//! QUEUE PAUSE and RESUME.

use crate::engine::{Arguments, CommandError, Context};
use crate::resp::Request;

/// Returns the directions that `[READ|WRITE|ALL]` means: reading, writing.
fn directions(mut args: Arguments<'_>) -> Result<(bool, bool), CommandError> {
    match args.left() {
        0 => Ok((true, true)),
        1 => {
            args.choice(&[("all", (true, true)), ("read", (true, false)), ("write", (false, true))])
        }
        _ => Err(CommandError::Syntax),
    }
}

pub(super) fn pause(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    set_paused(ctx, request, true)
}

pub(super) fn resume(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    set_paused(ctx, request, false)
}

fn set_paused(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    is_paused: bool,
) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = args.required()?;
    let (reads, writes) = directions(args)?;
    ctx.state.keyspace.set_paused(ctx.db, key, reads, writes, is_paused);
    ctx.reply.ok();
    Ok(())
}
