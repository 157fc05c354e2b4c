//! Keys of any type: names, renaming, moving, whole databases. Iterating over keys is in `scan.rs`,
//! their expiry in `expiry.rs`. <https://redis.io/docs/latest/commands/?group=generic>

use super::audit::log_action;
use crate::clients::{Client, Clients};
use crate::engine::Arg::{Many, One, OptionalNamed, OptionalWord};
use crate::engine::Group::{Generic, Server};
use crate::engine::syntax::{ALL_KEYS, PER_KEY, SYNC};
use crate::engine::tips::{ALL_SHARDS_SUCCEED, SUM_OF_ALL_SHARDS, SUM_OF_SHARDS};
use crate::engine::uses::{CREATE, OVERWRITE, READ, READ_AND_UPDATE, READ_VALUE, REMOVE, TAKE};
use crate::engine::{Arguments, Command, CommandError, Context, db_index, integer_within};
use crate::keyspace::{DbIndex, Key, Keyspace, Value};
use crate::queueing::{self, Queues};
use crate::resp::Request;
use crate::state::State;
use crate::value::Type;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("del", -2, del).group(Generic).since("1.0.0").write().keys(1, -1, REMOVE)
        .args(&[Many("key")]).cost(PER_KEY).tips(SUM_OF_SHARDS).says("Removes keys."),
    Command::new("unlink", -2, del).group(Generic).since("4.0.0").write().fast()
        .keys(1, -1, REMOVE).args(&[Many("key")]).cost(PER_KEY).tips(SUM_OF_SHARDS)
        .says("Removes keys, like DEL."),
    Command::new("exists", -2, exists).group(Generic).since("1.0.0").read_only().fast()
        .keys(1, -1, READ).args(&[Many("key")]).cost(PER_KEY).tips(SUM_OF_SHARDS)
        .says("Counts the keys that exist."),
    Command::new("type", 2, type_of).group(Generic).since("1.0.0").read_only().fast().key(1, READ)
        .args(&[One("key")]).says("Returns the type of a key's value."),
    Command::new("touch", -2, touch).group(Generic).since("3.2.1").read_only().fast()
        .keys(1, -1, READ).args(&[Many("key")]).cost(PER_KEY).tips(SUM_OF_SHARDS)
        .says("Counts the keys that exist, and updates their last use."),
    Command::new("rename", 3, rename).group(Generic).since("1.0.0").write().key(1, TAKE)
        .key(2, OVERWRITE).args(&[One("key"), One("newkey")])
        .says("Renames a key, and replaces any key with the new name."),
    Command::new("renamenx", 3, renamenx).group(Generic).since("1.0.0").write().fast().key(1, TAKE)
        .key(2, CREATE).args(&[One("key"), One("newkey")])
        .says("Renames a key unless the new name exists."),
    Command::new("move", 3, move_key).group(Generic).since("1.0.0").write().fast()
        .key(1, READ_AND_UPDATE).args(&[One("key"), One("db")])
        .says("Moves a key to another database unless it exists there."),
    Command::new("copy", -3, copy).group(Generic).since("6.2.0").write().deny_oom()
        .key(1, READ_VALUE).key(2, OVERWRITE)
        .args(&[One("source"), One("destination"), OptionalNamed("DB", "destination-db"), OptionalWord("REPLACE")])
        .cost("O(N) where N is the number of messages")
        .says("Copies a key's value to another key."),
    Command::new("dbsize", 1, dbsize).group(Server).since("1.0.0").read_only().fast()
        .category("keyspace").tips(SUM_OF_ALL_SHARDS).says("Counts the keys of the database."),
    Command::new("flushdb", -1, flushdb).group(Server).since("1.0.0").write().dangerous()
        .category("keyspace").args(&[SYNC]).cost(ALL_KEYS).tips(ALL_SHARDS_SUCCEED)
        .says("Removes all keys of the database."),
    Command::new("flushall", -1, flushall).group(Server).since("1.0.0").write().dangerous()
        .category("keyspace").args(&[SYNC]).cost(ALL_KEYS).tips(ALL_SHARDS_SUCCEED)
        .says("Removes all keys of all databases."),
    Command::new("swapdb", 3, swapdb).group(Server).since("4.0.0").write().fast().dangerous()
        .category("keyspace").args(&[One("index1"), One("index2")])
        .cost("O(N) where N is the number of waiting and watching clients")
        .says("Swaps the keys of two databases."),
];

