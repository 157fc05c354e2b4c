//! What a transcript is played on.

use super::reply::Reply;
use crate::originals::Version;

#[derive(Debug)]
pub enum Received {
    Reply(Reply),
    Nothing,
    Closed,
}

/// Clients are numbers assigned by the driver.
pub trait Driver {
    /// As in a transcript's `not for …`.
    fn name(&self) -> &'static str;

    /// The version of the original, if it is one.
    fn version(&self) -> Option<Version> {
        None
    }

    /// Begins a case without clients and keys. Fails if an earlier failed case has left the server
    /// unusable.
    fn begin(&mut self) -> Result<(), String>;

    fn connect(&mut self) -> usize;

    /// Sends bytes; returns when the server has processed them.
    fn send(&mut self, client: usize, bytes: &[u8]);

    /// Disconnects; returns when the server has noticed.
    fn close(&mut self, client: usize);

    /// The next reply; a driver may wait for it.
    fn receive(&mut self, client: usize) -> Received;

    /// The next reply, if it is there already.
    fn receive_now(&mut self, client: usize) -> Received;

    fn advance(&mut self, ms: u64);
}
