//! MIGRATE: moves keys to another server. <https://redis.io/docs/latest/commands/migrate/>
//!
//! The caller waits, all others go on. So a key may change while it is sent. Then it is not removed, and the
//! caller gets an error: no message is lost, some may be on both sides.

use crate::clients::Wants;
use crate::engine::Arg::{One, OptionalBlock, OptionalMany, OptionalNamed, OptionalWord};
use crate::engine::Group::Generic;
use crate::engine::tips::VARIES;
use crate::engine::uses::{MOVE_AWAY, TAKE};
use crate::engine::{
    Arguments, Command, CommandError, Context, integer, is_word, mark_earlier_change,
    open_transaction, secrets, wait,
};
use crate::queue::Queue;
use crate::replication::{Credentials, Migration, Order, PrimaryAddress};
use crate::resp::{OwnedRequest, Request};
use crate::snapshot;
use crate::state::State;
use crate::value::Kind;
use std::iter;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("migrate", -6, migrate).group(Generic).since("2.6.0").write().dangerous()
        .key(3, TAKE).keyword_keys("KEYS", -2, MOVE_AWAY).keys_at(places_of_keys).secrets(passwords).tips(VARIES)
        .args(&[One("host"), One("port"), One("key"), One("destination-db"), One("timeout"), OptionalWord("COPY"),
            OptionalWord("REPLACE"), OptionalNamed("AUTH", "password"),
            OptionalBlock("AUTH2", &[One("username"), One("password")]), OptionalMany("KEYS")])
        .cost("O(N) where N is the size of the values")
        .says("Moves keys to another server, and waits until it has them."),
];

/// What follows the timeout.
#[derive(Default)]
struct Options {
    copies: bool,
    replaces: bool,
    credentials: Option<Credentials>,
    /// The first argument behind KEYS.
    keys_at: Option<usize>,
}

impl Options {
    fn parse(request: &Request<'_>) -> Result<Options, CommandError> {
        const KEY_AND_KEYS: &str =
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string";
        let mut options = Options::default();
        let mut at = 6;
        while let Some(word) = request.get(at) {
            let value = |behind: usize| request.get(at + behind).ok_or(CommandError::Syntax);
            if is_word(word, "copy") {
                options.copies = true;
            } else if is_word(word, "replace") {
                options.replaces = true;
            } else if is_word(word, "auth") {
                let password = value(1)?.to_vec();
                options.credentials = Some(Credentials { user: None, password });
                at += 1;
            } else if is_word(word, "auth2") {
                let (user, password) = (Some(value(1)?.to_vec()), value(2)?.to_vec());
                options.credentials = Some(Credentials { user, password });
                at += 2;
            } else if is_word(word, "keys") {
                if request.get(3).is_some_and(|key| !key.is_empty()) {
                    return Err(CommandError::text(KEY_AND_KEYS));
                }
                options.keys_at = Some(at + 1);
                break;
            } else {
                return Err(CommandError::Syntax);
            }
            at += 1;
        }
        Ok(options)
    }
}

/// The positions of the first and the last key.
fn places_of_keys(request: &Request<'_>) -> (usize, usize) {
    match Options::parse(request).ok().and_then(|options| options.keys_at) {
        Some(first) => (first, request.len() - 1),
        None => (3, 3),
    }
}

/// The arguments that are passwords, and users as in Redis.
fn passwords(request: &Request<'_>) -> Vec<usize> {
    let (mut at, mut found) = (6, Vec::new());
    while let Some(word) = request.get(at) {
        let count = match () {
            () if is_word(word, "auth") => 1,
            () if is_word(word, "auth2") => 2,
            () if is_word(word, "keys") => break,
            () => 0,
        };
        found.extend((at + 1..=at + count).filter(|at| *at < request.len()));
        at += 1 + count;
    }
    found
}

