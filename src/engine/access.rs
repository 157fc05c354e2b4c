//! Whether a client's user may run a request. Asked before each call: when a request arrives, again when
//! EXEC runs it, and again when a waiting one runs, since rights may have changed.

use super::client_line;
use super::context::Context;
use super::table::Found;
use crate::acl::{Access, Asked, Denial, DenialContext, LogSubject, Refusal, User};
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::command_error::CommandError;
use crate::flags::Flags;
use crate::resp::Request;
use crate::state::{State, count_max};

/// A request together with the row of its command.
pub(crate) struct Attempt<'r, 'b> {
    pub(crate) found: Found,
    pub(crate) request: &'r Request<'b>,
}

impl Asked for Attempt<'_, '_> {
    fn command(&self) -> usize {
        self.found.index
    }

    fn is_for_everybody(&self) -> bool {
        self.found.command.flags.contains(Flags::NO_AUTH)
    }

    fn first_arg(&self) -> Option<&[u8]> {
        self.request.get(1)
    }

    fn refused_key(&self, may_use: &dyn Fn(&[u8], Access) -> bool) -> Option<usize> {
        let command = self.found.command;
        let unnamed = command.unnamed_keys.and_then(|find| find(self.request));
        unnamed.or_else(|| {
            let is_refused = |key: &super::key_spec::UsedKey<'_>| {
                key.uses.are_of_keys() && !may_use(key.name, key.uses.access)
            };
            command.keys.find(self.request, |key| is_refused(&key)).map(|key| key.at)
        })
    }

    fn refused_channel(&self, may_use: &dyn Fn(&[u8], bool) -> bool) -> Option<usize> {
        let spec = self.found.command.channels?;
        let mut channels = spec.of(self.request);
        channels.find(|(_, channel)| !may_use(channel, spec.is_pattern)).map(|(at, _)| at)
    }
}

impl Attempt<'_, '_> {
    /// Why the request is refused, in Redis' words. `shows_all`: with the name of the key or channel.
    pub(crate) fn refusal_text(&self, user: &[u8], refusal: Refusal, shows_all: bool) -> Vec<u8> {
        let text = |what: &str, name: &[u8], kind: &str| {
            let parts = [b"User ", user, b" has no permissions to ", what.as_bytes(), b" the '"];
            [&parts.concat(), name, b"' ", kind.as_bytes()].concat()
        };
        let name = |at| self.request.get(at).unwrap_or_default();
        match refusal {
            Refusal::Command => text("run", self.found.command.name.as_bytes(), "command"),
            Refusal::Key(at) if shows_all => text("access", name(at), "key"),
            Refusal::Channel(at) if shows_all => text("access", name(at), "channel"),
            Refusal::Key(_) => b"No permissions to access a key".to_vec(),
            Refusal::Channel(_) => b"No permissions to access a channel".to_vec(),
        }
    }
}

/// Checks that a client's user may run a request. `exec`: the number of commands of the transaction of
/// which it is part.
///
/// # Errors
/// It may not: the refusal is counted and logged.
#[inline]
pub(crate) fn check(
    state: &mut State,
    id: ClientId,
    attempt: &Attempt<'_, '_>,
    exec: Option<usize>,
    now: Now,
) -> Result<(), Refusal> {
    let Some(client) = state.clients.get(id) else { return Ok(()) };
    if state.users.get(client.user).is_unrestricted() {
        return Ok(());
    }
    check_rules(state, id, attempt, Within::of(exec), now)
}

/// As `check`, for a command that a script calls.
#[inline]
pub(crate) fn check_in_script(
    state: &mut State,
    id: ClientId,
    attempt: &Attempt<'_, '_>,
    now: Now,
) -> Result<(), Refusal> {
    let Some(client) = state.clients.get(id) else { return Ok(()) };
    if state.users.get(client.user).is_unrestricted() {
        return Ok(());
    }
    check_rules(state, id, attempt, Within::Script, now)
}

