//! Replication: REPLICAOF, REPLCONF, PSYNC, ROLE.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/replication/>

use super::audit::log_action;
use crate::clients::{ClientRole, CloseReason};
use crate::clock::Now;
use crate::engine::Arg::{Many, One};
use crate::engine::Group::Server;
use crate::engine::{Arguments, Command, CommandError, Context, integer_within, is_word, role};
use crate::replication::{NextRole, PrimaryAddress, Replica, Stage, StreamId};
use crate::resp::{Request, parse_integer};
use crate::state::State;
use log::{info, warn};

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("role", 1, role).group(Server).since("2.8.12").no_script().anytime().fast()
        .dangerous().counts_as_admin().says("Returns the server's role in replication."),
    Command::new("replicaof", 3, replicaof).group(Server).since("5.0.0").admin().no_script().stale()
        .no_async_loading().args(&[One("host"), One("port")])
        .says("Makes the server a replica of another one, or a primary."),
    Command::new("slaveof", 3, replicaof).group(Server).since("1.0.0").admin().no_script().stale()
        .no_async_loading().args(&[One("host"), One("port")])
        .says("Makes the server a replica of another one, or a primary."),
    Command::new("replconf", -1, replconf).group(Server).since("3.0.0").admin().no_script().anytime()
        .allow_busy().per_connection().args(&[Many("option")])
        .says("Exchanges information between a replica and its primary."),
    Command::new("psync", -3, psync).group(Server).since("2.8.0").admin().no_script()
        .no_async_loading().no_multi().per_connection().args(&[One("replicationid"), One("offset")])
        .says("Begins to send a replica the stream of changes."),
    Command::new("sync", 1, sync).group(Server).since("1.0.0").admin().no_script()
        .no_async_loading().no_multi().per_connection()
        .says("Begins to send a replica the stream of changes, in the form of old versions."),
];

/// Limit on an address that a replica says of itself: a host name of the DNS.
const IP_LEN_MAX: usize = 255;

/// Takes the role that the settings say.
pub(crate) fn begin_role(state: &mut State, now: Now) {
    state.replication.is_fresh = true;
    let mut words = state.settings.replication.primary.split(' ');
    let (Some(host), Some(port)) = (words.next(), words.next()) else { return };
    match port.parse() {
        Ok(port) => {
            let primary = PrimaryAddress { host: host.to_string(), port };
            role::become_replica(state, primary, now);
        }
        Err(_) => warn!("replicaof: '{port}' is not a port"),
    }
}

fn role(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let replication = &ctx.state.replication;
    let offset = replication.offset().cast_signed();
    if let Some(link) = &replication.link {
        let offset = if link.is_up() || replication.has_stream() { offset } else { -1 };
        ctx.reply.array(5);
        ctx.reply.bulk(b"slave");
        ctx.reply.bulk(link.primary.host.as_bytes());
        ctx.reply.integer(i64::from(link.primary.port));
        ctx.reply.bulk(link.role_word().as_bytes());
        ctx.reply.integer(offset);
        return Ok(());
    }
    let online = replication.replicas.iter().filter(|one| one.stage == Stage::Online);
    let online: Vec<&Replica> = online.collect();
    ctx.reply.array(3);
    ctx.reply.bulk(b"master");
    ctx.reply.integer(offset);
    ctx.reply.array(online.len());
    for replica in online {
        let address = replica.ip.clone().unwrap_or_else(|| {
            ctx.state.clients.get(replica.client).map_or(String::new(), |one| one.peer.host())
        });
        ctx.reply.array(3);
        ctx.reply.bulk(address.as_bytes());
        ctx.reply.bulk(itoa::Buffer::new().format(replica.port).as_bytes());
        ctx.reply.bulk(itoa::Buffer::new().format(replica.acknowledged).as_bytes());
    }
    Ok(())
}

