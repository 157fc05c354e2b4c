//! Work on queues that need not be done at once. It is done in parts, so that no turn takes long.

use super::Queues;
use crate::state::State;

/// Does chores within the turn's budget.
pub(crate) fn do_chores(state: &mut State) {
    let keyspace = &mut state.keyspace;
    if !keyspace.has_chores() {
        return;
    }
    keyspace.work.begin_chores();
    let mut queues = Queues::new(keyspace);
    queues.return_departed();
    queues.do_due();
    queues.hand_over();
    queues.keyspace.free_trash();
    queues.follow_policies();
    queues.keyspace.work.end_chores();
}
