//! The interface of the broker for a journal. The broker knows no files. It records effects, holds replies
//! until the changes they promise are durable, replays earlier effects, and provides its data as of one
//! moment.

use super::Broker;
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::commands::load_rdb::{RdbLoad, load_rdb};
use crate::commands::replay;
use crate::dict::Item;
use crate::effects::EffectsReader;
use crate::engine::wait;
use crate::keyspace::{DbIndex, SavedPart, Value};
use crate::note::Note;
use crate::persistence::Persistence;
use crate::policy::{DELAYED, IN_FLIGHT};
use crate::queue::Queue;
use crate::queueing::Queues;
use crate::rdb::RdbError;
use crate::resp::{Limits, Output, Parsed, RequestParser};
use crate::settings::policy_text;
use crate::state::State;
use crate::value::Kind;
use log::{info, warn};
use std::collections::BTreeMap;
use thiserror::Error;

/// All data, as returned by [`Broker::contents`].
pub type Contents = BTreeMap<(DbIndex, Vec<u8>), (Vec<Vec<u8>>, Option<i64>)>;

/// A command from the append files that cannot be run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("command '{name}' at byte {at}: {reason}")]
pub struct ReplayError {
    /// Where the command begins in the given bytes.
    pub at: usize,
    /// The command's name.
    pub name: String,
    /// What is wrong, as in the error reply to a client.
    pub reason: String,
}

impl Broker {
    /// Adds a reader of effects and begins to record them. Effects are commands that change the data of
    /// another broker in the same way, if it runs them with its calendar clock at zero. Whatever this reader
    /// has not read is kept until `end_effects`.
    pub fn read_effects(&mut self) -> EffectsReader {
        self.state.keyspace.effects.begin_reading()
    }

    /// Ends a reader of effects. Without readers no effects are recorded.
    pub fn end_effects(&mut self, reader: EffectsReader) {
        self.state.keyspace.effects.end_reading(reader);
    }

    /// Moves the reader's unread effects, as requests, to the end of `to`. They do not change any more for
    /// the other readers either.
    pub fn take_effects(&mut self, reader: &EffectsReader, to: &mut Vec<u8>) {
        self.seal_effects();
        self.state.keyspace.effects.take_into(reader, to);
    }

    /// Records that the broker stops in an orderly way: after the next start the last delivery of messages in
    /// flight does not count, and the replication stream is known to end here. To be called before the last `take_effects`.
    pub fn record_stop(&mut self) {
        let State { keyspace, replication, .. } = &mut self.state;
        replication.take_effects(keyspace);
        if keyspace.in_flight_len() > 0 && !keyspace.is_following() {
            keyspace.effects.note(0, &Note::Stopped);
        }
        if replication.has_stream() {
            keyspace.effects.note(0, &Note::Stream(replication.place()));
        }
    }

    /// Makes the effects recorded so far unchangeable and readable. To be called at the end of a turn;
    /// `take_effects` does it as well.
    pub fn seal_effects(&mut self) {
        self.state.keyspace.effects.seal();
    }

    /// Returns the reader's unread sealed effects, in parts that may end within a request. They stay unread
    /// until `advance_effects`.
    pub fn unread_effects(&self, reader: &EffectsReader) -> impl Iterator<Item = &[u8]> {
        self.state.keyspace.effects.unread(reader)
    }

    /// Marks this many bytes of the reader's unread effects as read.
    pub fn advance_effects(&mut self, reader: &EffectsReader, bytes: usize) {
        self.state.keyspace.effects.advance(reader, bytes);
    }

    /// Returns the reader's position: bytes of effects since the first reader began.
    pub fn effects_offset(&self, reader: &EffectsReader) -> u64 {
        self.state.keyspace.effects.offset_of(reader)
    }

    /// Makes the following effects complete by themselves, at the start of a file or after a snapshot: they
    /// begin by selecting a database.
    pub fn begin_effects_file(&mut self) {
        self.state.keyspace.effects.begin_file();
    }

    /// Returns the bytes of effects kept for readers.
    pub fn effects_bytes(&self) -> usize {
        self.state.keyspace.effects.held_bytes()
    }

    /// The turn's changes are as durable as promised: their replies may be sent, unless replicas must have the
    /// changes first. Call `end_turn` before.
    pub fn release_changed(&mut self) {
        self.state.clients.release_changed();
        wait::end_acknowledged_at_once(&mut self.state);
    }

    /// The turn's changes are not durable yet: their replies and all later ones wait. Call `end_turn` before.
    pub fn hold_changed(&mut self) {
        self.state.clients.hold_changed();
        wait::end_acknowledged_at_once(&mut self.state);
    }

    /// A sync begins that covers all changes so far. Its number must be above the previous ones.
    pub fn begin_sync(&mut self, sync: u64) {
        self.state.clients.begin_sync(sync);
    }

    /// A sync has succeeded: replies that wait only for it or for an earlier one may be sent.
    pub fn finish_sync(&mut self, sync: u64) {
        let State { clients, acknowledged, .. } = &mut self.state;
        if clients.finish_sync(sync, acknowledged) {
            wait::end_acknowledged(&mut self.state);
        }
    }

