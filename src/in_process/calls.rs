//! Calls that every in-process client has, and what their replies mean.

use crate::journal::JournalError;
use crate::resp::{Reply, ReplyError, write_command};
use std::io;
use std::time::Duration;
use thiserror::Error;

/// The longest wait of a pop that has a deadline. Redis refuses much longer ones.
const WAIT_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// The shortest one: zero would wait for ever.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// Why a call has no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The broker's error reply, such as `WRONGTYPE ...`. The connection goes on.
    #[error("{}", String::from_utf8_lossy(.0))]
    Refused(Vec<u8>),
    /// A reply that the call does not expect, such as `QUEUED` in a transaction.
    #[error("expected another reply, got {0:?}")]
    Unexpected(Reply),
    /// A call without a command's name.
    #[error("expected a command, got no word")]
    NoCommand,
    /// The command waits: a [`LocalBroker`](super::LocalBroker) has no reply to it yet.
    #[error("the reply is not there yet")]
    Unanswered,
    /// The connection has ended: the server has stopped, or has closed it.
    #[error("the connection has ended")]
    Closed,
    /// The connection broke, or could not be made.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// What came is no reply.
    #[error("cannot read a reply: {0}")]
    Reply(#[from] ReplyError),
    /// A change could not be written to the append files.
    #[error("cannot write the append files: {0}")]
    Journal(#[from] JournalError),
}

/// A message that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel.
    pub channel: Vec<u8>,
    /// The pattern that matches the channel, if it was a pattern that was subscribed to.
    pub pattern: Option<Vec<u8>>,
    /// What was published.
    pub payload: Vec<u8>,
}

/// What every in-process client can do.
///
/// In a transaction only [`call`](Calls::call) is of use, since commands are answered with `QUEUED`.
pub trait Calls {
    /// Runs a command, given as its words; the reply.
    ///
    /// Not for commands that have another number of replies than one: SUBSCRIBE, MONITOR,
    /// CLIENT REPLY.
    ///
    /// # Errors
    /// The broker refuses the command, or there is no reply.
    fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, ClientError>;

    /// Adds a message at the end of a queue (RPUSH); how many there are then.
    ///
    /// # Errors
    /// As of [`call`](Calls::call).
    fn push(
        &mut self,
        queue: impl AsRef<[u8]>,
        message: impl AsRef<[u8]>,
    ) -> Result<u64, ClientError> {
        count_of(self.call(&[b"RPUSH", queue.as_ref(), message.as_ref()])?)
    }

    /// Takes the first message of a queue (LPOP), if there is one.
    ///
    /// # Errors
    /// As of [`call`](Calls::call).
    fn pop(&mut self, queue: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, ClientError> {
        match self.call(&[b"LPOP", queue.as_ref()])? {
            Reply::Bulk(message) => Ok(Some(message)),
            Reply::Null => Ok(None),
            other => Err(ClientError::Unexpected(other)),
        }
    }

    /// Publishes a message (PUBLISH); how many subscribers get it.
    ///
    /// # Errors
    /// As of [`call`](Calls::call).
    fn publish(
        &mut self,
        channel: impl AsRef<[u8]>,
        message: impl AsRef<[u8]>,
    ) -> Result<u64, ClientError> {
        count_of(self.call(&[b"PUBLISH", channel.as_ref(), message.as_ref()])?)
    }
}

/// A request of these words.
pub(crate) fn encode<W: AsRef<[u8]>>(words: &[W]) -> Result<Vec<u8>, ClientError> {
    if words.is_empty() {
        return Err(ClientError::NoCommand);
    }
    let mut request = Vec::new();
    write_command(&mut request, words.iter().map(AsRef::as_ref));
    Ok(request)
}

/// A pop that waits (BLPOP): so long, or for ever.
pub(crate) fn pop_wait_words(queue: &[u8], timeout: Option<Duration>) -> [Vec<u8>; 3] {
    let timeout = timeout.map_or(Duration::ZERO, |timeout| timeout.clamp(WAIT_MIN, WAIT_MAX));
    let timeout = timeout.as_secs_f64().to_string();
    [b"BLPOP".to_vec(), queue.to_vec(), timeout.into_bytes()]
}

fn count_of(reply: Reply) -> Result<u64, ClientError> {
    let count = reply.integer().and_then(|count| u64::try_from(count).ok());
    count.ok_or(ClientError::Unexpected(reply))
}

/// The published message that a reply is, if it is one.
pub(crate) fn message_of(reply: &Reply) -> Option<Message> {
    let words: Option<Vec<&[u8]>> = reply.items()?.iter().map(Reply::bytes).collect();
    let (channel, pattern, payload) = match *words? {
        [b"message" | b"smessage", channel, payload] => (channel, None, payload),
        [b"pmessage", pattern, channel, payload] => (channel, Some(pattern.to_vec()), payload),
        _ => return None,
    };
    Some(Message { channel: channel.to_vec(), pattern, payload: payload.to_vec() })
}
