//! Lua's stack, used directly where every script passes: entering it, `redis.call`, and the conversions of replies
//! in both directions. Everything else that scripts use goes through `mlua`, which protects, counts and references
//! each string, table and call on its own. A script of three commands took 55,000 instructions that way.
//!
//! # Invariants
//!
//! 1. A function of Lua that allocates or raises may *jump*: it ends the frames above the protected call without
//!    running their destructors. Whoever calls one has no value with a destructor, nor has its caller, up to the
//!    protected call. Such functions are `unsafe` here. The others never jump.
//! 2. A panic never gets to Lua: `call` catches that of a command, and `enter` passes it on.
//! 3. Lua moves no string, and frees none that is on its stack or in a table that is.
//! 4. A function of C has `SLOTS` places on the stack. Whoever needs more reserves them first.
//! 5. See `dropped`.

#![allow(unsafe_code, reason = "the stack of Lua is C code")]

mod call;
mod dropped;
mod enter;
mod link;
mod reply;
mod returned;

pub(super) use call::functions;
pub(crate) use enter::{Compiled, CompiledId, Inputs, Passing};
pub(super) use enter::{Ended, Entry, Written, enter};
pub(super) use link::Link;

use mlua::ffi;
use std::ffi::c_int;
use std::slice;

/// Places on the stack that a function of C has, beside its arguments.
const SLOTS: c_int = ffi::LUA_MINSTACK;

/// The stack of the running function, which outlives this.
#[derive(Clone, Copy)]
struct Stack(*mut ffi::lua_State);

/// A value that the registry keeps, by its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept(c_int);

/// The names of the fields in which replies are in Lua, and of the variables for a script's arguments.
#[derive(Clone, Copy, Debug)]
struct Names {
    ok: Kept,
    err: Kept,
    map: Kept,
    set: Kept,
    double: Kept,
    big_number: Kept,
    verbatim_string: Kept,
    format: Kept,
    string: Kept,
    keys: Kept,
    argv: Kept,
}

impl Names {
    /// # Safety
    /// It may jump.
    unsafe fn new(stack: Stack) -> Names {
        // SAFETY: as for this function; one place is used.
        let keep = |name: &[u8]| unsafe {
            stack.push_string(name);
            stack.keep()
        };
        Names {
            ok: keep(b"ok"),
            err: keep(b"err"),
            map: keep(b"map"),
            set: keep(b"set"),
            double: keep(b"double"),
            big_number: keep(b"big_number"),
            verbatim_string: keep(b"verbatim_string"),
            format: keep(b"format"),
            string: keep(b"string"),
            keys: keep(b"KEYS"),
            argv: keep(b"ARGV"),
        }
    }
}

/// A value on the stack. Text is there for as long as the value is.
enum Seen<'a> {
    Nil,
    Boolean(bool),
    Number(f64),
    Text(&'a [u8]),
    Table,
    Other,
}

// What never jumps. It is safe for places that are in use, and the code here uses no others.
impl Stack {
    /// The number of values.
    fn len(self) -> c_int {
        // SAFETY: the state is valid, by the invariant of the type.
        unsafe { ffi::lua_gettop(self.0) }
    }

    /// Removes the values above these, or adds nils.
    fn set_len(self, len: c_int) {
        // SAFETY: as in `len`.
        unsafe { ffi::lua_settop(self.0, len) }
    }

    /// Removes the uppermost values.
    fn pop(self, count: c_int) {
        self.set_len(-count - 1);
    }

    /// Moves the uppermost value to this place.
    fn insert(self, place: c_int) {
        // SAFETY: as in `len`.
        unsafe { ffi::lua_insert(self.0, place) }
    }

    /// The value at a place. The text must not be used when the value has left the stack.
    fn at<'a>(self, place: c_int) -> Seen<'a> {
        // SAFETY: as in `len`; a string is not converted, so nothing is allocated, and its bytes are there for as
        // long as it is.
        unsafe {
            match ffi::lua_type(self.0, place) {
                ffi::LUA_TNIL | ffi::LUA_TNONE => Seen::Nil,
                ffi::LUA_TBOOLEAN => Seen::Boolean(ffi::lua_toboolean(self.0, place) != 0),
                ffi::LUA_TNUMBER => Seen::Number(ffi::lua_tonumber(self.0, place)),
                ffi::LUA_TSTRING => {
                    let mut len = 0;
                    let bytes = ffi::lua_tolstring(self.0, place, &raw mut len);
                    Seen::Text(slice::from_raw_parts(bytes.cast(), len))
                }
                ffi::LUA_TTABLE => Seen::Table,
                _ => Seen::Other,
            }
        }
    }

