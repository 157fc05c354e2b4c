//! The execution of a command: what may refuse it, transactions, its run.

use super::client::Wait;
use super::reply::Reply;
use super::{Model, Who, Words};

/// Names of the commands that change data, with their number of words; negative means at least.
const WRITING: &[(&str, i32)] = &[
    ("rpush", -3),
    ("lpush", -3),
    ("rpushx", -3),
    ("lpushx", -3),
    ("lpop", -2),
    ("rpop", -2),
    ("lset", 4),
    ("linsert", 5),
    ("lrem", 4),
    ("ltrim", 4),
    ("lmove", 5),
    ("rpoplpush", 3),
    ("lmpop", -4),
    ("blpop", -3),
    ("brpop", -3),
    ("blmove", 6),
    ("brpoplpush", 4),
    ("blmpop", -5),
    ("del", -2),
    ("unlink", -2),
    ("rename", 3),
    ("renamenx", 3),
    ("move", 3),
    ("copy", -3),
    ("flushdb", -1),
    ("flushall", -1),
    ("swapdb", 3),
    ("expire", -3),
    ("pexpire", -3),
    ("pexpireat", -3),
    ("persist", 2),
    ("set", -3),
    ("setnx", 3),
    ("getdel", 2),
    ("getex", -2),
    ("append", 3),
    ("incr", 2),
    ("decr", 2),
    ("incrby", 3),
    ("decrby", 3),
    ("mset", -3),
    ("msetnx", -3),
    ("setex", 4),
    ("psetex", 4),
    ("getset", 3),
    ("hset", -4),
    ("hmset", -4),
    ("hsetnx", 4),
    ("hdel", -3),
    ("hincrby", 4),
    ("sadd", -3),
    ("srem", -3),
    ("smove", 4),
    ("sinterstore", -3),
    ("sunionstore", -3),
    ("sdiffstore", -3),
    ("zadd", -4),
    ("zincrby", 4),
    ("zrem", -3),
    ("zpopmin", -2),
    ("zpopmax", -2),
    ("bzpopmin", -3),
    ("bzpopmax", -3),
    ("zremrangebyrank", 4),
    ("zremrangebyscore", 4),
    ("zremrangebylex", 4),
    ("zrangestore", -5),
    ("zunionstore", -4),
    ("zinterstore", -4),
    ("zdiffstore", -4),
    ("xadd", -5),
    ("xdel", -3),
    ("xtrim", -4),
    // A pause of writes holds these back, too: they are sent to replicas.
    ("publish", 3),
    ("spublish", 3),
];

/// The other commands that the generator sometimes gives too few or too many words.
const OTHERS: &[(&str, i32)] = &[
    ("llen", 2),
    ("lrange", 4),
    ("lindex", 3),
    ("lpos", -3),
    ("exists", -2),
    ("get", 2),
    ("strlen", 2),
    ("mget", -2),
    ("echo", 2),
    ("multi", 1),
    ("exec", 1),
    ("discard", 1),
    ("watch", -2),
    ("unwatch", 1),
    ("subscribe", -2),
    ("select", 2),
];

const FOR_SUBSCRIBERS: &[&str] = &[
    "subscribe",
    "psubscribe",
    "ssubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "ping",
    "quit",
    "reset",
];
const NOT_QUEUED: &[&str] = &["exec", "discard", "multi", "watch", "quit", "reset"];

/// The name of an unknown command.
const UNKNOWN: &str = "nonsense";

fn name_of(words: &Words) -> String {
    String::from_utf8_lossy(&words[0]).to_ascii_lowercase()
}

/// A command's name in errors: a subcommand with its container.
fn full_name(words: &Words) -> String {
    match name_of(words).as_str() {
        container @ ("client" | "pubsub" | "queue") => {
            format!("{container}|{}", String::from_utf8_lossy(&words[1]).to_ascii_lowercase())
        }
        name => name.into(),
    }
}

fn is_writing(words: &Words) -> bool {
    match full_name(words).as_str() {
        "queue|ack" | "queue|nack" | "queue|pop" | "queue|purge" | "queue|push" | "queue|move" => {
            true
        }
        _ => WRITING.iter().any(|(name, _)| *name == name_of(words)),
    }
}

/// Errors in the command itself.
fn check(name: &str, words: &Words) -> Result<(), String> {
    if name == UNKNOWN {
        return Err(format!("ERR unknown command '{UNKNOWN}', with args beginning with: "));
    }
    let arity = WRITING.iter().chain(OTHERS).find(|row| row.0 == name).map_or(-1, |row| row.1);
    let wanted = arity.unsigned_abs() as usize;
    let is_right = if arity < 0 { words.len() >= wanted } else { words.len() == wanted };
    if is_right {
        Ok(())
    } else {
        Err(format!("ERR wrong number of arguments for '{name}' command"))
    }
}

