//! Everything that commands read and change.

use crate::acl::{AccessLog, Catalogue, Users};
use crate::busy_script::BusyScript;
use crate::channels::Channels;
use crate::client_id::ClientId;
use crate::clients::{AuthFailures, Clients, CloseReason};
use crate::clock::Now;
use crate::deadlines::Deadlines;
use crate::host::Host;
use crate::keyspace::Keyspace;
use crate::line_limit::LineLimit;
use crate::persistence::Persistence;
use crate::policy::ChannelPolicies;
use crate::replication::{Acknowledged, Migrations, Replication, StreamId};
use crate::scripting::Scripting;
use crate::settings::Settings;
use crate::slowlog::{Latency, Slowlog};
use crate::stats::{Stats, Timer};
use crate::value::Growth;

/// CLIENT PAUSE: which commands wait, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// Microseconds of the monotonic clock.
    pub(crate) until_us: u64,
    /// Only commands that change data wait.
    pub(crate) writes_only: bool,
}

/// A request to the program around the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownRequest {
    /// Stop as for SIGTERM.
    Stop,
    /// Stop at once, without sending pending output.
    Now,
    /// Stop at once, in the middle of a script. The changes since the last commit are dropped.
    Abandon,
}

/// Whether SHUTDOWN asks for an RDB file first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastSave {
    /// SAVE or NOSAVE; without either, the `save` lines decide.
    pub(crate) is_wanted: Option<bool>,
    /// FORCE: the server stops without the file, too, if it cannot be written.
    pub(crate) is_forced: bool,
    /// The client that is told so otherwise.
    pub(crate) client: Option<ClientId>,
}

/// The broker's state.
pub struct State {
    pub(crate) settings: Settings,
    pub(crate) users: Users,
    /// Refused requests.
    pub(crate) access_log: AccessLog,
    pub(crate) clients: Clients,
    pub(crate) keyspace: Keyspace,
    pub(crate) channels: Channels,
    /// The channel policies in effect.
    pub(crate) channel_policies: ChannelPolicies,
    pub(crate) persistence: Persistence,
    pub(crate) replication: Replication,
    /// Keys on their way to other servers.
    pub(crate) migrations: Migrations,
    /// What replicas have acknowledged.
    pub(crate) acknowledged: Acknowledged,
    /// Timeouts of blocked clients, in microseconds of the monotonic clock.
    pub(crate) wait_deadlines: Deadlines<ClientId>,
    /// The ticket of the next client that blocks.
    pub(crate) next_ticket: u64,
    pub(crate) monitors: Vec<ClientId>,
    pub(crate) pause: Option<Pause>,
    pub(crate) stats: Stats,
    pub(crate) timer: Timer,
    pub(crate) slowlog: Slowlog,
    pub(crate) latency: Latency,
    /// Clients closed for a reason that is logged.
    pub(crate) closed: LineLimit<CloseReason>,
    /// Refused passwords by address.
    pub(crate) auth_failures: AuthFailures,
    /// When the broker began.
    pub(crate) started: Now,
    /// Physical memory of the process when the broker began; 0 if unknown.
    pub(crate) startup_bytes: usize,
    /// 40 hexadecimal digits, unique to this run.
    pub(crate) run_id: String,
    /// Set by SHUTDOWN.
    pub(crate) shutdown: Option<ShutdownRequest>,
    /// Set by SHUTDOWN too.
    pub(crate) last_save: LastSave,
    pub(crate) scripting: Scripting,
    /// The running script, if it has run for too long.
    pub(crate) busy_script: Option<Box<BusyScript>>,
    pub(crate) host: Box<dyn Host>,
    pub(crate) random: Random,
}

