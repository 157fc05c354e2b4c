//! The connection itself: greeting, password, database, closing.

use super::{client, pubsub};
use crate::acl::{LogSubject, UserId};
use crate::clients::{CloseReason, ReplyMode};
use crate::engine::Arg::{Named, One, Optional, OptionalBlock, OptionalNamed};
use crate::engine::Group::Connection;
use crate::engine::access;
use crate::engine::auth_delay;
use crate::engine::client_line::shown_id;
use crate::engine::monitor;
use crate::engine::open_transaction;
use crate::engine::tips::ALL_SHARDS_SUCCEED;
use crate::engine::{Arguments, Command, CommandError, Context, db_index, is_word};
use crate::queueing::Queues;
use crate::resp::{Protocol, REDIS_VERSION, Request, parse_integer};
use crate::state::State;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("ping", -1, ping).group(Connection).since("1.0.0").fast().for_subscribers()
        .probes().args(&[Optional("message")]).tips(ALL_SHARDS_SUCCEED)
        .says("Returns PONG, or the given message."),
    Command::new("echo", 2, echo).group(Connection).since("1.0.0").anytime().fast()
        .args(&[One("message")]).says("Returns the given message."),
    Command::new("hello", -1, hello).group(Connection).since("6.0.0").per_connection().no_script().anytime().fast()
        .no_auth().allow_busy().secrets(password_in_hello)
        .args(&[OptionalBlock("arguments", &[One("protover"), OptionalBlock("auth", &[Named("AUTH", "username"), One("password")]), OptionalNamed("SETNAME", "clientname")])])
        .says("Chooses the protocol version; can authenticate and set a name."),
    Command::new("auth", -2, auth).group(Connection).since("1.0.0").per_connection().no_script().anytime().fast()
        .no_auth().allow_busy().secrets(passwords).args(&[Optional("username"), One("password")])
        .says("Authenticates the connection with a password."),
    Command::new("select", 2, select).group(Connection).since("1.0.0").per_connection().anytime().fast()
        .args(&[One("index")]).says("Selects the connection's database."),
    Command::new("quit", -1, quit).group(Connection).since("1.0.0").per_connection().no_script().anytime().fast()
        .no_auth().allow_busy().for_subscribers().never_queued().ends_transaction()
        .says("Closes the connection."),
    Command::new("reset", 1, reset).group(Connection).since("6.2.0").per_connection().no_script().anytime().fast()
        .no_auth().allow_busy().for_subscribers().never_queued().ends_transaction()
        .says("Resets the connection to its initial state."),
];

const WRONG_PASSWORD: CommandError =
    CommandError::text("WRONGPASS invalid username-password pair or user is disabled.");

fn ping(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    if request.len() > 2 {
        return Err(CommandError::Arity("ping".into()));
    }
    // In RESP2 a subscriber reads every reply as a message, so this one must look like a message.
    let looks_like_message = ctx.reply.protocol() == Protocol::Resp2
        && ctx.client().is_some_and(|client| client.is_subscriber());
    match request.get(1) {
        message if looks_like_message => {
            ctx.reply.array(2);
            ctx.reply.bulk(b"pong");
            ctx.reply.bulk(message.unwrap_or_default());
        }
        Some(message) => ctx.reply.bulk(message),
        None => ctx.reply.simple("PONG"),
    }
    Ok(())
}

fn echo(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.bulk(Arguments::of(request).required()?);
    Ok(())
}

/// The options of HELLO.
#[derive(Default)]
struct Greeting<'a> {
    protocol: Option<Protocol>,
    user_and_password: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

fn hello(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    // All options are checked before anything is changed.
    let greeting = greeting(request)?;
    if let Some((user, password)) = greeting.user_and_password {
        authenticate(ctx, request, user, password)?;
    }
    // As in Redis, also if the password was removed after the client connected.
    if !ctx.client().is_some_and(|client| client.is_authenticated) {
        return Err(CommandError::text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO AUTH <user> <pass> option can be used to authenticate the client and select \
             the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = greeting.name {
        client::set_name(ctx, name);
    }
    if let Some(protocol) = greeting.protocol {
        set_protocol(ctx, protocol);
    }
    let version = i64::from(ctx.reply.protocol().version());
    ctx.reply.map(7);
    ctx.reply.bulk(b"server");
    // Clients choose their features by it.
    ctx.reply.bulk(b"redis");
    ctx.reply.bulk(b"version");
    ctx.reply.bulk(REDIS_VERSION.as_bytes());
    ctx.reply.bulk(b"proto");
    ctx.reply.integer(version);
    ctx.reply.bulk(b"id");
    ctx.reply.integer(shown_id(ctx.client));
    ctx.reply.bulk(b"mode");
    ctx.reply.bulk(b"standalone");
    ctx.reply.bulk(b"role");
    ctx.reply.bulk(b"master");
    ctx.reply.bulk(b"modules");
    ctx.reply.array(0);
    Ok(())
}

fn greeting<'a>(request: &Request<'a>) -> Result<Greeting<'a>, CommandError> {
    let mut greeting = Greeting::default();
    let mut args = Arguments::of(request);
    if let Some(version) = args.optional() {
        greeting.protocol = match parse_integer(version) {
            Some(2) => Some(Protocol::Resp2),
            Some(3) => Some(Protocol::Resp3),
            Some(_) => return Err(CommandError::text("NOPROTO unsupported protocol version")),
            None => {
                return Err(CommandError::text(
                    "ERR Protocol version is not an integer or out of range",
                ));
            }
        };
    }
    while let Some(option) = args.optional() {
        match args.left() {
            2.. if is_word(option, "auth") => {
                greeting.user_and_password = Some((args.required()?, args.required()?));
            }
            1.. if is_word(option, "setname") => {
                let name = args.required()?;
                client::check_name(name)?;
                greeting.name = Some(name);
            }
            _ => {
                return Err(CommandError::quoting(
                    "ERR Syntax error in HELLO option '",
                    option,
                    "'",
                ));
            }
        }
    }
    Ok(greeting)
}

