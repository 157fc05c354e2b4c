//! The kinds of values: how each is read, shown and written to a file.

use super::types::OutputLimit;
use super::{policies, words};
use crate::policy::{ChannelPolicy, QueuePolicy};

/// How a directive's value is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// `yes` or `no`.
    Flag,
    /// A whole number.
    Number { min: i64, max: i64 },
    /// Bytes, with Redis' units.
    Memory { min: u64, max: u64 },
    /// Bytes, or a percentage of the memory limit.
    MemoryOrPercent,
    /// Permission bits in octal.
    Octal,
    /// One word, any text.
    Text,
    /// A name without a path, of the file that this directive is for.
    FileName(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One or more of these words.
    Choices(&'static [&'static str]),
    /// Addresses to listen on.
    Addresses,
    /// Any number of words.
    Words,
    /// Any number of names.
    Names,
    /// Paths of URLs, each followed by a queue.
    PushPaths,
    /// Host and port of a primary, or `no one`, which is shown as an empty value.
    Primary,
    /// Classes, each with hard bytes, soft bytes and soft seconds.
    OutputLimits,
    /// Queue policies, separated by `;`.
    QueuePolicies,
    /// Channel policies, separated by `;`.
    ChannelPolicies,
    /// Users, each in a directive of its own.
    Users,
    /// Pairs of seconds and changes.
    SavePoints,
    /// Percentages.
    Percentiles,
    /// Three numbers from -2000 to 2000.
    OomScores,
    /// The letters of keyspace events.
    EventClasses,
}

/// A parsed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Flag(bool),
    /// Wide enough for every signed and unsigned field.
    Number(i128),
    Text(String),
    Words(Vec<String>),
    Limits([OutputLimit; 3]),
    Policies(Vec<QueuePolicy>),
    ChannelPolicies(Vec<ChannelPolicy>),
    Users(Vec<Vec<String>>),
}

/// Redis' limit on `bind`; more than a machine sensibly has.
const ADDRESSES_MAX: usize = 16;

/// The largest memory value that fits a signed length.
pub(super) const LENGTH_MAX: u64 = i64::MAX as u64;

/// The classes of `client-output-buffer-limit` in the order of [`super::Settings::output_limits`].
pub(super) const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

impl Value {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Kind {
    /// Whether a value may have several words.
    pub(super) fn takes_words(self) -> bool {
        match self {
            Self::Flag
            | Self::Number { .. }
            | Self::Memory { .. }
            | Self::MemoryOrPercent
            | Self::Octal
            | Self::Text
            | Self::FileName(_)
            | Self::Choice(_)
            | Self::EventClasses => false,
            Self::Choices(_)
            | Self::Addresses
            | Self::Words
            | Self::Names
            | Self::PushPaths
            | Self::Primary
            | Self::OutputLimits
            | Self::QueuePolicies
            | Self::ChannelPolicies
            | Self::Users
            | Self::SavePoints
            | Self::Percentiles
            | Self::OomScores => true,
        }
    }

    /// Whether CONFIG SET replaces a value to which lines of a file add.
    pub(super) fn is_replaced_at_run_time(self) -> bool {
        self == Self::SavePoints
    }

    /// Splits one text into words as CONFIG SET does: at each space; an empty text has none. Words of a
    /// policy may be quoted, as in a file.
    pub(super) fn split(self, text: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        match (self, text) {
            (Self::QueuePolicies | Self::ChannelPolicies, _) => {
                words::split(text).ok_or_else(|| "unbalanced quotes".to_owned())
            }
            (kind, _) if !kind.takes_words() => Ok(vec![text.to_owned()]),
            (_, b"") => Ok(Vec::new()),
            _ => Ok(text.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect()),
        }
    }

    /// The initial value on which the first words build.
    pub(super) fn empty(self) -> Value {
        match self {
            Self::OutputLimits => Value::Limits([OutputLimit::default(); 3]),
            Self::QueuePolicies => Value::Policies(Vec::new()),
            Self::ChannelPolicies => Value::ChannelPolicies(Vec::new()),
            Self::Users => Value::Users(Vec::new()),
            _ => Value::Text(String::new()),
        }
    }

