//! CLIENT KILL: closes one connection by its address, or all that match some conditions.
//! <https://redis.io/docs/latest/commands/client-kill/>

use super::audit::log_action;
use super::client_list::Kind;
use super::pubsub;
use crate::acl::{UserId, Users};
use crate::client_id::ClientId;
use crate::clients::{Client, CloseReason};
use crate::engine::open_transaction;
use crate::engine::{Arguments, CommandError, Context, is_word};
use crate::engine::{monitor, wait};
use crate::resp::{Request, parse_integer};
use crate::state::State;

/// The conditions for closing a client.
#[derive(Default)]
struct Conditions<'a> {
    number: Option<u64>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    user: Option<UserId>,
    kind: Option<Kind>,
    /// Whether the calling client may be closed too.
    includes_caller: bool,
}

impl Conditions<'_> {
    fn are_met_by(&self, client: &Client, caller: ClientId) -> bool {
        !client.is_gone()
            && (self.includes_caller || client.id != caller)
            && self.number.is_none_or(|number| number == client.id.number())
            && self.user.is_none_or(|user| user == client.user)
            && self.kind.is_none_or(|kind| kind == Kind::of(client))
            && self.addr.is_none_or(|addr| addr == client.peer.addr().as_bytes())
            && self.laddr.is_none_or(|laddr| laddr == client.peer.laddr().as_bytes())
    }
}

pub(super) fn kill(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    // A single argument is an address, even if it looks like an option.
    let is_old_form = args.left() == 1;
    let conditions = if is_old_form {
        let addr = Some(args.required()?);
        Conditions { addr, includes_caller: true, ..Conditions::default() }
    } else {
        conditions(args, &ctx.state.users)?
    };
    log_action(ctx, request);
    let all = ctx.state.clients.iter();
    let met = all.filter(|client| conditions.are_met_by(client, ctx.client));
    let met: Vec<ClientId> = met.map(|client| client.id).collect();
    for &id in &met {
        if id == ctx.client {
            ctx.state.clients.close(id, CloseReason::KilledItself);
        } else {
            close_other(ctx.state, id, CloseReason::Killed);
        }
    }
    match met.len() {
        0 if is_old_form => return Err(CommandError::text("ERR No such client")),
        _ if is_old_form => ctx.reply.ok(),
        count => ctx.reply.count(count),
    }
    Ok(())
}

fn conditions<'a>(mut args: Arguments<'a>, users: &Users) -> Result<Conditions<'a>, CommandError> {
    let mut conditions = Conditions::default();
    while let Some(option) = args.optional() {
        let value = args.required()?;
        match option {
            _ if is_word(option, "id") => {
                let number = parse_integer(value).filter(|&number| number > 0);
                let error = CommandError::text("ERR client-id should be greater than 0");
                conditions.number = Some(number.ok_or(error)?.unsigned_abs());
            }
            _ if is_word(option, "type") => conditions.kind = Some(Kind::parse(value)?),
            _ if is_word(option, "addr") => conditions.addr = Some(value),
            _ if is_word(option, "laddr") => conditions.laddr = Some(value),
            _ if is_word(option, "user") => {
                let no_user = || CommandError::quoting("ERR No such user '", value, "'");
                conditions.user = Some(users.find(value).ok_or_else(no_user)?);
            }
            _ if is_word(option, "skipme") && is_word(value, "yes") => {
                conditions.includes_caller = false;
            }
            _ if is_word(option, "skipme") && is_word(value, "no") => {
                conditions.includes_caller = true;
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    Ok(conditions)
}

/// Closes another client. The connection is dropped at the end of the turn, but from now on the client
/// gets no messages, does not count as a subscriber and breaks no watches.
pub(super) fn close_other(state: &mut State, id: ClientId, reason: CloseReason) {
    // First, so that pending input is not run when the wait ends.
    state.clients.close(id, reason);
    wait::stop(state, id);
    open_transaction::forget(state, id);
    pubsub::forget(state, id);
    monitor::stop(state, id);
}
