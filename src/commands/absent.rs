//! Commands that graphical clients and test harnesses send to every server: modules, functions and scripts.
//! None of these exist here. The replies are those of a redis-server without any.

use super::help;
use crate::engine::Arg::{Many, OptionalNamed, OptionalWord};
use crate::engine::Group::{Scripting, Server};
use crate::engine::syntax::SYNC;
use crate::engine::tips::{
    ALL_NODES_SUCCEED, ALL_SHARDS_SUCCEED, ONE_SHARD_SUCCEEDS, ORDER_VARIES,
};
use crate::engine::{Arguments, Command, CommandError, Context, is_word};
use crate::resp::Request;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("module", MODULE).group(Server).since("4.0.0")
        .says("A container for commands about modules."),
    Command::container("function", FUNCTION).group(Scripting).since("7.0.0")
        .says("A container for commands about functions."),
    Command::container("script", SCRIPT).group(Scripting).since("2.6.0")
        .says("A container for commands about scripts."),
];

#[rustfmt::skip]
static MODULE: &[Command] = &[
    Command::new("module|list", 2, nothing).group(Server).since("4.0.0").admin().no_script()
        .tips(ORDER_VARIES).says("Lists the modules: none."),
    Command::new("module|help", 2, module_help).group(Server).since("5.0.0").anytime()
        .says("Returns help on the subcommands."),
];

#[rustfmt::skip]
static FUNCTION: &[Command] = &[
    Command::new("function|list", -2, function_list).group(Scripting).since("7.0.0").no_script()
        .args(&[OptionalNamed("LIBRARYNAME", "library-name-pattern"), OptionalWord("WITHCODE")])
        .tips(ORDER_VARIES).says("Lists the functions: none."),
    Command::new("function|flush", -2, function_flush).group(Scripting).since("7.0.0").write()
        .no_script().args(&[SYNC]).tips(ALL_SHARDS_SUCCEED)
        .says("Deletes all functions; there are none."),
    Command::new("function|kill", 2, kill).group(Scripting).since("7.0.0").no_script().allow_busy()
        .tips(ONE_SHARD_SUCCEEDS).says("Stops the running function; there is none."),
    Command::new("function|help", 2, function_help).group(Scripting).since("7.0.0").anytime()
        .says("Returns help on the subcommands."),
];

#[rustfmt::skip]
static SCRIPT: &[Command] = &[
    Command::new("script|exists", -3, script_exists).group(Scripting).since("2.6.0").no_script()
        .args(&[Many("sha1")]).cost("O(N) where N is the number of scripts given")
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
        .says("Returns which scripts are cached: none."),
    Command::new("script|flush", -2, script_flush).group(Scripting).since("2.6.0").no_script()
        .args(&[SYNC]).tips(ALL_NODES_SUCCEED)
        .says("Deletes all scripts; there are none."),
    Command::new("script|kill", 2, kill).group(Scripting).since("2.6.0").no_script().allow_busy()
        .tips(ONE_SHARD_SUCCEEDS).says("Stops the running script; there is none."),
    Command::new("script|help", 2, script_help).group(Scripting).since("5.0.0").anytime()
        .says("Returns help on the subcommands."),
];

fn nothing(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.array(0);
    Ok(())
}

fn function_list(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let (mut has_code, mut has_name) = (false, false);
    let mut args = Arguments::from(request, 2);
    while let Some(word) = args.optional() {
        if !has_code && is_word(word, "withcode") {
            has_code = true;
        } else if !has_name && is_word(word, "libraryname") {
            has_name = true;
            const NO_NAME: CommandError =
                CommandError::text("ERR library name argument was not given");
            args.optional().ok_or(NO_NAME)?;
        } else {
            return Err(CommandError::quoting("ERR Unknown argument ", word, ""));
        }
    }
    nothing(ctx, request)
}

fn function_flush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const ERROR: &str = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option";
    if request.len() > 3 {
        return Err(help::wrong_arguments(request, "FUNCTION"));
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
    let scripts = request.args_from(2);
    ctx.reply.array(scripts.len());
    scripts.for_each(|_| ctx.reply.integer(0));
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
