//! What a journal and a broker have to do with each other. The broker knows no file: it says what
//! changed, holds replies until it is told that what they promise is durable, takes in what was
//! written before, and gives its data as it was at one moment.

use super::Broker;
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::commands::replay;
use crate::effects::EffectsReader;
use crate::engine::CommandError;
use crate::keyspace::{DbIndex, SavedPart, Value};
use crate::persistence::Persistence;
use crate::policy::{DELAYED, IN_FLIGHT};
use crate::queue::Queue;
use crate::queueing::Queues;
use crate::resp::{Limits, Output, Parsed, RequestParser};
use crate::settings::policy_text;
use crate::value::Kind;
use log::{info, warn};
use std::collections::BTreeMap;
use thiserror::Error;

/// All data, as [`Broker::contents`] gives it.
pub type Contents = BTreeMap<(DbIndex, Vec<u8>), (Vec<Vec<u8>>, Option<i64>)>;

/// A command from the append files that cannot be run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("command '{name}' at byte {at}: {reason}")]
pub struct ReplayError {
    /// Where the command begins, in what was given.
    pub at: usize,
    /// The command's name.
    pub name: String,
    /// What is wrong, in the words that a client would get.
    pub reason: String,
}

impl Broker {
    /// Begins to record effects, for one reader more: commands that change another broker's data in the same
    /// way, if it runs them with its calendar clock at zero. What this reader has not taken is kept until
    /// `end_effects`.
    pub fn read_effects(&mut self) -> EffectsReader {
        self.state.keyspace.effects.begin_reading()
    }

    /// Ends a reader of effects. Without any, none are recorded.
    pub fn end_effects(&mut self, reader: EffectsReader) {
        self.state.keyspace.effects.end_reading(reader);
    }

    /// Moves the effects that a reader has not taken yet, as requests, to the end of `to`. They do not change
    /// any more, whoever has still to take them.
    pub fn take_effects(&mut self, reader: &EffectsReader, to: &mut Vec<u8>) {
        self.seal_effects();
        self.state.keyspace.effects.take_into(reader, to);
    }

    /// Makes what is recorded so far unchangeable and readable: to be called at the end of a turn.
    /// `take_effects` does it as well.
    pub fn seal_effects(&mut self) {
        self.state.keyspace.effects.seal();
    }

    /// The sealed effects that a reader has not taken yet, in parts which need not end with a request. They
    /// stay where they are until `advance_effects`.
    pub fn unread_effects(&self, reader: &EffectsReader) -> impl Iterator<Item = &[u8]> {
        self.state.keyspace.effects.unread(reader)
    }

    /// Has a reader go on by so many bytes of its unread effects.
    pub fn advance_effects(&mut self, reader: &EffectsReader, bytes: usize) {
        self.state.keyspace.effects.advance(reader, bytes);
    }

    /// Bytes of effects before the place where a reader is, since the first reader began.
    pub fn effects_offset(&self, reader: &EffectsReader) -> u64 {
        self.state.keyspace.effects.offset_of(reader)
    }

    /// Makes the effects to come mean the same by themselves, at the start of a file or behind a snapshot: they
    /// begin with the choice of a database.
    pub fn begin_effects_anew(&mut self) {
        self.state.keyspace.effects.begin_file();
    }

    /// Bytes of effects that are held, since a reader has not taken them.
    pub fn effects_bytes(&self) -> usize {
        self.state.keyspace.effects.held_bytes()
    }

    /// The turn's changes are as durable as was promised: their replies may be sent.
    pub fn release_changed(&mut self) {
        self.state.clients.release_changed();
    }

    /// The turn's changes are not durable yet: their replies wait, and what comes behind them.
    pub fn hold_changed(&mut self) {
        self.state.clients.hold_changed();
    }

    /// A sync begins that covers all changes so far. Its number is above those before.
    pub fn begin_sync(&mut self, sync: u64) {
        self.state.clients.begin_sync(sync);
    }

    /// A sync has ended well: the replies that it covers may be sent, and those that the ones
    /// before it do.
    pub fn finish_sync(&mut self, sync: u64) {
        self.state.clients.finish_sync(sync);
    }

    /// The syncs under way are of no use any more: their replies wait for another one.
    pub fn fail_syncs(&mut self) {
        self.state.clients.fail_syncs();
    }

    /// Nothing is promised any more: all replies may be sent.
    pub fn release_all(&mut self) {
        self.state.clients.release_all();
    }

    /// Whether any reply waits for a sync.
    pub fn has_held(&self) -> bool {
        self.state.clients.has_held()
    }

    /// Whether a client's command changed data since the last call of `release_changed` or
    /// `hold_changed`: until then its replies must not be sent.
    pub fn has_changed(&self) -> bool {
        self.state.clients.has_changed()
    }

    /// Bytes of a client's output that may be sent now.
    ///
    /// # Panics
    /// If the client has changed data, effects are recorded, and nobody has said what becomes of the
    /// reply: see `has_changed`.
    pub fn sendable(&self, id: ClientId) -> usize {
        self.state.clients.sendable(id)
    }

    /// What INFO shows of the append files, and what the gates mind.
    pub fn persistence(&self) -> &Persistence {
        &self.state.persistence
    }

