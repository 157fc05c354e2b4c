//! Policies: what holds for the queues whose keys match a pattern, in RabbitMQ's words, and for the
//! channels whose names match one, in ZeroMQ's.
//!
//! Of the policies that match a key or a channel the one with the highest priority alone applies to
//! it (<https://www.rabbitmq.com/docs/policies>). Here is what a policy says and how it is read and
//! shown; nothing of this knows a key's value or a client.

mod channel;
mod channel_table;
mod options;
mod pattern_index;
mod row;
mod table;

pub use channel::{ChannelPolicy, SlowSubscriber};
pub use channel_table::{ChannelCounts, ChannelPolicies, RankedChannelPolicy};
pub use options::{Acknowledge, Delivery, Overflow, QueuePolicy, options_help};
pub use row::{Given, Policy, Row, Takes};
pub use table::Policies;

/// What the name of the list ends with in which the append files have a queue's messages while they are
/// in flight.
pub const IN_FLIGHT: &[u8] = b":inflight";

/// And while they are delayed.
pub const DELAYED: &[u8] = b":delayed";
