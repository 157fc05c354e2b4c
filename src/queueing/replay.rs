//! Replays queues under policies from append files: notes, and the lists that hold messages in flight or
//! delayed.
//!
//! While files are loaded, policies have no effect: what they did is in the files. But messages get their
//! stamps, and deliveries are tracked, so that both are restored after loading. A list `q:inflight` of a
//! queue without such a policy is an ordinary list, so that nothing is lost.

use super::Queues;
use super::deliver::Pop;
use super::replay_stream::replay_stream_note;
use super::return_messages::Cause;
use super::{delayed_key, inflight_key};
use crate::clock::Now;
use crate::command_error::{CommandError, is_word};
use crate::keyspace::{
    Announced, Claim, DbIndex, Delayed, DelayedMessage, Departure, Key, Keyspace, RecordedDelay,
    is_mark,
};
use crate::note::{DeadLetterRow, Note};
use crate::policy::{DELAYED, IN_FLIGHT};
use crate::queue::{End, Queue, Stamp};
use crate::resp::{Request, parse_integer};
use std::iter;
use std::sync::Arc;

impl Queues<'_> {
    /// Runs a command on a list of messages in flight or delayed, in the form that this program records.
    /// Returns false for any other command; if another program changed such a list, it becomes an ordinary
    /// one first.
    pub(crate) fn replay(&mut self, db: DbIndex, request: &Request<'_>) -> bool {
        if !self.keyspace.has_policies() || request.len() < 2 {
            return false;
        }
        let is_ours = self.replay_own(db, request);
        for key in request.args_from(1).take(keys_of(request.name())) {
            if !is_ours {
                make_plain(self.keyspace, db, key);
            }
            let queue = key.strip_suffix(IN_FLIGHT).or_else(|| key.strip_suffix(DELAYED));
            self.keyspace.end_former_policy(db, queue.unwrap_or(key));
        }
        is_ours
    }
}

/// How many of the first arguments of a command are keys. Those of a push, for instance, are messages, which
/// may look like one.
fn keys_of(name: &[u8]) -> usize {
    const TWO: &[&str] = &["copy", "lmove", "rename", "renamenx", "rpoplpush"];
    match name {
        name if is_word(name, "del") || is_word(name, "unlink") => usize::MAX,
        name if TWO.iter().any(|word| is_word(name, word)) => 2,
        _ => 1,
    }
}

/// Turns the messages in flight or delayed into an ordinary list, if the key is the name of their list.
fn make_plain(keyspace: &mut Keyspace, db: DbIndex, key: &[u8]) {
    let mut messages: Vec<Box<[u8]>> = Vec::new();
    if let Some(queue) = key.strip_suffix(IN_FLIGHT).map(Key::from) {
        while let Some(number) = number_at(keyspace, db, &queue, End::Front) {
            let removed = keyspace.remove_delivery(db, &queue, number);
            messages.extend(removed.map(|delivery| delivery.message));
        }
    } else if let Some(queue) = key.strip_suffix(DELAYED) {
        let has_any = keyspace.queue_state(db, queue).is_some_and(|g| !g.delayed.is_empty());
        let taken = has_any.then(|| keyspace.change_delayed(db, queue, std::mem::take));
        let all = taken.flatten().unwrap_or_default();
        messages.extend(all.iter().map(|delayed| delayed.message.clone()));
    }
    if !messages.is_empty() {
        // When this was recorded, the key held a list or nothing.
        let _ = keyspace.change_or_create_list(db, key, |list| {
            messages.iter().for_each(|message| list.push(End::Back, message));
        });
    }
}

