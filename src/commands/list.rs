//! Queues: the list commands that do not wait. <https://redis.io/docs/latest/commands/?group=list>

use super::push::push_or_wait;
use super::take::{Take, count_of, end_of, many_arguments, move_between, take_first};
use crate::engine::Arg::{Choice, Many, One, Optional, OptionalNamed};
use crate::engine::Group::List;
use crate::engine::syntax::{ENDS, TAKE_MANY};
use crate::engine::uses::{DELETE, INSERT, READ, READ_VALUE, TAKE, UPDATE};
use crate::engine::{Arguments, Command, CommandError, Context, integer, integer_within, is_word};
use crate::keyspace::{DbIndex, Keyspace, Plain, Slot};
use crate::queue::{End, Queue};
use crate::queueing::{self, PushRules, Queues, Taken, pop_many, pop_one};
use crate::resp::{Output, Request};
use crate::state::State;
use std::iter;

const PER_MESSAGE: &str = "O(1) for each message";
const WITHIN: &str = "O(N) where N is the number of messages up to the place, by blocks of them";

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("rpush", -3, rpush).group(List).since("1.0.0").write().deny_oom().fast()
        .key(1, INSERT).args(&[One("key"), Many("element")]).cost(PER_MESSAGE)
        .says("Adds messages at the right end of a list; creates it if needed."),
    Command::new("lpush", -3, lpush).group(List).since("1.0.0").write().deny_oom().fast()
        .key(1, INSERT).args(&[One("key"), Many("element")]).cost(PER_MESSAGE)
        .says("Adds messages at the left end of a list; creates it if needed."),
    Command::new("rpushx", -3, rpushx).group(List).since("2.2.0").write().deny_oom().fast()
        .key(1, INSERT).args(&[One("key"), Many("element")]).cost(PER_MESSAGE)
        .says("Adds messages at the right end of an existing list."),
    Command::new("lpushx", -3, lpushx).group(List).since("2.2.0").write().deny_oom().fast()
        .key(1, INSERT).args(&[One("key"), Many("element")]).cost(PER_MESSAGE)
        .says("Adds messages at the left end of an existing list."),
    Command::new("lpop", -2, lpop).group(List).since("1.0.0").write().fast().key(1, TAKE)
        .args(&[One("key"), Optional("count")]).cost(PER_MESSAGE)
        .says("Takes messages from the left end."),
    Command::new("rpop", -2, rpop).group(List).since("1.0.0").write().fast().key(1, TAKE)
        .args(&[One("key"), Optional("count")]).cost(PER_MESSAGE)
        .says("Takes messages from the right end."),
    Command::new("llen", 2, llen).group(List).since("1.0.0").read_only().fast().key(1, READ)
        .args(&[One("key")]).says("Returns the number of messages."),
    Command::new("lrange", 4, lrange).group(List).since("1.0.0").read_only().key(1, READ_VALUE)
        .args(&[One("key"), One("start"), One("stop")]).cost(WITHIN)
        .says("Returns a range of messages."),
    Command::new("lindex", 3, lindex).group(List).since("1.0.0").read_only().key(1, READ_VALUE)
        .args(&[One("key"), One("index")]).cost(WITHIN).says("Returns the message at an index."),
    Command::new("lset", 4, lset).group(List).since("1.0.0").write().deny_oom().key(1, UPDATE)
        .args(&[One("key"), One("index"), One("element")]).cost(WITHIN)
        .says("Replaces the message at an index."),
    Command::new("linsert", 5, linsert).group(List).since("2.2.0").write().deny_oom()
        .key(1, INSERT)
        .args(&[One("key"), Choice(&["BEFORE", "AFTER"]), One("pivot"), One("element")])
        .cost(WITHIN).says("Adds a message before or after another one."),
    Command::new("lrem", 4, lrem).group(List).since("1.0.0").write().key(1, DELETE)
        .args(&[One("key"), One("count"), One("element")]).cost(WITHIN)
        .says("Removes messages equal to the given one."),
    Command::new("ltrim", 4, ltrim).group(List).since("1.0.0").write().key(1, DELETE)
        .args(&[One("key"), One("start"), One("stop")])
        .cost("O(N) where N is the number of removed messages, in whole blocks")
        .says("Keeps only a range of messages."),
    Command::new("lpos", -3, lpos).group(List).since("6.0.6").read_only().key(1, READ_VALUE)
        .args(&[One("key"), One("element"), OptionalNamed("RANK", "rank"), OptionalNamed("COUNT", "num-matches"), OptionalNamed("MAXLEN", "len")])
        .cost(WITHIN).says("Returns the indexes of messages equal to the given one."),
    Command::new("lmove", 5, lmove).group(List).since("6.2.0").write().deny_oom().key(1, TAKE)
        .key(2, INSERT).args(&[One("source"), One("destination"), ENDS, ENDS])
        .says("Moves a message from one list to another."),
    Command::new("rpoplpush", 3, rpoplpush).group(List).since("1.2.0").write().deny_oom()
        .key(1, TAKE).key(2, INSERT).args(&[One("source"), One("destination")])
        .says("Moves a message from the right end of a list to the left end of another."),
    Command::new("lmpop", -4, lmpop).group(List).since("7.0.0").write().numkeys(1, TAKE)
        .args(&[One("numkeys"), Many("key"), ENDS, OptionalNamed("COUNT", "count")])
        .cost(TAKE_MANY).says("Takes messages from the first list that is not empty."),
];