/// Changes the protocol of this reply, whose buffer is lent out, and of all later ones.
fn set_protocol(ctx: &mut Context<'_>, protocol: Protocol) {
    ctx.reply.set_protocol(protocol);
    ctx.state.clients.set_protocol(ctx.client, protocol);
}

/// `AUTH [user] <password>`
fn passwords(request: &Request<'_>) -> Vec<usize> {
    (1..request.len()).collect()
}

/// `HELLO 3 AUTH <user> <password> SETNAME <name>`
fn password_in_hello(request: &Request<'_>) -> Vec<usize> {
    let mut index = 2;
    while let Some(option) = request.get(index) {
        if is_word(option, "auth") {
            return (index + 1..request.len().min(index + 3)).collect();
        }
        index += if is_word(option, "setname") { 2 } else { 1 };
    }
    Vec::new()
}

fn auth(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    match (args.required()?, args.optional(), args.left()) {
        (_, None, _) if ctx.state.users.get(UserId::DEFAULT).needs_no_password() => {
            return Err(CommandError::text(
                "ERR AUTH <password> called without any password configured for the default \
                 user. Are you sure your configuration is correct?",
            ));
        }
        (password, None, _) => authenticate(ctx, request, b"default", password)?,
        (user, Some(password), 0) => authenticate(ctx, request, user, password)?,
        _ => return Err(CommandError::Syntax),
    }
    ctx.reply.ok();
    Ok(())
}

/// Makes the client this user, if the password is right. After a failure, a client that was already
/// authenticated stays so.
fn authenticate(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    user: &[u8],
    password: &[u8],
) -> Result<(), CommandError> {
    auth_delay::check_transaction(ctx)?;
    let Some(id) = ctx.state.users.authenticate(user, password) else {
        let object = request.name().to_vec();
        let (subject, exec) = (LogSubject::Auth, ctx.origin.exec_commands());
        access::log(ctx.state, ctx.client, (subject, object, user.to_vec()), exec, ctx.now);
        auth_delay::record_refusal(ctx);
        return Err(WRONG_PASSWORD);
    };
    if let Some(client) = ctx.client_mut() {
        client.user = id;
        client.is_authenticated = true;
    }
    Ok(())
}

fn select(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let number = Arguments::of(request).required()?;
    if parse_integer(number).is_some_and(|number| i32::try_from(number).is_err()) {
        return Err(CommandError::text(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    let index = db_index(ctx.state, number)?;
    set_db(ctx, index);
    ctx.reply.ok();
    Ok(())
}

fn set_db(ctx: &mut Context<'_>, index: usize) {
    ctx.db = index;
    if let Some(client) = ctx.client_mut() {
        client.db = index;
    }
}

fn quit(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.ok();
    ctx.state.clients.close(ctx.client, CloseReason::Quit);
    Ok(())
}

fn reset(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    open_transaction::forget(ctx.state, ctx.client);
    pubsub::forget(ctx.state, ctx.client);
    monitor::stop(ctx.state, ctx.client);
    set_db(ctx, 0);
    set_protocol(ctx, Protocol::Resp2);
    let State { clients, users, keyspace, .. } = &mut *ctx.state;
    Queues::new(keyspace).give_back_held(ctx.client);
    if let Some(client) = clients.get_mut(ctx.client) {
        client.user = UserId::DEFAULT;
        client.is_authenticated = users.is_open();
        client.no_evict = false;
        client.no_touch = false;
        // A CLIENT REPLY SKIP right before also skips this reply, as in Redis.
        if client.reply_mode == ReplyMode::Off {
            client.reply_mode = ReplyMode::On;
        }
        // The name is removed; the library stays.
        if let Some(identity) = &mut client.identity {
            identity.name = Vec::new();
        }
    }
    ctx.reply.simple("RESET");
    Ok(())
}
