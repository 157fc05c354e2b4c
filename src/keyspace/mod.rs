//! Keys and their values, in numbered databases.
//!
//! One entry has everything that belongs to a key: its value, its expiry, the clients that wait for
//! it and those that watch it. So one look-up finds both the value and the waiters. Every change of
//! a value passes through this module, which takes care of the consequences: the key is added to
//! the ready list if clients wait, and its watches break. No command has to do either.
//!
//! An entry may have only waiters or watchers and no value; commands do not see it.
//!
//! `store.rs` has the databases. The files that it imports define what they consist of, such as
//! `entry.rs`, `queue_state.rs` and `departing.rs`. The files that import it have the operations,
//! such as `look_up.rs`, `policies.rs` and `departures.rs`.

mod announced;
mod attachments;
mod bucket;
mod capacity;
mod chunked;
mod content;
mod cursor;
mod deduplication;
mod delayed;
mod delays;
mod deliverable;
mod deliveries;
mod delivery;
mod departing;
mod departures;
mod edit;
mod entries;
mod entry;
mod expiry;
mod flush;
mod following;
mod found;
mod held;
mod hidden_list;
mod holdings;
mod in_flight;
mod invariants;
mod libraries;
mod loading;
mod look_up;
mod mark;
mod number_block;
mod numbered;
mod passing;
mod pause;
mod policies;
mod policy_pass;
mod producers;
mod purge;
mod queue_clock;
mod queue_event;
mod queue_log;
mod queue_registry;
mod queue_state;
mod queue_summary;
mod queues;
mod ranks;
mod recent;
mod running_snapshot;
mod saved;
mod saved_lists;
mod signals;
mod simple_pop;
mod simple_push;
mod slot;
mod snapshot;
mod store;
mod suffixes;
mod swap;
mod time;
mod totals;
mod trash;
mod upkeep;
mod waiters;
mod walk;

pub(crate) use announced::Announced;
use attachments::Attachments;
use entry::{ENTRY_BYTES, Entry};
use queue_state::NEVER;
use store::Db;

pub(crate) use delayed::{Delayed, DelayedMessage, RecordedDelay, Released};
pub(crate) use deliveries::Return;
pub(crate) use delivery::{Claim, Delivery};
pub(crate) use edit::{Expiry, Plain};
pub(crate) use hidden_list::Position;
pub(crate) use in_flight::InFlight;
pub(crate) use mark::is_mark;
pub(crate) use queue_event::QueueEvent;
pub(crate) use queue_registry::NewlyStamped;
pub(crate) use queue_state::QueueState;
pub(crate) use queue_summary::QueueSummary;
pub(crate) use recent::Fingerprint;
pub(crate) use saved::{SavedKey, SavedPart};
pub(crate) use saved_lists::SavedList;
pub(crate) use simple_pop::SimplyPopped;
pub(crate) use slot::Slot;
pub(crate) use store::Keyspace;
pub(crate) use totals::Totals;
pub(crate) use waiters::{Awaited, Line};

pub(crate) use crate::departure::{Departure, Fate, Removed};
pub(crate) use crate::key::{DbIndex, Key};
pub(crate) use crate::value::{Value, WrongType};
