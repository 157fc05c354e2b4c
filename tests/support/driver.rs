//! What a transcript is played against.

use super::reply::Reply;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dialect {
    /// What a transcript says first.
    Ours,
    /// What a transcript says under `redis 7.0<`, where it says so.
    Redis70,
}

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

    fn dialect(&self) -> Dialect {
        Dialect::Ours
    }

    /// Begins a case: no clients, no keys.
    fn begin(&mut self);

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
