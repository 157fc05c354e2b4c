//! Disk space reserved after the last batch, so that a full disk is noticed before a change is made, not
//! after it.
//!
//! A change cannot be undone: a consumer has its message, a watch is broken. So the changes of one turn
//! must fit into space that the append file already owns, whoever else fills the disk. At the end of
//! each turn the journal makes sure of that (`append-reserve`), and tells the broker how much the next
//! turn may change. A larger request waits for one turn, which reserves space for it alone, or gets
//! `-MISCONF`. If not even the reserve is available, all changes are refused until it is; earlier
//! changes still fit.
//!
//! Policies also change queues without a request (expiry, dead letters), and such changes cannot be
//! refused. They use a margin, and beyond that the rest of the reserve. Only if they exceed the reserve
//! while the disk is full does a batch wait for space.
//!
//! Some file systems cannot reserve space. There, and with `append-reserve 0`, a write finds the disk
//! full: see [`super::writer`].

use super::error::reason;
use super::files::is_full;
use super::stage::Stage;
use super::writer::{Journal, RETRY_US};
use crate::broker::Broker;
use crate::clock::Now;
use log::{info, warn};
use std::io;

/// For changes without a request, and for the trailers of batches.
const MARGIN_BYTES: u64 = 64 * 1024;

impl Journal {
    /// Reserves space for the next turn's changes, and tells the broker how much they may be.
    pub(super) fn keep_space(&mut self, broker: &mut Broker, now: Now) {
        let kept = broker.settings().append_reserve_bytes;
        let wanted = broker.take_wanted_space();
        let must_wait = self.shortage_us.is_some_and(|retry_us| retry_us > now.monotonic_us);
        // While changes are refused anyway, there are none.
        if self.trouble.is_some() || must_wait {
            return broker.allow_changes(u64::MAX, None, None);
        }
        if kept == 0 || !self.can_keep_space || !self.is_named {
            self.end_shortage(broker);
            return broker.allow_changes(u64::MAX, None, None);
        }
        let used = self.pending.len() as u64 + MARGIN_BYTES;
        let tail = match &mut self.stage {
            // New changes no longer go to the old file.
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
                self.handle_shortage(broker, &error, now);
                broker.allow_changes(u64::MAX, None, None);
            }
        }
    }

    fn handle_shortage(&mut self, broker: &mut Broker, error: &io::Error, now: Now) {
        let file = &self.tail.entry.name;
        if !is_full(error) {
            info!("{file}: this file system cannot reserve space for changes: {error}");
            self.can_keep_space = false;
            return self.end_shortage(broker);
        }
        if self.shortage_us.is_none() {
            warn!("{file}: no space for changes: {error}: they are refused until there is");
        }
        self.shortage_us = Some(now.monotonic_us + RETRY_US);
        broker.persistence_mut().shortage = Some(reason(error));
    }

    fn end_shortage(&mut self, broker: &mut Broker) {
        if self.shortage_us.take().is_some() {
            info!("{}: there is space again: changes are accepted", self.tail.entry.name);
            broker.persistence_mut().shortage = None;
        }
    }
}
