//! CLIENT LIST and CLIENT INFO: the connected clients, one per line.
//! <https://redis.io/docs/latest/commands/client-list/>

use crate::client_id::ClientId;
use crate::clients::{Client, CloseReason, Peer};
use crate::clock::Now;
use crate::engine::{Arguments, CommandError, Context, Origin, integer, is_word};
use crate::resp::Request;
use std::fmt::Write;

/// Redis' types of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    PubSub,
    /// A primary or replica: a valid type without clients.
    Replication,
}

impl Kind {
    /// Returns the type that an argument names.
    pub(super) fn parse(arg: &[u8]) -> Result<Kind, CommandError> {
        match arg {
            arg if is_word(arg, "normal") => Ok(Kind::Normal),
            arg if is_word(arg, "pubsub") => Ok(Kind::PubSub),
            arg if ["master", "replica", "slave"].iter().any(|name| is_word(arg, name)) => {
                Ok(Kind::Replication)
            }
            _ => Err(CommandError::quoting("ERR Unknown client type '", arg, "'")),
        }
    }

    /// Returns the type of a client.
    pub(super) fn of(client: &Client) -> Kind {
        if client.is_subscriber() { Kind::PubSub } else { Kind::Normal }
    }
}

/// Returns a client's ID as shown in replies.
pub(super) fn shown_id(id: ClientId) -> i64 {
    // Each connection gets a new number: i64 outlasts any server.
    id.number() as i64
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

/// Writes a client's line. The fields and their order are those of Redis 7.2; tools find fields by
/// name. A field without a counterpart here has the value of a Redis that never used the feature.
fn describe(client: &Client, ctx: &Context<'_>, text: &mut String) {
    let (identity, subscriptions) = (client.identity.as_deref(), client.subscriptions.as_deref());
    let name =
        |field: Option<&[u8]>| String::from_utf8_lossy(field.unwrap_or_default()).into_owned();
    let is_in_exec = ctx.origin.is_exec() && client.id == ctx.client;
    let transaction = client.transaction.as_deref();
    let queued = match (ctx.origin, transaction) {
        // EXEC has already taken the transaction from the client.
        (Origin::Exec { commands }, _) if is_in_exec => Some(commands),
        (_, Some(transaction)) if transaction.is_open => Some(transaction.queued.len()),
        _ => None,
    };
    let output = client.outbox();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={}",
        shown_id(client.id),
        client.peer.addr(),
        client.peer.laddr(),
        client.peer.fd(),
        name(identity.map(|identity| &identity.name[..])),
        seconds_since(client.connected_us, ctx.now),
        seconds_since(client.last_active_us, ctx.now),
        flags(client, is_in_exec),
        client.db,
    );
    let _ = write!(
        text,
        " sub={} psub={} ssub={} multi={}",
        subscriptions.map_or(0, |all| all.channels.len()),
        subscriptions.map_or(0, |all| all.patterns.len()),
        subscriptions.map_or(0, |all| all.shard_channels.len()),
        queued.map_or("-1".to_string(), |queued| queued.to_string()),
    );
    // Arguments are slices of the input and take no memory of their own.
    let _ = write!(
        text,
        " qbuf={} qbuf-free={} argv-mem=0 multi-mem={} rbs={} rbp=0 obl={} oll={} omem={}",
        client.input.len(),
        client.input.capacity() - client.input.len(),
        transaction.map_or(0, |transaction| transaction.queued_bytes),
        output.capacity(),
        output.len(),
        output.shared_count(),
        output.memory_bytes(),
    );
    let _ = writeln!(
        text,
        " tot-mem={} events={} cmd={} user=default redir=-1 resp={} lib-name={} lib-ver={}",
        client.memory_bytes(),
        if client.is_slow() { "rw" } else { "r" },
        client.last_command.unwrap_or("NULL"),
        output.protocol().version(),
        name(identity.map(|identity| &identity.library_name[..])),
        name(identity.map(|identity| &identity.library_version[..])),
    );
}

fn seconds_since(then_us: u64, now: Now) -> u64 {
    now.monotonic_us.saturating_sub(then_us) / 1_000_000
}

/// Returns the client's flags, one letter each; `N` for none.
fn flags(client: &Client, is_in_exec: bool) -> String {
    let transaction = client.transaction.as_deref();
    let is_blocked = client.blocked.is_some();
    let is_limited = matches!(
        client.closing,
        Some(CloseReason::OutputLimit | CloseReason::QueryLimit | CloseReason::SlowSubscriber)
    );
    let letters = [
        ('O', client.is_monitor),
        ('P', client.is_subscriber()),
        ('x', client.is_in_transaction() || is_in_exec),
        ('b', is_blocked),
        ('d', transaction.is_some_and(|transaction| transaction.is_watch_broken)),
        ('c', client.closing.is_some_and(CloseReason::flushes_first)),
        ('A', is_limited),
        ('U', matches!(client.peer, Peer::Unix { .. })),
        ('e', client.no_evict),
        ('T', client.no_touch),
        // Not in Redis: the client's pops overlap, and so acknowledge nothing.
        ('w', client.is_shared()),
    ];
    let flags: String = letters.iter().filter(|(_, is_set)| *is_set).map(|(l, _)| l).collect();
    if flags.is_empty() { "N".into() } else { flags }
}
