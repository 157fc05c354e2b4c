//! What follows from what was done, by a command or by time: watches that are broken, and clients that waited
//! for it.

use super::{blocking, producers};
use crate::engine::gates;
use crate::engine::open_transaction;
use crate::state::{State, add_expired};

/// After a command outside EXEC, or a whole EXEC: watches that the changes broke, and clients
/// that wait for what came.
#[inline(always)]
pub(crate) fn follow_up(state: &mut State) {
    add_expired(&mut state.keyspace, &mut state.effects);
    if state.keyspace.has_signals() {
        follow_signals(state);
    }
}

fn follow_signals(state: &mut State) {
    open_transaction::break_watches(state);
    // What consumers take makes room, and what producers push is for consumers.
    if !gates::is_serving_paused(state) {
        while state.keyspace.has_signals() {
            blocking::serve_ready_keys(state);
            producers::serve_producers(state);
            open_transaction::break_watches(state);
        }
    }
}

/// Ends CLIENT PAUSE when its time is over: held-back commands run, ready keys are served.
pub(crate) fn end_pause(state: &mut State) {
    gates::lift_pause(state);
    follow_up(state);
}
