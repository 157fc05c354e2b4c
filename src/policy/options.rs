//! The options of a queue policy: one row each for reading, printing and the help.

use super::row::{self, Given, PLACEHOLDER, Policy, Takes, chosen, digits};
use super::throttle::{RATE_MAX, RATE_PER_MS, Throttle};
use crate::glob::glob_matches;

/// What happens to a push that would exceed the policy's limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// It is refused as a whole.
    #[default]
    Reject,
    /// The oldest messages are dropped.
    DropHead,
    /// The oldest messages are dead-lettered, not the pushed ones.
    DeadLetter,
    /// The producer waits for capacity.
    Block,
}

/// The delivery guarantee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryGuarantee {
    /// At most once: a message is lost if its consumer dies with it.
    #[default]
    AtMostOnce,
    /// Repeated until the message is acknowledged.
    AtLeastOnce,
}

/// What acknowledges a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// The next pop of the same connection from the same queue, or QUEUE ACK.
    NextPop,
    /// QUEUE ACK alone.
    Explicit,
}

/// The policy for the queues whose keys match a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePolicy {
    /// The operator's name for it.
    pub name: Vec<u8>,
    /// A glob pattern, as for KEYS.
    pub pattern: Vec<u8>,
    /// The matching policy with the highest priority applies; among equals, the first by name.
    pub priority: i64,
    /// Maximum number of ready and delayed messages.
    pub max_length: Option<u64>,
    /// Maximum bytes of these messages.
    pub max_length_bytes: Option<u64>,
    /// What happens above the limits.
    pub overflow: Overflow,
    /// Milliseconds that a producer waits for capacity.
    pub block_timeout_ms: u64,
    /// Milliseconds until a waiting message expires.
    pub message_ttl_ms: Option<i64>,
    /// Milliseconds until a pushed message can be popped.
    pub delay_ms: Option<i64>,
    /// The delivery guarantee.
    pub delivery: DeliveryGuarantee,
    /// What acknowledges a message. New policies must set it; in older files without it, it is the next
    /// pop.
    pub acknowledge: Option<Acknowledge>,
    /// Milliseconds until a message that was not acknowledged returns to its queue.
    pub ack_timeout_ms: Option<i64>,
    /// Maximum number of deliveries without acknowledgement.
    pub delivery_limit: Option<u32>,
    /// Milliseconds until a message whose first delivery failed is ready again; twice as many after each
    /// further one.
    pub retry_delay_ms: Option<i64>,
    /// Maximum of that delay.
    pub retry_delay_max_ms: Option<i64>,
    /// Limits on deliveries. One look finds out that there are none.
    pub throttle: Option<Throttle>,
    /// Milliseconds within which an equal message is not stored again.
    pub dedup_window_ms: Option<i64>,
    /// How many replicas must have a change before its reply is sent; 0 for none.
    pub write_ack_replicas: u8,
    /// The key of the list for messages that expired, overflowed or reached the delivery limit;
    /// `{queue}` in it stands for the key of their queue.
    pub dead_letter: Option<Vec<u8>>,
}

/// Ten years, in milliseconds. Longer times are probably a mistake in units, and sums of shorter ones never
/// overflow.
pub const MILLIS_MAX: i64 = 3650 * 24 * 3600 * 1000;
/// How long a producer waits for capacity by default: longer than a burst, and shorter than the timeouts
/// of clients.
const BLOCK_TIMEOUT_MS: u64 = 5_000;
/// Maximum delay of a retry by default: a fault that lasts longer is noticed, and when it is repaired, work
/// goes on within the hour.
const RETRY_DELAY_MAX_MS: i64 = 3600 * 1000;
/// Limit on the replicas that must acknowledge a change: beyond any practical use, since each makes a change
/// slower and its failure likelier.
pub const WRITE_ACK_REPLICAS_MAX: u8 = 16;
/// Beyond any practical use.
const DELIVERIES_MAX: i64 = 1_000_000;
const COUNT_MAX: i64 = i64::MAX;

type Row = row::Row<QueuePolicy>;

const MILLIS: Takes = Takes::Number { min: 1, max: MILLIS_MAX };
const COUNT: Takes = Takes::Number { min: 1, max: COUNT_MAX };
/// In the order of `Overflow`. The last is what RabbitMQ calls the first.
const OVERFLOWS: &[&str] = &["reject", "drop-head", "dead-letter", "block", "reject-publish"];
const DELIVERIES: &[&str] = &["at-most-once", "at-least-once"];
const ACKNOWLEDGES: &[&str] = &["next-pop", "explicit"];

