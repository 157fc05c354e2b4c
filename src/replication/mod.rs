//! Replication: the state of both roles, as plain values.
//!
//! A primary has a *stream*: all its effects, and published messages. Its latest bytes are in the backlog; each
//! replica is an offset into it. A replica has a *link* to its primary, whose stream it applies and passes on
//! unchanged to replicas of its own.

mod acknowledged;
mod backlog;
mod full_sync;
mod history;
mod large_key;
mod link;
mod migration;
mod replicas;

pub(crate) use acknowledged::Acknowledged;
pub(crate) use backlog::{Backlog, Piece};
pub(crate) use full_sync::{FullSync, Rest};
pub(crate) use history::{History, StreamId};
pub use link::PrimaryAddress;
pub(crate) use link::{
    Greeting, Heard, Link, Phase, RETRY_US, SnapshotEnd, first_line, read_snapshot_head,
};
pub(crate) use migration::{Answer, Credentials, Migration, Migrations, Order};
pub(crate) use replicas::{Replica, Replicas, Stage};

use crate::client_id::ClientId;
use crate::effects::EffectsReader;
use crate::keyspace::Keyspace;
use crate::note::StreamPlace;
use crate::resp::write_command;
use crate::settings::Settings;

/// The role that a command has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NextRole {
    Primary,
    ReplicaOf(PrimaryAddress),
}

/// A longer time between two looks at the clock means that the process was stopped, or the machine.
const SLEPT_US_MIN: u64 = 2_000_000;

/// Bytes of the buffer of published messages that are kept for the next turn.
const PUBLISHED_KEPT_MAX: usize = 64 * 1024;

/// The state of replication.
#[derive(Debug)]
pub(crate) struct Replication {
    pub(crate) history: History,
    /// The latest part of the stream; `None` before there was any replica.
    pub(crate) backlog: Option<Backlog>,
    /// How many bytes the stream has, without a backlog.
    offset: u64,
    /// Reads the effects of a primary.
    pub(crate) reader: Option<EffectsReader>,
    /// Messages published in this turn, as commands. They are in the stream, but not in append files.
    published: Vec<u8>,
    pub(crate) replicas: Replicas,
    /// The link of a replica; `None` for a primary.
    pub(crate) link: Option<Link>,
    /// The snapshot that is being sent.
    pub(crate) full_sync: Option<FullSync>,
    /// What is left of snapshots that were not sent to the end, and is freed in parts.
    pub(crate) given_up: Rest,
    /// The role that a command has asked for, until it has ended.
    pub(crate) next_role: Option<NextRole>,
    /// When anything was last looked at, in microseconds of the monotonic clock.
    seen_us: u64,
    /// Whether replicas are asked what they have, as this process was stopped for a while.
    wants_fresh: bool,
    /// Whether the stream gets a PING at the end of the turn.
    pub(crate) wants_ping: bool,
    /// When the times of replicas and of the link are next looked at.
    pub(crate) tick_due_us: u64,
    /// When the stream gets its next PING, in microseconds of the monotonic clock.
    pub(crate) ping_due_us: u64,
    /// Since when there is no replica, in microseconds of the monotonic clock.
    pub(crate) alone_since_us: Option<u64>,
    /// Whether the process began without data, append files or a primary, and has served no replica yet.
    pub(crate) is_fresh: bool,
    /// Whether a replica with data of another stream was refused for that.
    has_refused: bool,
    /// Bytes of the stream whose changes are in synced append files.
    pub(crate) durable_bytes: u64,
    pub(crate) counts: Counts,
}

/// Counters for INFO.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) full: u64,
    pub(crate) partial: u64,
    /// Asked for a part of the stream that is not there any more.
    pub(crate) partial_refused: u64,
}

impl Replication {
    pub(crate) fn new(id: StreamId) -> Replication {
        Replication {
            history: History::new(id),
            backlog: None,
            offset: 0,
            reader: None,
            published: Vec::new(),
            replicas: Replicas::default(),
            link: None,
            full_sync: None,
            given_up: Rest::default(),
            next_role: None,
            seen_us: 0,
            wants_fresh: false,
            wants_ping: false,
            tick_due_us: 0,
            ping_due_us: 0,
            alone_since_us: None,
            is_fresh: false,
            has_refused: false,
            durable_bytes: 0,
            counts: Counts::default(),
        }
    }

    /// Looks at the time. Returns whether this process seems to have been stopped since the last look: with
    /// replicas or a primary it looks once a second at least.
    pub(crate) fn has_slept(&mut self, now_us: u64) -> bool {
        let seen_us = std::mem::replace(&mut self.seen_us, now_us);
        let has_slept = seen_us > 0 && now_us.saturating_sub(seen_us) > SLEPT_US_MIN;
        self.wants_fresh |= has_slept;
        has_slept
    }

    /// Whether this is a replica.
    #[inline]
    pub(crate) fn is_replica(&self) -> bool {
        self.link.is_some()
    }

    /// Whether this client is the link to the primary.
    #[inline]
    pub(crate) fn is_link(&self, client: ClientId) -> bool {
        self.link.as_ref().is_some_and(|link| link.client == Some(client))
    }

