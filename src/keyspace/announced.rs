//! What a note in append files says of the messages of the next push to a queue.

use crate::queue::Stamp;

/// What is known of the messages of the next push, in its order. It may have more messages, from
/// later pushes that were joined with it.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    /// The number of messages that are not remembered for deduplication.
    pub(crate) known: usize,
    /// The stamps of the messages, if the note has them.
    pub(crate) stamps: Vec<Stamp>,
}