fn replicaof(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let is_local = ctx.client().is_some_and(|client| client.peer.is_local());
    let settings = &mut ctx.state.settings.replication;
    if !settings.enable_command.allows(is_local) {
        return Err(CommandError::text(
            "ERR REPLICAOF not allowed: set allow-replicaof-command to yes, or to local for clients of \
             this machine, and restart the server",
        ));
    }
    let mut args = Arguments::of(request);
    let (host, port) = (args.required()?, args.required()?);
    if is_word(host, "no") && is_word(port, "one") {
        settings.primary.clear();
        ctx.state.replication.next_role = Some(NextRole::Primary);
        log_action(ctx, request);
        ctx.reply.ok();
        return Ok(());
    }
    let port = integer_within(port, 0, 65_535, "ERR Invalid master port")?;
    let host = str::from_utf8(host)
        .ok()
        .filter(|host| !host.is_empty() && host.len() <= IP_LEN_MAX)
        .ok_or(CommandError::text("ERR Invalid master host"))?;
    // It fits, as was just checked.
    let address = PrimaryAddress { host: host.to_string(), port: port as u16 };
    let link = ctx.state.replication.link.as_ref().filter(|link| link.stopped.is_none());
    let present = link.map(|link| &link.primary);
    if present == Some(&address) && ctx.state.replication.next_role.is_none() {
        ctx.reply.simple("OK Already connected to specified master");
        return Ok(());
    }
    if ctx.client().is_some_and(|client| client.role == ClientRole::Replica) {
        return Err(CommandError::text("ERR Command is not valid when client is a replica."));
    }
    settings_primary(ctx, &address);
    ctx.state.replication.next_role = Some(NextRole::ReplicaOf(address));
    log_action(ctx, request);
    ctx.reply.ok();
    Ok(())
}

/// The settings name the primary from now on, for CONFIG REWRITE.
fn settings_primary(ctx: &mut Context<'_>, address: &PrimaryAddress) {
    ctx.state.settings.replication.primary = format!("{} {}", address.host, address.port);
}

fn replconf(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    if request.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let mut args = Arguments::of(request);
    while let Some(option) = args.optional() {
        let value = args.required()?;
        if is_word(option, "ack") {
            let fsynced = args.takes("fack").then(|| args.optional()).flatten();
            acknowledge(ctx, value, fsynced);
            return Ok(());
        }
        if is_word(option, "getack") {
            // A primary asks so in its stream; nobody else gets an answer.
            return Ok(());
        }
        describe(ctx, option, value)?;
    }
    ctx.reply.ok();
    Ok(())
}

/// Records what a replica says of itself.
fn describe(ctx: &mut Context<'_>, option: &[u8], value: &[u8]) -> Result<(), CommandError> {
    let replica = ctx.state.replication.replicas.enter(ctx.client, ctx.now.monotonic_us);
    if is_word(option, "listening-port") {
        const ERROR: &str = "ERR value is not an integer or out of range";
        // It fits, as is checked.
        replica.port = integer_within(value, 0, 65_535, ERROR)? as u16;
    } else if is_word(option, "ip-address") {
        let address = str::from_utf8(value).ok().filter(|text| text.len() <= IP_LEN_MAX);
        const TOO_LONG: CommandError =
            CommandError::text("ERR REPLCONF ip-address provided by replica instance is too long");
        replica.ip = Some(address.ok_or(TOO_LONG)?.to_string());
    } else if is_word(option, "capa") {
        // Others are of later versions, and promise nothing that is needed.
        replica.takes_eof |= is_word(value, "eof");
        replica.takes_new_id |= is_word(value, "psync2");
    } else if is_word(option, "rdb-only") {
        const ERROR: &str = "ERR value is not an integer or out of range";
        replica.wants_snapshot_only = integer_within(value, 0, i64::MAX, ERROR)? == 1;
    } else if !is_word(option, "version") {
        return Err(CommandError::quoting("ERR Unrecognized REPLCONF option: ", option, ""));
    }
    Ok(())
}

/// A replica has got the stream up to an offset. There is no reply.
fn acknowledge(ctx: &mut Context<'_>, offset: &[u8], on_disk: Option<&[u8]>) {
    // Nobody has more of the stream than there is.
    let end = ctx.state.replication.offset();
    let number = |word: &[u8]| Some(u64::try_from(parse_integer(word)?).ok()?.min(end));
    let Some(offset) = number(offset) else { return };
    let on_disk = on_disk.and_then(number);
    let Some(replica) = ctx.state.replication.replicas.get_mut(ctx.client) else { return };
    if !replica.stage.holds_stream() {
        return;
    }
    replica.heard_us = ctx.now.monotonic_us;
    replica.acknowledged = replica.acknowledged.max(offset);
    if replica.stage == Stage::Loads {
        info!("replication: the replica at port {} has loaded its snapshot", replica.port);
        replica.stage = Stage::Online;
    }
    ctx.state.acknowledged.record(ctx.client, offset, on_disk, ctx.now.monotonic_us);
}

