//! SCRIPT HELP and FUNCTION HELP.

use crate::commands::help;
use crate::engine::{CommandError, Context};
use crate::resp::Request;

pub(super) fn of_scripts(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let lines = [
        "EXISTS <sha1> [<sha1> ...]",
        "    Return information about the existence of the scripts in the script cache.",
        "FLUSH [ASYNC|SYNC]",
        "    Flush the Lua scripts cache. Very dangerous on replicas.",
        "KILL",
        "    Kill the currently executing Lua script.",
        "LOAD <script>",
        "    Load a script into the scripts cache without executing it.",
    ];
    help::write(ctx.reply, "SCRIPT", &lines);
    Ok(())
}

pub(super) fn of_functions(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let lines = [
        "LOAD [REPLACE] <FUNCTION CODE>",
        "    Create a new library with the given library name and code.",
        "DELETE <LIBRARY NAME>",
        "    Delete the given library.",
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        "    Return general information on all the libraries: name, engine, functions, and",
        "    the code if WITHCODE is given. LIBRARYNAME chooses libraries by a pattern.",
        "STATS",
        "    Return the numbers of libraries and functions.",
        "KILL",
        "    Kill the current running function.",
        "FLUSH [ASYNC|SYNC]",
        "    Delete all the libraries.",
    ];
    help::write(ctx.reply, "FUNCTION", &lines);
    Ok(())
}
