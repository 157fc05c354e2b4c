//! The definition of a figure: a row of one of the tables.

use super::reading::Reading;
use std::borrow::Cow;
use std::fmt;

/// One value that the broker reports about itself.
pub struct Figure<R = FromBroker> {
    /// Redis' name for it in INFO, if it has one.
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    /// One sentence of explanation.
    pub help: &'static str,
    /// Its name as a metric, without the prefix of all. Empty for texts, and for what follows from other
    /// metrics.
    pub metric: &'static str,
    /// Computes the value. It must not walk all keys or all clients.
    pub read: R,
}

/// Computes a figure of the whole broker.
pub type FromBroker = for<'a> fn(&Reading<'a>) -> Value<'a>;

/// A figure of each of several similar things: each database, each command.
pub type Each<T> = Figure<for<'a> fn(&'a T) -> Value<'a>>;

/// How a value changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only increases, until the broker ends or CONFIG RESETSTAT resets it.
    Counter,
    /// It increases and decreases.
    Gauge,
    /// It names or describes something. It may be a number, but not one to calculate with.
    Text,
}

/// The unit of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The things named in the help.
    Count,
    /// 1 for yes, 0 for no.
    Flag,
    Bytes,
    Seconds,
    /// Seconds since 1970.
    UnixSeconds,
    Milliseconds,
    Microseconds,
    /// Microseconds since 1970.
    UnixMicroseconds,
    Days,
    Ratio,
    Percent,
    PerSecond,
    KilobytesPerSecond,
    /// For a text.
    None,
}

impl Unit {
    /// How many of it are a base unit, in which metrics are: seconds, bytes.
    pub fn per_base_unit(self) -> f64 {
        match self {
            Unit::Milliseconds => 1e3,
            Unit::Microseconds | Unit::UnixMicroseconds => 1e6,
            _ => 1.0,
        }
    }
}

/// A value. `Display` writes it as INFO does.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Count(u64),
    Signed(i64),
    /// A ratio, a rate or a fraction; INFO shows two digits of it.
    Part(f64),
    /// Seconds, in microseconds; INFO shows six digits.
    Seconds(u64),
    Text(Cow<'a, str>),
    /// Not known, or there is none. INFO shows -1, another reply null.
    Unknown,
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Count(count) => write!(f, "{count}"),
            Value::Signed(number) => write!(f, "{number}"),
            Value::Part(part) => write!(f, "{part:.2}"),
            Value::Seconds(us) => write!(f, "{}.{:06}", us / 1_000_000, us % 1_000_000),
            Value::Text(text) => f.write_str(text),
            Value::Unknown => f.write_str("-1"),
        }
    }
}

impl From<u64> for Value<'_> {
    fn from(count: u64) -> Self {
        Value::Count(count)
    }
}

impl From<u32> for Value<'_> {
    fn from(count: u32) -> Self {
        Value::Count(count.into())
    }
}

impl From<usize> for Value<'_> {
    fn from(count: usize) -> Self {
        Value::Count(count as u64)
    }
}

impl From<bool> for Value<'_> {
    fn from(is_so: bool) -> Self {
        Value::Count(is_so.into())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Signed(number)
    }
}

impl From<f64> for Value<'_> {
    fn from(part: f64) -> Self {
        Value::Part(part)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(known: Option<T>) -> Self {
        known.map_or(Value::Unknown, T::into)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text.into())
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Value::Text(text)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

pub(super) const fn counter<R: Copy>(
    name: &'static str,
    metric: &'static str,
    unit: Unit,
    help: &'static str,
    read: R,
) -> Figure<R> {
    Figure { name, kind: Kind::Counter, unit, help, metric, read }
}

pub(super) const fn gauge<R: Copy>(
    name: &'static str,
    metric: &'static str,
    unit: Unit,
    help: &'static str,
    read: R,
) -> Figure<R> {
    Figure { name, kind: Kind::Gauge, unit, help, metric, read }
}

pub(super) const fn text<R: Copy>(name: &'static str, help: &'static str, read: R) -> Figure<R> {
    Figure { name, kind: Kind::Text, unit: Unit::None, help, metric: "", read }
}

/// A text that is `ok` or `err`: 1 or 0 as a metric.
pub(super) const fn status<R: Copy>(
    name: &'static str,
    metric: &'static str,
    help: &'static str,
    read: R,
) -> Figure<R> {
    Figure { metric, ..text(name, help, read) }
}