    /// The same, to be changed.
    pub fn persistence_mut(&mut self) -> &mut Persistence {
        &mut self.state.persistence
    }

    /// The first client whose request may not find space on the disk, and how many bytes it needs;
    /// asked for once.
    pub fn take_wanted_space(&mut self) -> Option<(ClientId, u64)> {
        self.state.persistence.wanted.take()
    }

    /// Says for how many bytes of changes there is space until this is said again, the client for which
    /// it was found, with its bytes, and the one for which there was none, with the reason. Whoever
    /// waited for this goes on.
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

    /// Runs whole commands from append files in database `db`, which SELECT changes. Nobody is
    /// answered, nothing expires, and no effect is recorded.
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
                    let ran = replay::replay(&mut self.state, self.table, db, &request, &mut reply);
                    ran.map_err(|error| failed(request.name(), text_of(&error)))?;
                    at += end;
                }
                Ok(Parsed::Nothing { end }) => at += end,
                Ok(Parsed::Incomplete) => return Err(failed(b"", "it is not whole".into())),
                Err(error) => {
                    let reason = String::from_utf8_lossy(&error.to_bytes()).into_owned();
                    return Err(failed(b"", reason));
                }
            }
        }
        Ok(())
    }

    /// Ends the loading of append files: from here on policies do what they say, and what was in flight
    /// goes back to its queues, which is recorded as an effect if effects are.
    pub fn end_replay(&mut self, now: Now) {
        let keyspace = &mut self.state.keyspace;
        Queues::new(keyspace).end_replay(now);
        self.state.show_policies();
        self.compare_policies();
    }

    /// Tells where append files say something else of a queue policy than the settings.
    fn compare_policies(&self) {
        let policies = self.state.keyspace.policies();
        for (name, said) in policies.runtime() {
            let configured = policies.configured_as(name);
            let name = name.escape_ascii();
            match (configured, said) {
                (configured, said) if configured == said => {}
                (None, Some(said)) => info!(
                    "queue policy {name} holds as QUEUE POLICY SET has made it and the append files \
                     have it: {}",
                    policy_text(said)
                ),
                (Some(configured), Some(said)) => warn!(
                    "queue policy {name}: the configuration says '{}', the append files '{}' since a \
                     QUEUE POLICY SET: that of the append files holds. CONFIG SET queue-policy puts \
                     the other one in its place, CONFIG REWRITE writes this one to the configuration",
                    policy_text(configured),
                    policy_text(said)
                ),
                (Some(configured), None) => warn!(
                    "queue policy {name}: the configuration says '{}', and the append files say that \
                     a QUEUE POLICY DEL has deleted it: it does not hold. CONFIG SET queue-policy \
                     brings it back, CONFIG REWRITE takes it out of the configuration",
                    policy_text(configured)
                ),
                (None, None) => {}
            }
        }
    }

    /// All messages in all queues.
    pub fn message_count(&self) -> u64 {
        let keyspace = &self.state.keyspace;
        let dbs = 0..keyspace.db_count();
        let queues = dbs.flat_map(|db| keyspace.keys(db)).filter_map(|(_, value)| Queue::of(value));
        queues.map(|queue| queue.len() as u64).sum()
    }

    /// All data: of each key by its database and name, the messages or the string, and when it expires in Unix
    /// milliseconds. A copy of everything, for tests and tools.
    pub fn contents(&self) -> Contents {
        let saved = self.state.keyspace.all().map(|(db, key, value, expires_ms)| {
            let messages = match value {
                Value::List(queue) => queue.iter().map(<[u8]>::to_vec).collect(),
                Value::String(string) => vec![string.with(<[u8]>::to_vec)],
            };
            ((db, key.to_vec()), (messages, expires_ms))
        });
        saved.collect()
    }

    /// Messages in flight, delayed ones, and those on their way to dead letters, as the lists that append files have of them, by database and
    /// name; with what is in flight, when the queue would expire if it came back. A copy, for tests and
    /// tools.
    pub fn hidden_contents(&self) -> Contents {
        let mut all = Contents::new();
        for (db, key, queue_state) in self.state.keyspace.queue_states() {
            let in_flight =
                queue_state.in_flight.iter().map(|(_, delivery)| delivery.message.to_vec());
            let delayed = queue_state.delayed.iter().map(<[u8]>::to_vec);
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

    /// Begins a snapshot of the data as it is now, which `next_saved` gives piece by piece.
    pub fn begin_snapshot(&mut self) {
        self.state.keyspace.begin_snapshot();
    }

    /// The next part of the snapshot, about `bytes_max` bytes of them, and those that had to be
    /// saved since the last call because they were about to change; none when it is complete.
    pub fn next_saved(&mut self, bytes_max: usize) -> Option<SavedPart> {
        self.state.keyspace.next_saved(bytes_max)
    }

    /// Whether a snapshot is under way, so that keys are saved before they change.
    pub fn has_snapshot(&self) -> bool {
        self.state.keyspace.has_snapshot()
    }

    /// Forgets the snapshot.
    pub fn end_snapshot(&mut self) {
        self.state.keyspace.end_snapshot();
    }
}

fn text_of(error: &CommandError) -> String {
    String::from_utf8_lossy(&error.to_bytes()).into_owned()
}
