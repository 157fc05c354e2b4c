//! WAIT and WAITAOF: they wait until the client's latest change is acknowledged.
//! <https://redis.io/docs/latest/commands/wait/>

use crate::clients::{ReplicasWanted, Wants};
use crate::engine::Arg::One;
use crate::engine::Group::Generic;
use crate::engine::{
    Arguments, Command, CommandError, Context, acknowledgement, integer_within, wait,
};
use crate::resp::{Request, parse_integer};
use std::iter;

/// For proxies: the least of all shards counts.
const LEAST: &[&str] = &["request_policy:all_shards", "response_policy:agg_min"];

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("wait", 3, wait_for_replicas).group(Generic).since("3.0.0").blocking().category("connection")
        .args(&[One("numreplicas"), One("timeout")]).tips(LEAST)
        .says("Waits until so many replicas have the client's latest change; returns how many have it."),
    Command::new("waitaof", 4, wait_for_disks).group(Generic).since("7.2.0").blocking().category("connection")
        .args(&[One("numlocal"), One("numreplicas"), One("timeout")]).tips(LEAST)
        .says("Waits until the client's latest change is on so many disks: the server's own, and those of replicas."),
];

/// A replica has no changes of its own.
fn check_role(ctx: &Context<'_>, name: &str) -> Result<(), CommandError> {
    if !ctx.state.replication.is_replica() {
        return Ok(());
    }
    Err(CommandError::from(format!(
        "ERR {name} cannot be used with replica instances. Please also note that writes to replicas are just \
         local and are not propagated."
    )))
}

fn wait_for_replicas(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    check_role(ctx, "WAIT")?;
    let mut args = Arguments::of(request);
    // Redis truncates the number to 32 bits: some large ones become zero or negative.
    let replicas = usize::try_from(args.integer()? as i32).unwrap_or(0);
    let deadline_us = deadline(ctx, args.required()?)?;
    wait_for(ctx, request, ReplicasWanted::Received { replicas }, deadline_us);
    Ok(())
}

fn wait_for_disks(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const NO_FILES: CommandError = CommandError::text(
        "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
    );
    check_role(ctx, "WAITAOF")?;
    let mut args = Arguments::of(request);
    let is_local = match args.integer()? {
        0 => false,
        1 => true,
        _ => {
            let error = "ERR value is out of range, value must between 0 and 1";
            return Err(CommandError::text(error));
        }
    };
    let not_positive = "ERR value is out of range, must be positive";
    let replicas = integer_within(args.required()?, 0, i64::MAX, not_positive)?;
    let replicas = usize::try_from(replicas).unwrap_or(usize::MAX);
    let deadline_us = deadline(ctx, args.required()?)?;
    if is_local && !ctx.state.persistence.is_on {
        return Err(NO_FILES);
    }
    wait_for(ctx, request, ReplicasWanted::OnDisk { replicas, is_local }, deadline_us);
    Ok(())
}

/// Replies at once if that is already so, or if the call must not wait.
fn wait_for(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    wanted: ReplicasWanted,
    deadline_us: Option<u64>,
) {
    let acknowledged = acknowledgement::of(ctx.state, ctx.client);
    if acknowledgement::meets(acknowledged, wanted) || !ctx.origin.may_wait() {
        acknowledgement::write(ctx.reply, wanted, acknowledged);
        return;
    }
    wait::begin(ctx, request, Wants::Replicas(wanted), iter::empty(), deadline_us);
}

/// The deadline of a wait that is given in milliseconds; none for 0.
fn deadline(ctx: &Context<'_>, arg: &[u8]) -> Result<Option<u64>, CommandError> {
    const NO_TIMEOUT: CommandError =
        CommandError::text("ERR timeout is not an integer or out of range");
    let timeout_ms = parse_integer(arg).ok_or(NO_TIMEOUT)?;
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| CommandError::TimeoutNegative)?;
    let timeout_us = timeout_ms.saturating_mul(1000);
    Ok((timeout_us > 0).then(|| ctx.now.monotonic_us.saturating_add(timeout_us)))
}
