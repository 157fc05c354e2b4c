//! The functions of `redis` that ask the broker, besides commands.

use super::raised;
use super::running::Running;
use super::stack::Link;
use crate::resp::Protocol;
use mlua::{Lua, MultiValue, Result, Value};

/// The numbers of questions, as in `prelude.lua`.
const LOG: i64 = 1;
const SETRESP: i64 = 2;
const ACL_CHECK: i64 = 3;

/// Answers a question of `redis.log` and others.
pub(super) fn ask(link: &Link, lua: &Lua, mut args: MultiValue) -> Result<Value> {
    let question = match args.pop_front() {
        Some(Value::Integer(question)) => question,
        _ => return Ok(Value::Nil),
    };
    let answer = link.with(|running| match question {
        LOG => log(running, lua, &args).map(|()| Value::Nil),
        SETRESP => set_protocol(running, lua, args).map(|()| Value::Nil),
        ACL_CHECK => check_access(running, &args),
        _ => Ok(Value::Nil),
    });
    answer.unwrap_or_else(|| Err(raised::text("the broker runs another command")))
}

fn check_access(running: &mut Running<'_>, args: &MultiValue) -> Result<Value> {
    running.collect(args)?;
    let may_run = running.commands.may_run(&running.request.as_request());
    may_run
        .map(Value::Boolean)
        .ok_or_else(|| raised::reply("ERR Invalid command passed to redis.acl_check_cmd()"))
}

fn log(running: &mut Running<'_>, lua: &Lua, args: &MultiValue) -> Result<()> {
    let (Some(level), true) = (args.front(), args.len() >= 2) else {
        return Err(raised::reply("ERR redis.log() requires two arguments or more."));
    };
    let level = match level {
        Value::Integer(level) => usize::try_from(*level).ok(),
        Value::Number(level) => (*level >= 0.0).then_some(*level as usize),
        _ => {
            let text = "ERR First argument must be a number (log level).";
            return Err(raised::reply(text));
        }
    };
    let level = level.filter(|level| *level < 4);
    let level = level.ok_or_else(|| raised::reply("ERR Invalid debug level."))?;
    let mut line = Vec::new();
    for word in args.iter().skip(1) {
        if let Some(word) = lua.coerce_string(word.clone())? {
            if !line.is_empty() {
                line.push(b' ');
            }
            line.extend_from_slice(&word.as_bytes());
        }
    }
    running.commands.log(level, &line);
    Ok(())
}

fn set_protocol(running: &mut Running<'_>, lua: &Lua, args: MultiValue) -> Result<()> {
    let mut args = args.into_iter();
    let (Some(version), None) = (args.next(), args.next()) else {
        return Err(raised::reply("ERR redis.setresp() requires one argument."));
    };
    let protocol = match lua.coerce_integer(version)? {
        Some(2) => Protocol::Resp2,
        Some(3) => Protocol::Resp3,
        _ => return Err(raised::reply("ERR RESP version must be 2 or 3.")),
    };
    running.commands.set_protocol(protocol);
    Ok(())
}
