//! A broker with its journal on a directory in memory: no thread, no clock. The journal's jobs wait
//! until the test runs them.

use super::watchful::Watchful;
use std::collections::{BTreeSet, VecDeque};
use std::io::Read;
use std::sync::Arc;
use tidegate::broker::Contents;
use tidegate::broker::turn::{Stages, turn};
use tidegate::clock::Now;
use tidegate::journal::files::Directory;
use tidegate::journal::job::{Done, Job};
use tidegate::journal::manifest::{Entry, Manifest, manifest_name};
use tidegate::journal::memory::MemoryDirectory;
use tidegate::journal::preallocated::without_preallocated;
use tidegate::journal::{Journal, JournalError, LoadError, Loader};
use tidegate::policy::WRITE_ACK_REPLICAS_MAX;
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, CloseReason, NoHost, Peer};

pub const PREFIX: &str = "appendonly.aof";
pub const CLIENTS: usize = 3;
/// The slot of the first replica, behind those of clients.
const REPLICA_SLOT: usize = 100;
pub const START: Now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };

/// Loads a directory into a new broker.
pub fn load(
    directory: &MemoryDirectory,
    settings: &str,
    now: Now,
) -> Result<(Broker, Journal), LoadError> {
    // Preallocated space for some small batches, and for no large one; reserved space for a few.
    let text =
        format!("appendonly yes\ndatabases 2\nappend-room 2560\nappend-reserve 4kb\n{settings}");
    let settings = Settings::from_text(&text, "the test's settings").expect("valid settings");
    let mut broker = Broker::new(settings, 9, Box::new(NoHost), now);
    let shared = Arc::new(Watchful(directory.clone()));
    let mut loader = Loader::begin(shared, PREFIX, &mut broker, now)?;
    loop {
        if let Some(start) = loader.step(&mut broker, now)? {
            let journal = Journal::begin(PREFIX, start, &mut broker, now);
            return Ok((broker, journal));
        }
    }
}

/// The data that loads from a directory.
pub fn contents(directory: &MemoryDirectory, settings: &str) -> Result<Contents, LoadError> {
    load(directory, settings, START).map(|(broker, _)| state_of(&broker))
}

/// All data. Under policies it includes messages in flight, which are in the queue again after loading;
/// other tests check their order.
pub fn state_of(broker: &Broker) -> Contents {
    let mut contents = broker.contents();
    if broker.settings().queue_policies.is_empty() {
        return contents;
    }
    let lists: BTreeSet<_> = contents.keys().cloned().collect();
    for ((db, list), (messages, expires_ms)) in broker.hidden_contents() {
        let key = list.strip_suffix(b":inflight").or_else(|| list.strip_suffix(b":delayed"));
        let key = key.unwrap_or(&list).to_vec();
        let is_empty = !lists.contains(&(db, key.clone()));
        let merged = contents.entry((db, key)).or_default();
        merged.0.extend(messages);
        // A list that returns expires when it would have.
        merged.1 = if is_empty { merged.1.or(expires_ms) } else { merged.1 };
    }
    contents.values_mut().for_each(|(messages, _)| messages.sort());
    contents
}

/// The content of a file.
pub fn read(directory: &MemoryDirectory, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    directory.read(name, 0).and_then(|mut file| file.read_to_end(&mut bytes)).expect("bytes");
    bytes
}

pub struct World {
    pub directory: MemoryDirectory,
    pub broker: Broker,
    pub journal: Journal,
    pub now: Now,
    clients: Vec<ClientId>,
    /// As many as any policy may need. They acknowledge each turn before the next.
    replicas: Vec<ClientId>,
    jobs: [VecDeque<(Job, usize)>; 2],
    /// Results of jobs not yet passed to the journal.
    results: Vec<Done>,
    /// Results passed in this turn.
    told: Vec<Done>,
    input: Option<(usize, String)>,
    is_busy: bool,
    /// Whether work beyond a turn's budget is left for the next.
    has_single_turns: bool,
    /// Pending bytes of each client before that.
    owed_before: Option<Vec<usize>>,
    /// The data after each turn; the first entry is the start.
    pub states: Vec<Contents>,
    /// For each client, the turns that confirmed changes, with the pending bytes up to that reply.
    promises: Vec<VecDeque<(usize, usize)>>,
    /// The last confirmed turn.
    pub acknowledged: usize,
    /// The last turn that a successful sync must have made durable.
    pub synced: usize,
    /// All replies, as text.
    pub replies: String,
    /// Files at the start that no manifest named: remains of a crash.
    strays: BTreeSet<String>,
    /// Whether the sync of a manifest's name may have failed: then it is unknown which one is in place,
    /// and files of both stay.
    pub has_unsure_manifest: bool,
}

