//! Times of commands, for INFO, LATENCY and SLOWLOG.
//!
//! Reading the clock twice costs half as much as a small command itself. So only some commands are
//! timed individually: one that comes alone, is not `fast`, has many arguments, or was slow before.
//! Consecutive small commands of the same name in one input are a run, which is timed as a whole, and
//! each call counts with the mean of its run. Of the calls of scripts one in sixteen is timed, and counts for
//! all of them. Where a call ends and the next one of the input begins, the clock is read once.

use super::command::Command;
use super::secrets;
use super::table::Found;
use crate::client_id::ClientId;
use crate::clients::{Blocked, Wait};
use crate::flags::Flags;
use crate::resp::{OwnedRequest, Request};
use crate::slowlog::SlowlogEntry;
use crate::state::{State, count_max};
use crate::stats::{Sampler, Timer};

/// With more arguments than this, a command is worth two clock readings.
const FEW_ARGS: usize = 32;
/// Calls with a longer average time are timed individually from then on.
const SLOW_NANOS: u64 = 10_000;
/// Below this threshold of the slow log, all calls are timed individually.
const FINE_US: i64 = 100;

/// How a call is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timed {
    /// With the run that it is part of.
    InRun,
    /// On its own, since this time.
    Since(u64),
    /// On its own, since this time, for others as well.
    ForOthersSince(u64),
    /// Another call counts for it.
    ByOthers,
}

/// Begins an input. Whether it is only one request decides how that request is timed.
#[inline]
pub(crate) fn begin_input(state: &mut State, is_one_request: bool) {
    let sampler = state.timer.sampler;
    state.timer = Timer { is_one_request, sampler, ..Timer::default() };
}

/// Ends an input.
#[inline]
pub(crate) fn end_input(state: &mut State) {
    if state.timer.calls > 0 {
        let now_us = state.host.monotonic_us();
        end_run(state, now_us);
    }
    state.timer = Timer { sampler: state.timer.sampler, ..Timer::default() };
}

/// Begins a call.
#[inline(always)]
pub(crate) fn begin_call(state: &mut State, found: Found, len: usize) -> Timed {
    let timer = &state.timer;
    if timer.run == Some(found.index) && len <= FEW_ARGS {
        return Timed::InRun;
    }
    begin_run(state, found, len)
}

/// Begins a call of a script.
#[inline]
pub(crate) fn begin_call_of_script(state: &mut State, found: Found, len: usize) -> Timed {
    let is_single = len > FEW_ARGS || state.stats.command(found.index).is_slow;
    if !is_single && !state.timer.sampler.chooses() {
        return Timed::ByOthers;
    }
    let now_us = state.host.monotonic_us();
    if is_single { Timed::Since(now_us) } else { Timed::ForOthersSince(now_us) }
}

/// When the running call has begun, if it was timed.
pub(crate) fn begun_us(state: &State) -> u64 {
    state.timer.last_us.unwrap_or_else(|| state.host.monotonic_us())
}

#[inline(never)]
fn begin_run(state: &mut State, found: Found, len: usize) -> Timed {
    // A run ends only now.
    let last_us = state.timer.last_us.filter(|_| state.timer.calls == 0);
    let now_us = last_us.unwrap_or_else(|| state.host.monotonic_us());
    end_run(state, now_us);
    state.timer.last_us = Some(now_us);
    let is_fine = (0..FINE_US).contains(&state.settings.slowlog_threshold_us);
    let is_single = state.timer.is_one_request
        || is_fine
        || len > FEW_ARGS
        || !found.command.flags.contains(Flags::FAST)
        || state.stats.command(found.index).is_slow;
    if is_single {
        return Timed::Since(now_us);
    }
    state.timer.run = Some(found.index);
    state.timer.since_us = now_us;
    Timed::InRun
}

/// Ends a call. Returns how many microseconds it took, if it was timed individually.
#[inline(always)]
pub(crate) fn end_call(state: &mut State, index: usize, timed: Timed) -> Option<u64> {
    let (begun_us, calls) = match timed {
        Timed::InRun => {
            state.timer.calls += 1;
            return None;
        }
        Timed::ByOthers => return None,
        Timed::Since(begun_us) => (begun_us, 1),
        Timed::ForOthersSince(begun_us) => (begun_us, Sampler::PERIOD),
    };
    let took_us = time_single(state, begun_us);
    record(state, index, took_us.saturating_mul(calls), calls);
    Some(took_us)
}