    /// Parses the words of a value. `current` is the value before, on which output limits and policies
    /// build. The error is in Redis' words.
    pub(super) fn parse(self, args: &[Vec<u8>], current: &Value) -> Result<Value, String> {
        match args {
            // A file or command line may give all words in one pair of quotes.
            [one] if self.takes_words() && (one.contains(&b' ') || one.is_empty()) => {
                self.parse_words(&self.split(one)?, current)
            }
            _ if self.takes_words() => self.parse_words(args, current),
            [one] => self.parse_one(str::from_utf8(one).map_err(|_| words::NOT_TEXT)?),
            _ => Err("wrong number of arguments".to_owned()),
        }
    }

    fn parse_one(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Flag if text.eq_ignore_ascii_case("yes") => Ok(Value::Flag(true)),
            Self::Flag if text.eq_ignore_ascii_case("no") => Ok(Value::Flag(false)),
            Self::Flag => Err("argument must be 'yes' or 'no'".to_owned()),
            Self::Number { min, max } => {
                let number =
                    whole_number(text).ok_or("argument couldn't be parsed into an integer")?;
                in_range(i128::from(number), i128::from(min), i128::from(max))
            }
            Self::Memory { min, max } => {
                let bytes = memory(text).ok_or("argument must be a memory value")?;
                in_range(i128::from(bytes), i128::from(min), i128::from(max))
            }
            Self::MemoryOrPercent => memory_or_percent(text),
            Self::Octal => octal(text),
            Self::Choice(choices) => choice(text, choices).map(|c| Value::Text(c.to_owned())),
            Self::FileName(directive) if text.contains('/') => {
                Err(format!("{directive} can't be a path, just a filename"))
            }
            Self::EventClasses => match text.chars().find(|c| !"Ag$lshzxeKEtmdn".contains(*c)) {
                Some(_) => Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned()),
                None => Ok(Value::Text(text.to_owned())),
            },
            _ => Ok(Value::Text(text.to_owned())),
        }
    }

    fn parse_words(self, args: &[Vec<u8>], current: &Value) -> Result<Value, String> {
        match (self, current) {
            (Self::QueuePolicies, Value::Policies(before)) => {
                policies::parse(args, before).map(Value::Policies)
            }
            (Self::QueuePolicies, _) => policies::parse(args, &[]).map(Value::Policies),
            (Self::ChannelPolicies, Value::ChannelPolicies(before)) => {
                policies::parse(args, before).map(Value::ChannelPolicies)
            }
            (Self::ChannelPolicies, _) => policies::parse(args, &[]).map(Value::ChannelPolicies),
            _ => {
                let text = |word: &Vec<u8>| String::from_utf8(word.clone());
                let words: Result<Vec<String>, _> = args.iter().map(text).collect();
                self.parse_text_words(&words.map_err(|_| words::NOT_TEXT)?, current)
            }
        }
    }

    fn parse_text_words(self, args: &[String], current: &Value) -> Result<Value, String> {
        match self {
            Self::Choices(choices) => {
                // No words are not a valid choice.
                let words = if args.is_empty() { &[String::new()][..] } else { args };
                let chosen: Result<Vec<_>, _> = words.iter().map(|w| choice(w, choices)).collect();
                Ok(Value::Text(chosen?.join(" ")))
            }
            Self::Addresses => addresses(args),
            Self::Names => Ok(Value::Words(args.to_vec())),
            Self::PushPaths => push_paths(args),
            Self::Primary => match args {
                [] => Ok(Value::Text(String::new())),
                [no, one] if no.eq_ignore_ascii_case("no") && one.eq_ignore_ascii_case("one") => {
                    Ok(Value::Text(String::new()))
                }
                [host, port] => Ok(Value::Text(format!("{host} {port}"))),
                _ => Err("wrong number of arguments".to_owned()),
            },
            Self::OutputLimits => output_limits(args, current),
            Self::Users => users(args, current),
            Self::SavePoints => save_points(args, current),
            Self::Percentiles => percentiles(args),
            Self::OomScores => oom_scores(args),
            _ => Ok(Value::Text(args.join(" "))),
        }
    }

    /// The value as CONFIG GET shows it.
    pub(super) fn print(self, value: &Value) -> String {
        match value {
            Value::Flag(true) => "yes".to_owned(),
            Value::Flag(false) => "no".to_owned(),
            Value::Number(bits) if self == Self::Octal => format!("{bits:o}"),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            Value::Words(words) => words.join(" "),
            Value::Limits(limits) => {
                let each = |(class, l): (&&str, &OutputLimit)| {
                    format!("{class} {} {} {}", l.hard_bytes, l.soft_bytes, l.soft_seconds)
                };
                CLASSES.iter().zip(limits).map(each).collect::<Vec<_>>().join(" ")
            }
            Value::Policies(all) => policies::print(all),
            Value::ChannelPolicies(all) => policies::print(all),
            Value::Users(all) => {
                all.iter().map(|user| user.join(" ")).collect::<Vec<_>>().join("; ")
            }
        }
    }

    /// What would be valid, for errors and the documentation.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Flag => "yes or no".to_owned(),
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Memory { min, max: LENGTH_MAX | u64::MAX } => {
                format!("bytes such as 100, 1k, 1kb, 5mb or 1gb, from {} on", short_memory(min))
            }
            Self::Memory { min, max } => format!(
                "bytes such as 100, 1k, 1kb, 5mb or 1gb, from {} to {}",
                short_memory(min),
                short_memory(max)
            ),
            Self::MemoryOrPercent => "bytes such as 100mb, or a percentage such as 5%".to_owned(),
            Self::Octal => "permission bits in octal such as 700, at most 777".to_owned(),
            Self::Text => "one text, in quotes if it has spaces".to_owned(),
            Self::FileName(_) => "a file name without a path".to_owned(),
            Self::Choice(choices) => format!("one of {}", choices.join(", ")),
            Self::Choices(choices) => format!("one or more of {}", choices.join(", ")),
            Self::Addresses => format!("up to {ADDRESSES_MAX} addresses"),
            Self::Words => "any words".to_owned(),
            Self::Names => "any names".to_owned(),
            Self::PushPaths => "paths that begin with /, each followed by a queue".to_owned(),
            Self::Primary => "host and port, or no one".to_owned(),
            Self::OutputLimits => {
                "normal, replica or pubsub, then hard bytes, soft bytes and soft seconds".to_owned()
            }
            Self::QueuePolicies | Self::ChannelPolicies => {
                "a name, a pattern, and options with values".to_owned()
            }
            Self::Users => "a name and rules".to_owned(),
            Self::SavePoints => "pairs of seconds and changes, or \"\" for none".to_owned(),
            Self::Percentiles => "numbers from 0 to 100".to_owned(),
            Self::OomScores => "three numbers from -2000 to 2000, none below the one before".into(),
            Self::EventClasses => "letters of Ag$lshzxeKEtmdn, or \"\" for none".to_owned(),
        }
    }
}

