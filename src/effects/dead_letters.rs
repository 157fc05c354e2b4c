//! Dead letters in the stream: pushes, and notes of where the messages came from.
//!
//! The note follows the push of dead letters that have all in common. It is written when the push is complete:
//! before the next effect that cannot join it, or at the end of a part of the stream.

use super::Effects;
use crate::key::DbIndex;
use crate::note::{DeadLetterRow, write_dead_letters};
use crate::queue::{End, Stamp};
use std::sync::Arc;

/// The last dead letters in the stream.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    due: Option<Due>,
    /// What the last of them have in common, with their database, and the number of the file.
    last: Option<(u32, DbIndex, DeadLetterRow)>,
}

/// Dead letters at the end of the last push, whose note is not yet written.
#[derive(Debug)]
struct Due {
    count: usize,
    ready_ms: i64,
    /// Whether they are unlike those of the note before.
    is_new: bool,
}

impl DeadLetters {
    #[inline]
    pub(super) fn are_due(&self) -> bool {
        self.due.is_some()
    }

    /// Whether a dead letter with this stamp, pushed to an end of a list, is like the last one.
    fn is_like(&self, file: u32, db: DbIndex, (end, list): (End, &[u8]), stamp: &Stamp) -> bool {
        let Some((of_file, of_db, row)) = &self.last else { return false };
        (*of_file, *of_db, row.end, row.hops) == (file, db, end, stamp.hops)
            && row.list == list
            && stamp.dead_letter.as_ref() == Some(&row.dead_letter)
    }
}

impl Effects {
    /// Records the push of a message to an end of a list. If it is a dead letter, a note with its stamp
    /// follows.
    pub(crate) fn record_stamped_push(
        &mut self,
        db: DbIndex,
        (end, list): (End, &[u8]),
        message: &[u8],
        stamp: &Stamp,
    ) {
        let Some(dead_letter) = &stamp.dead_letter else {
            return self.record_push(db, end, list, [message]);
        };
        self.is_recorded = true;
        if !self.is_on {
            return;
        }
        let is_like = self.dead_letters.is_like(self.file, db, (end, list), stamp);
        let ready_ms = stamp.ready_ms;
        if !is_like || self.dead_letters.due.as_ref().is_some_and(|due| due.ready_ms != ready_ms) {
            self.note_dead_letters();
        }
        if !is_like {
            let (list, dead_letter) = (list.to_vec(), Arc::clone(dead_letter));
            let row = DeadLetterRow { list, end, hops: stamp.hops, dead_letter };
            self.dead_letters.last = Some((self.file, db, row));
        }
        self.push(db, end, list, std::iter::once(message));
        // If this began another push, the note of those before is written.
        let due = Due { count: 0, ready_ms, is_new: !is_like };
        self.dead_letters.due.get_or_insert(due).count += 1;
    }

    /// Writes the note that is due.
    #[inline]
    pub(super) fn note_dead_letters(&mut self) {
        if let Some(due) = self.dead_letters.due.take() {
            self.write_note(&due);
        }
    }

    #[cold]
    fn write_note(&mut self, due: &Due) {
        let Some(last) = self.dead_letters.last.take() else { return };
        let (_, db, row) = &last;
        let stream = self.begin_effect(*db);
        write_dead_letters(stream, due.count, due.ready_ms, due.is_new.then_some(row));
        self.dead_letters.last = Some(last);
    }
}
