//! The interface of clients of all protocols: bytes in, bytes out, without a socket or a clock.

use super::tally::{Message, Tally};

/// One connection, after its protocol's handshake.
pub trait Client {
    /// Adds its first requests.
    fn begin(&mut self, tally: &mut Tally, out: &mut Vec<u8>);

    /// Takes the first received reply, and adds the next requests. Returns the size of the reply, or
    /// `None` if it is incomplete. Anything already in `out` will be sent with it.
    fn take(&mut self, incoming: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Option<usize>;
}

/// How a protocol pushes a message.
pub trait Push {
    fn push(&mut self, message: &Message, out: &mut Vec<u8>);

    /// The first received confirmation, if it is complete: its size, and the number of messages it
    /// confirms.
    fn confirmation(&mut self, incoming: &[u8]) -> Option<(usize, usize)>;
}

/// Pushes some messages, waits until all are confirmed, and repeats.
pub struct Producer<P> {
    protocol: P,
    batch: usize,
    /// Messages not yet confirmed.
    under_way: usize,
}

impl<P: Push> Producer<P> {
    pub fn new(protocol: P, batch: usize) -> Producer<P> {
        Producer { protocol, batch, under_way: 0 }
    }
}

impl<P: Push> Client for Producer<P> {
    fn begin(&mut self, tally: &mut Tally, out: &mut Vec<u8>) {
        while self.under_way < self.batch
            && let Some(message) = tally.make()
        {
            self.protocol.push(&message, out);
            self.under_way += 1;
        }
    }

    fn take(&mut self, incoming: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Option<usize> {
        let (bytes, messages) = self.protocol.confirmation(incoming)?;
        tally.confirm(messages);
        self.under_way = self.under_way.checked_sub(messages).expect("a message of this producer");
        if self.under_way == 0 {
            self.begin(tally, out);
        }
        Some(bytes)
    }
}