/// Adds a user, which must not be there. No words are no users.
fn users(args: &[String], current: &Value) -> Result<Value, String> {
    let Value::Users(before) = current else { return Err("not a list of users".to_owned()) };
    let Some(name) = args.first() else { return Ok(Value::Users(Vec::new())) };
    if before.iter().any(|user| user.first() == Some(name)) {
        return Err(
            "Duplicate user found. A user can only be defined once in config files".to_owned()
        );
    }
    let mut all = before.clone();
    all.push(args.to_vec());
    Ok(Value::Users(all))
}

/// Bytes in the largest unit that divides them, as CONFIG REWRITE writes them.
pub(super) fn short_memory(bytes: u64) -> String {
    for (unit, size) in [("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10)] {
        if bytes != 0 && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    bytes.to_string()
}

/// A whole number in Redis' only form: no sign but `-`, no leading zero, no space.
fn whole_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = text == "0" || !(digits.starts_with(['0', '+', '-']));
    // Redis also reports a number beyond 64 bits as "no integer".
    text.parse().ok().filter(|_| canonical)
}

/// Digits and a unit. As in Redis, no digits mean 0, and too large a number saturates.
fn memory(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    let number = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Some(number.saturating_mul(factor))
}

fn in_range(number: i128, min: i128, max: i128) -> Result<Value, String> {
    if (min..=max).contains(&number) {
        Ok(Value::Number(number))
    } else {
        Err(format!("argument must be between {min} and {max} inclusive"))
    }
}

/// Permission bits; empty for 0, as in Redis.
fn octal(text: &str) -> Result<Value, String> {
    let not_octal = || "argument couldn't be parsed as an octal number".to_owned();
    if text.starts_with('+') {
        return Err(not_octal());
    }
    let bits = if text.is_empty() { Ok(0) } else { i64::from_str_radix(text, 8) };
    match bits.map_err(|_| not_octal())? {
        bits @ 0..=0o777 => Ok(Value::Number(i128::from(bits))),
        _ => Err("argument must be between 0 and 777 inclusive".to_owned()),
    }
}

fn memory_or_percent(text: &str) -> Result<Value, String> {
    let invalid = "argument must be a memory or percent value";
    let Some(percent) = text.strip_suffix('%') else {
        return memory(text).map(|bytes| Value::Text(bytes.to_string())).ok_or(invalid.to_owned());
    };
    match whole_number(percent) {
        Some(0..=100) => Ok(Value::Text(text.to_owned())),
        Some(101..) => Err("percentage argument must be less or equal to 100".to_owned()),
        _ => Err(invalid.to_owned()),
    }
}

fn choice(text: &str, choices: &[&'static str]) -> Result<&'static str, String> {
    choices
        .iter()
        .copied()
        .find(|c| c.eq_ignore_ascii_case(text))
        .ok_or_else(|| format!("argument(s) must be one of the following: {}", choices.join(", ")))
}

/// Addresses contain no spaces, so a space separates them even within quotes.
fn addresses(args: &[String]) -> Result<Value, String> {
    let words = args.iter().flat_map(|arg| arg.split(' ')).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_owned).collect();
    if words.len() > ADDRESSES_MAX {
        return Err("Too many bind addresses specified.".to_owned());
    }
    Ok(Value::Words(words))
}

fn push_paths(args: &[String]) -> Result<Value, String> {
    let is_path = |pair: &[String; 2]| pair[0].starts_with('/') && !pair[0].contains('?');
    match args.as_chunks::<2>() {
        (pairs, []) if pairs.iter().all(is_path) => Ok(Value::Words(args.to_vec())),
        _ => Err("argument must be paths that begin with /, each followed by a queue".to_owned()),
    }
}

fn output_limits(args: &[String], current: &Value) -> Result<Value, String> {
    let mut limits = match current {
        Value::Limits(limits) => *limits,
        _ => [OutputLimit::default(); 3],
    };
    let (quads, rest) = args.as_chunks::<4>();
    if !rest.is_empty() {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    for [class, hard, soft, seconds] in quads {
        let at = match class.to_ascii_lowercase().as_str() {
            "normal" => 0,
            "slave" | "replica" => 1,
            "pubsub" => 2,
            _ => {
                return Err(
                    "Invalid client class specified in buffer limit configuration.".to_owned()
                );
            }
        };
        let seconds = whole_number(seconds).and_then(|s| u64::try_from(s).ok());
        let (Some(hard_bytes), Some(soft_bytes), Some(soft_seconds)) =
            (memory(hard), memory(soft), seconds)
        else {
            return Err("Error in hard, soft or soft_seconds setting in buffer limit \
                        configuration."
                .to_owned());
        };
        limits[at] = OutputLimit { hard_bytes, soft_bytes, soft_seconds };
    }
    Ok(Value::Limits(limits))
}

/// Adds pairs to those before; no words are no pairs.
fn save_points(args: &[String], current: &Value) -> Result<Value, String> {
    let invalid = || "Invalid save parameters".to_owned();
    let (pairs, rest) = args.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(invalid());
    }
    for [seconds, changes] in pairs {
        let seconds = whole_number(seconds).ok_or_else(invalid)?;
        let changes = whole_number(changes).ok_or_else(invalid)?;
        if seconds < 1 || changes < 0 {
            return Err(invalid());
        }
    }
    let before = current.text().filter(|before| !before.is_empty() && !args.is_empty());
    let all: Vec<&str> = before.into_iter().chain(args.iter().map(String::as_str)).collect();
    Ok(Value::Text(all.join(" ")))
}

fn percentiles(args: &[String]) -> Result<Value, String> {
    for arg in args {
        let number: f64 = arg
            .parse()
            .map_err(|_| "Invalid latency-tracking-info-percentiles parameters".to_owned())?;
        if !(0.0..=100.0).contains(&number) {
            return Err("latency-tracking-info-percentiles parameters should sit between \
                        [0.0,100.0]"
                .to_owned());
        }
    }
    Ok(Value::Text(args.join(" ")))
}

fn oom_scores(args: &[String]) -> Result<Value, String> {
    if args.len() != 3 {
        return Err("wrong number of arguments".to_owned());
    }
    let scores: Option<Vec<i64>> = args.iter().map(|a| whole_number(a)).collect();
    let in_bounds = scores.filter(|s| s.iter().all(|n| (-2000..=2000).contains(n)));
    match in_bounds {
        None => {
            Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into())
        }
        Some(_) => Ok(Value::Text(args.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: Kind, text: &str) -> Result<String, String> {
        kind.parse(&kind.split(text.as_bytes())?, &kind.empty()).map(|v| kind.print(&v))
    }

    #[test]
    fn whole_numbers_have_one_form() {
        let kind = Kind::Number { min: -1, max: 100 };
        assert_eq!(parse(kind, "-1"), Ok("-1".into()));
        assert_eq!(parse(kind, "0"), Ok("0".into()));
        for text in ["", "1x", " 1", "+1", "01", "-0", "10k", "--1", "99999999999999999999"] {
            let expected = Err("argument couldn't be parsed into an integer".into());
            assert_eq!(parse(kind, text), expected, "{text:?}");
        }
        assert_eq!(parse(kind, "101"), Err("argument must be between -1 and 100 inclusive".into()));
    }

    #[test]
    fn memory_has_decimal_and_binary_units() {
        let kind = Kind::Memory { min: 0, max: u64::MAX };
        for (text, bytes) in [
            ("", "0"),
            ("7", "7"),
            ("7b", "7"),
            ("1k", "1000"),
            ("5KB", "5120"),
            ("2m", "2000000"),
            ("5mb", "5242880"),
            ("3g", "3000000000"),
            ("5gb", "5368709120"),
            ("99999999999999999999999999", "18446744073709551615"),
        ] {
            assert_eq!(parse(kind, text), Ok(bytes.into()), "{text:?}");
        }
        for text in ["1x", "-1", "1.5gb", "10%", "0x100000", "1 kb"] {
            assert_eq!(parse(kind, text), Err("argument must be a memory value".into()), "{text}");
        }
    }

    #[test]
    fn memory_is_written_with_the_largest_unit_that_divides_it() {
        for (bytes, text) in
            [(0, "0"), (1, "1"), (1025, "1025"), (16_384, "16kb"), (1 << 30, "1gb")]
        {
            assert_eq!(short_memory(bytes), text);
        }
    }

    #[test]
    fn percent_of_memory_stays_percent() {
        let kind = Kind::MemoryOrPercent;
        assert_eq!(parse(kind, "10%"), Ok("10%".into()));
        assert_eq!(parse(kind, "1kb"), Ok("1024".into()));
        assert_eq!(
            parse(kind, "101%"),
            Err("percentage argument must be less or equal to 100".into())
        );
        assert_eq!(parse(kind, "-1"), Err("argument must be a memory or percent value".into()));
    }

    #[test]
    fn permission_bits_are_octal() {
        for (text, shown) in
            [("700", "700"), ("0700", "700"), ("777", "777"), ("0", "0"), ("", "0")]
        {
            assert_eq!(parse(Kind::Octal, text), Ok(shown.into()));
        }
        for text in ["999", "9999", "799", "0o700", "x", "+7"] {
            let expected = Err("argument couldn't be parsed as an octal number".into());
            assert_eq!(parse(Kind::Octal, text), expected, "{text:?}");
        }
        for text in ["1000", "07777", "-1"] {
            let expected = Err("argument must be between 0 and 777 inclusive".into());
            assert_eq!(parse(Kind::Octal, text), expected, "{text:?}");
        }
    }

    #[test]
    fn output_limits_keep_the_classes_that_are_not_named() {
        let kind = Kind::OutputLimits;
        let words = |text: &str| kind.split(text.as_bytes()).expect("words");
        let before = kind.parse(&words("pubsub 9 8 7"), &kind.empty()).expect("valid");
        let after = kind.parse(&words("normal 1mb 2mb 3 replica 4 5 6"), &before);
        assert_eq!(
            after.map(|v| kind.print(&v)),
            Ok("normal 1048576 2097152 3 slave 4 5 6 pubsub 9 8 7".into())
        );
    }

    #[test]
    fn any_text_is_an_answer_and_never_a_panic() {
        let number = Kind::Number { min: 0, max: 9 };
        let memory = Kind::Memory { min: 1, max: 9 };
        let kinds = [number, memory, Kind::MemoryOrPercent, Kind::Octal, Kind::OutputLimits];
        let more = [Kind::SavePoints, Kind::Percentiles, Kind::OomScores, Kind::Addresses];
        for kind in kinds.into_iter().chain(more) {
            for text in
                ["", " ", "é", "1é", "-", "%", "é%", "nan", "1 2 3 4", "-9223372036854775808"]
            {
                let _ = parse(kind, text);
            }
        }
    }
}
