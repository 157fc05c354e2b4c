//! CONFIG: the settings of the running server, and its counters' reset.

use super::deeds::log_deed;
use super::governed;
use crate::command::{Command, CommandError, Context, Flags, Group, Keys, Run};
use crate::glob::glob_matches;
use crate::note::Note;
use crate::resp::Request;
use crate::state::{State, count_max};

const fn row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    since: &'static str,
    summary: &'static str,
    run: Run,
) -> Command {
    let (keys, group) = (Keys::None, Group::Server);
    Command { name, arity, flags, keys, group, since, summary, run: Some(run), subcommands: &[] }
}

const ANYTIME: Flags = Flags::LOADING.with(Flags::STALE);
const ADMIN: Flags = Flags::ADMIN.with(Flags::NOSCRIPT).with(ANYTIME);

pub(super) static COMMANDS: &[Command] = &[Command {
    name: "config",
    arity: -2,
    flags: Flags::NONE,
    keys: Keys::None,
    group: Group::Server,
    since: "2.0.0",
    summary: "A container for commands about the settings.",
    run: None,
    subcommands: SUBCOMMANDS,
}];

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    row("config|get", -3, ADMIN, "2.0.0", "Gives the settings whose names match patterns.", get),
    row("config|set", -4, ADMIN, "2.0.0", "Changes settings, all of those given or none.", set),
    row("config|resetstat", 2, ADMIN, "2.0.0", "Starts the counters of INFO anew.", resetstat),
    row("config|rewrite", 2, ADMIN, "2.8.0", "Writes the settings back to their file.", rewrite),
    row("config|help", 2, ANYTIME, "5.0.0", "Explains the subcommands.", help),
];

fn get(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let patterns: Vec<&[u8]> = request.args_from(2).collect();
    let found = ctx.state.settings.get(&patterns, glob_matches);
    ctx.reply.map(found.len());
    for (name, value) in found {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.bulk(value.as_bytes());
    }
    Ok(())
}

fn set(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    if !request.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let args: Vec<&[u8]> = request.args_from(2).collect();
    let pairs: Vec<(&[u8], &[u8])> = args.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let state = &mut *ctx.state;
    let mut next = state.settings.clone();
    let changed = next.set(&pairs).map_err(|error| CommandError::from(format!("ERR {error}")))?;
    // While they are written, they are the server's.
    let has_files = state.persistence.is_on || state.persistence.is_rewriting;
    if changed.contains(&"appendonly") && next.appendonly && !has_files {
        state.host.claim_append_files(&next).map_err(|reason| {
            let failed = "CONFIG SET failed (possibly related to argument 'appendonly')";
            CommandError::from(format!("ERR {failed} - {reason}"))
        })?;
    }
    // Takes a look at every key, and may find that it cannot be.
    if changed.contains(&"queue-policy") {
        let (keyspace, effects) = (&mut state.keyspace, &mut state.effects);
        governed::configure_policies(keyspace, effects, &next.queue_policies).map_err(
            |reason| {
                let failed = "CONFIG SET failed (possibly related to argument 'queue-policy')";
                CommandError::from(format!("ERR {failed} - {reason}"))
            },
        )?;
    }
    state.settings = next;
    // Most settings are read where they are needed; these are kept elsewhere too.
    state.clients.set_output_limits(state.settings.output_limits, ctx.now.monotonic_us);
    state.slowlog.trim(count_max(state.settings.slowlog_len_max));
    state.keyspace.set_memory_limits(
        count_max(state.settings.dedup_messages_max),
        count_max(state.settings.idle_queues_max),
    );
    if changed.contains(&"channel-policy") {
        state.channel_policies.configure(&state.settings.channel_policies);
    }
    state.host.settings_changed(&state.settings);
    log_deed(ctx, request);
    ctx.reply.ok();
    Ok(())
}

fn resetstat(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let used_bytes = ctx.state.used_bytes();
    ctx.state.stats.reset(used_bytes);
    ctx.state.keyspace.reset_queue_sums();
    ctx.state.channel_policies.reset_counts();
    ctx.state.stats.expired_before = ctx.state.keyspace.expired_count();
    ctx.reply.ok();
    Ok(())
}

/// What a host without a file answers; it is the whole error, as in Redis.
const NO_FILE: &str = "The server is running without a config file";

fn rewrite(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let state = &mut *ctx.state;
    match state.host.rewrite_config(&state.settings) {
        Ok(()) => {
            adopt_policies(state);
            ctx.reply.ok();
            Ok(())
        }
        Err(reason) if reason == NO_FILE => Err(CommandError::from(format!("ERR {NO_FILE}"))),
        Err(reason) => Err(CommandError::from(format!("ERR Rewriting config file: {reason}"))),
    }
}

/// The file says of queue policies what holds: append files need not say it any more, and so do not
/// override what is written in the file later.
fn adopt_policies(state: &mut State) {
    let State { keyspace, effects, .. } = state;
    let mut next = keyspace.policies().clone();
    let forgotten = next.adopt();
    if forgotten.is_empty() || state.persistence.refusal().is_some() {
        return;
    }
    // The same policies hold.
    keyspace.set_policies(|policies| *policies = next);
    for name in forgotten {
        keyspace.note_change();
        effects.note(0, &Note::PolicyForgotten { name });
    }
}

fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    super::help::write(
        ctx.reply,
        "CONFIG",
        &[
            "GET <pattern>",
            "    Return parameters matching the glob-like <pattern> and their values.",
            "SET <directive> <value>",
            "    Set the configuration <directive> to <value>.",
            "RESETSTAT",
            "    Reset statistics reported by the INFO command.",
            "REWRITE",
            "    Rewrite the configuration file.",
        ],
    );
    Ok(())
}
