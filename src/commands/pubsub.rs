//! Publish/subscribe. <https://redis.io/docs/latest/develop/interact/pubsub/>

mod deliver;

use super::help::{self, wrong_arguments};
use crate::channels::{Channels, Kind, Subscribers};
use crate::client_id::ClientId;
use crate::clients::Subscriptions;
use crate::engine::Arg::{Many, One, Optional, OptionalMany};
use crate::engine::Group::PubSub;
use crate::engine::uses::NOT_KEY;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::glob::glob_matches;
use crate::keyspace::Key;
use crate::resp::{Output, Request};
use crate::state::State;
use deliver::Fanout;
use std::collections::BTreeSet;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("subscribe", -2, subscribe).group(PubSub).since("2.0.0").per_connection().pubsub().no_script()
        .anytime().for_subscribers().channels(1).args(&[Many("channel")]).cost("O(1) for each channel")
        .says("Subscribes to channels."),
    Command::new("unsubscribe", -1, unsubscribe).group(PubSub).since("2.0.0").per_connection().pubsub().no_script()
        .anytime().for_subscribers().args(&[OptionalMany("channel")]).cost("O(1) for each channel")
        .says("Unsubscribes from the given channels, or from all."),
    Command::new("psubscribe", -2, psubscribe).group(PubSub).since("2.0.0").per_connection().pubsub().no_script()
        .anytime().for_subscribers().channel_patterns(1).args(&[Many("pattern")]).cost("O(1) for each pattern")
        .says("Subscribes to all channels whose names match patterns."),
    Command::new("punsubscribe", -1, punsubscribe).group(PubSub).since("2.0.0").per_connection().pubsub()
        .no_script().anytime().for_subscribers().args(&[OptionalMany("pattern")])
        .cost("O(1) for each pattern").says("Unsubscribes from the given patterns, or from all."),
    Command::new("ssubscribe", -2, ssubscribe).group(PubSub).since("7.0.0").per_connection().pubsub().no_script()
        .anytime().for_subscribers().keys(1, -1, NOT_KEY).channels(1).args(&[Many("shardchannel")])
        .cost("O(1) for each channel").says("Subscribes to shard channels."),
    Command::new("sunsubscribe", -1, sunsubscribe).group(PubSub).since("7.0.0").per_connection().pubsub()
        .no_script().anytime().for_subscribers().keys(1, -1, NOT_KEY)
        .args(&[OptionalMany("shardchannel")]).cost("O(1) for each channel")
        .says("Unsubscribes from the given shard channels, or from all."),
    Command::new("publish", 3, publish).group(PubSub).since("2.0.0").pubsub().anytime().fast()
        .may_replicate().channel(1).args(&[One("channel"), One("message")])
        .cost("O(N+M) where N is the number of subscribers and M the number of patterns")
        .says("Publishes a message on a channel."),
    Command::new("spublish", 3, spublish).group(PubSub).since("7.0.0").pubsub().anytime().fast()
        .may_replicate().key(1, NOT_KEY).channel(1).args(&[One("shardchannel"), One("message")])
        .cost("O(N) where N is the number of subscribers")
        .says("Publishes a message on a shard channel."),
    Command::container("pubsub", PUBSUB).group(PubSub).since("2.8.0")
        .says("A container for commands about channels."),
];

#[rustfmt::skip]
static PUBSUB: &[Command] = &[
    Command::new("pubsub|channels", -2, pubsub_channels).group(PubSub).since("2.8.0").pubsub()
        .anytime().args(&[Optional("pattern")]).cost("O(N) where N is the number of channels")
        .says("Lists the channels that have subscribers."),
    Command::new("pubsub|numsub", -2, pubsub_numsub).group(PubSub).since("2.8.0").pubsub()
        .anytime().args(&[OptionalMany("channel")]).cost("O(1) for each channel")
        .says("Counts the subscribers of channels."),
    Command::new("pubsub|numpat", 2, pubsub_numpat).group(PubSub).since("2.8.0").pubsub().anytime()
        .says("Counts the patterns that have subscribers."),
    Command::new("pubsub|shardchannels", -2, pubsub_shardchannels).group(PubSub).since("7.0.0")
        .pubsub().anytime().args(&[Optional("pattern")])
        .cost("O(N) where N is the number of channels")
        .says("Lists the shard channels that have subscribers."),
    Command::new("pubsub|shardnumsub", -2, pubsub_shardnumsub).group(PubSub).since("7.0.0")
        .pubsub().anytime().args(&[OptionalMany("shardchannel")]).cost("O(1) for each channel")
        .says("Counts the subscribers of shard channels."),
    Command::new("pubsub|help", 2, pubsub_help).group(PubSub).since("6.2.0").anytime()
        .says("Returns help on the subcommands."),
];

