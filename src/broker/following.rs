//! A replica at work: its link to the primary, and the snapshot. `applying.rs` has the stream.

use super::Broker;
use super::applying::{Broken, link_mut};
use super::snapshot_loading::SnapshotLoading;
use crate::client_id::ClientId;
use crate::clients::{ClientRole, CloseReason, Peer};
use crate::clock::Now;
use crate::commands::load_rdb::{RdbLoad, load_rdb};
use crate::rdb::RdbError;
use crate::replication::{
    Backlog, Greeting, Heard, History, Link, Phase, PrimaryAddress, RETRY_US, SnapshotEnd,
    StreamId, first_line, read_snapshot_head,
};
use crate::resp::write_command;
use crate::state::State;
use log::info;

/// Time between acknowledgements.
const ACK_US: u64 = 1_000_000;

impl Broker {
    /// The primary to connect to now, if there is none. Answer with `link_connected` or `link_failed`.
    pub fn wanted_link(&mut self, now: Now) -> Option<PrimaryAddress> {
        if self.state.persistence.loading.is_some() {
            return None;
        }
        let link = self.state.replication.link.as_mut()?;
        match link.phase {
            Phase::Down { retry_us } if retry_us <= now.monotonic_us && link.stopped.is_none() => {
                link.phase = Phase::Connects;
                link.heard_us = now.monotonic_us;
                Some(link.primary.clone())
            }
            _ => None,
        }
    }

    /// Whether a connection to the primary is being made.
    pub fn awaits_link(&self) -> bool {
        self.state.replication.link.as_ref().is_some_and(|link| link.phase == Phase::Connects)
    }

    /// The connection to the primary is made, or being made: returns the client for it. What the primary sends
    /// is passed to `receive`; the client's output is sent to it.
    pub fn link_connected(&mut self, slot: usize, peer: Peer, now: Now) -> ClientId {
        let id = self.state.clients.connect(slot, peer, now.monotonic_us);
        if let Some(client) = self.state.clients.get_mut(id) {
            client.role = ClientRole::Primary;
            client.is_authenticated = true;
        }
        let mut out = Vec::new();
        if let Some(link) = &mut self.state.replication.link {
            link.client = Some(id);
            link.greet(&mut out);
        }
        self.state.clients.write(id, |output| output.raw(&out));
        id
    }

    /// The connection to the primary cannot be made.
    pub fn link_failed(&mut self, reason: &str, now: Now) {
        let Some(link) = &mut self.state.replication.link else { return };
        link.warn(&format!("cannot connect: {reason}"), now.monotonic_us);
        link.phase = Phase::Down { retry_us: now.monotonic_us + RETRY_US };
    }
}

impl Broker {
    /// Takes bytes of the primary. Returns how many were used; the others must come again, with more.
    pub(super) fn run_link(&mut self, id: ClientId, bytes: &[u8], now: Now) -> usize {
        let mut used = 0;
        let result = loop {
            let rest = &bytes[used..];
            let Some(link) = &mut self.state.replication.link else { return bytes.len() };
            link.heard_us = now.monotonic_us;
            let taken = match &link.phase {
                Phase::Greets(_) | Phase::AwaitsSnapshot { .. } => self.hear_line(id, rest, now),
                Phase::Loads { .. } => self.load_snapshot(rest, now),
                Phase::Follows => self.apply(id, rest, now),
                Phase::Down { .. } | Phase::Connects => Ok(rest.len()),
            };
            match taken {
                Ok(0) => break Ok(()),
                Ok(taken) => used += taken,
                Err(reason) => break Err(reason),
            }
        };
        if let Err(reason) = result {
            self.break_link(id, &reason, now);
            return bytes.len();
        }
        self.acknowledge_if_asked(now);
        used
    }

    /// What the primary sent makes no sense, or cannot be followed.
    fn break_link(&mut self, id: ClientId, broken: &Broken, now: Now) {
        let Some(link) = &mut self.state.replication.link else { return };
        match broken {
            Broken::Failed(reason) => link.warn(reason, now.monotonic_us),
            Broken::Stopped(reason) => {
                let (host, port) = (&link.primary.host, link.primary.port);
                // The next attempt would come to the same command or key.
                log::error!(
                    "replication: {host}:{port}: {reason}: the data stays as it was before, and is not \
                     followed any more until REPLICAOF"
                );
                link.stopped = Some(reason.clone());
                let id = StreamId::random(|| self.state.random.next());
                self.state.replication.forget_history(id);
            }
        }
        self.state.clients.close(id, CloseReason::StreamBroken);
    }

