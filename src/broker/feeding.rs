//! A primary at work: what it does for its replicas in each turn. A replica does the same for replicas of its
//! own.

use super::Broker;
use crate::client_id::ClientId;
use crate::clients::CloseReason;
use crate::clock::Now;
use crate::persistence::SnapshotUse;
use crate::replication::{Backlog, FullSync, Piece, Replication, Rest, Stage, StreamId};
use crate::snapshot::RdbHeader;
use crate::state::State;
use bytes::Bytes;
use log::{info, warn};

/// Bytes of the stream that may wait in a replica's output.
const FEED_BYTES: usize = 256 * 1024;
/// Bytes of a snapshot that may wait there before more is made.
const SNAPSHOT_WINDOW_BYTES: usize = 1 << 20;
/// Bytes of keys that are written at once: they take a fraction of a millisecond.
const SNAPSHOT_PIECE_BYTES: usize = 256 * 1024;
/// Time between two looks at the times of replicas.
pub(super) const TICK_US: u64 = 1_000_000;

impl Broker {
    /// Passes the changes of this turn to the replicas, and does what else is due for them.
    pub(super) fn replicate(&mut self, now: Now) {
        let State { replication, keyspace, clients, .. } = &mut self.state;
        replication.replicas.retain(|replica| {
            clients.get(replica.client).is_some_and(|client| client.closing.is_none())
        });
        replication.take_effects(keyspace);
        clients.end_turn(replication.offset(), now.monotonic_us);
        replication.ask_for_acknowledgement(clients.take_wants_acknowledgement());
        self.begin_full_sync(now);
        self.continue_full_sync(now);
        self.feed_replicas(now);
        let State { replication, settings, .. } = &mut self.state;
        let needed = replication.replicas.needed_offset();
        if let Some(backlog) = &mut replication.backlog {
            backlog.trim(settings.replication.backlog_bytes, needed);
        }
        replication.given_up.free_some();
    }

    /// Whether there is more to do for replicas, so that the next turn must not wait.
    pub(super) fn has_work_for_replicas(&self) -> bool {
        let State { replication, clients, .. } = &self.state;
        let is_freeing = !replication.given_up.is_empty()
            || replication.backlog.as_ref().is_some_and(Backlog::has_excess);
        if is_freeing {
            return true;
        }
        let has_place = |client: ClientId, bytes_max: usize| {
            clients.get(client).is_some_and(|one| one.outbox().len() < bytes_max)
        };
        let end = replication.offset();
        replication.replicas.iter().any(|replica| {
            replica.stage == Stage::Online
                && replica.offset < end
                && has_place(replica.client, FEED_BYTES)
        }) || replication.full_sync.is_some()
            && replication.replicas.receivers().all(|id| has_place(id, SNAPSHOT_WINDOW_BYTES))
    }

    /// Begins a snapshot for the replicas that wait for one, once the first of them has waited long enough and
    /// no other snapshot is being made.
    fn begin_full_sync(&mut self, now: Now) {
        let used_bytes = self.state.used_bytes();
        let State { replication, keyspace, settings, persistence, clients, random, .. } =
            &mut self.state;
        let delay_us = u64::from(settings.replication.sync_delay_s) * 1_000_000;
        let Some(since_us) = replication.replicas.waiting_since_us() else { return };
        if since_us.saturating_add(delay_us) > now.monotonic_us
            || replication.full_sync.is_some()
            || !persistence.snapshot.claim(SnapshotUse::Sync)
        {
            return;
        }
        replication.begin_stream(keyspace);
        keyspace.begin_snapshot();
        // What follows must be complete by itself.
        keyspace.effects.begin_file();
        let (id, offset) = (replication.history.id.clone(), replication.offset());
        let header = RdbHeader {
            unix_s: now.unix_us / 1_000_000,
            used_bytes,
            stream: Some(replication.place()),
            is_base: false,
            is_compressed: settings.rdb_compression,
        };
        let mark = StreamId::random(|| random.next());
        let (full_sync, head) = FullSync::begin(&header, &mark);
        replication.full_sync = Some(full_sync);
        let answer = format!("+FULLRESYNC {id} {offset}\r\n");
        let mut count = 0;
        for replica in replication.replicas.waiting_mut() {
            replica.stage = Stage::Receives;
            replica.offset = offset;
            replica.heard_us = now.monotonic_us;
            count += 1;
            clients.set_receives_snapshot(replica.client, true);
            let takes_answer = replica.takes_answer;
            clients.write(replica.client, |output| {
                if takes_answer {
                    output.raw(answer.as_bytes());
                }
                output.raw(&head);
            });
        }
        replication.counts.full += count;
        info!("replication: a full sync begins at offset {offset}, for {count} replicas");
    }

