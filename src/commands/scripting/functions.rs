//! FUNCTION: libraries of functions.

use super::call::{Running, ScriptCommands};
use super::flush::check_flush;
use super::run::{return_interpreter, take_interpreter};
use crate::busy_script::{BusyScript, ScriptKind};
use crate::commands::help;
use crate::engine::script_gates::ScriptRights;
use crate::engine::{Arguments, CommandError, Context, is_word};
use crate::glob::glob_matches;
use crate::library::{FunctionInfo, Library};
use crate::resp::{Output, Request};
use crate::scripting::{Functions, Interpreter, flags, load_library};
use std::sync::Arc;

pub(super) fn load(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let mut replaces = false;
    while args.left() > 1 {
        let word = args.required()?;
        if !is_word(word, "replace") {
            return Err(CommandError::quoting("ERR Unknown option given: ", word, ""));
        }
        replaces = true;
    }
    let code = args.required()?;
    let (name, _) = flags::of_library(code).map_err(CommandError::Bytes)?;
    if !replaces && ctx.state.keyspace.libraries().get(name).is_some() {
        return Err(CommandError::quoting("ERR Library '", name, "' already exists"));
    }
    let mut interpreter = take_interpreter(ctx.state)?;
    let loaded = run_library(ctx, &mut interpreter, code);
    return_interpreter(ctx.state, interpreter);
    let (library, functions) = loaded?;
    if let Some(function) = ctx.state.keyspace.libraries().collision(&library) {
        return Err(CommandError::quoting("ERR Function ", function, " already exists"));
    }
    let library = Arc::new(library);
    ctx.state.scripting.libraries.add(&library, functions);
    ctx.reply.bulk(&library.name);
    ctx.state.keyspace.add_library(library);
    Ok(())
}

/// Runs the code of a library, which may do nothing but register functions.
pub(super) fn run_library(
    ctx: &mut Context<'_>,
    interpreter: &mut Interpreter,
    code: &[u8],
) -> Result<(Library, Functions), CommandError> {
    let rights = ScriptRights {
        may_write: false,
        allows_oom: false,
        allows_stale: false,
        is_out_of_memory: false,
    };
    let db = ctx.db;
    let (mut commands, _) = ScriptCommands::new(ctx, rights, Running::Library);
    let loaded = load_library(interpreter, code, &mut commands);
    commands.end(db);
    loaded.map_err(CommandError::Bytes)
}

pub(super) fn delete(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let name = Arguments::from(request, 2).required()?;
    if !ctx.state.keyspace.remove_library(name) {
        return Err(CommandError::text("ERR Library not found"));
    }
    ctx.state.scripting.libraries.remove(name);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn flush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    if request.len() > 3 {
        return Err(help::wrong_arguments(request, "FUNCTION"));
    }
    check_flush(request, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option")?;
    ctx.state.keyspace.remove_libraries();
    ctx.state.scripting.libraries.clear();
    ctx.reply.ok();
    Ok(())
}

pub(super) fn list(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let (mut has_code, mut pattern) = (false, None);
    let mut args = Arguments::from(request, 2);
    while let Some(word) = args.optional() {
        if !has_code && is_word(word, "withcode") {
            has_code = true;
        } else if pattern.is_none() && is_word(word, "libraryname") {
            const NO_NAME: CommandError =
                CommandError::text("ERR library name argument was not given");
            pattern = Some(args.optional().ok_or(NO_NAME)?);
        } else {
            return Err(CommandError::quoting("ERR Unknown argument ", word, ""));
        }
    }
    let state = &mut *ctx.state;
    let libraries = state.keyspace.libraries();
    let shown: Vec<&Arc<Library>> = libraries
        .iter()
        .filter(|library| pattern.is_none_or(|pattern| glob_matches(pattern, &library.name)))
        .collect();
    ctx.reply.array(shown.len());
    for library in shown {
        write_library(ctx.reply, library, has_code);
    }
    Ok(())
}

fn write_library(reply: &mut Output, library: &Library, has_code: bool) {
    reply.map(if has_code { 4 } else { 3 });
    reply.bulk(b"library_name");
    reply.bulk(&library.name);
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array(library.functions.len());
    for FunctionInfo { name, description, flags } in &library.functions {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"description");
        match description {
            Some(description) => reply.bulk(description),
            None => reply.null(),
        }
        reply.bulk(b"flags");
        reply.set(flags.names().count());
        flags.names().for_each(|flag| reply.simple(flag));
    }
    if has_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.code);
    }
}

pub(super) fn stats(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let (libraries, reply) = (ctx.state.keyspace.libraries(), &mut *ctx.reply);
    let script = ctx.state.busy_script.as_deref();
    if let Some(script) = script.filter(|script| script.kind == ScriptKind::Script) {
        return Err(script.refusal());
    }
    reply.map(2);
    reply.bulk(b"running_script");
    match script {
        None => reply.null(),
        Some(script) => write_running(reply, script, ctx.state.host.monotonic_us()),
    }
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.count(libraries.len());
    reply.bulk(b"functions_count");
    reply.count(libraries.function_count());
    Ok(())
}

fn write_running(reply: &mut Output, script: &BusyScript, now_us: u64) {
    reply.map(3);
    reply.bulk(b"name");
    reply.bulk(&script.name);
    reply.bulk(b"command");
    let request = script.request.as_request();
    reply.array(request.len());
    request.args_from(0).for_each(|arg| reply.bulk(arg));
    reply.bulk(b"duration_ms");
    let took_ms = now_us.saturating_sub(script.begun_us) / 1000;
    reply.integer(i64::try_from(took_ms).unwrap_or(i64::MAX));
}