    /// The connection to the primary is closed.
    pub(super) fn lose_link(&mut self, reason: CloseReason, now: Now) {
        self.snapshot_loading = None;
        let Some(link) = &mut self.state.replication.link else { return };
        if matches!(link.phase, Phase::Greets(_)) && reason != CloseReason::StreamBroken {
            let text = format!("the connection ended before the primary had answered: {reason}");
            link.warn(&text, now.monotonic_us);
        }
        if link.is_up() {
            info!("replication: the link to {}:{} is lost", link.primary.host, link.primary.port);
            link.down_since_us = Some(now.monotonic_us);
        }
        link.client = None;
        link.transaction = None;
        link.phase = Phase::Down { retry_us: now.monotonic_us + RETRY_US };
    }

    /// Handles the first line of `bytes`, if it is complete.
    fn hear_line(&mut self, id: ClientId, bytes: &[u8], now: Now) -> Result<usize, Broken> {
        let Some((line, taken)) = first_line(bytes).map_err(Broken::Failed)? else { return Ok(0) };
        if line.is_empty() {
            // A sign of life while a snapshot is prepared.
            return Ok(taken);
        }
        let State { replication, settings, .. } = &mut self.state;
        let own = &settings.replication;
        let port = match own.announce_port {
            0 if settings.tls.replication => settings.tls.port,
            0 => settings.port,
            port => port,
        };
        let has = Some((replication.history.id.clone(), replication.offset()));
        let Some(link) = &mut replication.link else { return Ok(taken) };
        if let Phase::AwaitsSnapshot { id, offset } = &link.phase {
            let Some(end) = read_snapshot_head(line) else {
                let line = line.escape_ascii();
                return Err(Broken::Failed(format!(
                    "a snapshot was expected, but there was '{line}'"
                )));
            };
            link.phase = Phase::Loads { id: id.clone(), offset: *offset, end };
            self.begin_loading();
            return Ok(taken);
        }
        let greeting =
            Greeting { user: &own.user, password: &own.password, port, ip: &own.announce_ip, has };
        let mut out = Vec::new();
        let heard = link.hear(line, &greeting, &mut out);
        self.state.clients.write(id, |output| output.raw(&out));
        match heard {
            Heard::Nothing => {}
            Heard::FullSync { id, offset } => link_mut(&mut self.state, |link| {
                info!("replication: a full sync begins, at offset {offset}");
                link.phase = Phase::AwaitsSnapshot { id, offset };
            }),
            Heard::Continue { id } => self.continue_stream(id, now),
            Heard::Failed(text) => return Err(Broken::Failed(text)),
        }
        Ok(taken)
    }

    /// The stream goes on where we are.
    fn continue_stream(&mut self, id: Option<StreamId>, now: Now) {
        let State { replication, clients, .. } = &mut self.state;
        let offset = replication.offset();
        info!("replication: the stream continues at offset {offset}");
        replication.begin_backlog();
        if let Some(id) = id.filter(|id| *id != replication.history.id) {
            replication.history.branch(id, offset);
            // They come back for the rest, and learn the new id.
            for replica in replication.replicas.attached() {
                clients.close(replica.client, CloseReason::RoleChanged);
            }
        }
        self.follow(now);
    }

    /// From now on the stream comes.
    fn follow(&mut self, now: Now) {
        link_mut(&mut self.state, |link| {
            link.phase = Phase::Follows;
            link.down_since_us = None;
            link.owes_ack = true;
            link.ack_due_us = now.monotonic_us;
        });
    }

    fn begin_loading(&mut self) {
        let State { keyspace, settings, random, .. } = &mut self.state;
        let load = RdbLoad::new(settings.replica_ignore_unsupported_keys);
        let keyspace = keyspace.new_beside(random.next());
        self.snapshot_loading =
            Some(Box::new(SnapshotLoading { load, keyspace, mark_seen: 0, is_wrong: false }));
    }