const SAME_OBJECT: CommandError =
    CommandError::text("ERR source and destination objects are the same");

fn del(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let keyspace = &mut ctx.state.keyspace;
    let is_removed = |key: &&[u8]| {
        // A queue may have ready, delayed and in-flight messages: all are removed.
        let is_cleared = Queues::new(keyspace).clear_hidden(ctx.db, key);
        keyspace.delete(ctx.db, key) || is_cleared
    };
    let removed = request.args_from(1).filter(is_removed).count();
    ctx.reply.count(removed);
    Ok(())
}

fn exists(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let State { keyspace, stats, .. } = &mut *ctx.state;
    let exists = |key: &&[u8]| {
        let exists = keyspace.contains(ctx.db, key);
        stats.count_lookup(exists);
        exists
    };
    let count = request.args_from(1).filter(exists).count();
    ctx.reply.count(count);
    Ok(())
}

fn type_of(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let value = ctx.state.keyspace.peek(ctx.db, Arguments::of(request).required()?);
    ctx.reply.simple(value.map_or("none", |value| value.type_name()));
    ctx.state.stats.count_lookup(value.is_some());
    Ok(())
}

fn touch(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let State { keyspace, stats, .. } = &mut *ctx.state;
    // TOUCH always updates the last use, even for a client with CLIENT NO-TOUCH.
    keyspace.set_use_time(ctx.now, true);
    let mut count = 0;
    for key in request.args_from(1) {
        let is_hit = keyspace.get(ctx.db, key).is_some();
        stats.count_lookup(is_hit);
        count += usize::from(is_hit);
    }
    ctx.reply.count(count);
    Ok(())
}

fn rename(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    rename_to(ctx, request, true)?;
    ctx.reply.ok();
    Ok(())
}

fn renamenx(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let is_renamed = rename_to(ctx, request, false)?;
    ctx.reply.flag(is_renamed);
    Ok(())
}

/// Renames a key. Returns whether it did.
fn rename_to(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    replaces: bool,
) -> Result<bool, CommandError> {
    let mut args = Arguments::of(request);
    let (from, to) = (args.required()?, args.required()?);
    let keyspace = &mut ctx.state.keyspace;
    queueing::check_name(keyspace, to)?;
    if !keyspace.contains(ctx.db, from) {
        return Err(CommandError::NoSuchKey);
    }
    // Renaming a key to its own name changes nothing either.
    if from == to {
        return Ok(false);
    }
    if !replaces {
        let type_of = keyspace.peek(ctx.db, from).map(Value::type_of);
        if is_taken(keyspace, ctx.db, to, type_of) {
            return Ok(false);
        }
    }
    if let Some((value, expires_ms)) = keyspace.remove(ctx.db, from) {
        remove_hidden(keyspace, ctx.db, to, &value);
        keyspace.insert(ctx.db, to, value, expires_ms);
    }
    Ok(true)
}

/// Whether a key has a value, or is a queue with messages in flight or delayed: a list may have its name, but
/// no value of another type.
fn is_taken(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], type_of: Option<Type>) -> bool {
    keyspace.contains(db, key)
        || (type_of != Some(Type::List) && queueing::has_hidden(keyspace, db, key))
}

/// Before a value that is not a list replaces a queue, removes the queue's messages in flight and
/// delayed: they could not be returned.
fn remove_hidden(keyspace: &mut Keyspace, db: DbIndex, key: &[u8], value: &Value) {
    if value.type_of() != Type::List && keyspace.is_under_policy(db, key) {
        Queues::new(keyspace).clear_hidden(db, key);
    }
}

fn move_key(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (key, to) = (args.required()?, db_index(ctx.state, args.required()?)?);
    if to == ctx.db {
        return Err(SAME_OBJECT);
    }
    let keyspace = &mut ctx.state.keyspace;
    let type_of = keyspace.peek(ctx.db, key).map(Value::type_of);
    let moved = match is_taken(keyspace, to, key, type_of) {
        true => None,
        false => keyspace.remove(ctx.db, key),
    };
    ctx.reply.flag(moved.is_some());
    if let Some((value, expires_ms)) = moved {
        remove_hidden(keyspace, to, key, &value);
        keyspace.insert(to, key, value, expires_ms);
    }
    Ok(())
}

