//! A large key of a snapshot, on its way in pieces: a list of millions of messages, or many in flight.

use crate::keyspace::{SavedKey, SavedList};
use crate::policy::{DELAYED, IN_FLIGHT};
use crate::rdb::list::{Counter, ListForm};
use crate::snapshot::{ElementPlace, Elements, RdbEncoder};
use crate::value::{Kind, StringValue, Value};

/// A larger key is written in several turns.
const LARGE_BYTES: usize = 256 * 1024;
/// Bytes of it that are written at once, and elements that are counted.
const PIECE_BYTES: usize = 256 * 1024;
const COUNTED_AT_ONCE: usize = 20_000;
/// Runs of stamps that are written at once.
const STAMPED_AT_ONCE: usize = 2_048;

/// A large key on its way.
#[derive(Debug)]
pub(super) struct LargeKey {
    saved: SavedKey,
    stage: Stage,
}

/// What is done next.
#[derive(Debug)]
enum Stage {
    Begins,
    /// The elements of a list are counted, from this place on.
    Counts {
        list: SavedList,
        counter: Counter,
        place: u64,
    },
    /// They are written, from this place on. So many are left.
    Writes {
        list: SavedList,
        form: ListForm,
        place: u64,
        left: usize,
    },
    /// Their stamps are written, from this place on. So many messages have theirs.
    Stamps {
        list: SavedList,
        place: u64,
        index: usize,
    },
    /// The bytes of a string are written.
    Bytes {
        written: usize,
    },
    /// The elements of a value that is not a list are written, from this place on.
    Elements {
        place: ElementPlace,
    },
    Ends,
    /// All is written, and is freed.
    Frees,
}

/// Whether a key must be written in pieces.
pub(super) fn is_large(saved: &SavedKey) -> bool {
    saved.cost() > LARGE_BYTES
}

impl LargeKey {
    pub(super) fn new(saved: SavedKey) -> LargeKey {
        LargeKey { saved, stage: Stage::Begins }
    }

    pub(super) fn into_saved(self) -> SavedKey {
        self.saved
    }

    /// Does the next step, which takes a fraction of a millisecond; true if the key is written and freed.
    pub(super) fn step(&mut self, encoder: &mut RdbEncoder, out: &mut Vec<u8>) -> bool {
        let LargeKey { saved, stage } = self;
        let next = match stage {
            Stage::Begins => {
                encoder.begin_key(saved, out);
                Some(begin_list(SavedList::Delayed))
            }
            Stage::Counts { list, counter, place } => {
                let mut rest = saved.messages_from(*list, *place);
                let some = rest.by_ref().take(COUNTED_AT_ONCE);
                some.for_each(|(_, message)| counter.add(message.len()));
                match rest.next() {
                    Some((next, _)) => {
                        *place = next;
                        None
                    }
                    None => Some(begin_elements(saved, *list, *counter, encoder, out)),
                }
            }
            Stage::Writes { list, form, place, left } => {
                let messages = saved.messages_from(*list, *place).map(|(_, message)| message);
                let taken = encoder.add_elements(*form, messages, PIECE_BYTES, out);
                *left = left.saturating_sub(taken);
                let next = match list {
                    SavedList::Ready => Some(*place + taken as u64),
                    _ => saved.messages_from(*list, *place).nth(taken).map(|(next, _)| next),
                };
                *place = next.unwrap_or(u64::MAX);
                let list = *list;
                (*left == 0).then_some(Stage::Stamps { list, place: 0, index: 0 })
            }
            Stage::Stamps { list, place, index } => {
                let mut rest = saved.stamps_from(*list, *place);
                let some = rest.by_ref().take(STAMPED_AT_ONCE).map(|(_, run)| run);
                *index = encoder.add_stamps(&name(saved, *list), *index, some, out);
                match rest.next() {
                    Some((next, _)) => {
                        *place = next;
                        None
                    }
                    None => Some(after(saved, *list, encoder, out)),
                }
            }
            Stage::Bytes { written } => {
                *written += add_bytes(saved, *written, encoder, out);
                let is_complete = string_of(saved).is_none_or(|string| string.len() <= *written);
                is_complete.then_some(Stage::Ends)
            }
            Stage::Elements { place } => {
                let elements = saved.value.as_ref().and_then(Elements::of);
                let from = std::mem::replace(place, ElementPlace::START);
                match elements.and_then(|it| encoder.add_some_of(it, from, out)) {
                    Some(next) => {
                        *place = next;
                        None
                    }
                    None => Some(Stage::Ends),
                }
            }
            Stage::Ends => {
                encoder.end_key(saved, out);
                Some(Stage::Frees)
            }
            Stage::Frees => return saved.free_some(),
        };
        if let Some(next) = next {
            *stage = next;
        }
        false
    }
}

fn begin_list(list: SavedList) -> Stage {
    Stage::Counts { list, counter: Counter::default(), place: 0 }
}

/// The elements are counted: begins to write them, if there are any.
fn begin_elements(
    saved: &SavedKey,
    list: SavedList,
    counter: Counter,
    encoder: &mut RdbEncoder,
    out: &mut Vec<u8>,
) -> Stage {
    let left = saved.len_of(list);
    if left == 0 {
        return after(saved, list, encoder, out);
    }
    let expires_ms = saved.expires_ms.filter(|_| match list {
        SavedList::Delayed => false,
        // A queue without other messages.
        SavedList::InFlight => saved.value.is_none(),
        SavedList::Ready => true,
    });
    let form = counter.form();
    encoder.begin_list(&name(saved, list), expires_ms, form, out);
    Stage::Writes { list, form, place: 0, left }
}

/// What follows a list.
fn after(saved: &SavedKey, list: SavedList, encoder: &mut RdbEncoder, out: &mut Vec<u8>) -> Stage {
    match (list, &saved.value) {
        (SavedList::Delayed, _) => begin_list(SavedList::InFlight),
        (SavedList::InFlight, Some(value)) => begin_value(saved, value, encoder, out),
        (SavedList::InFlight, None) | (SavedList::Ready, _) => Stage::Ends,
    }
}

fn begin_value(
    saved: &SavedKey,
    value: &Value,
    encoder: &mut RdbEncoder,
    out: &mut Vec<u8>,
) -> Stage {
    if let Some(string) = StringValue::of(value) {
        encoder.begin_string(saved, string.len(), out);
        Stage::Bytes { written: 0 }
    } else if let Some(elements) = Elements::of(value) {
        encoder.begin_elements(saved, elements, out);
        Stage::Elements { place: ElementPlace::START }
    } else {
        begin_list(SavedList::Ready)
    }
}

/// The name of a list, as in `snapshot/rdb.rs`.
fn name(saved: &SavedKey, list: SavedList) -> Vec<u8> {
    let suffix = match list {
        SavedList::Delayed => DELAYED,
        SavedList::InFlight => IN_FLIGHT,
        SavedList::Ready => &[],
    };
    [&saved.key, suffix].concat()
}

fn string_of(saved: &SavedKey) -> Option<&StringValue> {
    saved.value.as_ref().and_then(StringValue::of)
}

/// Appends the next bytes of a string; returns their number.
fn add_bytes(
    saved: &SavedKey,
    written: usize,
    encoder: &mut RdbEncoder,
    out: &mut Vec<u8>,
) -> usize {
    let Some(string) = string_of(saved) else { return 0 };
    string.with(|bytes| {
        let rest = bytes.get(written..).unwrap_or_default();
        let next = &rest[..rest.len().min(PIECE_BYTES)];
        encoder.add_bytes(next, out);
        next.len()
    })
}