/// Returns the time since a call began. A run within it, as in EXEC, ends here too.
#[inline(never)]
fn time_single(state: &mut State, begun_us: u64) -> u64 {
    let now_us = state.host.monotonic_us();
    end_run(state, now_us);
    state.timer.last_us = Some(now_us);
    now_us.saturating_sub(begun_us)
}

fn end_run(state: &mut State, now_us: u64) {
    let Timer { run, calls, since_us, .. } = state.timer;
    state.timer.run = None;
    state.timer.calls = 0;
    if let Some(index) = run
        && calls > 0
    {
        record(state, index, now_us.saturating_sub(since_us), calls);
    }
}

fn record(state: &mut State, index: usize, took_us: u64, calls: u64) {
    let nanos = took_us.saturating_mul(1000) / calls;
    let command = state.stats.command(index);
    command.usec += took_us;
    command.is_slow = nanos > SLOW_NANOS;
    if state.settings.latency_tracking {
        state.stats.latencies(index).add(nanos, calls);
    }
}

/// Marks that the client waits in this call: the call counts when it gets its reply.
#[cold]
pub(crate) fn begin_wait(state: &mut State, client: ClientId, timed: Timed) {
    let took_us = match timed {
        Timed::Since(begun_us) | Timed::ForOthersSince(begun_us) => time_single(state, begun_us),
        Timed::InRun | Timed::ByOthers => 0,
    };
    if let Some(client) = state.clients.get_mut(client)
        && let Some(Blocked::Call(wait)) = &mut client.blocked
    {
        wait.took_us = took_us;
    }
}

/// Counts the call of a client that waited and got its reply, which took `reply_us`. The call may be
/// slow.
pub(crate) fn end_wait(
    state: &mut State,
    client: ClientId,
    wait: &Wait,
    reply_us: u64,
    has_failed: bool,
) {
    let took_us = wait.took_us.saturating_add(reply_us);
    record(state, wait.command, took_us, 1);
    let stats = state.stats.command(wait.command);
    stats.calls += 1;
    stats.failed += u64::from(has_failed);
    if is_slow(state, took_us) {
        keep_slow(state, client, &wait.request.as_request(), took_us);
    }
    record_latency(state, "command-unblocking", reply_us);
}

/// Adds a call to the slow log, if it was slow.
pub(crate) fn record_slow(
    state: &mut State,
    client: ClientId,
    command: &Command,
    request: &Request<'_>,
    took_us: u64,
) {
    if is_slow(state, took_us) && !command.flags.contains(Flags::SKIP_SLOWLOG) {
        let hidden = secrets::hide(command, request);
        let shown = hidden.as_ref().map_or(*request, OwnedRequest::as_request);
        keep_slow(state, client, &shown, took_us);
    }
}

/// Whether a call that took this long belongs in the slow log.
fn is_slow(state: &State, took_us: u64) -> bool {
    let threshold_us = state.settings.slowlog_threshold_us;
    // A time beyond i64 exceeds any threshold.
    let is_slow = threshold_us >= 0 && took_us >= threshold_us.unsigned_abs();
    is_slow && state.settings.slowlog_len_max > 0
}

fn keep_slow(state: &mut State, client: ClientId, shown: &Request<'_>, took_us: u64) {
    let Some(client) = state.clients.get(client) else { return };
    let name = client.identity.as_ref().map(|identity| identity.name.clone());
    let entry = SlowlogEntry {
        id: 0,
        unix_s: (state.keyspace.unix_ms() / 1000).max(0).unsigned_abs(),
        duration_us: took_us,
        args: Vec::new(),
        client_addr: client.peer.addr(),
        client_name: name.unwrap_or_default(),
    };
    state.slowlog.add(shown.args(), entry, count_max(state.settings.slowlog_len_max));
}

/// Records a delay of all clients for LATENCY, if it was long enough.
pub(crate) fn record_latency(state: &mut State, event: &'static str, took_us: u64) {
    let threshold_ms = state.settings.latency_threshold_ms;
    if threshold_ms > 0 && took_us / 1000 >= threshold_ms {
        let unix_s = (state.keyspace.unix_ms() / 1000).max(0).unsigned_abs();
        state.latency.add(event, unix_s, took_us / 1000);
    }
}
