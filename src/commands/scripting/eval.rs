//! EVAL and EVALSHA.

use super::names::{name_of, parse_name};
use super::run::{self, Run, key_count, return_interpreter, run, show, take_interpreter};
use crate::engine::{CommandError, Context};
use crate::resp::Request;
use crate::scripting::{Passing, Script, ScriptName, flags};

const NO_SCRIPT: CommandError = CommandError::text("NOSCRIPT No matching script. Please use EVAL.");

pub(super) fn eval(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    eval_text(ctx, request, false)
}

pub(super) fn eval_ro(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    eval_text(ctx, request, true)
}

pub(super) fn evalsha(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    eval_named(ctx, request, false)
}

pub(super) fn evalsha_ro(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    eval_named(ctx, request, true)
}

fn eval_text(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    is_read_only: bool,
) -> Result<(), CommandError> {
    show(ctx, request);
    let keys = key_count(request, CommandError::NotAnInteger)?;
    let text = request.get(1).unwrap_or_default();
    let name = name_of(text);
    if !ctx.state.scripting.scripts.contains(&name) {
        let script = compile(ctx, text)?;
        ctx.state.scripting.scripts.add_unnamed(name, script);
    }
    eval_script(ctx, request, &name, keys, is_read_only)
}

fn eval_named(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    is_read_only: bool,
) -> Result<(), CommandError> {
    show(ctx, request);
    let name = parse_name(request.get(1).unwrap_or_default()).ok_or(NO_SCRIPT)?;
    let keys = key_count(request, CommandError::NotAnInteger)?;
    eval_script(ctx, request, &name, keys, is_read_only)
}

fn eval_script(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    name: &ScriptName,
    keys: usize,
    is_read_only: bool,
) -> Result<(), CommandError> {
    let Script { compiled, flags } = ctx.state.scripting.scripts.get(name).ok_or(NO_SCRIPT)?;
    let (compiled, flags) = (compiled.id(), *flags);
    let script = Run { compiled, name, flags, is_read_only, passing: Passing::Globals };
    let mut interpreter = take_interpreter(ctx.state)?;
    let result = run(ctx, &mut interpreter, request, &script, keys);
    return_interpreter(ctx.state, interpreter);
    result
}

/// Compiles a script. If memory is short, scripts that only EVAL has compiled are forgotten first.
pub(super) fn compile(ctx: &mut Context<'_>, text: &[u8]) -> Result<Script, CommandError> {
    let (flags, code) = flags::of_script(text).map_err(CommandError::Bytes)?;
    let interpreter = take_interpreter(ctx.state)?;
    let mut compiled = interpreter.compile(code);
    if compiled.as_ref().is_err_and(|error| error.contains(run::NO_MEMORY)) {
        ctx.state.scripting.scripts.remove_unnamed();
        interpreter.collect_garbage();
        compiled = interpreter.compile(code);
    }
    return_interpreter(ctx.state, interpreter);
    match compiled {
        Ok(compiled) => Ok(Script { compiled, flags }),
        Err(error) => {
            let text = format!("ERR Error compiling script (new function): {error}");
            Err(CommandError::from(text))
        }
    }
}