fn rpush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    push(ctx, request, End::Back)
}

fn lpush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    push(ctx, request, End::Front)
}

fn push(ctx: &mut Context<'_>, request: &Request<'_>, end: End) -> Result<(), CommandError> {
    let Some(message) = request.get(2).filter(|_| request.len() == 3) else {
        return push_several(ctx, request, end);
    };
    push_messages(ctx, request, end, iter::once(message))
}

/// A push of several messages. A separate function keeps `push` short.
#[inline(never)]
fn push_several(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    end: End,
) -> Result<(), CommandError> {
    push_messages(ctx, request, end, request.args_from(2))
}

#[inline(always)]
fn push_messages<'a>(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    end: End,
    messages: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
) -> Result<(), CommandError> {
    let keyspace = &mut ctx.state.keyspace;
    let Some(key) = request.get(1) else { return missing() };
    let room = || messages.clone().map(|message| Queue::bytes_for(message.len())).sum();
    let pushed = keyspace.change_or_create_plain_list(ctx.db, key, room, |queue| {
        for message in messages.clone() {
            queue.push(end, message);
        }
        queue.len()
    })?;
    let len = match pushed {
        Plain::Changed(len) => len,
        Plain::UnderPolicy(at) => match push_simply(keyspace, at, end, messages.clone()) {
            Some(len) => len,
            None => return push_under_policy(ctx, request, end, (at, key)),
        },
        // Cannot happen: the list was just created.
        Plain::Absent => return Ok(()),
    };
    ctx.reply.count(len);
    keyspace.effects.record_push(ctx.db, end, key, messages);
    Ok(())
}

/// A push without a key, which its row does not allow. A separate function keeps `push` short.
#[cold]
#[inline(never)]
fn missing() -> Result<(), CommandError> {
    Err(CommandError::Syntax)
}

/// Pushes one message to a queue under a policy, if it simply joins the queue: see
/// `Keyspace::push_simply_in`.
#[inline(always)]
fn push_simply<'a>(
    keyspace: &mut Keyspace,
    at: Slot,
    end: End,
    mut messages: impl ExactSizeIterator<Item = &'a [u8]>,
) -> Option<usize> {
    let message = messages.next()?;
    if messages.len() > 0 { None } else { keyspace.push_simply_in(at, end, message) }
}

/// Pushes to a queue under a policy.
#[cold]
#[inline(never)]
fn push_under_policy(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    end: End,
    (at, key): (Slot, &[u8]),
) -> Result<(), CommandError> {
    let rules = PushRules::of(&ctx.state.keyspace, at);
    let to = queueing::Target { at, key, end, rules, id: None };
    if let Some(pushed) = push_or_wait(ctx, request, &to, request.args_from(2))? {
        ctx.reply.count(pushed.len);
    }
    Ok(())
}

fn rpushx(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    push_existing(ctx, request, End::Back)
}

fn lpushx(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    push_existing(ctx, request, End::Front)
}

fn push_existing(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    end: End,
) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    // The list existed when the push began to wait for capacity; without it there is capacity.
    if ctx.state.keyspace.list(ctx.db, key)?.is_none() && !ctx.origin.is_woken() {
        ctx.reply.integer(0);
        return Ok(());
    }
    push(ctx, request, end)
}

fn lpop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    pop(ctx, request, End::Front)
}

fn rpop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    pop(ctx, request, End::Back)
}

