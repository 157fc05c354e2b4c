//! Names that the append files need: the lists of what is in flight and of what is delayed.
//!
//! A list of that name which a client made would be one with them in the files, and its messages would
//! come to the queue when they are loaded. So nobody can make one, as long as the policy holds.

use crate::command::{Command, CommandError, Flags};
use crate::commands::describe::keys_of;
use crate::keyspace::Keyspace;
use crate::note::{DELAYED, IN_FLIGHT};
use crate::policy::{Policies, QueuePolicy};
use crate::resp::Request;

/// Why a command may not run: it could make a list with a name that is needed. Commands that make lists
/// have their keys among the first two arguments.
#[inline]
pub fn check_names(
    keyspace: &Keyspace,
    command: &'static Command,
    request: &Request<'_>,
) -> Result<(), CommandError> {
    if !keyspace.reserves_names() || !command.flags.contains(Flags::WRITE) {
        return Ok(());
    }
    // By their last letters, which the ends of few other keys are.
    let is_suspicious = |arg: &[u8]| match arg.last() {
        Some(b't') => arg.ends_with(IN_FLIGHT),
        Some(b'd') => arg.ends_with(DELAYED),
        _ => false,
    };
    if request.args_from(1).take(2).any(is_suspicious) {
        check_keys(keyspace, command, request)
    } else {
        Ok(())
    }
}

#[cold]
fn check_keys(
    keyspace: &Keyspace,
    command: &'static Command,
    request: &Request<'_>,
) -> Result<(), CommandError> {
    // It may have too few arguments: then it says so itself.
    for (key, _) in keys_of(command, request).unwrap_or_default() {
        if let Some(policy) = reserving_policy(keyspace.policies(), key) {
            return Err(reserved(key, policy));
        }
    }
    Ok(())
}

/// The policy for whose queues a name is needed.
fn reserving_policy<'a>(policies: &'a Policies, key: &[u8]) -> Option<&'a QueuePolicy> {
    let policy_of = |queue: Option<&[u8]>| queue.and_then(|queue| policies.of(queue));
    let in_flight = policy_of(key.strip_suffix(IN_FLIGHT));
    let delayed = policy_of(key.strip_suffix(DELAYED));
    in_flight
        .filter(|policy| policy.is_at_least_once())
        .or_else(|| delayed.filter(|policy| policy.delay_ms.is_some()))
        .map(|policy| &**policy)
}

fn reserved(key: &[u8], policy: &QueuePolicy) -> CommandError {
    let text = format!(
        "ERR '{}' is the name of a list that the append files need under queue policy '{}'",
        key.escape_ascii(),
        policy.name.escape_ascii()
    );
    CommandError::from(text)
}

/// Why policies may not become these: a list that is there has a name that they need.
pub fn check_lists(keyspace: &Keyspace, policies: &Policies) -> Result<(), String> {
    if !policies.reserve_names() {
        return Ok(());
    }
    for (_, key, _, _) in keyspace.all() {
        if let Some(policy) = reserving_policy(policies, key) {
            let (key, name) = (key.escape_ascii(), policy.name.escape_ascii());
            return Err(format!(
                "there is a list '{key}', whose name the append files need under queue policy \
                 '{name}'; rename it first"
            ));
        }
    }
    Ok(())
}