#[rustfmt::skip]
static ROWS: &[Row] = &[
    Row { name: "priority", takes: Takes::Number { min: i64::MIN, max: i64::MAX },
        write: |policy, given| policy.priority = given.number(),
        show: |policy| digits((policy.priority != 0).then_some(policy.priority)) },
    Row { name: "max-length", takes: COUNT,
        write: |policy, given| policy.max_length = Some(given.number().unsigned_abs()),
        show: |policy| digits(policy.max_length) },
    Row { name: "max-length-bytes", takes: COUNT,
        write: |policy, given| policy.max_length_bytes = Some(given.number().unsigned_abs()),
        show: |policy| digits(policy.max_length_bytes) },
    Row { name: "overflow", takes: Takes::Word(OVERFLOWS),
        write: |policy, given| policy.overflow = match given.word() {
            1 => Overflow::DropHead, 2 => Overflow::DeadLetter, 3 => Overflow::Block,
            _ => Overflow::Reject },
        show: |policy| chosen(OVERFLOWS, policy.overflow as usize) },
    Row { name: "block-timeout-ms", takes: MILLIS,
        write: |policy, given| policy.block_timeout_ms = given.number().unsigned_abs(),
        show: |policy| digits((policy.block_timeout_ms != BLOCK_TIMEOUT_MS)
            .then_some(policy.block_timeout_ms)) },
    Row { name: "message-ttl-ms", takes: MILLIS,
        write: |policy, given| policy.message_ttl_ms = Some(given.number()),
        show: |policy| digits(policy.message_ttl_ms) },
    Row { name: "delay-ms", takes: MILLIS,
        write: |policy, given| policy.delay_ms = Some(given.number()),
        show: |policy| digits(policy.delay_ms) },
    Row { name: "delivery", takes: Takes::Word(DELIVERIES),
        write: |policy, given| policy.delivery = match given.word() {
            0 => DeliveryGuarantee::AtMostOnce, _ => DeliveryGuarantee::AtLeastOnce },
        show: |policy| chosen(DELIVERIES, policy.delivery as usize) },
    Row { name: "acknowledge", takes: Takes::Word(ACKNOWLEDGES),
        write: |policy, given| policy.acknowledge = Some(match given.word() {
            0 => Acknowledge::NextPop, _ => Acknowledge::Explicit }),
        show: |policy| policy.acknowledge.map(|word| ACKNOWLEDGES[word as usize].into()) },
    Row { name: "ack-timeout-ms", takes: MILLIS,
        write: |policy, given| policy.ack_timeout_ms = Some(given.number()),
        show: |policy| digits(policy.ack_timeout_ms) },
    Row { name: "delivery-limit", takes: Takes::Number { min: 1, max: DELIVERIES_MAX },
        write: |policy, given| policy.delivery_limit = u32::try_from(given.number()).ok(),
        show: |policy| digits(policy.delivery_limit) },
    Row { name: "retry-delay-ms", takes: MILLIS,
        write: |policy, given| policy.retry_delay_ms = Some(given.number()),
        show: |policy| digits(policy.retry_delay_ms) },
    Row { name: "retry-delay-max-ms", takes: MILLIS,
        write: |policy, given| policy.retry_delay_max_ms = Some(given.number()),
        show: |policy| digits(policy.retry_delay_max_ms) },
    Row { name: "max-in-flight", takes: COUNT,
        write: |policy, given| policy.throttle_mut().max_in_flight
            = Some(given.number().unsigned_abs()),
        show: |policy| digits(policy.throttle.and_then(|throttle| throttle.max_in_flight)) },
    Row { name: "max-in-flight-per-client", takes: COUNT,
        write: |policy, given| policy.throttle_mut().max_in_flight_per_client
            = Some(given.number().unsigned_abs()),
        show: |policy| digits(policy.throttle
            .and_then(|throttle| throttle.max_in_flight_per_client)) },
    Row { name: "rate", takes: Takes::Number { min: 1, max: RATE_MAX },
        write: |policy, given| policy.throttle_mut().rate = Some(given.number().unsigned_abs()),
        show: |policy| digits(policy.throttle.and_then(|throttle| throttle.rate)) },
    Row { name: "rate-per-ms", takes: MILLIS,
        write: |policy, given| policy.throttle_mut().rate_per_ms = given.number().unsigned_abs(),
        show: |policy| digits(policy.throttle.map(|throttle| throttle.rate_per_ms)
            .filter(|ms| *ms != RATE_PER_MS)) },
    Row { name: "dead-letter", takes: Takes::Key,
        write: |policy, given| if let Given::Key(key) = given {
            policy.dead_letter = Some(key.to_vec());
        },
        show: |policy| policy.dead_letter.clone() },
    Row { name: "dedup-window-ms", takes: MILLIS,
        write: |policy, given| policy.dedup_window_ms = Some(given.number()),
        show: |policy| digits(policy.dedup_window_ms) },
    Row { name: "write-ack-replicas", takes: Takes::Number { min: 1, max: WRITE_ACK_REPLICAS_MAX as i64 },
        write: |policy, given| policy.write_ack_replicas = u8::try_from(given.number()).unwrap_or(0),
        show: |policy| digits((policy.write_ack_replicas > 0).then_some(policy.write_ack_replicas)) },
];

