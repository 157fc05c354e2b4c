//! ACL SETUSER, DELUSER, GENPASS: changing users.

use super::only_argument;
use crate::acl::{UserId, UsersError};
use crate::client_id::ClientId;
use crate::clients::{Client, CloseReason};
use crate::commands::audit::log_action;
use crate::commands::client_kill::close_other;
use crate::engine::{Arguments, CommandError, Context, integer, integer_within};
use crate::resp::Request;
use crate::state::State;

pub(super) fn setuser(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let name = args.required()?;
    let user = ctx.state.users.set(name, args.rest());
    let user = user.map_err(quoting)?;
    close_those(ctx, |state, client| client.user == user && has_lost_channel(state, client));
    log_action(ctx, request);
    ctx.reply.ok();
    Ok(())
}

/// The error reply, which quotes bytes of the request.
fn quoting(error: UsersError) -> CommandError {
    match error {
        UsersError::BadName => CommandError::from(format!("ERR {error}")),
        UsersError::UnmatchedParenthesis(start) => CommandError::quoting(
            "ERR Unmatched parenthesis in acl selector starting at '",
            &start,
            "'.",
        ),
        UsersError::Modifier { modifier, reason } => CommandError::quoting(
            "ERR Error in ACL SETUSER modifier '",
            &modifier,
            &format!("': {reason}"),
        ),
    }
}

pub(super) fn deluser(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let names = request.args_from(2);
    if names.clone().any(|name| name == b"default") {
        return Err(CommandError::text("ERR The 'default' user cannot be removed"));
    }
    let mut count = 0;
    for name in names {
        if let Some(user) = ctx.state.users.remove(name) {
            close_all(ctx, user);
            count += 1;
        }
    }
    log_action(ctx, request);
    ctx.reply.integer(count);
    Ok(())
}

/// Closes the clients of a user that was deleted.
pub(super) fn close_all(ctx: &mut Context<'_>, user: UserId) {
    close_those(ctx, |_, client| client.user == user);
}

/// Closes the clients that are subscribed to a channel which their user may no longer use.
pub(super) fn close_subscribers(ctx: &mut Context<'_>) {
    close_those(ctx, has_lost_channel);
}

/// Closes the clients for which this holds. Their user becomes the default one, since the number of a
/// deleted user may be given to another.
fn close_those(ctx: &mut Context<'_>, holds: impl Fn(&State, &Client) -> bool) {
    let count = ctx.state.clients.len();
    ctx.state.keyspace.work.moved(count);
    let lost = ctx.state.clients.iter().filter(|client| holds(ctx.state, client));
    let lost: Vec<ClientId> = lost.map(|client| client.id).collect();
    for id in lost {
        if let Some(client) = ctx.state.clients.get_mut(id) {
            client.user = UserId::DEFAULT;
            client.is_authenticated = false;
        }
        if id == ctx.client {
            // As in Redis, EXEC goes on, but its reply is not sent.
            let is_exec = ctx.origin.is_exec();
            let (now, later) = (CloseReason::UserChanged, CloseReason::KilledItself);
            ctx.state.clients.close(id, if is_exec { now } else { later });
        } else {
            close_other(ctx.state, id, CloseReason::UserChanged);
        }
    }
}

fn has_lost_channel(state: &State, client: &Client) -> bool {
    let user = state.users.get(client.user);
    client.subscriptions.as_ref().is_some_and(|subscriptions| {
        let mut channels = subscriptions.channels.iter().chain(&subscriptions.shard_channels);
        channels.any(|channel| !user.may_subscribe(channel, false))
            || subscriptions.patterns.iter().any(|pattern| !user.may_subscribe(pattern, true))
    })
}

/// Bits of a password, unless the client says otherwise, and at most.
const BITS: i64 = 256;
const BITS_MAX: i64 = 4096;

pub(super) fn genpass(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const ERROR: &str = "ERR ACL GENPASS argument must be the number of bits for the output password, \
                         a positive number up to 4096";
    let bits = match only_argument(request)? {
        Some(arg) => integer(arg).and_then(|_| integer_within(arg, 1, BITS_MAX, ERROR))?,
        None => BITS,
    };
    let digits = bits.unsigned_abs().div_ceil(4) as usize;
    let mut random = vec![0; digits.div_ceil(2)];
    let filled = ctx.state.host.fill_random(&mut random);
    filled.map_err(|reason| CommandError::from(format!("ERR {reason}")))?;
    let mut password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    password.truncate(digits);
    ctx.reply.bulk(password.as_bytes());
    Ok(())
}
