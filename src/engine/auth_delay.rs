//! The wait of an AUTH from an address where many passwords were refused. The request stays in the
//! input, and runs when its wait is over.
//!
//! The right password waits as well: if only wrong ones did, a guesser would take a reply that does not
//! come at once for a refusal, and try the next one.

use super::command::Command;
use super::context::Context;
use crate::client_id::ClientId;
use crate::clients::Blocked;
use crate::clock::Now;
use crate::command_error::CommandError;
use crate::resp::Request;
use crate::state::State;
use log::warn;

/// Lets a request with a password wait, if there were too many wrong ones from its address. Returns
/// whether it waits.
#[cold]
pub(super) fn holds_back(
    state: &mut State,
    id: ClientId,
    command: &'static Command,
    request: &Request<'_>,
    now: Now,
) -> bool {
    let State { clients, auth_failures, settings, stats, .. } = state;
    let has_password = command.secrets.is_some_and(|secrets| !secrets(request).is_empty());
    if auth_failures.is_empty() || !has_password {
        return false;
    }
    let Some(client) = clients.get_mut(id) else { return false };
    if std::mem::take(&mut client.is_auth_delay_over) {
        return false;
    }
    let delay_us = auth_failures.delay_us(&client.peer, settings, now.monotonic_us);
    if delay_us > 0 {
        stats.auth_delayed += 1;
        clients.block(id, Blocked::AuthDelay(now.monotonic_us.saturating_add(delay_us)));
    }
    delay_us > 0
}

/// Refuses a password in a transaction, if it came from an address where AUTH has to wait. Nothing can
/// wait there, and a transaction could hold any number of guesses.
///
/// # Errors
/// The password is not looked at.
pub(crate) fn check_transaction(ctx: &Context<'_>) -> Result<(), CommandError> {
    let State { clients, auth_failures, settings, .. } = &*ctx.state;
    let Some(client) = clients.get(ctx.client).filter(|_| ctx.origin.is_exec()) else {
        return Ok(());
    };
    match auth_failures.delay_us(&client.peer, settings, ctx.now.monotonic_us) {
        0 => Ok(()),
        _ => Err(CommandError::text(
            "ERR too many wrong passwords: the next one has to wait, so it is refused in a \
             transaction",
        )),
    }
}

/// Records and logs that the client's name or password was refused.
pub(crate) fn record_refusal(ctx: &mut Context<'_>) {
    let State { clients, auth_failures, settings, .. } = &mut *ctx.state;
    let Some(client) = clients.get(ctx.client) else { return };
    let Some(refusal) = auth_failures.record(&client.peer, settings, ctx.now.monotonic_us) else {
        return;
    };
    let (who, left_out) = (client.described(), refusal.left_out);
    match refusal.source {
        Some((source, count)) => {
            warn!(
                "{who} was refused: wrong name or password, number {count} from {source}{left_out}"
            );
        }
        None => warn!("{who} was refused: wrong name or password{left_out}"),
    }
}

/// Logs the refusals that had no line of their own in the minute that is over.
pub(crate) fn log_left_out(state: &mut State, now: Now) {
    match state.auth_failures.take_left_out(now.monotonic_us) {
        Some((count, Some((source, most)))) => {
            warn!(
                "{count} more names or passwords refused within a minute; the most from {source}, \
                 {most} in a row"
            );
        }
        Some((count, None)) => warn!("{count} more names or passwords refused within a minute"),
        None => {}
    }
}