impl Queues<'_> {
    fn replay_own(&mut self, db: DbIndex, request: &Request<'_>) -> bool {
        let name = request.name();
        let arg = |index| request.get(index).unwrap_or_default();
        let (first, second) = (arg(1), arg(2));
        if is_word(name, "lmove") && request.len() == 5 {
            let (from, to) = (end_of(arg(3)), end_of(arg(4)));
            if second == inflight_key(first) && self.keyspace.tracks_deliveries(db, first) {
                if let Some(at) = self.keyspace.slot(db, first) {
                    let claim = Claim::of_nobody();
                    let from = Pop { at, key: first, end: from, count: 1, claim };
                    self.deliver(from, |_, _| ());
                }
                return true;
            }
            if first == delayed_key(second) && self.keyspace.provides_delays(db, second) {
                return replay_delayed(self.keyspace, db, second, request);
            }
            if first == inflight_key(second) && self.keyspace.tracks_deliveries(db, second) {
                put_in_position(self.keyspace, db, second, from, to);
                return true;
            }
            return false;
        }
        if let Some(queue) = first.strip_suffix(DELAYED)
            && self.keyspace.provides_delays(db, queue)
        {
            return replay_delayed(self.keyspace, db, queue, request);
        }
        let Some(queue) = first.strip_suffix(IN_FLIGHT) else { return false };
        if !self.keyspace.tracks_deliveries(db, queue) {
            return false;
        }
        let queue = Key::from(queue);
        match name {
            name if is_word(name, "rpush") => add(self.keyspace, db, &queue, request.args_from(2)),
            name if is_word(name, "lpop") => {
                drop_from(self.keyspace, db, &queue, End::Front, second)
            }
            name if is_word(name, "rpop") => {
                drop_from(self.keyspace, db, &queue, End::Back, second)
            }
            name if is_word(name, "lrem") && request.len() == 4 => {
                drop_equal(self.keyspace, db, &queue, arg(3));
            }
            // Marks one of several equal messages, which is removed next.
            name if is_word(name, "lset") && is_mark(arg(3)) => {
                let Some(rank) = parse_integer(second).and_then(|n| usize::try_from(n).ok()) else {
                    return false;
                };
                self.keyspace.set_in_flight(db, &queue, rank, arg(3));
            }
            name if is_word(name, "del") => drop(self.keyspace.clear_in_flight(db, &queue)),
            name if is_word(name, "pexpireat") => {
                self.keyspace.set_expiry_of_emptied(db, &queue, parse_integer(second));
            }
            _ => return false,
        }
        true
    }
}

/// Remembers the messages of a replayed push for deduplication.
pub(crate) fn remember_replayed_push(keyspace: &mut Keyspace, db: DbIndex, request: &Request<'_>) {
    let name = request.name();
    if keyspace.policies().is_empty() || !(is_word(name, "rpush") || is_word(name, "lpush")) {
        return;
    }
    let Some(queue) = request.get(1) else { return };
    let Announced { known, .. } = keyspace.take_announced(db, queue);
    let Some(policy) = keyspace.policy_of(db, queue) else { return };
    let Some(window_ms) = policy.dedup_window_ms else { return };
    let at_ms =
        keyspace.queue_state(db, queue).map_or(0, |queue_state| queue_state.recorded_ready_ms());
    let new = request.args_from(2).skip(known);
    let fingerprints: Vec<_> = new.map(|message| keyspace.fingerprint(message)).collect();
    keyspace.remember(db, queue, fingerprints, window_ms, at_ms);
}

/// Runs a command on a queue's delayed messages, which are recorded as a list.
fn replay_delayed(
    keyspace: &mut Keyspace,
    db: DbIndex,
    queue: &[u8],
    request: &Request<'_>,
) -> bool {
    let name = request.name();
    let arg = |index| request.get(index).unwrap_or_default();
    let second = arg(2);
    if is_word(name, "rpush") {
        push_delayed(keyspace, db, queue, request);
    } else if is_word(name, "lmove") && second == queue && is_word(arg(3), "left") {
        let popped = keyspace.change_delayed(db, queue, |delayed| delayed.pop(End::Front));
        if let Some(Some(DelayedMessage { message, stamp })) = popped {
            let Stamp { ready_ms, hops, dead_letter, .. } = stamp;
            let stamp = Stamp { ready_ms, hops, dead_letter, ..Stamp::default() };
            // When this was recorded, the key held a list or nothing.
            let _ = keyspace.change_or_create_list(db, queue, |ready| {
                ready.push_stamped(end_of(arg(4)), &message, stamp);
            });
        }
    } else {
        let removal = removal_of_delayed(request);
        let has_any =
            keyspace.queue_state(db, queue).is_some_and(|state| !state.delayed.is_empty());
        let Some(removal) = removal.filter(|_| has_any) else { return false };
        keyspace.change_delayed(db, queue, |delayed| remove_delayed(delayed, removal));
    }
    true
}

