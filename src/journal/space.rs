//! Space on the disk that is kept behind the last batch, so that a full disk is met before a change is
//! made and not after it.
//!
//! A change that has been made cannot be taken back: a consumer has been served, a watch is broken. So
//! what one turn changes has to fit into space that the append file owns already, whoever else fills
//! the disk. At the end of each turn the journal sees to it that so much is there (`append-reserve`),
//! and tells the broker how much the next turn may change. A request that is larger than that waits for
//! one turn, in which space is found for it alone, or gets `-MISCONF`. If not even the reserve can be
//! had, all changes are refused until it can; what was made before still fits.
//!
//! Besides requests, policies change queues (lives that end, dead letters), and nobody is answered for
//! that. It goes into a margin, and beyond that into what is left; only if more of it comes than the
//! reserve holds, while the disk is full, is a batch left that waits for space.
//!
//! Not all file systems can keep space. There, and with `append-reserve 0`, a full disk is met by a
//! write: see [`super::writer`].

use super::files::is_full;
use super::stage::Stage;
use super::writer::{Journal, RETRY_US, reason};
use crate::broker::Broker;
use crate::clock::Now;
use log::{info, warn};
use std::io;

/// For what comes without a request, and for the trailers of batches.
const MARGIN_BYTES: u64 = 64 * 1024;

impl Journal {
    /// Sees to it that what the next turn changes finds space, and tells the broker how much that may
    /// be.
    pub(super) fn keep_space(&mut self, broker: &mut Broker, now: Now) {
        let kept = broker.settings().append_reserve_bytes;
        let wanted = broker.take_wanted_space();
        let must_wait = self.shortage_us.is_some_and(|retry_us| retry_us > now.monotonic_us);
        // While changes are refused anyway, nobody makes any.
        if self.trouble.is_some() || must_wait {
            return broker.allow_changes(u64::MAX, None, None);
        }
        if kept == 0 || !self.can_keep_space || !self.is_named {
            self.end_shortage(broker);
            return broker.allow_changes(u64::MAX, None, None);
        }
        let used = self.pending.len() as u64 + MARGIN_BYTES;
        let tail = match &mut self.stage {
            // What comes now is not for the old file any more.
            Stage::Closing { next, .. } => next,
            _ => &mut self.tail,
        };
        let for_one = wanted.map_or(0, |(_, bytes)| bytes);
        let mut denied = None;
        let mut result = tail.keep_space(used + kept + for_one, kept);
        if let (Err(error), Some((client, _))) = (&result, wanted)
            && is_full(error)
        {
            denied = Some((client, reason(error)));
            result = tail.keep_space(used + kept, 0);
        }
        let writable = tail.kept_bytes().saturating_sub(used);
        match result {
            Ok(()) => {
                self.end_shortage(broker);
                broker.allow_changes(writable, wanted.filter(|_| denied.is_none()), denied);
            }
            Err(error) => {
                self.note_shortage(broker, &error, now);
                broker.allow_changes(u64::MAX, None, None);
            }
        }
    }

    fn note_shortage(&mut self, broker: &mut Broker, error: &io::Error, now: Now) {
        let file = &self.tail.entry.name;
        if !is_full(error) {
            info!("{file}: space cannot be kept for changes here: {error}");
            self.can_keep_space = false;
            return self.end_shortage(broker);
        }
        if self.shortage_us.is_none() {
            warn!(
                "{file}: no space can be kept for changes: {error}: they are refused until it can"
            );
        }
        self.shortage_us = Some(now.monotonic_us + RETRY_US);
        broker.persistence_mut().shortage = Some(reason(error));
    }

    fn end_shortage(&mut self, broker: &mut Broker) {
        if self.shortage_us.take().is_some() {
            info!("{}: there is space again: changes are taken", self.tail.entry.name);
            broker.persistence_mut().shortage = None;
        }
    }
}
