//! The note about dead letters at an end of a list. It is written for nearly every dead letter, so its form
//! is short: words separated by spaces. What was the same in the note before is left out.
//!
//! ```text
//! tidegate letters COUNT READY-MS
//! tidegate letters COUNT READY-MS HOPS END REASON LENGTH-OF-LIST LIST ORIGIN
//! ```
//!
//! The list's name has the length that is given, and the rest is the origin's, so that both may contain
//! spaces; there is none between them.

use super::stamp_words::read_origin;
use super::words::{end_word, number, read_end};
use crate::queue::{DeadLetter, End};
use crate::resp::{parse_integer, write_arg, write_header};
use std::sync::Arc;

const START: &[u8] = b"tidegate letters ";

/// What consecutive dead letters have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeadLetterRow {
    /// The list in append files to which they were pushed.
    pub(crate) list: Vec<u8>,
    /// The end to which they were pushed.
    pub(crate) end: End,
    /// As in their stamps.
    pub(crate) hops: u16,
    pub(crate) dead_letter: Arc<DeadLetter>,
}

/// Appends the note about the outermost `count` messages, ready since `ms`. Without a row they are like
/// those of the last such note.
pub(crate) fn write_dead_letters(
    out: &mut Vec<u8>,
    count: usize,
    ms: i64,
    row: Option<&DeadLetterRow>,
) {
    let (mut count_digits, mut ms_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (count, ms) = (count_digits.format(count).as_bytes(), ms_digits.format(ms).as_bytes());
    let (mut hops_digits, mut len_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut described: [&[u8]; 10] = [b""; 10];
    let end;
    if let Some(DeadLetterRow { list, end: of_end, hops, dead_letter }) = row {
        end = end_word(*of_end);
        let (hops, len) = (hops_digits.format(*hops), len_digits.format(list.len()));
        let reason = dead_letter.reason.word().as_bytes();
        described =
            [b" ", hops.as_bytes(), b" ", &end, b" ", reason, b" ", len.as_bytes(), b" ", list];
    }
    let from = row.map_or(&b""[..], |row| &row.dead_letter.from);
    let parts = || [START, count, b" ", ms].into_iter().chain(described).chain([from]);
    write_header(out, b'*', 2);
    write_arg(out, b"ECHO");
    write_header(out, b'$', parts().map(<[u8]>::len).sum());
    parts().chain([&b"\r\n"[..]]).for_each(|part| out.extend_from_slice(part));
}

/// What a note says: the number of messages, since when they are ready, and their row.
type Said = (usize, i64, Option<DeadLetterRow>);

/// Reads the note; `None` if it is another one.
///
/// # Errors
/// This version does not know its form.
pub(super) fn read_dead_letters(text: &[u8]) -> Option<Result<Said, String>> {
    let words = text.strip_prefix(START)?;
    let unknown = "ERR a note 'letters' that this version does not know";
    Some(read_words(words).ok_or_else(|| unknown.into()))
}

fn read_words(words: &[u8]) -> Option<Said> {
    let mut words = words.splitn(7, |byte| *byte == b' ');
    let (count, ms) = (number(words.next()?)?, parse_integer(words.next()?)?);
    let Some(hops) = words.next() else {
        return Some((count, ms, None));
    };
    let (end, reason, len) = (words.next()?, words.next()?, number(words.next()?)?);
    let (list, from) = words.next()?.split_at_checked(len)?;
    let (end, dead_letter) = (read_end(end)?, read_origin(reason, from)?);
    let row = DeadLetterRow { list: list.to_vec(), end, hops: number(hops)?, dead_letter };
    Some((count, ms, Some(row)))
}
