//! FCALL: calls of functions.

use super::functions::run_library;
use super::run::{Run, key_count, return_interpreter, run, show, take_interpreter};
use crate::engine::{CommandError, Context};
use crate::library::{FunctionInfo, Library};
use crate::resp::Request;
use crate::scripting::{Compiled, CompiledId, Interpreter, Passing};
use std::sync::Arc;

const NO_FUNCTION: CommandError = CommandError::text("ERR Function not found");
const BAD_NUMBER: CommandError = CommandError::text("ERR Bad number of keys provided");

pub(super) fn fcall(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    call(ctx, request, false)
}

pub(super) fn fcall_ro(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    call(ctx, request, true)
}

fn call(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    is_read_only: bool,
) -> Result<(), CommandError> {
    show(ctx, request);
    let name = request.get(1).unwrap_or_default();
    let function = ctx.state.keyspace.libraries().function(name);
    let (library, index) = function.ok_or(NO_FUNCTION)?;
    let library = Arc::clone(library);
    let FunctionInfo { name, flags, .. } = library.functions.get(index).ok_or(NO_FUNCTION)?;
    let keys = key_count(request, BAD_NUMBER)?;
    let mut interpreter = take_interpreter(ctx.state)?;
    let result = function_of(ctx, &mut interpreter, &library, name).and_then(|compiled| {
        let (flags, passing) = (Some(*flags), Passing::Arguments);
        let function = Run { compiled, name, flags, is_read_only, passing };
        run(ctx, &mut interpreter, request, &function, keys)
    });
    return_interpreter(ctx.state, interpreter);
    result
}

/// The function of a library, which is run first if it was not yet, or was loaded with the data.
fn function_of(
    ctx: &mut Context<'_>,
    interpreter: &mut Interpreter,
    library: &Arc<Library>,
    name: &[u8],
) -> Result<CompiledId, CommandError> {
    if let Some(compiled) = ctx.state.scripting.libraries.function(library, name) {
        return Ok(compiled.id());
    }
    let (_, functions) = run_library(ctx, interpreter, &library.code)?;
    ctx.state.scripting.libraries.add(library, functions);
    let compiled = ctx.state.scripting.libraries.function(library, name);
    compiled.map(Compiled::id).ok_or(NO_FUNCTION)
}