fn migrate(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    if ctx.origin.is_woken() {
        return go_on(ctx, request);
    }
    let options = Options::parse(request)?;
    let mut args = Arguments::of(request);
    let (host, port, _) = (args.required()?, args.required()?, args.required()?);
    let (target_db, timeout) = (args.required()?, args.required()?);
    let (timeout_ms, target_db) = (integer(timeout)?, integer(target_db)?);
    let timeout_ms = if timeout_ms > 0 { timeout_ms.unsigned_abs() } else { 1000 };
    let (first, last) = places_of_keys(request);
    let State { keyspace, stats, .. } = &mut *ctx.state;
    let is_there = |key: &&[u8]| {
        let is_there = keyspace.get(ctx.db, key).is_some();
        stats.count_lookup(is_there);
        is_there
    };
    let keys = (first..=last).filter_map(|at| request.get(at));
    let keys: Vec<Vec<u8>> = keys.filter(is_there).map(<[u8]>::to_vec).collect();
    if keys.is_empty() {
        ctx.reply.simple("NOKEY");
        return Ok(());
    }
    if !ctx.origin.may_wait() {
        return Err(CommandError::text("ERR MIGRATE is not allowed where a client cannot wait"));
    }
    let port = std::str::from_utf8(port).ok().and_then(|port| port.parse().ok()).unwrap_or(0);
    let order = Order {
        target: PrimaryAddress { host: String::from_utf8_lossy(host).into_owned(), port },
        credentials: options.credentials,
        target_db,
        db: ctx.db,
        copies: options.copies,
        replaces: options.replaces,
        timeout_us: timeout_ms.saturating_mul(1000),
    };
    let migration = Migration::new(ctx.client, order, keys, ctx.now.monotonic_us);
    ctx.state.migrations.add(migration);
    // A waiting request is shown by the slow log. It is not read again.
    let hidden = secrets::hide(ctx.found.command, request);
    let shown = hidden.as_ref().map_or(*request, OwnedRequest::as_request);
    wait::begin(ctx, &shown, Wants::Migration, iter::empty(), None);
    Ok(())
}

/// The target has answered: goes on with the next key, or ends.
fn go_on(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let caller = ctx.client;
    let migration = ctx.state.migrations.of(caller);
    let answered = migration.and_then(|migration| migration.take_answered());
    if let Some((key, true)) = answered {
        end_key(ctx, key)?;
    }
    let is_refused = ctx.state.migrations.of(caller).is_none_or(|migration| migration.is_refused());
    if !is_refused && send_next(ctx) {
        wait::begin(ctx, request, Wants::Migration, iter::empty(), None);
        return Ok(());
    }
    let Some(migration) = ctx.state.migrations.remove(caller) else { return Ok(()) };
    if let Some(link) = migration.link() {
        ctx.state.clients.close(link, crate::clients::CloseReason::MigrationEnded);
    }
    if migration.has_removed {
        mark_earlier_change(ctx, request);
    }
    migration.result().map_err(CommandError::from)?;
    ctx.reply.ok();
    Ok(())
}

/// The target has a key: removes it here, unless it has changed meanwhile.
fn end_key(ctx: &mut Context<'_>, key: Vec<u8>) -> Result<(), CommandError> {
    let state = &mut *ctx.state;
    open_transaction::break_watches(state);
    let Some(migration) = state.migrations.of(ctx.client) else { return Ok(()) };
    let (copies, db, link) = (migration.order.copies, migration.order.db, migration.link());
    let watch = link.and_then(|link| open_transaction::end(state, link));
    if copies {
        return Ok(());
    }
    if watch.is_none_or(|watch| watch.is_watch_broken) {
        if let Some(migration) = state.migrations.of(ctx.client) {
            migration.mark_changed(key);
        }
        return Ok(());
    }
    let keyspace = &mut state.keyspace;
    if keyspace.peek(db, &key).is_some_and(|value| Queue::of(value).is_some()) {
        // Messages in flight or delayed were not sent: they stay.
        keyspace.change_list(db, &key, |queue| queue.trim(0, 0))?;
        keyspace.effects.record(db, [&b"LTRIM"[..], &key, b"1", b"0"]);
    } else {
        keyspace.remove(db, &key);
        keyspace.effects.record(db, [&b"DEL"[..], &key]);
    }
    if let Some(migration) = state.migrations.of(ctx.client) {
        migration.has_removed = true;
    }
    Ok(())
}

/// Sends the next key that is still there; false if there is none.
fn send_next(ctx: &mut Context<'_>) -> bool {
    let now_us = ctx.now.monotonic_us;
    let State { migrations, keyspace, clients, .. } = &mut *ctx.state;
    let Some(migration) = migrations.of(ctx.client) else { return false };
    let Some(link) = migration.link() else { return false };
    let db = migration.order.db;
    while let Some(key) = migration.next_key() {
        let expires_ms = keyspace.expiry(db, &key).flatten();
        let Some(payload) = keyspace.get(db, &key).map(snapshot::dump) else { continue };
        keyspace.work.copied(payload.len());
        // Less than a millisecond would mean none.
        let ttl_ms = expires_ms.map_or(0, |ms| ms.saturating_sub(ctx.now.unix_ms()).max(1));
        let watched = keyspace.watch(db, &key, link);
        let request = migration.send(key, ttl_ms, &payload, now_us);
        if let Some(client) = clients.get_mut(link) {
            let transaction = client.transaction.get_or_insert_default();
            transaction.watched.extend(watched.map(|key| (db, key)));
        }
        clients.write(link, |output| output.raw(&request));
        return true;
    }
    false
}
