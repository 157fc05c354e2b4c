//! What follows from a reply.

use super::response::Response;
use super::session::Identity;

/// What follows from a reply.
#[derive(Debug)]
pub(super) enum Step {
    /// This is the response.
    Respond(Response),
    /// The connection has another user, or not.
    Session(Identity, Result<(), Vec<u8>>),
    /// More replies will come.
    More,
    /// The response was a stream, and is over.
    End,
}
