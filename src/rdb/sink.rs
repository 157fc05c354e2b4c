//! What a reader passes on.

use super::stream_part::StreamPart;
use super::value_type::ValueType;

/// A key, and what is known about it besides its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The number of its database.
    pub db: u64,
    /// The key.
    pub key: Vec<u8>,
    /// Its expiry in Unix milliseconds, if it has one.
    pub expires_ms: Option<i64>,
}

/// Receives what a reader reads, in the order of the input. An error ends the reading, with its text as
/// the reason.
pub trait Sink {
    /// A field about the data, within a database.
    fn aux(&mut self, _db: u64, _name: &[u8], _value: &[u8]) -> Result<(), String> {
        Ok(())
    }

    /// The following keys are in this database. Before the first call it is 0.
    fn select(&mut self, _db: u64) -> Result<(), String> {
        Ok(())
    }

    /// A string.
    fn string(&mut self, place: &Place, value: &[u8]) -> Result<(), String>;

    /// A list begins.
    fn begin_list(&mut self, place: &Place) -> Result<(), String>;

    /// The next element of the list.
    fn element(&mut self, place: &Place, element: &[u8]) -> Result<(), String>;

    /// The list has ended. It may have no elements.
    fn end_list(&mut self, place: &Place) -> Result<(), String>;

    /// A set begins.
    fn begin_set(&mut self, place: &Place) -> Result<(), String>;

    /// The next member of the set.
    fn member(&mut self, place: &Place, member: &[u8]) -> Result<(), String>;

    /// The set has ended. It may have no members.
    fn end_set(&mut self, place: &Place) -> Result<(), String>;

    /// A hash begins.
    fn begin_hash(&mut self, place: &Place) -> Result<(), String>;

    /// The next field of the hash, with its value.
    fn field(&mut self, place: &Place, field: &[u8], value: &[u8]) -> Result<(), String>;

    /// The hash has ended. It may have no fields.
    fn end_hash(&mut self, place: &Place) -> Result<(), String>;
    /// A sorted set begins.
    fn begin_sorted_set(&mut self, place: &Place) -> Result<(), String>;

    /// The next member of the sorted set. The score is a number.
    fn scored_member(&mut self, place: &Place, member: &[u8], score: f64) -> Result<(), String>;

    /// The sorted set has ended. It may have no members.
    fn end_sorted_set(&mut self, place: &Place) -> Result<(), String>;
    /// The next part of a stream.
    fn stream(&mut self, place: &Place, part: StreamPart<'_>) -> Result<(), String>;

    /// A value was left out, since its type is not supported.
    fn left_out(&mut self, _place: &Place, _value_type: ValueType) {}

    /// Whether libraries of functions are read. Otherwise they are an error, or left out.
    fn takes_functions(&self) -> bool {
        false
    }

    /// The code of a library of functions.
    fn function(&mut self, _code: &[u8]) -> Result<(), String> {
        Ok(())
    }

    /// A library of functions was left out.
    fn left_out_functions(&mut self) {}
}
