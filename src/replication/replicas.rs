//! The connected replicas.

use crate::client_id::ClientId;

/// How far a replica has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has said something of itself.
    Greets,
    /// It waits for a snapshot, since this moment of the monotonic clock in microseconds.
    Waits { since_us: u64 },
    /// It receives a snapshot.
    Receives,
    /// It has been sent the snapshot, and loads it. It gets the stream after its first acknowledgement: a
    /// replica that loads from its disk cannot tell where a snapshot without a length ends if more follows.
    Loads,
    /// It receives the stream.
    Online,
}

impl Stage {
    /// Whether the stream is kept for it.
    pub(crate) fn holds_stream(self) -> bool {
        matches!(self, Stage::Receives | Stage::Loads | Stage::Online)
    }

    /// Redis' word for it in INFO.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Stage::Greets | Stage::Waits { .. } => "wait_bgsave",
            Stage::Receives => "send_bulk",
            Stage::Loads | Stage::Online => "online",
        }
    }
}

/// A connected replica.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) client: ClientId,
    pub(crate) stage: Stage,
    /// The port where its own clients connect, as it says.
    pub(crate) port: u16,
    /// The address where they do, if it says so.
    pub(crate) ip: Option<String>,
    /// Whether it takes a snapshot whose length is not known before (`capa eof`).
    pub(crate) takes_eof: bool,
    /// Whether it understands that the stream goes on under another id (`capa psync2`).
    pub(crate) takes_new_id: bool,
    /// Whether it only wants the snapshot (`rdb-only`).
    pub(crate) wants_snapshot_only: bool,
    /// The offset of the next byte of the stream that it gets.
    pub(crate) offset: u64,
    /// The offset that it has acknowledged.
    pub(crate) acknowledged: u64,
    /// When it last showed a sign of life, in microseconds of the monotonic clock.
    pub(crate) heard_us: u64,
    /// Bytes of a snapshot that it had not been sent when that was last looked at.
    pub(crate) owed: usize,
    /// Whether it is told where the stream begins (PSYNC), unlike with SYNC.
    pub(crate) takes_answer: bool,
}

/// All connected replicas. There are few, so that walking over them costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    all: Vec<Replica>,
}

impl Replicas {
    /// The replica that a client is, or becomes now.
    pub(crate) fn enter(&mut self, client: ClientId, now_us: u64) -> &mut Replica {
        let at = self.all.iter().position(|replica| replica.client == client);
        let at = at.unwrap_or_else(|| {
            self.all.push(Replica {
                client,
                stage: Stage::Greets,
                port: 0,
                ip: None,
                takes_eof: false,
                takes_new_id: false,
                wants_snapshot_only: false,
                offset: 0,
                acknowledged: 0,
                heard_us: now_us,
                owed: 0,
                takes_answer: true,
            });
            self.all.len() - 1
        });
        &mut self.all[at]
    }

    pub(crate) fn get_mut(&mut self, client: ClientId) -> Option<&mut Replica> {
        self.all.iter_mut().find(|replica| replica.client == client)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Replica> {
        self.all.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Replica> {
        self.all.iter_mut()
    }

    /// The replicas that have asked for the stream.
    pub(crate) fn attached(&self) -> impl Iterator<Item = &Replica> {
        self.all.iter().filter(|replica| replica.stage != Stage::Greets)
    }

    /// Keeps only these.
    pub(crate) fn retain(&mut self, keeps: impl FnMut(&Replica) -> bool) {
        self.all.retain(keeps);
    }

    /// The replicas that receive a snapshot.
    pub(crate) fn receivers(&self) -> impl Iterator<Item = ClientId> {
        self.all.iter().filter(|one| one.stage == Stage::Receives).map(|one| one.client)
    }

    /// Since when the first of those has waited that wait for a snapshot.
    pub(crate) fn waiting_since_us(&self) -> Option<u64> {
        let since = self.all.iter().filter_map(|one| match one.stage {
            Stage::Waits { since_us } => Some(since_us),
            _ => None,
        });
        since.min()
    }

    /// The replicas that wait for a snapshot.
    pub(crate) fn waiting_mut(&mut self) -> impl Iterator<Item = &mut Replica> {
        self.all.iter_mut().filter(|one| matches!(one.stage, Stage::Waits { .. }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The first offset of the stream that any of them still needs.
    pub(crate) fn needed_offset(&self) -> u64 {
        let readers = self.all.iter().filter(|replica| replica.stage.holds_stream());
        readers.map(|replica| replica.offset).min().unwrap_or(u64::MAX)
    }
}
