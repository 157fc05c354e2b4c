//! Whether a script drops the value of `redis.call`.
//!
//! Scripts often call a command as a statement. What nobody uses need not be converted: of a script with `INCR`, `SET`
//! and `GET` the status of `SET` alone, a table, took a twelfth. Lua 5.1 has no function that tells how many results
//! are wanted, but it notes that for each call.
//!
//! # Invariants
//!
//! 5. `State` and `CallInfo` begin as `lua_State` and `CallInfo` in the `lstate.h` of Lua 5.1, which is complete: it
//!    has not changed since 2006, nor will it. `Noticing::of` tries it with each interpreter.

use super::{Seen, Stack};
use mlua::{Function, Lua, Result, ffi};
use std::ffi::{c_int, c_uchar, c_void};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

#[repr(C)]
struct State {
    next: *const c_void,
    type_number: c_uchar,
    marked: c_uchar,
    status: c_uchar,
    top: *const c_void,
    base: *const c_void,
    global: *const c_void,
    call: *const CallInfo,
}

#[repr(C)]
struct CallInfo {
    base: *const c_void,
    function: *const c_void,
    top: *const c_void,
    next_instruction: *const c_void,
    results: c_int,
}

/// As many results as there are.
const ALL: c_int = -1;

/// How many results the running function is called for, or `ALL`.
fn results(stack: Stack) -> c_int {
    // SAFETY: the state is valid, by the invariant of `Stack`, and by 5 begins as `State`. A function runs, so there is
    // its `CallInfo`. Nothing else uses either meanwhile.
    unsafe { (*(*stack.0.cast::<State>()).call).results }
}

/// Whether it is known what is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noticing(bool);

impl Noticing {
    /// Tries it.
    ///
    /// # Errors
    /// There is too little memory.
    pub(super) fn of(lua: &Lua) -> Result<Noticing> {
        let seen = [const { AtomicI32::new(i32::MIN) }; 4];
        // SAFETY: the closure has no value with a destructor, and leaves the function on the stack. `seen` is there
        // until the last call.
        let noticed: Function = unsafe {
            lua.exec_raw((), |state| {
                ffi::lua_pushlightuserdata(state, (&raw const seen).cast_mut().cast());
                ffi::lua_pushcclosure(state, notice, 1);
            })?
        };
        let script = "local notice = ...; notice(1); local a, b = notice(2); a = {notice(3)}; return notice(4)";
        lua.load(script).call::<()>(noticed)?;
        Ok(Noticing(seen.map(AtomicI32::into_inner) == [0, 2, ALL, ALL]))
    }

    /// Whether the running function need not return anything.
    pub(super) fn is_dropped(self, stack: Stack) -> bool {
        self.0 && results(stack) == 0
    }
}

/// Keeps how many results it is called for, at the place that its argument says.
unsafe extern "C-unwind" fn notice(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this, for `Noticing::of`, whose array is the upvalue.
    let seen =
        unsafe { &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<[AtomicI32; 4]>() };
    if let Seen::Number(place) = Stack(state).at(1)
        && let Some(seen) = seen.get((place as usize).wrapping_sub(1))
    {
        seen.store(results(Stack(state)), Relaxed);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_what_is_dropped() {
        assert!(Noticing::of(&Lua::new()).expect("memory").0);
    }
}
