//! Keys on their way to another server (MIGRATE): what it is told, and what it answers.
//!
//! A migration is a plain value. The server makes the connection; the broker has a client for it, whose output goes
//! to the target. One key is sent at a time, as it is then, and the next one after the answer, so that a
//! migration needs no more memory than its largest key.

use super::link::PrimaryAddress;
use crate::client_id::ClientId;
use crate::key::DbIndex;
use crate::resp::write_command;
use std::collections::VecDeque;

/// The user and the password for the target. Without a user, it is the target's default one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) password: Vec<u8>,
}

/// What a client has asked for.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) target: PrimaryAddress,
    pub(crate) credentials: Option<Credentials>,
    /// The database there.
    pub(crate) target_db: i64,
    /// The database here.
    pub(crate) db: DbIndex,
    /// The keys stay here, too.
    pub(crate) copies: bool,
    /// Keys that are there are replaced.
    pub(crate) replaces: bool,
    /// The longest time without any progress.
    pub(crate) timeout_us: u64,
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Wanted,
    /// The server makes it.
    Asked,
    /// There is a client for it, and perhaps a connection.
    Begun(ClientId),
}

/// What a line of the target means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Another one must come first.
    Nothing,
    /// The first key can be sent.
    Ready,
    /// The key that was sent is answered.
    Stored,
    /// There is no use in going on.
    Refused,
}

/// A migration under way.
#[derive(Debug)]
pub(crate) struct Migration {
    /// The client that waits for its end.
    pub(crate) caller: ClientId,
    pub(crate) order: Order,
    stage: Stage,
    /// Answers that come before the first key is sent.
    greetings: usize,
    /// Those that are not sent yet.
    keys: VecDeque<Vec<u8>>,
    /// The one that is sent, and whose answer is awaited.
    sent: Option<Vec<u8>>,
    /// Whether the target has it now.
    is_stored: bool,
    /// Whether the target has answered anything.
    has_answered: bool,
    /// Whether it has refused the user or the database.
    is_refused: bool,
    /// The first error of the target.
    refusal: Option<String>,
    /// The first key that was not removed here, since it had changed.
    changed: Option<Vec<u8>>,
    /// Whether a key was removed.
    pub(crate) has_removed: bool,
    /// Bytes of output when that was last looked at.
    owed: usize,
    /// When it fails unless there is progress, in microseconds of the monotonic clock.
    due_us: u64,
}

impl Migration {
    pub(crate) fn new(
        caller: ClientId,
        order: Order,
        keys: Vec<Vec<u8>>,
        now_us: u64,
    ) -> Migration {
        Migration {
            caller,
            stage: Stage::Wanted,
            greetings: 0,
            keys: keys.into(),
            sent: None,
            is_stored: false,
            has_answered: false,
            is_refused: false,
            refusal: None,
            changed: None,
            has_removed: false,
            owed: 0,
            due_us: now_us.saturating_add(order.timeout_us),
            order,
        }
    }

    /// The client of the connection to the target.
    pub(crate) fn link(&self) -> Option<ClientId> {
        match self.stage {
            Stage::Begun(link) => Some(link),
            Stage::Wanted | Stage::Asked => None,
        }
    }

    /// There is a client for the connection. Returns what is said first.
    pub(crate) fn begin(&mut self, link: ClientId, now_us: u64) -> Vec<u8> {
        self.stage = Stage::Begun(link);
        self.extend(now_us);
        let mut out = Vec::new();
        if let Some(Credentials { user, password }) = &self.order.credentials {
            let words: Vec<&[u8]> = [&b"AUTH"[..]]
                .into_iter()
                .chain(user.as_deref())
                .chain([password.as_slice()])
                .collect();
            write_command(&mut out, words);
            self.greetings += 1;
        }
        let db = self.order.target_db.to_string();
        write_command(&mut out, [&b"SELECT"[..], db.as_bytes()]);
        self.greetings += 1;
        out
    }

    /// The next key to be sent.
    pub(crate) fn next_key(&mut self) -> Option<Vec<u8>> {
        self.keys.pop_front()
    }