impl State {
    /// `catalogue` has the commands that users may be allowed.
    pub(crate) fn new(
        settings: Settings,
        catalogue: &'static Catalogue,
        seed: u64,
        host: Box<dyn Host>,
        now: Now,
    ) -> State {
        let mut random = Random::new(seed);
        let stream_id = StreamId::random(|| random.next());
        let run_id = (0..5).map(|_| format!("{:08x}", random.next() as u32)).collect();
        let mut clients = Clients::default();
        clients.set_output_limits(settings.output_limits, now.monotonic_us);
        let mut keyspace = Keyspace::new(settings.databases as usize, random.next());
        keyspace.start_queue_clock(now);
        keyspace.work.begin_turn(settings.turn_work_max);
        // There is no key yet to which they could apply.
        keyspace.set_policies(|policies| drop(policies.configure(&settings.queue_policies)));
        keyspace.policies().warn_of_assumptions();
        let mut channel_policies = ChannelPolicies::default();
        channel_policies.configure(&settings.channel_policies);
        keyspace.set_memory_limits(
            count_max(settings.dedup_messages_max),
            count_max(settings.idle_queues_max),
        );
        let users = Users::new(catalogue, &settings.requirepass, settings.opens_channels());
        State {
            users,
            access_log: AccessLog::default(),
            keyspace,
            channels: Channels::new(random.next()),
            channel_policies,
            persistence: Persistence::default(),
            replication: Replication::new(stream_id),
            migrations: Migrations::default(),
            acknowledged: Acknowledged::default(),
            clients,
            wait_deadlines: Deadlines::default(),
            next_ticket: 0,
            monitors: Vec::new(),
            pause: None,
            stats: Stats::default(),
            timer: Timer::default(),
            slowlog: Slowlog::default(),
            latency: Latency::default(),
            closed: LineLimit::default(),
            auth_failures: AuthFailures::default(),
            started: now,
            startup_bytes: usize::try_from(host.resident_bytes()).unwrap_or(usize::MAX),
            run_id,
            shutdown: None,
            last_save: LastSave::default(),
            scripting: Scripting::default(),
            busy_script: None,
            host,
            random,
            settings,
        }
    }

    /// Returns how hashes grow.
    #[inline]
    pub(crate) fn hash_growth(&self) -> Growth {
        Growth {
            hasher: self.keyspace.hasher().clone(),
            count_max: count_max(self.settings.encodings.hash_listpack_entries_max),
            bytes_max: count_max(self.settings.encodings.hash_listpack_bytes_max),
        }
    }

    /// Returns how sets grow.
    #[inline]
    pub(crate) fn set_growth(&self) -> Growth {
        Growth {
            hasher: self.keyspace.hasher().clone(),
            count_max: count_max(self.settings.encodings.intset_entries_max),
            bytes_max: usize::MAX,
        }
    }

    /// Updates the settings to the queue policies in effect, wherever they were set.
    pub fn show_policies(&mut self) {
        self.settings.queue_policies = self.keyspace.policies().effective();
    }

    /// Whether any change must be acknowledged by replicas before its reply is sent.
    #[inline]
    pub fn needs_replicas(&self) -> bool {
        self.settings.acknowledgement.replicas > 0
            || self.keyspace.policies().write_ack_replicas_max() > 0
    }

    /// Memory in use as shown by INFO: the process before there was any data, and what counts against
    /// `maxmemory`.
    pub fn process_bytes(&self) -> usize {
        self.startup_bytes.saturating_add(self.used_bytes())
    }

    /// Memory that counts against `maxmemory`: data and client buffers.
    #[inline]
    pub fn used_bytes(&self) -> usize {
        self.keyspace.bytes() + self.clients.memory_bytes()
    }

    /// Memory of the names and values of keys, without their tables.
    pub fn dataset_bytes(&self) -> usize {
        self.keyspace.bytes() - self.keyspace.table_bytes()
    }
}

impl State {
    /// Returns how sorted sets grow.
    #[inline]
    pub(crate) fn sorted_set_growth(&self) -> Growth {
        Growth {
            hasher: self.keyspace.hasher().clone(),
            count_max: count_max(self.settings.sorted_set.small_len_max),
            bytes_max: count_max(self.settings.sorted_set.small_member_bytes_max),
        }
    }
}

/// A limit of the settings as a count; one beyond memory means no limit.
pub(crate) fn count_max(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// A small generator for choices that need no secrecy (RANDOMKEY): splitmix64.
#[derive(Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    /// The next number, evenly spread over all of `u64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
