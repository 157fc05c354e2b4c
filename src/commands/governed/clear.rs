//! A queue that is deleted: what it has beside its list goes as well.

use super::{delayed_key, inflight_key};
use crate::effects::Effects;
use crate::keyspace::{DbIndex, Key, Keyspace};

/// Forgets what is delayed and in flight of a queue that is deleted; whether there was anything.
pub fn clear_hidden(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    db: DbIndex,
    key: &[u8],
) -> bool {
    let had_delayed = keyspace.clear_delayed(db, key);
    if had_delayed {
        effects.add(db, [b"DEL", &delayed_key(key)[..]]);
    }
    let had_in_flight = keyspace.clear_in_flight(db, &Key::from(key));
    if had_in_flight {
        effects.add(db, [b"DEL", &inflight_key(key)[..]]);
    }
    had_delayed || had_in_flight
}
