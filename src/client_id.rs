//! The id of a client, for modules that refer to clients without knowing what one is.

/// Identifies one client for ever: numbers are never reused, so an old id finds no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId {
    number: u64,
    slot: u32,
}

impl ClientId {
    /// The id of the client with this `number` in this `slot`.
    pub(crate) fn new(number: u64, slot: usize) -> ClientId {
        // A slot counts open connections, of which there are fewer than descriptors.
        ClientId { number, slot: slot as u32 }
    }

    /// The id of no client: numbers start at 1.
    pub(crate) fn nobody() -> ClientId {
        ClientId { number: 0, slot: u32::MAX }
    }

    /// The reply of CLIENT ID; grows with each connection.
    pub fn number(self) -> u64 {
        self.number
    }

    /// The slot that was given to `Broker::connect`.
    pub fn slot(self) -> usize {
        self.slot as usize
    }
}
