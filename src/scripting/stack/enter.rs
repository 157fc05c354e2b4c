//! Entering a script: its arguments, the protected call, and its reply or error.

use super::link::Link;
use super::{Kept, Stack, returned};
use crate::resp::{Output, Protocol, Request};
use mlua::{Function, Lua, Result, Table, Value, ffi};
use std::ffi::c_int;
use std::ops::Range;
use std::panic::resume_unwind;

/// What entering needs, kept by Lua.
#[derive(Clone, Copy, Debug)]
pub(in crate::scripting) struct Entry {
    /// The handler of errors.
    handler: Kept,
    /// The global variables of scripts.
    globals: Kept,
}

impl Entry {
    /// Keeps a handler of errors and the table of global variables.
    ///
    /// # Errors
    /// There is too little memory.
    pub(in crate::scripting) fn new(
        lua: &Lua,
        handler: &Function,
        globals: &Table,
    ) -> Result<Entry> {
        let mut kept = None;
        // SAFETY: the closure has no value with a destructor, and takes both arguments off the stack.
        unsafe {
            lua.exec_raw::<()>((handler, globals), |state| {
                let globals = Stack(state).keep();
                kept = Some(Entry { handler: Stack(state).keep(), globals });
            })?;
        }
        kept.ok_or_else(|| mlua::Error::runtime("nothing was kept"))
    }
}

/// The arguments of a script: those of a request from the first one on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) first: usize,
    /// The number of names of keys, which come first.
    pub(crate) keys: usize,
    pub(crate) passing: Passing,
}

/// How arguments get to the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// As the global variables KEYS and ARGV.
    Globals,
    /// As two arguments.
    Arguments,
}

/// Where the value of a script goes.
pub(in crate::scripting) struct Written<'a> {
    pub(in crate::scripting) output: &'a mut Output,
    pub(in crate::scripting) bytes_max: usize,
}

/// How a script ended.
pub(in crate::scripting) enum Ended {
    /// Its value was written.
    Written,
    /// Its reply exceeds its limit. Some of it may be written.
    TooLong,
    /// What the handler made of its error, or an error that did not get there.
    Failed(Value),
}

/// Calls a script or function, and writes its value. Without inputs and a place for the value it has neither.
///
/// # Errors
/// There is too little memory for the arguments.
pub(in crate::scripting) fn enter(
    (lua, link, entry): (&Lua, &Link, Entry),
    function: &Function,
    inputs: Option<Inputs<'_>>,
    written: Option<Written<'_>>,
) -> Result<Ended> {
    let mut ended = None;
    // SAFETY: the closure has only references, so no value with a destructor; it uses the stack above the function,
    // and leaves at most an error there.
    let entered: Result<Value> = unsafe {
        lua.exec_raw(function, |state| {
            let stack = Stack(state);
            stack.reserve(returned::RESERVED);
            let is_returned = call(stack, link, entry, inputs);
            if is_returned {
                ended = Some(write(stack, link, written));
                stack.set_len(0);
            } else {
                stack.insert(1);
                stack.set_len(1);
            }
        })
    };
    if let Some(panic) = link.take_panic() {
        resume_unwind(panic);
    }
    let error = entered?;
    Ok(match ended {
        Some(true) => Ended::Written,
        Some(false) => Ended::TooLong,
        None => Ended::Failed(error),
    })
}

/// Calls the function that is on the stack. Leaves its value or its error there; returns whether it is a value.
///
/// # Safety
/// It may jump, before the function is called.
unsafe fn call(stack: Stack, link: &Link, entry: Entry, inputs: Option<Inputs<'_>>) -> bool {
    stack.push_kept(entry.handler);
    stack.insert(1);
    let mut count = 0;
    // SAFETY: as for this function. The handler is at place 1, and the arguments are above the function.
    let status = unsafe {
        if let Some(inputs) = inputs {
            count = push_inputs(stack, link, entry, inputs);
        }
        ffi::lua_pcall(stack.0, count, 1, 1)
    };
    status == ffi::LUA_OK
}

/// Returns the number of arguments.
///
/// # Safety
/// It may jump.
unsafe fn push_inputs(stack: Stack, link: &Link, entry: Entry, inputs: Inputs<'_>) -> c_int {
    let Inputs { request, first, keys, passing } = inputs;
    let middle = first.saturating_add(keys).min(request.len());
    let (keys, args) = (first..middle, middle..request.len());
    let names = &link.names;
    // SAFETY: as for this function.
    unsafe {
        stack.push_kept(entry.globals);
        for (name, words) in [(names.keys, &keys), (names.argv, &args)] {
            stack.push_kept(name);
            match passing {
                Passing::Globals => push_words(stack, request, words),
                Passing::Arguments => stack.push_nil(),
            }
            stack.set(-3);
        }
        stack.pop(1);
        if passing == Passing::Globals {
            return 0;
        }
        push_words(stack, request, &keys);
        push_words(stack, request, &args);
    }
    2
}

/// A table with these arguments of a request.
///
/// # Safety
/// It may jump.
unsafe fn push_words(stack: Stack, request: Request<'_>, range: &Range<usize>) {
    // SAFETY: as for this function.
    unsafe { stack.push_table(range.len(), 0) };
    for (index, word) in (1..).zip(request.args_from(range.start).take(range.len())) {
        // SAFETY: as for this function.
        unsafe {
            stack.push_string(word);
            stack.set_element(-2, index);
        }
    }
}

/// Writes the uppermost value; returns whether all of it was.
fn write(stack: Stack, link: &Link, written: Option<Written<'_>>) -> bool {
    let Some(Written { output, bytes_max }) = written else { return true };
    let protocol = link.with(|running| running.commands.protocol()).unwrap_or(Protocol::Resp2);
    returned::write(stack, &link.names, output, protocol, bytes_max)
}
