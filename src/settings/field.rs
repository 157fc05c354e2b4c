//! Binds a row of the table to a field of [`Settings`].

use std::path::PathBuf;

use super::value::Value;
use crate::policy::{ChannelPolicy, QueuePolicy};

use super::definition::Settings;
use super::types::{
    ClientCertificates, FsyncPolicy, LocalAccess, LogLevel, OutputLimit, SavePoint, Supervision,
};

/// Reads and writes one field. The [`field!`] macro makes it from the field's name.
#[derive(Clone, Copy)]
pub(super) struct Field {
    /// The field's value.
    pub(super) read: fn(&Settings) -> Value,
    /// Stores a value. False if it does not fit the field; the row's kind rules that out.
    pub(super) write: fn(&mut Settings, &Value) -> bool,
}

macro_rules! field {
    ($($name:ident).+) => {
        $crate::settings::field::Field {
            read: |settings| $crate::settings::field::FieldType::to_value(&settings.$($name).+),
            write: |settings, value| $crate::settings::field::assign(&mut settings.$($name).+, value),
        }
    };
}
pub(super) use field;

/// A type of the fields of [`Settings`].
pub(super) trait FieldType: Sized {
    /// The value to show.
    fn to_value(&self) -> Value;
    /// The field from a value, if its type and range are right.
    fn from_value(value: &Value) -> Option<Self>;
}

/// Stores a value in a field; false if it does not fit.
pub(super) fn assign<T: FieldType>(field: &mut T, value: &Value) -> bool {
    T::from_value(value).map(|new| *field = new).is_some()
}

macro_rules! number_fields {
    ($($type:ty),*) => {$(
        impl FieldType for $type {
            fn to_value(&self) -> Value {
                Value::Number(*self as i128)
            }
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Number(number) => Self::try_from(*number).ok(),
                    _ => None,
                }
            }
        }
    )*};
}
number_fields!(u8, u16, u32, u64, i64, usize);

impl FieldType for bool {
    fn to_value(&self) -> Value {
        Value::Flag(*self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl FieldType for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
    fn from_value(value: &Value) -> Option<Self> {
        value.text().map(str::to_owned)
    }
}

impl FieldType for PathBuf {
    fn to_value(&self) -> Value {
        Value::Text(self.to_string_lossy().into_owned())
    }
    fn from_value(value: &Value) -> Option<Self> {
        value.text().map(PathBuf::from)
    }
}

impl FieldType for Option<PathBuf> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or_else(|| Value::Text(String::new()), PathBuf::to_value)
    }
    fn from_value(value: &Value) -> Option<Self> {
        value.text().map(|text| (!text.is_empty()).then(|| PathBuf::from(text)))
    }
}

/// Permission bits; 0 stands for "not given".
impl FieldType for Option<u32> {
    fn to_value(&self) -> Value {
        self.unwrap_or(0).to_value()
    }
    fn from_value(value: &Value) -> Option<Self> {
        u32::from_value(value).map(|bits| (bits != 0).then_some(bits))
    }
}

impl FieldType for Vec<String> {
    fn to_value(&self) -> Value {
        Value::Words(self.clone())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Words(words) => Some(words.clone()),
            _ => None,
        }
    }
}

impl FieldType for Vec<SavePoint> {
    fn to_value(&self) -> Value {
        let words = self.iter().flat_map(|point| [point.seconds, point.changes]);
        Value::Text(words.map(|word| word.to_string()).collect::<Vec<_>>().join(" "))
    }
    fn from_value(value: &Value) -> Option<Self> {
        let words: Vec<u64> = value
            .text()?
            .split_whitespace()
            .map(|word| word.parse().ok())
            .collect::<Option<_>>()?;
        let (pairs, rest) = words.as_chunks::<2>();
        let point =
            |[seconds, changes]: &[u64; 2]| SavePoint { seconds: *seconds, changes: *changes };
        rest.is_empty().then(|| pairs.iter().map(point).collect())
    }
}

impl FieldType for [OutputLimit; 3] {
    fn to_value(&self) -> Value {
        Value::Limits(*self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Limits(limits) => Some(*limits),
            _ => None,
        }
    }
}

impl FieldType for Vec<Vec<String>> {
    fn to_value(&self) -> Value {
        Value::Users(self.clone())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Users(users) => Some(users.clone()),
            _ => None,
        }
    }
}

impl FieldType for Vec<QueuePolicy> {
    fn to_value(&self) -> Value {
        Value::Policies(self.clone())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Policies(policies) => Some(policies.clone()),
            _ => None,
        }
    }
}

impl FieldType for Vec<ChannelPolicy> {
    fn to_value(&self) -> Value {
        Value::ChannelPolicies(self.clone())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::ChannelPolicies(policies) => Some(policies.clone()),
            _ => None,
        }
    }
}

impl FieldType for LocalAccess {
    fn to_value(&self) -> Value {
        let text = match self {
            Self::No => "no",
            Self::Local => "local",
            Self::Yes => "yes",
        };
        Value::Text(text.to_owned())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value.text()? {
            "no" => Some(Self::No),
            "local" => Some(Self::Local),
            "yes" => Some(Self::Yes),
            _ => None,
        }
    }
}

impl FieldType for ClientCertificates {
    fn to_value(&self) -> Value {
        let text = match self {
            Self::None => "no",
            Self::Optional => "optional",
            Self::Required => "yes",
        };
        Value::Text(text.to_owned())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value.text()? {
            "no" => Some(Self::None),
            "optional" => Some(Self::Optional),
            "yes" => Some(Self::Required),
            _ => None,
        }
    }
}

impl FieldType for FsyncPolicy {
    fn to_value(&self) -> Value {
        let text = match self {
            Self::Always => "always",
            Self::EverySecond => "everysec",
            Self::No => "no",
        };
        Value::Text(text.to_owned())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value.text()? {
            "always" => Some(Self::Always),
            "everysec" => Some(Self::EverySecond),
            "no" => Some(Self::No),
            _ => None,
        }
    }
}

impl FieldType for Supervision {
    fn to_value(&self) -> Value {
        let text = match self {
            Self::No => "no",
            Self::Systemd => "systemd",
            Self::Auto => "auto",
        };
        Value::Text(text.to_owned())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value.text()? {
            "no" => Some(Self::No),
            "systemd" => Some(Self::Systemd),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }
}

impl FieldType for LogLevel {
    fn to_value(&self) -> Value {
        let text = match self {
            Self::Debug => "debug",
            Self::Verbose => "verbose",
            Self::Notice => "notice",
            Self::Warning => "warning",
        };
        Value::Text(text.to_owned())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value.text()? {
            "debug" => Some(Self::Debug),
            "verbose" => Some(Self::Verbose),
            "notice" => Some(Self::Notice),
            "warning" => Some(Self::Warning),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_out_of_range_leaves_the_field_alone() {
        let mut port = 7000_u16;
        assert!(!assign(&mut port, &Value::Number(65_536)));
        assert!(!assign(&mut port, &Value::Flag(true)));
        assert_eq!(port, 7000);
    }

    #[test]
    fn zero_permission_bits_mean_not_given() {
        let mut bits = Some(0o700);
        assert!(assign(&mut bits, &Value::Number(0)));
        assert_eq!(bits, None);
    }
}
