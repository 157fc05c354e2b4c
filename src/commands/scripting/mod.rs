//! Scripts and functions in Lua.
//!
//! `scripting` has the interpreter, `call.rs` what scripts do with the broker. In a build without Lua, those
//! commands that need it return an error.
//! <https://redis.io/docs/latest/develop/interact/programmability/>

#[cfg(feature = "lua")]
mod call;
#[cfg(feature = "lua")]
mod eval;
#[cfg(feature = "lua")]
mod fcall;
#[cfg(feature = "lua")]
mod functions;
#[cfg(feature = "lua")]
mod names;
#[cfg(feature = "lua")]
mod run;
#[cfg(feature = "lua")]
mod scripts;

#[cfg(not(feature = "lua"))]
mod absent;
#[cfg(not(feature = "lua"))]
use absent as eval;
#[cfg(not(feature = "lua"))]
use absent as fcall;
#[cfg(not(feature = "lua"))]
use absent as functions;
#[cfg(not(feature = "lua"))]
use absent as scripts;

mod flush;
mod help;

use crate::busy_script::ScriptKind;
use crate::engine::Arg::{Many, One, OptionalMany, OptionalNamed, OptionalWord};
use crate::engine::Group::Scripting;
use crate::engine::syntax::SYNC;
use crate::engine::tips::{
    ALL_NODES_SUCCEED, ALL_SHARDS_SUCCEED, ONE_SHARD_SUCCEEDS, ORDER_VARIES, SHARDS_DIFFER,
};
use crate::engine::uses::{READ_AND_UPDATE, READ_VALUE};
use crate::engine::{Arg, Command, CommandError, Context};
use crate::resp::Request;

const SCRIPT_COST: &str = "Depends on the script";
const SCRIPT_ARGS: &[Arg] =
    &[One("script"), One("numkeys"), OptionalMany("key"), OptionalMany("arg")];
const SHA1_ARGS: &[Arg] = &[One("sha1"), One("numkeys"), OptionalMany("key"), OptionalMany("arg")];
const FUNCTION_ARGS: &[Arg] =
    &[One("function"), One("numkeys"), OptionalMany("key"), OptionalMany("arg")];

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("eval", -3, eval::eval).group(Scripting).since("2.6.0").no_script().stale().skip_monitor()
        .may_replicate().no_mandatory_keys().numkeys(2, READ_AND_UPDATE).args(SCRIPT_ARGS).cost(SCRIPT_COST)
        .says("Runs a script."),
    Command::new("evalsha", -3, eval::evalsha).group(Scripting).since("2.6.0").no_script().stale().skip_monitor()
        .may_replicate().no_mandatory_keys().numkeys(2, READ_AND_UPDATE).args(SHA1_ARGS).cost(SCRIPT_COST)
        .says("Runs a script that is known, by its SHA-1."),
    Command::new("eval_ro", -3, eval::eval_ro).group(Scripting).since("7.0.0").read_only().no_script().stale()
        .skip_monitor().no_mandatory_keys().numkeys(2, READ_VALUE).args(SCRIPT_ARGS).cost(SCRIPT_COST)
        .says("Runs a script that changes nothing."),
    Command::new("evalsha_ro", -3, eval::evalsha_ro).group(Scripting).since("7.0.0").read_only().no_script()
        .stale().skip_monitor().no_mandatory_keys().numkeys(2, READ_VALUE).args(SHA1_ARGS).cost(SCRIPT_COST)
        .says("Runs a script that is known and changes nothing, by its SHA-1."),
    Command::new("fcall", -3, fcall::fcall).group(Scripting).since("7.0.0").no_script().stale().skip_monitor()
        .may_replicate().no_mandatory_keys().numkeys(2, READ_AND_UPDATE).args(FUNCTION_ARGS).cost(SCRIPT_COST)
        .says("Calls a function."),
    Command::new("fcall_ro", -3, fcall::fcall_ro).group(Scripting).since("7.0.0").read_only().no_script().stale()
        .skip_monitor().no_mandatory_keys().numkeys(2, READ_VALUE).args(FUNCTION_ARGS).cost(SCRIPT_COST)
        .says("Calls a function that changes nothing."),
    Command::container("script", SCRIPT).group(Scripting).since("2.6.0")
        .says("A container for commands about scripts."),
    Command::container("function", FUNCTION).group(Scripting).since("7.0.0")
        .says("A container for commands about functions."),
];

