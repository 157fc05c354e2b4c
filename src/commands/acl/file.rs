//! ACL LOAD and SAVE, and the users at the start.

use super::users::{close_all, close_subscribers};
use crate::acl::{UserFault, UserId};
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

const UNCHANGED: &str =
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

/// Makes the users that the settings declare: with `user` directives or in an ACL file.
///
/// # Errors
/// Everything that is wrong with them. Then nobody is let in who is not known to be right.
pub(crate) fn load_users(state: &mut State) -> Result<(), Vec<UserFault>> {
    let declared = state.settings.users.clone();
    let faults = match state.settings.aclfile.clone() {
        Some(_) if !declared.is_empty() => {
            let reason = "there are user directives and an aclfile: give users in one of them only";
            vec![UserFault { user: None, reason: reason.to_owned() }]
        }
        Some(path) => {
            let text = read_file(state, &path).map_err(|error| vec![error]);
            let result = text.and_then(|text| replace_users(state, &path, &text));
            let errors = result.err().unwrap_or_default();
            errors.into_iter().map(|reason| UserFault { user: None, reason }).collect()
        }
        None => {
            let faults = declared.iter().enumerate().filter_map(|(index, words)| {
                let error = state.users.declare(words).err()?;
                let name = words.first().map_or("", |name| name);
                Some(UserFault { user: Some(index), reason: format!("user {name}: {error}") })
            });
            faults.collect::<Vec<_>>()
        }
    };
    if faults.is_empty() {
        return Ok(());
    }
    state.users.lock();
    Err(faults)
}

/// The text of the file.
fn read_file(state: &mut State, path: &Path) -> Result<Vec<u8>, String> {
    let text = state.host.read_file(path);
    text.map_err(|reason| {
        format!("Error loading ACLs, opening file '{}': {reason}", path.display())
    })
}

/// Replaces the users by those of the file's text. Returns the numbers of users that are gone.
fn replace_users(state: &mut State, path: &Path, text: &[u8]) -> Result<Vec<UserId>, Vec<String>> {
    let users = state.users.parse_file(&path.display().to_string(), text)?;
    Ok(state.users.replace(users))
}

pub(super) fn load(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let path = ctx.state.settings.aclfile.clone().ok_or(NO_FILE)?;
    let text = read_file(ctx.state, &path);
    let text = text.map_err(|error| CommandError::from(format!("ERR {error}")))?;
    let gone = replace_users(ctx.state, &path, &text)
        .map_err(|errors| CommandError::from(format!("ERR {} {UNCHANGED}", errors.join(" "))))?;
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
