//! The versions of the protocol.

/// Version of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The protocol of all clients that do not ask for another.
    #[default]
    Resp2,
    /// With maps, pushes, one null; asked for by HELLO 3.
    Resp3,
}

impl Protocol {
    /// The number that HELLO takes and gives.
    pub fn version(self) -> u8 {
        match self {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        }
    }
}
