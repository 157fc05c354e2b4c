//! CLIENT LIST and CLIENT INFO: the connected clients, one per line.
//! <https://redis.io/docs/latest/commands/client-list/>

use crate::clients::{Client, ClientRole};
use crate::engine::{Arguments, CommandError, Context, client_line, integer, is_word};
use crate::resp::Request;

/// Redis' types of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    PubSub,
    Primary,
    Replica,
}

impl Kind {
    /// Returns the type that an argument names.
    pub(super) fn parse(arg: &[u8]) -> Result<Kind, CommandError> {
        match arg {
            arg if is_word(arg, "normal") => Ok(Kind::Normal),
            arg if is_word(arg, "pubsub") => Ok(Kind::PubSub),
            arg if is_word(arg, "master") => Ok(Kind::Primary),
            arg if is_word(arg, "replica") || is_word(arg, "slave") => Ok(Kind::Replica),
            _ => Err(CommandError::quoting("ERR Unknown client type '", arg, "'")),
        }
    }

    /// Returns the type of a client.
    pub(super) fn of(client: &Client) -> Kind {
        match client.role {
            ClientRole::Primary => Kind::Primary,
            ClientRole::Replica => Kind::Replica,
            ClientRole::Client | ClientRole::Target if client.is_subscriber() => Kind::PubSub,
            ClientRole::Client | ClientRole::Target => Kind::Normal,
        }
    }
}

pub(super) fn info(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let mut text = String::new();
    if let Some(client) = ctx.client() {
        describe(client, ctx, &mut text);
    }
    ctx.reply.verbatim(text.as_bytes());
    Ok(())
}

pub(super) fn list(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut text = String::new();
    let mut args = Arguments::from(request, 2);
    match args.optional() {
        None => describe_all(ctx, None, &mut text),
        Some(option) if is_word(option, "type") && args.left() == 1 => {
            describe_all(ctx, Some(Kind::parse(args.required()?)?), &mut text);
        }
        Some(option) if is_word(option, "id") && args.left() > 0 => {
            for arg in args.rest() {
                let invalid = |_| CommandError::text("ERR Invalid client ID");
                let number = u64::try_from(integer(arg).map_err(invalid)?).unwrap_or_default();
                let id = ctx.state.clients.find(number);
                let client = id.and_then(|id| ctx.state.clients.get(id));
                if let Some(client) = client.filter(|client| !client.is_gone()) {
                    describe(client, ctx, &mut text);
                }
            }
        }
        Some(_) => return Err(CommandError::Syntax),
    }
    ctx.reply.verbatim(text.as_bytes());
    Ok(())
}

fn describe_all(ctx: &mut Context<'_>, kind: Option<Kind>, text: &mut String) {
    let count = ctx.state.clients.len();
    ctx.state.keyspace.work.moved(count);
    for client in ctx.state.clients.iter() {
        if !client.is_gone() && kind.is_none_or(|kind| kind == Kind::of(client)) {
            describe(client, ctx, text);
        }
    }
}

/// Writes a client's line.
fn describe(client: &Client, ctx: &Context<'_>, text: &mut String) {
    let exec = ctx.origin.exec_commands().filter(|_| client.id == ctx.client);
    client_line::write(text, client, &ctx.state.users, exec, ctx.now);
    text.push('\n');
}
