//! Calls of all in-process clients, and the meaning of their replies.

use crate::journal::JournalError;
use crate::resp::{Reply, ReplyError, write_command};
use std::io;
use std::time::Duration;
use thiserror::Error;

/// The longest timeout of a waiting pop. Redis refuses much longer ones.
const WAIT_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// The shortest timeout: zero would wait for ever.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// Why a call has no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The broker's error reply, such as `WRONGTYPE ...`. The connection stays open.
    #[error("{}", String::from_utf8_lossy(.0))]
    Refused(Vec<u8>),
    /// A reply that the call does not expect, such as `QUEUED` in a transaction.
    #[error("expected another reply, got {0:?}")]
    Unexpected(Reply),
    /// A call without a command's name.
    #[error("expected a command, got no word")]
    NoCommand,
    /// The command waits: a [`LocalBroker`](super::LocalBroker) has no reply yet.
    #[error("there is no reply yet")]
    Unanswered,
    /// The connection is closed: the server has stopped, or has closed it.
    #[error("the connection is closed")]
    Closed,
    /// The connection failed, or could not be made.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The received bytes are not a reply.
    #[error("cannot read a reply: {0}")]
    Reply(#[from] ReplyError),
    /// A change could not be written to the append files.
    #[error("cannot write the append files: {0}")]
    Journal(#[from] JournalError),
}

/// A published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel.
    pub channel: Vec<u8>,
    /// The pattern that matches the channel, for a subscription to a pattern.
    pub pattern: Option<Vec<u8>>,
    /// The message itself.
    pub payload: Vec<u8>,
}

/// Calls of all in-process clients.
///
/// In a transaction only [`call`](Calls::call) is useful, since commands are answered with `QUEUED`.
pub trait Calls {
    /// Runs a command, given as its words, and returns its reply.
    ///
    /// Not for commands whose number of replies is not one: SUBSCRIBE, MONITOR, CLIENT REPLY.
    ///
    /// # Errors
    /// The broker refuses the command, or there is no reply.
    fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, ClientError>;

    /// Adds a message at the end of a queue (RPUSH); returns the new length.
    ///
    /// # Errors
    /// As [`call`](Calls::call).
    fn push(
        &mut self,
        queue: impl AsRef<[u8]>,
        message: impl AsRef<[u8]>,
    ) -> Result<u64, ClientError> {
        count_of(self.call(&[b"RPUSH", queue.as_ref(), message.as_ref()])?)
    }

    /// Pops the first message of a queue (LPOP), if there is one.
    ///
    /// # Errors
    /// As [`call`](Calls::call).
    fn pop(&mut self, queue: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, ClientError> {
        match self.call(&[b"LPOP", queue.as_ref()])? {
            Reply::Bulk(message) => Ok(Some(message)),
            Reply::Null => Ok(None),
            other => Err(ClientError::Unexpected(other)),
        }
    }

    /// Publishes a message (PUBLISH); returns how many subscribers get it.
    ///
    /// # Errors
    /// As [`call`](Calls::call).
    fn publish(
        &mut self,
        channel: impl AsRef<[u8]>,
        message: impl AsRef<[u8]>,
    ) -> Result<u64, ClientError> {
        count_of(self.call(&[b"PUBLISH", channel.as_ref(), message.as_ref()])?)
    }
}

/// A request with these words.
pub(crate) fn encode<W: AsRef<[u8]>>(words: &[W]) -> Result<Vec<u8>, ClientError> {
    if words.is_empty() {
        return Err(ClientError::NoCommand);
    }
    let mut request = Vec::new();
    write_command(&mut request, words.iter().map(AsRef::as_ref));
    Ok(request)
}

/// A waiting pop (BLPOP) with this timeout, or for ever.
pub(crate) fn pop_wait_words(queue: &[u8], timeout: Option<Duration>) -> [Vec<u8>; 3] {
    let timeout = timeout.map_or(Duration::ZERO, |timeout| timeout.clamp(WAIT_MIN, WAIT_MAX));
    let timeout = timeout.as_secs_f64().to_string();
    [b"BLPOP".to_vec(), queue.to_vec(), timeout.into_bytes()]
}

pub(super) fn count_of(reply: Reply) -> Result<u64, ClientError> {
    let count = reply.integer().and_then(|count| u64::try_from(count).ok());
    count.ok_or(ClientError::Unexpected(reply))
}

/// The published message in a reply, if it is one.
pub(crate) fn message_of(reply: &Reply) -> Option<Message> {
    let words: Option<Vec<&[u8]>> = reply.items()?.iter().map(Reply::bytes).collect();
    let (channel, pattern, payload) = match *words? {
        [b"message" | b"smessage", channel, payload] => (channel, None, payload),
        [b"pmessage", pattern, channel, payload] => (channel, Some(pattern.to_vec()), payload),
        _ => return None,
    };
    Some(Message { channel: channel.to_vec(), pattern, payload: payload.to_vec() })
}