/// All options with their values, for errors and help.
pub fn options_help() -> String {
    QueuePolicy::options_help()
}

impl Policy for QueuePolicy {
    fn rows() -> &'static [Row] {
        ROWS
    }

    fn without_options(name: &[u8], pattern: &[u8]) -> QueuePolicy {
        QueuePolicy {
            name: name.to_vec(),
            pattern: pattern.to_vec(),
            priority: 0,
            max_length: None,
            max_length_bytes: None,
            overflow: Overflow::default(),
            block_timeout_ms: BLOCK_TIMEOUT_MS,
            message_ttl_ms: None,
            delay_ms: None,
            delivery: DeliveryGuarantee::default(),
            acknowledge: None,
            ack_timeout_ms: None,
            delivery_limit: None,
            retry_delay_ms: None,
            retry_delay_max_ms: None,
            throttle: None,
            dedup_window_ms: None,
            write_ack_replicas: 0,
            dead_letter: None,
        }
    }

    fn check(&self, given: &[&str]) -> Result<(), String> {
        let has = |name: &str| given.contains(&name);
        let is_bounded = has("max-length") || has("max-length-bytes");
        let at_least_once = self.delivery == DeliveryGuarantee::AtLeastOnce;
        let needs: &[(&str, bool, &str)] = &[
            ("overflow", is_bounded, "max-length or max-length-bytes"),
            ("block-timeout-ms", self.overflow == Overflow::Block, "overflow block"),
            ("acknowledge", at_least_once, "delivery at-least-once"),
            ("ack-timeout-ms", at_least_once, "delivery at-least-once"),
            ("delivery-limit", at_least_once, "delivery at-least-once"),
            ("retry-delay-ms", at_least_once, "delivery at-least-once"),
            ("retry-delay-max-ms", has("retry-delay-ms"), "retry-delay-ms"),
            ("max-in-flight", at_least_once, "delivery at-least-once"),
            ("max-in-flight-per-client", at_least_once, "delivery at-least-once"),
            ("rate-per-ms", has("rate"), "rate"),
        ];
        for (name, is_met, needed) in needs {
            if has(name) && !is_met {
                return Err(format!("option '{name}' needs {needed}"));
            }
        }
        if self.retry_delay_max_ms.is_some_and(|max| self.retry_delay_ms.is_some_and(|ms| max < ms))
        {
            return Err("retry-delay-max-ms must not be below retry-delay-ms".into());
        }
        if self.overflow == Overflow::DeadLetter && self.dead_letter.is_none() {
            return Err("overflow dead-letter needs the option 'dead-letter KEY'".into());
        }
        Ok(())
    }

    fn name(&self) -> &[u8] {
        &self.name
    }

    fn pattern(&self) -> &[u8] {
        &self.pattern
    }
}

impl QueuePolicy {
    /// Reads a policy: name, pattern, then options with their values.
    ///
    /// # Errors
    /// A sentence with the error and what would be valid.
    pub fn parse(words: &[&[u8]]) -> Result<QueuePolicy, String> {
        Policy::parse(words)
    }

    /// The policy as words that `parse` reads: name, pattern, and the options with values other than the
    /// default.
    pub fn to_words(&self) -> Vec<Vec<u8>> {
        Policy::to_words(self)
    }

    /// The options with values other than the default.
    pub fn options(&self) -> Vec<(&'static str, Vec<u8>)> {
        Policy::options(self)
    }