fn pop(ctx: &mut Context<'_>, request: &Request<'_>, end: End) -> Result<(), CommandError> {
    let Some(key) = request.get(1).filter(|_| request.len() == 2) else {
        return pop_counted(ctx, request, end);
    };
    let keyspace = &mut ctx.state.keyspace;
    let reply = &mut *ctx.reply;
    let taken = keyspace.try_change_plain_list(ctx.db, key, |queue| {
        pop_one(queue, end, reply);
        ((), true)
    });
    match taken {
        Ok(Plain::Changed(())) => {
            keyspace.effects.record_pop(ctx.db, end, key, 1);
            Ok(())
        }
        Ok(Plain::UnderPolicy(at)) => {
            pop_one_under_policy(ctx, (at, key), end);
            Ok(())
        }
        Ok(Plain::Absent) => {
            queueing::acknowledge_by_pop(ctx.state, ctx.db, [key], ctx.client, false);
            ctx.reply.null();
            Ok(())
        }
        Err(error) => {
            queueing::acknowledge_by_pop(ctx.state, ctx.db, [key], ctx.client, false);
            Err(error.into())
        }
    }
}

/// A pop with a count. A separate function keeps `pop` short.
#[inline(never)]
fn pop_counted(ctx: &mut Context<'_>, request: &Request<'_>, end: End) -> Result<(), CommandError> {
    if request.len() > 3 {
        return Err(CommandError::Arity(ctx.found.command.name.into()));
    }
    let mut args = Arguments::of(request);
    let (key, count) = (args.required()?, args.required()?);
    let count = count_of(count, "ERR value is out of range, must be positive", 0)?;
    // A pop of nothing acknowledges nothing.
    if count > 0 {
        queueing::acknowledge_by_pop(ctx.state, ctx.db, [key], ctx.client, false);
    }
    let keyspace = &mut ctx.state.keyspace;
    let reply = &mut *ctx.reply;
    let taken = keyspace.try_change_plain_list(ctx.db, key, |queue| {
        let taken = count.min(queue.len());
        reply.array(taken);
        pop_many(queue, end, taken, reply);
        (taken, taken > 0)
    })?;
    match taken {
        Plain::Changed(taken) => {
            keyspace.work.looked_at(taken);
            if taken > 0 {
                keyspace.effects.record_pop(ctx.db, end, key, taken);
            }
        }
        Plain::Absent => ctx.reply.null_array(),
        Plain::UnderPolicy(at) => pop_under_policy(ctx, (at, key), end, Some(count)),
    }
    Ok(())
}

/// LPOP and RPOP of one message of a queue under a policy. A separate function keeps `pop` short.
#[inline(never)]
fn pop_one_under_policy(ctx: &mut Context<'_>, (at, key): (Slot, &[u8]), end: End) {
    let State { clients, keyspace, .. } = &mut *ctx.state;
    if let Some(client) = clients.get_mut(ctx.client)
        && let Some(before) = client.acknowledges_before()
    {
        let consumer = client.consumer();
        let from = queueing::Pop { at, key, end, count: 1, claim: consumer.claim() };
        let read = |message: &[u8]| ctx.reply.bulk(message);
        match Queues::new(keyspace).pop_simply(from, before, read) {
            Some(Taken::ToAcknowledge) => return client.mark_delivered(consumer),
            Some(Taken::Some | Taken::Nothing) => return,
            None => {}
        }
    }
    queueing::acknowledge_by_pop(ctx.state, ctx.db, [key], ctx.client, false);
    match ctx.state.keyspace.slot_again(at, key) {
        Some(at) => pop_under_policy(ctx, (at, key), end, None),
        None => ctx.reply.null(),
    }
}

/// LPOP and RPOP of a queue under a policy.
#[inline(always)]
fn pop_under_policy(
    ctx: &mut Context<'_>,
    (at, key): (Slot, &[u8]),
    end: End,
    count: Option<usize>,
) {
    let State { clients, keyspace, .. } = &mut *ctx.state;
    let begin = |reply: &mut Output, taken| {
        if count.is_some() {
            reply.array(taken);
        }
    };
    let consumer = clients.consumer(ctx.client);
    let from = queueing::Pop { at, key, end, count: count.unwrap_or(1), claim: consumer.claim() };
    let taken = Queues::new(keyspace).pop(from, ctx.reply, begin);
    match (taken, count) {
        (Taken::Some, _) => {}
        (Taken::ToAcknowledge, _) => clients.mark_delivered(consumer),
        (Taken::Nothing, Some(_)) => ctx.reply.null_array(),
        (Taken::Nothing, None) => ctx.reply.null(),
    }
}

