//! Changing the policies, and what becomes of queues that one does not govern any more.

use super::deliver::give_back;
use crate::effects::Effects;
use crate::keyspace::Keyspace;
use crate::policy::Policies;

/// Changes the policies. What is in flight of a queue whose policy does not provide for it any more goes
/// back to the queue.
pub fn change_policies<R>(
    keyspace: &mut Keyspace,
    effects: &mut Effects,
    change: impl FnOnce(&mut Policies) -> R,
) -> R {
    let (result, stranded) = keyspace.change_policies(change);
    for (db, key) in stranded {
        let Some(governed) = keyspace.governed(db, &key) else { continue };
        let numbers: Vec<u64> = governed.in_flight.iter().map(|(number, _)| number).collect();
        for number in numbers.into_iter().rev() {
            give_back(keyspace, effects, db, &key, number);
        }
    }
    result
}