impl Model {
    /// Runs one command; false if a pause holds it back.
    pub(super) fn dispatch(&mut self, who: Who, words: &Words, reply: &mut Reply) -> bool {
        let name = name_of(words);
        let client = &mut self.clients[who];
        let is_restricted = !client.is_resp3 && client.is_subscriber();
        let refusal = check(&name, words).err().or_else(|| {
            (is_restricted && !FOR_SUBSCRIBERS.contains(&name.as_str())).then(|| {
                format!(
                    "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / \
                     QUIT / RESET are allowed in this context",
                    full_name(words)
                )
            })
        });
        if let Some(error) = refusal {
            self.refuse(who, &name, &error, reply);
            return true;
        }
        if self.is_held_back(who, words, &name) {
            self.start_waiting(who, Wait::EndOfPause);
            return false;
        }
        let client = &mut self.clients[who];
        match &mut client.queued {
            Some(queued) if !NOT_QUEUED.contains(&name.as_str()) => {
                // If EXEC will fail anyway, the command is not kept.
                if !client.is_aborted && !client.is_watch_broken {
                    queued.push(words.clone());
                }
                reply.simple("QUEUED");
            }
            _ => {
                self.run(who, words, false, reply);
                self.serve_ready();
            }
        }
        true
    }

    fn refuse(&mut self, who: Who, name: &str, error: &str, reply: &mut Reply) {
        let client = &mut self.clients[who];
        client.is_aborted |= client.queued.is_some();
        if name == "exec" {
            client.end_transaction();
            let reason = error.trim_start_matches("ERR ");
            return reply.error(&format!("EXECABORT Transaction discarded because of: {reason}"));
        }
        reply.error(error);
    }

    fn is_held_back(&self, who: Who, words: &Words, name: &str) -> bool {
        let queued = self.clients[who].queued.as_deref().unwrap_or_default();
        let changes = is_writing(words) || (name == "exec" && queued.iter().any(is_writing));
        self.pause.is_some_and(|(_, writes_only)| !writes_only || changes)
    }

    /// Runs a command that nothing refuses.
    fn run(&mut self, who: Who, words: &Words, in_exec: bool, reply: &mut Reply) {
        if let Err(error) = self.try_run(who, words, in_exec, reply) {
            reply.error(&error);
        }
    }

    fn try_run(
        &mut self,
        who: Who,
        words: &Words,
        in_exec: bool,
        reply: &mut Reply,
    ) -> Result<(), String> {
        if in_exec && name_of(words) == "ssubscribe" {
            return Err("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client".into());
        }
        let has_run = self.run_transaction_command(who, words, reply)?
            || self.run_list_command(who, words, in_exec, reply)?
            || self.run_string_command(who, words, reply)?
            || self.run_hash_command(who, words, reply)?
            || self.run_set_command(who, words, reply)?
            || self.run_sorted_set_command(who, words, in_exec, reply)?
            || self.run_stream_command(who, words, reply)?
            || self.run_queue_command(who, words, in_exec, reply)?
            || self.run_key_command(who, words, reply)?
            || self.run_pubsub_command(who, words, reply)
            || self.run_connection_command(who, words, reply)?;
        assert!(has_run, "the model does not know {}", name_of(words));
        Ok(())
    }

    fn run_transaction_command(
        &mut self,
        who: Who,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let client = &mut self.clients[who];
        let is_open = client.queued.is_some();
        match name_of(words).as_str() {
            "multi" if is_open => return Err("ERR MULTI calls can not be nested".into()),
            "multi" => {
                client.queued = Some(Vec::new());
                reply.ok();
            }
            "exec" => self.exec(who, reply)?,
            "discard" if !is_open => return Err("ERR DISCARD without MULTI".into()),
            "watch" if is_open => return Err("ERR WATCH inside MULTI is not allowed".into()),
            "discard" | "unwatch" => {
                client.end_transaction();
                reply.ok();
            }
            "watch" => {
                let db = client.db;
                client.watched.extend(words[1..].iter().map(|key| (db, key.clone())));
                reply.ok();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn exec(&mut self, who: Who, reply: &mut Reply) -> Result<(), String> {
        let client = &mut self.clients[who];
        let queued = client.queued.take().ok_or("ERR EXEC without MULTI")?;
        let (is_aborted, is_watch_broken) = (client.is_aborted, client.is_watch_broken);
        client.end_transaction();
        if is_aborted {
            return Err("EXECABORT Transaction discarded because of previous errors.".into());
        }
        if is_watch_broken {
            reply.null_array();
            return Ok(());
        }
        reply.array(queued.len());
        for words in &queued {
            self.run(who, words, true, reply);
        }
        Ok(())
    }
}
