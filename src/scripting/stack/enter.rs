//! Entering a script: its arguments, the protected call, and its reply or error.

use super::link::Link;
use super::{Kept, Seen, Stack, returned};
use crate::resp::{Output, Protocol, Request};
use crate::scripting::failure::Failure;
use mlua::{Function, Lua, Result, Table, ffi};
use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::panic::resume_unwind;
use std::ptr;

/// A compiled script or function.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    /// Its address, by which it is found.
    id: CompiledId,
    /// Keeps it from being collected.
    _function: Function,
}

impl Compiled {
    /// What to enter. It is good for as long as this is there.
    pub(crate) fn id(&self) -> CompiledId {
        self.id
    }
}

/// A compiled script or function to enter: its address, which is compared, and never read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompiledId(usize);

impl CompiledId {
    /// The address as a key of Lua's.
    fn as_key(self) -> *mut c_void {
        ptr::without_provenance_mut(self.0)
    }
}

/// What entering needs, kept by Lua.
#[derive(Clone, Copy, Debug)]
pub(in crate::scripting) struct Entry {
    /// The main thread of Lua, which is as long there as the interpreter.
    state: *mut ffi::lua_State,
    /// The handler of errors.
    handler: Kept,
    /// The function `entered`.
    entered: Kept,
    /// The global variables of scripts.
    globals: Kept,
    /// What is compiled, by its address. It keeps nothing from being collected.
    compiled: Kept,
}

// SAFETY: an interpreter is used by one thread at a time.
unsafe impl Send for Entry {}

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
        let mut entry = None;
        let weak = lua.create_table()?;
        let meta = lua.create_table()?;
        meta.raw_set("__mode", "v")?;
        weak.set_metatable(Some(meta))?;
        // SAFETY: the closure has no value with a destructor, and takes the arguments off the stack. No script runs,
        // so the running thread is the main one.
        unsafe {
            lua.exec_raw::<()>((handler, globals, weak), |state| {
                let stack = Stack(state);
                let [compiled, globals, handler] = [stack.keep(), stack.keep(), stack.keep()];
                ffi::lua_pushcclosure(state, entered, 0);
                entry = Some(Entry { state, handler, entered: stack.keep(), globals, compiled });
            })?;
        }
        entry.ok_or_else(|| mlua::Error::runtime("nothing was kept"))
    }

    /// Bytes of memory that Lua uses.
    pub(in crate::scripting) fn memory_bytes(self) -> usize {
        Stack(self.state).memory_bytes()
    }

    /// Makes a function one that can be entered.
    ///
    /// # Errors
    /// There is too little memory.
    pub(in crate::scripting) fn add(self, lua: &Lua, function: Function) -> Result<Compiled> {
        let id = CompiledId(function.to_pointer().addr());
        // SAFETY: the closure has no value with a destructor, and takes the argument off the stack.
        unsafe {
            lua.exec_raw::<()>(&function, |state| {
                let stack = Stack(state);
                stack.push_kept(self.compiled);
                stack.insert(1);
                ffi::lua_pushlightuserdata(state, id.as_key());
                stack.insert(2);
                stack.set(1);
                stack.set_len(0);
            })?;
        }
        Ok(Compiled { id, _function: function })
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
    Failed(Failure),
}

/// One call of a script.
struct Call<'a> {
    link: &'a Link,
    entry: Entry,
    id: CompiledId,
    inputs: Option<Inputs<'a>>,
    written: Option<Written<'a>>,
    is_written: bool,
}

/// Calls a script or function, and writes its value. Without inputs and a place for the value it has neither.
pub(in crate::scripting) fn enter(
    (link, entry): (&Link, Entry),
    id: CompiledId,
    inputs: Option<Inputs<'_>>,
    written: Option<Written<'_>>,
) -> Ended {
    let mut call = Call { link, entry, id, inputs, written, is_written: true };
    let stack = Stack(entry.state);
    let base = stack.len();
    // SAFETY: no script runs, so the stack of the main thread is empty but for what its owner has left there, and
    // there are three places. Until the protected call nothing is allocated. `entered` gets what it expects.
    let status = unsafe {
        stack.push_kept(entry.handler);
        stack.push_kept(entry.entered);
        ffi::lua_pushlightuserdata(stack.0, (&raw mut call).cast());
        ffi::lua_pcall(stack.0, 1, 0, base + 1)
    };
    let failed = link.take_failure();
    let ended = match (status, failed) {
        (ffi::LUA_OK, _) if call.is_written => Ended::Written,
        (ffi::LUA_OK, _) => Ended::TooLong,
        (ffi::LUA_ERRRUN, Some(failure)) => Ended::Failed(failure),
        // The error did not get to the handler, or that had an error of its own.
        _ => Ended::Failed(Failure::unlocated(match stack.at(-1) {
            Seen::Text(text) => text,
            _ => b"unknown error",
        })),
    };
    stack.set_len(base);
    if let Some(panic) = link.take_panic() {
        resume_unwind(panic);
    }
    ended
}

/// The protected part of a call.
unsafe extern "C-unwind" fn entered(state: *mut ffi::lua_State) -> c_int {
    let stack = Stack(state);
    // SAFETY: this is called by `enter` alone, with a pointer to its `Call`, which is not used elsewhere meanwhile.
    // There is no value with a destructor until the script has returned. Then nothing jumps any more.
    unsafe {
        let call = &mut *ffi::lua_touserdata(state, 1).cast::<Call<'_>>();
        stack.reserve(returned::RESERVED);
        stack.push_kept(call.entry.compiled);
        ffi::lua_pushlightuserdata(state, call.id.as_key());
        stack.get(-2);
        let mut count = 0;
        if let Some(inputs) = call.inputs {
            count = push_inputs(stack, call.link, call.entry, inputs);
        }
        ffi::lua_call(state, count, 1);
        if let Some(written) = call.written.take() {
            call.is_written = write(stack, call.link, written);
        }
    }
    0
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
fn write(stack: Stack, link: &Link, written: Written<'_>) -> bool {
    let Written { output, bytes_max } = written;
    let protocol = link.with(|running| running.commands.protocol()).unwrap_or(Protocol::Resp2);
    returned::write(stack, &link.names, output, protocol, bytes_max)
}
