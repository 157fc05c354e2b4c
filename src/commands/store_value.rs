//! Storing a whole value in place of any other, recorded as the commands that make it.

use super::sorted_set::record_members;
use crate::dict::Item;
use crate::engine::CommandError;
use crate::keyspace::{DbIndex, Keyspace, Value};
use crate::queue::{End, Queue};
use crate::queueing::{self, PushRules, Queues, Target};
use crate::snapshot::write_stream_commands;
use crate::value::Kind;
use std::convert::Infallible;

pub(super) const BUSY: CommandError = CommandError::text("BUSYKEY Target key name already exists.");

/// Elements in one recorded push.
const ELEMENTS_PER_COMMAND: usize = 64;

/// Removes everything at a key.
pub(super) fn remove(keyspace: &mut Keyspace, db: DbIndex, key: &[u8]) {
    Queues::new(keyspace).clear_hidden(db, key);
    if keyspace.delete(db, key) {
        keyspace.effects.record(db, [&b"DEL"[..], key]);
    }
}

/// Stores a value in place of any other.
pub(super) fn store(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    value: Value,
    expires_ms: Option<i64>,
    replaces: bool,
) -> Result<(), CommandError> {
    match value {
        Value::List(list) => store_list(keyspace, db, key, list, replaces)?,
        other => {
            // A queue with only messages in flight or delayed exists, too.
            if !replaces && queueing::has_hidden(keyspace, db, key) {
                return Err(BUSY);
            }
            remove(keyspace, db, key);
            record(keyspace, db, key, &other);
            keyspace.insert(db, key, other, None);
        }
    }
    // Without a value all messages are delayed.
    if let Some(expires_ms) = expires_ms
        && keyspace.set_expiry(db, key, Some(expires_ms))
    {
        let mut digits = itoa::Buffer::new();
        let at = digits.format(expires_ms).as_bytes();
        keyspace.effects.record(db, [&b"PEXPIREAT"[..], key, at]);
    }
    Ok(())
}

/// Records the commands that make a value.
fn record(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], value: &Value) {
    match value {
        Value::List(list) => {
            let mut messages = list.iter();
            loop {
                let some: Vec<&[u8]> = messages.by_ref().take(ELEMENTS_PER_COMMAND).collect();
                if some.is_empty() {
                    return;
                }
                keyspace.effects.record_push(db, End::Back, key, some);
            }
        }
        Value::String(string) => {
            string.with(|bytes| keyspace.effects.record(db, [&b"SET"[..], key, bytes]));
        }
        Value::Hash(hash) => {
            let pairs = hash.iter().flat_map(|(field, value)| [field, value]);
            record_elements(keyspace, db, [b"HSET", key], pairs);
        }
        Value::Set(set) => record_elements(keyspace, db, [b"SADD", key], set.iter()),
        Value::SortedSet(set) => record_members(&mut keyspace.effects, db, key, set.iter()),
        Value::Stream(stream) if keyspace.effects.is_on() => {
            let mut command = Vec::new();
            let effects = &mut keyspace.effects;
            let Ok(()) = write_stream_commands(&mut command, key, stream, |command| {
                effects.record_encoded(db, command);
                command.clear();
                Ok::<(), Infallible>(())
            });
        }
        Value::Stream(_) => {}
    }
}

/// Records elements behind a command and its key.
pub(super) fn record_elements<'a>(
    keyspace: &mut Keyspace,
    db: DbIndex,
    start: [&[u8]; 2],
    mut elements: impl Iterator<Item = Item<'a>>,
) {
    if !keyspace.effects.is_on() {
        return;
    }
    loop {
        // An even number: a field is in one command with its value.
        let some = elements.by_ref().take(ELEMENTS_PER_COMMAND);
        let some: Vec<Vec<u8>> = some.map(Item::to_vec).collect();
        if some.is_empty() {
            return;
        }
        let args: Vec<&[u8]> = start.into_iter().chain(some.iter().map(Vec::as_slice)).collect();
        keyspace.effects.record(db, args);
    }
}

/// Stores a list. Under a policy its elements are pushed, and refused where any push would be: then nothing
/// is removed either.
pub(super) fn store_list(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    list: Queue,
    replaces: bool,
) -> Result<(), CommandError> {
    if replaces && let Some(at) = keyspace.slot_for_push(db, key) {
        let bytes = || list.iter().map(<[u8]>::len).sum();
        let checked = PushRules::of(keyspace, at).check(keyspace, at, list.len(), bytes);
        if checked.is_err() {
            keyspace.drop_if_empty_in(at);
        }
        checked?;
        remove(keyspace, db, key);
    } else if replaces {
        remove(keyspace, db, key);
    }
    if let Some(at) = keyspace.slot_for_push(db, key) {
        let messages: Vec<&[u8]> = list.iter().collect();
        let rules = PushRules::of(keyspace, at);
        let to = Target { at, key, end: End::Back, rules, id: None };
        return Queues::new(keyspace).push(&to, messages.iter().copied()).map(|_| ());
    }
    let value = list.into_value();
    record(keyspace, db, key, &value);
    keyspace.insert(db, key, value, None);
    Ok(())
}
