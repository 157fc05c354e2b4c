//! SCRIPT: the cache of scripts.

use super::eval::compile;
use super::flush::check_flush;
use super::names::{name_of, parse_name};
use crate::engine::{CommandError, Context};
use crate::resp::Request;
use crate::state::count_max;

pub(super) fn load(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let text = request.get(2).unwrap_or_default();
    let name = name_of(text);
    if !ctx.state.scripting.scripts.keep(&name) {
        let max = count_max(ctx.state.settings.scripting.scripts_max);
        if ctx.state.scripting.scripts.len() >= max {
            return Err(CommandError::text("ERR too many scripts: see script-cache-max"));
        }
        let script = compile(ctx, text)?;
        ctx.state.scripting.scripts.add_loaded(name, script);
    }
    ctx.reply.bulk(&name);
    Ok(())
}

pub(super) fn exists(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let names = request.args_from(2);
    ctx.reply.array(names.len());
    for name in names {
        let name = parse_name(name);
        let is_there = name.is_some_and(|name| ctx.state.scripting.scripts.contains(&name));
        ctx.reply.flag(is_there);
    }
    Ok(())
}

pub(super) fn flush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    check_flush(request, "ERR SCRIPT FLUSH only support SYNC|ASYNC option")?;
    // The libraries are run again when one of their functions is called.
    ctx.state.scripting.clear();
    ctx.reply.ok();
    Ok(())
}