/// Adds delayed messages, and remembers the new ones for deduplication.
fn push_delayed(keyspace: &mut Keyspace, db: DbIndex, queue: &[u8], request: &Request<'_>) {
    let Announced { known, stamps } = keyspace.take_announced(db, queue);
    // Without a note they are ready after loading, in their order.
    let recorded = keyspace.queue_state(db, queue).map(|queue_state| queue_state.recorded_delay());
    let recorded = recorded.filter(|recorded| recorded.ready_ms != 0);
    let RecordedDelay { ready_ms, end, pushed_ms } = recorded.unwrap_or(RecordedDelay::NONE);
    let stamp = Stamp { ready_ms, taken_from: end, ..Stamp::default() };
    let stamps = stamps.into_iter().chain(iter::repeat(stamp));
    keyspace.delay(db, queue, request.args_from(2).zip(stamps));
    let Some(policy) = keyspace.policy_of(db, queue) else { return };
    let pushed_ms = pushed_ms.or_else(|| Some(ready_ms.saturating_sub(policy.delay_ms?)));
    if let (Some(window_ms), Some(at_ms)) = (policy.dedup_window_ms, pushed_ms) {
        let new = request.args_from(2).skip(known);
        let fingerprints: Vec<_> = new.map(|message| keyspace.fingerprint(message)).collect();
        keyspace.remember(db, queue, fingerprints, window_ms, at_ms);
    }
}

/// The removal of delayed messages, as files have it.
enum Removal<'a> {
    Outermost(End, usize),
    /// It marks one of several equal messages, which is removed next.
    Mark(usize),
    /// The marked one; without any, a message that looks like a mark.
    Marked(&'a [u8]),
    Equal(&'a [u8]),
    All,
}

/// Reads a command as the removal of delayed messages; `None` if it is no form of ours.
fn removal_of_delayed<'a>(request: &Request<'a>) -> Option<Removal<'a>> {
    let name = request.name();
    let number = || usize::try_from(parse_integer(request.get(2)?)?).ok();
    match name {
        name if is_word(name, "lpop") => {
            Some(Removal::Outermost(End::Front, number().unwrap_or(1)))
        }
        name if is_word(name, "rpop") => Some(Removal::Outermost(End::Back, number().unwrap_or(1))),
        name if is_word(name, "lset") && is_mark(request.get(3)?) => Some(Removal::Mark(number()?)),
        name if is_word(name, "lrem") => match request.get(3)? {
            mark if is_mark(mark) => Some(Removal::Marked(mark)),
            message => (number() == Some(1)).then_some(Removal::Equal(message)),
        },
        name if is_word(name, "del") => Some(Removal::All),
        _ => None,
    }
}

fn remove_delayed(delayed: &mut Delayed, removal: Removal<'_>) {
    match removal {
        Removal::Outermost(end, count) => {
            iter::from_fn(|| delayed.pop(end)).take(count).for_each(drop);
        }
        Removal::Mark(rank) => delayed.mark(rank),
        Removal::Marked(mark) if !delayed.remove_marked() => delayed.remove_equal(mark),
        Removal::Marked(_) => {}
        Removal::Equal(message) => delayed.remove_equal(message),
        Removal::All => *delayed = Delayed::default(),
    }
}

fn end_of(word: &[u8]) -> End {
    if is_word(word, "left") { End::Front } else { End::Back }
}

/// The number of the first or last delivery in flight.
fn number_at(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], end: End) -> Option<u64> {
    let in_flight = &keyspace.queue_state(db, key)?.in_flight;
    match end {
        End::Front => in_flight.first().map(|(number, _)| number),
        End::Back => in_flight.iter().next_back().map(|(number, _)| number),
    }
}

fn put_in_position(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], from: End, to: End) {
    let Some(number) = number_at(keyspace, db, key, from) else { return };
    let Some(delivery) = keyspace.remove_delivery(db, &Key::from(key), number) else { return };
    // When this was recorded, the key held a list or nothing.
    let _ = keyspace.change_or_create_list(db, key, |queue| {
        queue.push_stamped(to, &delivery.message, delivery.stamp);
    });
}

