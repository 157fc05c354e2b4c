//! A snapshot on its way to replicas: one for all that asked in time.

use super::history::StreamId;
use super::link::MARK_LEN;
use crate::keyspace::{SavedKey, SavedPart};
use crate::queue::Queue;
use crate::rdb::list::{Counter, ListForm};
use crate::snapshot::{RdbEncoder, RdbHeader};
use crate::value::Kind;
use bytes::Bytes;

/// A larger list is written in several turns.
const LARGE_BYTES: usize = 256 * 1024;
/// Bytes of it that are written at once, and elements that are counted.
const PIECE_BYTES: usize = 256 * 1024;
const COUNTED_AT_ONCE: usize = 20_000;

/// A snapshot that is being sent.
#[derive(Debug)]
pub(crate) struct FullSync {
    encoder: RdbEncoder,
    /// Large lists that were saved and are not written yet. The last one has begun.
    large: Vec<LargeList>,
    /// Follows the snapshot: its length is not known before.
    mark: [u8; MARK_LEN],
}

impl FullSync {
    /// Begins; returns what is sent first.
    pub(crate) fn begin(header: &RdbHeader, mark: &StreamId) -> (FullSync, Bytes) {
        // Any text will do that the snapshot is not expected to end with.
        let mut digits = [b'0'; MARK_LEN];
        digits.iter_mut().zip(mark.as_bytes()).for_each(|(digit, byte)| *digit = *byte);
        let mut head = [&b"$EOF:"[..], &digits, b"\r\n"].concat();
        let encoder = RdbEncoder::begin(header, &mut head);
        (FullSync { encoder, large: Vec::new(), mark: digits }, head.into())
    }

    /// Returns the next part as it is sent; its large lists follow by `next_piece`.
    pub(crate) fn encode(&mut self, mut part: SavedPart) -> Bytes {
        let is_large = |saved: &mut SavedKey| {
            saved
                .value
                .as_ref()
                .and_then(Queue::of)
                .is_some_and(|it| it.allocated_bytes() > LARGE_BYTES)
        };
        let large = part.keys.extract_if(.., is_large);
        self.large.extend(large.map(|saved| LargeList { saved, progress: Progress::default() }));
        let mut bytes = Vec::new();
        // The sink never fails.
        let _ = self.encoder.add(&part, &mut bytes, |_| Ok(()));
        bytes.into()
    }

    /// Returns the next piece of a large list, if one is not written yet. It is empty while its elements are
    /// counted, which stand before them in number.
    pub(crate) fn next_piece(&mut self) -> Option<Bytes> {
        let mut bytes = Vec::new();
        if self.large.last_mut()?.step(&mut self.encoder, &mut bytes) {
            self.large.pop();
        }
        Some(bytes.into())
    }

    /// Returns what is sent last.
    pub(crate) fn finish(self) -> Bytes {
        let mut bytes = Vec::new();
        self.encoder.finish(&mut bytes);
        bytes.extend_from_slice(&self.mark);
        bytes.into()
    }
}

/// A large list on its way.
#[derive(Debug)]
struct LargeList {
    saved: SavedKey,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Its elements are counted.
    Counts(Counter),
    /// So many of them are written.
    Writes { form: ListForm, written: usize },
}

impl Default for Progress {
    fn default() -> Progress {
        Progress::Counts(Counter::default())
    }
}

impl LargeList {
    /// Does the next step; true if the list is complete.
    fn step(&mut self, encoder: &mut RdbEncoder, out: &mut Vec<u8>) -> bool {
        let LargeList { saved, progress } = self;
        let Some(queue) = saved.value.as_ref().and_then(Queue::of) else { return true };
        match progress {
            Progress::Counts(counter) => {
                let rest = queue.iter_from(counter.elements());
                rest.take(COUNTED_AT_ONCE).for_each(|element| counter.add(element.len()));
                if counter.elements() == queue.len() {
                    let form = counter.form();
                    encoder.begin_list(saved, form, out);
                    *progress = Progress::Writes { form, written: 0 };
                }
                false
            }
            Progress::Writes { form, written } => {
                let rest = queue.iter_from(*written);
                *written += encoder.add_elements(*form, rest, PIECE_BYTES, out);
                let is_complete = *written == queue.len();
                if is_complete {
                    encoder.end_list(saved, queue, out);
                }
                is_complete
            }
        }
    }
}
