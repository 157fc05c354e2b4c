//! Names that the append files need: the lists of what is in flight and of what is delayed.
//!
//! A list of that name which a client made would be one with them in the files, and its messages would
//! come to the queue when they are loaded. So nobody can make one, as long as the policy holds.

use crate::command::{Command, CommandError, Flags, Keys};
use crate::commands::describe::keys_of;
use crate::keyspace::Keyspace;
use crate::note::{DELAYED, IN_FLIGHT};
use crate::policy::{Policies, QueuePolicy};
use crate::resp::Request;

/// The keys of RPUSH and LPOP, whose second argument is something else.
const ONE_KEY: Keys = Keys::Range { first: 1, last: 1, step: 1 };

/// Why a command may not run: it could make a list with a name that is needed. Commands that make lists
/// have their keys among the first two arguments.
#[inline]
pub fn needs_name(
    keyspace: &Keyspace,
    command: &'static Command,
    request: &Request<'_>,
) -> Option<CommandError> {
    if keyspace.reserves_names()
        && command.flags.contains(Flags::WRITE)
        && (is_suspicious(request.get(1))
            || (command.keys != ONE_KEY && is_suspicious(request.get(2))))
    {
        return needs_key(keyspace, command, request);
    }
    None
}

/// Whether an argument ends as such a name does; by its last letter first, which that of few keys is.
#[inline]
fn is_suspicious(arg: Option<&[u8]>) -> bool {
    let Some(arg) = arg else { return false };
    match arg.last() {
        Some(b't') => arg.ends_with(IN_FLIGHT),
        Some(b'd') => arg.ends_with(DELAYED),
        _ => false,
    }
}

#[cold]
fn needs_key(
    keyspace: &Keyspace,
    command: &'static Command,
    request: &Request<'_>,
) -> Option<CommandError> {
    // It may have too few arguments: then it says so itself.
    let keys = keys_of(command, request).unwrap_or_default().into_iter();
    keys.map(|(key, _)| key)
        .find_map(|key| Some(reserved(key, reserving_policy(keyspace.policies(), key)?)))
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