    /// Returns the request that stores a key at the target. `ttl_ms` is 0 without an expiry.
    pub(crate) fn send(
        &mut self,
        key: Vec<u8>,
        ttl_ms: i64,
        payload: &[u8],
        now_us: u64,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + key.len() + 64);
        let ttl = ttl_ms.to_string();
        let words = [&b"RESTORE"[..], &key, ttl.as_bytes(), payload, b"REPLACE"];
        let count = if self.order.replaces { 5 } else { 4 };
        write_command(&mut out, words[..count].iter().copied());
        (self.sent, self.is_stored) = (Some(key), false);
        self.extend(now_us);
        out
    }

    /// Handles a line of the target.
    pub(crate) fn hear(&mut self, line: &[u8], now_us: u64) -> Answer {
        self.has_answered = true;
        self.extend(now_us);
        let is_error = !line.starts_with(b"+");
        if is_error && self.refusal.is_none() {
            let text = line.strip_prefix(b"-").unwrap_or(line);
            self.refusal = Some(String::from_utf8_lossy(text).into_owned());
        }
        match self.greetings {
            0 if self.sent.is_none() => Answer::Nothing,
            0 => {
                self.is_stored = !is_error;
                Answer::Stored
            }
            _ if is_error => {
                self.is_refused = true;
                Answer::Refused
            }
            1 => {
                self.greetings = 0;
                Answer::Ready
            }
            _ => {
                self.greetings -= 1;
                Answer::Nothing
            }
        }
    }

    /// The key that was sent, once it is answered, and whether the target has it.
    pub(crate) fn take_answered(&mut self) -> Option<(Vec<u8>, bool)> {
        Some((self.sent.take()?, self.is_stored))
    }

    /// Whether there is no use in sending keys.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// A key has changed here while it was sent.
    pub(crate) fn mark_changed(&mut self, key: Vec<u8>) {
        self.changed.get_or_insert(key);
    }

    /// The reply to the caller at the end: the text of an error.
    pub(crate) fn result(&self) -> Result<(), String> {
        if let Some(refusal) = &self.refusal {
            return Err(format!("ERR Target instance replied with error: {refusal}"));
        }
        match &self.changed {
            None => Ok(()),
            Some(key) => Err(format!(
                "ERR The key '{}' has changed while it was sent: it stays here, and the target has it as it was",
                key.escape_ascii()
            )),
        }
    }

    /// The error if the connection is lost, or too slow. As in Redis' replies.
    pub(crate) fn failure(&self) -> String {
        match (&self.refusal, self.has_answered) {
            (Some(_), _) => self.result().err().unwrap_or_default(),
            (None, true) => "IOERR error or timeout reading to target instance".to_owned(),
            (None, false) => "IOERR error or timeout connecting to the client".to_owned(),
        }
    }

    fn extend(&mut self, now_us: u64) {
        self.owed = usize::MAX;
        self.due_us = now_us.saturating_add(self.order.timeout_us);
    }

    /// Whether its time is over. Output that was sent since the last look extends it.
    fn is_late(&mut self, owed: usize, now_us: u64) -> bool {
        if self.due_us > now_us {
            return false;
        }
        let has_sent = owed < self.owed && self.owed != usize::MAX;
        let is_first_look = self.has_answered && self.owed == usize::MAX && owed > 0;
        self.owed = owed;
        if has_sent || is_first_look {
            self.due_us = now_us.saturating_add(self.order.timeout_us);
        }
        !(has_sent || is_first_look)
    }
}

/// All migrations. There are few.
#[derive(Debug, Default)]
pub(crate) struct Migrations {
    all: Vec<Migration>,
}

impl Migrations {
    pub(crate) fn add(&mut self, migration: Migration) {
        self.all.push(migration);
    }

    /// Whether there are none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The next one for which a connection must be made.
    pub(crate) fn next_wanted(&mut self) -> Option<(ClientId, PrimaryAddress)> {
        let one = self.all.iter_mut().find(|one| one.stage == Stage::Wanted)?;
        one.stage = Stage::Asked;
        Some((one.caller, one.order.target.clone()))
    }

    /// That of a caller.
    pub(crate) fn of(&mut self, caller: ClientId) -> Option<&mut Migration> {
        self.all.iter_mut().find(|one| one.caller == caller)
    }

    /// That of a connection.
    pub(crate) fn of_link(&mut self, link: ClientId) -> Option<&mut Migration> {
        self.all.iter_mut().find(|one| one.link() == Some(link))
    }

    /// Whether a client is the connection of one.
    #[inline]
    pub(crate) fn is_link(&self, client: ClientId) -> bool {
        self.all.iter().any(|one| one.link() == Some(client))
    }

    /// Ends that of a caller.
    pub(crate) fn remove(&mut self, caller: ClientId) -> Option<Migration> {
        let at = self.all.iter().position(|one| one.caller == caller)?;
        Some(self.all.swap_remove(at))
    }

    /// When the first one is late.
    pub(crate) fn next_due_us(&self) -> Option<u64> {
        self.all.iter().map(|one| one.due_us).min()
    }

    /// The callers whose time is over. `owed`: the unsent bytes of a connection.
    pub(crate) fn late(&mut self, now_us: u64, owed: impl Fn(ClientId) -> usize) -> Vec<ClientId> {
        let late = self.all.iter_mut().filter_map(|one| {
            let owed = one.link().map_or(0, &owed);
            one.is_late(owed, now_us).then_some(one.caller)
        });
        late.collect()
    }
}
