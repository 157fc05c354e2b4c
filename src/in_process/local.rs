//! A broker without a server, and its clients.

use super::calls::{Calls, ClientError, encode};
use super::local_journal::LocalJournal;
use crate::broker::Broker;
use crate::broker::turn::{Stages, turn};
use crate::client_id::ClientId;
use crate::clients::{CloseReason, Peer};
use crate::clock::Now;
use crate::host::NoHost;
use crate::journal::files::Directory;
use crate::journal::{JournalError, LoadError};
use crate::resp::{Protocol, Reply, ReplyParser};
use crate::settings::Settings;
use slab::Slab;
use std::sync::Arc;
use std::time::Duration;

/// A [`Broker`] with clients in the same program. It has no thread and no clock: the caller passes the
/// time, and nothing happens between calls.
///
/// ```
/// use tidegate::{Broker, Calls, LocalBroker, NoHost, Now, Settings};
///
/// let now = Now::default();
/// let broker = Broker::new(Settings::default(), 7, Box::new(NoHost), now);
/// let mut local = LocalBroker::new(broker);
/// let id = local.connect(now)?;
///
/// assert_eq!(local.client(id, now).push("jobs", "paint")?, 1);
/// assert_eq!(local.client(id, now).pop("jobs")?.as_deref(), Some(&b"paint"[..]));
/// # Ok::<(), tidegate::ClientError>(())
/// ```
///
/// A waiting command, such as BLPOP, is sent; ask for its reply after each turn:
///
/// ```
/// # use tidegate::{Broker, Calls, LocalBroker, NoHost, Now, Settings};
/// # use std::time::Duration;
/// # let now = Now::default();
/// # let mut local = LocalBroker::new(Broker::new(Settings::default(), 7, Box::new(NoHost), now));
/// let (worker, producer) = (local.connect(now)?, local.connect(now)?);
/// local.send(worker, &["BLPOP", "jobs", "2.5"], now)?;
/// local.turn(now)?;
/// assert_eq!(local.receive(worker)?, None);
/// // The next turn must come by then.
/// assert_eq!(local.next_deadline(now), Some(Duration::from_millis(2500)));
///
/// local.client(producer, now).push("jobs", "paint")?;
/// assert!(local.receive(worker)?.is_some());
/// # Ok::<(), tidegate::ClientError>(())
/// ```
///
/// The limits of the settings apply. A client's output is kept until [`receive`](LocalBroker::receive)
/// takes it. A subscriber that does not is closed by `client-output-buffer-limit`.
pub struct LocalBroker {
    parts: Parts,
}

/// Everything that takes part in turns.
struct Parts {
    broker: Broker,
    journal: Option<LocalJournal>,
    clients: Slab<LocalConnection>,
    /// The time of the latest call with a time.
    now: Now,
}

struct LocalConnection {
    id: ClientId,
    parser: ReplyParser,
    /// Whether the broker has closed it. The rest of its output is in the parser.
    is_closed: bool,
}

/// A client of a [`LocalBroker`] at one moment.
pub struct LocalClient<'a> {
    local: &'a mut LocalBroker,
    id: ClientId,
    now: Now,
}

impl LocalBroker {
    /// A broker whose changes are not stored. It must have no clients yet.
    pub fn new(broker: Broker) -> LocalBroker {
        assert_eq!(broker.client_count(), 0, "clients must connect through LocalBroker");
        LocalBroker::of(broker, None, Now::default())
    }

    /// A broker that loads the append files of this directory, and writes its changes to them, whatever
    /// `appendonly` says. `seed` is that of [`Broker::new`].
    ///
    /// A turn waits for the disk: with `appendfsync always`, the reply to a change is available when the
    /// turn ends.
    ///
    /// # Errors
    /// The files cannot be loaded.
    pub fn open(
        settings: Settings,
        seed: u64,
        directory: Arc<dyn Directory>,
        now: Now,
    ) -> Result<LocalBroker, LoadError> {
        let mut broker = Broker::new(settings, seed, Box::new(NoHost), now);
        let journal = LocalJournal::open(directory, &mut broker, now)?;
        Ok(LocalBroker::of(broker, Some(journal), now))
    }

    fn of(broker: Broker, journal: Option<LocalJournal>, now: Now) -> LocalBroker {
        let clients = Slab::new();
        LocalBroker { parts: Parts { broker, journal, clients, now } }
    }

    /// The broker, read-only.
    pub fn broker(&self) -> &Broker {
        &self.parts.broker
    }

    /// Connects a client. It uses version 3 of the protocol.
    ///
    /// # Errors
    /// There are already `maxclients` clients.
    pub fn connect(&mut self, now: Now) -> Result<ClientId, ClientError> {
        if self.parts.broker.client_count() >= self.parts.broker.settings().maxclients as usize {
            self.parts.broker.count_rejected_connection();
            return Err(ClientError::Refused(b"ERR max number of clients reached".to_vec()));
        }
        self.parts.now = now;
        let entry = self.parts.clients.vacant_entry();
        let id = self.parts.broker.connect(entry.key(), Peer::in_process(), now);
        if let Some(output) = self.parts.broker.outbox(id) {
            output.set_protocol(Protocol::Resp3);
        }
        entry.insert(LocalConnection { id, parser: ReplyParser::default(), is_closed: false });
        Ok(id)
    }