    fn throttle_mut(&mut self) -> &mut Throttle {
        self.throttle.get_or_insert_default()
    }

    /// Whether the policy applies to a key. It never applies to the keys of its own dead letters: these
    /// are plain lists, so that no message goes in a circle.
    pub fn matches(&self, key: &[u8]) -> bool {
        // As for KEYS: `*` matches all keys, even the empty one, which no other pattern matches.
        (self.pattern == b"*" || glob_matches(&self.pattern, key)) && !self.fills(key)
    }

    /// Whether the policy may dead-letter to this key.
    fn fills(&self, key: &[u8]) -> bool {
        let Some(template) = &self.dead_letter else { return false };
        let Some(at) = placeholder(template) else { return template == key };
        let (before, after) = (&template[..at], &template[at + PLACEHOLDER.len()..]);
        // If the template is the source's own key, every key could be filled, so the policy matches
        // none.
        key.len() > before.len() + after.len() && key.starts_with(before) && key.ends_with(after)
    }

    /// The key of the dead-letter list of a queue.
    pub fn dead_letter_key(&self, queue: &[u8]) -> Option<Vec<u8>> {
        let template = self.dead_letter.as_ref()?;
        Some(match placeholder(template) {
            None => template.clone(),
            Some(at) => [&template[..at], queue, &template[at + PLACEHOLDER.len()..]].concat(),
        })
    }

    /// Whether a push above the limits is not stored. Otherwise the oldest messages are dropped.
    pub fn refuses_overflow(&self) -> bool {
        matches!(self.overflow, Overflow::Reject | Overflow::Block)
    }

    /// Refuses a policy without `acknowledge`: no default is right for all clients.
    ///
    /// # Errors
    /// The choices, and which clients each is for.
    pub fn check_acknowledge(&self) -> Result<(), String> {
        if !self.is_at_least_once() || self.acknowledge.is_some() {
            return Ok(());
        }
        let choice = "delivery at-least-once needs `acknowledge next-pop` or `acknowledge explicit`. \
            next-pop is for workers that have their own connection and pop one message at a time; \
            explicit is for all others (pools, threads, tasks), which pop with QUEUE POP, or send \
            QUEUE ACK key VALUE message";
        Err(choice.into())
    }

    /// Whether the next pop on a connection acknowledges its previous messages.
    pub fn is_acknowledged_by_pop(&self) -> bool {
        self.is_at_least_once() && self.acknowledge != Some(Acknowledge::Explicit)
    }

    /// Whether the policy provides for delayed messages: pushed ones, or ones that are delivered again later.
    pub fn provides_delays(&self) -> bool {
        self.delay_ms.is_some() || self.is_at_least_once()
    }

    /// Milliseconds until a message that was not acknowledged in this many deliveries is ready again; `None`
    /// if it is ready at once.
    pub fn retry_delay(&self, deliveries: u32) -> Option<i64> {
        let first_ms = self.retry_delay_ms?;
        let max_ms = self.retry_delay_max_ms.unwrap_or(RETRY_DELAY_MAX_MS.max(first_ms));
        let factor = 1i64.checked_shl(deliveries.saturating_sub(1)).filter(|factor| *factor > 0);
        let delay_ms = factor.and_then(|factor| first_ms.checked_mul(factor));
        Some(delay_ms.unwrap_or(max_ms).min(max_ms))
    }

    /// Whether popped messages are in flight until they are acknowledged.
    pub fn is_at_least_once(&self) -> bool {
        self.delivery == DeliveryGuarantee::AtLeastOnce
    }
}

