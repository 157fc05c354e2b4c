//! CONFIG: the settings of the running server, and the reset of its counters.

use super::audit::log_action;
use crate::acl::{User, UserId, Users};
use crate::engine::Arg::{Many, Pairs};
use crate::engine::Group::Server;
use crate::engine::tips::ALL_NODES_SUCCEED;
use crate::engine::{Command, CommandError, Context, is_word};
use crate::glob::glob_matches;
use crate::note::Note;
use crate::queueing::Queues;
use crate::resp::Request;
use crate::settings::Settings;
use crate::state::{State, count_max};

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("config", SUBCOMMANDS).group(Server).since("2.0.0")
        .says("A container for commands about the settings."),
];

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    Command::new("config|get", -3, get).group(Server).since("2.0.0").admin().no_script().anytime()
        .args(&[Many("parameter")]).cost("O(N) where N is the number of settings")
        .says("Returns the settings whose names match patterns."),
    Command::new("config|set", -4, set).group(Server).since("2.0.0").admin().no_script().anytime()
        .secrets(secret_settings).args(&[Pairs("parameter", "value")])
        .cost("O(N) where N is the number of settings given").tips(ALL_NODES_SUCCEED)
        .says("Changes all the given settings, or none if one is wrong."),
    Command::new("config|resetstat", 2, resetstat).group(Server).since("2.0.0").admin().no_script()
        .anytime().tips(ALL_NODES_SUCCEED).says("Resets the counters of INFO."),
    Command::new("config|rewrite", 2, rewrite).group(Server).since("2.8.0").admin().no_script()
        .anytime().tips(ALL_NODES_SUCCEED).says("Writes the settings to the configuration file."),
    Command::new("config|help", 2, help).group(Server).since("5.0.0").anytime()
        .says("Returns help on the subcommands."),
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

/// `CONFIG SET requirepass <password> …`
fn secret_settings(request: &Request<'_>) -> Vec<usize> {
    let names = request.args().enumerate().skip(2).step_by(2);
    let secret =
        names.filter(|(_, name)| std::str::from_utf8(name).is_ok_and(crate::settings::is_secret));
    secret.map(|(index, _)| index + 1).collect()
}

fn set(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    if !request.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let args: Vec<&[u8]> = request.args_from(2).collect();
    let pairs: Vec<(&[u8], &[u8])> = args.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let is_local = ctx.client().is_some_and(|client| client.peer.is_local());
    let state = &mut *ctx.state;
    let mut next = state.settings.clone();
    let sets_protected = next.enable_protected_configs.allows(is_local);
    let changed = next
        .set_for(sets_protected, &pairs)
        .map_err(|error| CommandError::from(format!("ERR {error}")))?;
    if pairs.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"dir")) {
        change_dir(state, &mut next)?;
    }
    // During a rewrite the server already owns the append files.
    let has_files = state.persistence.is_on || state.persistence.is_rewriting;
    if changed.contains(&"appendonly") && next.appendonly && !has_files {
        state.host.claim_append_files(&next).map_err(|reason| {
            let failed = "CONFIG SET failed (possibly related to argument 'appendonly')";
            CommandError::from(format!("ERR {failed} - {reason}"))
        })?;
    }
    // Files may have changed although their names have not.
    let mut names = pairs.iter().filter_map(|(name, _)| str::from_utf8(name).ok());
    let certificates = names.find(|name| crate::settings::names_file(name)).map(|name| {
        state.host.read_certificates(&next).map_err(|reason| {
            let failed = format!("CONFIG SET failed (possibly related to argument '{name}')");
            CommandError::from(format!(
                "ERR {failed} - Unable to update TLS configuration: {reason}"
            ))
        })
    });
    let certificates = certificates.transpose()?;
    // Checks every key, and may fail.
    if changed.contains(&"queue-policy") {
        let mut queues = Queues::new(&mut state.keyspace);
        queues.configure_policies(&next.queue_policies).map_err(|reason| {
            let failed = "CONFIG SET failed (possibly related to argument 'queue-policy')";
            CommandError::from(format!("ERR {failed} - {reason}"))
        })?;
    }
    state.settings = next;
    // Most settings are read where they are needed; these have copies elsewhere.
    state.clients.set_output_limits(state.settings.output_limits, ctx.now.monotonic_us);
    state.users.set_allows_channels(state.settings.opens_channels());
    if args.chunks(2).any(|pair| pair.first().is_some_and(|name| is_word(name, "requirepass"))) {
        state.users.set_default_password(&state.settings.requirepass);
    }
    state.slowlog.trim(count_max(state.settings.slowlog_len_max));
    state.keyspace.set_memory_limits(
        count_max(state.settings.dedup_messages_max),
        count_max(state.settings.idle_queues_max),
    );
    if changed.contains(&"channel-policy") {
        state.channel_policies.configure(&state.settings.channel_policies);
    }
    state.host.settings_changed(&state.settings);
    if let Some(put_to_use) = certificates {
        put_to_use();
    }
    log_action(ctx, request);
    ctx.reply.ok();
    Ok(())
}

/// Makes the new directory an absolute one.
fn change_dir(state: &mut State, next: &mut Settings) -> Result<(), CommandError> {
    let State { host, settings, persistence, .. } = state;
    let changed = match persistence.is_on || persistence.is_rewriting {
        // Redis leaves the files behind, and continues in both directories.
        true => Err("append files are in use: set appendonly to no first".to_owned()),
        false => host.change_dir(next, &settings.dir),
    };
    changed.map_err(|reason| {
        let failed = "CONFIG SET failed (possibly related to argument 'dir')";
        CommandError::from(format!("ERR {failed} - {reason}"))
    })
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

/// A host's error if there is no configuration file. It is the whole error text, as in Redis.
const NO_FILE: &str = "The server is running without a config file";

fn rewrite(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let state = &mut *ctx.state;
    state.settings.users = declared_users(state)?;
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

/// The users as `user` directives. The default user is left out if `requirepass` says all of it.
fn declared_users(state: &State) -> Result<Vec<Vec<String>>, CommandError> {
    let fresh = Users::new(state.users.catalogue(), &state.settings.requirepass, false);
    let usual = fresh.get(UserId::DEFAULT).describe();
    let differing = state.users.iter().map(User::describe).filter(|line| *line != usual);
    let words = |line: Vec<u8>| {
        const NOT_TEXT: CommandError = CommandError::text(
            "ERR Rewriting config file: a user has rules that are not UTF-8 text; use an ACL file",
        );
        let line = String::from_utf8(line).map_err(|_| NOT_TEXT)?;
        Ok(line.split(' ').skip(1).map(str::to_owned).collect())
    };
    differing.map(words).collect()
}

/// The file now has the current queue policies. Append files no longer record them, so that they do not
/// override later edits of the file.
fn adopt_policies(state: &mut State) {
    let keyspace = &mut state.keyspace;
    let mut next = keyspace.policies().clone();
    let forgotten = next.adopt();
    if forgotten.is_empty() || state.persistence.refusal().is_some() {
        return;
    }
    // The same policies apply as before.
    keyspace.set_policies(|policies| *policies = next);
    for name in forgotten {
        keyspace.mark_change();
        keyspace.effects.note(0, &Note::PolicyForgotten { name });
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
