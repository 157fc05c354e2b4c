//! Delivers one published message to its subscribers.
//!
//! The message is encoded only once per protocol version. The caller has looked up the channel's
//! policy, once.

use crate::channels::Subscribers;
use crate::clients::Clients;
use crate::policy::RankedChannelPolicy;
use crate::resp::{BULK_FRAME_BYTES, Output, Protocol};
use bytes::Bytes;

/// From this size on, an encoded message is shared between its subscribers. A smaller one is cheaper to
/// copy than to count and to send as its own piece. Under a policy all messages are shared.
const SHARED_BYTES_MIN: usize = 1024;

/// The means to deliver a message.
pub(super) struct Fanout<'a> {
    pub(super) clients: &'a mut Clients,
    /// The channel's policy.
    pub(super) policy: Option<&'a mut RankedChannelPolicy>,
}

impl Fanout<'_> {
    /// Sends the message to all subscribers. Returns their number.
    pub(super) fn send(&mut self, subscribers: &Subscribers, parts: &[&[u8]]) -> usize {
        match self.policy {
            None => send_to_all(self.clients, subscribers, parts),
            Some(_) => self.send_under_policy(subscribers, parts),
        }
    }

    fn send_under_policy(&mut self, subscribers: &Subscribers, parts: &[&[u8]]) -> usize {
        let Some(policy) = &mut self.policy else { return 0 };
        let (mut resp2, mut resp3): (Option<Bytes>, Option<Bytes>) = (None, None);
        let mut receivers = 0;
        for &id in subscribers {
            let protocol = self.clients.protocol(id);
            let encoded = match protocol {
                Protocol::Resp2 => &mut resp2,
                Protocol::Resp3 => &mut resp3,
            };
            let encoded = encoded.get_or_insert_with(|| encode(protocol, parts));
            receivers += usize::from(self.clients.write_under(policy, id, encoded));
        }
        receivers
    }
}

/// The usual case. A separate function that repeats the choice of the encoding: otherwise it takes 10%
/// longer.
fn send_to_all(clients: &mut Clients, subscribers: &Subscribers, parts: &[&[u8]]) -> usize {
    // The two versions differ only in their first byte.
    let mut resp2: Option<Bytes> = None;
    let mut resp3: Option<Bytes> = None;
    for &id in subscribers {
        let protocol = clients.protocol(id);
        let encoded = match protocol {
            Protocol::Resp2 => &mut resp2,
            Protocol::Resp3 => &mut resp3,
        };
        let encoded = encoded.get_or_insert_with(|| encode(protocol, parts));
        clients.write(id, |output| {
            if encoded.len() >= SHARED_BYTES_MIN {
                output.share(encoded.clone());
            } else {
                output.raw(encoded);
            }
        });
    }
    subscribers.len()
}

fn encode(protocol: Protocol, parts: &[&[u8]]) -> Bytes {
    // A growing buffer would cost more than everything else.
    let bytes: usize = parts.iter().map(|part| part.len() + BULK_FRAME_BYTES).sum();
    let mut output = Output::with_capacity(protocol, bytes + BULK_FRAME_BYTES);
    output.push(parts.len());
    for part in parts {
        output.bulk(part);
    }
    output.take_all().into()
}
