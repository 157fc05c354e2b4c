//! The functions of `redis` that ask nothing of the broker.

use super::raised;
use crate::resp::REDIS_VERSION;
use crate::sha1::sha1;
use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

/// Makes the functions and the constants.
pub(super) fn open(lua: &Lua) -> Result<Table> {
    let redis = lua.create_table()?;
    add_constants(&redis)?;
    for (name, number) in
        [("REPL_NONE", 0), ("REPL_AOF", 1), ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3)]
    {
        redis.raw_set(name, number)?;
    }
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("error_reply", lua.create_function(error_reply)?)?;
    redis.raw_set("status_reply", lua.create_function(status_reply)?)?;
    redis.raw_set("set_repl", lua.create_function(set_repl)?)?;
    let replicates = lua.create_function(|_, _: MultiValue| Ok(true))?;
    redis.raw_set("replicate_commands", replicates)?;
    Ok(redis)
}

/// The constants that libraries have too while they are loaded.
pub(super) fn constants(lua: &Lua) -> Result<Table> {
    let constants = lua.create_table()?;
    add_constants(&constants)?;
    Ok(constants)
}

fn add_constants(table: &Table) -> Result<()> {
    let levels = ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"];
    for (number, name) in levels.into_iter().enumerate() {
        table.raw_set(name, number)?;
    }
    table.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    table.raw_set("REDIS_VERSION_NUM", version_number())
}

/// The version with a byte for each of its parts.
fn version_number() -> u32 {
    let parts = REDIS_VERSION.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    parts.fold(0, |number, part| (number << 8) | (part & 0xff))
}

fn sha1hex(lua: &Lua, args: MultiValue) -> Result<String> {
    let mut args = args.into_iter();
    let (Some(text), None) = (args.next(), args.next()) else {
        return Err(raised::reply("ERR wrong number of arguments"));
    };
    let text = lua.coerce_string(text)?;
    let digest = sha1(&text.map(|text| text.as_bytes().to_vec()).unwrap_or_default());
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The only argument, if it is a string.
fn only_string(args: MultiValue) -> Option<LuaString> {
    let mut args = args.into_iter();
    match (args.next(), args.next()) {
        (Some(Value::String(text)), None) => Some(text),
        _ => None,
    }
}

fn table_with(lua: &Lua, field: &str, text: &[u8]) -> Result<Table> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(field, lua.create_string(text)?)?;
    Ok(table)
}

const WRONG_ARGUMENTS: &[u8] = b"ERR wrong number or type of arguments";

/// The error with a text that begins with its code. A single word is not a code.
fn error_reply(lua: &Lua, args: MultiValue) -> Result<Table> {
    let Some(text) = only_string(args) else { return table_with(lua, "err", WRONG_ARGUMENTS) };
    let text = text.as_bytes();
    let text = text.strip_prefix(b"-").unwrap_or(&text);
    let end = text.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
    let text = text.get(..end).unwrap_or_default();
    if text.contains(&b' ') {
        return table_with(lua, "err", text);
    }
    table_with(lua, "err", &[b"ERR ", text].concat())
}

fn status_reply(lua: &Lua, args: MultiValue) -> Result<Table> {
    match only_string(args) {
        Some(text) => table_with(lua, "ok", &text.as_bytes()),
        None => table_with(lua, "err", WRONG_ARGUMENTS),
    }
}

/// Accepted, and without an effect: a script has one effect for files and replicas.
fn set_repl(lua: &Lua, args: MultiValue) -> Result<()> {
    let mut args = args.into_iter();
    let (Some(flags), None) = (args.next(), args.next()) else {
        return Err(raised::reply("ERR redis.set_repl() requires two arguments."));
    };
    match lua.coerce_number(flags)? {
        Some(flags) if (0.0..4.0).contains(&flags) => Ok(()),
        _ => Err(raised::reply(
            "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        )),
    }
}