    /// Puts a kept value on the stack.
    fn push_kept(self, kept: Kept) {
        // SAFETY: as in `len`; the registry is a table, and reading it allocates nothing.
        unsafe { ffi::lua_rawgeti_(self.0, ffi::LUA_REGISTRYINDEX, kept.0) }
    }

    /// Bytes of memory that Lua uses.
    fn memory_bytes(self) -> usize {
        // SAFETY: as in `len`; both only read a number.
        let [kilobytes, rest] = unsafe {
            [ffi::LUA_GCCOUNT, ffi::LUA_GCCOUNTB].map(|what| ffi::lua_gc(self.0, what, 0))
        };
        usize::try_from(kilobytes).unwrap_or(0) * 1024 + usize::try_from(rest).unwrap_or(0)
    }

    /// Puts the value at this place on the stack once more.
    fn copy(self, place: c_int) {
        // SAFETY: as in `len`.
        unsafe { ffi::lua_pushvalue(self.0, place) }
    }

    fn push_nil(self) {
        // SAFETY: as in `len`.
        unsafe { ffi::lua_pushnil(self.0) }
    }

    fn push_number(self, number: f64) {
        // SAFETY: as in `len`.
        unsafe { ffi::lua_pushnumber(self.0, number) }
    }

    fn push_boolean(self, boolean: bool) {
        // SAFETY: as in `len`.
        unsafe { ffi::lua_pushboolean(self.0, c_int::from(boolean)) }
    }

    /// Replaces the uppermost value, a key, by the value of the table at this place.
    fn get(self, table: c_int) {
        // SAFETY: as in `len`; there is a table at the place, and no metatable is asked.
        unsafe { ffi::lua_rawget_(self.0, table) }
    }

    /// Puts an element of the table at this place on the stack.
    fn push_element(self, table: c_int, index: c_int) {
        // SAFETY: as in `get`.
        unsafe { ffi::lua_rawgeti_(self.0, table, index) }
    }

    /// Replaces the uppermost value, a key, by the next key and its value, if there is one; nil begins. The table
    /// has not changed meanwhile.
    fn next(self, table: c_int) -> bool {
        // SAFETY: as in `get`; it raises only for a key that the table does not have.
        unsafe { ffi::lua_next(self.0, table) != 0 }
    }
}

// What may jump.
impl Stack {
    /// Reserves places for more values. Returns whether there are so many.
    ///
    /// # Safety
    /// It may jump.
    unsafe fn reserve(self, places: c_int) -> bool {
        // SAFETY: as for this function.
        unsafe { ffi::lua_checkstack(self.0, places) != 0 }
    }

    /// # Safety
    /// It may jump.
    unsafe fn push_string(self, text: &[u8]) {
        // SAFETY: as for this function; Lua copies the bytes.
        unsafe { ffi::lua_pushlstring_(self.0, text.as_ptr().cast(), text.len()) }
    }

    /// Puts a table on the stack, with room for elements and fields.
    ///
    /// # Safety
    /// It may jump.
    unsafe fn push_table(self, elements: usize, fields: usize) {
        let places = |count: usize| c_int::try_from(count).unwrap_or(c_int::MAX);
        // SAFETY: as for this function.
        unsafe { ffi::lua_createtable(self.0, places(elements), places(fields)) }
    }

    /// Takes a value and below it its key off the stack, into the table at this place.
    ///
    /// # Safety
    /// It may jump: also for a key that is nil or not a number.
    unsafe fn set(self, table: c_int) {
        // SAFETY: as for this function.
        unsafe { ffi::lua_rawset(self.0, table) }
    }

    /// Takes an element off the stack, into the table at this place.
    ///
    /// # Safety
    /// It may jump.
    unsafe fn set_element(self, table: c_int, index: c_int) {
        // SAFETY: as for this function.
        unsafe { ffi::lua_rawseti_(self.0, table, index) }
    }

    /// Takes a value off the stack, to keep it.
    ///
    /// # Safety
    /// It may jump.
    unsafe fn keep(self) -> Kept {
        // SAFETY: as for this function.
        Kept(unsafe { ffi::luaL_ref(self.0, ffi::LUA_REGISTRYINDEX) })
    }
}
