//! The name of a client, for all who must know clients without knowing what one is.

/// Names one client for all time: numbers are never used again, so an old id finds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId {
    number: u64,
    slot: u32,
}

impl ClientId {
    /// The id of the client that came as this `number`, kept in this `slot`.
    pub(crate) fn new(number: u64, slot: usize) -> ClientId {
        // A slot counts open connections, of which there are fewer than descriptors.
        ClientId { number, slot: slot as u32 }
    }

    /// The id of no client: numbers begin at 1.
    pub(crate) fn nobody() -> ClientId {
        ClientId { number: 0, slot: u32::MAX }
    }

    /// What CLIENT ID answers: grows with each connection.
    pub fn number(self) -> u64 {
        self.number
    }

    /// The slot that was given to `Broker::connect`.
    pub fn slot(self) -> usize {
        self.slot as usize
    }
}
