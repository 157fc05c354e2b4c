//! Runs commands from append files, or of a primary, instead of a client.
//!
//! There is no client, gate, reply or wait, and nothing expires. The input is known to be complete, so
//! MULTI and EXEC have no effect: no client can see a state in between.

use crate::client_id::ClientId;
use crate::clock::Now;
use crate::engine::look_up::look_up;
use crate::engine::{Arguments, CommandError, Context, Flags, Nobody, Origin, Table, is_word};
use crate::keyspace::DbIndex;
use crate::queueing::{self, Queues};
use crate::resp::{Output, OwnedRequest, Request, parse_integer};
use crate::state::State;

/// Where a command comes from, and the time for those that count from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) origin: Origin,
    pub(crate) now: Now,
}

impl Source {
    /// Append files have only points in time.
    pub(crate) fn files() -> Source {
        Source { origin: Origin::Replay, now: Now::default() }
    }
}

/// Redis 8 records HINCRBYFLOAT as an HSETEX that keeps the expiry of its field. Fields have none here.
fn as_hset(request: &Request<'_>) -> Option<OwnedRequest> {
    let is = |at: usize, word: &str| request.get(at).is_some_and(|arg| is_word(arg, word));
    if !is(0, "hsetex") || !is(2, "keepttl") || !is(3, "fields") {
        return None;
    }
    let start = [&b"HSET"[..], request.get(1)?];
    Some(OwnedRequest::from_args(start.into_iter().chain(request.args_from(5))))
}

/// Runs one command in `db`, which a SELECT changes. Leaves `reply` empty.
///
/// Accepts only commands that change data, and SELECT, MULTI, EXEC and notes.
pub(crate) fn replay(
    state: &mut State,
    table: &'static Table,
    db: &mut DbIndex,
    request: &Request<'_>,
    reply: &mut Output,
    source: Source,
) -> Result<(), CommandError> {
    let found = match look_up(table, request) {
        Ok(found) => found,
        // Only what is not known here can be a known command in another form.
        Err(error) => {
            let plain = as_hset(request).ok_or(error)?;
            return replay(state, table, db, &plain.as_request(), reply, source);
        }
    };
    state.keyspace.take_recorded_stream();
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
    let accepted = match source.origin {
        Origin::Primary => Flags::WRITE.with(Flags::MAY_REPLICATE),
        _ => Flags::WRITE,
    };
    let run = found.command.run.filter(|_| found.command.flags.intersects(accepted));
    let run = run.ok_or(CommandError::text("ERR not a command that changes data"))?;
    let mut context = Context {
        state,
        client: ClientId::nobody(),
        db: *db,
        now: source.now,
        reply,
        origin: source.origin,
        ready_key: None,
        is_waiting: false,
        found,
        table,
        meanwhile: &mut Nobody,
    };
    let result = run(&mut context, request);
    queueing::remember_replayed_push(&mut state.keyspace, *db, request);
    reply.clear();
    result
}