    /// Disconnects a client: its messages in flight return to their queues.
    pub fn disconnect(&mut self, id: ClientId, now: Now) {
        self.parts.now = now;
        if self.parts.connection(id).is_err() {
            return;
        }
        if !self.parts.clients.remove(id.slot()).is_closed {
            self.parts.broker.disconnect(id, CloseReason::PeerClosed, now);
        }
    }

    /// Sends a client's command to the broker. The reply comes with the next turn, unless the command
    /// waits.
    ///
    /// # Errors
    /// The client is closed.
    pub fn send<W: AsRef<[u8]>>(
        &mut self,
        id: ClientId,
        words: &[W],
        now: Now,
    ) -> Result<(), ClientError> {
        self.parts.now = now;
        if self.parts.connection(id)?.is_closed {
            return Err(ClientError::Closed);
        }
        self.parts.broker.receive(id, &encode(words)?, now);
        Ok(())
    }

    /// Does what is due, writes changes, and closes clients that must be closed.
    ///
    /// # Errors
    /// A change could not be written. Nothing can be promised any more: stop using the broker.
    pub fn turn(&mut self, now: Now) -> Result<(), JournalError> {
        self.parts.now = now;
        turn(&mut self.parts)
    }

    /// Time until the next turn is needed, unless a command is sent; `None` for ever.
    pub fn next_deadline(&self, now: Now) -> Option<Duration> {
        let journal = self.parts.journal.as_ref();
        let journal = journal.and_then(|journal| journal.next_deadline(&self.parts.broker, now));
        let broker = self.parts.broker.next_deadline(now);
        [journal, broker].into_iter().flatten().min()
    }

    /// The next reply or message for a client that may be sent now.
    ///
    /// # Errors
    /// The client is closed, and has received everything.
    pub fn receive(&mut self, id: ClientId) -> Result<Option<Reply>, ClientError> {
        let connection = self.parts.connection(id)?;
        if let Some(reply) = connection.parser.next_reply()? {
            return Ok(Some(reply));
        }
        if connection.is_closed {
            return Err(ClientError::Closed);
        }
        // The reply to a change comes after the turn that writes the change.
        if self.parts.broker.has_changed() {
            return Ok(None);
        }
        self.parts.take_output(id);
        Ok(self.parts.connection(id)?.parser.next_reply()?)
    }

    /// A client, for calls at this time.
    pub fn client(&mut self, id: ClientId, now: Now) -> LocalClient<'_> {
        LocalClient { local: self, id, now }
    }

    /// Closes the broker, and writes the remaining changes.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn close(mut self) -> Result<(), JournalError> {
        match self.parts.journal.take() {
            Some(journal) => journal.close(&mut self.parts.broker),
            None => Ok(()),
        }
    }
}

impl Parts {
    fn connection(&mut self, id: ClientId) -> Result<&mut LocalConnection, ClientError> {
        let found = self.clients.get_mut(id.slot()).filter(|connection| connection.id == id);
        found.ok_or(ClientError::Closed)
    }

    /// Moves the sendable output of a client to its parser.
    fn take_output(&mut self, id: ClientId) {
        let connection = self.clients.get_mut(id.slot()).filter(|connection| connection.id == id);
        let Some(connection) = connection else { return };
        let parser = &mut connection.parser;
        let taken = self.broker.take_output(id, usize::MAX, self.now, |bytes| parser.feed(bytes));
        if taken > 0 {
            self.broker.count_sent(taken);
        }
    }
}

impl Stages for Parts {
    type Error = JournalError;

    fn finish_jobs(&mut self) -> Result<bool, JournalError> {
        Ok(false)
    }

    fn has_changed(&self) -> bool {
        self.broker.has_changed()
    }

    /// `send` has already passed all input.
    fn read(&mut self) {}

    fn settle(&mut self) {
        self.broker.settle(self.now);
        while self.broker.next_resumed().is_some() {}
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        self.broker.end_turn(self.now);
        match &mut self.journal {
            Some(journal) => journal.commit(&mut self.broker, self.now)?,
            None => self.broker.release_changed(),
        }
        Ok(())
    }

    /// Clients fetch their output themselves.
    fn write(&mut self) {
        while self.broker.next_dirty(self.now).is_some() {}
    }

    fn close(&mut self) {
        while let Some((id, reason)) = self.broker.next_closing() {
            if reason.flushes_first() {
                self.take_output(id);
            }
            self.broker.disconnect(id, reason, self.now);
            if let Ok(connection) = self.connection(id) {
                connection.is_closed = true;
            }
        }
    }
}

impl Calls for LocalClient<'_> {
    /// Sends the command, runs turns, and returns the next result of [`LocalBroker::receive`]. So it is
    /// not for a client with unread replies or messages. If the command waits, the error is
    /// [`Unanswered`](ClientError::Unanswered), and `receive` returns the reply later.
    fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, ClientError> {
        self.local.send(self.id, words, self.now)?;
        loop {
            self.local.turn(self.now)?;
            match self.local.receive(self.id)? {
                Some(Reply::Error(text)) => return Err(ClientError::Refused(text)),
                Some(reply) => return Ok(reply),
                None if !self.local.parts.broker.has_backlog() => {
                    return Err(ClientError::Unanswered);
                }
                None => {}
            }
        }
    }
}
