//! Channels: those with subscribers, and the effects of policies on slow subscribers.

use super::figure::Unit::Count;
use super::figure::{Each, Figure, counter, gauge};
use crate::channels::Kind;
use crate::policy::ChannelCounts;

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    gauge("pubsub_channels", "channels", Count,
        "Channels with subscribers.", |r| r.state.channels.len(Kind::Channel).into()),
    gauge("pubsub_patterns", "channel_patterns", Count,
        "Patterns with subscribers.", |r| r.state.channels.len(Kind::Pattern).into()),
    gauge("pubsubshard_channels", "shard_channels", Count, "Shard channels with subscribers.",
        |r| r.state.channels.len(Kind::Shard).into()),

    gauge("subscriptions", "channel_subscriptions", Count, "Subscriptions of all clients to channels and patterns.",
        |r| r.state.channels.subscription_count().into()),
    counter("published_messages_sent", "channel_messages_sent_total", Count, "Published messages for subscribers, each counted for each.",
        |r| r.state.stats.messages_delivered.into()),

    gauge("channel_policies", "channel_policies", Count,
        "Channel policies in force.", |r| r.state.channel_policies.iter().len().into()),
    counter("channel_messages_dropped_oldest", "channels_dropped_oldest_total", Count,
        "Messages dropped to send a later one to a slow subscriber.",
        |r| r.channel_sums().dropped_oldest.into()),
    counter("channel_messages_dropped_newest", "channels_dropped_newest_total", Count,
        "Messages not sent to a slow subscriber.",
        |r| r.channel_sums().dropped_newest.into()),
    counter("channel_subscribers_disconnected", "channels_disconnected_total", Count,
        "Slow subscribers that were disconnected.",
        |r| r.channel_sums().disconnected.into()),
];

/// For each channel policy.
#[rustfmt::skip]
pub static EACH_CHANNEL_POLICY: &[Each<ChannelCounts>] = &[
    counter("dropped_oldest", "channel_policy_dropped_oldest_total", Count,
        "Messages dropped to send a later one.", |counts| counts.dropped_oldest.into()),
    counter("dropped_newest", "channel_policy_dropped_newest_total", Count,
        "Messages not sent.", |counts| counts.dropped_newest.into()),
    counter("disconnected", "channel_policy_disconnected_total", Count,
        "Subscribers disconnected.", |counts| counts.disconnected.into()),
];
