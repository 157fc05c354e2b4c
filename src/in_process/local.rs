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
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

/// Slices of an output that are read at once.
const SLICES_MAX: usize = 64;
/// A [`Broker`] with clients in the same program. It has no thread and no clock: the time is passed
/// in, and nothing happens between the calls.
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
/// A command that waits, such as BLPOP, is sent, and its reply is asked for after each turn:
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
/// // The next turn has to come by then.
/// assert_eq!(local.next_deadline(now), Some(Duration::from_millis(2500)));
///
/// local.client(producer, now).push("jobs", "paint")?;
/// assert!(local.receive(worker)?.is_some());
/// # Ok::<(), tidegate::ClientError>(())
/// ```
///
/// The limits of the settings hold. What a client is owed stays in its output until
/// [`receive`](LocalBroker::receive) takes it: a subscriber that does not is closed by
/// `client-output-buffer-limit`.
pub struct LocalBroker {
    parts: Parts,
}

/// What takes turns.
struct Parts {
    broker: Broker,
    journal: Option<LocalJournal>,
    clients: Slab<LocalConnection>,
    /// The time of the last call that said it.
    now: Now,
}

struct LocalConnection {
    id: ClientId,
    parser: ReplyParser,
    /// Whether the broker has closed it. What it was owed is in the parser.
    is_closed: bool,
}

/// A client of a [`LocalBroker`] at one moment.
pub struct LocalClient<'a> {
    local: &'a mut LocalBroker,
    id: ClientId,
    now: Now,
}

impl LocalBroker {
    /// A broker whose changes are not written anywhere. It must have no clients yet.
    pub fn new(broker: Broker) -> LocalBroker {
        assert_eq!(broker.client_count(), 0, "clients connect here");
        LocalBroker::of(broker, None, Now::default())
    }

    /// A broker that has what the append files of this directory hold, and writes its changes there,
    /// whatever `appendonly` says. `seed` is that of [`Broker::new`].
    ///
    /// A turn waits for the disk: a reply that promises that a change is durable
    /// (`appendfsync always`) is there when the turn ends.
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

    /// The broker, to be looked at.
    pub fn broker(&self) -> &Broker {
        &self.parts.broker
    }

    /// Takes in a client. It speaks version 3 of the protocol.
    ///
    /// # Errors
    /// There are as many clients as `maxclients` allows.
    pub fn connect(&mut self, now: Now) -> Result<ClientId, ClientError> {
        if self.parts.broker.client_count() >= self.parts.broker.settings().maxclients as usize {
            self.parts.broker.count_rejected_connection();
            return Err(ClientError::Refused(b"ERR max number of clients reached".to_vec()));
        }
        self.parts.now = now;
        let entry = self.parts.clients.vacant_entry();
        let id = self.parts.broker.connect(entry.key(), Peer::in_process(), now);
        if let Some(output) = self.parts.broker.output(id) {
            output.set_protocol(Protocol::Resp3);
        }
        entry.insert(LocalConnection { id, parser: ReplyParser::default(), is_closed: false });
        Ok(id)
    }

    /// Ends a client, as the end of its connection does: what it has in flight goes back.
    pub fn disconnect(&mut self, id: ClientId, now: Now) {
        self.parts.now = now;
        if self.parts.connection(id).is_err() {
            return;
        }
        if !self.parts.clients.remove(id.slot()).is_closed {
            self.parts.broker.disconnect(id, CloseReason::PeerClosed, now);
        }
    }

    /// Gives the broker a command of a client. The next turn has the reply, unless it waits.
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

    /// Does what the time brings, writes what changed, and closes whoever has to be closed.
    ///
    /// # Errors
    /// A change could not be written. Nothing may be promised any more: this is the end.
    pub fn turn(&mut self, now: Now) -> Result<(), JournalError> {
        self.parts.now = now;
        turn(&mut self.parts)
    }

    /// How long no turn is needed, unless something is sent; none for ever.
    pub fn next_deadline(&self, now: Now) -> Option<Duration> {
        let journal = self.parts.journal.as_ref();
        let journal = journal.and_then(|journal| journal.next_deadline(&self.parts.broker, now));
        let broker = self.parts.broker.next_deadline(now);
        [journal, broker].into_iter().flatten().min()
    }

    /// The next reply, or message, that a client is owed and may have.
    ///
    /// # Errors
    /// The client is closed, and has had all replies.
    pub fn receive(&mut self, id: ClientId) -> Result<Option<Reply>, ClientError> {
        let connection = self.parts.connection(id)?;
        if let Some(reply) = connection.parser.next_reply()? {
            return Ok(Some(reply));
        }
        if connection.is_closed {
            return Err(ClientError::Closed);
        }
        // A reply to a change comes after the turn that writes the change.
        if self.parts.broker.has_changed() {
            return Ok(None);
        }
        self.parts.take_output(id);
        Ok(self.parts.connection(id)?.parser.next_reply()?)
    }

    /// A client, for calls at this moment.
    pub fn client(&mut self, id: ClientId, now: Now) -> LocalClient<'_> {
        LocalClient { local: self, id, now }
    }

    /// Ends the broker, and writes what is not written yet.
    ///
    /// # Errors
    /// That cannot be written.
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

    /// Moves what a client may be sent to its parser.
    fn take_output(&mut self, id: ClientId) {
        let sendable = self.broker.sendable(id);
        if sendable == 0 {
            return;
        }
        let connection = self.clients.get_mut(id.slot()).filter(|connection| connection.id == id);
        let (Some(connection), Some(output)) = (connection, self.broker.output(id)) else { return };
        let mut left = sendable;
        while left > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let filled = output.io_slices(&mut slices, left);
            let taken = slices[..filled].iter().map(|slice| slice.len()).sum();
            slices[..filled].iter().for_each(|slice| connection.parser.feed(slice));
            output.advance(taken);
            left -= taken;
        }
        self.broker.flushed(id, sendable, self.now);
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

    /// `send` has given it all.
    fn read(&mut self) {}

    fn settle(&mut self) {
        self.broker.settle(self.now);
        while self.broker.next_resumed().is_some() {}
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        match &mut self.journal {
            Some(journal) => journal.commit(&mut self.broker, self.now),
            None => Ok(()),
        }
    }

    /// Clients fetch what they are owed.
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
    /// Sends the command, takes turns, and returns what [`LocalBroker::receive`] returns first: so not for
    /// a client that has unread replies or messages. If the command waits, the error is
    /// [`Unanswered`](ClientError::Unanswered), and `receive` has the reply later.
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
