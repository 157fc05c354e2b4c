//! The versions of the protocol.

/// The protocol version of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The protocol of clients that do not ask for another.
    #[default]
    Resp2,
    /// With maps, pushes, and a single null; requested with HELLO 3.
    Resp3,
}

impl Protocol {
    /// The number in HELLO.
    pub fn version(self) -> u8 {
        match self {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        }
    }
}
