//! One client of the model.

use std::collections::{BTreeSet, VecDeque};

use tidegate::CloseReason;

use super::policies::Policy;
use super::{Key, Words};

/// What a client sends as one unit.
#[derive(Clone, Debug)]
pub enum Input {
    Command(Words),
    /// Bytes that mean nothing: an empty line, an array without elements.
    Nothing,
    /// Bytes that break the protocol, with the text of the answer.
    Broken(&'static str),
}

/// Which end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// What a blocked client wants of a list.
#[derive(Clone, Debug)]
pub enum Take {
    /// One message, answered with the key.
    One(Side),
    /// Up to so many, answered with the key.
    Many(Side, usize),
    /// One message, put into another list.
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
    /// Room in a queue that was full under this policy, for these messages.
    Room {
        db: usize,
        key: Key,
        side: Side,
        messages: Vec<Vec<u8>>,
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
    /// Waits to have the rest of its input run.
    pub is_in_backlog: bool,
    /// What was sent and has not run, each with the position in the stream at which it ends.
    pub inputs: VecDeque<(usize, Input)>,
    /// Positions in the stream of input: sent, received by the broker, run.
    pub sent: usize,
    pub received: usize,
    pub used: usize,
    /// The stream of output since the connection began, and how much of it the client has taken.
    pub owed: Vec<u8>,
    pub taken: usize,
    /// The number of the input that came last: bytes begin a new one if all that was sent has been run and
    /// answered, and the client has taken the answers.
    pub input_number: usize,
    /// Whether something came while the client waited that was not received.
    pub has_early_input: bool,
    /// Where the last answer ends in the stream of output.
    pub answered: usize,
    /// The inputs that were last answered with a message to be acknowledged by a pop, and in which the
    /// client last waited for one.
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

    /// Whether it is to be dropped without a further word.
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

    pub fn waits_for_room(&self, wanted_db: usize, wanted: &[u8]) -> bool {
        match &self.wait {
            Some(Wait::Room { db, key, .. }) => *db == wanted_db && key == wanted,
            _ => false,
        }
    }

    /// Whether it waits for something that another client's command may give.
    pub fn waits_in_line(&self) -> bool {
        matches!(self.wait, Some(Wait::Keys { .. } | Wait::Room { .. }))
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

    /// Forgets a transaction and the watches.
    pub fn end_transaction(&mut self) {
        self.queued = None;
        self.is_aborted = false;
        self.watched.clear();
        self.is_watch_broken = false;
    }
}
