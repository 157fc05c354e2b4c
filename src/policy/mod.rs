//! Policies for the queues whose keys match a pattern, with RabbitMQ's terms, and for the channels whose
//! names match one, with ZeroMQ's.
//!
//! Only the matching policy with the highest priority applies to a key or a channel
//! (<https://www.rabbitmq.com/docs/policies>). This module defines policies, and reads and prints them.
//! It knows nothing of values or clients.

mod channel;
mod channel_table;
mod options;
mod pattern_index;
mod row;
mod table;
mod throttle;

pub use channel::{ChannelPolicy, SlowSubscriber};
pub use channel_table::{ChannelCounts, ChannelPolicies, RankedChannelPolicy};
pub use options::{
    Acknowledge, DeliveryGuarantee, MILLIS_MAX, Overflow, QueuePolicy, WRITE_ACK_REPLICAS_MAX,
    options_help,
};
pub use row::{Given, Policy, Row, Takes};
pub use table::Policies;
pub use throttle::{Rate, Throttle};

/// Suffix of the list in the append files that has a queue's messages in flight.
pub const IN_FLIGHT: &[u8] = b":inflight";

/// Suffix of the list with its delayed messages.
pub const DELAYED: &[u8] = b":delayed";
