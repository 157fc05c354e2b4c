//! What the broker keeps for scripts between their runs. Nothing of it is data.

use super::{Interpreter, LoadedLibraries, ScriptCache};
use crate::resp::Output;

/// The interpreter, and what it has compiled.
#[derive(Debug, Default)]
pub(crate) struct Scripting {
    /// Made for the first script. Absent while a script runs.
    pub(crate) interpreter: Option<Box<Interpreter>>,
    /// The memory limit that the interpreter has.
    pub(crate) memory_bytes_max: usize,
    pub(crate) scripts: ScriptCache,
    pub(crate) libraries: LoadedLibraries,
    /// A buffer for the replies to commands of scripts.
    pub(crate) reply: Output,
}

impl Scripting {
    /// Forgets all scripts, and frees the memory that they have taken.
    pub(crate) fn clear(&mut self) {
        *self = Scripting::default();
    }
}