/// Adds messages in flight. Either they are from a base file, and a note about them follows, or they were
/// delivered at their push.
fn add<'a>(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &Key,
    messages: impl Iterator<Item = &'a [u8]>,
) {
    let ready_ms =
        keyspace.queue_state(db, key).map_or(0, |queue_state| queue_state.recorded_ready_ms());
    for message in messages {
        let number = keyspace.next_delivery();
        let stamp = Stamp { ready_ms, order: number, deliveries: 1, ..Stamp::default() };
        keyspace.add_delivery(db, key, number, Box::from(message), stamp);
    }
    // The list that they skipped had no expiry.
    keyspace.set_expiry_of_emptied(db, key, None);
}

fn drop_from(keyspace: &mut Keyspace, db: DbIndex, key: &Key, end: End, count: &[u8]) {
    for _ in 0..parse_integer(count).unwrap_or(1) {
        let Some(number) = number_at(keyspace, db, key, end) else { return };
        keyspace.remove_delivery(db, key, number);
    }
}

fn drop_equal(keyspace: &mut Keyspace, db: DbIndex, key: &Key, message: &[u8]) {
    for number in keyspace.find_deliveries(db, key, [message].into_iter()) {
        keyspace.remove_delivery(db, key, number);
    }
}

/// Applies a note in an ECHO; does nothing if the text is not a note.
///
/// # Errors
/// This version does not know the note, or cannot apply it.
pub(crate) fn replay_note(
    keyspace: &mut Keyspace,
    db: DbIndex,
    text: &[u8],
) -> Result<(), CommandError> {
    match Note::read(text).map_err(CommandError::from)? {
        None => {}
        Some(Note::PolicySet { at_ms, policy }) => {
            let set = keyspace.change_policies_at(at_ms, |policies| policies.set(policy));
            set.map_err(|reason| CommandError::from(format!("ERR {reason}")))?;
        }
        Some(Note::PolicyForgotten { name }) => {
            let at_ms = keyspace.queue_ms();
            keyspace.change_policies_at(at_ms, |policies| policies.forget(&name));
        }
        Some(Note::PolicyDeleted { name }) => {
            let at_ms = keyspace.queue_ms();
            keyspace.change_policies_at(at_ms, |policies| policies.delete(&name));
        }
        Some(Note::Departing { departure }) => {
            keyspace.add_recorded_departure(Departure { db, ..departure });
        }
        Some(Note::Calendar { ahead_ms }) => keyspace.set_calendar_ahead_ms(ahead_ms),
        Some(Note::LastDelivery { number }) => keyspace.raise_delivery(number),
        Some(Note::Ready { key, ms }) => keyspace.set_ready_ms(db, &key, ms),
        Some(Note::Delayed { key, ms, end, pushed_ms }) if keyspace.provides_delays(db, &key) => {
            let delay = RecordedDelay { ready_ms: ms, end, pushed_ms };
            keyspace.set_recorded_delay(db, &key, delay);
        }
        Some(Note::Delayed { .. }) => {}
        Some(Note::Retried { key, stamps }) => {
            keyspace.announce(db, &key, Announced { known: stamps.len(), stamps });
        }
        Some(Note::Known { key, count, id }) => {
            keyspace.announce(db, &key, Announced { known: count, stamps: Vec::new() });
            if let Some((at_ms, id)) = id {
                remember_id(keyspace, db, &key, &id, at_ms);
            }
        }
        Some(Note::FormerPolicy { key, policy }) => keyspace.set_former_policy(db, &key, policy),
        Some(Note::Stamped { key, end, runs }) => restamp(keyspace, db, &key, end, runs),
        Some(Note::StampedAt { key, index, stamp }) => {
            // When this was recorded, the key held a list or nothing.
            let _ = keyspace.change_list(db, &key, |queue| queue.restamp_at(index, stamp));
        }
        Some(Note::StampedFrom { key, index, runs }) => {
            restamp_from(keyspace, db, &key, index, &runs);
        }
        Some(Note::EmptiedExpiry { key, unix_ms }) => {
            keyspace.set_expiry_of_emptied(db, &key, Some(unix_ms));
        }
        Some(Note::DeadLetters { count, ms, row }) => {
            // Without one, the files have lost their beginning.
            if let Some(row) = keyspace.replayed_dead_letters(row) {
                mark_dead_letters(keyspace, db, &row, count, ms);
            }
        }
        Some(Note::InFlight { key, stamps }) => {
            keyspace.restamp_deliveries(db, &key, &stamps);
        }
        Some(Note::Paused { key, pauses }) => keyspace.set_pauses(db, &key, pauses),
        Some(Note::OfStream { key, about }) => replay_stream_note(keyspace, db, &key, &about),
        Some(Note::Stopped) => keyspace.uncount_deliveries(),
        Some(Note::Stream(place)) => keyspace.set_recorded_stream(place),
    }
    Ok(())
}