fn sync(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    begin_sync(ctx, None, false)
}

fn psync(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (id, next) = (args.required()?, args.required()?);
    let next = parse_integer(next).ok_or(CommandError::NotAnInteger)?;
    // The replica counts from 1, and names the first byte that it does not have.
    let has = u64::try_from(next).ok().and_then(|next| next.checked_sub(1));
    begin_sync(ctx, StreamId::parse(id).zip(has), true)
}

/// Begins to send the stream. `has`: of which stream the replica has how many bytes.
fn begin_sync(
    ctx: &mut Context<'_>,
    has: Option<(StreamId, u64)>,
    takes_answer: bool,
) -> Result<(), CommandError> {
    let (client, now_us) = (ctx.client, ctx.now.monotonic_us);
    if ctx.client().is_some_and(|client| client.role == ClientRole::Replica) {
        return Ok(());
    }
    if ctx.state.replication.link.as_ref().is_some_and(|link| !link.is_up()) {
        return Err(CommandError::text(
            "NOMASTERLINK Can't SYNC while not connected with my master",
        ));
    }
    if !ctx.reply.is_empty() || ctx.client().is_some_and(|client| !client.outbox().is_empty()) {
        return Err(CommandError::text("ERR SYNC and PSYNC are invalid with pending output"));
    }
    if continue_stream(ctx, has.as_ref(), takes_answer) {
        return Ok(());
    }
    let replication = &mut ctx.state.replication;
    let has_data = has.as_ref().is_some_and(|(_, offset)| *offset > 0);
    let is_empty = ctx.state.keyspace.has_no_keys();
    if has_data
        && ctx.state.settings.replication.is_restart_safe
        && replication.refuses_foreign(is_empty)
    {
        warn!(
            "replication: a replica with data of another stream is refused, since it would lose it, and \
             this server has started without data: see replica-safe-restart"
        );
        return Err(CommandError::text(
            "NOMASTERLINK this server has started without data, and you have data of another one: promote a \
             replica, or CONFIG SET replica-safe-restart no",
        ));
    }
    let replica = replication.replicas.enter(client, now_us);
    if !replica.takes_eof {
        return Err(CommandError::text(
            "ERR a snapshot is only sent without a length: REPLCONF capa eof must come before",
        ));
    }
    replica.stage = Stage::Waits { since_us: now_us };
    replica.takes_answer = takes_answer;
    if has.is_some() {
        replication.counts.partial_refused += 1;
    }
    become_replica(ctx);
    Ok(())
}

/// Continues the stream where the replica is, if it is still known; returns whether it does.
fn continue_stream(
    ctx: &mut Context<'_>,
    has: Option<&(StreamId, u64)>,
    takes_answer: bool,
) -> bool {
    let Some((id, offset)) = has.filter(|_| takes_answer) else { return false };
    let replication = &mut ctx.state.replication;
    if !replication.history.has(id, *offset) {
        return false;
    }
    // Without a backlog nothing is missing if the replica has everything.
    let is_kept = match &replication.backlog {
        Some(backlog) => backlog.has(*offset),
        None => replication.offset() == *offset,
    };
    if !is_kept {
        return false;
    }
    replication.begin_stream(&mut ctx.state.keyspace);
    let stream_id = replication.history.id.clone();
    let replica = replication.replicas.enter(ctx.client, ctx.now.monotonic_us);
    replica.stage = Stage::Online;
    replica.offset = *offset;
    replica.acknowledged = *offset;
    replica.heard_us = ctx.now.monotonic_us;
    replication.counts.partial += 1;
    info!("replication: the replica at port {} continues at offset {offset}", replica.port);
    match replica.takes_new_id {
        true => ctx.reply.simple(&format!("CONTINUE {stream_id}")),
        false => ctx.reply.simple("CONTINUE"),
    }
    let offset = *offset;
    become_replica(ctx);
    ctx.state.acknowledged.record(ctx.client, offset, None, ctx.now.monotonic_us);
    true
}

fn become_replica(ctx: &mut Context<'_>) {
    let is_subscriber = match ctx.client_mut() {
        Some(client) => {
            client.role = ClientRole::Replica;
            client.is_subscriber()
        }
        None => false,
    };
    // Messages would get into the stream.
    if is_subscriber {
        ctx.state.clients.close(ctx.client, CloseReason::ProtocolError);
    }
}
