//! Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//! <https://redis.io/docs/latest/develop/interact/transactions/>

use super::dispatch::{call, look_up};
use super::table::Table;
use crate::client_id::ClientId;
use crate::clients::{Client, Transaction};
use crate::command::{Command, CommandError, Context, Flags, Group, Keys, Run};
use crate::resp::{Output, Request};
use crate::state::State;

const fn row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    keys: Keys,
    since: &'static str,
    summary: &'static str,
    run: Run,
) -> Command {
    let group = Group::Transactions;
    Command { name, arity, flags, keys, group, since, summary, run: Some(run), subcommands: &[] }
}

const ANYTIME: Flags = Flags::NOSCRIPT
    .with(Flags::LOADING)
    .with(Flags::STALE)
    .with(Flags::FAST)
    .with(Flags::ALLOW_BUSY);
const EXEC: Flags =
    Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::SKIP_SLOWLOG);
const ALL_KEYS: Keys = Keys::Range { first: 1, last: -1, step: 1 };

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    row("multi", 1, ANYTIME, Keys::None, "1.2.0", "Begins a transaction.", multi),
    row("exec", 1, EXEC, Keys::None, "1.2.0", "Runs all commands of a transaction.", exec),
    row("discard", 1, ANYTIME, Keys::None, "2.0.0", "Forgets a transaction.", discard),
    row("watch", -2, ANYTIME, ALL_KEYS, "2.2.0", "Makes the next EXEC depend on keys staying as they are.", watch),
    row("unwatch", 1, ANYTIME, Keys::None, "2.2.0", "Forgets the watched keys.", unwatch),
];

fn multi(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let Some(client) = ctx.client_mut() else { return Ok(()) };
    let transaction = client.transaction.get_or_insert_default();
    if transaction.is_open {
        return Err(CommandError::text("ERR MULTI calls can not be nested"));
    }
    transaction.is_open = true;
    ctx.reply.ok();
    Ok(())
}

/// Keeps a command for EXEC.
pub(super) fn queue(state: &mut State, id: ClientId, request: &Request<'_>, reply: &mut Output) {
    let Some(client) = state.clients.get_mut(id) else { return };
    let transaction = client.transaction.get_or_insert_default();
    // After an error EXEC will refuse: the rest need not be kept, as in Redis.
    if !transaction.is_aborted && !transaction.is_watch_broken {
        let request = request.to_owned();
        transaction.queued_bytes += request.memory_bytes();
        transaction.queued.push(request);
    }
    reply.simple("QUEUED");
}

/// Notes that a command of the client's transaction, if one is open, was refused.
pub(super) fn abort(state: &mut State, id: ClientId) {
    if let Some(client) = state.clients.get_mut(id)
        && let Some(transaction) = &mut client.transaction
        && transaction.is_open
    {
        transaction.is_aborted = true;
    }
}

/// Whether one of the client's queued commands has any of these flags.
pub(super) fn has_command(client: &Client, flags: Flags) -> bool {
    client.transaction.iter().flat_map(|transaction| &transaction.queued).any(|queued| {
        look_up(Table::shared(), &queued.as_request())
            .is_ok_and(|found| found.command.flags.intersects(flags))
    })
}

fn exec(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let is_open = ctx.client().is_some_and(Client::is_in_transaction);
    if !is_open {
        return Err(CommandError::text("ERR EXEC without MULTI"));
    }
    let Some(transaction) = end(ctx.state, ctx.client) else { return Ok(()) };
    if transaction.is_aborted {
        return Err(CommandError::text(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    if transaction.is_watch_broken {
        ctx.reply.null_array();
        return Ok(());
    }
    ctx.reply.array(transaction.queued.len());
    ctx.state.effects.begin_group();
    for queued in &transaction.queued {
        let request = queued.as_request();
        // Only what was found is queued, and the table does not change.
        let Ok(found) = look_up(Table::shared(), &request) else { continue };
        let db = ctx.client().map_or(ctx.db, |client| client.db);
        call(
            &mut Context {
                state: ctx.state,
                client: ctx.client,
                db,
                now: ctx.now,
                reply: ctx.reply,
                exec_len: transaction.queued.len(),
                command: found.command,
            },
            found,
            &request,
        );
    }
    ctx.state.effects.end_group();
    Ok(())
}

/// Takes a client's transaction and watches away.
fn end(state: &mut State, id: ClientId) -> Option<Box<Transaction>> {
    let transaction = state.clients.get_mut(id)?.transaction.take()?;
    for (db, key) in &transaction.watched {
        state.keyspace.unwatch(*db, key, id);
    }
    Some(transaction)
}

/// Forgets a client's transaction and watches (RESET, the end of the connection).
pub fn forget(state: &mut State, id: ClientId) {
    end(state, id);
}

fn discard(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    if !ctx.client().is_some_and(Client::is_in_transaction) {
        return Err(CommandError::text("ERR DISCARD without MULTI"));
    }
    forget(ctx.state, ctx.client);
    ctx.reply.ok();
    Ok(())
}

fn watch(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let State { clients, keyspace, .. } = &mut *ctx.state;
    let Some(client) = clients.get_mut(ctx.client) else { return Ok(()) };
    let transaction = client.transaction.get_or_insert_default();
    if transaction.is_open {
        return Err(CommandError::text("ERR WATCH inside MULTI is not allowed"));
    }
    // A watch that is broken already stays so: more keys would make no difference.
    if !transaction.is_watch_broken {
        for name in request.args_from(1) {
            let added = keyspace.watch(ctx.db, name, ctx.client);
            transaction.watched.extend(added.map(|key| (ctx.db, key)));
        }
    }
    ctx.reply.ok();
    Ok(())
}

fn unwatch(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    // Within MULTI the command is queued, and EXEC has ended the watches before it runs.
    forget(ctx.state, ctx.client);
    ctx.reply.ok();
    Ok(())
}

/// Tells the clients whose watched keys changed.
pub fn break_watches(state: &mut State) {
    for id in state.keyspace.take_broken_watches() {
        if let Some(client) = state.clients.get_mut(id)
            && let Some(transaction) = &mut client.transaction
        {
            transaction.is_watch_broken = true;
        }
    }
}
