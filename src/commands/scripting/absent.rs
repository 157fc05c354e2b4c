//! In a build without Lua: nothing can be run or loaded.

use super::flush::check_flush;
use crate::engine::{CommandError, Context};
use crate::resp::Request;

pub(super) fn refuse(_: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    Err(CommandError::text("ERR this build has no scripts: it was made without the feature `lua`"))
}

pub(super) use refuse as delete;
pub(super) use refuse as eval;
pub(super) use refuse as eval_ro;
pub(super) use refuse as evalsha;
pub(super) use refuse as evalsha_ro;
pub(super) use refuse as fcall;
pub(super) use refuse as fcall_ro;
pub(super) use refuse as load;

pub(super) fn exists(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let scripts = request.args_from(2);
    ctx.reply.array(scripts.len());
    scripts.for_each(|_| ctx.reply.integer(0));
    Ok(())
}

pub(super) fn flush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let error = if request.is_named("script") {
        "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
    } else {
        "ERR FUNCTION FLUSH only supports SYNC|ASYNC option"
    };
    check_flush(request, error)?;
    ctx.reply.ok();
    Ok(())
}

pub(super) fn list(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.array(0);
    Ok(())
}

pub(super) fn stats(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.map(2);
    ctx.reply.bulk(b"running_script");
    ctx.reply.null();
    ctx.reply.bulk(b"engines");
    ctx.reply.map(0);
    Ok(())
}
