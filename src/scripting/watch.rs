//! Looks at the clock while a script runs.

use super::raised;
use super::stack::Link;
use mlua::{HookTriggers, Lua, Result, VmState};
use std::sync::Arc;

/// Instructions between two looks: about a millisecond's worth, as in Redis.
const INSTRUCTIONS: u32 = 100_000;

/// Asks the broker of the running script from time to time, and stops the script if it says so. A coroutine is
/// watched as well: it has the hook of the one that created it.
pub(super) fn begin(lua: &Lua, link: &Arc<Link>) -> Result<()> {
    let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTIONS);
    let link = Arc::clone(link);
    lua.set_global_hook(triggers, move |_, _| {
        // Outside of scripts there is nobody to ask.
        if link.stop().is_none()
            && let Some(Some(stop)) = link.with(|running| running.commands.must_stop())
        {
            link.set_stop(stop);
        }
        match link.stop() {
            None => Ok(VmState::Continue),
            Some(stop) => Err(raised::text(stop.text())),
        }
    })
}
