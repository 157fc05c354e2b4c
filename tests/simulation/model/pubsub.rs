//! Publish/subscribe.

use super::client::{Client, Kind};
use super::reply::Reply;
use super::{Model, Who, Words};

/// Whether a name matches a pattern with only `*` and `?` as special characters.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => matches(pattern, name),
        ([wanted, pattern @ ..], [found, name @ ..]) => wanted == found && matches(pattern, name),
        _ => false,
    }
}

fn counted(client: &Client, kind: Kind) -> usize {
    match kind {
        Kind::Shard => client.shard_channels.len(),
        _ => client.channels.len() + client.patterns.len(),
    }
}

impl Model {
    /// Runs a command about channels; false for other commands.
    pub(super) fn run_pubsub_command(
        &mut self,
        who: Who,
        words: &Words,
        reply: &mut Reply,
    ) -> bool {
        let second = words.get(1).map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        match words[0].to_ascii_uppercase().as_slice() {
            b"SUBSCRIBE" => self.subscribe(who, Kind::Channel, words, reply),
            b"PSUBSCRIBE" => self.subscribe(who, Kind::Pattern, words, reply),
            b"SSUBSCRIBE" => self.subscribe(who, Kind::Shard, words, reply),
            b"UNSUBSCRIBE" => self.unsubscribe(who, Kind::Channel, words, reply),
            b"PUNSUBSCRIBE" => self.unsubscribe(who, Kind::Pattern, words, reply),
            b"SUNSUBSCRIBE" => self.unsubscribe(who, Kind::Shard, words, reply),
            b"PUBLISH" => {
                let mut receivers = self.publish_to(Kind::Channel, &words[1], words, b"message");
                for pattern in self.patterns.clone() {
                    if matches(&pattern, &words[1]) {
                        receivers += self.publish_to(Kind::Pattern, &pattern, words, b"pmessage");
                    }
                }
                reply.count(receivers);
            }
            b"SPUBLISH" => {
                let receivers = self.publish_to(Kind::Shard, &words[1], words, b"smessage");
                reply.count(receivers);
            }
            b"PUBSUB" if second == b"NUMPAT" => reply.count(self.patterns.len()),
            b"PUBSUB" if second == b"NUMSUB" => self.tell_numbers(Kind::Channel, words, reply),
            b"PUBSUB" if second == b"SHARDNUMSUB" => self.tell_numbers(Kind::Shard, words, reply),
            _ => return false,
        }
        true
    }

    fn subscribe(&mut self, who: Who, kind: Kind, words: &Words, reply: &mut Reply) {
        for name in &words[1..] {
            let is_new = self.clients[who].names_mut(kind).insert(name.clone());
            if is_new && kind == Kind::Pattern && !self.patterns.contains(name) {
                self.patterns.push(name.clone());
            }
            self.confirm(who, kind, "subscribe", Some(name), reply);
        }
    }

    fn unsubscribe(&mut self, who: Who, kind: Kind, words: &Words, reply: &mut Reply) {
        let named = words[1..].to_vec();
        let all = || self.clients[who].names(kind).iter().cloned().collect();
        let names: Vec<Vec<u8>> = if named.is_empty() { all() } else { named };
        if names.is_empty() {
            self.confirm(who, kind, "unsubscribe", None, reply);
        }
        for name in names {
            self.leave(who, kind, &name);
            self.confirm(who, kind, "unsubscribe", Some(&name), reply);
        }
    }

    fn leave(&mut self, who: Who, kind: Kind, name: &[u8]) {
        let was_subscribed = self.clients[who].names_mut(kind).remove(name);
        if was_subscribed && kind == Kind::Pattern && self.subscribers(kind, name).is_empty() {
            // The last pattern takes its position.
            let place = self.patterns.iter().position(|pattern| pattern == name);
            place.map(|place| self.patterns.swap_remove(place));
        }
    }

    pub(super) fn forget_subscriptions(&mut self, who: Who) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in self.clients[who].names(kind).clone() {
                self.leave(who, kind, &name);
            }
        }
    }

    fn confirm(&self, who: Who, kind: Kind, word: &str, name: Option<&Vec<u8>>, reply: &mut Reply) {
        let prefix = match kind {
            Kind::Channel => "",
            Kind::Pattern => "p",
            Kind::Shard => "s",
        };
        reply.push(3);
        reply.bulk(format!("{prefix}{word}").as_bytes());
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.count(counted(&self.clients[who], kind));
    }

    fn subscribers(&self, kind: Kind, name: &[u8]) -> Vec<Who> {
        let all = 0..self.clients.len();
        all.filter(|&who| self.clients[who].names(kind).contains(name)).collect()
    }

    /// Sends `words`, a PUBLISH, to the subscribers of `name`; returns their number.
    fn publish_to(&mut self, kind: Kind, name: &[u8], words: &Words, word: &[u8]) -> usize {
        let subscribers = self.subscribers(kind, name);
        for &who in &subscribers {
            let mut message = Reply::new(self.clients[who].is_resp3);
            message.push(if kind == Kind::Pattern { 4 } else { 3 });
            message.bulk(word);
            if kind == Kind::Pattern {
                message.bulk(name);
            }
            message.bulk(&words[1]);
            message.bulk(&words[2]);
            self.write(who, &message.bytes);
        }
        subscribers.len()
    }

    fn tell_numbers(&self, kind: Kind, words: &Words, reply: &mut Reply) {
        reply.array(2 * (words.len() - 2));
        for name in &words[2..] {
            reply.bulk(name);
            reply.count(self.subscribers(kind, name).len());
        }
    }
}