fn restamp(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], end: End, runs: Vec<(Stamp, usize)>) {
    if let Some(queue) = key.strip_suffix(DELAYED)
        && keyspace.provides_delays(db, queue)
    {
        keyspace.change_delayed(db, queue, |delayed| delayed.restamp_last(&runs));
        return;
    }
    let change = |queue: &mut Queue| {
        let mut left = runs.iter().fold(0, |sum: usize, (_, count)| sum.saturating_add(*count));
        for (stamp, count) in runs {
            queue.restamp_end(end, left, stamp);
            left = left.saturating_sub(count);
        }
    };
    // When this was recorded, the key held a list or nothing.
    let _ = keyspace.change_list(db, key, change);
}

/// Gives the messages of a list these stamps, from an index on.
fn restamp_from(
    keyspace: &mut Keyspace,
    db: DbIndex,
    list: &[u8],
    index: usize,
    runs: &[(Stamp, usize)],
) {
    if let Some(queue) = list.strip_suffix(DELAYED)
        && keyspace.provides_delays(db, queue)
    {
        keyspace.change_delayed(db, queue, |delayed| delayed.restamp_from(index, runs));
    } else if let Some(queue) = list.strip_suffix(IN_FLIGHT)
        && keyspace.tracks_deliveries(db, queue)
    {
        keyspace.restamp_deliveries_from(db, queue, index, runs);
    } else {
        // When this was recorded, the key held a list.
        let _ = keyspace.change_list(db, list, |queue| queue.restamp_from(index, runs));
    }
}

/// Remembers an id for deduplication.
fn remember_id(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], id: &[u8], at_ms: i64) {
    // The push follows, so the queue may not exist yet.
    keyspace.slot_or_create(db, key);
    let policy = keyspace.policy_of(db, key);
    if let Some(window_ms) = policy.and_then(|policy| policy.dedup_window_ms) {
        let fingerprint = keyspace.fingerprint_of_id(id);
        keyspace.remember(db, key, [fingerprint], window_ms, at_ms);
    }
    keyspace.drop_if_empty(db, key);
}

/// Marks the outermost messages at an end of a list as dead letters.
fn mark_dead_letters(
    keyspace: &mut Keyspace,
    db: DbIndex,
    row: &DeadLetterRow,
    count: usize,
    ready_ms: i64,
) {
    let DeadLetterRow { list, end, hops, dead_letter } = row;
    let dead_letter = Some(Arc::clone(dead_letter));
    let stamp = Stamp { ready_ms, hops: *hops, dead_letter, ..Stamp::default() };
    match list.strip_suffix(DELAYED) {
        Some(queue) if keyspace.provides_delays(db, queue) => {
            keyspace.change_delayed(db, queue, |delayed| delayed.mark_dead_letters(count, &stamp));
        }
        _ => {
            let mark = |queue: &mut Queue| queue.mark_dead_letters(*end, count, &stamp);
            // When this was recorded, the key held a list or nothing.
            let _ = keyspace.change_list(db, list, mark);
        }
    }
}

impl Queues<'_> {
    /// Ends the loading of files: policies apply again, and messages in flight, which have no consumer any
    /// more, are returned.
    pub(crate) fn end_replay(&mut self, now: Now) {
        for (db, key) in self.keyspace.end_replay(now) {
            self.record_ready(db, &key);
        }
        self.keyspace.raise_delivery_to_time(now);
        if self.keyspace.has_policies() {
            self.record_raise();
        }
        // No client waits yet, so all are returned at once: nobody's, after a start, and those of consumers
        // from before this broker was a replica.
        self.keyspace.disconnect_all_holders();
        let (_, all) = self.keyspace.take_disconnected(usize::MAX - 1);
        for (db, key, numbers) in all {
            self.return_messages(db, &key, &numbers, Cause::Restart);
        }
        self.keyspace.policies().warn_of_assumptions();
        // If files lost their middle, a policy may have ended before its messages in flight or delayed were
        // returned.
        if self.keyspace.has_policies() {
            self.change_policies(None, |_| ());
        }
    }
}