    /// Sends the next part of the snapshot, once all of its receivers have sent most of the previous ones.
    fn continue_full_sync(&mut self, now: Now) {
        let State { replication, keyspace, clients, persistence, .. } = &mut self.state;
        let Some(mut full_sync) = replication.full_sync.take() else { return };
        let receivers: Vec<ClientId> = replication.replicas.receivers().collect();
        let is_own = persistence.snapshot.is(SnapshotUse::Sync);
        if receivers.is_empty() || !is_own || !keyspace.has_snapshot() {
            // Data that would be lost otherwise, or other data, ends a snapshot.
            receivers.iter().for_each(|id| clients.close(*id, CloseReason::SnapshotLost));
            replication.given_up.append(full_sync.give_up());
            if persistence.snapshot.release(SnapshotUse::Sync) {
                replication.given_up.append(Rest::of(&mut keyspace.end_snapshot()));
            }
            return;
        }
        let is_behind = |id: &ClientId| {
            clients.get(*id).is_some_and(|one| one.outbox().len() >= SNAPSHOT_WINDOW_BYTES)
        };
        if receivers.iter().any(is_behind) {
            replication.full_sync = Some(full_sync);
            return;
        }
        let saved_before = full_sync.saved_bytes();
        let bytes = loop {
            match full_sync.next_piece() {
                Some(piece) => break piece,
                None => match keyspace.next_saved(SNAPSHOT_PIECE_BYTES) {
                    Some(part) => full_sync.take(part),
                    None => return self.end_full_sync(full_sync, now),
                },
            }
        };
        keyspace.work.copied(bytes.len() + full_sync.saved_bytes() - saved_before);
        receivers.iter().for_each(|id| send(&mut self.state, *id, &bytes));
        self.state.replication.full_sync = Some(full_sync);
    }

    fn end_full_sync(&mut self, full_sync: FullSync, now: Now) {
        self.state.persistence.snapshot.release(SnapshotUse::Sync);
        let bytes = full_sync.finish();
        for id in self.state.replication.replicas.receivers().collect::<Vec<_>>() {
            send(&mut self.state, id, &bytes);
            let State { replication, clients, .. } = &mut self.state;
            let Some(replica) = replication.replicas.get_mut(id) else { continue };
            replica.stage = Stage::Loads;
            replica.heard_us = now.monotonic_us;
            if replica.wants_snapshot_only {
                clients.close(id, CloseReason::SnapshotSent);
            }
        }
    }

    /// Gives each replica what it has not got of the stream, as far as its output has place. Its bytes in the
    /// backlog count as unsent output.
    fn feed_replicas(&mut self, now: Now) {
        let State { replication, clients, .. } = &mut self.state;
        let Replication { replicas, backlog: Some(backlog), .. } = replication else { return };
        for replica in replicas.iter_mut().filter(|one| one.stage == Stage::Online) {
            clients.set_receives_snapshot(replica.client, false);
            let Some(client) = clients.get(replica.client) else { continue };
            let mut place = FEED_BYTES.saturating_sub(client.outbox().len());
            if replica.offset == backlog.end() {
                continue;
            }
            while place > 0
                && let Some(piece) = backlog.read(replica.offset, place)
            {
                place -= piece.len();
                replica.offset += piece.len() as u64;
                clients.write(replica.client, |output| match piece {
                    Piece::Shared(bytes) => output.share(bytes),
                    Piece::Borrowed(bytes) => output.raw(bytes),
                });
            }
            let unsent = backlog.end().saturating_sub(replica.offset);
            clients.set_unsent_stream(replica.client, unsent, now.monotonic_us);
        }
        // Those that load have the stream counted, too.
        for replica in replicas.iter().filter(|one| one.stage.holds_stream()) {
            let unsent = backlog.end().saturating_sub(replica.offset);
            clients.set_unsent_stream(replica.client, unsent, now.monotonic_us);
        }
    }

    /// Once a second: signs of life, and the end of what shows none.
    pub(super) fn tick_replicas(&mut self, now: Now) {
        let State { replication, clients, settings, keyspace, random, .. } = &mut self.state;
        let limits = &settings.replication;
        let timeout_us = u64::from(limits.timeout_s) * 1_000_000;
        for replica in replication.replicas.iter_mut() {
            if matches!(replica.stage, Stage::Waits { .. }) {
                // It would give up.
                clients.write(replica.client, |output| output.raw(b"\n"));
                replica.heard_us = now.monotonic_us;
            }
            let Some(client) = clients.get(replica.client) else { continue };
            let (owed, active_us) = (client.outbox().len(), client.last_active_us);
            if replica.stage == Stage::Receives && owed != replica.owed {
                // It reads.
                replica.heard_us = now.monotonic_us;
            }
            replica.owed = owed;
            // While it loads, it only sends empty lines.
            let heard_us = replica.heard_us.max(active_us);
            if replica.stage != Stage::Greets
                && heard_us.saturating_add(timeout_us) <= now.monotonic_us
            {
                clients.close(replica.client, CloseReason::ReplicaTimeout);
            }
        }
        let has_replicas = replication.replicas.attached().next().is_some();
        if has_replicas && replication.reader.is_some() {
            let period_us = u64::from(limits.ping_period_s) * 1_000_000;
            if replication.ping_due_us <= now.monotonic_us {
                replication.ping_due_us = now.monotonic_us + period_us;
                replication.wants_ping = true;
            }
        }
        if has_replicas || replication.is_replica() || replication.backlog.is_none() {
            replication.alone_since_us = None;
            return;
        }
        let since_us = *replication.alone_since_us.get_or_insert(now.monotonic_us);
        let ttl_us = limits.backlog_ttl_s.saturating_mul(1_000_000);
        if ttl_us > 0 && since_us.saturating_add(ttl_us) <= now.monotonic_us {
            warn!("replication: no replica for {} s: the backlog is dropped", limits.backlog_ttl_s);
            let id = StreamId::random(|| random.next());
            replication.end_stream(keyspace, id);
        }
    }
}

/// Sends a part of a snapshot to a replica.
fn send(state: &mut State, id: ClientId, bytes: &Bytes) {
    if bytes.is_empty() {
        return;
    }
    state.clients.write(id, |output| output.share(bytes.clone()));
}
