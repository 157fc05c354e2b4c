//! Pending entries that change their consumer.

use super::entries::Entries;
use super::group::{ConsumerNumber, Delivery, Group};
use super::{Recipient, Stream, StreamId};

/// Which pending entries a consumer gets, and how they are marked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// Only entries that were delivered at least so long ago, in milliseconds.
    pub(crate) min_idle_ms: i64,
    /// When they count as delivered, in Unix milliseconds.
    pub(crate) delivered_ms: i64,
    /// The number of their deliveries from now on, if it is given.
    pub(crate) count: Option<u64>,
    /// Whether it counts as a delivery otherwise.
    pub(crate) counts: bool,
    /// Whether an entry that is not pending is made so.
    pub(crate) forces: bool,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The consumer has it, after this many deliveries.
    Moved(u64),
    /// It was pending, but the stream no longer has it. Now it is not pending any more.
    Gone,
    /// Nothing.
    Not,
}

impl Stream {
    /// Marks a consumer of a group as active, creates it if needed, and gives it these entries as far as
    /// `claim` allows. `found` gets what became of each. Returns whether the consumer is new; `None` if there
    /// is no such group.
    pub(crate) fn claim(
        &mut self,
        to: &Recipient<'_>,
        claim: &Claim,
        ids: impl Iterator<Item = StreamId>,
        mut found: impl FnMut(StreamId, Claimed),
    ) -> Option<bool> {
        self.change_group_beside_entries(to.group, |entries, group| {
            let (consumer, is_new) = group.see_consumer(to.consumer, to.now_ms);
            for id in ids {
                found(id, claim_one(entries, group, (id, consumer), to.now_ms, claim));
            }
            is_new
        })
    }

    /// As `claim`, for the pending entries from an id on, until `found` returns false. Also returns the id of
    /// the next pending entry; the lowest if there are no more.
    pub(crate) fn claim_from(
        &mut self,
        to: &Recipient<'_>,
        claim: &Claim,
        start: StreamId,
        mut found: impl FnMut(StreamId, Claimed) -> bool,
    ) -> Option<(bool, StreamId)> {
        self.change_group_beside_entries(to.group, |entries, group| {
            let (consumer, is_new) = group.see_consumer(to.consumer, to.now_ms);
            let mut next = Some(start);
            while let Some(from) = next {
                let Some((id, _)) = group.pending().range_from(from).next() else {
                    next = None;
                    break;
                };
                next = id.next();
                if !found(id, claim_one(entries, group, (id, consumer), to.now_ms, claim)) {
                    break;
                }
            }
            let next = next.and_then(|from| group.pending().range_from(from).next());
            (is_new, next.map_or(StreamId::MIN, |(id, _)| id))
        })
    }
}

fn claim_one(
    entries: &Entries,
    group: &mut Group,
    (id, consumer): (StreamId, ConsumerNumber),
    now_ms: i64,
    claim: &Claim,
) -> Claimed {
    let pending = group.pending().get(id).copied();
    if !entries.contains(id) {
        return if group.acknowledge(id) { Claimed::Gone } else { Claimed::Not };
    }
    let before = match pending {
        Some(before) => {
            let idle_ms = now_ms.saturating_sub(before.ms);
            if claim.min_idle_ms > 0 && idle_ms < claim.min_idle_ms {
                return Claimed::Not;
            }
            before.count
        }
        // It counts as delivered once, as in Redis.
        None if claim.forces => 1,
        None => return Claimed::Not,
    };
    let count = claim.count.unwrap_or(before.saturating_add(u64::from(claim.counts)));
    group.deliver(id, Delivery { ms: claim.delivered_ms, count, consumer });
    Claimed::Moved(count)
}
