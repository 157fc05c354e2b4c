//! One published message on its way to the subscribers.
//!
//! It is encoded once for each version of the protocol, however many they are, and its channel's
//! policy has been looked up once, by whoever publishes.

use crate::channels::Subscribers;
use crate::client_id::ClientId;
use crate::clients::Clients;
use crate::policy::RankedChannelPolicy;
use crate::resp::{Output, Protocol};
use bytes::Bytes;

/// A larger message is shared between its subscribers; a smaller one is cheaper to copy than to
/// count and to send as a piece of its own. Under a policy all are shared.
const SHARED_BYTES_MIN: usize = 1024;

/// What a message needs to be delivered.
pub(super) struct Delivery<'a> {
    pub(super) clients: &'a mut Clients,
    /// What holds for the channel.
    pub(super) policy: Option<&'a mut RankedChannelPolicy>,
    /// Who publishes, and its output, which is lent out while its command runs.
    pub(super) publisher: ClientId,
    pub(super) reply: &'a mut Output,
}

impl Delivery<'_> {
    /// Sends the message to all subscribers; says to how many.
    pub(super) fn send(&mut self, subscribers: &Subscribers, parts: &[&[u8]]) -> usize {
        match self.policy {
            None => self.send_to_all(subscribers, parts),
            Some(_) => self.send_under_policy(subscribers, parts),
        }
    }

    fn send_to_all(&mut self, subscribers: &Subscribers, parts: &[&[u8]]) -> usize {
        let mut message = Message { parts, resp2: None, resp3: None };
        for &id in subscribers {
            let encoded = message.encoded(self.clients.protocol(id));
            self.clients.write(id, |output| {
                if encoded.len() >= SHARED_BYTES_MIN {
                    output.share(encoded.clone());
                } else {
                    output.raw(encoded);
                }
            });
        }
        subscribers.len()
    }

    fn send_under_policy(&mut self, subscribers: &Subscribers, parts: &[&[u8]]) -> usize {
        let Some(policy) = &mut self.policy else { return 0 };
        let mut message = Message { parts, resp2: None, resp3: None };
        let mut receivers = 0;
        for &id in subscribers {
            let encoded = message.encoded(self.clients.protocol(id));
            let lent = (id == self.publisher).then_some(&mut *self.reply);
            receivers += usize::from(self.clients.write_under(policy, id, encoded, lent));
        }
        receivers
    }
}

/// A message, and its encodings as far as anybody has asked for them.
struct Message<'a> {
    parts: &'a [&'a [u8]],
    resp2: Option<Bytes>,
    resp3: Option<Bytes>,
}

impl Message<'_> {
    #[inline]
    fn encoded(&mut self, protocol: Protocol) -> &Bytes {
        // The two versions differ in their first byte only.
        let encoded = match protocol {
            Protocol::Resp2 => &mut self.resp2,
            Protocol::Resp3 => &mut self.resp3,
        };
        encoded.get_or_insert_with(|| encode(protocol, self.parts))
    }
}

fn encode(protocol: Protocol, parts: &[&[u8]]) -> Bytes {
    let mut output = Output::new(protocol);
    output.push(parts.len());
    for part in parts {
        output.bulk(part);
    }
    output.take_all().into()
}