/// Returns the list at a key for a command that only reads; the look-up counts as a hit or a miss.
fn read<'a>(
    state: &'a mut State,
    db: DbIndex,
    key: &[u8],
) -> Result<Option<&'a Queue>, CommandError> {
    let State { keyspace, stats, .. } = state;
    let list = keyspace.list(db, key)?;
    stats.count_lookup(list.is_some());
    Ok(list)
}

fn llen(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    let len = read(ctx.state, ctx.db, key)?.map_or(0, |list| list.len());
    ctx.reply.count(len);
    Ok(())
}

/// Returns the start and count of the range between two indexes in a list of `len`; negative indexes
/// count from the end.
fn range(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let len = len as i64;
    let start = if start < 0 { start.saturating_add(len).max(0) } else { start };
    let stop = if stop < 0 { stop.saturating_add(len) } else { stop.min(len - 1) };
    if start > stop || start >= len {
        return (0, 0);
    }
    // Both are within 0..len now.
    (start as usize, (stop - start + 1) as usize)
}

fn lrange(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, start, stop) = (args.required()?, args.integer()?, args.integer()?);
    let Some(list) = read(ctx.state, ctx.db, key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let (start, count) = range(start, stop, list.len());
    let owed_before = ctx.reply.len();
    ctx.reply.array(count);
    for message in list.iter_from(start).take(count) {
        ctx.reply.bulk(message);
    }
    let work = &mut ctx.state.keyspace.work;
    work.looked_at(count);
    work.copied(ctx.reply.len() - owed_before);
    Ok(())
}

/// Returns the absolute index of a possibly negative one in a list of `len`.
fn absolute_index(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(index).ok().filter(|&index| index < len)
}

fn lindex(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, index) = (args.required()?, args.required()?);
    let Some(list) = read(ctx.state, ctx.db, key)? else {
        ctx.reply.null();
        return Ok(());
    };
    let index = absolute_index(integer(index)?, list.len());
    match index.and_then(|index| list.get(index)) {
        Some(message) => ctx.reply.bulk(message),
        None => ctx.reply.null(),
    }
    Ok(())
}

fn lset(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, index, message) = (args.required()?, args.required()?, args.required()?);
    let set = ctx.state.keyspace.try_change_list(ctx.db, key, |queue| {
        let set = set_at(queue, index, message);
        let is_set = set.is_ok();
        (set, is_set)
    })?;
    set.unwrap_or(Err(CommandError::NoSuchKey))?;
    ctx.reply.ok();
    Ok(())
}

fn set_at(queue: &mut Queue, index: &[u8], message: &[u8]) -> Result<(), CommandError> {
    let index = absolute_index(integer(index)?, queue.len());
    queue.set(index.ok_or(CommandError::IndexOutOfRange)?, message);
    Ok(())
}

fn linsert(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let after = args.choice(&[("before", false), ("after", true)])?;
    let (pivot, message) = (args.required()?, args.required()?);
    let keyspace = &mut ctx.state.keyspace;
    let is_under_policy = keyspace.is_under_policy(ctx.db, key);
    let finds = |queue: &Queue| queue.iter().position(|message| message == pivot);
    // The pivot may be the last message.
    let len = keyspace.peek_list(ctx.db, key).map_or(0, Queue::len);
    keyspace.work.looked_at(len);
    if is_under_policy
        && keyspace.list(ctx.db, key)?.is_some_and(|list| finds(list).is_some())
        && let Some(at) = keyspace.slot(ctx.db, key)
    {
        PushRules::of(keyspace, at).check(keyspace, at, 1, || message.len())?;
    }
    let len = keyspace.try_change_list(ctx.db, key, |queue| {
        let len = finds(queue).map(|index| {
            queue.insert(index + usize::from(after), message);
            queue.len()
        });
        (len, len.is_some())
    })?;
    match len {
        Some(Some(_)) if is_under_policy => {
            Queues::new(keyspace).record_ready(ctx.db, key);
            keyspace.effects.record(ctx.db, request.args());
            let end = End::Back;
            let len = Queues::new(keyspace).finish_push(ctx.db, key, end, 1);
            ctx.reply.count(len);
        }
        Some(Some(len)) => ctx.reply.count(len),
        Some(None) => ctx.reply.integer(-1),
        None => ctx.reply.integer(0),
    }
    Ok(())
}

