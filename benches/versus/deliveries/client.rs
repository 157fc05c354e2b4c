//! What clients of all protocols have in common: they are given bytes and give bytes, and have
//! neither a socket nor a clock.

use super::tally::{Message, Tally};

/// One connection, after the greetings of its protocol.
pub trait Client {
    /// Adds what it sends first.
    fn begin(&mut self, tally: &mut Tally, out: &mut Vec<u8>);

    /// Takes the first reply of what has come, and adds what it sends then. Returns the bytes of the reply,
    /// or none while it is not whole. What is in `out` already will be sent with it.
    fn take(&mut self, incoming: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Option<usize>;
}

/// How a protocol puts a message into the queue.
pub trait Push {
    fn push(&mut self, message: &Message, out: &mut Vec<u8>);

    /// The first confirmation of what has come, if it is whole: its bytes, and how many messages it is of.
    fn confirmation(&mut self, incoming: &[u8]) -> Option<(usize, usize)>;
}

/// Puts some messages into the queue, waits until all are confirmed, and begins again.
pub struct Producer<P> {
    protocol: P,
    batch: usize,
    /// Messages that are not confirmed.
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