/// The protocol's words for the start and end of a subscription.
struct Words {
    subscribed: &'static [u8],
    unsubscribed: &'static [u8],
}

fn words(kind: Kind) -> Words {
    match kind {
        Kind::Channel => Words { subscribed: b"subscribe", unsubscribed: b"unsubscribe" },
        Kind::Pattern => Words { subscribed: b"psubscribe", unsubscribed: b"punsubscribe" },
        Kind::Shard => Words { subscribed: b"ssubscribe", unsubscribed: b"sunsubscribe" },
    }
}

fn names_of(subscriptions: &mut Subscriptions, kind: Kind) -> &mut BTreeSet<Key> {
    match kind {
        Kind::Channel => &mut subscriptions.channels,
        Kind::Pattern => &mut subscriptions.patterns,
        Kind::Shard => &mut subscriptions.shard_channels,
    }
}

/// Returns Redis' count in a subscription's confirmation: channels and patterns together, shard
/// channels separately.
fn counted(subscriptions: &Subscriptions, kind: Kind) -> usize {
    match kind {
        Kind::Channel | Kind::Pattern => {
            subscriptions.channels.len() + subscriptions.patterns.len()
        }
        Kind::Shard => subscriptions.shard_channels.len(),
    }
}

fn subscribe(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    subscribe_to(ctx, request, Kind::Channel)
}

fn psubscribe(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    subscribe_to(ctx, request, Kind::Pattern)
}