/// The position of the first placeholder in a dead-letter key.
fn placeholder(template: &[u8]) -> Option<usize> {
    template.windows(PLACEHOLDER.len()).position(|window| window == PLACEHOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<QueuePolicy, String> {
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        QueuePolicy::parse(&words)
    }

    #[test]
    fn a_parsed_policy_prints_the_same() {
        for text in [
            "all *",
            "a jobs:* priority -3 max-length 1000 overflow drop-head",
            "a jobs:* max-length-bytes 1 overflow block block-timeout-ms 10",
            "b q message-ttl-ms 2000 delay-ms 1 dead-letter dead:{queue} dedup-window-ms 5",
            "c q delivery at-least-once acknowledge explicit ack-timeout-ms 9 delivery-limit 3",
            "d q delivery at-least-once acknowledge explicit max-in-flight 1 \
                max-in-flight-per-client 2",
            "e q rate 50 rate-per-ms 60000",
            "f q write-ack-replicas 2",
            "d q delivery at-least-once acknowledge explicit retry-delay-ms 1 retry-delay-max-ms 2",
        ] {
            let words = parse(text).expect("valid").to_words();
            assert_eq!(String::from_utf8_lossy(&words.join(&b' ')), text);
        }
    }

    #[test]
    fn errors_say_what_would_be_valid() {
        for (text, error) in [
            ("a", "a policy has a name, a pattern, and options with values"),
            ("a;b *", "a policy's name has 1 to 128 printable characters, without spaces"),
            ("a ", "a policy's pattern has 1 to 1024 bytes"),
            (
                "a * max-length 0",
                "option 'max-length' takes a whole number from 1 to 9223372036854775807, not '0'",
            ),
            (
                "a * overflow",
                "option 'overflow' has no value; it takes one of reject, drop-head, \
                dead-letter, block, reject-publish",
            ),
            ("a * overflow reject", "option 'overflow' needs max-length or max-length-bytes"),
            ("a * max-length 1 max-length 2", "option 'max-length' is given twice"),
            ("a * delivery-limit 1", "option 'delivery-limit' needs delivery at-least-once"),
            ("a * max-in-flight 1", "option 'max-in-flight' needs delivery at-least-once"),
            ("a * rate-per-ms 9", "option 'rate-per-ms' needs rate"),
            ("a * retry-delay-ms 1", "option 'retry-delay-ms' needs delivery at-least-once"),
            (
                "a * delivery at-least-once retry-delay-max-ms 1",
                "option 'retry-delay-max-ms' needs retry-delay-ms",
            ),
            (
                "a * delivery at-least-once retry-delay-ms 2 retry-delay-max-ms 1",
                "retry-delay-max-ms must not be below retry-delay-ms",
            ),
            (
                "a * max-length 1 overflow dead-letter",
                "overflow dead-letter needs the option 'dead-letter KEY'",
            ),
            (
                "a * dead-letter {queue}",
                "option 'dead-letter' takes a key, which may have {queue} in it, not '{queue}'",
            ),
        ] {
            assert_eq!(parse(text).expect_err(text), error);
        }
        let rejects = parse("a * max-length 1 overflow reject-publish").expect("valid");
        assert_eq!(rejects, parse("a * max-length 1 overflow reject").expect("valid"));
        let error = parse("a * speed 1").expect_err("unknown");
        assert!(
            error.starts_with("unknown option 'speed'; the options are: priority N, max-length")
        );
        assert!(error.contains("overflow reject|drop-head|dead-letter|block|reject-publish"));
    }

    #[test]
    fn the_delay_of_retries_doubles_up_to_a_maximum() {
        let delays = |options: &str, deliveries: &[u32]| -> Vec<Option<i64>> {
            let policy = parse(&format!("a * delivery at-least-once{options}")).expect("valid");
            deliveries.iter().map(|deliveries| policy.retry_delay(*deliveries)).collect()
        };
        assert_eq!(delays("", &[1]), [None]);
        let expected = [100, 100, 200, 400, 500, 500].map(Some);
        let options = " retry-delay-ms 100 retry-delay-max-ms 500";
        assert_eq!(delays(options, &[0, 1, 2, 3, 4, u32::MAX]), expected);
        let expected = [3, 6, RETRY_DELAY_MAX_MS].map(Some);
        assert_eq!(delays(" retry-delay-ms 3", &[1, 2, 63]), expected);
        let long_ms = 2 * RETRY_DELAY_MAX_MS;
        assert_eq!(delays(&format!(" retry-delay-ms {long_ms}"), &[1, 65]), [Some(long_ms); 2]);
    }

    #[test]
    fn a_policy_does_not_apply_to_its_own_dead_letters() {
        let policy = parse("a * dead-letter dead:{queue}:x").expect("valid");
        assert_eq!(policy.dead_letter_key(b"q"), Some(b"dead:q:x".to_vec()));
        assert!(policy.matches(b"q") && policy.matches(b"dead::x") && !policy.matches(b"dead:q:x"));
        let policy = parse("a q* dead-letter qd").expect("valid");
        assert_eq!(policy.dead_letter_key(b"q1"), Some(b"qd".to_vec()));
        assert!(policy.matches(b"q1") && !policy.matches(b"qd") && !policy.matches(b"x"));
    }
}
