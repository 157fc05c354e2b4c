//! In the place of `scripting`, in a build without Lua.

/// What the broker keeps for scripts: nothing.
#[derive(Debug, Default)]
pub(crate) struct Scripting {}
