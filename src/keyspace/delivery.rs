//! A message in flight, and the claim to it.

use super::DbIndex;
use super::hidden_list::Hidden;
use super::holdings::Holder;
use crate::client_id::ClientId;
use crate::queue::Stamp;

/// The own time of a delivery to which the timeout of the policy applies.
const NO_TIME: i64 = i64::MIN;

/// Who gets a message, and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// The client whose disconnection returns it; nobody if only time does.
    pub owner: ClientId,
    /// The number of the client's input that the delivery answers.
    pub input: u64,
    /// Whether only its receipt acknowledges it.
    pub by_receipt: bool,
    /// Milliseconds until it returns; 0 if the timeout of the policy applies.
    pub lease_ms: i64,
}

impl Claim {
    /// The claim of nobody: append files are being loaded.
    pub(crate) fn of_nobody() -> Claim {
        Claim { owner: ClientId::nobody(), input: 0, by_receipt: false, lease_ms: 0 }
    }

    /// Who holds what is delivered from a queue in this database.
    #[inline]
    pub(super) fn holder(self, db: DbIndex) -> Holder {
        Holder { client: self.owner, db, by_receipt: self.by_receipt }
    }
}

/// A message in flight.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message.
    pub message: Box<[u8]>,
    /// Its stamp, with this delivery counted.
    pub stamp: Stamp,
    /// The client that must acknowledge it; nobody if any may.
    pub owner: ClientId,
    /// Whether only its receipt acknowledges it.
    pub by_receipt: bool,
    /// The time of the delivery, by the queue clock.
    pub delivered_ms: i64,
    /// When it returns, by the queue clock, if it has a time of its own; otherwise `NO_TIME`.
    pub(super) own_due_ms: i64,
    /// How many milliseconds a lease lasts; 0 without one.
    pub lease_ms: i64,
}

impl Delivery {
    /// A delivery at this time.
    #[inline]
    pub(super) fn new(message: Box<[u8]>, stamp: Stamp, claim: Claim, now_ms: i64) -> Delivery {
        let Claim { owner, input: _, by_receipt, lease_ms } = claim;
        let own_due_ms = if lease_ms > 0 { now_ms.saturating_add(lease_ms) } else { NO_TIME };
        let delivered_ms = now_ms;
        Delivery { message, stamp, owner, by_receipt, delivered_ms, own_due_ms, lease_ms }
    }

    /// When it returns, by the queue clock, if it has a time of its own.
    pub(crate) fn own_due_ms(&self) -> Option<i64> {
        Some(self.own_due_ms).filter(|due_ms| *due_ms != NO_TIME)
    }

    /// Whether the timeout of the policy applies to it.
    pub(super) fn is_timed(&self) -> bool {
        self.own_due_ms == NO_TIME
    }

    /// Who holds it, if its queue is in this database.
    pub(super) fn holder(&self, db: DbIndex) -> Holder {
        Holder { client: self.owner, db, by_receipt: self.by_receipt }
    }
}

impl Hidden for Delivery {
    fn message(&self) -> &[u8] {
        &self.message
    }
}
