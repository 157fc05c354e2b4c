//! What clients with windows and test harnesses ask of every server: modules, functions, scripts,
//! users, snapshots and replicas. None of them is there, and the answers say so in the way of a
//! redis-server that has none.

use super::client::quoting;
use super::help;
use crate::clients::{Blocked, BlockedOn};
use crate::command::{Command, CommandError, Context, Flags, Group, Keys, Run, integer, is_word};
use crate::resp::{Request, parse_integer};

const fn row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    group: Group,
    since: &'static str,
    summary: &'static str,
    run: Run,
) -> Command {
    let keys = Keys::None;
    Command { name, arity, flags, keys, group, since, summary, run: Some(run), subcommands: &[] }
}

const fn container(
    name: &'static str,
    group: Group,
    since: &'static str,
    summary: &'static str,
    subcommands: &'static [Command],
) -> Command {
    let (flags, keys) = (Flags::NONE, Keys::None);
    Command { name, arity: -2, flags, keys, group, since, summary, run: None, subcommands }
}

use Group::{Generic, Scripting, Server};

const ANYTIME: Flags = Flags::LOADING.with(Flags::STALE);
const PLAIN: Flags = Flags::NOSCRIPT;
const FLUSH: Flags = Flags::NOSCRIPT.with(Flags::WRITE);
const KILL: Flags = Flags::NOSCRIPT.with(Flags::ALLOW_BUSY);
const WHOAMI: Flags = ANYTIME.with(Flags::NOSCRIPT);
const MODULES: Flags = Flags::ADMIN.with(Flags::NOSCRIPT);
const LASTSAVE: Flags = ANYTIME.with(Flags::FAST).with(Flags::DANGEROUS);

pub(super) static COMMANDS: &[Command] = &[
    row(
        "wait",
        3,
        Flags::BLOCKING,
        Generic,
        "3.0.0",
        "Waits for replicas, of which there are none.",
        wait,
    ),
    row("lastsave", 1, LASTSAVE, Server, "1.0.0", "Gives the time of the start.", lastsave),
    container("acl", Server, "6.0.0", "A container for commands about users.", ACL),
    container("module", Server, "4.0.0", "A container for commands about modules.", MODULE),
    container(
        "function",
        Scripting,
        "7.0.0",
        "A container for commands about functions.",
        FUNCTION,
    ),
    container("script", Scripting, "2.6.0", "A container for commands about scripts.", SCRIPT),
];

#[rustfmt::skip]
static ACL: &[Command] = &[
    row("acl|whoami", 2, WHOAMI, Server, "6.0.0", "Names the connection's user, which is the only one.", whoami),
    row("acl|help", 2, ANYTIME, Server, "6.0.0", "Explains the subcommands.", acl_help),
];

#[rustfmt::skip]
static MODULE: &[Command] = &[
    row("module|list", 2, MODULES, Server, "4.0.0", "Lists the modules: none.", nothing),
    row("module|help", 2, ANYTIME, Server, "5.0.0", "Explains the subcommands.", module_help),
];

#[rustfmt::skip]
static FUNCTION: &[Command] = &[
    row("function|list", -2, PLAIN, Scripting, "7.0.0", "Lists the functions: none.", function_list),
    row("function|flush", -2, FLUSH, Scripting, "7.0.0", "Deletes all functions, of which there are none.", function_flush),
    row("function|kill", 2, KILL, Scripting, "7.0.0", "Ends the function that runs: none does.", kill),
    row("function|help", 2, ANYTIME, Scripting, "7.0.0", "Explains the subcommands.", function_help),
];

#[rustfmt::skip]
static SCRIPT: &[Command] = &[
    row("script|exists", -3, PLAIN, Scripting, "2.6.0", "Tells which scripts are kept: none.", script_exists),
    row("script|flush", -2, PLAIN, Scripting, "2.6.0", "Forgets all scripts, of which there are none.", script_flush),
    row("script|kill", 2, KILL, Scripting, "2.6.0", "Ends the script that runs: none does.", kill),
    row("script|help", 2, ANYTIME, Scripting, "5.0.0", "Explains the subcommands.", script_help),
];

