//! Queue policies: which one applies to a key, and how they are set and shown.

use super::keys::integer;
use super::pubsub::matches;
use super::reply::Reply;
use super::throttle::is_throttled;
use super::{Key, Model, Words};

/// The options in their order in replies, with their defaults.
const OPTIONS: &[(&str, &str)] = &[
    ("priority", "0"),
    ("max-length", ""),
    ("max-length-bytes", ""),
    ("overflow", "reject"),
    ("block-timeout-ms", "5000"),
    ("message-ttl-ms", ""),
    ("delay-ms", ""),
    ("delivery", "at-most-once"),
    ("acknowledge", ""),
    ("ack-timeout-ms", ""),
    ("delivery-limit", ""),
    ("retry-delay-ms", ""),
    ("retry-delay-max-ms", ""),
    ("max-in-flight", ""),
    ("max-in-flight-per-client", ""),
    ("rate", ""),
    ("rate-per-ms", "1000"),
    ("dead-letter", ""),
    ("dedup-window-ms", ""),
];

/// What an option requires: one of these options, with this value if there is one.
type Needed = &'static [(&'static str, &'static str)];
const NEEDS: &[(&str, Needed, &str)] = &[
    ("overflow", &[("max-length", ""), ("max-length-bytes", "")], "max-length or max-length-bytes"),
    ("block-timeout-ms", &[("overflow", "block")], "overflow block"),
    ("acknowledge", &[("delivery", "")], "delivery at-least-once"),
    ("ack-timeout-ms", &[("delivery", "")], "delivery at-least-once"),
    ("delivery-limit", &[("delivery", "")], "delivery at-least-once"),
    ("max-in-flight", &[("delivery", "")], "delivery at-least-once"),
    ("max-in-flight-per-client", &[("delivery", "")], "delivery at-least-once"),
    ("rate-per-ms", &[("rate", "")], "rate"),
    ("retry-delay-ms", &[("delivery", "")], "delivery at-least-once"),
    ("retry-delay-max-ms", &[("retry-delay-ms", "")], "retry-delay-ms"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub name: Vec<u8>,
    pattern: Vec<u8>,
    /// Names and values of the options that are not the default, as they are shown.
    options: Vec<(&'static str, Vec<u8>)>,
}

impl Policy {
    /// Parses name, pattern and options. An error is the reply.
    fn parse(words: &[Vec<u8>]) -> Result<Policy, String> {
        if words[1].is_empty() {
            return Err("ERR a policy's pattern has 1 to 1024 bytes".into());
        }
        let mut given: Vec<(String, Vec<u8>)> = Vec::new();
        for option in words[2..].chunks(2) {
            let name = String::from_utf8_lossy(&option[0]).to_ascii_lowercase();
            let value = match option[1].as_slice() {
                b"reject-publish" => b"reject".to_vec(),
                value => value.to_vec(),
            };
            given.push((name, value));
        }
        let value = |name: &str| given.iter().find(|(other, _)| other == name);
        for (name, needed, text) in NEEDS {
            let is_met = needed.iter().any(|(needed, wanted)| {
                value(needed)
                    .is_some_and(|(_, value)| wanted.is_empty() || value == wanted.as_bytes())
            });
            if value(name).is_some() && !is_met {
                return Err(format!("ERR option '{name}' needs {text}"));
            }
        }
        let millis = |name: &str| value(name).and_then(|(_, value)| integer(value).ok());
        if let (Some(first_ms), Some(max_ms)) =
            (millis("retry-delay-ms"), millis("retry-delay-max-ms"))
            && max_ms < first_ms
        {
            return Err("ERR retry-delay-max-ms must not be below retry-delay-ms".into());
        }
        if value("overflow").is_some_and(|(_, value)| value == b"dead-letter")
            && value("dead-letter").is_none()
        {
            return Err("ERR overflow dead-letter needs the option 'dead-letter KEY'".into());
        }
        if value("delivery").is_some_and(|(_, value)| value == b"at-least-once")
            && value("acknowledge").is_none()
        {
            let text = "ERR delivery at-least-once needs `acknowledge next-pop` or `acknowledge \
                explicit`. next-pop is for workers that have their own connection and pop one message \
                at a time; explicit is for all others (pools, threads, tasks), which pop with QUEUE POP, \
                or send QUEUE ACK key VALUE message";
            return Err(text.into());
        }
        let shown = OPTIONS.iter().filter_map(|&(name, default)| {
            let (_, value) = value(name)?;
            (value != default.as_bytes()).then(|| (name, value.clone()))
        });
        Ok(Policy { name: words[0].clone(), pattern: words[1].clone(), options: shown.collect() })
    }

    fn option(&self, name: &str) -> Option<&Vec<u8>> {
        self.options.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// An option's number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.option(name).map(|value| integer(value).expect("the generator gives numbers"))
    }

    /// Whether an option has a value that is not its default.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.option(name).is_some_and(|given| given == value.as_bytes())
    }

    /// Whether queues may have delayed messages.
    pub fn provides_delays(&self) -> bool {
        self.number("delay-ms").is_some() || self.is("delivery", "at-least-once")
    }

    /// The parts of the dead-letter key before and after the placeholder; the whole key without one.
    fn dead_letter_parts(&self) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let text = String::from_utf8_lossy(self.option("dead-letter")?).into_owned();
        Some(match text.split_once("{queue}") {
            Some((before, behind)) => (before.into(), Some(behind.into())),
            None => (text.into(), None),
        })
    }

    pub fn dead_letter_key(&self, queue: &[u8]) -> Option<Key> {
        Some(match self.dead_letter_parts()? {
            (key, None) => key,
            (before, Some(behind)) => [&before, queue, &behind].concat(),
        })
    }

    /// Whether it applies to a key: never to one of its own dead-letter keys.
    pub fn applies_to(&self, key: &[u8]) -> bool {
        let is_for_dead_letters = match self.dead_letter_parts() {
            None => false,
            Some((dead, None)) => dead == key,
            Some((before, Some(behind))) => {
                let is_longer = key.len() > before.len() + behind.len();
                is_longer && key.starts_with(&before) && key.ends_with(&behind)
            }
        };
        matches(&self.pattern, key) && !is_for_dead_letters
    }

    fn show(&self, reply: &mut Reply) {
        reply.map(3 + self.options.len());
        reply.bulk(b"name");
        reply.bulk(&self.name);
        reply.bulk(b"pattern");
        reply.bulk(&self.pattern);
        // The simulation has no policies in the settings.
        reply.bulk(b"source");
        reply.bulk(b"command");
        for (name, value) in &self.options {
            reply.bulk(name.as_bytes());
            reply.bulk(value);
        }
    }
}

