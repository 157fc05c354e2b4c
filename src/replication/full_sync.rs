//! A snapshot on its way to replicas: one for all that asked in time. Each step takes a fraction of a millisecond,
//! however large a key is, and however many keys were saved before they changed.

use super::history::StreamId;
use super::large_key::{LargeKey, is_large};
use super::link::MARK_LEN;
use crate::keyspace::{Departure, SavedKey, SavedPart};
use crate::queue::Queue;
use crate::snapshot::{RdbEncoder, RdbHeader};
use bytes::Bytes;
use std::collections::VecDeque;

/// Bytes of keys that are written at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Bytes that a key counts at least: it takes time, too.
const KEY_BYTES: usize = 64;
/// Bytes that a freed key counts.
const FREED_BYTES: usize = 256;

/// A snapshot that is being sent.
#[derive(Debug)]
pub(crate) struct FullSync {
    encoder: RdbEncoder,
    /// What was saved and is not written yet. It has no keys and no departing messages: these follow.
    first: Option<SavedPart>,
    rest: Rest,
    /// A large key that has begun.
    large: Option<Box<LargeKey>>,
    /// Follows the snapshot: its length is not known before.
    mark: [u8; MARK_LEN],
}

/// What was saved and is not written, or is not needed any more.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    departing: VecDeque<(Departure, Queue)>,
    keys: VecDeque<SavedKey>,
}

impl FullSync {
    /// Begins; returns what is sent first.
    pub(crate) fn begin(header: &RdbHeader, mark: &StreamId) -> (FullSync, Bytes) {
        // Any text will do that the snapshot is not expected to end with.
        let mut digits = [b'0'; MARK_LEN];
        digits.iter_mut().zip(mark.as_bytes()).for_each(|(digit, byte)| *digit = *byte);
        let mut head = [&b"$EOF:"[..], &digits, b"\r\n"].concat();
        let encoder = RdbEncoder::begin(header, &mut head);
        let rest = Rest::default();
        (FullSync { encoder, first: None, rest, large: None, mark: digits }, head.into())
    }

    /// Takes the next part of the snapshot, once `next_piece` has returned all of the one before.
    pub(crate) fn take(&mut self, mut part: SavedPart) {
        debug_assert!(self.rest.is_empty() && self.large.is_none());
        self.rest = Rest::of(&mut part);
        self.first = Some(part);
    }

    /// Returns the next piece of what was taken, as it is sent; `None` if there is none. It may be empty: the
    /// elements of a large list are counted before they are written, since their number stands before them, and
    /// freed afterwards.
    pub(crate) fn next_piece(&mut self) -> Option<Bytes> {
        let FullSync { encoder, first, rest, large, .. } = self;
        let mut bytes = Vec::new();
        if let Some(key) = large {
            if key.step(encoder, &mut bytes) {
                *large = None;
            }
            return Some(bytes.into());
        }
        if first.is_none() && rest.is_empty() {
            return None;
        }
        if let Some(first) = first.take() {
            // The sink never fails.
            let _ = encoder.add(&first, &mut bytes, |_| Ok(()));
        }
        let mut done = bytes.len();
        while done < PIECE_BYTES {
            let before = bytes.len() + encoder.saved_bytes();
            if let Some((departure, messages)) = rest.departing.pop_front() {
                encoder.add_departing(&departure, &messages, &mut bytes);
            } else if let Some(saved) = rest.keys.pop_front() {
                if is_large(&saved) {
                    *large = Some(Box::new(LargeKey::new(saved)));
                    break;
                }
                encoder.add_key(&saved, &mut bytes);
            } else {
                break;
            }
            done += (bytes.len() + encoder.saved_bytes() - before).max(KEY_BYTES);
        }
        Some(bytes.into())
    }

    /// How many bytes were saved so far by compression. They count as work.
    pub(crate) fn saved_bytes(&self) -> usize {
        self.encoder.saved_bytes()
    }

    /// Returns what is sent last.
    pub(crate) fn finish(self) -> Bytes {
        let mut bytes = Vec::new();
        self.encoder.finish(&mut bytes);
        bytes.extend_from_slice(&self.mark);
        bytes.into()
    }

    /// Nobody needs it any more. What is left of it is to be freed, in parts.
    pub(crate) fn give_up(self) -> Rest {
        let FullSync { mut rest, large, .. } = self;
        rest.keys.extend(large.map(|key| key.into_saved()));
        rest
    }
}

impl Rest {
    /// What is in a part besides what only the first part has.
    pub(crate) fn of(part: &mut SavedPart) -> Rest {
        let (departing, keys) =
            (std::mem::take(&mut part.departing), std::mem::take(&mut part.keys));
        Rest { departing: departing.into(), keys: keys.into() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.departing.is_empty() && self.keys.is_empty()
    }

    /// Adds what is not needed any more, either.
    pub(crate) fn append(&mut self, mut other: Rest) {
        self.departing.append(&mut other.departing);
        self.keys.append(&mut other.keys);
    }

    /// Frees some of it.
    pub(crate) fn free_some(&mut self) {
        let mut done = 0;
        while done < PIECE_BYTES {
            if self.departing.pop_front().is_some() {
                done += FREED_BYTES;
            } else if let Some(saved) = self.keys.front_mut() {
                let is_large = is_large(saved);
                done += if is_large { PIECE_BYTES } else { FREED_BYTES };
                if !is_large || saved.free_some() {
                    self.keys.pop_front();
                }
            } else {
                // A burst must not occupy memory for ever.
                *self = Rest::default();
                return;
            }
        }
    }
}