/// No replica acknowledges anything, so that whoever waits for one waits until the time is over.
fn wait(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const NO_TIMEOUT: CommandError =
        CommandError::text("ERR timeout is not an integer or out of range");
    // Redis keeps the number in 32 bits: of some large ones nothing or less is left.
    let replicas = integer(&request[1])? as i32;
    let timeout_ms = parse_integer(&request[2]).ok_or(NO_TIMEOUT)?;
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| CommandError::TimeoutNegative)?;
    if replicas <= 0 || ctx.is_in_exec() {
        ctx.reply.integer(0);
        return Ok(());
    }
    let timeout_us = timeout_ms.saturating_mul(1000);
    let deadline_us = (timeout_us > 0).then(|| ctx.now.monotonic_us.saturating_add(timeout_us));
    let state = &mut *ctx.state;
    if let Some(deadline_us) = deadline_us {
        state.wait_deadlines.insert(deadline_us, ctx.client);
    }
    state.clients.block(ctx.client, Blocked { on: BlockedOn::Replicas, deadline_us });
    Ok(())
}

/// The time of the last snapshot; until the first that is the time of the start.
fn lastsave(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    // Seconds stay far below i64.
    ctx.reply.integer((ctx.state.started.unix_us / 1_000_000).cast_signed());
    Ok(())
}

fn whoami(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.bulk(b"default");
    Ok(())
}

fn nothing(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.array(0);
    Ok(())
}

fn function_list(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let (mut has_code, mut has_name) = (false, false);
    let mut rest = request.args_from(2);
    while let Some(word) = rest.next() {
        if !has_code && is_word(word, "withcode") {
            has_code = true;
        } else if !has_name && is_word(word, "libraryname") {
            has_name = true;
            const NO_NAME: CommandError =
                CommandError::text("ERR library name argument was not given");
            rest.next().ok_or(NO_NAME)?;
        } else {
            return Err(quoting("ERR Unknown argument ", word, ""));
        }
    }
    nothing(ctx, request)
}

fn function_flush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const ERROR: &str = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option";
    if request.len() > 3 {
        return Err(help::wrong_arguments(&request[1], "FUNCTION"));
    }
    flush(ctx, request, ERROR)
}

fn script_flush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    flush(ctx, request, "ERR SCRIPT FLUSH only support SYNC|ASYNC option")
}

fn flush(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    error: &'static str,
) -> Result<(), CommandError> {
    match (request.get(2), request.get(3)) {
        (None, _) => {}
        (Some(word), None) if is_word(word, "sync") || is_word(word, "async") => {}
        _ => return Err(CommandError::text(error)),
    }
    ctx.reply.ok();
    Ok(())
}

fn kill(_: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    Err(CommandError::text("NOTBUSY No scripts in execution right now."))
}

fn script_exists(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.array(request.len() - 2);
    request.args_from(2).for_each(|_| ctx.reply.integer(0));
    Ok(())
}

fn acl_help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let lines = ["WHOAMI", "    Return the current connection username."];
    help::write(ctx.reply, "ACL", &lines);
    Ok(())
}

fn module_help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    help::write(ctx.reply, "MODULE", &["LIST", "    Return a list of loaded modules: none."]);
    Ok(())
}

fn function_help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let lines = [
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        "    Return general information on all the libraries, of which there are none.",
        "KILL",
        "    Kill the current running function.",
        "FLUSH [ASYNC|SYNC]",
        "    Delete all the libraries.",
    ];
    help::write(ctx.reply, "FUNCTION", &lines);
    Ok(())
}

fn script_help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let lines = [
        "EXISTS <sha1> [<sha1> ...]",
        "    Return information about the existence of the scripts in the script cache.",
        "FLUSH [ASYNC|SYNC]",
        "    Flush the scripts cache, which is empty.",
        "KILL",
        "    Kill the currently executing script.",
    ];
    help::write(ctx.reply, "SCRIPT", &lines);
    Ok(())
}