    /// Whether there is anything to do in a turn.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.backlog.is_some()
            || self.link.is_some()
            || !self.replicas.is_empty()
            || !self.given_up.is_empty()
    }

    /// The number of bytes of the stream.
    pub(crate) fn offset(&self) -> u64 {
        self.backlog.as_ref().map_or(self.offset, Backlog::end)
    }

    /// The end of the stream.
    pub(crate) fn place(&self) -> StreamPlace {
        StreamPlace {
            id: self.history.id.as_bytes().to_vec(),
            offset: self.offset(),
            db: self.link.as_ref().map(|link| link.db),
        }
    }

    /// Drops the backlog; the stream is at this offset.
    pub(crate) fn drop_backlog(&mut self, offset: u64) {
        self.backlog = None;
        self.offset = offset;
    }

    /// The backlog, which begins now if there was none.
    pub(crate) fn begin_backlog(&mut self) -> &mut Backlog {
        let offset = self.offset;
        self.backlog.get_or_insert_with(|| Backlog::new(offset))
    }

    /// Whether a replica with data of another stream must be refused, since it would lose it to a server that
    /// seems to have been restarted. `is_empty`: there are no keys. Once one was refused, so are all others,
    /// even if there are keys by then.
    pub(crate) fn refuses_foreign(&mut self, is_empty: bool) -> bool {
        self.has_refused |= is_empty;
        self.is_fresh && self.has_refused
    }

    /// Whether there is a stream: a replica has asked for it, or it comes from a primary.
    pub(crate) fn has_stream(&self) -> bool {
        self.backlog.is_some()
    }

    /// Resumes the stream of an earlier process, which stopped at this place. A primary goes on under an id of
    /// its own: replicas may have got more of the old one than this place says, if the process that wrote it
    /// was followed by one that was killed.
    pub(crate) fn resume(
        &mut self,
        keyspace: &mut Keyspace,
        place: StreamPlace,
        random: impl FnMut() -> u64,
    ) {
        let StreamPlace { id, offset, db } = place;
        let Some(id) = StreamId::parse(&id) else { return };
        self.history = History::new(id);
        self.backlog = Some(Backlog::new(offset));
        match &mut self.link {
            Some(link) => link.db = db.unwrap_or(0),
            None => {
                self.history.branch(StreamId::random(random), offset);
                self.begin_stream(keyspace);
            }
        }
    }

    /// What was applied of the stream is not known exactly: the next sync must be a full one.
    pub(crate) fn forget_history(&mut self, next: StreamId) {
        self.history = History::new(next);
    }

    /// When something is due, in microseconds of the monotonic clock.
    pub(crate) fn next_due_us(&self, settings: &Settings) -> Option<u64> {
        if !self.is_active() {
            return None;
        }
        let delay_us = u64::from(settings.replication.sync_delay_s) * 1_000_000;
        let sync_us = self.replicas.waiting_since_us().filter(|_| self.full_sync.is_none());
        let retry_us = self.link.as_ref().and_then(|link| match link.phase {
            Phase::Down { retry_us } if link.stopped.is_none() => Some(retry_us),
            _ => None,
        });
        let sync_us = sync_us.map(|since_us| since_us.saturating_add(delay_us));
        [Some(self.tick_due_us), sync_us, retry_us].into_iter().flatten().min()
    }

    /// Begins the stream of a primary, if it has not begun. That of a replica comes from its primary.
    pub(crate) fn begin_stream(&mut self, keyspace: &mut Keyspace) {
        self.is_fresh = false;
        self.begin_backlog();
        if self.reader.is_none() && !self.is_replica() {
            self.reader = Some(keyspace.effects.begin_reading());
            // What notes have said before is not known from this stream.
            keyspace.effects.begin_file();
        }
    }

    /// Ends the stream of a primary: nobody is going to ask for it. A later one has another id.
    pub(crate) fn end_stream(&mut self, keyspace: &mut Keyspace, next: StreamId) {
        if let Some(reader) = self.reader.take() {
            keyspace.effects.end_reading(reader);
        }
        self.drop_backlog(self.offset());
        self.history = History::new(next);
    }

    /// Moves the effects of a primary, and what was published, to the backlog.
    pub(crate) fn take_effects(&mut self, keyspace: &mut Keyspace) {
        let (Some(reader), Some(backlog)) = (&self.reader, &mut self.backlog) else { return };
        keyspace.effects.seal();
        let mut bytes = 0;
        for part in keyspace.effects.unread(reader) {
            backlog.append(part);
            bytes += part.len();
        }
        keyspace.effects.advance(reader, bytes);
        if !self.published.is_empty() {
            backlog.append(&self.published);
            self.published.clear();
            // A burst must not occupy memory for ever.
            self.published.shrink_to(PUBLISHED_KEPT_MAX);
        }
    }

    /// Ends the stream of a turn with what replicas answer or take for a sign of life. `wants_ack`: whether they are
    /// asked what they have.
    pub(crate) fn ask_for_acknowledgement(&mut self, wants_ack: bool) {
        let wants_ping = std::mem::take(&mut self.wants_ping);
        let Some(backlog) = self.backlog.as_mut().filter(|_| self.reader.is_some()) else { return };
        if wants_ping {
            backlog.append(b"*1\r\n$4\r\nPING\r\n");
        }
        if wants_ack || std::mem::take(&mut self.wants_fresh) {
            backlog.append(b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n");
        }
    }

    /// Whether published messages go into the stream: a replica only passes on those of its primary.
    #[inline]
    pub(crate) fn takes_published(&self) -> bool {
        self.reader.is_some()
    }

    /// Adds a published message to the stream.
    pub(crate) fn publish<'a>(
        &mut self,
        args: impl IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    ) {
        write_command(&mut self.published, args);
    }
}