/// Replicas that have all of the stream up to now ask for the rest.
fn follow(broker: &mut Broker, clients: &[ClientId], replicas: &[ClientId], now: Now) {
    let take = |broker: &mut Broker, client| {
        let bytes = broker.outbox(client).map(|output| output.take_all()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    broker.receive(clients[0], b"INFO replication\r\n", now);
    let info = take(broker, clients[0]);
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
    let id = field("master_replid:");
    let next = field("master_repl_offset:").parse::<u64>().map_or(1, |offset| offset + 1);
    for replica in replicas {
        broker.receive(*replica, format!("PSYNC {id} {next}\r\n").as_bytes(), now);
        assert_eq!(take(broker, *replica), "+CONTINUE\r\n");
    }
}

/// The files that no manifest names; and those with data, including the manifest.
fn names(directory: &MemoryDirectory) -> (BTreeSet<String>, BTreeSet<String>) {
    let there: BTreeSet<String> = directory.list().expect("names").into_iter().collect();
    let manifest = Manifest::load(directory, PREFIX).expect("a manifest that can be read");
    let Some(manifest) = manifest else { return (there, BTreeSet::new()) };
    let name_of = |entry: &Entry| entry.name.clone();
    let mut named: BTreeSet<String> =
        manifest.base.iter().chain(&manifest.increments).map(name_of).collect();
    named.insert(manifest_name(PREFIX));
    assert!(there.is_superset(&named), "{named:?} are named, {there:?} are there");
    let history = manifest.history.iter().map(name_of).collect();
    (&(&there - &named) - &history, named)
}

impl World {
    pub fn new(directory: MemoryDirectory, settings: &str) -> Result<World, LoadError> {
        World::at(START, directory, settings)
    }

    /// The same, at another time.
    pub fn at(now: Now, directory: MemoryDirectory, settings: &str) -> Result<World, LoadError> {
        let (broker, journal) = load(&directory, settings, now)?;
        Ok(World::of(now, directory, broker, journal))
    }

    /// Append files turned on after these requests changed a broker without them; `None` if that fails
    /// at once.
    #[allow(dead_code, reason = "not all tests that have a world use it")]
    pub fn begun_at_run_time(
        directory: MemoryDirectory,
        settings: &str,
        before: &[&str],
    ) -> Option<World> {
        let settings =
            Settings::from_text(&format!("databases 2\n{settings}"), "the test's settings");
        let settings = settings.expect("valid settings");
        let mut broker = Broker::new(settings, 9, Box::new(NoHost), START);
        let id = broker.connect(CLIENTS, Peer::in_process(), START);
        for request in before {
            broker.receive(id, format!("{request}\r\n").as_bytes(), START);
            broker.settle(START);
        }
        broker.disconnect(id, CloseReason::PeerClosed, START);
        let job = Journal::prepare(PREFIX, &broker);
        let Done::Started(Ok((manifest, tail))) = job.run(&Watchful(directory.clone())) else {
            return None;
        };
        let journal = Journal::begin_at_run_time(PREFIX, manifest, tail, &mut broker, START);
        let mut world = World::of(START, directory, broker, journal);
        world.take_jobs();
        Some(world)
    }

    fn of(now: Now, directory: MemoryDirectory, mut broker: Broker, journal: Journal) -> World {
        let (strays, _) = names(&directory);
        let clients: Vec<ClientId> =
            (0..CLIENTS).map(|slot| broker.connect(slot, Peer::in_process(), now)).collect();
        let slots = REPLICA_SLOT..REPLICA_SLOT + usize::from(WRITE_ACK_REPLICAS_MAX);
        let replicas: Vec<ClientId> =
            slots.map(|slot| broker.connect(slot, Peer::in_process(), now)).collect();
        follow(&mut broker, &clients, &replicas, now);
        let states = vec![state_of(&broker)];
        World {
            directory,
            broker,
            journal,
            now,
            clients,
            replicas,
            jobs: [VecDeque::new(), VecDeque::new()],
            results: Vec::new(),
            told: Vec::new(),
            input: None,
            is_busy: false,
            has_single_turns: false,
            owed_before: None,
            states,
            promises: vec![VecDeque::new(); CLIENTS],
            acknowledged: 0,
            synced: 0,
            replies: String::new(),
            strays,
            has_unsure_manifest: false,
        }
    }

    /// A turn in which one client sends something. False if the journal fails.
    pub fn turn(&mut self, client: usize, request: &str) -> bool {
        self.turn_of_several(client, request, false)
    }

    /// The same; the journal may be told that more input is likely.
    pub fn turn_of_several(&mut self, client: usize, request: &str, is_busy: bool) -> bool {
        self.input = Some((client, request.to_string()));
        self.turn_that_answers(is_busy) && self.end_deferred()
    }

    /// A turn in which one client sends something, or nothing comes. From now on, work beyond a turn's
    /// budget is left for the next.
    #[allow(dead_code, reason = "not all tests that have a world use it")]
    pub fn single_turn(&mut self, request: Option<&str>) -> bool {
        self.has_single_turns = true;
        self.input = request.map(|request| (0, format!("{request}\r\n")));
        self.turn_that_answers(false)
    }

    /// Requests that had to wait for space run in a turn of their own, at once.
    fn end_deferred(&mut self) -> bool {
        while self.broker.has_backlog() {
            if !self.turn_that_answers(false) {
                return false;
            }
        }
        true
    }

    /// A turn that may confirm changes.
    fn turn_that_answers(&mut self, is_busy: bool) -> bool {
        self.is_busy = is_busy;
        self.owed_before = Some(vec![0; self.clients.len()]);
        turn(self).is_ok()
    }

    /// A turn without input, after some time.
    pub fn wait(&mut self, us: u64) -> bool {
        self.now = self.now.plus_us(us);
        self.is_busy = false;
        turn(self).is_ok() && self.end_deferred()
    }

    /// Waits for the journal's deadline, and no longer. False if there is none.
    #[allow(dead_code, reason = "not all tests that have a world use it")]
    pub fn wait_for_deadline(&mut self) -> bool {
        let wait = self.journal.next_deadline(&self.broker, self.now);
        wait.is_some_and(|wait| self.wait(wait.as_micros() as u64))
    }

    /// All clients disconnect, and none of them gets messages that the others return.
    #[allow(dead_code, reason = "not all tests that have a world use it")]
    pub fn disconnect_all(&mut self, reason: CloseReason) {
        let clients = std::mem::take(&mut self.clients);
        clients.iter().for_each(|id| self.broker.close(*id, reason));
        clients.iter().for_each(|id| self.broker.disconnect(*id, reason, self.now));
    }

    fn take_jobs(&mut self) {
        while let Some(job) = self.journal.next_job() {
            let lane = usize::from(!matches!(job, Job::Sync { .. }));
            self.jobs[lane].push_back((job, self.states.len() - 1));
        }
    }

    pub fn has_jobs(&self) -> bool {
        self.jobs.iter().any(|jobs| !jobs.is_empty()) || !self.results.is_empty()
    }

    /// Runs a job of a lane, if there is one: the next one, except that syncs run in any order. The
    /// journal does not get the result yet.
    pub fn run_job(&mut self, lane: usize, choice: usize) {
        let jobs = &mut self.jobs[lane];
        let at = if lane == 0 { choice % jobs.len().max(1) } else { 0 };
        let Some((job, turn)) = jobs.remove(at) else { return };
        let done = job.run(&Watchful(self.directory.clone()));
        if let Done::Synced { result: Ok(()), .. } = &done {
            self.synced = self.synced.max(turn);
        }
        self.results.push(done);
    }

    /// A turn in which the journal gets the result of one finished job, if there is one. False if the
    /// journal fails.
    pub fn tell(&mut self, choice: usize) -> bool {
        self.will_tell(choice);
        // An event that wakes the loop counts as input, too.
        self.is_busy = !self.told.is_empty();
        !self.is_busy || turn(self).is_ok()
    }

    /// The next turn begins with the result of one finished job, if there is one.
    pub fn will_tell(&mut self, choice: usize) {
        if !self.results.is_empty() {
            self.told.push(self.results.swap_remove(choice % self.results.len()));
        }
    }

    /// Runs a job of each lane, and passes all results to the journal.
    pub fn work(&mut self) -> bool {
        self.run_job(0, 0);
        self.run_job(1, 0);
        while !self.results.is_empty() {
            if !self.tell(0) {
                return false;
            }
        }
        true
    }

    /// Lets everything come to rest: no more faults, all jobs run, time passes.
    pub fn rest(&mut self) {
        for _ in 0..200 {
            assert!(self.work(), "nothing fails any more");
            assert!(self.wait(50_000), "nothing fails any more");
        }
        // A loop without work must not turn for ever.
        let deadline = self.journal.next_deadline(&self.broker, self.now);
        assert_eq!(deadline, None, "something is still to be done");
        self.check_at_rest();
    }

    /// When everything is done, nothing is left over: no files, and nothing that needs a rewrite.
    fn check_at_rest(&self) {
        assert!(!self.broker.has_snapshot(), "a snapshot goes on collecting");
        assert!(!self.broker.has_held() && !self.broker.has_changed(), "replies are held for ever");
        let (strays, named) = names(&self.directory);
        let is_clean = strays.is_subset(&self.strays) || self.has_unsure_manifest;
        assert!(is_clean, "files that nobody needs: {strays:?}");
        let persistence = self.broker.persistence();
        assert!(!persistence.is_rewriting && persistence.pending_bytes == 0);
        assert_eq!(persistence.pending_syncs, 0);
        let data = named.iter().filter(|name| **name != manifest_name(PREFIX));
        let bytes: usize =
            data.map(|name| without_preallocated(&read(&self.directory, name))).sum();
        if !self.has_unsure_manifest {
            assert_eq!(persistence.current_bytes, bytes as u64, "aof_current_size");
        }
    }

    /// The orderly end of the process.
    pub fn close(mut self) -> MemoryDirectory {
        while self.has_jobs() {
            self.work();
        }
        self.journal.close(&mut self.broker).expect("the end is written");
        self.directory
    }
}

impl Stages for World {
    type Error = JournalError;

    fn finish_jobs(&mut self) -> Result<bool, JournalError> {
        let has_ended = !self.told.is_empty();
        for done in std::mem::take(&mut self.told) {
            self.journal.finish(done, &mut self.broker, self.now)?;
        }
        self.take_jobs();
        Ok(has_ended)
    }

    fn has_changed(&self) -> bool {
        self.broker.has_changed()
    }

    fn read(&mut self) {
        if let Some(before) = &mut self.owed_before {
            for (id, before) in self.clients.iter().zip(before) {
                *before = owed(&mut self.broker, *id);
            }
        }
        if let Some((client, request)) = self.input.take() {
            self.broker.receive(self.clients[client], request.as_bytes(), self.now);
        }
    }

    fn settle(&mut self) {
        self.broker.settle(self.now);
        while self.broker.has_backlog() && !self.has_single_turns {
            self.broker.settle(self.now);
        }
        let turn = self.states.len();
        let state = state_of(&self.broker);
        // The reply at the end of a wait is empty, and promises nothing.
        if let Some(before) = self.owed_before.take().filter(|_| self.states.last() != Some(&state))
        {
            for (client, before) in before.into_iter().enumerate() {
                let answered = owed_from(&mut self.broker, self.clients[client], before);
                // An error promises nothing: its client changed nothing, though another did.
                let is_promise = answered
                    .split(|byte| *byte == b'\n')
                    .any(|line| line.first().is_some_and(|first| *first != b'-'));
                if is_promise {
                    self.promises[client].push_back((turn, answered.len() + before));
                }
            }
        }
        self.states.push(state);
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        self.broker.end_turn(self.now);
        let policies = &self.broker.settings().queue_policies;
        if policies.iter().any(|policy| policy.write_ack_replicas > 0) {
            let offset = self.broker.stream_offset();
            for replica in &self.replicas {
                self.broker.acknowledge(*replica, offset, None, self.now);
            }
        }
        let committed = self.journal.commit(&mut self.broker, self.is_busy, self.now);
        self.take_jobs();
        self.broker.check_invariants();
        committed
    }

    /// Takes sendable output, and records which turns it confirms.
    fn write(&mut self) {
        for (client, &id) in self.clients.iter().enumerate() {
            let sendable = self.broker.sendable(id);
            let Some(output) = self.broker.outbox(id) else { continue };
            let mut slices = [std::io::IoSlice::new(&[]); 64];
            let filled = output.io_slices(&mut slices, sendable);
            for slice in &slices[..filled] {
                self.replies.push_str(&String::from_utf8_lossy(slice));
            }
            output.advance(sendable);
            self.broker.flushed(id, sendable, self.now);
            let promises = &mut self.promises[client];
            // The positions count from the front of the output, which has moved.
            while let Some((turn, end)) = promises.front().copied()
                && end <= sendable
            {
                self.acknowledged = self.acknowledged.max(turn);
                promises.pop_front();
            }
            for (_, end) in promises.iter_mut() {
                *end -= sendable;
            }
        }
    }

    fn close(&mut self) {}
}

/// A client's pending output, without the first bytes.
fn owed_from(broker: &mut Broker, id: ClientId, from: usize) -> Vec<u8> {
    let Some(output) = broker.outbox(id) else { return Vec::new() };
    let mut slices = [std::io::IoSlice::new(&[]); 64];
    let filled = output.io_slices(&mut slices, usize::MAX);
    slices[..filled].iter().flat_map(|slice| slice.iter().copied()).skip(from).collect()
}

fn owed(broker: &mut Broker, id: ClientId) -> usize {
    broker.outbox(id).map_or(0, |output| output.len())
}
