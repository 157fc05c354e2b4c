//! Looks at the clock while a script runs.

use super::raised;
use super::running::TICK;
use mlua::{Error, Function, HookTriggers, Lua, Result, Table, VmState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Instructions between two looks: about a millisecond's worth, as in Redis.
const INSTRUCTIONS: u32 = 100_000;

/// A script that is at the limit of nested calls at so many looks in a row is stopped: it calls itself without
/// end, and catches the errors of that.
const UNANSWERED_MAX: u32 = 100;

/// Calls the function `ask` of the running script from time to time, and stops the script if it says so. A
/// coroutine is watched as well: it has the hook of the one that created it.
pub(super) fn begin(lua: &Lua, link: &Table, is_stopped: &Arc<AtomicBool>) -> Result<()> {
    let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTIONS);
    let (link, is_stopped) = (link.clone(), Arc::clone(is_stopped));
    let unanswered = AtomicU32::new(0);
    lua.set_global_hook(triggers, move |_, _| {
        if is_stopped.load(Relaxed) {
            return Err(stopped());
        }
        // Outside of scripts there is nobody to ask.
        let must_stop = match link.raw_get::<Option<Function>>("ask") {
            Ok(ask) => ask.map(|ask| ask.call(TICK).ok()),
            Err(_) => Some(None),
        };
        let must_stop = match must_stop {
            // At the limit of nested calls nobody can be asked.
            Some(None) => unanswered.fetch_add(1, Relaxed) >= UNANSWERED_MAX,
            Some(Some(must_stop)) => {
                unanswered.store(0, Relaxed);
                must_stop
            }
            None => false,
        };
        if must_stop {
            unanswered.store(0, Relaxed);
            is_stopped.store(true, Relaxed);
            return Err(stopped());
        }
        Ok(VmState::Continue)
    })
}

fn stopped() -> Error {
    raised::text("the script has run for longer than script-time-limit-ms and was stopped")
}
