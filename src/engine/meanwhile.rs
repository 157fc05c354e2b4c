//! What goes on while a script runs for a long time.

use crate::state::State;

/// Serves other clients from within a script. See `busy_script` for what they are told.
pub(crate) trait Meanwhile {
    /// Does a bounded amount of work. No data changes.
    fn serve(&mut self, state: &mut State);
}

/// Nobody is served until the script ends.
pub(crate) struct Nobody;

impl Meanwhile for Nobody {
    fn serve(&mut self, _: &mut State) {}
}
