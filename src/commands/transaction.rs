//! Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//! <https://redis.io/docs/latest/develop/interact/transactions/>

use crate::acl::Refusal;
use crate::clients::Client;
use crate::engine::Arg::Many;
use crate::engine::Group::Transactions;
use crate::engine::call::{call, write_error};
use crate::engine::look_up::look_up;
use crate::engine::open_transaction::{end, forget};
use crate::engine::syntax::PER_KEY;
use crate::engine::uses::READ;
use crate::engine::{Attempt, Command, CommandError, Context, Origin, access};
use crate::resp::Request;
use crate::state::State;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("multi", 1, multi).group(Transactions).since("1.2.0").per_connection().no_script().anytime().fast()
        .allow_busy().never_queued().says("Begins a transaction."),
    Command::new("exec", 1, exec).group(Transactions).since("1.2.0").per_connection().no_script().anytime()
        .skip_slowlog().never_queued().ends_transaction().runs_queued()
        .cost("Depends on the commands of the transaction")
        .says("Runs the commands of a transaction."),
    Command::new("discard", 1, discard).group(Transactions).since("2.0.0").per_connection().no_script().anytime()
        .fast().allow_busy().never_queued().ends_transaction().says("Discards a transaction."),
    Command::new("watch", -2, watch).group(Transactions).since("2.2.0").per_connection().no_script().anytime()
        .fast().allow_busy().never_queued().keys(1, -1, READ).args(&[Many("key")]).cost(PER_KEY)
        .says("Watches keys: if one changes, the next EXEC runs no command."),
    Command::new("unwatch", 1, unwatch).group(Transactions).since("2.2.0").per_connection().no_script().anytime()
        .fast().allow_busy().says("Stops watching all keys."),
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
    ctx.state.keyspace.effects.begin_group();
    for queued in &transaction.queued {
        let request = queued.as_request();
        // Only known commands are queued, and the table does not change.
        let Ok(found) = look_up(ctx.table, &request) else { continue };
        // The rights of its user may have changed since it was queued.
        let attempt = Attempt { found, request: &request };
        let exec = Some(transaction.queued.len());
        if let Err(refusal) = access::check(ctx.state, ctx.client, &attempt, exec, ctx.now) {
            write_error(ctx.state, &no_longer_allowed(refusal), ctx.reply);
            continue;
        }
        let db = ctx.client().map_or(ctx.db, |client| client.db);
        call(
            &mut Context {
                state: ctx.state,
                client: ctx.client,
                db,
                now: ctx.now,
                reply: ctx.reply,
                origin: Origin::Exec { commands: transaction.queued.len() },
                ready_key: None,
                is_waiting: false,
                found,
                table: ctx.table,
                meanwhile: ctx.meanwhile,
            },
            &request,
        );
    }
    ctx.state.keyspace.effects.end_group();
    Ok(())
}

/// The error of a command that was allowed when it was queued.
fn no_longer_allowed(refusal: Refusal) -> CommandError {
    let reason = match refusal {
        Refusal::Command => "no permission to execute the command or subcommand",
        Refusal::Key(_) => "no permission to touch the specified keys",
        Refusal::Channel(_) => "no permission to access one of the channels used as arguments",
    };
    CommandError::from(format!(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC \
         call. This command is no longer allowed for the following reason: {reason}"
    ))
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
    // A broken watch stays broken: more keys make no difference.
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
    // Within MULTI the command is queued, and EXEC ends the watches before it runs.
    forget(ctx.state, ctx.client);
    ctx.reply.ok();
    Ok(())
}