    /// The syncs in progress are useless: their replies wait for another one.
    pub fn fail_syncs(&mut self) {
        self.state.clients.fail_syncs();
    }

    /// That the changes held so far are written is enough: replies that wait only for syncs may be sent.
    pub fn release_written(&mut self) {
        let State { clients, acknowledged, .. } = &mut self.state;
        clients.release_written(acknowledged);
    }

    /// Nothing is promised about the disk any more: replies that wait only for syncs may be sent.
    pub fn release_all(&mut self) {
        self.release_changed();
        self.fail_syncs();
        self.release_written();
    }

    /// Whether any reply waits for a sync or for replicas.
    pub fn has_held(&self) -> bool {
        self.state.clients.has_held()
    }

    /// Whether a client's command has changed data since the last call of `release_changed` or
    /// `hold_changed`: until then its replies must not be sent.
    pub fn has_changed(&self) -> bool {
        self.state.clients.has_changed()
    }

    /// Bytes of a client's output that may be sent now.
    ///
    /// # Panics
    /// If the client has changed data, effects are recorded, and its replies were neither released nor held:
    /// see `has_changed`.
    pub fn sendable(&self, id: ClientId) -> usize {
        self.state.clients.sendable(id)
    }

    /// The state of the append files, for INFO and the gates.
    pub fn persistence(&self) -> &Persistence {
        &self.state.persistence
    }

    /// The same, mutable.
    pub fn persistence_mut(&mut self) -> &mut Persistence {
        &mut self.state.persistence
    }

    /// Returns the first client whose request may need more disk space than there is, and the bytes it needs.
    /// Each is returned once.
    pub fn take_wanted_space(&mut self) -> Option<(ClientId, u64)> {
        self.state.persistence.wanted.take()
    }

    /// Sets for how many bytes of changes there is space until the next call, the client for which space was
    /// reserved, with the bytes, and the client for which there was none, with the reason. Clients that
    /// waited for this continue.
    pub fn allow_changes(
        &mut self,
        writable_bytes: u64,
        granted: Option<(ClientId, u64)>,
        denied: Option<(ClientId, String)>,
    ) {
        let persistence = &mut self.state.persistence;
        persistence.writable_bytes = writable_bytes;
        persistence.granted = granted;
        persistence.denied = denied;
        self.state.clients.resume_deferred();
    }

    /// Runs whole commands from append files in database `db`, which SELECT changes. There are no replies,
    /// nothing expires, and no effects are recorded.
    ///
    /// # Errors
    /// A command that a broker would not have written. Those before it have run.
    pub fn replay(&mut self, db: &mut DbIndex, commands: &[u8]) -> Result<(), ReplayError> {
        self.state.keyspace.begin_replay();
        let mut parser = RequestParser::default();
        let mut reply = Output::default();
        let mut at = 0;
        while at < commands.len() {
            let rest = &commands[at..];
            let failed = |name: &[u8], reason: String| ReplayError {
                at,
                name: name.escape_ascii().to_string(),
                reason,
            };
            match parser.parse(rest, Limits::NONE) {
                Ok(Parsed::Request { end }) => {
                    let request = parser.request(rest);
                    let source = replay::Source::files();
                    let state = &mut self.state;
                    let ran = replay::replay(state, self.table, db, &request, &mut reply, source);
                    ran.map_err(|error| failed(request.name(), error.to_text()))?;
                    at += end;
                }
                Ok(Parsed::Nothing { end }) => at += end,
                Ok(Parsed::Incomplete) => return Err(failed(b"", "it is incomplete".into())),
                Err(error) => {
                    let reason = String::from_utf8_lossy(&error.to_bytes()).into_owned();
                    return Err(failed(b"", reason));
                }
            }
        }
        Ok(())
    }

    /// Loads the next bytes of data in the RDB format; about a megabyte takes a few milliseconds. Returns their
    /// number up to its end, which is all of them before that. Like `replay`, it is ended by `end_replay`.
    ///
    /// # Errors
    /// The data is damaged, or this broker cannot hold it. What was before that in the input is loaded.
    pub fn load_rdb(&mut self, load: &mut RdbLoad, bytes: &[u8]) -> Result<usize, RdbError> {
        self.state.keyspace.begin_replay();
        load_rdb(&mut self.state, self.table, load, bytes)
    }

    /// Data of an earlier process was there, even if it is empty: see `replica-safe-restart`.
    pub fn mark_loaded(&mut self) {
        self.state.replication.is_fresh = false;
    }

    /// Ends the loading of append files: from now on policies apply, and messages in flight are returned to
    /// their queues. Their return is recorded if effects are.
    pub fn end_replay(&mut self, now: Now) {
        let State { keyspace, replication, random, .. } = &mut self.state;
        if let Some(place) = keyspace.take_recorded_stream() {
            replication.resume(keyspace, place, || random.next());
        }
        if replication.is_replica() {
            // Its primary goes on from here.
            keyspace.start_queue_clock(now);
            keyspace.begin_following();
            return;
        }
        Queues::new(keyspace).end_replay(now);
        let changes = self.state.keyspace.changes();
        self.state.persistence.saves.begin_count(changes);
        self.state.show_policies();
        self.compare_policies();
    }

