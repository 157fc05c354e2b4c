//! Names that the append files need: the lists of what is in flight and of what is delayed.
//!
//! A list of that name which a client made would be one with them in the files, and its messages would
//! come to the queue when they are loaded. So nobody can make one, as long as the policy holds.

use crate::command_error::CommandError;
use crate::keyspace::Keyspace;
use crate::policy::{Policies, QueuePolicy};

/// Whether a list of this name may be made. Whatever makes lists asks; of pushes those do that find none,
/// since there is none of a name that is needed.
///
/// # Errors
/// A policy needs the name.
pub(crate) fn check_name(keyspace: &Keyspace, key: &[u8]) -> Result<(), CommandError> {
    if !keyspace.reserves_names() {
        return Ok(());
    }
    match keyspace.reserving(key) {
        None => Ok(()),
        Some(policy) => Err(reserved(key, policy)),
    }
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
pub(crate) fn check_lists(keyspace: &Keyspace, policies: &Policies) -> Result<(), String> {
    if !policies.reserve_names() {
        return Ok(());
    }
    for key in keyspace.suffixed_keys() {
        if let Some(policy) = policies.reserving(key) {
            let (key, name) = (key.escape_ascii(), policy.name.escape_ascii());
            return Err(format!(
                "there is a key '{key}', whose name the append files need under queue policy \
                 '{name}'; rename it first"
            ));
        }
    }
    Ok(())
}
