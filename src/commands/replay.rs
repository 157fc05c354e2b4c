//! Runs commands from append files instead of a client.
//!
//! There is no client, gate, reply or wait, and nothing expires. The input is known to be complete, so
//! MULTI and EXEC have no effect: no client can see a state in between.

use crate::client_id::ClientId;
use crate::clock::Now;
use crate::engine::look_up::look_up;
use crate::engine::{Arguments, CommandError, Context, Flags, Origin, Table};
use crate::keyspace::DbIndex;
use crate::queueing::{self, Queues};
use crate::resp::{Output, Request, parse_integer};
use crate::state::State;

/// Runs one command in `db`, which a SELECT changes. Leaves `reply` empty.
///
/// Accepts only commands that change data, and SELECT, MULTI, EXEC and notes.
pub(crate) fn replay(
    state: &mut State,
    table: &'static Table,
    db: &mut DbIndex,
    request: &Request<'_>,
    reply: &mut Output,
) -> Result<(), CommandError> {
    let found = look_up(table, request)?;
    match found.command.name {
        "multi" | "exec" => return Ok(()),
        "select" => {
            let index = Arguments::of(request).required()?;
            let index = parse_integer(index).and_then(|index| usize::try_from(index).ok());
            let index = index.filter(|&index| index < state.keyspace.db_count());
            *db = index.ok_or(CommandError::DbOutOfRange)?;
            return Ok(());
        }
        "echo" => {
            let text = Arguments::of(request).required()?;
            return queueing::replay_note(&mut state.keyspace, *db, text);
        }
        _ => {}
    }
    let keyspace = &mut state.keyspace;
    if Queues::new(keyspace).replay(*db, request) {
        return Ok(());
    }
    let run = found.command.run.filter(|_| found.command.flags.contains(Flags::WRITE));
    let run = run.ok_or(CommandError::text("ERR not a command that changes data"))?;
    let mut context = Context {
        state,
        client: ClientId::nobody(),
        db: *db,
        now: Now::default(),
        reply,
        origin: Origin::Replay,
        ready_key: None,
        is_waiting: false,
        found,
        table,
    };
    let result = run(&mut context, request);
    queueing::remember_replayed_push(&mut state.keyspace, *db, request);
    reply.clear();
    result
}
