//! DEBUG DIGEST and DIGEST-VALUE: a signature of the data, equal to redis-server's for the same values.

use super::sha1::sha1;
use crate::keyspace::{DbIndex, Keyspace, Value};

pub(super) type Digest = [u8; 20];

/// Redis' numbers of the types, which are part of each value's signature.
const STRING: u32 = 0;
const LIST: u32 = 1;

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
    }
    if expires {
        add(digest, b"!!expire!!");
    }
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
