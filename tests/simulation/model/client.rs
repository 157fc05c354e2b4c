//! One client of the model.

use std::collections::{BTreeSet, VecDeque};

use tidegate::CloseReason;

use super::any_order::AnyOrder;
use super::policies::Policy;
use super::pushes::PushOptions;
use super::{Key, Words};

/// One unit of a client's input.
#[derive(Clone, Debug)]
pub enum Input {
    Command(Words),
    /// Bytes without effect: an empty line, an array without elements.
    Nothing,
    /// Bytes that break the protocol, with the text of the error.
    Broken(&'static str),
}

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// What a blocked client takes from a list.
#[derive(Clone, Debug)]
pub enum Take {
    /// One message; the reply includes the key.
    One(Side),
    /// Up to this many; the reply includes the key.
    Many(Side, usize),
    /// Up to this many, with receipts; the reply includes the key.
    Receipts { side: Side, count: usize, lease_ms: Option<i64> },
    /// One message, moved to another list.
    Move { from: Side, to: Side, destination: Key },
}

/// What a blocked client waits for.
#[derive(Clone, Debug)]
pub enum Wait {
    Keys {
        db: usize,
        keys: Vec<Key>,
        take: Take,
        deadline_us: Option<u64>,
    },
    /// The member with the lowest or the highest score of a sorted set.
    Member {
        db: usize,
        keys: Vec<Key>,
        is_max: bool,
        deadline_us: Option<u64>,
    },
    /// Capacity in a queue that was full under this policy, for these messages.
    Capacity {
        db: usize,
        key: Key,
        side: Side,
        messages: Vec<Vec<u8>>,
        options: PushOptions,
        policy: Policy,
        deadline_us: u64,
    },
    EndOfPause,
}

/// The three kinds of subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Channel,
    Pattern,
    Shard,
}

#[derive(Default)]
pub struct Client {
    pub is_connected: bool,
    pub closing: Option<CloseReason>,
    pub is_resp3: bool,
    pub db: usize,
    pub wait: Option<Wait>,
    /// Waits for the rest of its input to run.
    pub is_in_backlog: bool,
    /// Input that has not run, each with its end position in the stream.
    pub inputs: VecDeque<(usize, Input)>,
    /// Positions in the stream of input: sent, received by the broker, run.
    pub sent: usize,
    pub received: usize,
    pub used: usize,
    /// The stream of output since the connection began, and how much of it the client has read.
    pub owed: Vec<u8>,
    pub taken: usize,
    /// The parts of the output not yet compared whose order is the broker's choice.
    pub any_order: Vec<AnyOrder>,
    /// The number of the latest input: bytes begin a new one if all earlier input has run, and the
    /// client has read the replies.
    pub input_number: usize,
    /// Whether input arrived while the client waited and was not received.
    pub has_early_input: bool,
    /// The end of the last reply in the stream of output.
    pub answered: usize,
    /// The latest inputs in which the client received, or began to wait for, a message that a pop
    /// acknowledges.
    pub delivered_in: usize,
    pub waited_in: usize,
    /// Whether pops have overlapped.
    pub is_shared: bool,
    /// The queued commands, after MULTI.
    pub queued: Option<Vec<Words>>,
    pub is_aborted: bool,
    pub watched: Vec<(usize, Key)>,
    pub is_watch_broken: bool,
    pub channels: BTreeSet<Vec<u8>>,
    pub patterns: BTreeSet<Vec<u8>>,
    pub shard_channels: BTreeSet<Vec<u8>>,
}

impl Client {
    pub fn is_subscriber(&self) -> bool {
        !(self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty())
    }

    pub fn wants_input(&self) -> bool {
        self.is_connected && self.closing.is_none() && self.wait.is_none() && !self.is_in_backlog
    }

    /// Whether it will be dropped without further output.
    pub fn is_gone(&self) -> bool {
        matches!(self.closing, Some(CloseReason::Killed | CloseReason::Idle))
    }

    pub fn waits_for(&self, wanted_db: usize, key: &[u8]) -> bool {
        match &self.wait {
            Some(Wait::Keys { db, keys, .. }) => {
                *db == wanted_db && keys.iter().any(|waited| waited == key)
            }
            _ => false,
        }
    }

    pub fn waits_for_member(&self, wanted_db: usize, key: &[u8]) -> bool {
        match &self.wait {
            Some(Wait::Member { db, keys, .. }) => {
                *db == wanted_db && keys.iter().any(|waited| waited == key)
            }
            _ => false,
        }
    }

    pub fn waits_for_capacity(&self, wanted_db: usize, wanted: &[u8]) -> bool {
        match &self.wait {
            Some(Wait::Capacity { db, key, .. }) => *db == wanted_db && key == wanted,
            _ => false,
        }
    }

    /// Whether it waits for something that another client's command may provide.
    pub fn waits_in_line(&self) -> bool {
        matches!(self.wait, Some(Wait::Keys { .. } | Wait::Member { .. } | Wait::Capacity { .. }))
    }

    pub fn names(&self, kind: Kind) -> &BTreeSet<Vec<u8>> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shard_channels,
        }
    }

    pub fn names_mut(&mut self, kind: Kind) -> &mut BTreeSet<Vec<u8>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// Drops a transaction and the watches.
    pub fn end_transaction(&mut self) {
        self.queued = None;
        self.is_aborted = false;
        self.watched.clear();
        self.is_watch_broken = false;
    }
}
