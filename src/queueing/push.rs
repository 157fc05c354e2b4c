//! Pushes to a queue under a policy: refused while it is paused or full, otherwise stored.
//!
//! The usual one, of a message that simply joins its queue, need not come here: `push_simply_in`.

use super::Queues;
use super::delay::Delay;
use super::limits::PushRules;
use super::reserved::check_name;
use crate::command_error::CommandError;
use crate::keyspace::{DbIndex, Fingerprint, Keyspace, Slot};
use crate::queue::End;
use std::collections::HashSet;

/// The target of a push, and its rules.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) at: Slot,
    pub(crate) key: &'a [u8],
    pub(crate) end: End,
    pub(crate) rules: PushRules,
}

impl Queues<'_> {
    /// Pushes messages to a queue under a policy. Returns the length after. The caller has checked that the
    /// key holds no value but a list.
    ///
    /// # Errors
    /// The queue is paused or full, or a policy reserves its name. Nothing was stored.
    #[inline]
    pub(crate) fn push<'a>(
        &mut self,
        to: &Target<'_>,
        messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    ) -> Result<usize, CommandError> {
        let pushed = match check_name(self.keyspace, to.key) {
            Err(error) => Err(error),
            Ok(()) => match to.rules.dedup_window_ms {
                None => self.store(to, messages),
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
    ) -> Result<usize, CommandError> {
        let given = messages.len();
        let (at, db, key) = (to.at, to.at.db(), to.key);
        let new = new_messages(self.keyspace, db, key, messages, window_ms);
        let same = given - new.len();
        if new.is_empty() {
            // Nothing has changed, so nothing may be recorded.
            let len = self.keyspace.length_in(at).0;
            self.keyspace.count_in(at, |totals| totals.deduplicated += same as u64);
            self.keyspace.drop_if_empty_in(at);
            return Ok(len);
        }
        let len = self.store(to, new.iter().map(|(message, _)| *message))?;
        self.keyspace.count(db, key, |totals| totals.deduplicated += same as u64);
        let at_ms = self.keyspace.queue_ms();
        self.keyspace.remember(
            db,
            key,
            new.iter().map(|(_, fingerprint)| *fingerprint),
            window_ms,
            at_ms,
        );
        Ok(len)
    }
}

/// The messages that the queue has not had in the window, each once, with their fingerprints.
pub(super) fn new_messages<'a>(
    keyspace: &mut Keyspace,
    db: DbIndex,
    key: &[u8],
    messages: impl Iterator<Item = &'a [u8]>,
    window_ms: i64,
) -> Vec<(&'a [u8], Fingerprint)> {
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
        let &Target { at, key, end, ref rules } = to;
        let count = messages.len();
        rules.check(self.keyspace, at, count, || messages.clone().map(<[u8]>::len).sum())?;
        if let Some(delay_ms) = rules.delay_ms {
            self.delay(at.db(), key, messages, Delay { end, ms: delay_ms, hops: 0 });
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