    /// Makes receipts differ from those of an earlier process. Without append files, which end their loading
    /// with the same.
    pub fn begin_receipts(&mut self, now: Now) {
        self.state.keyspace.raise_delivery_to_time(now);
    }

    /// Logs where the append files and the settings differ about a queue policy.
    fn compare_policies(&self) {
        let policies = self.state.keyspace.policies();
        for (name, recorded) in policies.runtime() {
            let configured = policies.configured_as(name);
            let name = name.escape_ascii();
            match (configured, recorded) {
                (configured, recorded) if configured == recorded => {}
                (None, Some(recorded)) => info!(
                    "queue policy {name} applies as set by QUEUE POLICY SET, from the append files: {}",
                    policy_text(recorded)
                ),
                (Some(configured), Some(recorded)) => warn!(
                    "queue policy {name}: the configuration says '{}', but the append files '{}', from \
                     a QUEUE POLICY SET. The latter applies. CONFIG SET queue-policy restores the \
                     former, CONFIG REWRITE writes the latter to the configuration",
                    policy_text(configured),
                    policy_text(recorded)
                ),
                (Some(configured), None) => warn!(
                    "queue policy {name}: the configuration says '{}', but according to the append \
                     files QUEUE POLICY DEL has deleted it. It does not apply. CONFIG SET queue-policy \
                     restores it, CONFIG REWRITE removes it from the configuration",
                    policy_text(configured)
                ),
                (None, None) => {}
            }
        }
    }

    /// The number of messages in all queues.
    pub fn message_count(&self) -> u64 {
        let keyspace = &self.state.keyspace;
        let dbs = 0..keyspace.db_count();
        let queues = dbs.flat_map(|db| keyspace.keys(db)).filter_map(|(_, value)| Queue::of(value));
        queues.map(|queue| queue.len() as u64).sum()
    }

    /// All data: for each database and key, the messages, the string, the fields and values or the members in
    /// order, of a sorted set each with its score, and the expiry in Unix milliseconds.
    /// A copy of everything, for tests and tools.
    pub fn contents(&self) -> Contents {
        let saved = self.state.keyspace.all().map(|(db, key, value, expires_ms)| {
            let messages = match value {
                Value::List(queue) => queue.iter().map(<[u8]>::to_vec).collect(),
                Value::String(string) => vec![string.with(<[u8]>::to_vec)],
                Value::Hash(hash) => {
                    let mut pairs: Vec<_> = hash
                        .iter()
                        .map(|(field, value)| [field.to_vec(), value.to_vec()])
                        .collect();
                    pairs.sort();
                    pairs.concat()
                }
                Value::Set(set) => {
                    let mut members: Vec<_> = set.iter().map(Item::to_vec).collect();
                    members.sort();
                    members
                }
                Value::SortedSet(set) => set.texts(),
                Value::Stream(stream) => stream.to_words(),
            };
            ((db, key.to_vec()), (messages, expires_ms))
        });
        saved.collect()
    }

    /// Messages in flight, delayed, and on their way to dead letters, as the lists that append files have for
    /// them, by database and name. Lists of messages in flight also have the expiry that the queue will have
    /// when they are returned. A copy, for tests and tools.
    pub fn hidden_contents(&self) -> Contents {
        let mut all = Contents::new();
        for (db, key, queue_state) in self.state.keyspace.queue_states() {
            let in_flight =
                queue_state.in_flight.iter().map(|(_, delivery)| delivery.message.to_vec());
            let delayed = queue_state.delayed.iter().map(|delayed| delayed.message.to_vec());
            let lists: [(&[u8], Vec<_>, _); 2] = [
                (IN_FLIGHT, in_flight.collect(), queue_state.expiry_of_emptied()),
                (DELAYED, delayed.collect(), None),
            ];
            for (suffix, messages, expires_ms) in lists {
                if !messages.is_empty() {
                    all.insert((db, [key, suffix].concat()), (messages, expires_ms));
                }
            }
        }
        for (departure, messages) in self.state.keyspace.departing() {
            let messages = messages.iter().map(<[u8]>::to_vec).collect();
            all.insert((departure.db, departure.list.to_vec()), (messages, None));
        }
        all
    }

    /// Begins a snapshot of the present data, which `next_saved` returns in parts.
    pub fn begin_snapshot(&mut self) {
        self.state.keyspace.begin_snapshot();
    }

    /// Returns the next part of the snapshot: about `bytes_max` bytes, and the keys saved since the last call
    /// because they were about to change. `None` when the snapshot is complete.
    pub fn next_saved(&mut self, bytes_max: usize) -> Option<SavedPart> {
        self.state.keyspace.next_saved(bytes_max)
    }

    /// Whether a snapshot is in progress, so that keys are saved before they change.
    pub fn has_snapshot(&self) -> bool {
        self.state.keyspace.has_snapshot()
    }

    /// Ends the snapshot and drops its data.
    pub fn end_snapshot(&mut self) {
        self.state.keyspace.end_snapshot();
    }
}
