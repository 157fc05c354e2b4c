//! ACL LOAD and SAVE, and the users at the start.

use super::users::{close_all, close_subscribers};
use crate::acl::UserId;
use crate::commands::audit::log_action;
use crate::engine::{CommandError, Context};
use crate::resp::Request;
use crate::state::State;
use std::path::Path;

const NO_FILE: CommandError = CommandError::text(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via \
     the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration \
     file set) in order to store users in the Redis configuration.",
);

/// Makes the users that the settings declare: with `user` directives or in an ACL file.
///
/// # Errors
/// Something is wrong with them. Then nobody is let in who is not known to be right.
pub(crate) fn load_users(state: &mut State) -> Result<(), String> {
    let declared = state.settings.users.clone();
    let result = match state.settings.aclfile.clone() {
        Some(_) if !declared.is_empty() => {
            Err("there are user directives and an aclfile: give users in \
             one of them only"
                .to_string())
        }
        Some(path) => read_file(state, &path).map(drop),
        None => declared.iter().try_for_each(|words| {
            let name = words.first().map_or("", |name| name);
            state.users.declare(words).map_err(|error| format!("user {name}: {error}"))
        }),
    };
    if result.is_err() {
        state.users.lock();
    }
    result
}

/// Replaces the users by those of the file. Returns the numbers of users that are gone.
fn read_file(state: &mut State, path: &Path) -> Result<Vec<UserId>, String> {
    let shown = path.display().to_string();
    let text = state
        .host
        .read_file(path)
        .map_err(|reason| format!("Error loading ACLs, opening file '{shown}': {reason}"))?;
    let users = state.users.parse_file(&shown, &text)?;
    Ok(state.users.replace(users))
}

pub(super) fn load(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let path = ctx.state.settings.aclfile.clone().ok_or(NO_FILE)?;
    let gone = read_file(ctx.state, &path);
    let gone = gone.map_err(|errors| CommandError::from(format!("ERR {errors}")))?;
    gone.into_iter().for_each(|user| close_all(ctx, user));
    close_subscribers(ctx);
    log_action(ctx, request);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn save(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let state = &mut *ctx.state;
    let path = state.settings.aclfile.clone().ok_or(NO_FILE)?;
    let mut text = Vec::new();
    for user in state.users.iter() {
        text.extend_from_slice(&user.describe());
        text.push(b'\n');
    }
    state.host.replace_file(&path, &text).map_err(|reason| {
        log::warn!("cannot write the ACL file {}: {reason}", path.display());
        CommandError::text(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more \
             information",
        )
    })?;
    ctx.reply.ok();
    Ok(())
}
