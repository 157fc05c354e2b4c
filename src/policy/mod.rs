//! Queue policies: what holds for the queues whose keys match a pattern, in RabbitMQ's words.
//!
//! Of the policies that match a key the one with the highest priority alone applies to it
//! (<https://www.rabbitmq.com/docs/policies>). Here is what a policy says and how it is read and shown;
//! nothing of this knows a key's value or a client.

mod options;
mod row;
mod table;

pub use options::{Acknowledge, Delivery, Overflow, QueuePolicy, options_help};
pub use row::Policy;
pub use table::Policies;
