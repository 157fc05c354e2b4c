//! What has to be done for queues, and not at once: in parts, so that no turn is held up by it.

use super::Queues;
use crate::state::State;

/// Does chores, as far as the turn has time for them.
pub(crate) fn do_chores(state: &mut State) {
    let keyspace = &mut state.keyspace;
    if !keyspace.has_chores() {
        return;
    }
    keyspace.work.begin_chores();
    let mut queues = Queues::new(keyspace);
    queues.return_departed();
    queues.tend_due();
    queues.hand_over();
    queues.keyspace.free_trash();
    queues.follow_policies();
    queues.keyspace.work.end_chores();
}