#[rustfmt::skip]
static SCRIPT: &[Command] = &[
    Command::new("script|load", 3, scripts::load).group(Scripting).since("2.6.0").no_script().stale()
        .args(&[One("script")]).cost("O(N) where N is the length of the script").tips(ALL_NODES_SUCCEED)
        .says("Compiles a script, and returns its SHA-1."),
    Command::new("script|exists", -3, scripts::exists).group(Scripting).since("2.6.0").no_script()
        .args(&[Many("sha1")]).cost("O(N) where N is the number of scripts given")
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
        .says("Returns which scripts are known."),
    Command::new("script|flush", -2, scripts::flush).group(Scripting).since("2.6.0").no_script()
        .args(&[SYNC]).tips(ALL_NODES_SUCCEED).says("Forgets all scripts."),
    Command::new("script|kill", 2, kill_script).group(Scripting).since("2.6.0").no_script().allow_busy()
        .tips(ONE_SHARD_SUCCEEDS).says("Stops the running script, unless it has changed data."),
    Command::new("script|help", 2, help::of_scripts).group(Scripting).since("5.0.0").anytime()
        .says("Returns help on the subcommands."),
];

#[rustfmt::skip]
static FUNCTION: &[Command] = &[
    Command::new("function|load", -3, functions::load).group(Scripting).since("7.0.0").write().deny_oom()
        .no_script().args(&[OptionalWord("REPLACE"), One("function-code")])
        .cost("O(1) besides the work of the code").tips(ALL_SHARDS_SUCCEED).says("Adds a library of functions."),
    Command::new("function|list", -2, functions::list).group(Scripting).since("7.0.0").no_script()
        .args(&[OptionalNamed("LIBRARYNAME", "library-name-pattern"), OptionalWord("WITHCODE")])
        .cost("O(N) where N is the number of functions").tips(ORDER_VARIES)
        .says("Lists the libraries and their functions."),
    Command::new("function|delete", 3, functions::delete).group(Scripting).since("7.0.0").write().no_script()
        .args(&[One("library-name")]).tips(ALL_SHARDS_SUCCEED).says("Deletes a library."),
    Command::new("function|flush", -2, functions::flush).group(Scripting).since("7.0.0").write().no_script()
        .args(&[SYNC]).cost("O(N) where N is the number of functions").tips(ALL_SHARDS_SUCCEED)
        .says("Deletes all libraries."),
    Command::new("function|stats", 2, functions::stats).group(Scripting).since("7.0.0").no_script().allow_busy()
        .tips(SHARDS_DIFFER).says("Returns the running function, and the number of libraries and functions."),
    Command::new("function|kill", 2, kill_function).group(Scripting).since("7.0.0").no_script().allow_busy()
        .tips(ONE_SHARD_SUCCEEDS)
        .says("Stops the running function, unless it has changed data."),
    Command::new("function|help", 2, help::of_functions).group(Scripting).since("7.0.0").anytime()
        .says("Returns help on the subcommands."),
];

fn kill_script(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    kill(ctx, ScriptKind::Script)
}

fn kill_function(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    kill(ctx, ScriptKind::Function)
}

/// Kills the running script. A script that has not run for `busy-reply-threshold` lets nobody ask for it.
fn kill(ctx: &mut Context<'_>, kind: ScriptKind) -> Result<(), CommandError> {
    const NONE: CommandError = CommandError::text("NOTBUSY No scripts in execution right now.");
    ctx.state.busy_script.as_mut().ok_or(NONE)?.kill(kind)?;
    ctx.reply.ok();
    Ok(())
}