    /// Loads the next bytes of a snapshot into the keyspace beside the present one.
    fn load_snapshot(&mut self, bytes: &[u8], now: Now) -> Result<usize, Broken> {
        let Some(mut loading) = self.snapshot_loading.take() else { return Ok(bytes.len()) };
        let mut taken = 0;
        if !loading.load.is_done() {
            std::mem::swap(&mut self.state.keyspace, &mut loading.keyspace);
            let loaded = load_rdb(&mut self.state, self.table, &mut loading.load, bytes);
            std::mem::swap(&mut self.state.keyspace, &mut loading.keyspace);
            taken = loaded.map_err(|error| Broken::of(&error))?;
        }
        let mut is_over = false;
        link_mut(&mut self.state, |link| {
            let Phase::Loads { end, .. } = &mut link.phase else { return };
            match end {
                SnapshotEnd::Bytes(left) => {
                    *left = left.saturating_sub(taken as u64);
                    is_over = loading.load.is_done() && *left == 0;
                }
                SnapshotEnd::Mark(mark) if loading.load.is_done() => {
                    let expected = &mark[loading.mark_seen..];
                    let seen = expected.len().min(bytes.len() - taken);
                    loading.is_wrong |= bytes[taken..taken + seen] != expected[..seen];
                    loading.mark_seen += seen;
                    taken += seen;
                    is_over = loading.mark_seen == mark.len();
                }
                SnapshotEnd::Mark(_) => {}
            }
        });
        if loading.is_wrong {
            return Err(Broken::Failed("the snapshot does not end with its mark".into()));
        }
        if is_over {
            self.end_loading(*loading, now);
        } else {
            self.snapshot_loading = Some(loading);
        }
        Ok(taken)
    }

    /// The snapshot is complete: its data replaces the present data.
    fn end_loading(&mut self, loading: SnapshotLoading, now: Now) {
        let SnapshotLoading { load, keyspace, .. } = loading;
        let summary = load.summary();
        let State { replication, keyspace: present, clients, persistence, .. } = &mut self.state;
        let Some(link) = &mut replication.link else { return };
        let Phase::Loads { id, offset, .. } = &link.phase else { return };
        let (id, offset) = (id.clone(), *offset);
        link.skipped += summary.left_out;
        link.db = summary.stream_db.as_ref().and_then(|db| db.parse().ok()).unwrap_or(0);
        present.take_over(keyspace);
        // The files have other data.
        persistence.is_replaced = true;
        for client in clients.ids() {
            if let Some(transaction) =
                clients.get_mut(client).and_then(|one| one.transaction.as_mut())
            {
                transaction.is_watch_broken |= !transaction.watched.is_empty();
                transaction.watched.clear();
            }
        }
        for replica in replication.replicas.attached() {
            clients.close(replica.client, CloseReason::RoleChanged);
        }
        replication.history = History::new(id);
        replication.backlog = Some(Backlog::new(offset));
        replication.durable_bytes = 0;
        replication.is_fresh = false;
        info!("replication: the full sync is complete, {} keys", summary.keys);
        self.follow(now);
    }
}

impl Broken {
    /// An unsupported value stays one, whoever is asked again.
    fn of(error: &RdbError) -> Broken {
        let text = format!("the snapshot cannot be loaded: {error}");
        if error.is_unsupported() { Broken::Stopped(text) } else { Broken::Failed(text) }
    }
}

// Signs of life.
impl Broker {
    /// Sends an acknowledgement if the primary has asked for one.
    fn acknowledge_if_asked(&mut self, now: Now) {
        let owes = |link: &Link| link.owes_ack && link.is_up();
        if self.state.replication.link.as_ref().is_some_and(owes) {
            self.send_acknowledgement(now);
        }
    }

    fn send_acknowledgement(&mut self, now: Now) {
        let State { replication, clients, persistence, .. } = &mut self.state;
        let (offset, on_disk) = (replication.offset(), replication.durable_bytes);
        let Some(link) = &mut replication.link else { return };
        link.owes_ack = false;
        link.ack_due_us = now.monotonic_us + ACK_US;
        let Some(client) = link.client else { return };
        let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (offset, on_disk) = (one.format(offset).as_bytes(), other.format(on_disk).as_bytes());
        let words = [&b"REPLCONF"[..], b"ACK", offset, b"FACK", on_disk];
        let mut out = Vec::new();
        // An old primary passes over the second number.
        write_command(&mut out, words[..if persistence.is_on { 5 } else { 3 }].iter().copied());
        clients.write(client, |output| output.raw(&out));
    }

    /// Once a second: a sign of life, and the end of a link that shows none.
    pub(super) fn tick_link(&mut self, now: Now) {
        let timeout_us = u64::from(self.state.settings.replication.timeout_s) * 1_000_000;
        let Some(link) = &mut self.state.replication.link else { return };
        let Some(client) = link.client else { return };
        if link.heard_us.saturating_add(timeout_us) <= now.monotonic_us {
            link.warn("the primary has been silent for too long", now.monotonic_us);
            self.state.clients.close(client, CloseReason::ReplicaTimeout);
        } else if link.is_up() && link.ack_due_us <= now.monotonic_us {
            self.send_acknowledgement(now);
        } else if link.is_syncing() {
            // As Redis does, so that the primary does not give up.
            self.state.clients.write(client, |output| output.raw(b"\n"));
        }
    }
}