fn ssubscribe(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    // Redis makes no exception for EXEC here, unlike for the other two.
    if !ctx.origin.may_wait() {
        return Err(CommandError::text("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    subscribe_to(ctx, request, Kind::Shard)
}

fn subscribe_to(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    kind: Kind,
) -> Result<(), CommandError> {
    let State { clients, channels, .. } = &mut *ctx.state;
    let Some(client) = clients.get_mut(ctx.client) else { return Ok(()) };
    let subscriptions = client.subscriptions.get_or_insert_default();
    for name in request.args_from(1) {
        if !names_of(subscriptions, kind).contains(name) {
            let key = channels.subscribe(kind, name, ctx.client);
            names_of(subscriptions, kind).insert(key);
        }
        let count = counted(subscriptions, kind);
        confirm(ctx.reply, words(kind).subscribed, Some(name), count);
    }
    Ok(())
}

/// Writes the push that confirms a change of subscriptions.
fn confirm(reply: &mut Output, word: &[u8], name: Option<&[u8]>, count: usize) {
    reply.push(3);
    reply.bulk(word);
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    reply.count(count);
}

fn unsubscribe(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    unsubscribe_from(ctx, request, Kind::Channel)
}

fn punsubscribe(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    unsubscribe_from(ctx, request, Kind::Pattern)
}

fn sunsubscribe(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    unsubscribe_from(ctx, request, Kind::Shard)
}

fn unsubscribe_from(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    kind: Kind,
) -> Result<(), CommandError> {
    let State { clients, channels, .. } = &mut *ctx.state;
    let Some(client) = clients.get_mut(ctx.client) else { return Ok(()) };
    let subscriptions = client.subscriptions.get_or_insert_default();
    let word = words(kind).unsubscribed;
    if request.len() > 1 {
        for name in request.args_from(1) {
            if names_of(subscriptions, kind).remove(name) {
                channels.unsubscribe(kind, name, ctx.client);
            }
            confirm(ctx.reply, word, Some(name), counted(subscriptions, kind));
        }
    } else {
        let names = std::mem::take(names_of(subscriptions, kind));
        let others = counted(subscriptions, kind);
        if names.is_empty() {
            confirm(ctx.reply, word, None, others);
        }
        for (done, name) in names.iter().enumerate() {
            channels.unsubscribe(kind, name, ctx.client);
            confirm(ctx.reply, word, Some(name), others + names.len() - 1 - done);
        }
    }
    if subscriptions.is_empty() {
        client.subscriptions = None;
    }
    Ok(())
}

/// Ends all subscriptions of a client without confirmation (RESET, the end of the connection).
pub(crate) fn forget(state: &mut State, id: ClientId) {
    let State { clients, channels, .. } = state;
    let Some(client) = clients.get_mut(id) else { return };
    let Some(mut subscriptions) = client.subscriptions.take() else { return };
    for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
        for name in std::mem::take(names_of(&mut subscriptions, kind)) {
            channels.unsubscribe(kind, &name, id);
        }
    }
}

fn publish(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (channel, message) = (args.required()?, args.required()?);
    let (channels, mut delivery) = fanout(ctx, channel);
    let mut receivers = 0;
    if !channels.is_empty(Kind::Channel)
        && let Some(subscribers) = channels.subscribers(Kind::Channel, channel)
    {
        receivers += delivery.send(subscribers, &[b"message", channel, message]);
    }
    if !channels.is_empty(Kind::Pattern) {
        for (pattern, subscribers) in channels.matching_patterns(channel) {
            receivers += delivery.send(subscribers, &[b"pmessage", &pattern[..], channel, message]);
        }
    }
    end_publish(ctx, request, receivers);
    Ok(())
}

fn spublish(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (channel, message) = (args.required()?, args.required()?);
    let (channels, mut delivery) = fanout(ctx, channel);
    let receivers = match channels.subscribers(Kind::Shard, channel) {
        Some(subscribers) => delivery.send(subscribers, &[b"smessage", channel, message]),
        None => 0,
    };
    end_publish(ctx, request, receivers);
    Ok(())
}

/// Counts a published message, passes it on to replicas, and replies.
fn end_publish(ctx: &mut Context<'_>, request: &Request<'_>, receivers: usize) {
    ctx.state.stats.messages_delivered += receivers as u64;
    ctx.state.keyspace.work.keys(receivers);
    if ctx.state.replication.takes_published() {
        ctx.state.replication.publish(request.args());
    }
    ctx.reply.count(receivers);
}

/// Returns all subscribers, and the means to deliver a message on this channel.
fn fanout<'a>(ctx: &'a mut Context<'_>, channel: &[u8]) -> (&'a Channels, Fanout<'a>) {
    let State { clients, channels, channel_policies, .. } = &mut *ctx.state;
    let policy = channel_policies.of(channel);
    (channels, Fanout { clients, policy })
}

fn pubsub_channels(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    list_names(ctx, request, Kind::Channel)
}

fn pubsub_shardchannels(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    list_names(ctx, request, Kind::Shard)
}

fn list_names(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    kind: Kind,
) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let pattern = args.optional();
    if args.left() > 0 {
        return Err(wrong_arguments(request, "PUBSUB"));
    }
    let names = ctx.state.channels.names(kind);
    let names = names.filter(|name| pattern.is_none_or(|pattern| glob_matches(pattern, name)));
    let names: Vec<&Key> = names.collect();
    ctx.reply.array(names.len());
    for name in names {
        ctx.reply.bulk(name);
    }
    Ok(())
}

fn pubsub_numsub(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    count_subscribers(ctx, request, Kind::Channel)
}

fn pubsub_shardnumsub(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    count_subscribers(ctx, request, Kind::Shard)
}

fn count_subscribers(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    kind: Kind,
) -> Result<(), CommandError> {
    let names = request.args_from(2);
    ctx.reply.array(2 * names.len());
    for name in names {
        ctx.reply.bulk(name);
        ctx.reply.count(ctx.state.channels.subscribers(kind, name).map_or(0, Subscribers::len));
    }
    Ok(())
}

fn pubsub_numpat(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.count(ctx.state.channels.len(Kind::Pattern));
    Ok(())
}

fn pubsub_help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    help::write(
        ctx.reply,
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    Return the currently active channels matching a <pattern> (default: '*').",
            "NUMPAT",
            "    Return number of subscriptions to patterns.",
            "NUMSUB [<channel> ...]",
            "    Return the number of subscribers for the specified channels, excluding",
            "    pattern subscriptions(default: no channels).",
            "SHARDCHANNELS [<pattern>]",
            "    Return the currently active shard level channels matching a <pattern> (default: '*').",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Return the number of subscribers for the specified shard level channel(s)",
        ],
    );
    Ok(())
}
