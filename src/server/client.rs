//! In-process clients. Each has one end of a socket pair, and the loop has the other. So they have the
//! limits and the life cycle of any other client, and the loop has one kind of connection. A pair needs
//! no address and no listener.

use crate::in_process::{
    Calls, ClientError, Delivered, Message, delivered_of, encode, message_of, pop_wait_words,
    pop_words,
};
use crate::resp::{Reply, ReplyParser};
use mio::Waker;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;

/// Connects in-process clients to a [`Server`](super::Server), from any thread.
///
/// Clients may be connected before the server runs: they are served once it does.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Unbounded, since each waiting client has two descriptors, which are bounded.
    enter: Sender<mio::net::UnixStream>,
    waker: Arc<Waker>,
}

impl Connector {
    pub(super) fn new(enter: Sender<mio::net::UnixStream>, waker: Arc<Waker>) -> Connector {
        Connector { enter, waker }
    }

    /// Connects a new client.
    ///
    /// # Errors
    /// The server has stopped, or there are no descriptors left.
    pub fn connect(&self) -> Result<Client, ClientError> {
        let (ours, theirs) = UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        let theirs = mio::net::UnixStream::from_std(theirs);
        self.enter.send(theirs).map_err(|_| ClientError::Closed)?;
        self.waker.wake()?;
        Ok(Client { stream: ours, parser: ReplyParser::default(), timeout: None })
    }
}

/// An in-process client, without TCP. It takes two descriptors.
///
/// Calls block the thread until the reply arrives. Dropping the client closes its connection: its
/// messages in flight return to their queues. If `requirepass` is set, send `AUTH` first, as with any
/// client. Above `maxclients`, the first call is refused.
///
/// ```
/// use tidegate::{Calls, Server, Settings};
/// use std::time::Duration;
///
/// let server = Server::in_process(Settings::default())?.spawn()?;
/// let (mut producer, mut worker) = (server.connect()?, server.connect()?);
/// producer.push("jobs", "paint")?;
/// let job = worker.pop_wait("jobs", Some(Duration::from_secs(5)))?;
/// assert_eq!(job.as_deref(), Some(&b"paint"[..]));
/// server.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    parser: ReplyParser,
    /// How long the socket waits for bytes; `None` for ever.
    timeout: Option<Duration>,
}

impl Client {
    /// Pops the first message of a queue (BLPOP), and waits up to `timeout` for one, or for ever. `None`
    /// on a timeout.
    ///
    /// # Errors
    /// The broker refuses the command, or the connection closes meanwhile, as when the server stops.
    pub fn pop_wait(
        &mut self,
        queue: impl AsRef<[u8]>,
        timeout: Option<Duration>,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        match self.call(&pop_wait_words(queue.as_ref(), timeout))? {
            Reply::Array(mut queue_and_message) if queue_and_message.len() == 2 => {
                Ok(queue_and_message.pop().and_then(Reply::into_bytes))
            }
            Reply::Null => Ok(None),
            other => Err(ClientError::Unexpected(other)),
        }
    }

    /// Pops the first message of a queue with its receipt (QUEUE POP), and waits up to `timeout` for one, or
    /// for ever. `None` on a timeout. The message returns to the queue at the end of the lease, or, without
    /// one, when this client is dropped.
    ///
    /// # Errors
    /// As for `pop_wait`; or the queue's policy has no `delivery at-least-once`.
    pub fn pop_wait_with_receipt(
        &mut self,
        queue: impl AsRef<[u8]>,
        timeout: Option<Duration>,
        lease: Option<Duration>,
    ) -> Result<Option<Delivered>, ClientError> {
        delivered_of(self.call(&pop_words(queue.as_ref(), lease, Some(timeout)))?)
    }

    /// Subscribes to channels. From then on the connection only receives messages.
    ///
    /// # Errors
    /// The broker refuses the command, or the connection is closed.
    pub fn subscribe<C: AsRef<[u8]>>(self, channels: &[C]) -> Result<Subscription, ClientError> {
        self.begin_subscription("SUBSCRIBE", channels)
    }

    /// Subscribes to all channels that match one of these patterns.
    ///
    /// # Errors
    /// The broker refuses the command, or the connection is closed.
    pub fn subscribe_patterns<C: AsRef<[u8]>>(
        self,
        patterns: &[C],
    ) -> Result<Subscription, ClientError> {
        self.begin_subscription("PSUBSCRIBE", patterns)
    }

    fn begin_subscription<C: AsRef<[u8]>>(
        mut self,
        command: &str,
        names: &[C],
    ) -> Result<Subscription, ClientError> {
        let mut words = vec![command.as_bytes()];
        words.extend(names.iter().map(AsRef::as_ref));
        self.send(&words)?;
        // Each name is confirmed; without names there is one error.
        for _ in 0..names.len().max(1) {
            refused(self.receive()?)?;
        }
        Ok(Subscription { client: self })
    }

    fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<(), ClientError> {
        match self.stream.write_all(&encode(words)?) {
            // Replies that were already sent can still be read.
            Err(error) if is_end(&error) => Ok(()),
            result => Ok(result?),
        }
    }

    fn receive(&mut self) -> Result<Reply, ClientError> {
        self.set_timeout(None)?;
        loop {
            if let Some(reply) = self.parser.next_reply()? {
                return Ok(reply);
            }
            self.read()?;
        }
    }

    /// Waits for bytes, and passes them to the parser.
    fn read(&mut self) -> Result<(), ClientError> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(ClientError::Closed),
            Ok(read) => {
                self.parser.feed(&bytes[..read]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if is_end(&error) => Err(ClientError::Closed),
            Err(error) => Err(error.into()),
        }
    }

    fn set_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if timeout != self.timeout {
            self.stream.set_read_timeout(timeout)?;
            self.timeout = timeout;
        }
        Ok(())
    }
}

impl Calls for Client {
    fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, ClientError> {
        self.send(words)?;
        refused(self.receive()?)
    }
}

/// A client that receives published messages.
///
/// Dropping it closes its connection.
#[derive(Debug)]
pub struct Subscription {
    client: Client,
}

impl Subscription {
    /// Returns the next message. Waits up to `timeout` for one, or for ever; `None` on a timeout.
    ///
    /// # Errors
    /// The connection is closed: the server has stopped, or this client was too slow.
    pub fn next_message(
        &mut self,
        timeout: Option<Duration>,
    ) -> Result<Option<Message>, ClientError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            while let Some(reply) = self.client.parser.next_reply()? {
                if let Some(message) = message_of(&reply) {
                    return Ok(Some(message));
                }
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            // A socket has no timeout of zero.
            self.client.set_timeout(left.map(|left| left.max(Duration::from_micros(1))))?;
            match self.client.read() {
                Err(ClientError::Io(error)) if is_timeout(&error) => return Ok(None),
                result => result?,
            }
        }
    }
}

/// Turns an error reply of the broker into an error of the call.
fn refused(reply: Reply) -> Result<Reply, ClientError> {
    match reply {
        Reply::Error(text) => Err(ClientError::Refused(text)),
        reply => Ok(reply),
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
