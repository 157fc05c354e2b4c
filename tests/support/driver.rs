//! What a transcript is played against.

use super::reply::Reply;
use crate::originals::Version;

#[derive(Debug)]
pub enum Received {
    Reply(Reply),
    Nothing,
    Closed,
}

/// Clients are numbers that the driver gives.
pub trait Driver {
    /// As in a transcript's `not for …`.
    fn name(&self) -> &'static str;

    /// Which original it is, if it is one.
    fn version(&self) -> Option<Version> {
        None
    }

    /// Begins a case: no clients, no keys. Fails if a case that failed has left the server so that
    /// it cannot.
    fn begin(&mut self) -> Result<(), String>;

    fn connect(&mut self) -> usize;

    /// Sends bytes and returns when the server has taken notice of them.
    fn send(&mut self, client: usize, bytes: &[u8]);

    /// Disconnects and returns when the server has taken notice of it.
    fn close(&mut self, client: usize);

    /// The next reply, for which a driver may wait.
    fn receive(&mut self, client: usize) -> Received;

    /// The next reply if one is owed already.
    fn receive_now(&mut self, client: usize) -> Received;

    fn advance(&mut self, ms: u64);
}
