//! What a channel policy does to a subscriber for whom as many messages wait as it allows.
//!
//! Messages under a policy are in the lane of the output that has the policy's number: there they
//! are counted until the socket has taken them completely, and the oldest can be taken out. Nothing
//! else that is owed is touched, or changes its order.

use super::holds::Hold;
use super::{Client, Clients, CloseReason, find_mut};
use crate::client_id::ClientId;
use crate::policy::{RankedChannelPolicy, SlowSubscriber};
use crate::resp::Output;
use bytes::Bytes;

impl Clients {
    /// Sends a message to a subscriber if the policy allows it, and counts what the policy did;
    /// false if the subscriber will not get it. `lent` is its output, if that is lent out.
    pub fn write_under(
        &mut self,
        policy: &mut RankedChannelPolicy,
        id: ClientId,
        message: &Bytes,
        mut lent: Option<&mut Output>,
    ) -> bool {
        let Some(client) = find_mut(&mut self.slots, id) else { return true };
        if let Some(reason) = client.closing {
            // Others who leave are counted as long as they are here, as in Redis.
            return reason != CloseReason::SlowSubscriber;
        }
        let lane = policy.number;
        let in_lent = lent.as_mut().map_or(0, |output| output.waiting_in(lane));
        let waiting = (client.output.waiting_in(lane) + in_lent) as u64;
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
                    policy.counts.dropped_oldest += client.make_room(lane, too_many, lent);
                }
            }
        }
        self.write(id, |output| output.share_in(lane, message.clone()));
        true
    }
}

impl Client {
    /// Takes the `too_many` oldest messages of a lane out of what is owed; says how many it were.
    /// One that is partly sent has to stay, so that it may be one less.
    fn make_room(&mut self, lane: u64, too_many: u64, lent: Option<&mut Output>) -> u64 {
        let mut hold = self.hold.as_deref_mut();
        let unanswered = &mut self.unanswered;
        let is_lent = lent.is_some();
        let mut dropped = 0;
        // What is lent out is the older part of what is owed, and a hold is about that part alone.
        if let Some(lent) = lent {
            while dropped < too_many && drop_oldest(lent, lane, hold.as_deref_mut(), unanswered) {
                dropped += 1;
            }
            hold = None;
        }
        // Behind what was lent out there is no reply.
        let unanswered = if is_lent { &mut 0 } else { unanswered };
        let output = &mut self.output;
        while dropped < too_many && drop_oldest(output, lane, hold.as_deref_mut(), unanswered) {
            dropped += 1;
        }
        self.output.tidy();
        dropped
    }
}

/// Takes the oldest message of a lane out of an output that may be held; false if there is none.
fn drop_oldest(
    output: &mut Output,
    lane: u64,
    hold: Option<&mut Hold>,
    unanswered: &mut usize,
) -> bool {
    // To find the offset costs as much as there is in front of it.
    let is_counted = hold.is_some() || *unanswered > 0;
    let at = if is_counted { output.offset_of_oldest(lane) } else { None };
    let Some(message) = output.take_oldest(lane) else { return false };
    let Some(at) = at else { return true };
    if let Some(hold) = hold {
        hold.forget(at, message.len());
    }
    if at < *unanswered {
        *unanswered -= message.len();
    }
    true
}
