//! Applies a channel policy to a subscriber that has reached its high-water mark.
//!
//! Messages under a policy are in the outbox's lane with the policy's number. There they are counted
//! until the socket has accepted them completely, and the oldest can be dropped. Other output is not
//! touched, and keeps its order.

use super::{Clients, CloseReason, find_mut};
use crate::client_id::ClientId;
use crate::policy::{RankedChannelPolicy, SlowSubscriber};
use bytes::Bytes;

impl Clients {
    /// Sends a message to a subscriber if the policy allows it, and counts what the policy did. False if
    /// the subscriber will not get it.
    pub(crate) fn write_under(
        &mut self,
        policy: &mut RankedChannelPolicy,
        id: ClientId,
        message: &Bytes,
    ) -> bool {
        let Some(client) = find_mut(&mut self.slots, id) else { return true };
        if let Some(reason) = client.closing {
            // Clients closing for other reasons are counted while they exist, as in Redis.
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
                // More than one, if an earlier policy allowed more.
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
