//! Reads sets and hashes, string by string or packed into one string.

use super::error::Problem;
use super::length::{Cursor, Stop};
use super::packed::problem_of;
use super::sink::{Place, Sink};
use super::text::Buffers;
use super::value_type::ValueType;
use super::{intset, listpack, ziplist, zipmap};

/// A longer field is not kept once its value is here.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// The reading of one set or hash.
#[derive(Debug)]
pub(super) struct Unordered {
    form: Form,
    /// The number of members or pairs that follow, once it is known.
    left: Option<u64>,
    /// The field whose value follows.
    field: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Set,
    Hash,
    PackedSet(Packing),
    PackedHash(Packing),
}

#[derive(Clone, Copy, Debug)]
enum Packing {
    Intset,
    Listpack,
    Ziplist,
    Zipmap,
}

impl Unordered {
    /// Begins, if values of this type are sets or hashes that are read.
    pub(super) fn begin(value_type: ValueType) -> Option<Unordered> {
        let form = match value_type {
            ValueType::Set => Form::Set,
            ValueType::SetIntset => Form::PackedSet(Packing::Intset),
            ValueType::SetListpack => Form::PackedSet(Packing::Listpack),
            ValueType::Hash => Form::Hash,
            ValueType::HashZipmap => Form::PackedHash(Packing::Zipmap),
            ValueType::HashZiplist => Form::PackedHash(Packing::Ziplist),
            ValueType::HashListpack => Form::PackedHash(Packing::Listpack),
            _ => return None,
        };
        Some(Unordered { form, left: None, field: None })
    }

    /// Takes the next item. Returns true if it was the last.
    pub(super) fn step(
        &mut self,
        cursor: &mut Cursor<'_>,
        buffers: &mut Buffers,
        place: &Place,
        sink: &mut impl Sink,
    ) -> Result<bool, Stop> {
        match self.form {
            Form::PackedSet(packing) => {
                let bytes = buffers.string(cursor)?;
                sink.begin_set(place).map_err(Problem::Refused)?;
                walk(packing, bytes, |member| sink.member(place, member))?;
                sink.end_set(place).map_err(Problem::Refused)?;
                return Ok(true);
            }
            Form::PackedHash(packing) => {
                let bytes = buffers.string(cursor)?;
                sink.begin_hash(place).map_err(Problem::Refused)?;
                packed_hash(packing, bytes, place, sink)?;
                sink.end_hash(place).map_err(Problem::Refused)?;
                return Ok(true);
            }
            Form::Set | Form::Hash => {}
        }
        let is_set = matches!(self.form, Form::Set);
        let left = match self.left {
            None => {
                let count = cursor.length()?;
                let begun = if is_set { sink.begin_set(place) } else { sink.begin_hash(place) };
                begun.map_err(Problem::Refused)?;
                count
            }
            Some(left) => {
                let bytes = buffers.string(cursor)?;
                if is_set {
                    sink.member(place, bytes).map_err(Problem::Refused)?;
                    left.saturating_sub(1)
                } else {
                    self.field_or_value(bytes, left, place, sink)?
                }
            }
        };
        self.left = Some(left);
        if left > 0 {
            return Ok(false);
        }
        let ended = if is_set { sink.end_set(place) } else { sink.end_hash(place) };
        ended.map_err(Problem::Refused)?;
        Ok(true)
    }

    /// Takes a field, or its value; returns the number of pairs that follow.
    fn field_or_value(
        &mut self,
        bytes: &[u8],
        left: u64,
        place: &Place,
        sink: &mut impl Sink,
    ) -> Result<u64, Stop> {
        match &mut self.field {
            None => {
                self.field = Some(bytes.to_vec());
                Ok(left)
            }
            Some(field) => {
                sink.field(place, field, bytes).map_err(Problem::Refused)?;
                self.field = None;
                Ok(left.saturating_sub(1))
            }
        }
    }
}

/// Passes the pairs of a packed hash on.
fn packed_hash(
    packing: Packing,
    bytes: &[u8],
    place: &Place,
    sink: &mut impl Sink,
) -> Result<(), Stop> {
    let (mut field, mut has_field) = (Vec::new(), false);
    walk(packing, bytes, |element| {
        has_field = !has_field;
        if !has_field {
            return sink.field(place, &field, element);
        }
        field.clear();
        field.shrink_to(KEPT_BYTES_MAX);
        field.extend_from_slice(element);
        Ok(())
    })?;
    if has_field { Err(Problem::OddHash.into()) } else { Ok(()) }
}

/// Passes all elements on.
fn walk(
    packing: Packing,
    bytes: &[u8],
    element: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), Stop> {
    let (read, damaged): (_, fn(&'static str) -> Problem) = match packing {
        Packing::Intset => (intset::read(bytes, element), Problem::Intset),
        Packing::Listpack => (listpack::read(bytes, element), Problem::Listpack),
        Packing::Ziplist => (ziplist::read(bytes, element), Problem::Ziplist),
        Packing::Zipmap => (zipmap::read(bytes, element), Problem::Zipmap),
    };
    read.map_err(|error| problem_of(error, damaged).into())
}
