//! What a channel policy does to a subscriber for whom as many messages wait as it allows.
//!
//! Messages under a policy are in the lane of the outbox that has the policy's number: there they
//! are counted until the socket has taken them completely, and the oldest can be dropped. Nothing
//! else that is owed is touched, or changes its order.

use super::{Clients, CloseReason, find_mut};
use crate::client_id::ClientId;
use crate::policy::{RankedChannelPolicy, SlowSubscriber};
use bytes::Bytes;

impl Clients {
    /// Sends a message to a subscriber if the policy allows it, and counts what the policy did;
    /// false if the subscriber will not get it.
    pub(crate) fn write_under(
        &mut self,
        policy: &mut RankedChannelPolicy,
        id: ClientId,
        message: &Bytes,
    ) -> bool {
        let Some(client) = find_mut(&mut self.slots, id) else { return true };
        if let Some(reason) = client.closing {
            // Others who leave are counted as long as they are here, as in Redis.
            return reason != CloseReason::SlowSubscriber;
        }
        let lane = policy.number;
        let waiting = client.outbox.waiting_in(lane) as u64;
        let high_water_mark = policy.policy.high_water_mark;
        if waiting >= high_water_mark {
            match policy.policy.slow_subscriber {
                SlowSubscriber::DropNewest => {
                    policy.counts.dropped_newest += 1;
                    return false;
                }
                SlowSubscriber::Disconnect => {
                    policy.counts.disconnected += 1;
                    self.close(id, CloseReason::SlowSubscriber);
                    return false;
                }
                // More than one, if the policy allowed more before.
                SlowSubscriber::DropOldest => {
                    let too_many = waiting - high_water_mark + 1;
                    policy.counts.dropped_oldest += client.outbox.drop_oldest(lane, too_many);
                }
            }
        }
        self.add(id, |outbox| outbox.write_in(lane, message.clone()));
        true
    }
}
