//! DEBUG DIGEST and DIGEST-VALUE: a signature of the data, equal to redis-server's for the same values.

use crate::keyspace::{DbIndex, Keyspace, Value};
use crate::resp::write_g;
use crate::sha1::sha1;
use crate::value::StreamId;

pub(super) type Digest = [u8; 20];

/// Redis' numbers of the types, which are part of each value's signature.
const STRING: u32 = 0;
const LIST: u32 = 1;
const SET: u32 = 2;
const SORTED_SET: u32 = 3;
const HASH: u32 = 4;
const STREAM: u32 = 6;

/// Returns the digest in hexadecimal digits.
pub(super) fn shown(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the signature of all databases; zeros if they are empty.
pub(super) fn of_all(keyspace: &Keyspace) -> Digest {
    let mut digest = Digest::default();
    for db in (0..keyspace.db_count()).filter(|&db| !keyspace.is_empty(db)) {
        // The number of databases fits.
        mix(&mut digest, &(db as u32).to_be_bytes());
        for (key, value) in keyspace.keys(db) {
            let mut own = Digest::default();
            mix(&mut own, key);
            mix_value(&mut own, value, expires(keyspace, db, key));
            // Independent of the order of the keys.
            add(&mut digest, &own);
        }
    }
    digest
}

/// Returns the signature of the value at a key; zeros if there is none.
pub(super) fn of_value(keyspace: &Keyspace, db: DbIndex, key: &[u8]) -> Digest {
    let mut digest = Digest::default();
    if let Some(value) = keyspace.peek(db, key) {
        mix_value(&mut digest, value, expires(keyspace, db, key));
    }
    digest
}

fn expires(keyspace: &Keyspace, db: DbIndex, key: &[u8]) -> bool {
    keyspace.expiry(db, key).flatten().is_some()
}

fn mix_value(digest: &mut Digest, value: &Value, expires: bool) {
    match value {
        Value::String(string) => {
            mix(digest, &STRING.to_be_bytes());
            string.with(|bytes| mix(digest, bytes));
        }
        Value::List(list) => {
            mix(digest, &LIST.to_be_bytes());
            list.iter().for_each(|message| mix(digest, message));
        }
        Value::Set(set) => {
            mix(digest, &SET.to_be_bytes());
            set.iter().for_each(|member| member.with(|member| add(digest, member)));
        }
        Value::Hash(hash) => {
            mix(digest, &HASH.to_be_bytes());
            for (field, value) in hash.iter() {
                let mut own = Digest::default();
                field.with(|field| mix(&mut own, field));
                value.with(|value| mix(&mut own, value));
                add(digest, &own);
            }
        }
        Value::SortedSet(set) => {
            mix(digest, &SORTED_SET.to_be_bytes());
            for (score, member) in set.iter() {
                let mut own = Digest::default();
                mix(&mut own, member);
                mix(&mut own, &seventeen_digits(score));
                add(digest, &own);
            }
        }
        Value::Stream(stream) => {
            mix(digest, &STREAM.to_be_bytes());
            for entry in stream.range(StreamId::MIN, StreamId::MAX) {
                mix(digest, format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                for part in entry.fields.flat_map(|(name, value)| [name, value]) {
                    part.with(|bytes| mix(digest, bytes));
                }
            }
        }
    }
    if expires {
        add(digest, b"!!expire!!");
    }
}

/// Returns a number as C's `%.17g` shows it. A negative zero is zero.
fn seventeen_digits(number: f64) -> Vec<u8> {
    let mut text = Vec::new();
    write_g(&mut text, number + 0.0, 17);
    text
}

/// Adds text independently of the order.
fn add(digest: &mut Digest, text: &[u8]) {
    for (byte, added) in digest.iter_mut().zip(sha1(text)) {
        *byte ^= added;
    }
}

/// Adds text depending on the order.
fn mix(digest: &mut Digest, text: &[u8]) {
    add(digest, text);
    *digest = sha1(digest);
}

#[cfg(test)]
mod tests {
    use super::seventeen_digits;

    #[test]
    fn numbers_are_shown_as_c_does() {
        for (number, expected) in [
            (0.1, "0.10000000000000001"),
            (-1.5, "-1.5"),
            (100.0, "100"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (0.0001, "0.0001"),
            (1e-5, "1.0000000000000001e-05"),
            (1.234e-5, "1.234e-05"),
            (-1e300, "-1.0000000000000001e+300"),
            (-0.0, "0"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(seventeen_digits(number), expected.as_bytes());
        }
    }
}