fn lrem(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, count, message) = (args.required()?, args.integer()?, args.required()?);
    let from = if count < 0 { End::Back } else { End::Front };
    let limit = if count == 0 { u64::MAX } else { count.unsigned_abs() };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut seen = 0;
    let removed = ctx.state.keyspace.try_change_list(ctx.db, key, |queue| {
        seen = queue.len();
        let removed = queue.remove(from, message, limit);
        (removed, removed > 0)
    })?;
    ctx.state.keyspace.work.looked_at(seen);
    ctx.reply.count(removed.unwrap_or(0));
    Ok(())
}

fn ltrim(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, start, stop) = (args.required()?, args.integer()?, args.integer()?);
    ctx.state.keyspace.change_list(ctx.db, key, |queue| {
        let (start, count) = range(start, stop, queue.len());
        queue.trim(start, count);
    })?;
    ctx.reply.ok();
    Ok(())
}

/// LPOS' options.
struct LposOptions {
    rank: i64,
    /// None without COUNT: the reply is one index, not an array.
    count: Option<usize>,
    /// Limit on the messages to compare; 0 for all.
    maxlen: usize,
}

fn lpos_options(mut args: Arguments<'_>) -> Result<LposOptions, CommandError> {
    const RANK: &str = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list";
    const RANK_RANGE: &str = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
    let mut options = LposOptions { rank: 1, count: None, maxlen: 0 };
    while let Some(option) = args.optional() {
        let value = args.required()?;
        if is_word(option, "rank") {
            integer(value)?;
            options.rank = integer_within(value, -i64::MAX, i64::MAX, RANK_RANGE)?;
            if options.rank == 0 {
                return Err(CommandError::text(RANK));
            }
        } else if is_word(option, "count") {
            options.count = Some(count_of(value, "ERR COUNT can't be negative", 0)?);
        } else if is_word(option, "maxlen") {
            options.maxlen = count_of(value, "ERR MAXLEN can't be negative", 0)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(options)
}

fn lpos(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, wanted_message) = (args.required()?, args.required()?);
    let options = lpos_options(args)?;
    let wanted = options.count.unwrap_or(1);
    let wanted = if options.count == Some(0) { usize::MAX } else { wanted };
    let skipped = usize::try_from(options.rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let looked_at = if options.maxlen == 0 { usize::MAX } else { options.maxlen };
    let mut found = Vec::new();
    let mut seen = 0;
    if let Some(list) = read(ctx.state, ctx.db, key)? {
        let len = list.len();
        let see = |_: &&[u8]| seen += 1;
        let is_match = |message: &[u8]| message == wanted_message;
        if options.rank > 0 {
            let matches = list.iter().take(looked_at).inspect(see).enumerate();
            let matches = matches.filter(|(_, message)| is_match(message));
            found.extend(matches.skip(skipped).take(wanted).map(|(index, _)| index));
        } else {
            let matches = list.iter().rev().take(looked_at).inspect(see).enumerate();
            let matches = matches.filter(|(_, message)| is_match(message));
            found.extend(matches.skip(skipped).take(wanted).map(|(index, _)| len - 1 - index));
        }
    }
    ctx.state.keyspace.work.looked_at(seen);
    match options.count {
        None => match found.first() {
            Some(index) => ctx.reply.count(*index),
            None => ctx.reply.null(),
        },
        Some(_) => {
            ctx.reply.array(found.len());
            for index in found {
                ctx.reply.count(index);
            }
        }
    }
    Ok(())
}

fn lmove(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (source, destination) = (args.required()?, args.required()?);
    let (from, to) = (end_of(&mut args)?, end_of(&mut args)?);
    move_or_null(ctx, source, destination, from, to)
}

fn rpoplpush(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (source, destination) = (args.required()?, args.required()?);
    move_or_null(ctx, source, destination, End::Back, End::Front)
}

fn move_or_null(
    ctx: &mut Context<'_>,
    source: &[u8],
    destination: &[u8],
    from: End,
    to: End,
) -> Result<(), CommandError> {
    let keyspace = &mut ctx.state.keyspace;
    match move_between(keyspace, ctx.db, source, destination, from, to)? {
        Some(message) => ctx.reply.bulk(&message),
        None => ctx.reply.null(),
    }
    Ok(())
}

fn lmpop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let (keys, end, count) = many_arguments(Arguments::of(request))?;
    queueing::acknowledge_by_pop(ctx.state, ctx.db, keys.clone(), ctx.client, false);
    if !take_first(ctx, keys, &Take::PopMany { end, count })? {
        ctx.reply.null_array();
    }
    Ok(())
}
