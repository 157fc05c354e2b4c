//! Pushes, with a delay or an id.

use super::client::Side;
use super::keys::integer;
use super::recent::as_message;
use super::reply::Reply;
use super::{Model, Who, Words};

/// The options of QUEUE PUSH; those of other pushes are none of them.
#[derive(Clone, Debug, Default)]
pub struct PushOptions {
    /// Whether the reply is the number of stored messages, not the length.
    is_queue_push: bool,
    delay_ms: Option<i64>,
    pub id: Option<Vec<u8>>,
}

/// The result of a push.
pub struct Pushed {
    len: usize,
    stored: usize,
}

impl PushOptions {
    /// The number in the reply.
    pub fn counted(&self, pushed: &Pushed) -> usize {
        if self.is_queue_push { pushed.stored } else { pushed.len }
    }
}

impl Model {
    pub(super) fn push_command(
        &mut self,
        who: Who,
        words: &Words,
        in_exec: bool,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let side = if words[0].to_ascii_uppercase()[0] == b'L' { Side::Left } else { Side::Right };
        let (key, messages) = (&words[1], &words[2..]);
        self.check_list(self.clients[who].db, key)?;
        self.push_or_wait(who, key, side, messages, &PushOptions::default(), in_exec, reply)
    }

    /// QUEUE PUSH, as the generator gives it: with correct options.
    pub(super) fn queue_push_command(
        &mut self,
        who: Who,
        words: &Words,
        in_exec: bool,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let (db, key) = (self.clients[who].db, &words[2]);
        let (mut side, mut options) =
            (Side::Right, PushOptions { is_queue_push: true, ..PushOptions::default() });
        let mut rest = &words[3..];
        let messages = loop {
            match rest[0].to_ascii_uppercase().as_slice() {
                b"LEFT" => (side, rest) = (Side::Left, &rest[1..]),
                b"DELAY" => (options.delay_ms, rest) = (integer(&rest[1]).ok(), &rest[2..]),
                b"ID" => (options.id, rest) = (Some(rest[1].clone()), &rest[2..]),
                _ => break &rest[2..],
            }
        };
        self.check_list(db, key)?;
        let policy = self.policy(key);
        let lacks = |option: &str, needed: &str| {
            let key = String::from_utf8_lossy(key);
            Err(format!("ERR QUEUE PUSH with {option} needs a policy with {needed} for '{key}'"))
        };
        let is_delayed = options.delay_ms.is_some_and(|delay_ms| delay_ms > 0);
        if is_delayed && !policy.as_ref().is_some_and(|policy| policy.provides_delays()) {
            return lacks("DELAY", "delay-ms or delivery at-least-once");
        }
        let window_ms = policy.and_then(|policy| policy.number("dedup-window-ms"));
        if options.id.is_some() && window_ms.is_none() {
            return lacks("ID", "dedup-window-ms");
        }
        self.push_or_wait(who, key, side, messages, &options, in_exec, reply)
    }

    #[expect(clippy::too_many_arguments, reason = "each is one word of a push")]
    fn push_or_wait(
        &mut self,
        who: Who,
        key: &[u8],
        side: Side,
        messages: &[Vec<u8>],
        options: &PushOptions,
        in_exec: bool,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let db = self.clients[who].db;
        match self.must_wait_for_capacity(db, key, messages, options) {
            Some(policy) if !in_exec => {
                self.wait_for_capacity(who, (db, key), side, messages, options, policy)
            }
            _ => {
                let pushed = self.push_new(db, key, side, messages, options)?;
                reply.count(options.counted(&pushed));
            }
        }
        Ok(())
    }

    /// Pushes messages except recent duplicates.
    pub(super) fn push_new(
        &mut self,
        db: usize,
        key: &[u8],
        side: Side,
        messages: &[Vec<u8>],
        options: &PushOptions,
    ) -> Result<Pushed, String> {
        self.check_list(db, key)?;
        let new = self.new_messages(db, key, messages, options.id.as_ref());
        let stored = new.len();
        if new.is_empty() {
            self.remember_stored(db, key, &new, messages.len());
            let len = self.list(db, key).len() + self.delayed(db, key).len();
            return Ok(Pushed { len, stored });
        }
        self.check_push(db, key, stored, new.iter().map(Vec::len).sum())?;
        let of_policy = || self.policy(key).and_then(|policy| policy.number("delay-ms"));
        let delay_ms = options.delay_ms.or_else(of_policy).filter(|delay_ms| *delay_ms > 0);
        for message in &new {
            let message = self.new_message(key, message.clone());
            match delay_ms {
                Some(delay_ms) => self.delay(db, key, side, message, delay_ms),
                None => self.push(db, key, side, message),
            }
        }
        self.tally.pushed += stored;
        let len = self.finish_push(db, key, side, stored);
        let remembered = match &options.id {
            None => new,
            Some(id) => vec![as_message(id)],
        };
        self.remember_stored(db, key, &remembered, messages.len() - stored);
        Ok(Pushed { len, stored })
    }
}
