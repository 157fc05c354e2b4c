//! Pushes to a queue under a policy: refused while it is paused or full, otherwise stored.
//!
//! The usual one, of a message that simply joins its queue, need not come here: `push_simply_in`.

use super::Queues;
use super::delay::Delay;
use super::limits::PushRules;
use super::reserved::check_name;
use crate::command_error::CommandError;
use crate::keyspace::{Fingerprint, Keyspace, Slot};
use crate::note::Note;
use crate::queue::End;
use std::collections::HashSet;

/// The target of a push, and its rules.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) at: Slot,
    pub(crate) key: &'a [u8],
    pub(crate) end: End,
    pub(crate) rules: PushRules,
    /// An id given to the messages, which decides in their place whether they are duplicates.
    pub(crate) id: Option<&'a [u8]>,
}

/// The result of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// The length of the queue afterwards.
    pub(crate) len: usize,
    /// The number of messages that were no duplicates.
    pub(crate) stored: usize,
}

impl Queues<'_> {
    /// Pushes messages to a queue under a policy. The caller has checked that the
    /// key holds no value but a list.
    ///
    /// # Errors
    /// The queue is paused or full, or a policy reserves its name. Nothing was stored.
    #[inline]
    pub(crate) fn push<'a>(
        &mut self,
        to: &Target<'_>,
        messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    ) -> Result<Pushed, CommandError> {
        let pushed = match check_name(self.keyspace, to.key) {
            Err(error) => Err(error),
            Ok(()) => match to.rules.dedup_window_ms {
                None => {
                    let stored = messages.len();
                    self.store(to, messages).map(|len| Pushed { len, stored })
                }
                Some(window_ms) => self.store_new(to, messages, window_ms),
            },
        };
        if pushed.is_err() {
            self.keyspace.drop_if_empty_in(to.at);
        }
        pushed
    }

    /// As `push`, but only for messages that the queue has not had in the window.
    fn store_new<'a>(
        &mut self,
        to: &Target<'_>,
        messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        window_ms: i64,
    ) -> Result<Pushed, CommandError> {
        let given = messages.len();
        let (at, db, key) = (to.at, to.at.db(), to.key);
        let new = new_messages(self.keyspace, to, messages, window_ms);
        let stored = new.len();
        let same = given - stored;
        if new.is_empty() {
            // Nothing has changed, so nothing may be recorded.
            let len = self.keyspace.length_in(at).0;
            self.keyspace.count_in(at, |totals| totals.deduplicated += same as u64);
            self.keyspace.drop_if_empty_in(at);
            return Ok(Pushed { len, stored });
        }
        let stored_messages = new.iter().map(|(message, _)| *message);
        self.announce_id(to, stored_messages.clone())?;
        let len = self.store(to, stored_messages)?;
        self.keyspace.count(db, key, |totals| totals.deduplicated += same as u64);
        let at_ms = self.keyspace.queue_ms();
        // An id has one fingerprint.
        let count = if to.id.is_some() { 1 } else { stored };
        let fingerprints = new.iter().map(|(_, fingerprint)| *fingerprint).take(count);
        self.keyspace.remember(db, key, fingerprints, window_ms, at_ms);
        Ok(Pushed { len, stored })
    }

    /// Records the id of messages, before their push is recorded.
    fn announce_id<'a>(
        &mut self,
        to: &Target<'_>,
        messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    ) -> Result<(), CommandError> {
        let Some(id) = to.id else { return Ok(()) };
        let count = messages.len();
        to.rules.check(self.keyspace, to.at, count, || messages.clone().map(<[u8]>::len).sum())?;
        let id = Some((self.keyspace.queue_ms(), id.to_vec()));
        self.keyspace.effects.note(to.at.db(), &Note::Known { key: to.key.to_vec(), count, id });
        Ok(())
    }
}

/// The messages that the queue has not had in the window, each once, with their fingerprints. With an id:
/// all, if the queue has not had the id, with its fingerprint.
pub(super) fn new_messages<'a>(
    keyspace: &mut Keyspace,
    to: &Target<'_>,
    messages: impl Iterator<Item = &'a [u8]>,
    window_ms: i64,
) -> Vec<(&'a [u8], Fingerprint)> {
    let (db, key) = (to.at.db(), to.key);
    if let Some(id) = to.id {
        let fingerprint = keyspace.fingerprint_of_id(id);
        return match keyspace.remembers(db, key, fingerprint, window_ms) {
            true => Vec::new(),
            false => messages.map(|message| (message, fingerprint)).collect(),
        };
    }
    let mut new = Vec::new();
    let mut seen = HashSet::new();
    for message in messages {
        let fingerprint = keyspace.fingerprint(message);
        if !keyspace.remembers(db, key, fingerprint, window_ms) && seen.insert(fingerprint) {
            new.push((message, fingerprint));
        }
    }
    new
}

impl Queues<'_> {
    #[inline]
    fn store<'a>(
        &mut self,
        to: &Target<'_>,
        messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    ) -> Result<usize, CommandError> {
        let &Target { at, key, end, ref rules, .. } = to;
        let count = messages.len();
        rules.check(self.keyspace, at, count, || messages.clone().map(<[u8]>::len).sum())?;
        if let Some(delay_ms) = rules.delay_ms {
            self.delay(
                at.db(),
                key,
                messages,
                Delay { end, ms: delay_ms, hops: 0, dead_letter: None },
            );
            return Ok(self.finish_push(at.db(), key, end, count));
        }
        let ready = self.keyspace.push_in(at, end, messages.clone())?;
        self.record_ready_in(at, self.keyspace.queue_ms());
        self.keyspace.effects.record_push(at.db(), end, key, messages);
        if rules.drops_oldest() && rules.is_beyond(ready) {
            return Ok(self.trim_pushed(to, ready));
        }
        Ok(rules.length(ready.0))
    }
}
