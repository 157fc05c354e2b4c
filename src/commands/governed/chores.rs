//! What has to be done for queues, and not at once: in parts, so that no turn is held up by it.

use super::departures::hand_over;
use super::due::tend_due;
use super::give_back::return_departed;
use super::policies::follow_policies;
use crate::state::State;

/// Does chores, as far as the turn has time for them.
pub fn do_chores(state: &mut State) {
    let State { keyspace, effects, .. } = state;
    if !keyspace.has_chores() {
        return;
    }
    keyspace.work.begin_chores();
    return_departed(keyspace, effects);
    tend_due(keyspace, effects);
    hand_over(keyspace, effects);
    keyspace.free_trash();
    follow_policies(keyspace, effects);
    keyspace.work.end_chores();
}