impl Model {
    /// The policy that applies to a key.
    pub(super) fn policy(&self, key: &[u8]) -> Option<Policy> {
        self.policies.iter().find(|policy| policy.applies_to(key)).cloned()
    }

    /// QUEUE POLICY. An error is the reply.
    pub(super) fn run_policy_command(
        &mut self,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<(), String> {
        match words[2].to_ascii_uppercase().as_slice() {
            b"SET" => {
                let policy = Policy::parse(&words[3..])?;
                self.has_had_timers = true;
                self.change_policies(Some(policy.clone()), &policy.name);
                reply.ok();
            }
            b"DEL" => {
                let exists = self.policies.iter().any(|policy| policy.name == words[3]);
                self.change_policies(None, &words[3]);
                reply.integer(exists.into());
            }
            b"LIST" => {
                reply.array(self.policies.len());
                self.policies.iter().for_each(|policy| policy.show(reply));
            }
            b"OF" => match self.policy(&words[3]) {
                Some(policy) => policy.show(reply),
                None => reply.null(),
            },
            _ => unreachable!("the generator knows these"),
        }
        Ok(())
    }

    /// Replaces the policy of this name, or deletes it. Messages in flight that need no acknowledgement
    /// any more return to their unchanged queue, and so do messages delayed without a reason.
    fn change_policies(&mut self, policy: Option<Policy>, name: &[u8]) {
        let mut policies = self.policies.clone();
        policies.retain(|other| other.name != name);
        policies.extend(policy);
        policies.sort_by_key(|policy| policy.name.clone());
        policies.sort_by_key(|policy| -policy.number("priority").unwrap_or(0));

        let ready_before = self.ready.len();
        let before = std::mem::replace(&mut self.policies, policies);
        for (db, key) in self.queues.keys().cloned().collect::<Vec<_>>() {
            let policy = self.policy(&key);
            let after = std::mem::replace(&mut self.policies, before.clone());
            if !policy.as_ref().is_some_and(|policy| policy.is("delivery", "at-least-once")) {
                self.put_all_back(db, &key);
            }
            if !policy.is_some_and(|policy| policy.provides_delays()) {
                self.release(db, &key, i64::MAX);
            }
            self.policies = after;
        }
        self.apply_policies();
        let policy_before = |key: &[u8]| before.iter().find(|policy| policy.applies_to(key));
        for (db, key) in self.queues.keys().cloned().collect::<Vec<_>>() {
            if policy_before(&key) != self.policy(&key).as_ref() {
                self.change_rate(db, &key, policy_before(&key));
            }
        }
        for (db, key) in self.keys_waited_for() {
            let was_limited = policy_before(&key).is_some_and(is_throttled);
            if was_limited && policy_before(&key) != self.policy(&key).as_ref() {
                self.mark_ready(db, &key);
            }
        }
        self.sort_ready(ready_before);
        for (db, key) in self.keys_waited_for_capacity() {
            if policy_before(&key) != self.policy(&key).as_ref() {
                self.mark_capacity(db, &key);
            }
        }
    }
}
