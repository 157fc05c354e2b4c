//! Channel policies: how many messages may wait for a slow subscriber, and what happens above that. As
//! with ZeroMQ's sockets (`ZMQ_SNDHWM`, <https://zguide.zeromq.org/docs/chapter2/>).

use super::row::{self, Policy, Takes, chosen, digits};

/// What happens when a message would exceed a subscriber's high-water mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowSubscriber {
    /// The message is not sent to it.
    #[default]
    DropNewest,
    /// The oldest waiting message is dropped.
    DropOldest,
    /// Its connection is closed.
    Disconnect,
}

/// The policy for the channels whose names match a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPolicy {
    /// The operator's name for it.
    pub name: Vec<u8>,
    /// A glob pattern, as for PSUBSCRIBE.
    pub pattern: Vec<u8>,
    /// The matching policy with the highest priority applies; among equals, the first by name.
    pub priority: i64,
    /// Maximum number of messages that wait for one subscriber; 1 or more.
    pub high_water_mark: u64,
    /// What happens above the mark.
    pub slow_subscriber: SlowSubscriber,
}

type Row = row::Row<ChannelPolicy>;

const SLOW_SUBSCRIBERS: &[&str] = &["drop-newest", "drop-oldest", "disconnect"];

#[rustfmt::skip]
static ROWS: &[Row] = &[
    Row { name: "priority", takes: Takes::Number { min: i64::MIN, max: i64::MAX },
        write: |policy, given| policy.priority = given.number(),
        show: |policy| digits((policy.priority != 0).then_some(policy.priority)) },
    Row { name: "high-water-mark", takes: Takes::Number { min: 1, max: i64::MAX },
        write: |policy, given| policy.high_water_mark = given.number().unsigned_abs(),
        show: |policy| digits(Some(policy.high_water_mark)) },
    Row { name: "slow-subscriber", takes: Takes::Word(SLOW_SUBSCRIBERS),
        write: |policy, given| policy.slow_subscriber = match given.word() {
            0 => SlowSubscriber::DropNewest, 1 => SlowSubscriber::DropOldest,
            _ => SlowSubscriber::Disconnect },
        show: |policy| chosen(SLOW_SUBSCRIBERS, policy.slow_subscriber as usize) },
];

impl Policy for ChannelPolicy {
    fn rows() -> &'static [Row] {
        ROWS
    }

    fn without_options(name: &[u8], pattern: &[u8]) -> ChannelPolicy {
        ChannelPolicy {
            name: name.to_vec(),
            pattern: pattern.to_vec(),
            priority: 0,
            // `check` makes sure that one is given.
            high_water_mark: u64::MAX,
            slow_subscriber: SlowSubscriber::default(),
        }
    }

    fn check(&self, given: &[&str]) -> Result<(), String> {
        if given.contains(&"high-water-mark") {
            return Ok(());
        }
        Err("a channel policy limits the messages that wait for a slow subscriber: it needs the \
             option 'high-water-mark N'"
            .into())
    }

    fn name(&self) -> &[u8] {
        &self.name
    }

    fn pattern(&self) -> &[u8] {
        &self.pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ChannelPolicy, String> {
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        ChannelPolicy::parse(&words)
    }

    #[test]
    fn a_parsed_policy_prints_the_same() {
        for text in [
            "a * high-water-mark 1",
            "a prices:* priority -3 high-water-mark 1000 slow-subscriber drop-oldest",
            "b c high-water-mark 9223372036854775807 slow-subscriber disconnect",
        ] {
            let words = parse(text).expect("valid").to_words();
            assert_eq!(String::from_utf8_lossy(&words.join(&b' ')), text);
        }
        let newest = parse("a * high-water-mark 2 slow-subscriber DROP-NEWEST").expect("valid");
        assert_eq!(newest, parse("a * high-water-mark 2").expect("valid"));
    }

    #[test]
    fn errors_say_what_would_be_valid() {
        let no_mark = "a channel policy limits the messages that wait for a slow subscriber: it \
                       needs the option 'high-water-mark N'";
        for (text, error) in [
            ("a *", no_mark),
            ("a * priority 1 slow-subscriber disconnect", no_mark),
            (
                "a * high-water-mark 0",
                "option 'high-water-mark' takes a whole number from 1 to 9223372036854775807, not \
                 '0'",
            ),
            (
                "a * high-water-mark 1 slow-subscriber wait",
                "option 'slow-subscriber' takes one of drop-newest, drop-oldest, disconnect, not \
                 'wait'",
            ),
            (
                "a * max-length 1",
                "unknown option 'max-length'; the options are: priority N, high-water-mark N, \
                 slow-subscriber drop-newest|drop-oldest|disconnect",
            ),
        ] {
            assert_eq!(parse(text).expect_err(text), error);
        }
    }
}
