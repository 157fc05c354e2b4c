//! Reserved names: those of the lists with messages in flight or delayed in the append files.
//!
//! If a client made a list of that name, the files would mix the two, and its messages would be in the queue
//! after loading. So no such list can be made while the policy applies.

use crate::command_error::CommandError;
use crate::keyspace::Keyspace;
use crate::policy::{Policies, QueuePolicy};

/// Checks that a list of this name may be made. Everything that makes lists must call this; a push only if
/// there is no list, since no list has a reserved name.
///
/// # Errors
/// A policy reserves the name.
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

/// Checks that no existing list has a name that these policies reserve. The error says which has.
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
