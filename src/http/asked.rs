//! What a route has to decide about: a request, and the commands that it becomes.

use super::head::Head;
use crate::broker::Broker;
use crate::client_id::ClientId;
use crate::resp::{write_arg, write_command, write_header};

/// A request that is complete.
pub(super) struct Asked<'a> {
    pub head: Head<'a>,
    pub body: &'a [u8],
    pub broker: &'a mut Broker,
    /// The connection's client of the broker.
    pub client: ClientId,
    /// The commands for that client.
    pub commands: &'a mut Vec<u8>,
}

impl Asked<'_> {
    /// Adds a command.
    pub(super) fn words(&mut self, words: &[&[u8]]) {
        write_command(self.commands, words.iter().copied());
    }

    /// Adds a command of `count` words, each of which `write` adds.
    pub(super) fn command(&mut self, count: usize, write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        write_header(self.commands, b'*', count);
        let mut written = 0;
        write(&mut |word| {
            write_arg(self.commands, word);
            written += 1;
        });
        assert_eq!(written, count, "a command has another number of words than it says");
    }
}
