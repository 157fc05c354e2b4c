//! Commands about the connection itself and about other clients.

use tidegate::CloseReason;

use super::keys::integer;
use super::reply::Reply;
use super::{Model, Who, Words};

/// The version that HELLO gives.
const REDIS_VERSION: &[u8] = b"7.2.4";

/// The address from which a client connects.
pub fn address(who: Who) -> String {
    format!("127.0.0.1:{}", 10_000 + who)
}

impl Model {
    /// Runs a command about connections; false for other commands. An error is the reply.
    pub(super) fn run_connection_command(
        &mut self,
        who: Who,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        match words[0].to_ascii_uppercase().as_slice() {
            b"PING" if !reply.is_resp3 && self.clients[who].is_subscriber() => {
                reply.array(2);
                reply.bulk(b"pong");
                reply.bulk(words.get(1).map_or(b"", |message| message));
            }
            b"PING" => match words.get(1) {
                Some(message) => reply.bulk(message),
                None => reply.simple("PONG"),
            },
            b"ECHO" => reply.bulk(&words[1]),
            b"HELLO" => self.greet(who, words, reply),
            b"QUIT" => {
                reply.ok();
                self.close(who, CloseReason::Quit);
            }
            b"RESET" => {
                self.clients[who].end_transaction();
                self.forget_subscriptions(who);
                self.clients[who].db = 0;
                self.clients[who].is_resp3 = false;
                self.give_all_back(who);
                reply.is_resp3 = false;
                reply.simple("RESET");
            }
            b"CLIENT" => self.run_client_command(who, words, reply)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn greet(&mut self, who: Who, words: &Words, reply: &mut Reply) {
        if let Some(version) = words.get(1) {
            reply.is_resp3 = version == b"3";
            self.clients[who].is_resp3 = reply.is_resp3;
        }
        reply.map(7);
        reply.bulk(b"server");
        reply.bulk(b"redis");
        reply.bulk(b"version");
        reply.bulk(REDIS_VERSION);
        reply.bulk(b"proto");
        reply.integer(if reply.is_resp3 { 3 } else { 2 });
        reply.bulk(b"id");
        reply.count(who + 1);
        for text in [&b"mode"[..], b"standalone", b"role", b"master", b"modules"] {
            reply.bulk(text);
        }
        reply.array(0);
    }

    fn run_client_command(
        &mut self,
        who: Who,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<(), String> {
        match words[1].to_ascii_uppercase().as_slice() {
            b"ID" => reply.count(who + 1),
            b"UNBLOCK" => {
                let with_error =
                    words.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"ERROR"));
                let target = integer(&words[2])? as usize;
                let target = target.checked_sub(1).filter(|who| *who < self.clients.len());
                let is_unblocked = target.is_some_and(|target| match with_error {
                    true => self.end_wait(target, |reply| {
                        reply.error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
                    }),
                    false => self.time_out(target),
                });
                reply.integer(is_unblocked.into());
            }
            b"KILL" => self.kill(who, words, reply)?,
            b"PAUSE" => {
                let until_us = self.now.monotonic_us + integer(&words[2])? as u64 * 1000;
                let writes_only = words.get(3).is_some_and(|word| word == b"WRITE");
                let earlier = self.pause.filter(|(until_us, _)| *until_us > self.now.monotonic_us);
                // Another pause can make a pause longer or stronger, never shorter or weaker.
                let (longest_us, is_weak) = earlier.unwrap_or((0, true));
                self.pause = Some((until_us.max(longest_us), writes_only && is_weak));
                reply.ok();
            }
            _ => {
                self.lift_pause();
                reply.ok();
            }
        }
        Ok(())
    }

    /// CLIENT KILL with an address alone, or with the conditions ID, ADDR, TYPE and SKIPME.
    fn kill(&mut self, who: Who, words: &Words, reply: &mut Reply) -> Result<(), String> {
        let is_old_form = words.len() == 3;
        let mut chosen: Vec<Who> = (0..self.clients.len()).collect();
        chosen.retain(|&other| {
            let client = &self.clients[other];
            client.is_connected && !client.is_gone()
        });
        let mut with_oneself = is_old_form;
        if is_old_form {
            chosen.retain(|&other| address(other).as_bytes() == words[2]);
        } else {
            for condition in words[2..].chunks(2) {
                let value = condition.get(1).ok_or("ERR syntax error")?;
                match condition[0].to_ascii_uppercase().as_slice() {
                    b"ID" => chosen.retain(|&other| (other + 1).to_string().as_bytes() == value),
                    b"ADDR" => chosen.retain(|&other| address(other).as_bytes() == value),
                    b"TYPE" => chosen.retain(|&other| {
                        self.clients[other].is_subscriber() == (value == b"pubsub")
                    }),
                    _ => with_oneself = value == b"no",
                }
            }
        }
        chosen.retain(|&other| with_oneself || other != who);
        for &other in &chosen {
            self.kill_one(who, other);
        }
        match chosen.len() {
            0 if is_old_form => return Err("ERR No such client".into()),
            _ if is_old_form => reply.ok(),
            count => reply.count(count),
        }
        Ok(())
    }

    fn kill_one(&mut self, who: Who, other: Who) {
        if other == who {
            return self.close(who, CloseReason::KilledItself);
        }
        self.close(other, CloseReason::Killed);
        self.stop_waiting(other);
        self.clients[other].end_transaction();
        self.forget_subscriptions(other);
    }

    /// Ends a pause: the waiting clients continue, in the order in which their commands came.
    pub(super) fn lift_pause(&mut self) {
        self.pause = None;
        for who in self.held_back.clone() {
            self.stop_waiting(who);
        }
    }
}
