//! The length of a queue under a policy, and its excess.

use super::{DbIndex, Keyspace};
use crate::policy::QueuePolicy;
use crate::queue::End;

impl Keyspace {
    /// Returns the number and bytes of ready and delayed messages of a queue under a policy: the
    /// limits apply to them.
    pub(crate) fn length_under_policy(&mut self, db: DbIndex, key: &[u8]) -> (usize, usize) {
        self.slot(db, key).map(|at| self.length_in(at)).unwrap_or_default()
    }

    /// Returns how many of the oldest ready messages exceed the policy's limits. Delayed messages
    /// count toward the limits, but only ready ones are counted as excess.
    pub(crate) fn excess(
        &mut self,
        db: DbIndex,
        key: &[u8],
        policy: &QueuePolicy,
        oldest: End,
    ) -> usize {
        let (len, bytes) = self.length_under_policy(db, key);
        let Some(list) = self.peek_list(db, key) else { return 0 };
        let ready = list.len();
        let by_length = policy.max_length.map_or(0, |max| (len as u64).saturating_sub(max));
        let mut excess_bytes =
            policy.max_length_bytes.map_or(0, |max| (bytes as u64).saturating_sub(max));
        let mut count = 0;
        let mut count_for = |message: &[u8]| {
            let is_needed = excess_bytes > 0;
            excess_bytes = excess_bytes.saturating_sub(message.len() as u64);
            count += u64::from(is_needed);
            is_needed
        };
        match oldest {
            _ if policy.max_length_bytes.is_none() => {}
            End::Front => drop(list.iter().take_while(|message| count_for(message)).count()),
            End::Back => drop(list.iter().rev().take_while(|message| count_for(message)).count()),
        }
        let count = usize::try_from(count.max(by_length)).unwrap_or(usize::MAX).min(ready);
        self.work.looked_at(count);
        count
    }
}
