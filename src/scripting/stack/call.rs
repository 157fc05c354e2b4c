//! `redis.call` and `redis.pcall`.

use super::link::Link;
use super::{Seen, Stack, reply};
use crate::scripting::raised::{NO_ARGUMENTS, WRONG_ARGUMENTS};
use crate::scripting::running::Running;
use mlua::{Function, Lua, Result, ffi};
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

/// Makes `call` and `pcall`. The link must stay where it is for as long as Lua has them.
pub(in crate::scripting) fn functions(lua: &Lua, link: &Link) -> Result<(Function, Function)> {
    let link = std::ptr::from_ref(link).cast_mut().cast();
    // SAFETY: the closure has no value with a destructor, and leaves the functions on the stack. Both are called by
    // Lua with the link as their upvalue.
    unsafe {
        lua.exec_raw((), |state| {
            ffi::lua_pushlightuserdata(state, link);
            ffi::lua_pushcclosure(state, call, 1);
            ffi::lua_pushlightuserdata(state, link);
            ffi::lua_pushcclosure(state, pcall, 1);
        })
    }
}

/// An error is raised.
unsafe extern "C-unwind" fn call(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this. `error` jumps, and there is no value with a destructor.
    unsafe {
        match respond(Stack(state)) {
            Responded::Nothing => 0,
            Responded::Value => 1,
            Responded::Error => ffi::lua_error(state),
        }
    }
}

/// An error is returned.
unsafe extern "C-unwind" fn pcall(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this.
    match unsafe { respond(Stack(state)) } {
        Responded::Nothing => 0,
        Responded::Value | Responded::Error => 1,
    }
}

/// What is on the top of the stack.
#[derive(Clone, Copy)]
enum Responded {
    /// No value, since the script drops it.
    Nothing,
    Value,
    Error,
}

/// The reply to a request, or why it is none.
#[derive(Clone, Copy)]
enum Answer<'a> {
    Reply(&'a [u8]),
    Refused(&'static str),
}

/// Runs the command that the arguments are.
///
/// # Safety
/// It may jump, and the function that runs is one of those made by `functions`.
unsafe fn respond(stack: Stack) -> Responded {
    // SAFETY: the link is the upvalue, and stays where it is.
    let link = unsafe { &*ffi::lua_touserdata(stack.0, ffi::lua_upvalueindex(1)).cast::<Link>() };
    let answer = ask(link, stack);
    // SAFETY: there is no value with a destructor. Three places are used, and others reserved by `push`.
    unsafe {
        let text = match answer {
            Answer::Reply([b'-', line @ ..]) => line.strip_suffix(b"\r\n").unwrap_or(line),
            Answer::Reply(_) if link.noticing.is_dropped(stack) => return Responded::Nothing,
            Answer::Reply(bytes) => {
                return match reply::push(stack, &link.names, bytes) {
                    Ok(()) => Responded::Value,
                    Err(reply::Broken) => {
                        stack.push_string(b"a reply that is none");
                        Responded::Error
                    }
                };
            }
            Answer::Refused(text) => text.as_bytes(),
        };
        stack.push_table(0, 1);
        stack.push_kept(link.names.err);
        stack.push_string(text);
        stack.set(-3);
    }
    Responded::Error
}

/// Asks the broker. What has a destructor is gone when this returns.
fn ask<'a>(link: &Link, stack: Stack) -> Answer<'a> {
    let asked = catch_unwind(AssertUnwindSafe(|| link.with(|running| run(running, stack))));
    match asked {
        Ok(Some(answer)) => answer,
        Ok(None) => Answer::Refused("ERR the broker runs another command"),
        Err(panic) => {
            link.set_panic(panic);
            Answer::Refused("ERR the command failed")
        }
    }
}

fn run<'a>(running: &mut Running<'_>, stack: Stack) -> Answer<'a> {
    let count = stack.len();
    if count == 0 {
        return Answer::Refused(NO_ARGUMENTS);
    }
    running.request.clear();
    for place in 1..=count {
        match stack.at(place) {
            Seen::Text(text) => running.request.push(text),
            Seen::Number(number) => running.push_number(number),
            _ => return Answer::Refused(WRONG_ARGUMENTS),
        }
    }
    let reply = running.commands.call(&running.request.as_request());
    // SAFETY: the broker keeps the reply as it is until it runs another command. None runs before the reply is
    // converted: that calls no function of scripts.
    Answer::Reply(unsafe { slice::from_raw_parts(reply.as_ptr(), reply.len()) })
}
