//! Running a script or function for a command.

use super::call::{Running, ScriptCommands};
use crate::busy_script::ScriptKind;
use crate::engine::{CommandError, Context, integer, monitor, script_gates};
use crate::library::ScriptFlags;
use crate::resp::Request;
use crate::scripting::{CompiledId, Inputs, Interpreter, Passing};
use crate::state::{State, count_max};

/// Lua's error when the memory of scripts is used up.
pub(super) const NO_MEMORY: &str = "not enough memory";

/// A script and how it is run.
pub(super) struct Run<'a> {
    pub(super) compiled: CompiledId,
    /// The SHA-1 of a script, or the name of a function.
    pub(super) name: &'a [u8],
    pub(super) flags: Option<ScriptFlags>,
    /// Whether the command only reads.
    pub(super) is_read_only: bool,
    pub(super) passing: Passing,
}

/// Shows the request to monitors, whether or not the script then runs: its commands are shown behind it.
pub(super) fn show(ctx: &mut Context<'_>, request: &Request<'_>) {
    if !ctx.state.monitors.is_empty() {
        monitor::feed(ctx, request);
    }
}

/// The arguments behind the script: the number of keys, keys, other arguments.
///
/// # Errors
/// There are fewer than keys; or `not_a_number`.
pub(super) fn key_count(
    request: &Request<'_>,
    not_a_number: CommandError,
) -> Result<usize, CommandError> {
    let count = integer(request.get(2).unwrap_or_default()).map_err(|_| not_a_number)?;
    if count > i64::try_from(request.len()).unwrap_or(i64::MAX) - 3 {
        return Err(CommandError::text("ERR Number of keys can't be greater than number of args"));
    }
    usize::try_from(count).map_err(|_| CommandError::text("ERR Number of keys can't be negative"))
}

/// The interpreter, for as long as the command needs it.
///
/// # Errors
/// The memory for scripts is too small for it.
pub(super) fn take_interpreter(state: &mut State) -> Result<Box<Interpreter>, CommandError> {
    let limit = count_max(state.settings.scripting.memory_bytes_max);
    let scripting = &mut state.scripting;
    if let Some(interpreter) = scripting.interpreter.take() {
        if scripting.memory_bytes_max != limit {
            scripting.memory_bytes_max = limit;
            interpreter.set_memory_limit(limit);
        }
        return Ok(interpreter);
    }
    scripting.memory_bytes_max = limit;
    let interpreter = Interpreter::new(limit);
    interpreter.map(Box::new).map_err(|error| {
        CommandError::from(format!("ERR scripts cannot be run, see lua-memory-limit: {error}"))
    })
}

/// Ends `take_interpreter`. Memory that is not in use is given back before it comes near its limit: Lua itself
/// would only fail there.
pub(super) fn return_interpreter(state: &mut State, interpreter: Box<Interpreter>) {
    if interpreter.memory_bytes() > state.scripting.memory_bytes_max / 2 {
        interpreter.collect_garbage();
    }
    state.scripting.interpreter = Some(interpreter);
}

/// Runs a script, and writes its reply. `keys` is the number of keys.
pub(super) fn run(
    ctx: &mut Context<'_>,
    interpreter: &mut Interpreter,
    request: &Request<'_>,
    run: &Run<'_>,
    keys: usize,
) -> Result<(), CommandError> {
    let rights = script_gates::begin(ctx.state, run.flags, run.is_read_only, ctx.now)?;
    let inputs = Inputs { request: *request, first: 3, keys, passing: run.passing };
    let is_group = !ctx.state.keyspace.effects.is_in_group();
    if is_group {
        ctx.state.keyspace.effects.begin_group();
    }
    let reply_bytes_max = ctx.state.scripting.memory_bytes_max;
    let db = ctx.db;
    let kind = match run.passing {
        Passing::Globals => ScriptKind::Script,
        Passing::Arguments => ScriptKind::Function,
    };
    let running = Running::Script { kind, name: run.name, request };
    let (mut commands, output) = ScriptCommands::new(ctx, rights, running);
    let output = (output, reply_bytes_max);
    let result = interpreter.run(run.compiled, run.name, inputs, &mut commands, output);
    commands.end(db);
    if is_group {
        ctx.state.keyspace.effects.end_group();
    }
    result.map_err(CommandError::Bytes)
}