#[inline(never)]
fn check_rules(
    state: &mut State,
    id: ClientId,
    attempt: &Attempt<'_, '_>,
    within: Within,
    now: Now,
) -> Result<(), Refusal> {
    let Some(client) = state.clients.get(id) else { return Ok(()) };
    let user = state.users.get(client.user);
    let Err(refusal) = user.check(attempt) else { return Ok(()) };
    let username = user.name().to_vec();
    let object = |at| attempt.request.get(at).unwrap_or_default().to_vec();
    let (subject, object) = match refusal {
        Refusal::Command => (LogSubject::Command, attempt.found.command.name.into()),
        Refusal::Key(at) => (LogSubject::Key, object(at)),
        Refusal::Channel(at) => (LogSubject::Channel, object(at)),
    };
    log_within(state, id, (subject, object, username), within, now);
    Err(refusal)
}

/// The keys that a reply may show although the request does not name them: those that the user could name
/// in a command that reads no content.
pub(crate) struct ShownKeys<'a> {
    /// `None` if all are shown.
    user: Option<&'a User>,
    command: usize,
    first_arg: Option<&'a [u8]>,
}

impl<'a> ShownKeys<'a> {
    /// Those for the running command.
    pub(crate) fn of(ctx: &'a Context<'_>, request: &Request<'a>) -> ShownKeys<'a> {
        let user = ctx.client().map(|client| ctx.state.users.get(client.user));
        let user = user.filter(|user| !user.is_unrestricted());
        ShownKeys { user, command: ctx.found.index, first_arg: request.get(1) }
    }

    /// Whether this key is shown.
    pub(crate) fn include(&self, key: &[u8]) -> bool {
        self.user.is_none_or(|user| user.may_use(self.command, self.first_arg, (key, Access::NONE)))
    }
}

/// Whether the client's user may read every key with the running command: also those whose names the request
/// does not contain.
pub(crate) fn may_read_every_key(ctx: &Context<'_>, request: &Request<'_>) -> bool {
    let Some(client) = ctx.client() else { return true };
    let user = ctx.state.users.get(client.user);
    let reads = Access { reads: true, writes: false };
    user.is_unrestricted() || user.may_use_every_key(ctx.found.index, request.get(1), reads)
}

/// What a refused command was part of.
#[derive(Clone, Copy, Debug)]
enum Within {
    Nothing,
    /// A transaction of so many commands.
    Exec(usize),
    Script,
}

impl Within {
    fn of(exec: Option<usize>) -> Within {
        exec.map_or(Within::Nothing, Within::Exec)
    }
}

/// Counts and logs a refusal: its subject, object, and the name of the user.
pub(crate) fn log(
    state: &mut State,
    id: ClientId,
    refused: (LogSubject, Vec<u8>, Vec<u8>),
    exec: Option<usize>,
    now: Now,
) {
    log_within(state, id, refused, Within::of(exec), now);
}

fn log_within(
    state: &mut State,
    id: ClientId,
    (subject, object, username): (LogSubject, Vec<u8>, Vec<u8>),
    within: Within,
    now: Now,
) {
    state.stats.denied.count(subject);
    let Some(client) = state.clients.get(id) else { return };
    let (exec, context) = match within {
        Within::Exec(commands) => (Some(commands), DenialContext::Transaction),
        Within::Nothing if client.is_in_transaction() => (None, DenialContext::Transaction),
        Within::Nothing => (None, DenialContext::Toplevel),
        Within::Script => (None, DenialContext::Script),
    };
    let mut client_info = String::new();
    client_line::write(&mut client_info, client, &state.users, exec, now);
    let denial = Denial { subject, context, object, username, client_info };
    let entries_max = count_max(state.settings.acllog_len_max);
    state.access_log.add(denial, now.unix_us / 1000, entries_max);
}

/// The error reply to a refused request.
pub(crate) fn error(
    state: &State,
    id: ClientId,
    attempt: &Attempt<'_, '_>,
    refusal: Refusal,
) -> CommandError {
    let user = state.clients.get(id).map(|client| state.users.get(client.user).name());
    let text = attempt.refusal_text(user.unwrap_or_default(), refusal, false);
    CommandError::Bytes([b"NOPERM ", &text[..]].concat())
}