fn copy(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (from, to) = (args.required()?, args.required()?);
    let (mut to_db, mut replaces) = (ctx.db, false);
    while args.left() > 0 {
        if args.takes("replace") {
            replaces = true;
        } else if args.takes("db") {
            to_db = db_index(ctx.state, args.required()?)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if to_db == ctx.db && from == to {
        return Err(SAME_OBJECT);
    }
    let State { keyspace, stats, .. } = &mut *ctx.state;
    queueing::check_name(keyspace, to)?;
    let value = keyspace.get(ctx.db, from).cloned();
    keyspace.work.copied(value.as_ref().map_or(0, |value| value.allocated_bytes()));
    stats.count_lookup(value.is_some());
    let value =
        value.filter(|value| replaces || !is_taken(keyspace, to_db, to, Some(value.type_of())));
    ctx.reply.flag(value.is_some());
    if let Some(value) = value {
        let expires_ms = keyspace.expiry(ctx.db, from).flatten();
        remove_hidden(keyspace, to_db, to, &value);
        keyspace.insert(to_db, to, value, expires_ms);
    }
    Ok(())
}

fn dbsize(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.count(ctx.state.keyspace.len(ctx.db));
    Ok(())
}

/// Checks the option of a flush. ASYNC and SYNC do the same: the keys disappear at once, and their
/// memory is freed in parts.
fn check_flush_option(request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    if args.left() > 0 {
        args.choice(&[("async", ()), ("sync", ())])?;
    }
    if args.left() > 0 { Err(CommandError::Syntax) } else { Ok(()) }
}

fn flushdb(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    check_flush_option(request)?;
    let attached = attached_keys(&ctx.state.clients);
    ctx.state.keyspace.flush(ctx.db, &attached);
    log_action(ctx, request);
    ctx.reply.ok();
    Ok(())
}

fn flushall(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    check_flush_option(request)?;
    let attached = attached_keys(&ctx.state.clients);
    for db in 0..ctx.state.keyspace.db_count() {
        ctx.state.keyspace.flush(db, &attached);
    }
    log_action(ctx, request);
    ctx.reply.ok();
    Ok(())
}

fn swapdb(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let (min, max) = (i32::MIN.into(), i32::MAX.into());
    let mut args = Arguments::of(request);
    let (first, second) = (args.required()?, args.required()?);
    integer_within(first, min, max, "ERR invalid first DB index")?;
    integer_within(second, min, max, "ERR invalid second DB index")?;
    let (a, b) = (db_index(ctx.state, first)?, db_index(ctx.state, second)?);
    let mut attached = attached_keys(&ctx.state.clients);
    attached.retain(|(db, _)| *db == a || *db == b);
    ctx.state.keyspace.swap(a, b, &attached);
    ctx.reply.ok();
    Ok(())
}

/// The keys that clients wait for, then those they watch; some may be there twice. The longest wait
/// comes first, and its keys in the order in which the client named them.
fn attached_keys(clients: &Clients) -> Vec<(DbIndex, Key)> {
    let mut waits: Vec<_> = clients.iter().filter_map(Client::wait).collect();
    waits.sort_by_key(|wait| wait.ticket);
    let waited = waits.iter().flat_map(|wait| wait.keys.iter().map(|key| (wait.db, key.clone())));
    waited.chain(clients.iter().flat_map(watched)).collect()
}

fn watched(client: &Client) -> impl Iterator<Item = (DbIndex, Key)> + '_ {
    client.transaction.iter().flat_map(|transaction| transaction.watched.iter().cloned())
}

#[cfg(test)]
mod tests {
    use crate::client_id::ClientId;
    use crate::clients::Peer;
    use crate::clock::Now;
    use crate::commands::table;
    use crate::engine::Nobody;
    use crate::engine::dispatch::dispatch;
    use crate::host::NoHost;
    use crate::resp::{Output, OwnedRequest};
    use crate::settings::Settings;
    use crate::state::State;

    /// Commands of several clients on one state.
    struct Bench {
        state: State,
        clients: Vec<ClientId>,
        now: Now,
    }

    impl Bench {
        fn new(client_count: usize) -> Bench {
            let now = Now { unix_us: 1_000_000_000_000, monotonic_us: 50_000_000 };
            let mut state =
                State::new(Settings::default(), table().catalogue(), 1, Box::new(NoHost), now);
            let connect = |slot| state.clients.connect(slot, Peer::in_process(), 0);
            let clients: Vec<_> = (0..client_count).map(connect).collect();
            for &id in &clients {
                state.clients.get_mut(id).expect("just connected").is_authenticated = true;
            }
            Bench { state, clients, now }
        }

        /// Runs a command given as one line, and returns the reply.
        fn run(&mut self, client: usize, line: &str) -> String {
            let owned = OwnedRequest::from_args(line.split(' ').map(str::as_bytes));
            let request = owned.as_request();
            let (id, table) = (self.clients[client], table());
            let mut reply = Output::default();
            let (state, named) = (&mut self.state, table.find(request.name()));
            dispatch(state, (table, named), id, &request, &mut reply, self.now, &mut Nobody);
            self.state.keyspace.check_invariants();
            String::from_utf8_lossy(&reply.take_all()).into_owned()
        }

        /// Returns output to a client that is not a reply to its own command.
        fn sent(&mut self, client: usize) -> String {
            let output = self.state.clients.outbox(self.clients[client]);
            String::from_utf8_lossy(&output.expect("connected").take_all()).into_owned()
        }
    }

    #[test]
    fn a_waiting_client_gets_what_arrives_under_its_key() {
        let arrivals: [&[&str]; 4] = [
            &["RPUSH other m", "RENAME other q"],
            &["RPUSH other m", "RENAMENX other q"],
            &["RPUSH other m", "COPY other q"],
            &["RPUSH other m", "COPY other q DB 1", "DEL other", "SWAPDB 0 1"],
        ];
        for commands in arrivals {
            let mut bench = Bench::new(2);
            assert_eq!(bench.run(1, "BLPOP q 0"), "");
            for command in commands {
                assert_eq!(bench.sent(1), "", "before {command}");
                bench.run(0, command);
            }
            assert_eq!(bench.sent(1), "*2\r\n$1\r\nq\r\n$1\r\nm\r\n", "{commands:?}");
        }
    }

    #[test]
    fn swapping_databases_breaks_watches_on_what_exists() {
        for (has_key, expected) in [(true, "*-1\r\n"), (false, "*1\r\n:0\r\n")] {
            let mut bench = Bench::new(2);
            if has_key {
                bench.run(0, "RPUSH k m");
            }
            for command in ["WATCH k", "MULTI", "EXISTS other"] {
                bench.run(1, command);
            }
            assert_eq!(bench.run(0, "SWAPDB 1 0"), "+OK\r\n");
            assert_eq!(bench.run(1, "EXEC"), expected);
        }
    }

    #[test]
    fn a_copy_is_independent_and_keeps_the_expiry() {
        let mut bench = Bench::new(1);
        bench.run(0, "RPUSH k a b");
        bench.run(0, "EXPIRE k 100");
        assert_eq!(bench.run(0, "COPY k copy"), ":1\r\n");
        bench.run(0, "LPOP k 2");
        assert_eq!(bench.run(0, "LRANGE copy 0 -1"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
        assert_eq!(bench.run(0, "TTL copy"), ":100\r\n");
    }

    #[test]
    fn reading_commands_count_hits_and_misses() {
        let mut bench = Bench::new(1);
        bench.run(0, "RPUSH k m");
        let reads = ["EXISTS k no", "TYPE k", "TTL no", "TOUCH k no", "OBJECT ENCODING k"];
        for command in reads {
            bench.run(0, command);
        }
        let stats = &bench.state.stats;
        assert_eq!((stats.keyspace_hits, stats.keyspace_misses), (4, 3));
    }

    #[test]
    fn only_touch_updates_the_last_use_for_a_no_touch_client() {
        let mut bench = Bench::new(1);
        bench.run(0, "RPUSH k m");
        let id = bench.clients[0];
        bench.state.clients.get_mut(id).expect("connected").no_touch = true;
        bench.now = bench.now.plus_us(7_000_000);
        bench.run(0, "LRANGE k 0 -1");
        assert_eq!(bench.run(0, "OBJECT IDLETIME k"), ":7\r\n");
        bench.run(0, "TOUCH k");
        assert_eq!(bench.run(0, "OBJECT IDLETIME k"), ":0\r\n");
    }
}
